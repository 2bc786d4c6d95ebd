internal import Core

/// From ids to slots of a table: open addressing, linear probing at a load of at most ½. The ids
/// are our own (campaign keys, leases, reservations), not a client's.
struct IDIndex: Sendable {
  private struct Cell: Sendable {
    var id: UInt64
    /// `UInt32.max` = the cell is free.
    var slot: UInt32

    static let free = Cell(id: 0, slot: .max)
    var isFree: Bool { slot == .max }
  }

  private var cells = Array(repeating: Cell.free, count: 16)
  private(set) var count = 0

  private var mask: Int { cells.count - 1 }

  private func home(_ id: UInt64) -> Int { Int(truncatingIfNeeded: splitmix64(id)) & mask }

  /// Where `id` lies, or the free cell where it would.
  private func place(_ id: UInt64) -> Int {
    let mask = mask
    var at = home(id)
    while !cells[at].isFree, cells[at].id != id { at = (at + 1) & mask }
    return at
  }

  subscript(id: UInt64) -> UInt32? {
    let cell = cells[place(id)]
    return cell.isFree ? nil : cell.slot
  }

  /// `id` must not be there, and `slot` be less than `UInt32.max`.
  mutating func insert(_ id: UInt64, _ slot: UInt32) {
    if (count + 1) * 2 > cells.count { grow() }
    let at = place(id)
    precondition(cells[at].isFree && slot != .max)
    cells[at] = Cell(id: id, slot: slot)
    count += 1
  }

  /// Its slot; nil = it was not there. What was pushed beyond it moves up, so that no gap breaks a
  /// chain.
  @discardableResult
  mutating func remove(_ id: UInt64) -> UInt32? {
    var gap = place(id)
    let found = cells[gap]
    guard !found.isFree else { return nil }
    var next = (gap + 1) & mask
    while !cells[next].isFree {
      let fromHome = (next &- home(cells[next].id)) & mask
      if fromHome >= (next &- gap) & mask {
        cells[gap] = cells[next]
        gap = next
      }
      next = (next + 1) & mask
    }
    cells[gap] = .free
    count -= 1
    return found.slot
  }

  private mutating func grow() {
    let old = cells
    cells = Array(repeating: .free, count: old.count * 2)
    for cell in old where !cell.isFree { cells[place(cell.id)] = cell }
  }
}
