/// Buffers for answers, by size class, for one thread.
///
/// Classes are powers of two from 512 bytes to 64 KiB; larger buffers go back to the allocator at
/// once. Kept ones are bounded by `keptPerClass`, so that a burst does not stay in memory.
struct BufferPool {
  private static let smallestShift = 9
  private static let classCount = 8
  private static let keptPerClass = 256

  private let lists: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  private let counts: UnsafeMutablePointer<Int>
  /// Buffers that are out now.
  private(set) var handedOut = 0

  init() {
    lists = .allocate(capacity: BufferPool.classCount)
    lists.initialize(repeating: nil, count: BufferPool.classCount)
    counts = .allocate(capacity: BufferPool.classCount)
    counts.initialize(repeating: 0, count: BufferPool.classCount)
  }

  /// Frees what is kept, when every buffer is back.
  func destroy() {
    assert(handedOut == 0, "an answer's buffer was forgotten")
    for sizeClass in 0..<BufferPool.classCount {
      var buffer = lists[sizeClass]
      while let current = buffer {
        buffer = current.load(as: UnsafeMutableRawPointer?.self)
        current.deallocate()
      }
    }
    lists.deallocate()
    counts.deallocate()
  }

  private static func sizeClass(_ byteCount: Int) -> Int {
    guard byteCount > 1 << smallestShift else { return 0 }
    return Int.bitWidth - (byteCount - 1).leadingZeroBitCount - smallestShift
  }

  /// At least `byteCount` bytes, aligned to 16.
  mutating func take(_ byteCount: Int) -> UnsafeMutableRawPointer {
    handedOut += 1
    let sizeClass = BufferPool.sizeClass(byteCount)
    guard sizeClass < BufferPool.classCount else {
      return .allocate(byteCount: byteCount, alignment: 16)
    }
    if let buffer = lists[sizeClass] {
      lists[sizeClass] = buffer.load(as: UnsafeMutableRawPointer?.self)
      counts[sizeClass] -= 1
      return buffer
    }
    return .allocate(byteCount: 1 << (sizeClass + BufferPool.smallestShift), alignment: 16)
  }

  /// Takes a buffer back; `byteCount` as it was asked for.
  mutating func giveBack(_ buffer: UnsafeMutableRawPointer, byteCount: Int) {
    handedOut -= 1
    let sizeClass = BufferPool.sizeClass(byteCount)
    guard sizeClass < BufferPool.classCount, counts[sizeClass] < BufferPool.keptPerClass else {
      buffer.deallocate()
      return
    }
    buffer.storeBytes(of: lists[sizeClass], as: UnsafeMutableRawPointer?.self)
    lists[sizeClass] = buffer
    counts[sizeClass] += 1
  }
}
