internal import Core

/// What stands before the trees of a LightGBM text model.
struct LightGBMHeader {
  var version = ""
  var featureNames: [String] = []
  var objective = LightGBMObjective()
  /// Bytes of each tree's block; nil if the file does not say.
  var treeSizes: [Int]?
  /// Categorical features with the largest category that training saw, in order.
  var categoricalFeatures: [(feature: Int, largest: Int64)] = []

  /// Reads up to the first line behind the header, and returns that.
  init(_ reader: inout LineReader) throws(ModelError) {
    guard let first = reader.nextFilled(), first.bytes.equals("tree") else {
      throw ModelError(location: "line 1", reason: "not a LightGBM text model")
    }
    var values: [String: ByteSlice] = [:]
    while true {
      var ahead = reader
      guard let line = ahead.nextFilled() else { break }
      if line.bytes.hasPrefix("Tree=") || line.bytes.equals("end of trees") { break }
      reader = ahead
      let (key, value) = line.bytes.keyAndValue ?? (line.bytes, ByteSlice.empty)
      guard key.count < 32, Self.keys.contains(key.text) else {
        throw ModelError(location: "line \(line.number)", reason: "unknown key \(key.quoted)")
      }
      guard values.updateValue(value, forKey: key.text) == nil else {
        throw ModelError(
          location: "line \(line.number)", reason: "\(key.text) is there a second time")
      }
    }
    try read(values)
  }

  /// Every key that LightGBM up to 4.7 writes. An unknown one may change what the trees mean.
  private static let keys: Set<String> = [
    "version", "num_class", "num_tree_per_iteration", "label_index", "max_feature_idx",
    "objective", "average_output", "feature_names", "monotone_constraints", "feature_infos",
    "tree_sizes",
  ]

  private static func refusal(_ reason: String) -> ModelError {
    ModelError(location: "header", reason: reason)
  }

  private mutating func read(_ values: [String: ByteSlice]) throws(ModelError) {
    func value(_ key: String) throws(ModelError) -> ByteSlice {
      guard let value = values[key] else { throw Self.refusal("\(key) is missing") }
      return value
    }
    let spelled = try value("version")
    version = spelled.text
    guard ["v2", "v3", "v4"].contains(version) else {
      throw Self.refusal("version \(spelled.quoted) is unknown (v2, v3 and v4 are)")
    }
    for key in ["num_class", "num_tree_per_iteration"] {
      let count = try value(key)
      guard count.integer == 1 else {
        throw Self.refusal("\(key) is \(count.quoted): only models of one output are supported")
      }
    }
    guard values["average_output"] == nil else {
      throw Self.refusal("average_output: random forests are not supported")
    }
    if let objective = values["objective"] { self.objective = try LightGBMObjective(objective) }

    let last = try value("max_feature_idx")
    guard let index = last.integer, index >= 0, index < Limits.features else {
      throw Self.refusal("max_feature_idx is \(last.quoted), not 0 … \(Limits.features - 1)")
    }
    try readNames(value("feature_names"), count: Int(index) + 1)
    try readInfos(value("feature_infos"), count: Int(index) + 1)
    if let sizes = values["tree_sizes"] { try readSizes(sizes) }
  }

  private mutating func readNames(_ text: ByteSlice, count: Int) throws(ModelError) {
    var distinct: Set<String> = []
    for word in text.words {
      guard featureNames.count < count else { throw Self.wrongCount("feature_names", count) }
      guard let name = String(validating: word.bytes, as: UTF8.self) else {
        throw Self.refusal("feature name \(word.quoted) is not UTF-8")
      }
      guard distinct.insert(name).inserted else {
        throw Self.refusal("feature name \(word.quoted) is there a second time")
      }
      featureNames.append(name)
    }
    guard featureNames.count == count else { throw Self.wrongCount("feature_names", count) }
  }

  private static func wrongCount(_ key: String, _ count: Int) -> ModelError {
    refusal("max_feature_idx asks for \(count) \(key), there are others")
  }

  /// `[min:max]` of a numerical feature, `a:b:c` of a categorical one, `none` of an unused one.
  private mutating func readInfos(_ text: ByteSlice, count: Int) throws(ModelError) {
    var feature = 0
    for word in text.words {
      guard feature < count else { throw Self.wrongCount("feature_infos", count) }
      if !word.equals("none"), word[0] != UInt8(ascii: "[") {
        categoricalFeatures.append((feature, try largestCategory(word, feature)))
      }
      feature += 1
    }
    guard feature == count else { throw Self.wrongCount("feature_infos", count) }
  }

  private func largestCategory(_ text: ByteSlice, _ feature: Int) throws(ModelError) -> Int64 {
    var largest = Int64.min
    var start = 0
    for position in 0...text.count
    where position == text.count || text[position] == UInt8(ascii: ":") {
      guard let category = text[start..<position].integer else {
        throw Self.refusal("feature_infos of feature \(feature), \(text.quoted), is unknown")
      }
      largest = max(largest, category)
      start = position + 1
    }
    return largest
  }

  private mutating func readSizes(_ text: ByteSlice) throws(ModelError) {
    var sizes: [Int] = []
    for word in text.words {
      guard let size = word.integer, size > 0, size <= Limits.modelFileBytes else {
        throw Self.refusal("tree_sizes holds \(word.quoted)")
      }
      sizes.append(Int(size))
    }
    treeSizes = sizes
  }
}
