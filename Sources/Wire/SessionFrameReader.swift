package import Core

/// Finds frames in the bytes of a session's stream; pure, but for the memory of a frame that comes
/// in pieces, which grows with what has come.
package struct SessionFrameReader: ~Copyable {
  package struct Frame {
    package var header: SessionFrameHeader
    /// Lives until the bytes that were fed, or the next frame, are asked for.
    package var payload: ByteSlice
  }

  /// The longest payload that is taken.
  package var frameBytesMax = Limits.sessionHelloBytes
  package var checksChecksums = true
  private var held: UnsafeMutableRawPointer?
  private var heldCapacity = 0
  /// Bytes of an incomplete frame.
  package private(set) var heldBytes = 0
  /// Its first bytes have been handed out as a frame.
  private var isHandedOut = false

  package init() {}

  deinit {
    held?.deallocate()
  }

  package var isInsideFrame: Bool { heldBytes > 0 && !isHandedOut }
  /// Of the frame that is incomplete, the header is there.
  package var hasHeader: Bool { isInsideFrame && heldBytes >= SessionFrameHeader.byteCount }

  /// Takes from `bytes` up to the end of the next frame; nil when there is none yet: then all of
  /// them are taken. Rows F1 and F3.
  package mutating func next(_ bytes: inout ByteSlice) throws(SessionFault) -> Frame? {
    if isHandedOut {
      isHandedOut = false
      heldBytes = 0
      free()
    }
    if heldBytes > 0 { return try nextHeld(&bytes) }
    let headerBytes = SessionFrameHeader.byteCount
    guard let base = bytes.base, bytes.count > 0 else { return nil }
    guard bytes.count >= headerBytes else {
      keep(&bytes, bytes.count)
      return nil
    }
    let header = SessionFrameHeader(base)
    try check(header)
    let whole = headerBytes + Int(header.length)
    guard bytes.count >= whole else {
      keep(&bytes, bytes.count)
      return nil
    }
    bytes = ByteSlice(base + whole, count: bytes.count - whole)
    return try frame(base, header)
  }

  private mutating func nextHeld(_ bytes: inout ByteSlice) throws(SessionFault) -> Frame? {
    let headerBytes = SessionFrameHeader.byteCount
    if heldBytes < headerBytes {
      keep(&bytes, min(bytes.count, headerBytes - heldBytes))
      guard heldBytes >= headerBytes else { return nil }
      if let held { try check(SessionFrameHeader(held)) }
    }
    guard let start = held else { return nil }
    let header = SessionFrameHeader(start)
    keep(&bytes, min(bytes.count, headerBytes + Int(header.length) - heldBytes))
    guard let whole = held, heldBytes == headerBytes + Int(header.length) else { return nil }
    isHandedOut = true
    return try frame(whole, header)
  }

  private func check(_ header: SessionFrameHeader) throws(SessionFault) {
    guard header.length <= UInt32(clamping: frameBytesMax) else {
      throw .tooLong(header.length, frameBytesMax)
    }
  }

  @inline(__always)
  private func frame(_ start: UnsafeRawPointer, _ header: SessionFrameHeader)
    throws(SessionFault) -> Frame
  {
    if checksChecksums {
      guard SessionFrameHeader.checksumIsRight(start, length: Int(header.length)) else {
        throw .checksum
      }
    }
    return Frame(
      header: header,
      payload: ByteSlice(start + SessionFrameHeader.byteCount, count: Int(header.length)))
  }

  /// Moves `count` bytes from the front of `bytes` to the frame that is incomplete.
  private mutating func keep(_ bytes: inout ByteSlice, _ count: Int) {
    guard count > 0, let base = bytes.base else { return }
    let needed = heldBytes + count
    if needed > heldCapacity {
      let capacity = max(needed, min(2 * heldCapacity, 1 << 20 + heldCapacity), 1_024)
      let grown = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
      if let held {
        grown.copyMemory(from: held, byteCount: heldBytes)
        held.deallocate()
      }
      (held, heldCapacity) = (grown, capacity)
    }
    held?.advanced(by: heldBytes).copyMemory(from: base, byteCount: count)
    heldBytes = needed
    bytes = ByteSlice(base + count, count: bytes.count - count)
  }

  /// A long frame's memory goes; a short one's waits for the next.
  private mutating func free() {
    guard heldCapacity > 64 << 10 else { return }
    held?.deallocate()
    (held, heldCapacity) = (nil, 0)
  }
}
