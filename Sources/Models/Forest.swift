/// The levels of a pandas category column, in the order of their codes: the model was trained on
/// the codes, so a row must be coded alike.
package struct CategoricalLevels: Sendable, Equatable {
  /// Index into the model's features.
  package var feature: Int
  /// Strings as they are; numbers and booleans in their JSON spelling.
  package var levels: [String]

  package init(feature: Int, levels: [String]) {
    self.feature = feature
    self.levels = levels
  }
}

/// What a forest is made of, for people who look at a snapshot.
package struct ForestStatistics: Sendable, Equatable {
  package var leaves = 0
  package var largestTreeLeaves = 0
  /// Tests on the longest path from a root to a leaf; 0 if every tree is constant.
  package var depth = 0
  package var categoricalSplits = 0
  /// Tests by feature, in the order of the model's features.
  package var splitsByFeature: [Int] = []
  package var featuresUsed: Int { splitsByFeature.count { $0 > 0 } }
}

/// A boosted forest of one output, walked node by node.
///
/// This walk is the definition of a raw score: faster kernels must give its bits. Immutable once
/// made, so any thread may score with it.
// Unchecked: the buffers are written before `init` returns, never again, and freed in `deinit`.
package final class Forest: @unchecked Sendable {
  /// In the order of a row's values.
  package let featureNames: [String]
  package let treeCount: Int
  /// As the file spells it, for example "binary sigmoid:1"; empty if the model was trained with
  /// an objective of its user's own, which the file does not name.
  package let objective: String
  package let transform: OutputTransform
  /// What a row scores on average: the sum over the trees, in order, of the mean of a tree's leaf
  /// values weighted by `leaf_count`. A tree without counts (old files, or all zero) counts its
  /// leaves equally, since the file then says nothing of how often each is reached.
  package let meanRaw: Double
  /// The terms of `meanRaw`, tree by tree: what a prefix of the trees leaves out on average.
  package let treeMeans: [Double]
  /// Of a model trained on a pandas frame with category columns; else empty.
  package let categoricalLevels: [CategoricalLevels]
  package let statistics: ForestStatistics

  private let roots: UnsafeMutablePointer<Int32>
  private let nodes: UnsafeMutablePointer<ForestNode>
  private let leafValues: UnsafeMutablePointer<Double>
  private let categorySets: UnsafeMutablePointer<CategorySet>
  private let categoryWords: UnsafeMutablePointer<UInt32>

  init(
    featureNames: [String], objective: String, transform: OutputTransform,
    categoricalLevels: [CategoricalLevels], trees: borrowing ForestBuilder
  ) {
    self.featureNames = featureNames
    self.objective = objective
    self.transform = transform
    self.categoricalLevels = categoricalLevels
    treeCount = trees.roots.count
    meanRaw = trees.meanRaw
    treeMeans = trees.treeMeans
    statistics = trees.statistics
    roots = copied(trees.roots)
    nodes = copied(trees.nodes)
    leafValues = copied(trees.leafValues)
    categorySets = copied(trees.categorySets)
    categoryWords = copied(trees.categoryWords)
  }

  deinit {
    roots.deallocate()
    nodes.deallocate()
    leafValues.deallocate()
    categorySets.deallocate()
    categoryWords.deallocate()
  }

  /// The sum of all trees for a row of `featureNames.count` values, NaN where missing: in double,
  /// in tree order, from +0.0.
  package func rawScore(_ row: UnsafePointer<Double>) -> Double {
    var sum = 0.0
    addScore(ofTrees: 0..<treeCount, row: row, to: &sum)
    return sum
  }

  /// Continues a sum with some of the trees: ranges that follow each other give the bits of
  /// `rawScore`, whatever the cuts.
  package func addScore(
    ofTrees trees: Range<Int>, row: UnsafePointer<Double>, to sum: inout Double
  ) {
    precondition(trees.lowerBound >= 0 && trees.upperBound <= treeCount, "no such trees")
    let nodes = self.nodes
    let roots = self.roots
    let leafValues = self.leafValues
    let sets = UnsafePointer(categorySets)
    let words = UnsafePointer(categoryWords)
    var total = sum
    for tree in trees {
      var place = roots[tree]
      while place >= 0 { place = nodes[Int(place)].child(row, sets, words) }
      total += leafValues[Int(~place)]
    }
    sum = total
  }
}

private func copied<Element: BitwiseCopyable>(
  _ array: [Element]
) -> UnsafeMutablePointer<Element> {
  let buffer = UnsafeMutableBufferPointer<Element>.allocate(capacity: max(array.count, 1))
  _ = buffer.initialize(from: array)
  return buffer.baseAddress.unsafelyUnwrapped
}
