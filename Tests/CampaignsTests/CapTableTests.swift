import Campaigns
import Core
import Testing

@Suite struct CapTableTests {
  private let day: UInt32 = 86_400

  private func table(base: Int64 = 0) -> CapBox { CapBox(base: base, longest: 30 * day) }

  private func rule(_ limit: UInt32, _ window: UInt32, key: UInt64 = 1) -> CapRequirement {
    CapRequirement(
      rule: CapRule(scope: .userCampaign, limit: limit, windowSeconds: window), key: key)
  }

  private func use(keep: Int, window: UInt32, key: UInt64 = 1) -> [CapUse] {
    [.exact(.userCampaign, key: key, keep: keep, windowSeconds: window)]
  }

  @Test func anExposureCountsForAtLeastItsWindowAndATenthMore() {
    for start: Int64 in [0, 1, 50, 99, 12_345] {
      let table = table()
      let reserved = table.reserve(user: 5, use(keep: 1, window: 10), now: start)
      #expect(reserved)
      #expect(!table.check(user: 5, rule(1, 10), now: start + 10_000))
      #expect(table.check(user: 5, rule(1, 10), now: start + 10_100))
      #expect(table.check(user: 6, rule(1, 10), now: start))
      #expect(table.check(user: 5, rule(1, 10, key: 2), now: start))
      #expect(!table.check(user: 5, rule(0, 10, key: 2), now: start))
    }
  }

  @Test func timeOutsideTheClockCountsRatherThanNot() {
    let clock = CapClock(base: 1_000_000)
    #expect(clock.deciseconds(at: 0) == 0)
    #expect(clock.deciseconds(at: .min) == 0)
    #expect(clock.deciseconds(at: 1_000_199) == 1)
    #expect(clock.deciseconds(at: .max) == .max)
    #expect(CapClock(base: .min).deciseconds(at: .max) == .max)
    #expect(CapClock(base: .max).deciseconds(at: .min) == 0)
    let table = table(base: 1_000_000)
    let reserved = table.reserve(user: 1, use(keep: 1, window: 1), now: 2_000_000)
    #expect(reserved)
    #expect(!table.check(user: 1, rule(1, 1), now: 1_500_000))
  }

  @Test func aReleaseTakesOneOfEqualTimestamps() {
    let table = table()
    let two = use(keep: 3, window: day)
    for _ in 0..<2 { _ = table.reserve(user: 1, two, now: 1_000) }
    table.release(user: 1, two, reservedAt: 1_000)
    #expect(table.check(user: 1, rule(2, day), now: 2_000))
    #expect(!table.check(user: 1, rule(1, day), now: 2_000))
    table.release(user: 1, two, reservedAt: 5_000)
    #expect(!table.check(user: 1, rule(1, day), now: 2_000))
    #expect(table.users == 1)
    table.release(user: 1, two, reservedAt: 1_000)
    #expect(table.users == 0)
    #expect(table.check(user: 1, rule(1, day), now: 2_000))
  }

  @Test func whatWasForgottenMayCountUntilTheOldestKeptIsOut() {
    let table = table()
    let two = use(keep: 2, window: day)
    for now: Int64 in [1_000, 2_000, 3_000] { _ = table.reserve(user: 1, two, now: now) }
    // Two are kept of three: a newer rule of a larger limit cannot know, nor can one of two after
    // a release.
    #expect(!table.check(user: 1, rule(5, 60), now: 4_000))
    table.release(user: 1, two, reservedAt: 3_000)
    #expect(!table.check(user: 1, rule(2, 60), now: 4_000))
    #expect(table.check(user: 1, rule(2, 60), now: 62_100))
    table.release(user: 1, two, reservedAt: 2_000)
    #expect(!table.check(user: 1, rule(1, 60), now: 4_000))
    #expect(table.check(user: 1, rule(1, 60), now: 62_100))
  }

  @Test func aReplayedJournalMayBeOutOfOrder() {
    let table = table()
    for now: Int64 in [9_000, 1_000, 5_000, 3_000, 7_000] {
      _ = table.reserve(user: 1, use(keep: 3, window: day), now: now)
    }
    let words = table.copy(of: 1)
    var entries = 0
    words.withUnsafeBufferPointer { buffer in
      guard let start = buffer.baseAddress else { return }
      CapRecord(words: start).forEach { entry in
        entries += 1
        #expect(entry.scope == .userCampaign && entry.key == 1 && entry.count == 3)
        #expect((0..<3).map { entry.timestamps[$0] } == [50, 70, 90])
        #expect(entry.isForgotten && !entry.isEstimate)
        return true
      }
    }
    #expect(entries == 1)
    #expect(words.count == 2 + 1 + 2 + 3)
  }

