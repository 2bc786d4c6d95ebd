internal import Allocation
internal import Campaigns
internal import Core
internal import Ledger

/// What campaigns that explore have learned: of each the goals that the model expected of what was
/// placed, to hold what was heard against. On the store's thread.
///
/// Evidence says nothing before there is an expectation, and both last over a restart: what was
/// heard lies in the ledger, what was expected in a note.
struct ExplorationKeeper {
  private var expected: [UInt64: ExpectedGoals] = [:]
  private var isNew = false
  private var lastNote = Int64.min

  static let note = "exploration.expected"

  init() {}

  /// From `encoded`; what is no such thing is no expectation.
  init(decoding bytes: [UInt8]) {
    guard let words = NoteWords.decode(bytes), words.count % 3 == 0 else { return }
    for at in stride(from: 0, to: words.count, by: 3) {
      let goals = Double(bitPattern: words[at + 1])
      let placements = Double(bitPattern: words[at + 2])
      guard goals.isFinite, placements.isFinite, goals >= 0, placements > 0 else { continue }
      expected[words[at]] = ExpectedGoals(goals: goals, placements: placements)
    }
  }

  /// `NoteWords`: of each campaign its key, the goals and the placements.
  var encoded: [UInt8] {
    NoteWords.encode(
      expected.sorted { $0.key < $1.key }.flatMap { key, expected in
        [key, expected.goals.bitPattern, expected.placements.bitPattern]
      })
  }

  mutating func add(_ goals: ExpectedGoals, to campaign: UInt64) {
    guard goals.placements > 0 else { return }
    if expected[campaign] == nil { isNew = true }
    expected[campaign, default: ExpectedGoals()].add(goals)
  }

  /// What is known of a campaign's goal rate.
  func posterior(_ campaign: UInt64, _ totals: CampaignTotals?) -> BetaPosterior {
    guard let rate = expected[campaign]?.rate else { return .uniform }
    guard let totals else { return BetaPosterior(expected: rate, successes: 0, failures: 0) }
    let goals = Double(min(totals.goals, totals.exposures))
    return BetaPosterior(
      expected: rate, successes: goals, failures: Double(totals.exposures) - goals)
  }

  /// Whether it is to be stored now: with the day's traffic, and soon after a campaign is new.
  mutating func isDue(at now: Int64, withTraffic: Bool) -> Bool {
    guard !expected.isEmpty else { return false }
    guard withTraffic || (isNew && now - Limits.expectationNoteMilliseconds >= lastNote) else {
      return false
    }
    (isNew, lastNote) = (false, now)
    return true
  }
}
