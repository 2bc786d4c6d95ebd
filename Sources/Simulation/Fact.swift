internal import Campaigns
internal import Core
internal import Ledger

/// What somebody was told, or will be once it is durable; in the order in which it was decided.
enum Fact {
  case defined(campaign: UInt64, caps: [CapRule], version: Int)
  case funded(campaign: UInt64, budget: Int64)
  case allocated(AnsweredRequest)
  case exposed(Heard, ExposureOutcome, goal: Bool, at: Int64)
  case released(Heard, Core.ReleaseOutcome, at: Int64)
  /// Nothing was heard in time.
  case lapsed(reservation: UInt64, at: Int64)
}

extension Fact {
  /// When it was decided, ledger time, if the journal must know; nil: nothing was changed.
  var recordedAt: Int64? {
    switch self {
    case .defined, .funded: nil
    case .allocated(let answer): answer.at
    case .exposed(_, let outcome, _, let at):
      [.settled, .settledLate, .unpaid].contains(outcome) ? at : nil
    case .released(_, let outcome, let at): outcome == .released ? at : nil
    case .lapsed(_, let at): at
    }
  }
}

/// What a report or a release speaks of.
struct Heard {
  var reservation: UInt64
  var user: UInt64
  var campaign: UInt64
  var amount: Int64
  /// As the token says.
  var expires: Int64
}

/// A client's name of a request.
struct RequestName: Hashable {
  var user: UInt64
  var id: UInt64
}

/// An answer, as its bytes say.
struct AnsweredRequest {
  struct Placed {
    var reservation: UInt64
    var campaign: UInt64
    var amount: Int64
    /// `Int64.min`: none.
    var artist: Int64
    var release: Int64
    var expires: Int64
    var token: [UInt8]
  }

  var name: RequestName
  var digest: UInt64
  var bytes: [UInt8]
  /// When it was decided, ledger time.
  var at: Int64
  /// Of the campaigns by which it was decided.
  var version: Int
  var placements: [Placed]
}
