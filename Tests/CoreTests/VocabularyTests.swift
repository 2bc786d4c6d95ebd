import Testing

@testable import Core

struct VocabularyTests {
  /// `crescendo.v1.Fidelity` and `.Reason` of `score.proto`: the wire's numbers.
  @Test func numbersAreTheWires() {
    #expect(Fidelity.allCases.map(\.rawValue) == [0, 1, 2, 3, 4])
    #expect(
      Fidelity.allCases.map { "\($0)" } == ["unspecified", "none", "prior", "partial", "full"])
    #expect(Reason.allCases.map(\.rawValue) == [0, 1, 2, 3, 4])
    #expect(
      Reason.allCases.map { "\($0)" } == [
        "unspecified", "ok", "unknownItem", "deadline", "overload",
      ])
  }
}
