internal import Core
internal import Client
internal import HTTP2
internal import Wire

/// One call under way: a slot of its connection, used again and again. Flat, so that a call costs
/// no allocation and no reference count.
struct LoadCall {
  // What is sent.
  var intendedNanoseconds: UInt64 = 0
  var sentNanoseconds: UInt64 = 0
  var body: UnsafeRawPointer?
  var bodyCount = 0
  var sentBytes = 0
  var userID: UInt64 = 0
  var candidateCount = 0
  var stream: Int32 = 0

  // What has come.
  var httpStatus = 0
  var hasGRPCContent = false
  /// −1: none yet; −2: not a known code.
  var grpcStatus: Int32 = -1
  var message = Message.none
  /// Bytes of the body that were kept, because it came in pieces.
  var kept = 0

  var isConcluded = false
  /// nghttp2 knows the slot's address.
  var isOpen = false

  // Of the generator's list of calls under way, in the order in which they were sent.
  var older: UnsafeMutablePointer<LoadCall>?
  var newer: UnsafeMutablePointer<LoadCall>?

  /// Memory of the slot for bodies that come in pieces, kept from call to call.
  var buffer: UnsafeMutableRawPointer?
  var bufferCapacity = 0

  /// The one message of the answer.
  enum Message: BitwiseCopyable {
    case none
    case whole(ClientScoreScan)
    case unreadable
    case tooLarge
    /// More bytes than one message.
    case several
  }

  mutating func begin(
    intendedNanoseconds: UInt64, sentNanoseconds: UInt64, body: RequestMix.Body, userID: UInt64
  ) {
    self.intendedNanoseconds = intendedNanoseconds
    self.sentNanoseconds = sentNanoseconds
    self.body = body.bytes
    bodyCount = body.count
    sentBytes = 0
    self.userID = userID
    candidateCount = body.candidateCount
    stream = 0
    httpStatus = 0
    hasGRPCContent = false
    grpcStatus = -1
    message = .none
    kept = 0
    isConcluded = false
  }

  mutating func readBody(
    _ target: UnsafeMutableRawPointer, _ capacity: Int, _ end: UnsafeMutablePointer<UInt32>
  ) -> Int {
    let count = min(capacity, bodyCount - sentBytes)
    if let body, count > 0 {
      RequestMix.copy(body, from: sentBytes, count: count, userID: userID, to: target)
    }
    sentBytes += count
    if sentBytes == bodyCount { end.pointee = HTTP2Body.endOfStream }
    return count
  }

  // MARK: The answer

  mutating func header(_ name: ByteSlice, _ value: ByteSlice) {
    switch name.count {
    case 7 where name.equals(":status"): httpStatus = decimal(value) ?? 0
    case 11 where name.equals("grpc-status"):
      grpcStatus = decimal(value).flatMap { StatusCode(rawValue: Int32($0)) }?.rawValue ?? -2
    case 12 where name.equals("content-type"): hasGRPCContent = GRPCContentType.isGRPC(value)
    default: break
    }
  }

  mutating func data(_ bytes: UnsafeRawBufferPointer) {
    guard hasGRPCContent, !bytes.isEmpty else { return }
    switch message {
    case .none: break
    case .whole: return message = .several
    case .unreadable, .tooLarge, .several: return
    }
    if kept == 0, let whole = LoadCall.framedCount(bytes), whole == bytes.count {
      return message = LoadCall.read(bytes)
    }
    keep(bytes)
  }

  private mutating func keep(_ bytes: UnsafeRawBufferPointer) {
    guard kept + bytes.count <= Limits.serving.messageBytes + MessageAssembler.prefixBytes else {
      return message = .tooLarge
    }
    reserve(kept + bytes.count)
    guard let buffer, let source = bytes.baseAddress else { return }
    (buffer + kept).copyMemory(from: source, byteCount: bytes.count)
    kept += bytes.count
    let all = UnsafeRawBufferPointer(start: buffer, count: kept)
    guard let whole = LoadCall.framedCount(all) else { return }
    if whole > Limits.serving.messageBytes + MessageAssembler.prefixBytes {
      return message = .tooLarge
    }
    if whole < kept { return message = .several }
    if whole == kept { message = LoadCall.read(all) }
  }

  private mutating func reserve(_ byteCount: Int) {
    guard byteCount > bufferCapacity else { return }
    let capacity = max(2 * bufferCapacity, byteCount, 4 << 10)
    let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
    if let buffer {
      larger.copyMemory(from: buffer, byteCount: kept)
      buffer.deallocate()
    }
    buffer = larger
    bufferCapacity = capacity
  }

  /// Of the first message with its prefix; nil while the prefix is not whole.
  private static func framedCount(_ bytes: UnsafeRawBufferPointer) -> Int? {
    guard bytes.count >= MessageAssembler.prefixBytes else { return nil }
    let length = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 1, as: UInt32.self))
    return MessageAssembler.prefixBytes + Int(length)
  }

  private static func read(_ framed: UnsafeRawBufferPointer) -> Message {
    // Nothing was said of compression, so that flag 1 is an error too.
    guard framed[0] == 0 else { return .unreadable }
    let payload = UnsafeRawBufferPointer(rebasing: framed[MessageAssembler.prefixBytes...])
    return ClientScoreScan(payload).map { .whole($0) } ?? .unreadable
  }

  /// The one message of an answer that came whole, without a prefix: a session's.
  mutating func answer(_ message: UnsafeRawBufferPointer) {
    guard case .none = self.message else { return self.message = .several }
    grpcStatus = StatusCode.ok.rawValue
    self.message = ClientScoreScan(message).map { .whole($0) } ?? .unreadable
  }

  /// What a call came to that has ended without an answer.
  func record(_ status: StatusCode, endedNanoseconds: UInt64) -> CallRecord {
    CallRecord(
      intendedNanoseconds: intendedNanoseconds, sentNanoseconds: sentNanoseconds,
      endedNanoseconds: endedNanoseconds, status: status)
  }

  /// What the call came to, once the server has ended its half.
  func record(endedNanoseconds: UInt64) -> CallRecord {
    var record = CallRecord(
      intendedNanoseconds: intendedNanoseconds, sentNanoseconds: sentNanoseconds,
      endedNanoseconds: endedNanoseconds, status: .ok)
    guard grpcStatus == StatusCode.ok.rawValue else {
      record.status =
        grpcStatus == -1 && !(httpStatus == 200 && hasGRPCContent)
        ? StatusMapping.code(httpStatus: httpStatus)
        : StatusCode(rawValue: grpcStatus) ?? .unknown
      return record
    }
    switch message {
    case .whole(let scan) where scan.isAnswer(candidateCount: candidateCount):
      record.fidelity = scan.fidelity
      record.unscoredCandidates = scan.unscoredCount
    case .none where kept == 0, .several: record.status = .unimplemented
    case .tooLarge: record.status = .resourceExhausted
    case .whole, .unreadable, .none: record.status = .internalError
    }
    return record
  }
}

/// At most four ASCII digits.
private func decimal(_ text: ByteSlice) -> Int? {
  guard (1...4).contains(text.count) else { return nil }
  var value = 0
  for byte in text.bytes {
    guard byte >= 0x30, byte <= 0x39 else { return nil }
    value = value * 10 + Int(byte - 0x30)
  }
  return value
}
