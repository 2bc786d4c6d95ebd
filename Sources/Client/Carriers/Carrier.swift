package import Core
internal import Wire

/// The methods that a client calls.
package enum ClientMethod: Int, Sendable, CaseIterable {
  case score, streamScores, scoreMany, checkHealth

  package var path: StaticString {
    switch self {
    case .score: WireNames.scorePath
    case .streamScores: WireNames.streamScoresPath
    case .scoreMany: WireNames.scoreManyPath
    case .checkHealth: WireNames.healthCheckPath
    }
  }

  /// As metrics show it.
  package var name: String {
    switch self {
    case .score: "Score"
    case .streamScores: "StreamScores"
    case .scoreMany: "ScoreMany"
    case .checkHealth: "Check"
    }
  }

  /// Whether its answer is exactly one message.
  package var isUnary: Bool { self == .score || self == .checkHealth }
  /// Whether its request is exactly one message.
  package var hasOneRequest: Bool { self != .scoreMany }
  /// Whether the same call may be made twice at a time.
  package var isHedgeable: Bool { self == .score || self == .streamScores }
}

/// What a call says beside its messages: the same for all of its attempts.
package struct CallHead: Sendable {
  package var method: ClientMethod
  /// Monotonic, by the loop's clock.
  package var deadlineNanoseconds: UInt64
  package var isBatch = false
  package var metadata: [MetadataEntry] = []
  /// Its metadata has what no CALL of a session carries.
  package var isGRPCOnly = false
  /// The caller's own wish; nil = as configured.
  package var retries: Bool?
  package var hedging: Bool?
}

/// One request message.
package struct OutgoingMessage: Sendable {
  package var bytes: [UInt8]
  /// Candidates in it.
  package var work: Int
  /// What it was charged for at the call's gate, bytes; 0 where there is no gate.
  package var charge = 0
}

/// What an attempt came to.
package struct AttemptEnd: Sendable, Equatable {
  /// OK, or why not.
  package var code: StatusCode
  package var message: String
  package var origin: RPCError.Origin
  /// A2 `grpc-retry-pushback-ms`: −1 = do not retry; nil = nothing is said.
  package var pushbackMilliseconds: Int32?
  /// A serialized `google.rpc.Status`; may be empty.
  package var details: [UInt8]

  package init(
    _ code: StatusCode, _ message: String, origin: RPCError.Origin,
    pushbackMilliseconds: Int32? = nil, details: [UInt8] = []
  ) {
    self.code = code
    self.message = message
    self.origin = origin
    self.pushbackMilliseconds = pushbackMilliseconds
    self.details = details
  }

  package static let ok = AttemptEnd(.ok, "", origin: .server)

  package var error: RPCError? {
    guard code != .ok else { return nil }
    let pushback = pushbackMilliseconds.map {
      $0 < 0 ? RPCError.Pushback.doNotRetry : .wait(.milliseconds($0))
    }
    return RPCError(
      RPCError.Code(code), message, origin: origin, pushback: pushback, details: details)
  }
}

/// Who made an attempt, and hears of it; on the loop.
package protocol AttemptOwner: AnyObject {
  /// A whole message of the answer.
  func attempt(_ attempt: Attempt, received message: [UInt8])
  /// So many more of its request messages, in their order, are no longer held here.
  func attempt(_ attempt: Attempt, sent messageCount: Int)
  /// The end; nothing follows. Not told of an attempt that was cancelled.
  func attempt(_ attempt: Attempt, ended end: AttemptEnd)
  /// The server has not begun with it and never will: it may be made anew elsewhere, without any
  /// effect. `isRefusal`: by REFUSED_STREAM, which costs a server more than GOAWAY or DRAIN.
  /// Nothing follows.
  func attempt(_ attempt: Attempt, wasNotStarted why: AttemptEnd, isRefusal: Bool)
}

/// One attempt of a call, from when it is wanted to its end. Loop-confined.
package final class Attempt {
  package let head: CallHead
  /// Its name within its call.
  package let index: Int
  /// Attempts of the same call before it that count.
  package let previousAttempts: Int
  /// Messages that are known when it starts; at least one.
  package private(set) var first: [OutgoingMessage]
  /// No more will follow `first`.
  package private(set) var firstAreAll: Bool
  package weak var owner: (any AttemptOwner)?
  /// Where it runs; nil before and afterwards.
  package internal(set) weak var carrier: (any Carrier)?
  /// Whatever the carrier keeps of it.
  package var carrierState: AnyObject?
  /// Which address it went to.
  package internal(set) var endpoint: Int?
  /// Whether that address was ejected, and this attempt tells whether it is well again.
  var isProbe = false
  /// When it was wanted.
  let placedNanoseconds: UInt64
  /// Of its request, no longer held.
  var sentMessages = 0

  package init(
    _ head: CallHead, index: Int, previousAttempts: Int, placedNanoseconds: UInt64,
    first: [OutgoingMessage], firstAreAll: Bool,
    owner: any AttemptOwner
  ) {
    self.head = head
    self.index = index
    self.previousAttempts = previousAttempts
    self.placedNanoseconds = placedNanoseconds
    self.first = first
    self.firstAreAll = firstAreAll
    self.owner = owner
  }

  /// Before it has started: one more message, or that there are no more.
  func append(_ message: OutgoingMessage?, isLast: Bool) {
    if let message { first.append(message) }
    firstAreAll = firstAreAll || isLast
  }

  func forgetMessages() { first = [] }
}

/// One framing on one connection: takes attempts and reports their events to their owners.
///
/// Loop-confined. Events may come from within any of its calls but `init`. One that is over ends
/// all its attempts first.
package protocol Carrier: AnyObject {
  /// Whether it can carry this method at all.
  func serves(_ method: ClientMethod) -> Bool
  /// Whether an attempt can be started now.
  var hasRoom: Bool { get }
  /// Attempts that take part of its room.
  var openCalls: Int { get }
  /// Starts an attempt that there is room for: sets its `carrier` and sends its first messages.
  func start(_ attempt: Attempt, nowNanoseconds: UInt64)
  /// One more request message of a running attempt, or nil; `isLast`: no more will follow.
  func send(_ message: OutgoingMessage?, isLast: Bool, of attempt: Attempt)
  /// Its owner wants to hear no more of it: the server is told, the owner is not.
  func cancel(_ attempt: Attempt)
  /// Bytes of a streamed answer have been read by the caller, so that more may come.
  func taken(_ byteCount: Int, of attempt: Attempt)
  /// No new calls; those that are open finish.
  func drain()
}

/// A carrier that has to be agreed on with the server before it has room: sessions.
package enum CarrierOpening: Sendable, Equatable {
  /// It takes calls from now on.
  case opened
  /// The server does not speak it; `remembersForNanoseconds`: it will not for so long.
  case notSpoken(remembersForNanoseconds: UInt64?)
}

/// Whoever has a carrier.
package protocol CarrierOwner: AnyObject {
  func carrier(_ carrier: any Carrier, opening: CarrierOpening)
  /// There may be room where there was none.
  func carrierHasRoom(_ carrier: any Carrier)
  /// It takes no new calls any more.
  func carrierIsDraining(_ carrier: any Carrier)
  /// It is over: no attempt of it is left.
  func carrierIsOver(_ carrier: any Carrier, _ reason: String)
}
