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

  /// A frame with little or no payload.
  func queue(
    type: UInt8, flags: UInt8 = 0, code: UInt16 = 0, call: UInt32 = 0, payload: [UInt8] = [],
    credit: Int64 = 0, withChecksum: Bool? = nil
  ) {
    let buffer = takeBuffer(payload.count)
    payload.withUnsafeBytes { bytes in
      if let base = bytes.baseAddress { buffer.copyMemory(from: base, byteCount: bytes.count) }
    }
    let header = SessionFrameHeader(
      type: type, flags: flags, code: code, call: call, length: payload.count)
    header.write(before: buffer, withChecksum: withChecksum ?? pointee.machine.usesChecksums)
    append(header, buffer, credit: credit)
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

  func queueEnd(
    _ failure: CallFailure, call: UInt32, _ record: SessionEndRecord, credit: Int64
  ) {
    var record = record
    record.pushbackMilliseconds =
      failure.retryPushbackMilliseconds ?? SessionEndRecord.noPushback
    queueEnd(
      failure.code, call: call, record, text: StatusText.bytes(failure.message),
      details: StatusDetails.encoded(failure) ?? [], credit: credit)
  }

  func queueEnd(
    _ code: StatusCode, call: UInt32, _ record: SessionEndRecord, text: [UInt8],
    details: [UInt8], credit: Int64
  ) {
    let recordBytes = SessionEndRecord.byteCount
    let length = recordBytes + text.count + details.count
    let buffer = takeBuffer(length)
    record.write(to: buffer, textBytes: text.count, detailsBytes: details.count)
    for (offset, bytes) in [(recordBytes, text), (recordBytes + text.count, details)] {
      bytes.withUnsafeBytes { source in
        guard let base = source.baseAddress else { return }
        (buffer + offset).copyMemory(from: base, byteCount: source.count)
      }
    }
    queue(
      SessionFrameHeader(
        type: SessionFrameType.end, code: UInt16(code.rawValue), call: call, length: length),
      buffer, credit: credit)
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
