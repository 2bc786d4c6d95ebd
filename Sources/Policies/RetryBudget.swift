/// How many retries and hedges one server's clients may add to a failing server: the token count
/// of gRPC A6, "Throttling Retry Attempts and Hedged RPCs". One for each server name.
///
/// Counted in thousandths of a token: A6 takes ratios of three decimals, and nothing is rounded.
package struct RetryBudget: Sendable, Equatable {
  private let fullThousandths: Int
  private let gainThousandths: Int
  private var thousandths: Int

  /// `maxTokens`: 1 to 1,000. `tokenRatio`: what a success gives back, 0.001 to `maxTokens`.
  package init(maxTokens: Int = 10, tokenRatio: Double = 0.1) {
    precondition((1...1_000).contains(maxTokens))
    precondition(tokenRatio >= 0.001 && tokenRatio <= Double(maxTokens))
    fullThousandths = maxTokens * 1_000
    gainThousandths = Int((tokenRatio * 1_000).rounded())
    thousandths = fullThousandths
  }

  /// Between 0 and `maxTokens`.
  package var tokens: Double { Double(thousandths) / 1_000 }

  /// Only above half: at half itself not.
  package var allowsRetry: Bool { 2 * thousandths > fullThousandths }

  /// An attempt came back OK.
  package mutating func recordSuccess() {
    thousandths = min(thousandths + gainThousandths, fullThousandths)
  }

  /// An attempt failed with a code that may be retried, or with a pushback that forbids it. Other
  /// failures say nothing of the server and are not recorded.
  package mutating func recordFailure() {
    thousandths = max(thousandths - 1_000, 0)
  }
}
