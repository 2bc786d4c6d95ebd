internal import Core
internal import Syscalls

/// The answer of a unary call: its one message, handed to whoever waits for it.
final class UnarySink: CallSink {
  private let continuation: CheckedContinuation<Result<[UInt8], RPCError>, Never>
  private let message = Guarded<[UInt8]?>(nil)

  init(_ continuation: CheckedContinuation<Result<[UInt8], RPCError>, Never>) {
    self.continuation = continuation
  }

  func received(_ message: [UInt8]) {
    self.message.withLock { $0 = message }
  }

  func sent(_ byteCount: Int) {}

  func ended(_ error: RPCError?) {
    if let error { return continuation.resume(returning: .failure(error)) }
    let message = message.withLock { $0.take() }
    let missing = RPCError(.internalError, "the call ended well without an answer")
    continuation.resume(returning: message.map { .success($0) } ?? .failure(missing))
  }
}

/// The answers of a streamed call between the loop and its reader.
///
/// What it holds is bounded by whoever fills it: a carrier gives no window back above its bound.
final class AnswerQueue: Sendable {
  enum Step: Sendable {
    case message([UInt8])
    case ended(RPCError?)
  }

  private struct State {
    var messages: [[UInt8]] = []
    var start = 0
    var isEnded = false
    var error: RPCError?
    var readers: [CheckedContinuation<Void, Never>] = []

    var hasNext: Bool { start < messages.count }

    mutating func take() -> [UInt8]? {
      guard hasNext else { return nil }
      let message = messages[start]
      messages[start] = []
      start += 1
      // Places that were read go when they are half of all.
      if start > 16, 2 * start > messages.count || !hasNext {
        messages.removeFirst(start)
        start = 0
      }
      return message
    }
  }

  private let state = Guarded(State())

  func push(_ message: [UInt8]) {
    wake { $0.messages.append(message) }
  }

  /// The first end counts.
  func end(_ error: RPCError?) {
    wake { state in
      guard !state.isEnded else { return }
      state.isEnded = true
      state.error = error
    }
  }

  private func wake(_ change: (inout State) -> Void) {
    let readers = state.withLock { state in
      change(&state)
      defer { state.readers = [] }
      return state.readers
    }
    for reader in readers { reader.resume() }
  }

  /// The next message, or the end once all messages have been taken.
  func next() async -> Step {
    while true {
      if let step = state.withLock({ AnswerQueue.step(&$0) }) { return step }
      await withCheckedContinuation { continuation in
        let isReady = state.withLock { state in
          let isReady = state.hasNext || state.isEnded
          if !isReady { state.readers.append(continuation) }
          return isReady
        }
        if isReady { continuation.resume() }
      }
    }
  }

  private static func step(_ state: inout State) -> Step? {
    if let message = state.take() { return .message(message) }
    return state.isEnded ? .ended(state.error) : nil
  }
}

/// How many bytes of requests may wait: who wants to send more waits until some have gone.
final class SendGate: Sendable {
  private struct State {
    var heldBytes = 0
    var isClosed = false
    var error: RPCError?
    var waiting: [CheckedContinuation<Void, Never>] = []
  }

  private let limitBytes: Int
  private let state = Guarded(State())

  init(limitBytes: Int) {
    self.limitBytes = limitBytes
  }

  /// Takes room for a message, however long it is, when the bytes before it leave some. An error
  /// when the call has ended.
  func take(_ byteCount: Int) async -> RPCError? {
    while true {
      switch state.withLock({ decide(&$0, byteCount) }) {
      case .taken: return nil
      case .closed(let error): return error
      case .full: break
      }
      await withCheckedContinuation { continuation in
        let isReady = state.withLock { state in
          let isReady = state.isClosed || hasRoom(state, byteCount)
          if !isReady { state.waiting.append(continuation) }
          return isReady
        }
        if isReady { continuation.resume() }
      }
    }
  }

  private enum Decision: Sendable { case taken, full, closed(RPCError) }

  private func decide(_ state: inout State, _ byteCount: Int) -> Decision {
    if state.isClosed {
      return .closed(state.error ?? RPCError(.failedPrecondition, "the call has ended"))
    }
    guard hasRoom(state, byteCount) else { return .full }
    state.heldBytes += byteCount
    return .taken
  }

  private func hasRoom(_ state: State, _ byteCount: Int) -> Bool {
    state.heldBytes == 0 || state.heldBytes + byteCount <= limitBytes
  }

  func release(_ byteCount: Int) {
    wake { $0.heldBytes -= min(byteCount, $0.heldBytes) }
  }

  func close(_ error: RPCError?) {
    wake { state in
      guard !state.isClosed else { return }
      state.isClosed = true
      state.error = error
    }
  }

  private func wake(_ change: (inout State) -> Void) {
    let waiting = state.withLock { state in
      change(&state)
      defer { state.waiting = [] }
      return state.waiting
    }
    for continuation in waiting { continuation.resume() }
  }
}

/// A streamed call's answers and, for several requests, its gate.
final class StreamSink: CallSink {
  let answers = AnswerQueue()
  let gate: SendGate?

  init(gate: SendGate? = nil) {
    self.gate = gate
  }

  func received(_ message: [UInt8]) { answers.push(message) }
  func sent(_ byteCount: Int) { gate?.release(byteCount) }

  func ended(_ error: RPCError?) {
    answers.end(error)
    gate?.close(error)
  }
}
