internal import CNghttp2
internal import Glibc

/// Memory for the nghttp2 sessions of one thread: free lists by size class.
///
/// nghttp2 makes about fifteen allocations per unary call; from a list that one thread owns each
/// costs a few instructions. Blocks of up to 4 KiB are kept for the next one of their class and
/// given back with the owner; larger ones go to malloc and back. What is kept is bounded by the
/// most that its sessions held at one time.
package final class HTTP2Memory {
  /// Free blocks by class; a free block's first word is the next one's address.
  fileprivate var lists: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  /// Where blocks of the classes are cut from: each slab's first word is the one before it.
  fileprivate var slabs: UnsafeMutableRawPointer?
  fileprivate var cursor: UnsafeMutableRawPointer?
  fileprivate var cursorEnd: UnsafeMutableRawPointer?
  let table: UnsafeMutablePointer<nghttp2_mem>

  /// Bytes before each block, which hold its class; keeps malloc's alignment of 16.
  fileprivate static let headerBytes = 16
  /// Classes are multiples of 64 bytes up to 4 KiB: class c holds blocks of 64 × (c + 1).
  fileprivate static let classCount = 64
  fileprivate static let granuleShift = 6
  fileprivate static let slabBytes = 128 << 10

  package init() {
    lists = .allocate(capacity: HTTP2Memory.classCount)
    lists.initialize(repeating: nil, count: HTTP2Memory.classCount)
    table = .allocate(capacity: 1)
    table.initialize(to: nghttp2_mem())
    table.pointee.mem_user_data = Unmanaged.passUnretained(self).toOpaque()
    table.pointee.malloc = allocateBlock
    table.pointee.free = freeBlock
    table.pointee.calloc = allocateZeroedBlock
    table.pointee.realloc = reallocateBlock
  }

  deinit {
    var slab = slabs
    while let current = slab {
      slab = current.load(as: UnsafeMutableRawPointer?.self)
      free(current)
    }
    lists.deallocate()
    table.deallocate()
  }

  fileprivate func allocate(_ byteCount: Int) -> UnsafeMutableRawPointer? {
    let total = byteCount + HTTP2Memory.headerBytes
    let sizeClass = (total - 1) >> HTTP2Memory.granuleShift
    guard sizeClass < HTTP2Memory.classCount else {
      guard let block = malloc(total) else { return nil }
      block.storeBytes(of: total, as: Int.self)
      return block + HTTP2Memory.headerBytes
    }
    let block: UnsafeMutableRawPointer
    if let free = lists[sizeClass] {
      lists[sizeClass] = free.load(as: UnsafeMutableRawPointer?.self)
      block = free
    } else {
      guard let cut = cut((sizeClass + 1) << HTTP2Memory.granuleShift) else { return nil }
      block = cut
    }
    block.storeBytes(of: (sizeClass + 1) << HTTP2Memory.granuleShift, as: Int.self)
    return block + HTTP2Memory.headerBytes
  }

  private func cut(_ byteCount: Int) -> UnsafeMutableRawPointer? {
    if let cursor, let cursorEnd, cursorEnd - cursor >= byteCount {
      self.cursor = cursor + byteCount
      return cursor
    }
    guard let slab = malloc(HTTP2Memory.slabBytes) else { return nil }
    slab.storeBytes(of: slabs, as: UnsafeMutableRawPointer?.self)
    slabs = slab
    let start = slab + HTTP2Memory.headerBytes
    cursor = start + byteCount
    cursorEnd = slab + HTTP2Memory.slabBytes
    return start
  }

  fileprivate func release(_ pointer: UnsafeMutableRawPointer) {
    let block = pointer - HTTP2Memory.headerBytes
    let sizeClass = (block.load(as: Int.self) - 1) >> HTTP2Memory.granuleShift
    guard sizeClass < HTTP2Memory.classCount else {
      free(block)
      return
    }
    block.storeBytes(of: lists[sizeClass], as: UnsafeMutableRawPointer?.self)
    lists[sizeClass] = block
  }

  /// Bytes that the block at `pointer` can hold.
  fileprivate static func capacity(_ pointer: UnsafeMutableRawPointer) -> Int {
    (pointer - headerBytes).load(as: Int.self) - headerBytes
  }

  fileprivate static func from(_ context: UnsafeMutableRawPointer?) -> HTTP2Memory? {
    guard let context else { return nil }
    return Unmanaged<HTTP2Memory>.fromOpaque(context).takeUnretainedValue()
  }
}

private func allocateBlock(_ size: Int, _ context: UnsafeMutableRawPointer?)
  -> UnsafeMutableRawPointer?
{
  HTTP2Memory.from(context)?.allocate(size)
}

private func freeBlock(_ pointer: UnsafeMutableRawPointer?, _ context: UnsafeMutableRawPointer?) {
  guard let pointer else { return }
  HTTP2Memory.from(context)?.release(pointer)
}

private func allocateZeroedBlock(
  _ count: Int, _ size: Int, _ context: UnsafeMutableRawPointer?
) -> UnsafeMutableRawPointer? {
  let (total, overflow) = count.multipliedReportingOverflow(by: size)
  guard !overflow, let block = HTTP2Memory.from(context)?.allocate(total) else { return nil }
  memset(block, 0, total)
  return block
}

private func reallocateBlock(
  _ pointer: UnsafeMutableRawPointer?, _ size: Int, _ context: UnsafeMutableRawPointer?
) -> UnsafeMutableRawPointer? {
  guard let memory = HTTP2Memory.from(context) else { return nil }
  guard let pointer else { return memory.allocate(size) }
  let held = HTTP2Memory.capacity(pointer)
  if size <= held { return pointer }
  guard let block = memory.allocate(size) else { return nil }
  memcpy(block, pointer, held)
  memory.release(pointer)
  return block
}
