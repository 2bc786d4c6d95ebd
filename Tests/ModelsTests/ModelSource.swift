import Models

/// A LightGBM text model under construction: sound as it is made, to be spoiled by tests.
struct ModelSource {
  var header: [(key: String, value: String?)] = [
    ("version", "v4"), ("num_class", "1"), ("num_tree_per_iteration", "1"), ("label_index", "0"),
    ("max_feature_idx", "1"), ("objective", "regression"), ("feature_names", "a b"),
    ("feature_infos", "[0:1] [0:1]"),
  ]
  var trees: [TreeSource] = [TreeSource()]
  var announcesSizes = true
  var tail =
    "end of trees\n\nfeature_importances:\na=1\n\nparameters:\n[boosting: gbdt]\n"
    + "end of parameters\n\npandas_categorical:null\n"

  init() {}

  init(_ tree: TreeSource) { trees = [tree] }

  subscript(key: String) -> String? {
    get { header.first { $0.key == key }?.value }
    set {
      header.removeAll { $0.key == key }
      header.append((key, newValue))
    }
  }

  mutating func remove(_ key: String) { header.removeAll { $0.key == key } }

  var text: String {
    var text = "tree\n"
    for (key, value) in header { text += value.map { "\(key)=\($0)\n" } ?? "\(key)\n" }
    let blocks = trees.enumerated().map { "Tree=\($0.offset)\n" + $0.element.text + "\n\n" }
    if announcesSizes {
      text += "tree_sizes=" + blocks.map { String($0.utf8.count) }.joined(separator: " ") + "\n"
    }
    return text + "\n" + blocks.joined() + tail
  }

  func parsed() throws(ModelError) -> Forest { try parse(text) }

  /// The refusal as printed; "accepted" if there is none.
  var refusal: String { refusalOf(text) }
}

/// The lines of one tree; a stump on feature 0 as it is made.
struct TreeSource {
  var lines: [(key: String, value: String)] = [
    ("num_leaves", "2"), ("num_cat", "0"), ("split_feature", "0"), ("split_gain", "1"),
    ("threshold", "0.5"), ("decision_type", "2"), ("left_child", "-1"), ("right_child", "-2"),
    ("leaf_value", "1 2"), ("leaf_weight", "3 4"), ("leaf_count", "3 1"),
    ("internal_value", "1.5"), ("internal_weight", "7"), ("internal_count", "4"),
    ("is_linear", "0"), ("shrinkage", "1"),
  ]

  init() {}

  init(_ changes: [String: String]) {
    for (key, value) in changes { self[key] = value }
  }

  /// A tree that is one leaf, as LightGBM writes it.
  static func constant(_ value: String) -> TreeSource {
    var tree = TreeSource()
    for index in tree.lines.indices { tree.lines[index].value = "" }
    tree["num_leaves"] = "1"
    tree["num_cat"] = "0"
    tree["leaf_value"] = value
    tree["leaf_count"] = "600"
    tree["is_linear"] = "0"
    tree["shrinkage"] = "1"
    return tree
  }

  /// A stump whose categories in `words` go left to 1, others right to 2.
  static func categorical(_ words: String, count: Int) -> TreeSource {
    TreeSource([
      "num_cat": "1", "decision_type": "1", "threshold": "0", "cat_boundaries": "0 \(count)",
      "cat_threshold": words,
    ])
  }

  subscript(key: String) -> String? {
    get { lines.first { $0.key == key }?.value }
    set {
      if let newValue, let index = lines.firstIndex(where: { $0.key == key }) {
        lines[index].value = newValue
      } else {
        lines.removeAll { $0.key == key }
        if let newValue { lines.append((key, newValue)) }
      }
    }
  }

  var text: String { lines.map { "\($0.key)=\($0.value)\n" }.joined() }
}

func parse(_ text: String) throws(ModelError) -> Forest { try parse(Array(text.utf8)) }

func parse(_ bytes: [UInt8]) throws(ModelError) -> Forest {
  try bytes.withUnsafeBytes { file in
    Result { () throws(ModelError) in try LightGBM.parse(file) }
  }.get()
}

func refusalOf(_ text: String) -> String {
  do throws(ModelError) {
    _ = try parse(text)
    return "accepted"
  } catch {
    return error.description
  }
}
