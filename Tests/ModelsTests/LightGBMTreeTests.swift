import Models
import Testing

@Suite struct LightGBMTreeTests {
  /// Three leaves: node 0 has leaf 0 and node 1, which has leaves 1 and 2.
  private static let three = [
    "num_leaves": "3", "split_feature": "0 1", "threshold": "0.5 1.5", "decision_type": "2 2",
    "left_child": "-1 -2", "right_child": "1 -3", "leaf_value": "1 2 3", "leaf_count": "1 2 3",
  ]

  private func refusal(_ changes: [String: String]) -> String {
    var source = ModelSource()
    let tree = TreeSource(Self.three.merging(changes) { $1 })
    source.trees = [TreeSource(), tree]
    return source.refusal
  }

  @Test func theTreeIsSoundBeforeItIsSpoiled() {
    #expect(refusal([:]) == "accepted")
  }

  @Test(arguments: [
    "num_leaves", "num_cat", "split_feature", "threshold", "decision_type", "left_child",
    "right_child", "leaf_value",
  ])
  func missingKeys(_ key: String) {
    var source = ModelSource()
    source.trees[0][key] = nil
    #expect(source.refusal == "tree 0: \(key) is missing")
  }

  @Test(arguments: [
    "split_feature", "threshold", "decision_type", "left_child", "right_child", "leaf_value",
    "leaf_count",
  ])
  func wrongLengths(_ key: String) {
    let sound = Self.three[key] ?? ""
    let count = sound.split(separator: " ").count
    #expect(refusal([key: sound + " 1"]) == "tree 1: \(key) has more than \(count) values")
    #expect(refusal([key: "1"]) == "tree 1: \(key) has 1 values, not \(count)")
    #expect(refusal([key: ""]) == "tree 1: \(key) has 0 values, not \(count)")
  }

  @Test(arguments: [
    ("num_leaves", "0", "tree 1: num_leaves is \"0\""),
    ("num_leaves", "-1", "tree 1: num_leaves is \"-1\""),
    ("num_leaves", "4294967296", "tree 1: num_leaves is \"4294967296\""),
    ("num_leaves", "99999999999999999999", "tree 1: num_leaves is \"99999999999999999999\""),
    ("num_leaves", "2147483646", "tree 1: leaf_value has 3 values, not 2147483646"),
    ("num_cat", "-1", "tree 1: num_cat is \"-1\""),
    ("num_cat", "1", "tree 1: cat_boundaries is missing"),
    ("is_linear", "1", "tree 1: is_linear is \"1\": linear leaves are not supported"),
    ("leaf_value_dim", "2", "unknown key \"leaf_value_dim=2\""),
    ("split_feature", "0 2", "tree 1, node 1: split_feature is 2, the model has 2 features"),
    ("split_feature", "-1 0", "tree 1, node 0: split_feature is -1, the model has 2 features"),
    ("split_feature", "0 4294967296", "tree 1, node 1: split_feature is \"4294967296\""),
    ("split_feature", "0 1.0", "tree 1, node 1: split_feature is \"1.0\""),
    ("threshold", "0.5 nan", "tree 1, node 1: threshold is NaN"),
    ("threshold", "0.5 x", "tree 1, node 1: threshold is \"x\""),
    ("threshold", "0.5 0x1p3", "tree 1, node 1: threshold is \"0x1p3\""),
    ("threshold", "0.5 1e", "tree 1, node 1: threshold is \"1e\""),
    ("threshold", "0.5 1.", "tree 1, node 1: threshold is \"1.\""),
    ("threshold", "0.5 .5", "tree 1, node 1: threshold is \".5\""),
    ("threshold", "0.5 +1", "tree 1, node 1: threshold is \"+1\""),
    ("threshold", "0.5 infinity", "tree 1, node 1: threshold is \"infinity\""),
    ("leaf_value", "1 nan 3", "tree 1, leaf 1: leaf value is nan"),
    ("leaf_value", "1 inf 3", "tree 1, leaf 1: leaf value is inf"),
    ("leaf_value", "1 2 -1e999", "tree 1, leaf 2: leaf value is -inf"),
    ("leaf_value", "1e308 1e308 1e308", "tree 1: the mean of the leaves is not finite"),
    ("leaf_count", "1 2 2147483648", "tree 1, leaf 2: leaf_count is \"2147483648\""),
    ("leaf_count", "1 -2 3", "tree 1, leaf 1: leaf_count is -2"),
    ("decision_type", "2 16", "tree 1, node 1: decision_type 16 is unknown"),
    ("decision_type", "2 12", "tree 1, node 1: decision_type 12 is unknown"),
    ("decision_type", "2 -1", "tree 1, node 1: decision_type is \"-1\""),
    ("decision_type", "2 256", "tree 1, node 1: decision_type is \"256\""),
    ("decision_type", "1 2", "tree 1, node 0: threshold 0.5 names none of 0 category sets"),
    ("left_child", "-1 2", "tree 1, node 1: there is no child 2"),
    ("left_child", "-1 -4", "tree 1, node 1: there is no child -4"),
    ("left_child", "-1 -2147483648", "tree 1, node 1: there is no child -2147483648"),
    ("left_child", "-1 2147483647", "tree 1, node 1: there is no child 2147483647"),
    ("left_child", "-1 0", "tree 1, node 1: node 0 is reached a second time"),
    ("left_child", "-1 1", "tree 1, node 1: node 1 is reached a second time"),
    ("left_child", "1 -2", "tree 1, node 0: node 1 is reached a second time"),
    ("left_child", "-2 -2", "leaf 1 is reached a second time"),
    ("right_child", "-2 -3", "tree 1, node 1: not reachable from the root"),
  ])
  func refusedTrees(_ key: String, _ value: String, _ reason: String) {
    #expect(refusal([key: value]).contains(reason))
  }

