import Testing

@testable import Policies

@Suite struct RetryBudgetTests {
  private func budget(_ budget: RetryBudget, failures: Int, successes: Int = 0) -> RetryBudget {
    var budget = budget
    for _ in 0..<failures { budget.recordFailure() }
    for _ in 0..<successes { budget.recordSuccess() }
    return budget
  }

  @Test func retriesEndAtHalf() {
    #expect(RetryBudget().tokens == 10 && RetryBudget().allowsRetry)
    let above = budget(RetryBudget(), failures: 4)
    #expect(above.tokens == 6 && above.allowsRetry)
    let half = budget(RetryBudget(), failures: 5)
    #expect(half.tokens == 5 && !half.allowsRetry)
  }

  @Test func aSuccessGivesTheRatioBack() {
    let risen = budget(RetryBudget(), failures: 5, successes: 1)
    #expect(risen.tokens == 5.1 && risen.allowsRetry)
    let fine = budget(RetryBudget(maxTokens: 3, tokenRatio: 0.001), failures: 2, successes: 500)
    #expect(fine.tokens == 1.5 && !fine.allowsRetry)
    #expect(budget(fine, failures: 0, successes: 1).allowsRetry)
  }

  @Test func tokensStayBetweenZeroAndMax() {
    let empty = budget(RetryBudget(), failures: 20)
    #expect(empty.tokens == 0)
    #expect(!budget(empty, failures: 0, successes: 50).allowsRetry)
    #expect(budget(empty, failures: 0, successes: 51).allowsRetry)
    let full = budget(RetryBudget(), failures: 0, successes: 1_000)
    #expect(full.tokens == 10)
    #expect(budget(full, failures: 5).allowsRetry == false)
  }

  /// An odd number's half is no whole token.
  @Test func halfOfAnOddNumber() {
    #expect(budget(RetryBudget(maxTokens: 3), failures: 1).allowsRetry)
    #expect(!budget(RetryBudget(maxTokens: 3), failures: 2).allowsRetry)
    #expect(!budget(RetryBudget(maxTokens: 1), failures: 1).allowsRetry)
  }
}
