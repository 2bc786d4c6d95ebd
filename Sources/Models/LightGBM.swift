internal import Core

/// The importer of LightGBM's text models, versions v2 to v4 (LightGBM 2.1 to 4.7).
///
/// A file is hostile input: time and memory are linear in its size, which is bounded, and what is
/// not understood to the last bit is refused with its place and reason.
package enum LightGBM {
  /// Throws if any part of the file is not understood; reads `file` only during the call.
  package static func parse(_ file: UnsafeRawBufferPointer) throws(ModelError) -> Forest {
    guard file.count <= Limits.modelFileBytes else {
      throw ModelError(
        reason: "the file has \(file.count) bytes, more than \(Limits.modelFileBytes)")
    }
    var reader = LineReader(file)
    let header = try LightGBMHeader(&reader)
    var builder = ForestBuilder(featureCount: header.featureNames.count)
    try readTrees(&reader, header, &builder)
    let levels = try readTail(&reader, header)
    return Forest(
      featureNames: header.featureNames, objective: header.objective.name,
      transform: header.objective.transform, categoricalLevels: levels, trees: builder)
  }

  private static func readTrees(
    _ reader: inout LineReader, _ header: LightGBMHeader, _ builder: inout ForestBuilder
  ) throws(ModelError) {
    var columns = TreeColumns()
    var start: (tree: Int, offset: Int)?
    while true {
      let number = builder.roots.count
      guard let line = reader.nextFilled() else {
        throw ModelError(
          location: "tree \(number)", reason: "the file ends before \"end of trees\"")
      }
      // Early v2 files have no end mark; an empty line and this follow their trees.
      let isEarlyEnd = header.version == "v2" && line.bytes.equals("feature importances:")
      if let start, let sizes = header.treeSizes {
        let end = line.offset - (isEarlyEnd ? 1 : 0)
        try checkSize(sizes, tree: start.tree, bytes: end - start.offset)
      }
      if line.bytes.hasPrefix("Tree=") {
        guard line.bytes[5..<line.bytes.count].integer == Int64(number) else {
          throw ModelError(
            location: "line \(line.number)",
            reason: "\(line.bytes.quoted) where tree \(number) was expected")
        }
        start = (number, line.offset)
        try LightGBMTree(&reader, number: number).read(into: &columns)
        try builder.append(columns)
        continue
      }
      guard isEarlyEnd || line.bytes.equals("end of trees") else {
        throw ModelError(
          location: "line \(line.number)",
          reason: "\(line.bytes.quoted) where a tree or \"end of trees\" was expected")
      }
      if let sizes = header.treeSizes, sizes.count != number {
        throw ModelError(
          location: "header",
          reason: "tree_sizes announces \(sizes.count) trees, there are \(number)")
      }
      guard number > 0 else { throw ModelError(reason: "the model has no trees") }
      return
    }
  }

  private static func checkSize(
    _ sizes: [Int], tree: Int, bytes: Int
  ) throws(ModelError) {
    guard tree < sizes.count else {
      throw ModelError(
        location: "header", reason: "tree_sizes announces \(sizes.count) trees, there are more")
    }
    guard sizes[tree] == bytes else {
      throw ModelError(
        location: "tree \(tree)",
        reason: "it has \(bytes) bytes, tree_sizes says \(sizes[tree]); was the file edited, or "
          + "its line ends converted?")
    }
  }

  /// Importances and parameters have no part in a score; the last line may name the levels of
  /// pandas categories. LightGBM's Python package looks for them in the last line only, too.
  private static func readTail(
    _ reader: inout LineReader, _ header: LightGBMHeader
  ) throws(ModelError) -> [CategoricalLevels] {
    var parametersAreOpen = false
    var last: LineReader.Line?
    while let line = reader.nextFilled() {
      if line.bytes.equals("parameters:") { parametersAreOpen = true }
      if line.bytes.equals("end of parameters") { parametersAreOpen = false }
      last = line
    }
    // v2 does not close its parameters.
    guard !parametersAreOpen || header.version == "v2" else {
      throw ModelError(reason: "the file ends before \"end of parameters\"")
    }
    guard let last, last.bytes.hasPrefix("pandas_categorical:") else { return [] }
    let location = "line \(last.number), pandas_categorical"
    let lists: [[String]]
    do throws(PandasCategories.Malformed) {
      lists = try PandasCategories.parse(last.bytes[19..<last.bytes.count])
    } catch {
      throw ModelError(location: location, reason: "byte \(error.offset): \(error.reason)")
    }
    guard !lists.isEmpty else { return [] }
    let features = header.categoricalFeatures
    guard lists.count == features.count else {
      throw ModelError(
        location: location,
        reason: "\(lists.count) lists of levels, but feature_infos has \(features.count) "
          + "categorical features")
    }
    var levels: [CategoricalLevels] = []
    for (list, (feature, largest)) in zip(lists, features) {
      guard largest < list.count else {
        throw ModelError(
          location: location,
          reason: "feature \(feature) has category \(largest), but its list \(list.count) levels")
      }
      levels.append(CategoricalLevels(feature: feature, levels: list))
    }
    return levels
  }
}
