/// The open calls of a session by their ids: open addressing, linear probing.
///
/// Ids rise by about one, so that they spread over the slots by themselves. It grows with the calls
/// that are open, up to the session's bound, and never shrinks.
package struct SessionCallTable: ~Copyable {
  /// Id 0, which no call has: a free slot.
  private struct Slot: BitwiseCopyable {
    var id: UInt32
    var call: UnsafeMutableRawPointer?
  }

  private var slots: UnsafeMutablePointer<Slot>
  private var mask: UInt32
  package private(set) var count = 0

  package init() {
    mask = 63
    slots = .allocate(capacity: 64)
    slots.initialize(repeating: Slot(id: 0, call: nil), count: 64)
  }

  deinit {
    slots.deallocate()
  }

  @inline(__always)
  package func find(_ id: UInt32) -> UnsafeMutableRawPointer? {
    var at = id & mask
    while slots[Int(at)].id != 0 {
      if slots[Int(at)].id == id { return slots[Int(at)].call }
      at = (at &+ 1) & mask
    }
    return nil
  }

  /// The id is not in the table.
  @inline(__always)
  package mutating func insert(_ id: UInt32, _ call: UnsafeMutableRawPointer) {
    if 2 * (count + 1) > Int(mask) + 1 { grow() }
    place(Slot(id: id, call: call))
    count += 1
  }

  private func place(_ slot: Slot) {
    var at = slot.id & mask
    while slots[Int(at)].id != 0 { at = (at &+ 1) & mask }
    slots[Int(at)] = slot
  }

  private mutating func grow() {
    let (old, oldCount) = (slots, Int(mask) + 1)
    mask = 2 * mask + 1
    slots = .allocate(capacity: 2 * oldCount)
    slots.initialize(repeating: Slot(id: 0, call: nil), count: 2 * oldCount)
    for index in 0..<oldCount where old[index].id != 0 { place(old[index]) }
    old.deallocate()
  }

  /// Slots behind the one that becomes free move up, so that every search still ends at a free one.
  @inline(__always)
  package mutating func remove(_ id: UInt32) {
    var at = id & mask
    while slots[Int(at)].id != id {
      guard slots[Int(at)].id != 0 else { return }
      at = (at &+ 1) & mask
    }
    count -= 1
    var next = (at &+ 1) & mask
    while slots[Int(next)].id != 0 {
      let home = slots[Int(next)].id & mask
      // Not between the free slot and where it lies: then it belongs into the free one.
      if (next &- home) & mask >= (next &- at) & mask {
        slots[Int(at)] = slots[Int(next)]
        at = next
      }
      next = (next &+ 1) & mask
    }
    slots[Int(at)] = Slot(id: 0, call: nil)
  }

  /// Some call, nil when there is none: for ending all of them, one by one.
  package var any: UnsafeMutableRawPointer? {
    guard count > 0 else { return nil }
    for index in 0...Int(mask) where slots[index].id != 0 { return slots[index].call }
    return nil
  }

  /// Some call with a higher id.
  func first(above id: UInt32) -> UnsafeMutableRawPointer? {
    guard count > 0 else { return nil }
    for index in 0...Int(mask) where slots[index].id > id { return slots[index].call }
    return nil
  }

  package func forEach(_ body: (UnsafeMutableRawPointer) -> Void) {
    for index in 0...Int(mask) {
      if let call = slots[index].call, slots[index].id != 0 { body(call) }
    }
  }
}