  @Test func aCopyAnswersAsTheTableDoes() throws {
    let table = table()
    let uses: [CapUse] = [
      .exact(.userRelease, key: 3, keep: 8, windowSeconds: day),
      .estimate(.userArtist, key: 3, windowSeconds: 100),
      .estimate(.userArtist, key: 3, windowSeconds: 1_000),
    ]
    for now in 0..<30 { _ = table.reserve(user: 9, uses, now: Int64(now) * 10_000) }
    #expect(table.copy(of: 8) == [])
    let words = table.copy(of: 9)
    try words.withUnsafeBufferPointer { buffer in
      try compare(CapRecord(words: #require(buffer.baseAddress)), table)
    }
  }

  private func compare(_ copy: CapRecord, _ table: CapBox) throws {
    #expect(copy.user == 9 && copy.entryCount == 3)
    for limit: UInt32 in 1...40 {
      for window: UInt32 in [50, 100, 500, 1_000] {
        for scope in CapScope.allCases {
          let one = CapRequirement(
            rule: CapRule(scope: scope, limit: limit, windowSeconds: window), key: 3)
          #expect(
            copy.allows(one, at: table.clock.deciseconds(at: 300_000))
              == table.check(user: 9, one, now: 300_000))
        }
      }
    }
  }

  @Test func aLargeLimitIsExceededByLessThanItself() {
    // The worst that there is: as many as are allowed at a bucket's end, and again.
    let one = rule(100, 1_000)
    let uses: [CapUse] = [.estimate(.userCampaign, key: 1, windowSeconds: 1_000)]
    for gap in stride(from: Int64(0), to: 1_000_000, by: 50_000) {
      let table = table()
      var granted: [Int64] = []
      for now in [999_900, 1_000_000 + gap] as [Int64] {
        while table.checkAndReserve(user: 1, [one], uses, now: now) { granted.append(now) }
      }
      #expect(granted.count(where: { $0 < 1_000_000 }) == 100)
      #expect(granted.count < 200)
    }
    // Evenly, it is never exceeded, and used to nine tenths.
    let table = table()
    var granted: [Int64] = []
    for now in stride(from: Int64(0), to: 10_000_000, by: 500) {
      if table.checkAndReserve(user: 1, [one], uses, now: now) {
        granted.append(now)
        #expect(granted.count(where: { now - $0 < 1_000_000 }) <= 110)
      }
    }
    #expect(granted.count > 900)
  }

  @Test func aUserWithTooManyScopesIsCapped() {
    let table = table()
    for key in 1...UInt64(Limits.capEntriesPerUser) {
      let reserved = table.reserve(user: 1, use(keep: 1, window: day, key: key), now: 0)
      #expect(reserved)
    }
    let before = table.bytes
    let more = table.reserve(user: 1, use(keep: 1, window: day, key: 0), now: 0)
    #expect(!more && table.bytes == before)
    let both = table.checkAndReserve(
      user: 1, [rule(1, day, key: 0)], use(keep: 1, window: day, key: 0), now: 0)
    #expect(!both)
    // One that is there already has its place, and so has a new one when the others are over.
    let again = table.reserve(user: 1, use(keep: 1, window: day, key: 5), now: 1_000)
    #expect(again)
    let month = Int64(30 * day) * 1_000 + 100
    let later = table.reserve(user: 1, use(keep: 1, window: day, key: 0), now: month)
    #expect(later)
  }

  @Test func rulesOfTooManyWindowsShareTheNextLonger() {
    let hours = (1...12).map {
      CapRule(scope: .userArtist, limit: 9, windowSeconds: UInt32($0) * 3_600)
    }
    let exact = CapRule(scope: .userArtist, limit: 8, windowSeconds: day)
    let keeping = CapKeeping(rules: hours + [exact])
    #expect(keeping.windows(of: .userArtist) == [1, 2, 3, 4, 6, 8, 10, 12].map { $0 * 3_600 })
    #expect(keeping.windows(of: .userRelease) == [])
    #expect(keeping.keep(of: .userArtist) == 8 && keeping.keep(of: .userCampaign) == 0)
    #expect(keeping.longestWindowSeconds == day)
    #expect(
      hours.map { keeping.counted($0).windowSeconds / 3_600 } == [
        1, 2, 3, 4, 6, 6, 8, 8, 10, 10, 12, 12,
      ])
    #expect(keeping.counted(exact) == exact)
    var uses: [CapUse] = []
    keeping.append(.userCampaign, key: 5, to: &uses)
    #expect(uses.isEmpty)
    keeping.append(.userArtist, key: 5, to: &uses)
    #expect(uses.count == 9)
    #expect(uses.first == .exact(.userArtist, key: 5, keep: 8, windowSeconds: day))
  }
}
