internal import Core

/// A call with several answers, as its caller holds it. Letting go of it cancels the call.
final class StreamedCall: Sendable {
  private let runtime: ClientRuntime
  private let call: LogicalCall?
  private let sink: StreamSink

  init(_ runtime: ClientRuntime, _ head: CallHead, ringKey: UInt64, gate: SendGate? = nil) {
    self.runtime = runtime
    call = LogicalCall(runtime, head, ringKey: ringKey)
    sink = StreamSink(gate: gate)
  }

  /// One that has failed before it began.
  init(failed error: RPCError, _ runtime: ClientRuntime) {
    self.runtime = runtime
    call = nil
    sink = StreamSink()
    sink.ended(error)
  }

  deinit {
    cancel()
  }

  func begin(_ message: OutgoingMessage, isOnly: Bool) {
    guard let call else { return }
    let sink = sink
    let isPosted = runtime.post { call.begin(message, isOnly: isOnly, sink: sink) }
    if !isPosted { sink.ended(ClientRuntime.closed) }
  }

  func send(_ message: OutgoingMessage?, isLast: Bool) {
    guard let call else { return }
    runtime.post { call.send(message, isLast: isLast) }
  }

  /// Ends it here without a call having been made.
  func endUnbegun() {
    sink.ended(nil)
  }

  func cancel() {
    guard let call else { return }
    runtime.post { call.cancel() }
  }

  /// The next answer; cancels the call when the task is cancelled.
  func next() async -> AnswerQueue.Step {
    let step = await withTaskCancellationHandler {
      await sink.answers.next()
    } onCancel: {
      cancelUnbegun()
    }
    if case .message(let bytes) = step, let call {
      runtime.post { call.taken(bytes.count) }
    }
    return step
  }

  /// Room to send so many bytes; an error when the call has ended.
  func takeRoom(_ byteCount: Int) async -> RPCError? {
    guard let gate = sink.gate else { return nil }
    return await withTaskCancellationHandler {
      await gate.take(byteCount)
    } onCancel: {
      cancelUnbegun()
    }
  }

  /// Also a call that has not begun ends.
  private func cancelUnbegun() {
    guard let call else { return }
    let sink = sink
    let isPosted = runtime.post {
      call.cancel()
      sink.ended(LogicalCall.cancelled)
    }
    if !isPosted { sink.ended(LogicalCall.cancelled) }
  }
}
