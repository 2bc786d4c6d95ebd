internal import Core
internal import EventLoop
internal import Transport

/// A unary call that is answered after others have worked on it.
// Unchecked: its loop's alone, but for `answer` and `fail`, which only post to it.
final class PendingCall: @unchecked Sendable {
  private var stream: UnsafeMutableRawPointer?
  private let eventLoop: EventLoop
  /// Scores that are being worked out for it.
  var work: ScoreWorkPointer?

  init(_ call: ServerCall, _ pointer: UnsafeMutableRawPointer) {
    stream = pointer
    eventLoop = call.eventLoop
    call.retain(self)
  }

  /// From any thread: the call ends with this message, unless nobody waits any more.
  func answer(_ bytes: [UInt8]) {
    Posted.to(eventLoop) { self.end { $0.respond(bytes) } }
  }

  /// From any thread.
  func fail(_ failure: CallFailure) {
    Posted.to(eventLoop) { self.end { $0.fail(failure) } }
  }

  /// On the loop.
  func end(_ body: (ServerCall) -> Void) {
    guard let stream else { return }
    self.stream = nil
    let call = ServerCall(stream)
    call.release(self)
    body(call)
  }

  /// Nobody waits any more.
  func cancel() {
    guard let stream else { return }
    self.stream = nil
    work?.cancel()
    ServerCall(stream).release(self)
  }
}

func cancelPending(_ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer) {
  ServerCall(pointer).attached(PendingCall.self)?.cancel()
}
