internal import Core
public import Metrics
internal import Syscalls

/// Where a client's servers are and how it deals with them. Every default is meant to be used.
public struct ClientConfiguration: Sendable {
  /// How calls travel.
  public enum Framing: Sendable, Equatable {
    /// The session framing where the server speaks it, else gRPC.
    case automatic
    case grpc
    /// The session framing; methods that it does not carry, and servers that do not speak it, are
    /// called by gRPC all the same.
    case session
  }

  /// How one of several addresses is chosen for a call.
  public enum Balancing: Sendable, Equatable {
    case roundRobin
    case leastLoaded
    /// The same user goes to the same address for as long as it is there.
    case ringHashOnUser
  }

  /// Attempts after the first (gRPC A6), of calls that failed with UNAVAILABLE, or with
  /// RESOURCE_EXHAUSTED and a time to wait. A server's pushback is always obeyed.
  public struct Retries: Sendable, Equatable {
    /// Attempts of one call, the first included: 1 to 5; 1 = none is repeated.
    public var attemptsMax = 4
    /// The budget of all calls together, in tokens: 1 to 1,000. Each failure takes one; at half of
    /// them and below nothing is repeated.
    public var budgetTokens = 10
    /// Tokens that each success gives back: 0.001 to 1.
    public var budgetRatio = 0.1
    /// The bound of the first random wait, doubled each time: 1 ms or more.
    public var delayInitial: Duration = .milliseconds(10)
    /// At least `delayInitial`, at most an hour.
    public var delayMax: Duration = .seconds(1)
    public init() {}
  }

  /// A second attempt for a call whose answer is late. `score` and `streamScores` only; counts
  /// against the budget of `retries`.
  public struct Hedging: Sendable, Equatable {
    /// Attempts of one call, the first included: 2 to 5. A hedged call that fails is tried again at
    /// once instead of after a wait, up to this many times.
    public var attemptsMax = 3
    /// Which of the answers seen lately count as late: 0.5 to 0.999. Before a hundred answers
    /// nothing is hedged.
    public var percentile = 0.95
    /// Never sooner than this, and at most a minute.
    public var delayMin: Duration = .milliseconds(1)
    public init() {}
  }

  /// Turning calls away here that a server would turn away (SRE book, "Client-Side Throttling").
  public struct Throttling: Sendable, Equatable {
    /// Calls per accepted call from which on some are turned away: 1.1 to 100.
    public var k = 2.0
    public init() {}
  }

  /// PINGs while calls are open.
  public struct Keepalive: Sendable, Equatable {
    /// After so long without a byte from the server: 1 s or more.
    public var interval: Duration = .seconds(10)
    /// And after so long without an answer the connection is lost: 1 ms or more.
    public var timeout: Duration = .seconds(10)
    public init() {}
  }

  /// Between attempts to connect: doubled each time, and a fifth more or less by chance.
  public struct Backoff: Sendable, Equatable {
    /// 1 ms or more.
    public var initial: Duration = .milliseconds(100)
    /// At least `initial`, at most an hour.
    public var max: Duration = .seconds(5)
    public init() {}
  }

  /// What may wait or come at most. What is over a bound fails; nothing grows.
  public struct Bounds: Sendable, Equatable {
    /// Calls that wait for a connection with room: 0 to 1,000,000. More are RESOURCE_EXHAUSTED.
    public var waitingCalls = Limits.clientWaitingCalls
    /// Calls of one gRPC connection that are open at a time: 1 to 10,000. The server's own bound
    /// holds besides.
    public var callsPerConnection = Limits.clientCallsPerConnection
    /// The longest message taken as an answer, bytes: 1 KiB to 1 GiB.
    public var responseBytes = Limits.serving.messageBytes
    /// Answers of one streamed call that wait for its reader, bytes: 1 KiB to 1 GiB. Above it a
    /// gRPC server's window is not given back, and a session's `scoreMany` sends no more batches:
    /// the answers to those that were sent still come, and the server's credit (64 Ki candidates)
    /// bounds them. A session's `streamScores` may have all of its one answer waiting.
    public var unreadBytes = Limits.clientUnreadBytes
    /// Requests of one `scoreMany` that wait for the server, bytes: 1 KiB to 1 GiB.
    public var unsentBytes = Limits.clientUnsentBytes
    public init() {}
  }

  /// `HOST:PORT`, IPv6 hosts in brackets; 1 to 1,024.
  public var addresses: [String]
  /// By default the faster one that the server speaks; what it speaks is remembered.
  public var framing: Framing = .automatic
  /// Among addresses that are not ejected.
  public var balancing: Balancing = .roundRobin
  /// Connections to one address: 1 to 64. Another one is opened only when all are full.
  public var connectionsMax = 2
  /// Of a call that names none: 1 ms or more.
  public var timeout: Duration = .seconds(1)
  /// Until a connection is made, and until its server has said something: 1 ms or more. A session
  /// has 10 s more to open; from half a second on calls do not wait for it, but go by gRPC.
  public var connectTimeout: Duration = .seconds(5)
  /// What `close()` waits for open calls.
  public var closeTimeout: Duration = .seconds(5)
  /// Nil: no call is repeated, but for those that the server is known not to have seen.
  public var retries: Retries? = Retries()
  /// Nil: no call is hedged.
  public var hedging: Hedging? = Hedging()
  /// Nil: every call is sent.
  public var throttling: Throttling? = Throttling()
  /// Of gRPC connections and sessions alike.
  public var keepalive = Keepalive()
  /// Of each address by itself.
  public var backoff = Backoff()
  /// Of the client as a whole, unless it says otherwise.
  public var bounds = Bounds()
  /// Sent with every call, for example `authorization`. As `CallOptions.metadata`.
  public var metadata: [(name: String, value: String)] = []
  /// Whether an address whose calls fail is left alone for a while.
  public var ejection = true
  /// Of calls that bring none.
  public var fallback: LocalFallback?
  /// Nil = what `MetricsSystem` was bootstrapped with.
  public var metrics: (any MetricsFactory)?

  /// All else as by default. Checked when a client is made of it: `ClientConfigurationError`.
  public init(addresses: [String]) {
    self.addresses = addresses
  }
}

/// What of a configuration cannot be.
public struct ClientConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
  /// As in Swift, for example `retries.attemptsMax`.
  public let setting: String
  /// The setting and what it may be.
  public let description: String

  init(_ setting: String, _ reason: String) {
    self.setting = setting
    self.description = "\(setting) \(reason)"
  }
}
