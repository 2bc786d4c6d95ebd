import Campaigns
import Core
import Testing

@Suite struct BetaPosteriorTests {
  @Test(arguments: [
    (0.0, 0.0, 1.0), (3, 997, 1), (40, 10, 1), (500, 500, 1), (0, 1, 0.3), (0, 0, 0.05),
    (1e6, 1e9, 1),
  ])
  func drawsHaveTheMeanAndVarianceOfTheDistribution(
    successes: Double, failures: Double, prior: Double
  ) {
    let posterior = BetaPosterior(
      successes: successes, failures: failures, priorSuccesses: prior, priorFailures: prior)
    var random = SplitMix64(seed: 17)
    let count = 20_000.0
    var sum = 0.0
    var squares = 0.0
    var isInside = true
    for _ in 0..<Int(count) {
      let draw = posterior.sample(using: &random)
      isInside = isInside && (0...1).contains(draw)
      sum += draw
      squares += (draw - posterior.mean) * (draw - posterior.mean)
    }
    #expect(isInside)
    let deviation = posterior.variance.squareRoot()
    // Five standard errors; that of the variance is at most √(kurtosis ÷ n) of it.
    #expect(abs(sum / count - posterior.mean) < 5 * deviation / count.squareRoot())
    #expect(abs(squares / count / posterior.variance - 1) < 0.12)
  }

  @Test func aUniformPriorIsUniform() {
    var random = SplitMix64(seed: 18)
    var tenths = Array(repeating: 0, count: 10)
    for _ in 0..<20_000 {
      tenths[min(Int(BetaPosterior().sample(using: &random) * 10), 9)] += 1
    }
    // Of 2,000 ± 42 each.
    #expect(tenths.allSatisfy { (1_780...2_220).contains($0) })
  }

  @Test func whatIsRecordedMovesTheMean() {
    var posterior = BetaPosterior()
    #expect(posterior.mean == 0.5)
    posterior.record(successes: 2, failures: 6)
    #expect(posterior.alpha == 3 && posterior.beta == 7 && posterior.mean == 0.3)
    #expect(posterior == BetaPosterior(successes: 2, failures: 6))
  }

  @Test func theSameSeedDrawsTheSame() {
    var one = SplitMix64(seed: 1)
    var two = SplitMix64(seed: 1)
    let posterior = BetaPosterior(successes: 12, failures: 90)
    for _ in 0..<100 {
      #expect(posterior.sample(using: &one) == posterior.sample(using: &two))
    }
  }
}
