internal import CKernels
internal import Core

/// From the id of an item or user to its row: linear probing over slots of 16 bytes, at most 60 %
/// of them taken. Built once; immutable.
// Unchecked: written only while it is built, before anybody else can have it.
struct IDIndex: ~Copyable, @unchecked Sendable {
  private struct Slot: BitwiseCopyable {
    var id: UInt64
    var row: Int32
  }

  private let slots: UnsafeMutablePointer<Slot>
  private let mask: Int
  private let seed: UInt64

  /// Why ids cannot be indexed.
  enum Failure: Error {
    case zero(row: Int)
    case duplicate(id: UInt64, rows: (Int, Int))
    case collisions(id: UInt64)
  }

  /// Indexes `count` ids (u64, little-endian, any alignment); id i is that of row i. `count` is at
  /// most `Limits.tableRows`. With a `seed` that the writer of the ids does not know, ids that
  /// were chosen to collide do so no more than others.
  init(ids: UnsafeRawPointer, count: Int, seed: UInt64) throws(Failure) {
    let capacity = indexCapacity(count: count)
    mask = capacity - 1
    self.seed = seed
    slots = crescendo_allocate_table(capacity * MemoryLayout<Slot>.stride)
      .bindMemory(to: Slot.self, capacity: capacity)
    // An empty slot has id 0, which no row has, and row −1: the answer to a search for id 0.
    slots.initialize(repeating: Slot(id: 0, row: -1), count: capacity)
    for row in 0..<count {
      if row + IDIndex.lookAhead < count {
        crescendo_prefetch(slots + start(IDIndex.load(ids, row + IDIndex.lookAhead)))
      }
      let id = IDIndex.load(ids, row)
      guard id != 0 else { throw .zero(row: row) }
      var position = start(id)
      var probes = 0
      while slots[position].id != 0 {
        if slots[position].id == id {
          throw .duplicate(id: id, rows: (Int(slots[position].row), row))
        }
        probes += 1
        guard probes <= Limits.indexProbes else { throw .collisions(id: id) }
        position = (position &+ 1) & mask
      }
      slots[position] = Slot(id: id, row: Int32(truncatingIfNeeded: row))
    }
  }

  deinit {
    crescendo_free_table(slots)
  }

  /// The row of `id`; −1 when there is none.
  func row(of id: UInt64) -> Int {
    Int(probe(id, from: start(id)))
  }

  /// `row(of:)` for `count` ids (u64, little-endian, any alignment). Slots are asked for ahead of
  /// their use, so that the cache misses of several ids overlap.
  func rows(of ids: UnsafeRawPointer, count: Int, into rows: UnsafeMutablePointer<Int32>) {
    if mask < IDIndex.cachedSlots {
      for index in 0..<max(count, 0) {
        let id = IDIndex.load(ids, index)
        rows[index] = probe(id, from: start(id))
      }
      return
    }
    for index in 0..<min(count, IDIndex.lookAhead) {
      crescendo_prefetch(slots + start(IDIndex.load(ids, index)))
    }
    for index in 0..<max(count - IDIndex.lookAhead, 0) {
      crescendo_prefetch(slots + start(IDIndex.load(ids, index + IDIndex.lookAhead)))
      let id = IDIndex.load(ids, index)
      rows[index] = probe(id, from: start(id))
    }
    for index in max(count - IDIndex.lookAhead, 0)..<max(count, 0) {
      let id = IDIndex.load(ids, index)
      rows[index] = probe(id, from: start(id))
    }
  }

  /// An index of up to so many slots is in a core's cache (256 KiB of a megabyte or more): asking
  /// ahead would cost a second hash for nothing.
  private static var cachedSlots: Int { 16_384 }

  /// Loads in flight at once: what a core's line fill buffers take (10 to 16).
  private static var lookAhead: Int { 16 }

  @inline(__always)
  private static func load(_ ids: UnsafeRawPointer, _ index: Int) -> UInt64 {
    UInt64(littleEndian: (ids + index &* 8).loadUnaligned(as: UInt64.self))
  }

  @inline(__always)
  private func start(_ id: UInt64) -> Int {
    Int(truncatingIfNeeded: splitmix64(id ^ seed)) & mask
  }

  /// Ends: at least two slots of five are empty.
  @inline(__always)
  private func probe(_ id: UInt64, from start: Int) -> Int32 {
    var position = start
    while true {
      let slot = slots[position]
      if slot.id == id || slot.id == 0 { return slot.row }
      position = (position &+ 1) & mask
    }
  }
}

/// Slots for `count` keys: a power of two of which at most 60 % are taken.
func indexCapacity(count: Int) -> Int {
  var capacity = 2
  while capacity / 5 * 3 < count { capacity *= 2 }
  return capacity
}
