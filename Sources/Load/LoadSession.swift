internal import Client
internal import Core
internal import HTTP2
internal import Wire

/// A connection of the generator that carries one session.
final class LoadSession: LoadCarrier {
  private let connection: SessionConnection
  private let slots: UnsafeMutablePointer<LoadCall>
  private let slotCount: Int
  private var free: [LoadConnection.Call] = []
  private(set) var ended: [LoadConnection.Ended] = []
  private(set) var refusal: String?
  private let timeoutMicroseconds: UInt32
  private let isBatch: Bool
  /// Of `Score`, once the server has said HELLO.
  private var method: UInt16?
  private var texts = FailureTexts()

  init(_ headers: LoadHeaders, slotCount: Int, memory: HTTP2Memory, nowNanoseconds: UInt64)
    throws(HTTP2Session.ConnectionError)
  {
    // Priority is each CALL's own (§4.2), and no header of the session.
    let priority = "crescendo-priority"
    isBatch = headers.metadata.contains(MetadataEntry(priority, "batch"))
    connection = try SessionConnection(
      authority: headers.authority, metadata: headers.metadata.filter { $0.name != priority },
      memory: memory, nowNanoseconds: nowNanoseconds)
    self.slotCount = slotCount
    slots = .allocate(capacity: slotCount)
    slots.initialize(repeating: LoadCall(), count: slotCount)
    timeoutMicroseconds = UInt32(clamping: max(headers.timeoutNanoseconds / 1_000, 1))
    let slots = slots
    free = (0..<slotCount).reversed().map { slots + $0 }
  }

  deinit {
    for index in 0..<slotCount { slots[index].buffer?.deallocate() }
    slots.deallocate()
  }

  var isOver: Bool { connection.isOver }

  var hasRoom: Bool {
    refusal == nil && method != nil && !free.isEmpty && connection.session.hasRoom()
  }

  func start(
    intendedNanoseconds: UInt64, body: RequestMix.Body, userID: UInt64, nowNanoseconds: UInt64
  ) -> LoadConnection.Call? {
    guard hasRoom, let method, let call = free.last else { return nil }
    let prefix = MessageAssembler.prefixBytes
    var start = SessionCallStart(
      method: method, work: UInt32(clamping: body.candidateCount),
      timeoutMicroseconds: timeoutMicroseconds, messageBytes: body.count - prefix, context: call)
    start.isBatch = isBatch
    guard let begun = connection.session.begin(start) else {
      refusal = "a message of \(body.count - prefix) bytes is longer than the server takes"
      return nil
    }
    free.removeLast()
    call.pointee.begin(
      intendedNanoseconds: intendedNanoseconds, sentNanoseconds: nowNanoseconds, body: body,
      userID: userID)
    RequestMix.copy(
      body.bytes, from: prefix, count: body.count - prefix, userID: userID, to: begun.message)
    connection.session.seal(now: nowNanoseconds)
    call.pointee.stream = Int32(bitPattern: begun.id)
    call.pointee.isOpen = true
    return call
  }

  func owns(_ call: LoadConnection.Call) -> Bool { call >= slots && call < slots + slotCount }

  /// DEADLINE_EXCEEDED here, CANCEL there.
  func giveUp(_ call: LoadConnection.Call, nowNanoseconds: UInt64) {
    connection.session.cancel(
      UInt32(bitPattern: call.pointee.stream), now: nowNanoseconds)
    var record = call.pointee.record(.deadlineExceeded, endedNanoseconds: nowNanoseconds)
    record.isGivenUp = true
    conclude(call, record, nil)
  }

  func receive(_ bytes: UnsafeRawBufferPointer, nowNanoseconds: UInt64) {
    connection.receive(bytes, nowNanoseconds: nowNanoseconds)
    takeSteps(nowNanoseconds)
  }

  func collectOutput(into output: inout [UInt8], limitBytes: Int, nowNanoseconds: UInt64) {
    connection.collectOutput(into: &output, limitBytes: limitBytes)
    takeSteps(nowNanoseconds)
  }

  func end(_ reason: String, nowNanoseconds: UInt64) {
    connection.lose(reason)
    takeSteps(nowNanoseconds)
  }

  func tick(nowNanoseconds: UInt64) -> Bool {
    guard nowNanoseconds >= connection.session.nextDue else { return false }
    connection.session.tick(now: nowNanoseconds)
    takeSteps(nowNanoseconds)
    return true
  }

  func forgetEnded() {
    ended.removeAll(keepingCapacity: true)
  }

  private func takeSteps(_ now: UInt64) {
    while let step = connection.next(nowNanoseconds: now) {
      switch step {
      case .opened:
        method = connection.session.method("\(WireNames.scorePath)")
        if method == nil { refusal = "the session has no \(WireNames.scorePath)" }
      case .room: break
      case .answered(let context, let message, _):
        guard let call = LoadSession.call(context) else { continue }
        call.pointee.answer(message.bytes)
        conclude(call, call.pointee.record(endedNanoseconds: now), nil)
      case .message(let context, let message):
        LoadSession.call(context)?.pointee.answer(message.bytes)
      case .ended(let context, let end):
        guard let call = LoadSession.call(context) else { continue }
        if end.code == .ok {
          call.pointee.endedOK()
          conclude(call, call.pointee.record(endedNanoseconds: now), nil)
        } else {
          fail(call, end.code, end.text.text, now)
        }
      case .notStarted(let context), .lost(let context):
        guard let call = LoadSession.call(context) else { continue }
        fail(call, .unavailable, connection.session.failureText ?? "the server drains", now)
      case .draining: refusal = "the server drains the session"
      case .failed(let failure): refusal = "the session is over: \(failure.text)"
      }
    }
    // Another session takes its place (C28); this one ends with its calls.
    if connection.isGoingAway, refusal == nil {
      refusal = "the server goes away"
      connection.session.drain(now: now)
    }
  }

  private static func call(_ context: UnsafeMutableRawPointer?) -> LoadConnection.Call? {
    context?.assumingMemoryBound(to: LoadCall.self)
  }

  private func fail(
    _ call: LoadConnection.Call, _ code: StatusCode, _ text: @autoclosure () -> String,
    _ now: UInt64
  ) {
    conclude(call, call.pointee.record(code, endedNanoseconds: now), texts.kept(text()))
  }

  private func conclude(_ call: LoadConnection.Call, _ record: CallRecord, _ text: String?) {
    call.pointee.isConcluded = true
    call.pointee.isOpen = false
    free.append(call)
    ended.append(LoadConnection.Ended(call: call, record: record, text: text))
  }
}

/// Of the texts of failures the first ones: they tell what is wrong.
struct FailureTexts {
  private var left = 100

  mutating func kept(_ text: @autoclosure () -> String) -> String? {
    guard left > 0 else { return nil }
    left -= 1
    return text()
  }
}
