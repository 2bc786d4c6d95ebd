/// One tree as a file gives it, columns by node and by leaf. Reused from tree to tree.
struct TreeColumns {
  var splitFeature: [Int32] = []
  var threshold: [Double] = []
  var flags: [UInt8] = []
  /// A node of this tree, or the complement of one of its leaves.
  var leftChild: [Int32] = []
  var rightChild: [Int32] = []
  var leafValue: [Double] = []
  /// Empty if the file has none.
  var leafCount: [Int32] = []
  /// Set k is the words from `categoryBoundaries[k]` up to `categoryBoundaries[k + 1]`.
  var categoryBoundaries: [Int32] = []
  var categoryWords: [UInt32] = []
}

/// Gathers checked trees into the flat arrays of a forest.
///
/// **Architecture invariant:** what is in here has passed every check, so the walk has none. Time
/// and memory are linear in the columns; nothing recurses.
struct ForestBuilder: ~Copyable {
  private(set) var roots: [Int32] = []
  private(set) var nodes: [ForestNode] = []
  private(set) var leafValues: [Double] = []
  private(set) var categorySets: [CategorySet] = []
  private(set) var categoryWords: [UInt32] = []
  private(set) var meanRaw = 0.0
  /// Mean of each tree's leaves, as in `Forest.treeMeans`.
  private(set) var treeMeans: [Double] = []
  private(set) var statistics = ForestStatistics()

  private let featureCount: Int
  private var seen: [Bool] = []
  private var pending: [(node: Int32, depth: Int)] = []

  init(featureCount: Int) {
    precondition(featureCount <= Int(UInt16.max) + 1, "a node holds its feature in 16 bits")
    self.featureCount = featureCount
    statistics.splitsByFeature = Array(repeating: 0, count: featureCount)
  }

  /// Adds a tree of `leafValue.count` leaves and one node less; the importer has seen to it that
  /// the columns have these lengths.
  mutating func append(_ tree: borrowing TreeColumns) throws(ModelError) {
    let number = roots.count
    // Int32 places: a file of `Limits.modelFileBytes` cannot spell more, whatever its layout.
    guard nodes.count + tree.splitFeature.count < Int(Int32.max),
      leafValues.count + tree.leafValue.count < Int(Int32.max),
      categoryWords.count + tree.categoryWords.count < Int(Int32.max)
    else {
      throw ModelError(location: "tree \(number)", reason: "the forest has too many nodes")
    }
    try checkLeaves(tree, number)
    try appendSets(tree, number)
    let depth = try checkShape(tree, number)
    try appendNodes(tree, number)
    roots.append(
      tree.splitFeature.isEmpty ? ~Int32(leafValues.count) : Int32(nodes.count) - nodeCount(tree))
    leafValues.append(contentsOf: tree.leafValue)
    statistics.leaves += tree.leafValue.count
    statistics.largestTreeLeaves = max(statistics.largestTreeLeaves, tree.leafValue.count)
    statistics.depth = max(statistics.depth, depth)
  }

  private func nodeCount(_ tree: borrowing TreeColumns) -> Int32 { Int32(tree.splitFeature.count) }

  private mutating func checkLeaves(
    _ tree: borrowing TreeColumns, _ number: Int
  ) throws(ModelError) {
    var counted = 0
    var weighted = 0.0
    var plain = 0.0
    for leaf in tree.leafValue.indices {
      let value = tree.leafValue[leaf]
      guard value.isFinite else {
        throw ModelError(
          location: "tree \(number), leaf \(leaf)", reason: "leaf value is \(value)")
      }
      plain += value
      if tree.leafCount.isEmpty { continue }
      guard tree.leafCount[leaf] >= 0 else {
        throw ModelError(
          location: "tree \(number), leaf \(leaf)",
          reason: "leaf_count is \(tree.leafCount[leaf])")
      }
      counted += Int(tree.leafCount[leaf])
      weighted += value * Double(tree.leafCount[leaf])
    }
    treeMeans.append(
      counted > 0 ? weighted / Double(counted) : plain / Double(tree.leafValue.count))
    meanRaw += treeMeans[treeMeans.count - 1]
    guard meanRaw.isFinite else {
      throw ModelError(location: "tree \(number)", reason: "the mean of the leaves is not finite")
    }
  }

