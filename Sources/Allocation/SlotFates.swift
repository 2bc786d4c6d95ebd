internal import Campaigns
internal import Core

/// What became of what might have gone into the slots of an answer: of every option with a gain.
struct SlotFates {
  enum Fate {
    case placed
    /// By what the user has had, or by what else is in the answer.
    case capped
    /// The campaign could not pay for it, or for no more than was placed.
    case spent
    /// Its item was placed for another campaign, or every slot was full.
    case outdone
  }

  let request: AllocationRequest
  /// Those of the request's options that the user's caps leave; in the request's order.
  let open: [SlotOption]
  /// Those of them that can be paid for; in the same order.
  let payable: [SlotOption]
  let granted: [GrantedPlacement]
  /// Campaigns whose money was gone when it was reserved, and whether there was no room to reserve.
  let unpaid: Set<UInt64>
  let isFull: Bool

  private var areFilled: Bool { granted.count == request.slots }

  /// Calls `body` with every option that has a gain.
  private func forEach(_ body: (SlotOption, Fate) -> Void) {
    let rows = Set(granted.map(\.choice.row))
    var placed: [Int32: Int32] = [:]
    for one in granted { placed[one.choice.campaign, default: 0] += 1 }
    var (nextOpen, nextPayable) = (0, 0)
    for option in request.options {
      let isOpen = nextOpen < open.count && option.isSame(open[nextOpen])
      let isPayable = nextPayable < payable.count && option.isSame(payable[nextPayable])
      let affordable = isPayable ? payable[nextPayable].affordable : 0
      if isOpen { nextOpen += 1 }
      if isPayable { nextPayable += 1 }
      guard option.gain > 0 else { continue }
      let fate: Fate =
        if !isOpen {
          .capped
        } else if !isPayable {
          .spent
        } else if rows.contains(option.row) {
          granted.contains { $0.choice.row == option.row && $0.choice.key == option.key }
            ? .placed : .outdone
        } else if areFilled {
          .outdone
        } else if unpaid.contains(option.key) || placed[option.campaign, default: 0] >= affordable {
          .spent
        } else {
          .capped
        }
      body(option, fate)
    }
  }

  /// Why slots stayed empty; `ok`: none did. What kept most candidates away that a campaign promotes
  /// and that were not placed; only where there are none, what the others are.
  var unfilledReason: BoostReason {
    guard !areFilled else { return .ok }
    guard !isFull else { return .overload }
    // As far as each candidate's best option came.
    var fates: [Int32: BoostReason] = [:]
    let rows = Set(granted.map(\.choice.row))
    forEach { option, fate in
      guard !rows.contains(option.row) else { return }
      switch fate {
      case .placed, .outdone: break
      case .capped: fates[option.position] = fates[option.position] ?? .capped
      case .spent: fates[option.position] = .budgetSpent
      }
    }
    var reasons = request.reasons
    for reason in fates.values { reasons[reason, default: 0] += 1 }
    reasons[.ok] = nil
    var promoted = reasons
    promoted[.noCampaign] = nil
    promoted[.unknownItem] = nil
    return SlotFates.most(promoted) ?? SlotFates.most(reasons) ?? .noCandidates
  }

  /// Of equals the first by number.
  private static func most(_ reasons: [BoostReason: Int]) -> BoostReason? {
    reasons.filter { $0.value > 0 }
      .max { ($0.value, $1.key.rawValue) < ($1.value, $0.key.rawValue) }?.key
  }

  /// Candidates that were kept from a slot, by campaign.
  func add(to kept: inout [UInt64: KeptAway], scale: UInt64) {
    forEach { option, fate in
      switch fate {
      case .placed, .outdone: break
      case .capped: kept[option.key, default: KeptAway()].capped += scale
      case .spent: kept[option.key, default: KeptAway()].spent += scale
      }
    }
  }
}

/// Candidates of a campaign that had a boost, and that a user's shard kept from a slot.
package struct KeptAway: Sendable, Equatable {
  package var capped: UInt64 = 0
  package var spent: UInt64 = 0

  package init() {}

  package static func += (left: inout KeptAway, right: KeptAway) {
    left.capped += right.capped
    left.spent += right.spent
  }
}

extension SlotOption {
  /// Of two in the order of one request.
  fileprivate func isSame(_ other: SlotOption) -> Bool {
    position == other.position && campaign == other.campaign
  }
}
