internal import Core

/// The lines of one `Tree=` block that matter, found but not yet read.
struct LightGBMTree {
  private let number: Int
  private var values: [Key: ByteSlice] = [:]

  private enum Key: String {
    case num_leaves, num_cat, split_feature, threshold, decision_type, left_child, right_child
    case leaf_value, leaf_count, cat_boundaries, cat_threshold, is_linear
    // For people and for training on; they have no part in a score. `shrinkage` is in the leaf
    // values already.
    case split_gain, leaf_weight, internal_value, internal_weight, internal_count, shrinkage
    // Of linear leaves, which `is_linear` announces.
    case leaf_const, num_features, leaf_features, leaf_coeff
  }

  /// Reads the lines up to the first empty one.
  init(_ reader: inout LineReader, number: Int) throws(ModelError) {
    self.number = number
    while let line = reader.next(), !line.bytes.isEmpty {
      guard let (name, value) = line.bytes.keyAndValue, name.count < 32,
        let key = Key(rawValue: name.text)
      else {
        throw refusal("line \(line.number): unknown key \(line.bytes.quoted)")
      }
      guard values.updateValue(value, forKey: key) == nil else {
        throw refusal("line \(line.number): \(key.rawValue) is there a second time")
      }
    }
  }

  private func refusal(_ reason: String) -> ModelError {
    ModelError(location: "tree \(number)", reason: reason)
  }

  private func value(_ key: Key) throws(ModelError) -> ByteSlice {
    guard let value = values[key] else { throw refusal("\(key.rawValue) is missing") }
    return value
  }

  /// The block as columns of the lengths that its counts ask for.
  func read(into columns: inout TreeColumns) throws(ModelError) {
    if let linear = values[.is_linear], !linear.equals("0") {
      throw refusal("is_linear is \(linear.quoted): linear leaves are not supported")
    }
    let leaves = try count(.num_leaves, atLeast: 1)
    let sets = try count(.num_cat, atLeast: 0)
    try doubles(.leaf_value, leaves, "leaf", &columns.leafValue)
    columns.leafCount.removeAll(keepingCapacity: true)
    // Constant trees of some versions have the key without a value.
    if let counts = values[.leaf_count], leaves > 1 || !counts.isEmpty {
      try integers(.leaf_count, leaves, "leaf", &columns.leafCount)
    }
    // What a constant tree says of nodes is empty, or absent.
    let nodes = leaves - 1
    if nodes > 0 {
      try integers(.split_feature, nodes, "node", &columns.splitFeature)
      try doubles(.threshold, nodes, "node", &columns.threshold)
      try integers(.decision_type, nodes, "node", &columns.flags)
      try integers(.left_child, nodes, "node", &columns.leftChild)
      try integers(.right_child, nodes, "node", &columns.rightChild)
    } else {
      columns.splitFeature.removeAll(keepingCapacity: true)
    }
    columns.categoryBoundaries.removeAll(keepingCapacity: true)
    columns.categoryWords.removeAll(keepingCapacity: true)
    if nodes > 0, sets > 0 {
      try integers(.cat_boundaries, sets + 1, "boundary", &columns.categoryBoundaries)
      let words = Int(columns.categoryBoundaries.last ?? 0)
      guard words >= 0 else { throw refusal("cat_boundaries end in \(words)") }
      try integers(.cat_threshold, words, "word", &columns.categoryWords)
    }
  }

  private func count(_ key: Key, atLeast minimum: Int64) throws(ModelError) -> Int {
    let text = try value(key)
    guard let count = text.integer, count >= minimum, count < Int64(Int32.max) else {
      throw refusal("\(key.rawValue) is \(text.quoted)")
    }
    return Int(count)
  }

  private func integers<Number: FixedWidthInteger>(
    _ key: Key, _ count: Int, _ what: String, _ column: inout [Number]
  ) throws(ModelError) {
    let text = try value(key)
    column.removeAll(keepingCapacity: true)
    for word in text.words {
      guard column.count < count else { throw tooLong(key, count) }
      guard let wide = word.integer, let number = Number(exactly: wide) else {
        throw refused(key, word, what, column.count)
      }
      column.append(number)
    }
    guard column.count == count else { throw tooShort(key, count, column.count) }
  }

  private func doubles(
    _ key: Key, _ count: Int, _ what: String, _ column: inout [Double]
  ) throws(ModelError) {
    let text = try value(key)
    column.removeAll(keepingCapacity: true)
    for word in text.words {
      guard column.count < count else { throw tooLong(key, count) }
      guard let number = word.double else { throw refused(key, word, what, column.count) }
      column.append(number)
    }
    guard column.count == count else { throw tooShort(key, count, column.count) }
  }

  private func refused(_ key: Key, _ word: ByteSlice, _ what: String, _ at: Int) -> ModelError {
    ModelError(
      location: "tree \(number), \(what) \(at)", reason: "\(key.rawValue) is \(word.quoted)")
  }

  private func tooLong(_ key: Key, _ count: Int) -> ModelError {
    refusal("\(key.rawValue) has more than \(count) values")
  }

  private func tooShort(_ key: Key, _ count: Int, _ found: Int) -> ModelError {
    refusal("\(key.rawValue) has \(found) values, not \(count)")
  }
}
