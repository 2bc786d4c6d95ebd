internal import Campaigns
internal import Core
internal import Ledger

/// The account that is kept apart: what `allocation.md` says, on plain dictionaries, from what
/// clients and owners were told. Nothing here knows how the ledger works.
final class Oracle {
  struct Money: Equatable {
    var funded: Int64 = 0
    var reserved: Int64 = 0
    var spent: Int64 = 0
    var unpaid: Int64 = 0
    var exposures: Int64 = 0
    var unpaidExposures: Int64 = 0
    var goals: Int64 = 0
  }

  enum State {
    case open
    /// Given back, or its time was over.
    case released
    case exposed
  }

  struct Placement {
    var user: UInt64
    var campaign: UInt64
    var amount: Int64
    var state = State.open
    var hasGoal = false
    /// As its token says.
    var expires: Int64
    /// Until when it is kept.
    var until: Int64
  }

  private struct Answer {
    var bytes: [UInt8]
    var digest: UInt64
    var at: Int64
    var expires: Int64
  }

  private let times: LedgerTimes
  private var money: [UInt64: Money] = [:]
  private var placements: [UInt64: Placement] = [:]
  private var open: Set<UInt64> = []
  private var answers: [RequestName: Answer] = [:]
  private var caps = CapOracle()
  /// Exposures whose entries must be in the journal.
  private var journaled: [(reservation: UInt64, at: Int64)] = []
  private(set) var repeatedTooLate = 0
  /// The latest ledger time of what the journal has.
  private var latest = Int64.min
  var violations: [String] = []

  init(times: LedgerTimes) { self.times = times }

  var capsChecked: Int { caps.checked }

  func confirm(_ fact: Fact) {
    latest = max(latest, fact.recordedAt ?? .min)
    switch fact {
    case .defined(let campaign, let rules, let version):
      caps.define(campaign, rules, version: version)
    case .funded(let campaign, let budget):
      money[campaign, default: Money()].funded = budget
      check(campaign)
    case .allocated(let answer): allocated(answer)
    case .exposed(let heard, let outcome, let goal, let at): exposed(heard, outcome, goal, at)
    case .released(let heard, let outcome, let at): released(heard, outcome, at)
    case .lapsed(let reservation, let at):
      guard let placement = placements[reservation], placement.state == .open,
        placement.until <= at
      else { return violations.append("\(reservation) was released before its time") }
      end(reservation, placement, .released)
    }
  }

  private func check(_ campaign: UInt64) {
    guard let own = money[campaign] else { return }
    if own.spent + own.reserved > own.funded {
      violations.append("campaign \(campaign) is overspent: \(own)")
    }
  }

  // MARK: Allocations

  private func allocated(_ answer: AnsweredRequest) {
    if let before = answers[answer.name], answer.at < before.expires {
      violations.append("\(answer.name) was answered anew")
    }
    answers[answer.name] = Answer(
      bytes: answer.bytes, digest: answer.digest, at: answer.at,
      expires: answer.at + times.reservation)
    for placed in answer.placements {
      if placements[placed.reservation] != nil {
        violations.append("reservation \(placed.reservation) was made twice")
      }
      if placed.expires != answer.at + times.reservation {
        violations.append("reservation \(placed.reservation) is for another time")
      }
      placements[placed.reservation] = Placement(
        user: answer.name.user, campaign: placed.campaign, amount: placed.amount,
        expires: placed.expires, until: placed.expires)
      open.insert(placed.reservation)
      money[placed.campaign, default: Money()].reserved += placed.amount
      check(placed.campaign)
      if let broken = caps.place(placed, of: answer) { violations.append(broken) }
    }
  }

  /// A request came again at `time`, and had this answer at `told`. An answer is kept for its time:
  /// where the clock leapt over the end of it in between, there may be none, or its name may have
  /// become another's; `repeatedTooLate` counts these.
  func repeated(
    _ name: RequestName, digest: UInt64, at time: Int64, told: Int64, _ bytes: [UInt8]?
  ) {
    if let answer = answers[name],
      answer.at > time || bytes == nil && told >= answer.expires
    {
      repeatedTooLate += 1
      return
    }
    guard let answer = answers[name], answer.digest == digest, answer.bytes == bytes else {
      return violations.append("\(name) came again, and was answered otherwise")
    }
  }

  /// A request was refused because its name is another's.
  func conflict(_ name: RequestName, digest: UInt64, at: Int64) {
    if let answer = answers[name], answer.digest == digest, at < answer.expires {
      violations.append("\(name) came again, and was taken for another")
    }
  }

