/// Two reports of `crescendo load`: two runs, or two sweeps rate by rate.
package struct LoadComparison: Sendable, Equatable {
  package var a: LoadDocument
  package var b: LoadDocument
  /// Of rates that both have; of two runs, whatever their rates.
  package var runs: [RunComparison]
  /// Of the reports as a whole.
  package var warnings: [String]

  /// A run is not compared with a sweep.
  package init(_ a: LoadDocument, _ b: LoadDocument) throws(ReportError) {
    guard a.isSweep == b.isSweep else {
      let (sweep, run) = a.isSweep ? (a.name, b.name) : (b.name, a.name)
      throw ReportError("\(sweep) is a sweep and \(run) is one run: compare like with like")
    }
    self.a = a
    self.b = b
    runs = []
    warnings = []
    guard a.isSweep else {
      runs = [RunComparison(a.runs[0], b.runs[0])]
      return
    }
    var left = b.runs
    var alone: [Double] = []
    for run in a.runs {
      if let index = left.firstIndex(where: { RunComparison.isSame($0.rate, run.rate) }) {
        runs.append(RunComparison(run, left.remove(at: index)))
      } else {
        alone.append(run.rate)
      }
    }
    // With no rate in common, no pair of runs would tell of it.
    if runs.isEmpty { warnings = RunComparison.differences(a.runs[0], b.runs[0]) }
    for (name, rates) in [("A", alone), ("B", left.map(\.rate))] where !rates.isEmpty {
      warnings.append(
        "only \(name) has " + rates.map { Units.rate($0) }.joined(separator: ", ") + " calls/s")
    }
  }
}
