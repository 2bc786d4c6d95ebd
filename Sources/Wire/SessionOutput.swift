internal import Core

/// Bytes that are to go out, oldest first: one flat buffer, filled behind and emptied in front.
package struct SessionOutput: ~Copyable {
  private var base: UnsafeMutableRawPointer
  private var capacity: Int
  private var start = 0
  private var end = 0
  /// Bytes that have gone, ever.
  private(set) var taken: UInt64 = 0

  private static let capacityLeast = 16 << 10
  /// More than this is given back as soon as it is empty.
  private static let capacityKept = 1 << 20

  init() {
    capacity = SessionOutput.capacityLeast
    base = .allocate(byteCount: capacity, alignment: 16)
  }

  deinit {
    base.deallocate()
  }

  package var count: Int { end - start }

  package var isEmpty: Bool { start == end }

  /// Room for `byteCount` more bytes; they count from `append` on. It lives until the next call.
  @inline(__always)
  mutating func reserve(_ byteCount: Int) -> UnsafeMutableRawPointer {
    if end + byteCount > capacity { makeRoom(byteCount) }
    return base + end
  }

  @inline(__always)
  mutating func append(_ byteCount: Int) {
    end += byteCount
  }

  private mutating func makeRoom(_ byteCount: Int) {
    let count = end - start
    if count + byteCount <= capacity / 2 {
      base.copyMemory(from: base + start, byteCount: count)
    } else {
      let larger = max(2 * capacity, 2 * (count + byteCount))
      let grown = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 16)
      grown.copyMemory(from: base + start, byteCount: count)
      base.deallocate()
      (base, capacity) = (grown, larger)
    }
    (start, end) = (0, count)
  }

  /// Moves up to `capacity` bytes out.
  @inline(__always)
  package mutating func read(into target: UnsafeMutableRawPointer, capacity room: Int) -> Int {
    let count = min(room, end - start)
    target.copyMemory(from: base + start, byteCount: count)
    start += count
    taken += UInt64(count)
    if start == end { emptied() }
    return count
  }

  private mutating func emptied() {
    (start, end) = (0, 0)
    guard capacity > SessionOutput.capacityKept else { return }
    base.deallocate()
    capacity = SessionOutput.capacityLeast
    base = .allocate(byteCount: capacity, alignment: 16)
  }
}
