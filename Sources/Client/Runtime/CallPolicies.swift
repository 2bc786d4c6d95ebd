internal import Core
internal import Policies

/// What all calls of a client decide by together: the budget of further attempts, the throttle,
/// and how long answers take. Loop-confined.
struct CallPolicies {
  private let configuration: ClientConfiguration
  var random: SplitMix64
  private var budget: RetryBudget
  private var throttle: AdaptiveThrottle?
  private var hedgeDelays: [HedgeDelay] = []

  init(_ configuration: ClientConfiguration, seed: UInt64) {
    self.configuration = configuration
    random = SplitMix64(seed: seed)
    let retries = configuration.retries ?? ClientConfiguration.Retries()
    budget = RetryBudget(maxTokens: retries.budgetTokens, tokenRatio: retries.budgetRatio)
    throttle = configuration.throttling.map { AdaptiveThrottle(multiplier: $0.k) }
    if let hedging = configuration.hedging {
      hedgeDelays = ClientMethod.allCases.map { _ in
        HedgeDelay(
          percentile: hedging.percentile, minNanoseconds: hedging.delayMin.nanoseconds,
          maxNanoseconds: HedgeDelay.longestNanoseconds)
      }
    }
  }

  /// How the attempts of one call are made.
  func attempts(_ head: CallHead) -> CallAttempts {
    let retries = (head.retries ?? true) ? configuration.retries : nil
    let hedging = (head.hedging ?? true) ? configuration.hedging : nil
    var settings = CallAttempts.Configuration(deadlineNanoseconds: head.deadlineNanoseconds)
    if head.method.hasOneRequest, let retries {
      settings.maxAttempts = retries.attemptsMax
      settings.retryableCodes = [.unavailable, .resourceExhausted]
      settings.retryDelay = RetryDelay(
        initialNanoseconds: retries.delayInitial.nanoseconds,
        maxNanoseconds: retries.delayMax.nanoseconds)
    }
    if head.method.isHedgeable, let hedging,
      let delay = hedgeDelays[head.method.rawValue].nanoseconds
    {
      settings.maxAttempts = hedging.attemptsMax
      settings.hedgeAfterNanoseconds = delay
    }
    return CallAttempts(settings)
  }

  mutating func handle(
    _ event: CallAttempts.Event, _ attempts: inout CallAttempts, now: UInt64
  ) -> CallActions {
    attempts.handle(event, now: now, budget: &budget, random: &random)
  }

  /// False: the call is turned away here, because servers turn away most.
  mutating func admits(now: UInt64) -> Bool {
    throttle?.admits(now: now, &random) ?? true
  }

  /// A server has answered an attempt.
  mutating func answered(_ code: StatusCode, now: UInt64) {
    throttle?.record(isAccepted: AdaptiveThrottle.isAccepted(code), now: now)
  }

  /// An attempt took so long, or was given up for another after so long.
  mutating func took(_ method: ClientMethod, nanoseconds: UInt64) {
    guard method.isHedgeable, !hedgeDelays.isEmpty else { return }
    hedgeDelays[method.rawValue].record(latencyNanoseconds: nanoseconds)
  }
}

extension AttemptEnd {
  /// What it is to the policies. Only what a server or a connection could not do is tried again:
  /// this client's own refusals are not, nor is a server's bound that names no time to wait.
  var outcome: CallAttempts.Outcome {
    if code == .ok { return .ok }
    let isFinal =
      origin == .client || (code == .resourceExhausted && pushbackMilliseconds == nil)
    return .failed(
      isFinal ? .failedPrecondition : code, pushbackMilliseconds: pushbackMilliseconds)
  }

  /// What it says of the address.
  var verdict: OutlierEjection.Outcome {
    switch (origin, code) {
    case (.client, _), (_, .resourceExhausted), (_, .cancelled): .unknown
    case (_, .unavailable), (_, .deadlineExceeded), (.connection, _): .failure
    default: .success
    }
  }
}
