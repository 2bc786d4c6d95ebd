internal import Synchronization

/// What the ledger does at the moment, for whoever asks on whatever thread; said by the store's.
///
/// Without it nothing is allocated or settled, and boosts are 0: there is nothing to spend. Scoring
/// goes on.
final class LedgerCondition: Sendable {
  enum State: UInt8, Sendable, CaseIterable {
    case serving = 0
    /// The storage takes nothing now: it is tried again.
    case waiting = 1
    /// The storage may have lost something, or the books do not balance: until a restart.
    case stopped = 2

    /// As metrics name it.
    var label: String {
      switch self {
      case .serving: "serving"
      case .waiting: "waiting"
      case .stopped: "stopped"
      }
    }
  }

  private let value = Atomic<UInt8>(State.serving.rawValue)
  private let interruptions = Atomic<Int>(0)

  var state: State { State(rawValue: value.load(ordering: .relaxed)) ?? .stopped }

  var isServing: Bool { state == .serving }

  /// How often it ceased to serve.
  var halts: Int { interruptions.load(ordering: .relaxed) }

  func set(_ state: State) {
    if isServing, state != .serving { interruptions.wrappingAdd(1, ordering: .relaxed) }
    value.store(state.rawValue, ordering: .relaxed)
  }

  /// For an operator; nil while it serves.
  var notice: String? {
    switch state {
    case .serving: nil
    case .waiting: "the ledger waits for its storage, and tries it again: \(LedgerCondition.effect)"
    case .stopped: "the ledger has stopped until a restart: \(LedgerCondition.effect)"
    }
  }

  static let effect = "nothing is allocated or settled, and boosts are 0"
}
