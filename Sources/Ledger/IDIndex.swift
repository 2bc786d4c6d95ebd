internal import Core

/// From ids to slots of a table: open addressing, linear probing at a load of at most ½. The ids
/// are our own (campaign keys, leases, reservations), not a client's.
struct IDIndex: Sendable {
  private static let empty = UInt32.max
  private var ids: [UInt64]
  private var slots: [UInt32]
  private(set) var count = 0

  init() {
    ids = Array(repeating: 0, count: 16)
    slots = Array(repeating: Self.empty, count: 16)
  }

  private var mask: Int { ids.count - 1 }

  private func home(_ id: UInt64) -> Int { Int(truncatingIfNeeded: splitmix64(id)) & mask }

  /// Where `id` lies, or the free place where it would.
  private func place(_ id: UInt64) -> Int {
    var at = home(id)
    while slots[at] != Self.empty, ids[at] != id { at = (at + 1) & mask }
    return at
  }

  subscript(id: UInt64) -> UInt32? {
    let slot = slots[place(id)]
    return slot == Self.empty ? nil : slot
  }

  /// `id` must not be there, and `slot` be less than `UInt32.max`.
  mutating func insert(_ id: UInt64, _ slot: UInt32) {
    if (count + 1) * 2 > ids.count { grow() }
    let at = place(id)
    precondition(slots[at] == Self.empty && slot != Self.empty)
    ids[at] = id
    slots[at] = slot
    count += 1
  }

  /// Whether it was there. What was pushed beyond it moves up, so that no gap breaks a chain.
  @discardableResult
  mutating func remove(_ id: UInt64) -> UInt32? {
    var gap = place(id)
    let slot = slots[gap]
    guard slot != Self.empty else { return nil }
    var next = (gap + 1) & mask
    while slots[next] != Self.empty {
      let fromHome = (next &- home(ids[next])) & mask
      if fromHome >= (next &- gap) & mask {
        ids[gap] = ids[next]
        slots[gap] = slots[next]
        gap = next
      }
      next = (next + 1) & mask
    }
    slots[gap] = Self.empty
    count -= 1
    return slot
  }

  private mutating func grow() {
    let (oldIDs, oldSlots) = (ids, slots)
    ids = Array(repeating: 0, count: oldIDs.count * 2)
    slots = Array(repeating: Self.empty, count: oldSlots.count * 2)
    for at in oldIDs.indices where oldSlots[at] != Self.empty {
      let new = place(oldIDs[at])
      ids[new] = oldIDs[at]
      slots[new] = oldSlots[at]
    }
  }
}
