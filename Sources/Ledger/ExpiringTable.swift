/// Records by id, in one block of memory, and in the order in which they end. Nearly all records
/// last equally long, so that the place of a new one is the end of the line or near it.
struct ExpiringTable<Record: Sendable>: Sendable {
  private static var none: UInt32 { .max }

  private struct Row {
    var record: Record
    var id: UInt64
    var expires: Int64
    var previous: UInt32
    /// Of a free row: the next free one.
    var next: UInt32
  }

  private var rows: [Row] = []
  private var index = IDIndex()
  private var free = none
  private var head = none
  private var tail = none

  var count: Int { index.count }

  subscript(id: UInt64) -> Record? {
    guard let slot = index[id] else { return nil }
    return rows[Int(slot)].record
  }

  func expiry(of id: UInt64) -> Int64? {
    guard let slot = index[id] else { return nil }
    return rows[Int(slot)].expires
  }

  /// Changes the record of `id` in place; whether there is one.
  @discardableResult
  mutating func update(_ id: UInt64, _ change: (inout Record) -> Void) -> Bool {
    guard let slot = index[id] else { return false }
    change(&rows[Int(slot)].record)
    return true
  }

  /// The record that ends first.
  var first: (id: UInt64, expires: Int64, record: Record)? {
    guard head != Self.none else { return nil }
    let row = rows[Int(head)]
    return (row.id, row.expires, row.record)
  }

  /// `id` must not be there.
  mutating func insert(_ id: UInt64, _ record: Record, expires: Int64) {
    let slot: UInt32
    var before = tail
    while before != Self.none, rows[Int(before)].expires > expires {
      before = rows[Int(before)].previous
    }
    let after = before == Self.none ? head : rows[Int(before)].next
    let row = Row(record: record, id: id, expires: expires, previous: before, next: after)
    if free != Self.none {
      slot = free
      free = rows[Int(slot)].next
      rows[Int(slot)] = row
    } else {
      slot = UInt32(rows.count)
      rows.append(row)
    }
    if before == Self.none { head = slot } else { rows[Int(before)].next = slot }
    if after == Self.none { tail = slot } else { rows[Int(after)].previous = slot }
    index.insert(id, slot)
  }

  @discardableResult
  mutating func remove(_ id: UInt64) -> Record? {
    guard let slot = index.remove(id) else { return nil }
    let row = rows[Int(slot)]
    if row.previous == Self.none {
      head = row.next
    } else {
      rows[Int(row.previous)].next = row.next
    }
    if row.next == Self.none {
      tail = row.previous
    } else {
      rows[Int(row.next)].previous = row.previous
    }
    rows[Int(slot)].next = free
    free = slot
    return row.record
  }

  /// From the one that ends first to the last.
  func forEach(_ visit: (_ id: UInt64, _ expires: Int64, _ record: Record) -> Void) {
    var slot = head
    while slot != Self.none {
      let row = rows[Int(slot)]
      visit(row.id, row.expires, row.record)
      slot = row.next
    }
  }
}
