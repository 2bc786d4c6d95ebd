/// A bump allocator for what lives as long as one request.
///
/// Memory comes in chunks, is never given back one by one, and all of it goes at once with
/// `reset()`, which keeps the first chunk. `limitBytes` bounds what a request may take, headers of
/// chunks not counted; over it `allocate` answers nil, and the caller refuses the request.
/// One arena has one user at a time.
package struct Arena: ~Copyable {
  private var firstChunk: UnsafeMutableRawPointer
  private let firstChunkBytes: Int
  private var cursor: UnsafeMutableRawPointer
  private var chunkEnd: UnsafeMutableRawPointer
  /// Later chunks, newest first: the first word of a chunk is the address of the one before it.
  private var laterChunks: UnsafeMutableRawPointer?
  private var laterBytes = 0

  /// What one request may take, in bytes.
  package var limitBytes: Int

  package init(firstChunkBytes: Int, limitBytes: Int) {
    precondition(firstChunkBytes >= 64 && limitBytes >= firstChunkBytes)
    self.firstChunk = .allocate(byteCount: firstChunkBytes, alignment: Arena.alignment)
    self.firstChunkBytes = firstChunkBytes
    self.cursor = firstChunk
    self.chunkEnd = firstChunk + firstChunkBytes
    self.limitBytes = limitBytes
  }

  deinit {
    var chunk = laterChunks
    while let current = chunk {
      chunk = current.load(as: UnsafeMutableRawPointer?.self)
      current.deallocate()
    }
    firstChunk.deallocate()
  }

  /// What `allocate` aligns to unless told otherwise, in bytes.
  package static var alignment: Int { 16 }

  /// Bytes reserved by the arena now, whether handed out or not.
  package var reservedBytes: Int { firstChunkBytes + laterBytes }

  /// `byteCount` bytes, uninitialized; nil when the request would take more than `limitBytes`.
  package mutating func allocate(byteCount: Int, alignment: Int = Arena.alignment)
    -> UnsafeMutableRawPointer?
  {
    guard byteCount >= 0 else { return nil }
    let start = cursor.alignedUp(toMultipleOf: alignment)
    if byteCount <= chunkEnd - start {
      cursor = start + byteCount
      return start
    }
    return allocateInNewChunk(byteCount: byteCount, alignment: alignment)
  }

  /// Room for `count` values of `type`, uninitialized; nil at the limit. Only for trivial types:
  /// nothing is ever deinitialized.
  package mutating func allocate<T: BitwiseCopyable>(_ type: T.Type, count: Int)
    -> UnsafeMutablePointer<T>?
  {
    let (byteCount, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<T>.stride)
    guard !overflow else { return nil }
    return allocate(byteCount: byteCount, alignment: max(MemoryLayout<T>.alignment, 8))?
      .bindMemory(to: type, capacity: count)
  }

  private mutating func allocateInNewChunk(byteCount: Int, alignment: Int)
    -> UnsafeMutableRawPointer?
  {
    let header = Arena.alignment
    let room = limitBytes - reservedBytes
    guard room >= alignment, byteCount <= room - alignment else { return nil }
    // Doubling keeps the number of chunks logarithmic in what a request takes.
    let wanted = max(byteCount + alignment, reservedBytes)
    let chunkBytes = min(wanted, room)
    let chunk = UnsafeMutableRawPointer.allocate(
      byteCount: header + chunkBytes, alignment: Arena.alignment)
    chunk.storeBytes(of: laterChunks, as: UnsafeMutableRawPointer?.self)
    laterChunks = chunk
    laterBytes += chunkBytes
    let start = (chunk + header).alignedUp(toMultipleOf: alignment)
    cursor = start + byteCount
    chunkEnd = chunk + header + chunkBytes
    return start
  }

  /// Forgets everything that was handed out and gives all but the first chunk back.
  package mutating func reset() {
    var chunk = laterChunks
    while let current = chunk {
      chunk = current.load(as: UnsafeMutableRawPointer?.self)
      current.deallocate()
    }
    laterChunks = nil
    laterBytes = 0
    cursor = firstChunk
    chunkEnd = firstChunk + firstChunkBytes
  }
}
