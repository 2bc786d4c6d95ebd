internal import Core

/// What stands before the bytes of a pooled buffer, with `headBytes` between: room for what a
/// framing puts in front of a message.
struct BufferHeader: BitwiseCopyable {
  /// The next buffer of a free list, or of a stream's queue; an address of payload.
  var next: UnsafeMutableRawPointer?
  /// Bytes that it holds.
  var capacity: Int
  /// Of a message in a queue: where it ends, and how far it has gone; offsets from the buffer's
  /// address. What a framing puts in front of it has negative ones.
  var count: Int
  var sent: Int
  /// Of a session's frame: the credit that it gives back.
  var credit: Int64 = 0
  private var padding = 0

  init(next: UnsafeMutableRawPointer?, capacity: Int, count: Int, sent: Int) {
    self.next = next
    self.capacity = capacity
    self.count = count
    self.sent = sent
  }

  /// The longest head of a framing.
  static let headBytes = 16
  static let byteCount = 48 + headBytes

  @inline(__always)
  static func of(_ buffer: UnsafeMutableRawPointer) -> UnsafeMutablePointer<BufferHeader> {
    (buffer - byteCount).assumingMemoryBound(to: BufferHeader.self)
  }
}

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
  /// Buffers that are out now, and their bytes.
  private(set) var handedOut = 0
  private(set) var handedOutBytes = 0

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
        buffer = BufferHeader.of(current).pointee.next
        (current - BufferHeader.byteCount).deallocate()
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
    let sizeClass = BufferPool.sizeClass(byteCount)
    let buffer: UnsafeMutableRawPointer
    if sizeClass < BufferPool.classCount, let kept = lists[sizeClass] {
      lists[sizeClass] = BufferHeader.of(kept).pointee.next
      counts[sizeClass] -= 1
      buffer = kept
    } else {
      let capacity =
        sizeClass < BufferPool.classCount
        ? 1 << (sizeClass + BufferPool.smallestShift) : byteCount
      let block = UnsafeMutableRawPointer.allocate(
        byteCount: BufferHeader.byteCount + capacity, alignment: 16)
      buffer = block + BufferHeader.byteCount
      BufferHeader.of(buffer).initialize(
        to: BufferHeader(next: nil, capacity: capacity, count: 0, sent: 0))
    }
    handedOut += 1
    handedOutBytes += BufferHeader.of(buffer).pointee.capacity
    return buffer
  }

  /// Takes a buffer back.
  mutating func giveBack(_ buffer: UnsafeMutableRawPointer) {
    let header = BufferHeader.of(buffer)
    handedOut -= 1
    handedOutBytes -= header.pointee.capacity
    let sizeClass = BufferPool.sizeClass(header.pointee.capacity)
    guard sizeClass < BufferPool.classCount, counts[sizeClass] < BufferPool.keptPerClass else {
      (buffer - BufferHeader.byteCount).deallocate()
      return
    }
    header.pointee.next = lists[sizeClass]
    lists[sizeClass] = buffer
    counts[sizeClass] += 1
  }
}

/// Messages of one stream that have not gone yet, oldest first: pooled buffers, linked.
struct OutboundQueue: BitwiseCopyable {
  private var first: UnsafeMutableRawPointer?
  private var last: UnsafeMutableRawPointer?
  /// Bytes of messages that have not gone.
  private(set) var unsentBytes = 0

  var isEmpty: Bool { first == nil }

  /// The message in `buffer`, `count` bytes, behind a head of `headBytes`.
  mutating func append(_ buffer: UnsafeMutableRawPointer, headBytes: Int, count: Int) {
    let header = BufferHeader.of(buffer)
    header.pointee.next = nil
    header.pointee.count = count
    header.pointee.sent = -headBytes
    if let last { BufferHeader.of(last).pointee.next = buffer } else { first = buffer }
    last = buffer
    unsentBytes += headBytes + count
  }

  /// Copies up to `capacity` bytes out; buffers that are empty after it go to `release`.
  mutating func read(
    into target: UnsafeMutableRawPointer, capacity: Int,
    release: (UnsafeMutableRawPointer) -> Void
  ) -> Int {
    var copied = 0
    while copied < capacity, let buffer = first {
      let header = BufferHeader.of(buffer)
      let count = min(capacity - copied, header.pointee.count - header.pointee.sent)
      (target + copied).copyMemory(from: buffer + header.pointee.sent, byteCount: count)
      header.pointee.sent += count
      copied += count
      if header.pointee.sent == header.pointee.count { removeFirst(release) }
    }
    unsentBytes -= copied
    return copied
  }

  private mutating func removeFirst(_ release: (UnsafeMutableRawPointer) -> Void) {
    guard let buffer = first else { return }
    first = BufferHeader.of(buffer).pointee.next
    if first == nil { last = nil }
    release(buffer)
  }

  mutating func removeAll(release: (UnsafeMutableRawPointer) -> Void) {
    while first != nil { removeFirst(release) }
    unsentBytes = 0
  }
}
