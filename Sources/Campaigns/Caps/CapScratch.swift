internal import Core

/// A user's record taken apart, so that entries can grow, shrink, come and go; packed again when
/// it is stored. One for each table, used within one call.
struct CapScratch: ~Copyable {
  /// Key, and timestamps or an estimate's four words.
  private static var stride: Int { 2 + max(Limits.capExactLimit, 4) }

  private(set) var user: UInt64 = 0
  private(set) var count = 0
  private let marks: UnsafeMutablePointer<CapRecord.Mark>
  private let entries: UnsafeMutablePointer<UInt32>

  init() {
    marks = .allocate(capacity: Limits.capEntriesPerUser)
    entries = .allocate(capacity: Limits.capEntriesPerUser * CapScratch.stride)
  }

  deinit {
    marks.deallocate()
    entries.deallocate()
  }

  static var bytes: Int { Limits.capEntriesPerUser * (4 * stride + 1) }

  mutating func clear(user: UInt64) {
    self.user = user
    count = 0
  }

  mutating func load(_ record: CapRecord) {
    clear(user: record.user)
    var source = record.words + CapRecord.headWords(entries: record.entryCount)
    for index in 0..<record.entryCount {
      let mark = CapRecord.Mark(record.bytes[1 &+ index])
      marks[index] = mark
      entry(index).update(from: source, count: mark.words)
      source += mark.words
    }
    count = record.entryCount
  }

  var packedWords: Int {
    var words = CapRecord.headWords(entries: count)
    for index in 0..<count { words &+= marks[index].words }
    return words
  }

  func pack(into words: UnsafeMutablePointer<UInt32>) {
    words[0] = UInt32(truncatingIfNeeded: user)
    words[1] = UInt32(truncatingIfNeeded: user &>> 32)
    let head = CapRecord.headWords(entries: count)
    words[head &- 1] = 0
    let bytes = UnsafeMutableRawPointer(words + 2).assumingMemoryBound(to: UInt8.self)
    bytes[0] = UInt8(count)
    var next = words + head
    for index in 0..<count {
      bytes[1 &+ index] = marks[index].byte
      next.update(from: entry(index), count: marks[index].words)
      next += marks[index].words
    }
  }

  /// Drops what cannot count any more: estimates of buckets long over, and timestamps older than
  /// `longest` seconds; and with those the memory that still older ones were forgotten.
  mutating func prune(at now: UInt32, longest: UInt32) {
    var index = 0
    while index < count {
      let view = CapEntry(mark: marks[index], words: entry(index))
      if view.isExpired(at: now, longest: longest) {
        remove(index)
        continue
      }
      if !view.isEstimate { dropOldest(index, view.outdated(at: now, longest: longest)) }
      index &+= 1
    }
  }

  /// Counts an exposure; false if the user has as many entries as one may have.
  mutating func add(_ use: CapUse, at time: UInt32) -> Bool {
    let index = find(use)
    guard index < count || count < Limits.capEntriesPerUser else { return false }
    if index == count {
      let words = entry(index)
      words[0] = UInt32(truncatingIfNeeded: use.key)
      words[1] = UInt32(truncatingIfNeeded: use.key &>> 32)
      words[2] = use.windowSeconds
      words[3] = CapScratch.bucket(time, use.windowSeconds)
      words[4] = 0
      words[5] = 0
      marks[index] =
        use.isEstimate
        ? .init(estimateOf: use.scope)
        : .init(scope: use.scope, timestamps: 0, isForgotten: false)
      count &+= 1
    }
    if use.isEstimate {
      addToEstimate(index, at: time)
    } else {
      let view = CapEntry(mark: marks[index], words: entry(index))
      dropOldest(index, view.outdated(at: time, longest: use.windowSeconds))
      insert(index, time, keep: Int(use.keep))
    }
    return true
  }

