/// What a frame is (proto/SESSION.md §4). 128 and above are extensions.
package enum SessionFrameType {
  @inlinable package static var hello: UInt8 { 1 }
  @inlinable package static var call: UInt8 { 2 }
  @inlinable package static var message: UInt8 { 3 }
  @inlinable package static var reply: UInt8 { 4 }
  @inlinable package static var end: UInt8 { 5 }
  @inlinable package static var cancel: UInt8 { 6 }
  @inlinable package static var credit: UInt8 { 7 }
  @inlinable package static var drain: UInt8 { 8 }
  @inlinable package static var ping: UInt8 { 9 }
  @inlinable package static var error: UInt8 { 10 }
  @inlinable package static var extensions: UInt8 { 128 }

  static func name(_ type: UInt8) -> String {
    let names = [
      "HELLO", "CALL", "MESSAGE", "REPLY", "END", "CANCEL", "CREDIT", "DRAIN", "PING", "ERROR",
    ]
    return (1...10).contains(type) ? names[Int(type) - 1] : "frame \(type)"
  }
}

/// Flags by type.
package enum SessionFlags {
  /// `CALL`, `MESSAGE`: the last request message.
  @inlinable package static var fin: UInt8 { 1 }
  /// `REPLY`: status OK, and an END record at its end.
  @inlinable package static var last: UInt8 { 1 }
  /// `REPLY` with `last`, `END`: the call's credit is not given back.
  @inlinable package static var keep: UInt8 { 2 }
  /// `PING`: it answers one.
  @inlinable package static var answer: UInt8 { 1 }
}

/// The 16 bytes before each payload (proto/SESSION.md §3.1), little-endian.
package struct SessionFrameHeader: BitwiseCopyable, Equatable, Sendable {
  @inlinable package static var byteCount: Int { 16 }
  static let checksumOffset = 12

  /// Bytes of payload.
  package var length: UInt32
  package var type: UInt8
  package var flags: UInt8
  package var code: UInt16
  /// 0: the session.
  package var call: UInt32

  package init(
    type: UInt8, flags: UInt8 = 0, code: UInt16 = 0, call: UInt32 = 0, length: Int
  ) {
    self.length = UInt32(length)
    self.type = type
    self.flags = flags
    self.code = code
    self.call = call
  }

  /// From `byteCount` bytes at any alignment.
  @inline(__always)
  package init(_ bytes: UnsafeRawPointer) {
    length = UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self))
    type = bytes.load(fromByteOffset: 4, as: UInt8.self)
    flags = bytes.load(fromByteOffset: 5, as: UInt8.self)
    code = UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 6, as: UInt16.self))
    call = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
  }

  /// Writes itself before `payload`, whose `length` bytes are there already.
  @inline(__always)
  package func write(before payload: UnsafeMutableRawPointer, withChecksum: Bool) {
    let start = payload - SessionFrameHeader.byteCount
    start.storeBytes(of: length.littleEndian, as: UInt32.self)
    start.storeBytes(of: type, toByteOffset: 4, as: UInt8.self)
    start.storeBytes(of: flags, toByteOffset: 5, as: UInt8.self)
    start.storeBytes(of: code.littleEndian, toByteOffset: 6, as: UInt16.self)
    start.storeBytes(of: call.littleEndian, toByteOffset: 8, as: UInt32.self)
    let checksum =
      withChecksum
      ? CRC32C.checksum(header: start, payload: payload, count: Int(length)) : 0
    start.storeBytes(
      of: checksum.littleEndian, toByteOffset: SessionFrameHeader.checksumOffset, as: UInt32.self)
  }

  /// Whether the checksum of a whole frame at `start` is right.
  @inline(__always)
  static func checksumIsRight(_ start: UnsafeRawPointer, length: Int) -> Bool {
    let told = UInt32(
      littleEndian: start.loadUnaligned(fromByteOffset: checksumOffset, as: UInt32.self))
    return told
      == CRC32C.checksum(header: start, payload: start + byteCount, count: length)
  }
}

