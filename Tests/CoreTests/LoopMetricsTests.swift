import Testing

@testable import Core

/// Rows of `LoopMetrics` are reckoned from raw values: those have to be 0, 1, 2, …
struct LoopMetricsTests {
  @Test func rawValuesAreIndices() {
    #expect(StatusCode.allCases.map(\.rawValue) == Array(0..<Int32(StatusCode.count)))
    #expect(Fidelity.allCases.map { Int($0.rawValue) } == Array(0..<Fidelity.count))
    #expect(Reason.allCases.map { Int($0.rawValue) } == Array(0..<Reason.count))
    #expect(RefusalReason.allCases.map(\.rawValue) == Array(0..<RefusalReason.allCases.count))
    #expect(
      CancellationSource.allCases.map(\.rawValue) == Array(0..<CancellationSource.allCases.count))
    #expect(HeldMemory.allCases.map(\.rawValue) == Array(0..<HeldMemory.allCases.count))
  }

  @Test func labelsAreDistinctWords() {
    let sets = [
      Fidelity.allCases.map(\.label), Reason.allCases.map(\.label),
      RefusalReason.allCases.map(\.label), CancellationSource.allCases.map(\.label),
      HeldMemory.allCases.map(\.label),
    ]
    for labels in sets {
      #expect(Set(labels).count == labels.count)
      for label in labels { #expect(MetricText.isLabel(label) && label == label.lowercased()) }
    }
  }
}
