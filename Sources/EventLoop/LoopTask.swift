internal import Core

/// Something to do on a loop's thread. The poster owns the memory and keeps it where it is until
/// `run` has been called. At most one task per call in flight and per accepted connection waits.
package struct LoopTask {
  /// First: a mailbox holds the address of this.
  private var link = MailboxLink()
  /// Runs on the loop's thread with the address of this task.
  package var run: @convention(c) (_ task: UnsafeMutableRawPointer) -> Void
  /// Whatever `run` needs.
  package var context: UnsafeMutableRawPointer?

  package init(
    run: @convention(c) (UnsafeMutableRawPointer) -> Void, context: UnsafeMutableRawPointer?
  ) {
    self.run = run
    self.context = context
  }
}
