import Models
import Testing

/// The walker against the real LightGBM: `conformance/make.py` trains and fuzzes models and says
/// what LightGBM makes of fuzzed rows; every score must agree to the last bit.
///
/// Needs Python with `lightgbm` and `numpy`: the one of `tools/setup test`, or of
/// `CRESCENDO_TEST_PYTHON`. Without it, this suite is skipped, and the run says so.
@Suite(
  .enabled(
    if: ConformanceKit.python != nil, "no Python with lightgbm; run tools/setup test"))
struct LightGBMConformanceTests {
  @Test func scoresAgreeToTheLastBit() throws {
    let seed = 20_261_123
    let kit = try ConformanceKit(seed: seed)
    defer { kit.remove() }
    #expect(kit.accepted.count >= 20, "seed \(seed)")
    for name in kit.accepted { try check(name, kit) }
  }

  private func check(_ name: String, _ kit: ConformanceKit) throws {
    let forest: Forest
    do {
      forest = try parse(kit.bytes("\(name).txt"))
    } catch {
      Issue.record("seed \(kit.seed), \(name): \(error)")
      return
    }
    let expected = try ConformanceRows(kit.bytes("\(name).expected"))
    try #require(expected.features == forest.featureNames.count)
    #expect(expected.rows >= 2_000)
    #expect(
      forest.meanRaw.bitPattern == expected.meanRaw.bitPattern, "seed \(kit.seed), \(name): mean")
    #expect(forest.categoricalLevels == kit.levels(name), "seed \(kit.seed), \(name): levels")
    var rawDifferences: [Int] = []
    var outputDifferences: [Int] = []
    expected.values.withUnsafeBufferPointer { values in
      guard let base = values.baseAddress else { return }
      let raws = expected.rows * expected.features
      for row in 0..<expected.rows {
        let raw = forest.rawScore(base + row * expected.features)
        if raw.bitPattern != values[raws + row].bitPattern { rawDifferences.append(row) }
        let output = forest.transform(raw)
        let reference = values[raws + expected.rows + row]
        // A NaN's sign and payload are not the formula's.
        if output.bitPattern != reference.bitPattern, !(output.isNaN && reference.isNaN) {
          outputDifferences.append(row)
        }
      }
    }
    #expect(rawDifferences.isEmpty, "seed \(kit.seed), \(name): raw scores of these rows")
    #expect(outputDifferences.isEmpty, "seed \(kit.seed), \(name): outputs of these rows")
  }

  @Test func whatIsNotSupportedIsRefused() throws {
    let seed = 20_261_124
    let kit = try ConformanceKit(seed: seed)
    defer { kit.remove() }
    #expect(kit.refused.count >= 5)
    for (name, reason) in kit.refused {
      let message = refusalOf(String(decoding: try kit.bytes("\(name).txt"), as: UTF8.self))
      #expect(message.contains(reason), "seed \(seed), \(name)")
    }
  }
}
