import Models
import Testing

@Suite struct ForestTests {
  /// The leaf that a stump on feature 0 sends a value to: 1 is left, 2 right.
  private func side(_ changes: [String: String], _ value: Double) throws -> Double {
    try ModelSource(TreeSource(changes)).parsed().rawScore([value, 0])
  }

  @Test func leftIncludesTheThreshold() throws {
    #expect(try side([:], 0.5) == 1)
    #expect(try side([:], 0.5.nextUp) == 2)
    #expect(try side([:], 0.5.nextDown) == 1)
    #expect(try side([:], .infinity) == 2)
    #expect(try side([:], -.infinity) == 1)
    #expect(try side(["threshold": "inf"], .infinity) == 1)
    #expect(try side(["threshold": "-inf"], -.infinity) == 1)
    #expect(try side(["threshold": "-inf"], 0) == 2)
  }

  /// By decision_type, with threshold 0.5 or −0.5: what NaN, zero and the band around it do.
  @Test(arguments: [
    // Nothing missing: NaN is zero.
    (0, "0.5", Double.nan, 1.0), (0, "-0.5", .nan, 2), (2, "-0.5", .nan, 2), (0, "-0.5", 0, 2),
    // Zero is missing, and NaN with it; bit 1 is the default side.
    (4, "0.5", .nan, 2), (4, "0.5", 0, 2), (4, "0.5", -0.0, 2), (6, "-0.5", .nan, 1),
    (6, "-0.5", 0, 1), (4, "0.5", 1e-35, 2), (6, "-0.5", -1e-35, 1), (4, "0.5", 2e-35, 1),
    (4, "0.5", 1.0000000180025095e-35, 2), (4, "0.5", 1.0000000180025097e-35, 1),
    // NaN is missing; zero is a number.
    (8, "0.5", .nan, 2), (10, "-0.5", .nan, 1), (8, "0.5", 0, 1), (10, "-0.5", 0, 2),
    // Within the band a value is zero, whatever its sign, before it is compared.
    (8, "-1e-36", -1e-35, 2), (0, "0", 1e-35, 1), (0, "0", 2e-35, 2),
    (0, "0", .leastNonzeroMagnitude, 1),
    (0, "-5e-324", -.leastNonzeroMagnitude, 2),
  ])
  func missingValues(_ type: Int, _ threshold: String, _ value: Double, _ leaf: Double) throws {
    #expect(try side(["decision_type": "\(type)", "threshold": threshold], value) == leaf)
  }

  /// Categories 0, 31 and 33 go left.
  @Test(arguments: [
    (0.0, 1.0), (-0.0, 1), (0.99, 1), (-0.5, 1), (-0.9999, 1), (-1, 2), (-31, 2), (1, 2), (31, 1),
    (31.9, 1), (32, 2), (33, 1), (64, 2), (1e9, 2), (0x1p31, 2), (0x1p31 - 1, 2), (0x1p32, 2),
    (-0x1p31, 2), (0x1p63, 2), (1e300, 2), (.infinity, 2), (-.infinity, 2), (.nan, 2), (1e-40, 1),
  ])
  func categories(_ value: Double, _ leaf: Double) throws {
    let tree = TreeSource.categorical("\(1 | UInt32(1) << 31) 2", count: 2)
    #expect(try ModelSource(tree).parsed().rawScore([value, 0]) == leaf)
  }

  @Test func aSetIsBoundedByItsOwnWords() throws {
    let tree = TreeSource([
      "num_leaves": "3", "num_cat": "2", "split_feature": "0 0", "threshold": "1 0",
      "decision_type": "1 1", "left_child": "-1 -2", "right_child": "1 -3",
      "leaf_value": "1 2 4", "leaf_count": "1 1 1", "cat_boundaries": "0 1 2",
      "cat_threshold": "6 4294967295",
    ])
    let forest = try ModelSource(tree).parsed()
    // The root has set 1 (all of 0 … 31), node 1 set 0; 33 is in neither.
    #expect(forest.rawScore([2, 0]) == 1)
    #expect(forest.rawScore([33, 0]) == 4)
    #expect(forest.statistics.categoricalSplits == 2)
  }

  @Test func constantTreesAddTheirValue() throws {
    var source = ModelSource()
    source.trees = [.constant("0.1"), TreeSource(), .constant("0.2")]
    let forest = try source.parsed()
    #expect(forest.rawScore([0, 0]) == 0.1 + 1 + 0.2)
    #expect(forest.treeCount == 3)
    #expect(forest.statistics.depth == 1)
    #expect(forest.statistics.leaves == 4)
  }

