import Core
import Testing

@testable import Transport

@Suite struct ProcessBudgetTests {
  private let whole = Limits.serving.processOutboundBytes

  /// Who holds much gets seven eighths; the rest is for those who hold little.
  @Test func theLastEighthIsForThoseWhoHoldLittle() {
    let budget = ProcessBudget()
    defer { budget.destroy() }
    #expect(budget.take(whole - whole / 8, holdsLittle: false))
    #expect(!budget.take(1, holdsLittle: false))
    #expect(budget.take(whole / 8, holdsLittle: true))
    #expect(!budget.take(1, holdsLittle: true))
    #expect(budget.heldBytes == whole)
    budget.giveBack(whole / 8)
    #expect(!budget.take(1, holdsLittle: false) && budget.take(1, holdsLittle: true))
    budget.giveBack(2)
    #expect(budget.take(1, holdsLittle: false))
  }
}
