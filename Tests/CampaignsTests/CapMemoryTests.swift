import Campaigns
import Core
import Foundation
import Testing

@Suite struct CapMemoryTests {
  private let week: UInt32 = 7 * 86_400

  /// Users with 1 to 5 scopes, as many with each number, of three kinds and 100,000 campaigns;
  /// every scope gets 3 timestamps. Exposures come in rounds over all users, so that every record
  /// grows many times.
  private func filled(users: Int, pageBits: Int) -> CapBox {
    let table = CapBox(longest: week, seed: 1, pageBits: pageBits)
    for round in 0..<15 {
      let scope = round % 5
      for user in 0..<users where user % 5 >= scope {
        let bits = splitmix64(UInt64(user))
        let kind = CapScope.allCases[scope % 3]
        let key = splitmix64(bits &+ UInt64(scope)) % 100_000
        let isIn = table.reserve(
          user: bits, [.exact(kind, key: key, keep: 3, windowSeconds: week)],
          now: Int64(round) * 60_000)
        if !isIn { Issue.record("user \(user) was refused") }
      }
    }
    return table
  }

  /// CRESCENDO_CAP_USERS=1000000 measures a million, by default a page like that million's.
  @Test func aUserTakesAtMost100Bytes() {
    let asked = ProcessInfo.processInfo.environment["CRESCENDO_CAP_USERS"].flatMap(Int.init)
    for users in [1_000, asked ?? 16_000] {
      // 250 users a page, as a million has on 4,096; what does not grow with users is left out.
      let pageBits = asked == nil || users == 1_000 ? (users == 1_000 ? 2 : 6) : 12
      let table = filled(users: users, pageBits: pageBits)
      #expect(table.users == users)
      let fixed = users < 100_000 ? CapBox(longest: week, pageBits: pageBits).bytes : 0
      let bytes = Double(table.bytes - fixed) / Double(users)
      #expect(bytes <= 100, "\(users) users: \(bytes) bytes each")
      // 8 of the id, 4 or 8 of the head, 20 for each scope.
      #expect(bytes > 72)
    }
  }

  @Test func expiryGivesMemoryBackInBoundedSteps() {
    let table = filled(users: 10_000, pageBits: 6)
    let full = table.bytes
    // Half of the users come once more, and only they stay.
    let later = Int64(week) * 1_000 + 10 * 60_000
    for user in 0..<10_000 where user % 2 == 0 {
      _ = table.reserve(
        user: splitmix64(UInt64(user)),
        [.exact(.userCampaign, key: 1, keep: 3, windowSeconds: week)], now: later)
    }
    var visited = 0
    var calls = 0
    while visited < 10_000 && calls < 1_000 {
      let step = table.expire(now: later + Int64(week) * 900, budget: 100)
      // A page holds 156 users of 10,000 ± 5 σ.
      #expect(step < 100 + 220)
      visited += step
      calls += 1
      if step == 0 { break }
    }
    #expect(table.users == 5_000)
    #expect(calls > 20)
    #expect(table.bytes < full / 3)
    for _ in 0..<64 { _ = table.expire(now: later + Int64(week) * 1_100, budget: 1) }
    #expect(table.users == 0)
    #expect(table.bytes < 20_000)
  }
}
