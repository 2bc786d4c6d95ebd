/// Whom what was shown, and when: the caps of one user shard's users, about 90 bytes a user of
/// three scopes with three timestamps. One owner; ledger time is an argument.
///
/// Pages by hash, 4,096 unless told otherwise, each moved on its own when it is full: no call
/// moves more than one. A million users are 20 KB a page.
package struct CapTable: ~Copyable {
  private let pages: UnsafeMutablePointer<CapPage>
  private let seed: UInt64
  package let clock: CapClock
  private var edited = CapScratch()
  private var pruned = CapScratch()
  private var nextExpired = 0
  /// Of live rules. What is older may be dropped at any time: a rule with a longer window that
  /// comes later counts what is there.
  package var longestWindowSeconds: UInt32
  /// Users with at least one entry.
  package private(set) var users = 0
  private var pageBytes = 0

  private let pageBits: Int
  private var pageCount: Int { 1 << pageBits }

  /// `seed`: not known to those who choose user ids, so that these do not fill one page.
  /// `pageBits`: 0 to 20, the pages' number is 2 to its power.
  package init(clock: CapClock, longestWindowSeconds: UInt32, seed: UInt64, pageBits: Int = 12) {
    precondition((0...20).contains(pageBits))
    self.pageBits = pageBits
    self.clock = clock
    self.longestWindowSeconds = longestWindowSeconds
    self.seed = seed
    pages = .allocate(capacity: 1 << pageBits)
    pages.initialize(repeating: CapPage(), count: 1 << pageBits)
  }

  deinit {
    for index in 0..<pageCount { pages[index].deallocate() }
    pages.deallocate()
  }

  /// Allocated, used or not.
  package var bytes: Int {
    pageBytes + pageCount * MemoryLayout<CapPage>.stride + 2 * CapScratch.bytes
  }

  /// Whether one more exposure of this user at `now` keeps the rule.
  package func check(user: UInt64, _ requirement: CapRequirement, now: Int64) -> Bool {
    guard let record = record(of: user) else { return requirement.rule.limit > 0 }
    return record.allows(requirement, at: clock.deciseconds(at: now))
  }

  /// Counts an exposure in every place of `uses`; false, and nothing has changed, if the user
  /// would have more than `Limits.capEntriesPerUser` entries, or the page is full
  /// (`CapPage.wordsMost`): treat as capped.
  package mutating func reserve(user: UInt64, _ uses: [CapUse], now: Int64) -> Bool {
    guard !uses.isEmpty else { return true }
    let time = clock.deciseconds(at: now)
    let hash = hash(user)
    let slot = page(hash).pointee.slot(of: user, hash: hash)
    if let slot {
      edited.load(page(hash).pointee.record(at: slot))
    } else {
      edited.clear(user: user)
    }
    edited.prune(at: time, longest: longestWindowSeconds)
    for use in uses {
      guard edited.add(use, at: time) else { return false }
    }
    return store(slot: slot, hash: hash, at: time)
  }

  /// Both in one step: all rules kept ⇒ counted; else nothing has changed.
  package mutating func checkAndReserve(
    user: UInt64, _ requirements: [CapRequirement], _ uses: [CapUse], now: Int64
  ) -> Bool {
    for requirement in requirements {
      guard check(user: user, requirement, now: now) else { return false }
    }
    return reserve(user: user, uses, now: now)
  }

  /// Takes an exposure away that was reserved at `reservedAt` and never heard.
  package mutating func release(user: UInt64, _ uses: [CapUse], reservedAt: Int64) {
    let hash = hash(user)
    guard let slot = page(hash).pointee.slot(of: user, hash: hash) else { return }
    edited.load(page(hash).pointee.record(at: slot))
    for use in uses { edited.remove(use, at: clock.deciseconds(at: reservedAt)) }
    shrink(slot: slot, hash: hash)
  }

  /// Copies a user's record for `CapRecord(words:)` on any thread; the words copied, 0 = the user
  /// has no exposure that counts. `words` has room for `CapRecord.wordsMost`.
  package func copyScopes(of user: UInt64, into words: UnsafeMutableBufferPointer<UInt32>) -> Int {
    precondition(words.count >= CapRecord.wordsMost)
    guard let record = record(of: user), let start = words.baseAddress else { return 0 }
    let count = record.wordCount
    start.update(from: record.words, count: count)
    return count
  }

  /// Drops what cannot count any more, of at least one page and on until `budget` users were
  /// looked at; the next call goes on from there. How many were looked at.
  @discardableResult
  package mutating func expire(now: Int64, budget: Int) -> Int {
    let time = clock.deciseconds(at: now)
    var visited = 0
    for _ in 0..<pageCount where visited < max(budget, 1) {
      let page = pages + nextExpired
      visited += Int(page.pointee.users)
      prune(page, at: time)
      if page.pointee.isSparse { rebuild(page, moreWords: 0, moreUsers: 0) }
      nextExpired = (nextExpired + 1) % pageCount
    }
    return visited
  }

  private func record(of user: UInt64) -> CapRecord? {
    let hash = hash(user)
    let page = page(hash).pointee
    return page.slot(of: user, hash: hash).map { page.record(at: $0) }
  }

  private func hash(_ user: UInt64) -> UInt64 { CapPage.hash(user, seed: seed) }

  private func page(_ hash: UInt64) -> UnsafeMutablePointer<CapPage> {
    pages + Int(truncatingIfNeeded: hash >> UInt64(64 - pageBits))
  }

  /// Puts `edited` in its user's place; false if the page cannot grow any more.
  private mutating func store(slot: Int?, hash: UInt64, at time: UInt32) -> Bool {
    let page = page(hash)
    let words = edited.packedWords
    let old = slot.map { page.pointee.record(at: $0).wordCount }
    if let slot, let old, words <= old {
      page.pointee.didShrink(by: old - words)
      edited.pack(into: page.pointee.words(at: slot))
      return true
    }
    if page.pointee.hasRoom(words: words, users: slot == nil ? 1 : 0) {
      if let slot, let old {
        edited.pack(into: page.pointee.move(slot: slot, old: old, words: words))
      } else {
        users += 1
        edited.pack(into: page.pointee.append(hash: hash, words: words))
      }
      return true
    }
    prune(page, at: time)
    guard Int(page.pointee.wordsLive) + words <= CapPage.wordsMost else { return false }
    // Pruning may have moved the slot, or taken it away.
    if let user = page.pointee.slot(of: edited.user, hash: hash) {
      users -= 1
      page.pointee.remove(slot: user, seed: seed)
    }
    rebuild(page, moreWords: words, moreUsers: 1)
    users += 1
    edited.pack(into: page.pointee.append(hash: hash, words: words))
    return true
  }

  /// Puts `edited`, which has lost entries or timestamps, in its user's place.
  private mutating func shrink(slot: Int, hash: UInt64) {
    let page = page(hash)
    if edited.count == 0 {
      users -= 1
      page.pointee.remove(slot: slot, seed: seed)
      return
    }
    page.pointee.didShrink(by: page.pointee.record(at: slot).wordCount - edited.packedWords)
    edited.pack(into: page.pointee.words(at: slot))
  }

  private mutating func prune(_ page: UnsafeMutablePointer<CapPage>, at time: UInt32) {
    var slot = 0
    while slot < Int(page.pointee.slotCapacity) {
      defer { slot += 1 }
      guard page.pointee.isTaken(slot) else { continue }
      let record = page.pointee.record(at: slot)
      guard record.hasOutdated(at: time, longest: longestWindowSeconds) else { continue }
      pruned.load(record)
      pruned.prune(at: time, longest: longestWindowSeconds)
      if pruned.count > 0 {
        page.pointee.didShrink(by: record.wordCount - pruned.packedWords)
        pruned.pack(into: page.pointee.words(at: slot))
      } else {
        users -= 1
        page.pointee.remove(slot: slot, seed: seed)
        // Another user may have moved here.
        slot -= 1
      }
    }
  }

  /// Moves the live records to new memory with room for more.
  private mutating func rebuild(
    _ page: UnsafeMutablePointer<CapPage>, moreWords: Int, moreUsers: Int
  ) {
    let old = page.pointee
    pageBytes -= old.bytes
    page.pointee = CapPage()
    if Int(old.users) + moreUsers > 0 {
      var new = CapPage(
        users: Int(old.users) + moreUsers, words: Int(old.wordsLive) + moreWords)
      for slot in 0..<Int(old.slotCapacity) where old.isTaken(slot) {
        let record = old.record(at: slot)
        let words = record.wordCount
        new.append(hash: hash(record.user), words: words).update(from: record.words, count: words)
      }
      page.pointee = new
    }
    pageBytes += page.pointee.bytes
    old.deallocate()
  }
}

extension CapRecord {
  func hasOutdated(at now: UInt32, longest: UInt32) -> Bool {
    var found = false
    forEach { entry in
      found =
        entry.isEstimate
        ? entry.isExpired(at: now, longest: longest)
        : CapEntry.age(entry.timestamps[0], at: now) > UInt64(longest) &* 10
      return !found
    }
    return found
  }
}