  @Test func aCycleBesideTheTreeIsRefused() {
    // The root has two leaves; nodes 1 and 2 are each other's children.
    let changes = [
      "num_leaves": "4", "split_feature": "0 0 0", "threshold": "1 1 1",
      "decision_type": "2 2 2", "left_child": "-1 2 1", "right_child": "-2 -3 -4",
      "leaf_value": "1 2 3 4", "leaf_count": "1 1 1 1",
    ]
    #expect(refusal(changes) == "tree 1, node 1: not reachable from the root")
  }

  @Test func aKeyThatComesTwiceIsRefused() {
    var source = ModelSource()
    source.trees[0].lines.append(("threshold", "0.25"))
    #expect(source.refusal.contains("tree 0: line 29: threshold is there a second time"))
  }

  @Test(arguments: [
    ("0 2", "7", "cat_threshold has 1 values, not 2"),
    ("0 1", "7 7", "cat_threshold has more than 1 values"),
    ("1 1", "7", "cat_boundaries go from 1 to 1, cat_threshold has 1 words"),
    ("0 -1", "7", "cat_boundaries end in -1"), ("0", "7", "cat_boundaries has 1 values, not 2"),
    ("0 1 1", "7", "cat_boundaries has more than 2 values"),
    ("0 1", "4294967296", "word 0: cat_threshold is \"4294967296\""),
    ("0 1", "-1", "word 0: cat_threshold is \"-1\""),
    ("0 2147483647", "7", "cat_threshold has 1 values, not 2147483647"),
  ])
  func refusedCategorySets(_ boundaries: String, _ words: String, _ reason: String) {
    var tree = TreeSource.categorical(words, count: 1)
    tree["cat_boundaries"] = boundaries
    #expect(ModelSource(tree).refusal.contains(reason))
  }

  @Test(arguments: [
    ("0 2 1 3", "cat_boundaries fall from 2 to 1"), ("0 4 -1 3", "cat_boundaries fall from 4"),
  ])
  func fallingBoundariesAreRefused(_ boundaries: String, _ reason: String) {
    var tree = TreeSource.categorical("1 2 3", count: 3)
    tree["num_cat"] = "3"
    tree["cat_boundaries"] = boundaries
    #expect(ModelSource(tree).refusal.contains(reason))
  }

  @Test(arguments: ["1", "-1", "0.5", "inf", "1e300"])
  func aCategoricalTestNamesOneOfTheSets(_ threshold: String) {
    var tree = TreeSource.categorical("7", count: 1)
    tree["threshold"] = threshold
    #expect(ModelSource(tree).refusal.contains("tree 0, node 0: threshold"))
    #expect(ModelSource(tree).refusal.contains("names none of 1 category sets"))
  }

  @Test func numbersAreReadUpToAHonestLength() {
    let digits = String(repeating: "3", count: 126)
    #expect(refusal(["threshold": "0.5 0.\(digits)"]) == "accepted")
    #expect(refusal(["threshold": "0.5 0.\(digits)3"]).contains("node 1: threshold is \"0.333"))
  }

  @Test func messagesAreCutAndEscaped() {
    let hostile = "\u{1B}[31m" + String(repeating: "x", count: 500)
    let message = refusal(["threshold": "0.5 \(hostile)"])
    #expect(!message.contains("\u{1B}"))
    #expect(message.utf8.count < 120)
  }
}
