internal import Core
internal import Wire

/// What a session's end says: frames into the stream's queue.
extension SessionPointer {
  /// Queues a frame whose payload stands in `buffer`, which was charged to the stream.
  @inline(__always)
  func queue(
    _ header: SessionFrameHeader, _ buffer: UnsafeMutableRawPointer, credit: Int64 = 0
  ) {
    header.write(before: buffer, withChecksum: pointee.machine.usesChecksums)
    append(header, buffer, credit: credit)
  }

  private func append(
    _ header: SessionFrameHeader, _ buffer: UnsafeMutableRawPointer, credit: Int64
  ) {
    BufferHeader.of(buffer).pointee.credit = credit
    let stream = pointee.stream
    stream.pointee.outbound.append(
      buffer, headBytes: SessionFrameHeader.byteCount, count: Int(header.length))
    stream.pump()
  }

  /// A buffer for a frame that has to go.
  private func takeBuffer(_ byteCount: Int) -> UnsafeMutableRawPointer {
    let stream = pointee.stream
    let buffer = loop.takeNeededBuffer(byteCount)
    stream.chargeBuffer(buffer)
    return buffer
  }

  /// A frame with little or no payload. `withChecksum` nil: as agreed.
  func queue(
    type: UInt8, code: UInt16 = 0, call: UInt32 = 0, payload: [UInt8] = [],
    withChecksum: Bool? = nil
  ) {
    let buffer = takeBuffer(payload.count)
    copy(payload, to: buffer)
    let header = SessionFrameHeader(
      type: type, code: code, call: call, length: payload.count)
    header.write(before: buffer, withChecksum: withChecksum ?? pointee.machine.usesChecksums)
    append(header, buffer, credit: 0)
  }

  func queuePing(_ bytes: UInt64, flags: UInt8) {
    let buffer = takeBuffer(8)
    buffer.storeBytes(of: bytes, as: UInt64.self)
    queue(SessionFrameHeader(type: SessionFrameType.ping, flags: flags, length: 8), buffer)
  }

  func queueCredit(_ credit: UInt32) {
    let buffer = takeBuffer(4)
    buffer.storeBytes(of: credit.littleEndian, as: UInt32.self)
    queue(
      SessionFrameHeader(type: SessionFrameType.credit, length: 4), buffer, credit: Int64(credit))
  }

  /// The END of a call: OK, or why not.
  func queueEnd(
    _ failure: CallFailure? = nil, call: UInt32, _ record: SessionEndRecord, credit: Int64
  ) {
    var record = record
    record.pushbackMilliseconds =
      failure?.retryPushbackMilliseconds ?? SessionEndRecord.noPushback
    let text = failure.map { StatusText.bytes($0.message) } ?? []
    let details = failure.flatMap { StatusDetails.encoded($0) } ?? []
    let recordBytes = SessionEndRecord.byteCount
    let length = recordBytes + text.count + details.count
    let buffer = takeBuffer(length)
    record.write(to: buffer, textBytes: text.count, detailsBytes: details.count)
    copy(text, to: buffer + recordBytes)
    copy(details, to: buffer + recordBytes + text.count)
    queue(
      SessionFrameHeader(
        type: SessionFrameType.end, code: UInt16((failure?.code ?? .ok).rawValue), call: call,
        length: length),
      buffer, credit: credit)
  }

  private func copy(_ bytes: [UInt8], to target: UnsafeMutableRawPointer) {
    bytes.withUnsafeBytes { source in
      if let base = source.baseAddress { target.copyMemory(from: base, byteCount: source.count) }
    }
  }

  /// HTTP/2 has taken bytes of the session's output.
  func sent(_ count: Int) {
    guard count > 0 else { return }
    pointee.sentNanoseconds = loop.pointee.nowNanoseconds
    let isFailing = pointee.machine.state == .failed
    if pointee.hasWaiting || pointee.machine.creditOwed > 0 || isFailing {
      loop.touch(pointee.stream)
    }
  }
}