  private mutating func appendSets(
    _ tree: borrowing TreeColumns, _ number: Int
  ) throws(ModelError) {
    let boundaries = tree.categoryBoundaries
    guard let first = boundaries.first, let last = boundaries.last else { return }
    guard first == 0, Int(last) == tree.categoryWords.count else {
      throw ModelError(
        location: "tree \(number)",
        reason: "cat_boundaries go from \(first) to \(last), cat_threshold has "
          + "\(tree.categoryWords.count) words")
    }
    let base = Int32(categoryWords.count)
    for set in 1..<boundaries.count {
      // Falling ones would reach before the words or behind them.
      guard boundaries[set - 1] <= boundaries[set] else {
        throw ModelError(
          location: "tree \(number)",
          reason: "cat_boundaries fall from \(boundaries[set - 1]) to \(boundaries[set])")
      }
      categorySets.append(
        CategorySet(
          firstWord: base + boundaries[set - 1],
          wordCount: boundaries[set] - boundaries[set - 1]))
    }
    categoryWords.append(contentsOf: tree.categoryWords)
  }

  /// Each node but the root and each leaf is the child of exactly one node, and all hang together:
  /// that is, the columns are one tree. Returns its depth.
  private mutating func checkShape(
    _ tree: borrowing TreeColumns, _ number: Int
  ) throws(ModelError) -> Int {
    let count = tree.splitFeature.count
    guard count > 0 else { return 0 }
    seen.removeAll(keepingCapacity: true)
    seen.append(contentsOf: repeatElement(false, count: count + tree.leafValue.count))
    pending.removeAll(keepingCapacity: true)
    pending.append((0, 0))
    seen[0] = true
    var visited = 0
    var deepest = 0
    while let (node, depth) = pending.popLast() {
      visited += 1
      deepest = max(deepest, depth + 1)
      try visit(tree.leftChild[Int(node)], of: node, depth, tree, number)
      try visit(tree.rightChild[Int(node)], of: node, depth, tree, number)
    }
    // Two children per node reached: if all nodes are, then so are all leaves.
    guard visited == count else {
      let lost = seen[..<count].firstIndex(of: false) ?? 0
      throw ModelError(
        location: "tree \(number), node \(lost)", reason: "not reachable from the root")
    }
    return deepest
  }

  private mutating func visit(
    _ child: Int32, of node: Int32, _ depth: Int, _ tree: borrowing TreeColumns, _ number: Int
  ) throws(ModelError) {
    let count = tree.splitFeature.count
    let leaf = Int(~child)
    guard child >= 0 ? Int(child) < count : leaf < tree.leafValue.count else {
      throw ModelError(
        location: "tree \(number), node \(node)", reason: "there is no child \(child)")
    }
    let slot = child >= 0 ? Int(child) : count + leaf
    guard !seen[slot] else {
      throw ModelError(
        location: "tree \(number), node \(node)",
        reason: (child >= 0 ? "node \(child)" : "leaf \(leaf)") + " is reached a second time")
    }
    seen[slot] = true
    if child >= 0 { pending.append((child, depth + 1)) }
  }

  private mutating func appendNodes(
    _ tree: borrowing TreeColumns, _ number: Int
  ) throws(ModelError) {
    let firstNode = Int32(nodes.count)
    let firstLeaf = Int32(leafValues.count)
    let setCount = max(tree.categoryBoundaries.count - 1, 0)
    let firstSet = Int32(categorySets.count - setCount)
    func place(_ child: Int32) -> Int32 {
      child >= 0 ? firstNode + child : ~(firstLeaf + ~child)
    }
    for node in tree.splitFeature.indices {
      func refusal(_ reason: String) -> ModelError {
        ModelError(location: "tree \(number), node \(node)", reason: reason)
      }
      let feature = Int(tree.splitFeature[node])
      guard feature >= 0, feature < featureCount else {
        throw refusal("split_feature is \(feature), the model has \(featureCount) features")
      }
      let threshold = tree.threshold[node]
      guard !threshold.isNaN else { throw refusal("threshold is NaN") }
      let flags = ForestNode.Flags(rawValue: tree.flags[node])
      guard tree.flags[node] < 16, !flags.isSuperset(of: [.zeroIsMissing, .nanIsMissing]) else {
        throw refusal("decision_type \(tree.flags[node]) is unknown")
      }
      var set: Int32 = 0
      if flags.contains(.categorical) {
        guard let index = Int32(exactly: threshold), index >= 0, Int(index) < setCount else {
          throw refusal("threshold \(threshold) names none of \(setCount) category sets")
        }
        set = firstSet + index
        statistics.categoricalSplits += 1
      }
      statistics.splitsByFeature[feature] += 1
      nodes.append(
        ForestNode(
          threshold: threshold, left: place(tree.leftChild[node]),
          right: place(tree.rightChild[node]), categories: set, feature: UInt16(feature),
          flags: flags))
    }
  }
}
