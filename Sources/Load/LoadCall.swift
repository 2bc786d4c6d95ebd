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
  var hasHead = false
  var hasGRPCContent = false
  /// Of the block that is coming in. −1: none yet; −2: not a known code.
  var blockStatus: Int32 = -1
  /// Of the last block, where nothing has come behind it.
  var grpcStatus: Int32 = -1
  var message = Message.none
  /// Bytes of the body that were kept, because it came in pieces; of a page, that were skipped.
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
    // From here on: what no end of the stream can mend.
    /// Its flag says something that was not agreed on.
    case flagged
    case tooLarge
    /// More bytes than one message.
    case several
    case headersTooLarge
    /// A page of some proxy, longer than any message.
    case endlessPage
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
    hasHead = false
    hasGRPCContent = false
    blockStatus = -1
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
      blockStatus = ClientStatus.code(value.trimmed)?.rawValue ?? -2
    case 12 where !hasHead && name.equals("content-type"):
      hasGRPCContent = GRPCContentType.isGRPC(value.trimmed)
    default: break
    }
  }

  /// A block of 1xx says nothing of the answer; the status of a later one replaces the first's.
  mutating func headersEnded(isTooLarge: Bool) {
    if isTooLarge { message = .headersTooLarge }
    if httpStatus < 200 {
      hasGRPCContent = false
    } else {
      hasHead = true
      grpcStatus = blockStatus
    }
    blockStatus = -1
  }

  private var isGRPC: Bool { hasGRPCContent && httpStatus == 200 }

  mutating func data(_ bytes: UnsafeRawBufferPointer) {
    guard !bytes.isEmpty else { return }
    guard isGRPC else {
      kept += bytes.count
      if kept > Limits.serving.messageBytes { message = .endlessPage }
      return
    }
    grpcStatus = -1
    switch message {
    case .none: break
    case .whole, .unreadable: return message = .several
    case .flagged, .tooLarge, .several, .headersTooLarge, .endlessPage: return
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
    if all[0] != 0 { return message = .flagged }
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
    guard framed[0] == 0 else { return .flagged }
    let payload = UnsafeRawBufferPointer(rebasing: framed[MessageAssembler.prefixBytes...])
    return ClientScoreScan(payload).map { .whole($0) } ?? .unreadable
  }

  /// The one message of an answer that came whole, without a prefix: a session's.
  mutating func answer(_ message: UnsafeRawBufferPointer) {
    endedOK()
    guard case .none = self.message else { return self.message = .several }
    self.message = ClientScoreScan(message).map { .whole($0) } ?? .unreadable
  }

  /// A session says that the call went well, which needs no headers.
  mutating func endedOK() {
    (httpStatus, hasHead, hasGRPCContent) = (200, true, true)
    grpcStatus = StatusCode.ok.rawValue
  }

  /// What a call came to that has ended without an answer.
  func record(_ status: StatusCode, endedNanoseconds: UInt64) -> CallRecord {
    CallRecord(
      intendedNanoseconds: intendedNanoseconds, sentNanoseconds: sentNanoseconds,
      endedNanoseconds: endedNanoseconds, status: status)
  }

  /// The status of a call whose answer is wrong already, whatever comes next; nil = none yet.
  var fault: StatusCode? {
    switch message {
    case .none, .whole, .unreadable: nil
    case .flagged: .internalError
    case .tooLarge, .headersTooLarge: .resourceExhausted
    case .several: .unimplemented
    case .endlessPage: StatusMapping.code(httpStatus: httpStatus)
    }
  }

  /// What the call came to, once the server has ended its half or `fault` ends it: the rules of
  /// `CallResponse`.
  func record(endedNanoseconds: UInt64) -> CallRecord {
    var record = CallRecord(
      intendedNanoseconds: intendedNanoseconds, sentNanoseconds: sentNanoseconds,
      endedNanoseconds: endedNanoseconds, status: .ok)
    if let fault {
      record.status = fault
      return record
    }
    guard grpcStatus == StatusCode.ok.rawValue, isGRPC else {
      record.status =
        grpcStatus == -1 || grpcStatus == StatusCode.ok.rawValue
        ? isGRPC ? .unknown : StatusMapping.code(httpStatus: httpStatus)
        : StatusCode(rawValue: grpcStatus) ?? .unknown
      return record
    }
    switch message {
    case .whole(let scan) where scan.isAnswer(candidateCount: candidateCount):
      record.fidelity = scan.fidelity
      record.unscoredCandidates = scan.unscoredCount
    case .none where kept == 0: record.status = .unimplemented
    default: record.status = .internalError
    }
    return record
  }

  /// Why it failed, where the server has not said so itself.
  var reason: String {
    switch message {
    case .flagged: "the answer has a flag that was not agreed on"
    case .tooLarge: "the answer has more than \(Limits.serving.messageBytes) bytes"
    case .several: "the server answered a unary call with two messages"
    case .headersTooLarge: "the answer's headers or trailers are too large"
    default:
      if !isGRPC {
        "HTTP status \(httpStatus) instead of a gRPC answer"
      } else if grpcStatus == -1 {
        "the answer ends without grpc-status"
      } else if grpcStatus == -2 {
        "grpc-status is not a known code"
      } else {
        grpcStatus == 0 ? "the answer is not one that was asked for" : ""
      }
    }
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
