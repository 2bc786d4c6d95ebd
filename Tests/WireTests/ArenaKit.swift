import Core
import Wire

/// Hands `bytes`, in memory of exactly their length so that the address sanitizer sees a read past
/// their end, and a new arena to `body`.
func inArena<R>(
  _ bytes: [UInt8], arenaBytes: Int = 1 << 20,
  _ body: (ByteSlice, UnsafeMutablePointer<Arena>) -> R
) -> R {
  let arena = UnsafeMutablePointer<Arena>.allocate(capacity: 1)
  arena.initialize(to: Arena(firstChunkBytes: 64, limitBytes: arenaBytes))
  defer {
    arena.deinitialize(count: 1)
    arena.deallocate()
  }
  let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
  defer { copy.deallocate() }
  copy.copyBytes(from: bytes)
  return body(ByteSlice(UnsafeRawBufferPointer(copy)), arena)
}

func message(_ write: (inout ByteWriter) -> Void) -> [UInt8] {
  var writer = ByteWriter()
  write(&writer)
  return writer.bytes
}

extension ByteSlice {
  var array: [UInt8] { Array(bytes) }
}

/// Hands slices of both to `body`.
func withSlices<R>(_ first: [UInt8], _ second: [UInt8], _ body: (ByteSlice, ByteSlice) -> R) -> R {
  first.withUnsafeBytes { first in
    second.withUnsafeBytes { second in body(ByteSlice(first), ByteSlice(second)) }
  }
}