  @Test func theSumGoesInTreeOrderFromZero() throws {
    var source = ModelSource()
    source.trees = [.constant("1e16"), .constant("1"), .constant("-1e16"), .constant("1")]
    let forest = try source.parsed()
    #expect(forest.rawScore([0, 0]) == 1)
    source.trees = [.constant("-0")]
    #expect(try source.parsed().rawScore([0, 0]).bitPattern == 0)
  }

  @Test func rangesThatFollowEachOtherGiveTheSameBits() throws {
    var source = ModelSource()
    source.trees = (0..<7).map { .constant("\(0.1 * Double($0 + 1))") }
    let forest = try source.parsed()
    for cut in 0...7 {
      var sum = 0.0
      forest.addScore(ofTrees: 0..<cut, row: [0, 0], to: &sum)
      forest.addScore(ofTrees: cut..<7, row: [0, 0], to: &sum)
      #expect(sum.bitPattern == forest.rawScore([0, 0]).bitPattern)
    }
  }

  @Test func deepTreesOfAnyNumberingAreWalked() throws {
    // A path of tests x ≤ k, whose nodes are numbered from the far end; the root stays node 0.
    let depth = 3_000
    func number(_ level: Int) -> Int { level == 0 ? 0 : depth - level }
    var right = Array(repeating: "", count: depth)
    var threshold = right
    for level in 0..<depth {
      right[number(level)] = level + 1 < depth ? "\(number(level + 1))" : "\(~depth)"
      threshold[number(level)] = "\(level)"
    }
    let left = (0..<depth).map { "\(~$0)" }
    func same(_ word: String, _ count: Int) -> String {
      Array(repeating: word, count: count).joined(separator: " ")
    }
    let tree = TreeSource([
      "num_leaves": "\(depth + 1)", "split_feature": same("1", depth),
      "threshold": threshold.joined(separator: " "), "decision_type": same("2", depth),
      "left_child": left.joined(separator: " "), "right_child": right.joined(separator: " "),
      "leaf_value": (0...depth).map { "\($0)" }.joined(separator: " "),
      "leaf_count": same("1", depth + 1),
    ])
    let forest = try ModelSource(tree).parsed()
    #expect(forest.statistics.depth == depth)
    #expect(forest.rawScore([0, 0]) == 0)
    #expect(forest.rawScore([0, 1234]) == Double(number(1234)))
    #expect(forest.rawScore([0, 1e9]) == Double(depth))
  }

  @Test func meanIsWeightedByLeafCounts() throws {
    var source = ModelSource()
    #expect(try source.parsed().meanRaw == 1.25)
    source.trees = [TreeSource(), .constant("0.5")]
    #expect(try source.parsed().meanRaw == 1.75)
  }

  @Test func meanWithoutCountsIsPlain() throws {
    var tree = TreeSource()
    tree["leaf_count"] = nil
    #expect(try ModelSource(tree).parsed().meanRaw == 1.5)
    tree["leaf_count"] = "0 0"
    #expect(try ModelSource(tree).parsed().meanRaw == 1.5)
    var constant = TreeSource.constant("3")
    constant["leaf_count"] = ""
    #expect(try ModelSource(constant).parsed().meanRaw == 3)
  }

  /// Tree by tree what `meanRaw` is the sum of, in order.
  @Test func meansOfTheTrees() throws {
    var plain = TreeSource()
    plain["leaf_count"] = nil
    var none = TreeSource()
    none["leaf_count"] = "0 0"
    var source = ModelSource()
    source.trees = [
      TreeSource(), .constant("0.5"), plain, none, TreeSource(["leaf_value": "-3 1e16"]),
      TreeSource(["leaf_value": "0.1 0.7", "leaf_count": "2147483647 1"]),
      TreeSource(["leaf_value": "-1 7", "leaf_count": "0 5"]),
    ]
    let forest = try source.parsed()
    let weighted: Double = (0.1 * 2_147_483_647 + 0.7) / 2_147_483_648
    let large: Double = (-3 * 3 + 1e16) / 4
    #expect(forest.treeMeans == [1.25, 0.5, 1.5, 1.5, large, weighted, 7])
    #expect(forest.meanRaw.bitPattern == forest.treeMeans.reduce(0, +).bitPattern)
    #expect(forest.treeMeans.count == forest.treeCount)
  }

  @Test func statisticsCountWhatIsThere() throws {
    var source = ModelSource()
    source.trees = [
      TreeSource(["split_feature": "1"]), TreeSource(["split_feature": "1"]), .constant("1"),
    ]
    let statistics = try source.parsed().statistics
    #expect(statistics.leaves == 5)
    #expect(statistics.largestTreeLeaves == 2)
    #expect(statistics.splitsByFeature == [0, 2])
    #expect(statistics.featuresUsed == 1)
    #expect(statistics.categoricalSplits == 0)
  }
}
