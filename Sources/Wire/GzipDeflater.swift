internal import CZlib
package import Core

/// Compresses messages with gzip (RFC 1952), one after the other.
///
/// One per event loop: zlib's state (256 KiB) is made once and only reset between messages. The
/// same message gives the same bytes, whatever came before it: no context is kept between
/// messages (gRPC forbids it), and no time or name is written.
package final class GzipDeflater {
  private let stream: UnsafeMutablePointer<z_stream>

  /// zlib's fastest: an answer waits for it, and columns of floats have little more to give.
  private static let level: Int32 = 1
  /// zlib's default of its memory level.
  private static let memoryLevel: Int32 = 8

  package init() {
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    let result = crescendo_deflate_init(
      stream, GzipDeflater.level, GzipFormat.windowBits, GzipDeflater.memoryLevel)
    precondition(result == Z_OK, "zlib cannot start: its version or memory")
  }

  deinit {
    deflateEnd(stream)
    stream.deallocate()
  }

  /// Compresses a whole message into `output`; answers how many bytes were written, or nil when
  /// they do not fit. With a room as long as the message, nil says that it would not shrink: then
  /// it goes out as it is, with flag 0, which every call allows.
  package func deflate(_ message: ByteSlice, into output: UnsafeMutableRawBufferPointer) -> Int? {
    guard let available = UInt32(exactly: message.count),
      let start = output.baseAddress, output.count > 0
    else { return nil }
    let room = UInt32(clamping: output.count)
    deflateReset(stream)
    // zlib takes a mutable pointer and only reads it.
    stream.pointee.next_in = message.base.map {
      UnsafeMutablePointer(mutating: $0.assumingMemoryBound(to: Bytef.self))
    }
    stream.pointee.avail_in = available
    stream.pointee.next_out = start.assumingMemoryBound(to: Bytef.self)
    stream.pointee.avail_out = room
    guard CZlib.deflate(stream, Z_FINISH) == Z_STREAM_END else { return nil }
    return Int(room - stream.pointee.avail_out)
  }
}