  /// Takes one exposure of that time away again; nothing if there is none.
  mutating func remove(_ use: CapUse, at time: UInt32) {
    let index = find(use)
    guard index < count else { return }
    let words = entry(index)
    if use.isEstimate {
      let bucket = CapScratch.bucket(time, use.windowSeconds)
      let place = bucket == words[3] ? 5 : 4
      guard place == 5 || bucket &+ 1 == words[3], words[place] > 0 else { return }
      words[place] &-= 1
      if words[4] == 0 && words[5] == 0 { remove(index) }
      return
    }
    let mark = marks[index]
    guard let place = (0..<mark.timestamps).first(where: { words[2 &+ $0] == time }) else { return }
    // The last one says until when those that were forgotten may count.
    if mark.timestamps == 1 {
      if !mark.isForgotten { remove(index) }
      return
    }
    for later in place..<mark.timestamps &- 1 { words[2 &+ later] = words[3 &+ later] }
    marks[index] = .init(
      scope: scope(index), timestamps: mark.timestamps - 1, isForgotten: mark.isForgotten)
  }

  private func entry(_ index: Int) -> UnsafeMutablePointer<UInt32> {
    entries + index &* CapScratch.stride
  }

  private func scope(_ index: Int) -> CapScope {
    CapEntry(mark: marks[index], words: entry(index)).scope
  }

  /// Its index; `count` if there is none.
  private func find(_ use: CapUse) -> Int {
    let isEstimate = use.isEstimate
    for index in 0..<count {
      let mark = marks[index]
      let words = entry(index)
      if mark.scopeBits == use.scope.rawValue, mark.isEstimate == isEstimate,
        CapRecord.load(words) == use.key, !isEstimate || words[2] == use.windowSeconds
      {
        return index
      }
    }
    return count
  }

  /// The order of entries says nothing.
  private mutating func remove(_ index: Int) {
    count &-= 1
    guard index < count else { return }
    marks[index] = marks[count]
    entry(index).update(from: entry(count), count: marks[count].words)
  }

  /// In order: a journal that is replayed may bring shards' entries together.
  private mutating func insert(_ index: Int, _ time: UInt32, keep: Int) {
    let mark = marks[index]
    let times = entry(index) + 2
    let excess = max(mark.timestamps + 1 - keep, 0)
    if excess > 0, time < times[excess &- 1] {
      // The new one is among those that are forgotten.
      dropOldest(index, excess - 1)
      marks[index] = .init(
        scope: scope(index), timestamps: marks[index].timestamps, isForgotten: true)
      return
    }
    dropOldest(index, excess)
    var place = marks[index].timestamps
    while place > 0, times[place &- 1] > time {
      times[place] = times[place &- 1]
      place &-= 1
    }
    times[place] = time
    marks[index] = .init(
      scope: scope(index), timestamps: marks[index].timestamps + 1,
      isForgotten: mark.isForgotten || excess > 0)
  }

  private mutating func dropOldest(_ index: Int, _ dropped: Int) {
    guard dropped > 0 else { return }
    let left = marks[index].timestamps - dropped
    let times = entry(index) + 2
    for place in 0..<left { times[place] = times[place &+ dropped] }
    marks[index] = .init(scope: scope(index), timestamps: left, isForgotten: false)
  }

  private mutating func addToEstimate(_ index: Int, at time: UInt32) {
    let words = entry(index)
    let bucket = CapScratch.bucket(time, words[2])
    if bucket > words[3] {
      words[4] = bucket == words[3] &+ 1 ? words[5] : 0
      words[5] = 0
      words[3] = bucket
    }
    if bucket == words[3] {
      words[5] = words[5] == .max ? .max : words[5] &+ 1
    } else if bucket &+ 1 == words[3] {
      words[4] = words[4] == .max ? .max : words[4] &+ 1
    }
  }

  private static func bucket(_ time: UInt32, _ windowSeconds: UInt32) -> UInt32 {
    UInt32(truncatingIfNeeded: UInt64(time) / (UInt64(windowSeconds) &* 10))
  }
}

extension CapEntry {
  /// How many of the oldest timestamps are older than `longest` seconds.
  func outdated(at now: UInt32, longest: UInt32) -> Int {
    var dropped = 0
    while dropped < count, CapEntry.age(timestamps[dropped], at: now) > UInt64(longest) &* 10 {
      dropped &+= 1
    }
    return dropped
  }
}
