internal import Core

/// How a reservation has ended.
package enum ReservationEnd: UInt8, Sendable, BitwiseCopyable {
  case settled = 1
  case released = 2
  /// Released, and its exposure came after that.
  case late = 3
}

/// Which reservations have ended and how: 8 bytes each, at a load of 0.53 to 0.8. They lie in five
/// generations by the time at which they ended; each lasts a quarter of `LedgerTimes.remembered`,
/// and the oldest goes at once when the sixth begins.
struct EndedReservations: Sendable {
  private static let generations = 5
  private let generationMilliseconds: Int64
  /// The newest first.
  private var sets: [EndedSet] = [EndedSet()]
  /// When the newest began; `Int64.min` = before anything.
  private var began = Int64.min

  init(times: LedgerTimes) {
    generationMilliseconds = max(1, (times.remembered + 3) / 4)
  }

  var count: Int { sets.reduce(0) { $0 + $1.count } }

  /// Bytes of the tables.
  var bytes: Int { sets.reduce(0) { $0 + $1.bytes } }

  /// Begins a new generation when it is time.
  mutating func advance(to now: Int64) {
    if began == .min {
      began = now
      return
    }
    let passed = (now - began) / generationMilliseconds
    guard passed > 0 else { return }
    began += passed * generationMilliseconds
    for _ in 0..<min(passed, Int64(Self.generations)) { sets.insert(EndedSet(), at: 0) }
    if sets.count > Self.generations { sets.removeLast(sets.count - Self.generations) }
  }

  /// nil = it is not remembered.
  subscript(id: UInt64) -> (end: ReservationEnd, hasGoal: Bool)? {
    for set in sets {
      if let found = set[id] { return found }
    }
    return nil
  }

  /// `id` must not be there.
  mutating func insert(_ id: UInt64, _ end: ReservationEnd) {
    sets[0].set(id, end, hasGoal: false)
  }

  /// `id` must be there.
  mutating func change(_ id: UInt64, to end: ReservationEnd, hasGoal: Bool) {
    for index in sets.indices where sets[index][id] != nil {
      sets[index].set(id, end, hasGoal: hasGoal)
      return
    }
    preconditionFailure("not remembered")
  }
}

/// One generation: 256 tables by hash, so that none is large when it grows.
private struct EndedSet: Sendable {
  private var tables: [EndedTable] = Array(repeating: EndedTable(), count: 256)
  private(set) var count = 0

  var bytes: Int { tables.reduce(0) { $0 + $1.bytes } }

  subscript(id: UInt64) -> (end: ReservationEnd, hasGoal: Bool)? {
    let hash = splitmix64(id)
    return tables[Int(hash >> 56)].find(id, hash << 8)
  }

  mutating func set(_ id: UInt64, _ end: ReservationEnd, hasGoal: Bool) {
    let hash = splitmix64(id)
    if tables[Int(hash >> 56)].set(id, hash << 8, end, hasGoal: hasGoal) { count += 1 }
  }
}

/// Words of an id (61 bits), a goal (1) and an end (2), by linear probing from the place that the
/// hash has in proportion; 0 = free.
private struct EndedTable: Sendable {
  private var words: [UInt64] = []
  private var count = 0

  var bytes: Int { words.capacity * MemoryLayout<UInt64>.size }

  private func place(_ id: UInt64, _ hash: UInt64) -> Int {
    var at = Int(hash.multipliedFullWidth(by: UInt64(words.count)).high)
    while words[at] != 0, words[at] >> 3 != id {
      at += 1
      if at == words.count { at = 0 }
    }
    return at
  }

  func find(_ id: UInt64, _ hash: UInt64) -> (end: ReservationEnd, hasGoal: Bool)? {
    guard !words.isEmpty else { return nil }
    let word = words[place(id, hash)]
    guard let end = ReservationEnd(rawValue: UInt8(word & 3)) else { return nil }
    return (end, word & 4 != 0)
  }

  /// Whether it is new.
  mutating func set(_ id: UInt64, _ hash: UInt64, _ end: ReservationEnd, hasGoal: Bool) -> Bool {
    if (count + 1) * 5 > words.count * 4 { grow() }
    let at = place(id, hash)
    let isNew = words[at] == 0
    words[at] = id << 3 | (hasGoal ? 4 : 0) | UInt64(end.rawValue)
    if isNew { count += 1 }
    return isNew
  }

  private mutating func grow() {
    let old = words
    words = Array(repeating: 0, count: max(16, old.count / 2 * 3))
    for word in old where word != 0 {
      words[place(word >> 3, splitmix64(word >> 3) << 8)] = word
    }
  }
}
