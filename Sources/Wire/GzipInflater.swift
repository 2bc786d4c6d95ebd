internal import CZlib
package import Core

/// Inflates messages that were compressed with gzip (RFC 1952), one after the other.
///
/// One per event loop: zlib's state is made once and only reset between messages, so that nothing
/// is allocated for a message but the caller's room for its output. That room is asked for by
/// `capacity`, once: gzip ends in the length of what it holds. A peer may lie there, but can make
/// us take no more than the limit, and no more than what its message's length allows; nothing is
/// ever written past it.
///
/// A message is exactly one gzip member, as gRPC's C core has it (C++, Python, Ruby, C#: "not all
/// input consumed"). RFC 1952 lets members be joined, and Go and Java would read them; no gRPC
/// library writes them, and what follows a member is far more likely damage.
package final class GzipInflater {
  private let stream: UnsafeMutablePointer<z_stream>

  package init() {
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    let result = crescendo_inflate_init(stream, GzipFormat.windowBits)
    precondition(result == Z_OK, "zlib cannot start: its version or memory")
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
  }

  /// The most that `compressedBytes` may become, in bytes: a message of full length, unless the
  /// ratio says less.
  private static func ceiling(compressedBytes: Int, limitBytes: Int) -> Int {
    let (byRatio, overflow) = compressedBytes.multipliedReportingOverflow(
      by: Limits.serving.inflatedRatio)
    let allowed = overflow ? Int.max : max(byRatio, Limits.serving.inflatedFloorBytes)
    return min(limitBytes, allowed, Int(UInt32.max))
  }

  /// Bytes of room that `inflate` is to be given for a message: what its last four bytes promise
  /// (RFC 1952 ISIZE), but at most `limitBytes`, and at most what its length allows
  /// (`ServingLimits.inflatedRatio`, `ServingLimits.inflatedFloorBytes`).
  package static func capacity(_ compressed: ByteSlice, limitBytes: Int) -> Int {
    guard compressed.count >= GzipFormat.lengthBytes else { return 0 }
    let promised = compressed.bytes.loadUnaligned(
      fromByteOffset: compressed.count - GzipFormat.lengthBytes, as: UInt32.self)
    return min(
      Int(UInt32(littleEndian: promised)),
      ceiling(compressedBytes: compressed.count, limitBytes: limitBytes))
  }

  /// Inflates a whole message into `output`, which has at least `capacity` bytes; answers how many
  /// were written. What an error leaves in `output` is not to be used.
  ///
  /// Nothing, no gzip, a wrong checksum or length, an early end, bytes after the end: INTERNAL.
  /// Over `limitBytes`, or over what its length allows: RESOURCE_EXHAUSTED, not to be retried.
  package func inflate(
    _ compressed: ByteSlice, into output: UnsafeMutableRawBufferPointer, limitBytes: Int
  ) throws(CallFailure) -> Int {
    let ceiling = GzipInflater.ceiling(compressedBytes: compressed.count, limitBytes: limitBytes)
    precondition(output.count >= GzipInflater.capacity(compressed, limitBytes: limitBytes))
    guard let input = compressed.base, let available = UInt32(exactly: compressed.count),
      available > 0
    else {
      throw GzipInflater.damaged("it is flagged as compressed, but empty")
    }
    let room = UInt32(min(output.count, ceiling))
    inflateReset(stream)
    // zlib takes a mutable pointer and only reads it.
    stream.pointee.next_in = UnsafeMutablePointer(
      mutating: input.assumingMemoryBound(to: Bytef.self))
    stream.pointee.avail_in = available
    // Never nil, which zlib refuses even where there is nothing to write.
    var nowhere: UInt8 = 0
    let result = withUnsafeMutablePointer(to: &nowhere) { nowhere in
      stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: Bytef.self) ?? nowhere
      stream.pointee.avail_out = room
      return CZlib.inflate(stream, Z_FINISH)
    }
    let left = Int(stream.pointee.avail_in)
    if result == Z_STREAM_END {
      guard left == 0 else {
        throw GzipInflater.damaged("\(left) bytes follow the end of its gzip")
      }
      return Int(room - stream.pointee.avail_out)
    }
    throw failure(result, left: left, room: Int(room), ceiling: ceiling, limitBytes: limitBytes)
  }

  private func failure(_ result: Int32, left: Int, room: Int, ceiling: Int, limitBytes: Int)
    -> CallFailure
  {
    switch result {
    case Z_DATA_ERROR:
      let reason = stream.pointee.msg.map { String(cString: $0) } ?? "not gzip"
      return GzipInflater.damaged(reason)
    case Z_MEM_ERROR:
      return CallFailure(.resourceExhausted, "no memory to inflate the message")
    case _ where left == 0:
      return GzipInflater.damaged("its gzip ends early")
    case _ where room < ceiling:
      return GzipInflater.damaged(
        "it is more than the \(room) bytes that its trailer says (several members in one message "
          + "are not taken)")
    default:
      let why =
        ceiling == limitBytes
        ? "the limit is \(limitBytes)"
        : "over \(Limits.serving.inflatedRatio) times its length, which no honest request needs"
      return CallFailure(
        .resourceExhausted, "the message inflates to more than \(ceiling) bytes; \(why)",
        retryPushbackMilliseconds: -1)
    }
  }

  private static func damaged(_ reason: String) -> CallFailure {
    CallFailure(.internalError, "cannot inflate the message: \(reason)")
  }
}

/// What both directions of gzip share.
enum GzipFormat {
  /// The largest window of DEFLATE, 32 KiB; 16 more is zlib's way to say gzip instead of its own
  /// framing.
  static let windowBits: Int32 = 15 + 16
  /// ISIZE at the end of a member: the length of its content, modulo 2³².
  static let lengthBytes = 4
}
