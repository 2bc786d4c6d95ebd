import Core

/// One tree in LightGBM's own columns.
struct TreeSpec {
  var features: [Int] = []
  var thresholds: [Double] = []
  /// 1 categorical, 2 missing goes left, 4 zero is missing, 8 NaN is missing.
  var decisions: [Int] = []
  var left: [Int] = []
  var right: [Int] = []
  var leaves: [Double]

  static func leaf(_ value: Double) -> TreeSpec { TreeSpec(leaves: [value]) }

  /// `left` if the value is at most `threshold`, else `right`; NaN counts as missing and goes
  /// right.
  static func stump(_ feature: Int, _ threshold: Double, _ left: Double, _ right: Double)
    -> TreeSpec
  {
    TreeSpec(
      features: [feature], thresholds: [threshold], decisions: [8], left: [-1], right: [-2],
      leaves: [left, right])
  }

  /// A tree of random shape: each step splits a random leaf.
  static func random(
    leafCount: Int, features: [Int], thresholds: [[Double]], using random: inout SplitMix64
  ) -> TreeSpec {
    var tree = TreeSpec.leaf(Double.random(in: -1...1, using: &random))
    while tree.leaves.count < leafCount {
      let split = Int.random(in: 0..<tree.leaves.count, using: &random)
      let node = tree.features.count
      for index in tree.left.indices where tree.left[index] == ~split { tree.left[index] = node }
      for index in tree.right.indices where tree.right[index] == ~split {
        tree.right[index] = node
      }
      let feature = features.randomElement(using: &random) ?? 0
      tree.features.append(feature)
      tree.thresholds.append(thresholds[feature].randomElement(using: &random) ?? 0.5)
      tree.decisions.append([0, 2, 4, 6, 8, 10].randomElement(using: &random) ?? 0)
      tree.left.append(~split)
      tree.right.append(~tree.leaves.count)
      tree.leaves.append(Double.random(in: -1...1, using: &random))
    }
    return tree
  }

  fileprivate var text: String {
    func line<Value>(_ key: String, _ values: [Value]) -> String {
      "\(key)=" + values.map { "\($0)" }.joined(separator: " ") + "\n"
    }
    return line("num_leaves", [leaves.count]) + line("num_cat", [0])
      + line("split_feature", features) + line("threshold", thresholds)
      + line("decision_type", decisions) + line("left_child", left) + line("right_child", right)
      + line("leaf_value", leaves) + line("leaf_count", leaves.map { _ in 1 })
      + "is_linear=0\nshrinkage=1\n"
  }
}

/// A LightGBM text model. `infos`: by feature, `[0:1]` unless given.
func modelText(
  features: [String], trees: [TreeSpec], objective: String = "regression",
  infos: [Int: String] = [:], pandasCategories: String = "null"
) -> String {
  let infos = features.indices.map { infos[$0] ?? "[0:1]" }
  var text = """
    tree
    version=v4
    num_class=1
    num_tree_per_iteration=1
    label_index=0
    max_feature_idx=\(features.count - 1)
    objective=\(objective)
    feature_names=\(features.joined(separator: " "))
    feature_infos=\(infos.joined(separator: " "))


    """
  for (number, tree) in trees.enumerated() { text += "Tree=\(number)\n\(tree.text)\n\n" }
  return text + """
    end of trees

    feature_importances:

    parameters:
    [boosting: gbdt]
    end of parameters

    pandas_categorical:\(pandasCategories)

    """
}