/// What stands before a `CALL`'s metadata (proto/SESSION.md §4.2).
package struct SessionPrelude: BitwiseCopyable, Equatable, Sendable {
  @inlinable package static var byteCount: Int { 16 }

  /// Microseconds; 0 = the method's default.
  package var timeoutMicroseconds: UInt32
  /// Candidates in the message.
  package var work: UInt32
  package var priority: UInt8
  package var attempt: UInt8
  package var metadataBytes: UInt16
  var zero: UInt32

  package init(
    timeoutMicroseconds: UInt32, work: UInt32, isBatch: Bool = false, attempt: UInt8 = 0,
    metadataBytes: Int = 0
  ) {
    self.timeoutMicroseconds = timeoutMicroseconds
    self.work = work
    priority = isBatch ? 1 : 0
    self.attempt = attempt
    self.metadataBytes = UInt16(metadataBytes)
    zero = 0
  }

  @inline(__always)
  package init(_ bytes: UnsafeRawPointer) {
    timeoutMicroseconds = UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self))
    work = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
    priority = bytes.load(fromByteOffset: 8, as: UInt8.self)
    attempt = bytes.load(fromByteOffset: 9, as: UInt8.self)
    metadataBytes = UInt16(
      littleEndian: bytes.loadUnaligned(fromByteOffset: 10, as: UInt16.self))
    zero = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 12, as: UInt32.self))
  }

  package func write(to target: UnsafeMutableRawPointer) {
    target.storeBytes(of: timeoutMicroseconds.littleEndian, as: UInt32.self)
    target.storeBytes(of: work.littleEndian, toByteOffset: 4, as: UInt32.self)
    target.storeBytes(of: priority, toByteOffset: 8, as: UInt8.self)
    target.storeBytes(of: attempt, toByteOffset: 9, as: UInt8.self)
    target.storeBytes(of: metadataBytes.littleEndian, toByteOffset: 10, as: UInt16.self)
    target.storeBytes(of: zero, toByteOffset: 12, as: UInt32.self)
  }
}

/// What stands before a `MESSAGE`'s message (proto/SESSION.md §4.3).
package enum SessionMessageHead {
  @inlinable package static var byteCount: Int { 8 }
}

/// The END record (proto/SESSION.md §4.5).
package struct SessionEndRecord: Sendable {
  @inlinable package static var byteCount: Int { 20 }
  /// Nothing is said about a retry.
  @inlinable package static var noPushback: Int32 { .min }

  /// Microseconds each; they saturate.
  package var queueMicroseconds: UInt32
  package var scoreMicroseconds: UInt32
  package var encodeMicroseconds: UInt32
  package var pushbackMilliseconds = SessionEndRecord.noPushback

  package init(queueNanoseconds: UInt64, scoreNanoseconds: UInt64, encodeNanoseconds: UInt64) {
    queueMicroseconds = UInt32(clamping: queueNanoseconds / 1_000)
    scoreMicroseconds = UInt32(clamping: scoreNanoseconds / 1_000)
    encodeMicroseconds = UInt32(clamping: encodeNanoseconds / 1_000)
  }

  package init(_ bytes: UnsafeRawPointer) {
    queueMicroseconds = UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self))
    scoreMicroseconds = UInt32(
      littleEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
    encodeMicroseconds = UInt32(
      littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
    pushbackMilliseconds = Int32(
      littleEndian: bytes.loadUnaligned(fromByteOffset: 12, as: Int32.self))
  }

  /// How many bytes of text and of details follow.
  static func counts(_ bytes: UnsafeRawPointer) -> (text: Int, details: Int) {
    (
      Int(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt16.self))),
      Int(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 18, as: UInt16.self)))
    )
  }

  /// Whether it says what one of status OK may say: no text, no details, no pushback.
  @inline(__always)
  static func isPlain(_ bytes: UnsafeRawPointer) -> Bool {
    bytes.loadUnaligned(fromByteOffset: 16, as: UInt32.self) == 0
      && Int32(littleEndian: bytes.loadUnaligned(fromByteOffset: 12, as: Int32.self))
        == noPushback
  }

  /// Writes `byteCount` bytes; text and details follow.
  @inline(__always)
  package func write(
    to target: UnsafeMutableRawPointer, textBytes: Int = 0, detailsBytes: Int = 0
  ) {
    target.storeBytes(of: queueMicroseconds.littleEndian, as: UInt32.self)
    target.storeBytes(of: scoreMicroseconds.littleEndian, toByteOffset: 4, as: UInt32.self)
    target.storeBytes(of: encodeMicroseconds.littleEndian, toByteOffset: 8, as: UInt32.self)
    target.storeBytes(of: pushbackMilliseconds.littleEndian, toByteOffset: 12, as: Int32.self)
    target.storeBytes(of: UInt16(textBytes).littleEndian, toByteOffset: 16, as: UInt16.self)
    target.storeBytes(of: UInt16(detailsBytes).littleEndian, toByteOffset: 18, as: UInt16.self)
  }
}