  // MARK: What comes back

  private func exposed(
    _ heard: Heard, _ outcome: ExposureOutcome, _ goal: Bool, _ at: Int64
  ) {
    let reservation = heard.reservation
    guard let placement = placements[reservation] else {
      if outcome != .unknownReservation && outcome != .expired {
        violations.append("\(outcome) of the unknown reservation \(reservation)")
      }
      return
    }
    let isRight: Bool
    switch outcome {
    case .settled: isRight = placement.state == .open
    case .settledLate, .unpaid: isRight = placement.state == .released
    case .duplicate: isRight = placement.state == .exposed && !(goal && !placement.hasGoal)
    case .goalAdded: isRight = placement.state == .exposed && goal && !placement.hasGoal
    case .expired: isRight = placement.state != .open && at > heard.expires + times.report
    case .forged, .unknownReservation, .invalidTime: isRight = false
    }
    guard isRight else {
      return violations.append("\(outcome) of \(reservation), which is \(placement)")
    }
    switch outcome {
    case .settled, .settledLate:
      money[placement.campaign]?.spent += placement.amount
      money[placement.campaign]?.exposures += 1
    case .unpaid:
      money[placement.campaign]?.unpaid += placement.amount
      money[placement.campaign]?.unpaidExposures += 1
    default: break
    }
    if outcome != .duplicate, outcome != .goalAdded, outcome != .expired {
      journaled.append((reservation, at))
      if outcome != .settled { caps.late(placement, at: at) }
      end(reservation, placement, .exposed)
    }
    if goal, outcome != .expired, !placement.hasGoal {
      placements[reservation]?.hasGoal = true
      money[placement.campaign]?.goals += 1
    }
    check(placement.campaign)
  }

  private func released(_ heard: Heard, _ outcome: Core.ReleaseOutcome, _ at: Int64) {
    let reservation = heard.reservation
    let state = placements[reservation]?.state
    let isRight: Bool
    switch outcome {
    case .released: isRight = state == .open
    case .alreadyReleased:
      isRight = state == .released || at > heard.expires + times.report
    case .settled: isRight = state == .exposed
    case .unknown: isRight = state == nil
    case .forged: isRight = false
    }
    if !isRight {
      violations.append("release of \(reservation) was \(outcome), not \(state as Any)")
    }
    if outcome == .released, let placement = placements[reservation] {
      end(reservation, placement, .released)
    }
  }

  private func end(_ reservation: UInt64, _ placement: Placement, _ state: State) {
    if placement.state == .open {
      money[placement.campaign]?.reserved -= placement.amount
      open.remove(reservation)
      if state == .released { caps.release(reservation, of: placement.user) }
    }
    placements[reservation]?.state = state
  }

  // MARK: What the server has

  /// After a start on another boot nobody knows how long it took: what is open has its whole time.
  func restarted(at now: Int64, isSameBoot: Bool) {
    if now < latest { violations.append("ledger time went back from \(latest) to \(now)") }
    for reservation in open {
      guard let expires = placements[reservation]?.expires else { continue }
      placements[reservation]?.until = isSameBoot ? expires : now + times.reservation
    }
  }

  /// To the micro.
  func compare(_ totals: [CampaignTotals], _ when: String) {
    for total in totals {
      let theirs = Money(
        funded: total.funded.value, reserved: total.reserved.value, spent: total.spent.value,
        unpaid: total.unpaid.value, exposures: total.exposures,
        unpaidExposures: total.unpaidExposures, goals: total.goals)
      let own = money[total.campaign] ?? Money()
      if own != theirs {
        violations.append("\(when), campaign \(total.campaign): \(own), not \(theirs)")
      }
    }
    let known = money.values.count { $0 != Money() }
    if known > totals.count { violations.append("\(when): \(totals.count) of \(known) campaigns") }
  }

  func checkOpen(_ count: Int, _ when: String) {
    if count != open.count { violations.append("\(when): \(open.count) are open, not \(count)") }
  }

  /// Entries before `time` may be gone.
  func compacted(before time: Int64) { journaled.removeAll { $0.at < time } }

  /// Every exposure that was acknowledged is there.
  func checkJournal(_ entries: [JournalEntry], _ when: String) {
    var found: Set<UInt64> = []
    for entry in entries {
      switch entry.kind {
      case .settle, .settleLate, .unpaid: found.insert(entry.reservation)
      default: break
      }
    }
    for (reservation, _) in journaled where !found.contains(reservation) {
      return violations.append("\(when): the exposure of \(reservation) is lost")
    }
  }
}
