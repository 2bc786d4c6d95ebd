import Core
import Models
import Testing

@Suite struct LightGBMTests {
  @Test(arguments: ["v2", "v3", "v4"])
  func versions(_ version: String) throws {
    var source = ModelSource()
    source["version"] = version
    #expect(try source.parsed().treeCount == 1)
  }

  @Test func namesMayContainEqualSigns() throws {
    var source = ModelSource()
    source["feature_names"] = "a=b=c ="
    #expect(try source.parsed().featureNames == ["a=b=c", "="])
  }

  @Test func whatHasNoPartInAScoreMayBeThereOrNot() throws {
    var source = ModelSource()
    source["monotone_constraints"] = "1 -1"
    source.remove("label_index")
    source.tail = "end of trees\n"
    source.trees[0]["split_gain"] = nil
    source.trees[0]["internal_value"] = nil
    source.trees[0]["is_linear"] = nil
    source.trees[0]["shrinkage"] = nil
    #expect(try source.parsed().rawScore([1, 0]) == 2)
  }

  @Test func treeSizesMayBeAbsent() throws {
    var source = ModelSource()
    source.announcesSizes = false
    source.trees = [TreeSource(), TreeSource()]
    #expect(try source.parsed().treeCount == 2)
  }

  @Test func convertedLineEndsAreReadIfNoSizeSpeaksAgainst() throws {
    var source = ModelSource()
    #expect(
      refusalOf(source.text.replacing("\n", with: "\r\n")).contains("line ends converted?"))
    source.announcesSizes = false
    #expect(try parse(source.text.replacing("\n", with: "\r\n")).rawScore([1, 0]) == 2)
  }

  @Test func earlyFilesEndTheirTreesWithoutAMark() throws {
    var source = ModelSource()
    source["version"] = "v2"
    source.tail = "\nfeature importances:\na=1\nparameters:\n[boosting: gbdt]\n"
    #expect(try source.parsed().treeCount == 1)
    source["version"] = "v3"
    source.announcesSizes = false
    #expect(source.refusal.contains("where a tree or \"end of trees\" was expected"))
  }

  @Test(arguments: [
    ("version", nil, "version is missing"), ("version", "v5", "version \"v5\" is unknown"),
    ("version", "v1", "version \"v1\" is unknown"), ("num_class", nil, "num_class is missing"),
    ("num_class", "3", "num_class is \"3\": only models of one output"),
    ("num_tree_per_iteration", nil, "num_tree_per_iteration is missing"),
    ("num_tree_per_iteration", "2", "num_tree_per_iteration is \"2\""),
    ("max_feature_idx", nil, "max_feature_idx is missing"),
    ("max_feature_idx", "-1", "max_feature_idx is \"-1\""),
    ("max_feature_idx", "4096", "max_feature_idx is \"4096\", not 0 … 4095"),
    ("max_feature_idx", "99999999999999999999", "max_feature_idx is"),
    ("max_feature_idx", "2", "asks for 3 feature_names"),
    ("max_feature_idx", "0", "asks for 1 feature_names"),
    ("feature_names", nil, "feature_names is missing"),
    ("feature_names", "a a", "feature name \"a\" is there a second time"),
    ("feature_infos", nil, "feature_infos is missing"),
    ("feature_infos", "none", "asks for 2 feature_infos"),
    ("feature_infos", "none none none", "asks for 2 feature_infos"),
    ("feature_infos", "none 1:x", "feature_infos of feature 1, \"1:x\", is unknown"),
    ("feature_infos", "none 1:", "feature_infos of feature 1, \"1:\", is unknown"),
    ("average_output", "", "average_output"), ("leaf_value_dim", "2", "unknown key"),
  ])
  func refusedHeaders(_ key: String, _ value: String?, _ reason: String) {
    var source = ModelSource()
    source.remove(key)
    if let value { source[key] = value }
    #expect(source.refusal.contains(reason))
    #expect(source.refusal.hasPrefix("header: ") || source.refusal.hasPrefix("line "))
  }

  @Test func randomForestsAreRefused() {
    var source = ModelSource()
    source["average_output"] = nil as String?
    #expect(source.text.contains("\naverage_output\n"))
    #expect(source.refusal == "header: average_output: random forests are not supported")
  }

  @Test func aKeyThatComesTwiceIsRefused() {
    var source = ModelSource()
    source.header.append(("version", "v4"))
    #expect(source.refusal.contains("version is there a second time"))
  }

  @Test func otherFilesAreRefused() {
    #expect(refusalOf("") == "line 1: not a LightGBM text model")
    #expect(refusalOf("{\"learner\": {}}") == "line 1: not a LightGBM text model")
    #expect(refusalOf("tree\n") == "header: version is missing")
  }

  @Test func aFileOverTheBoundIsNotRead() {
    // Only the first byte is there: reading on would be caught by the sanitizer, or crash.
    withUnsafeBytes(of: UInt8(ascii: "t")) { byte in
      let file = UnsafeRawBufferPointer(
        start: byte.baseAddress, count: Limits.modelFileBytes + 1)
      #expect(throws: ModelError(reason: "the file has 1073741825 bytes, more than 1073741824")) {
        try LightGBM.parse(file)
      }
    }
  }

  @Test func namesThatAreNotUTF8AreRefused() throws {
    var bytes = Array(ModelSource().text.utf8)
    let name = try #require(bytes.firstRange(of: Array("=a b".utf8))).lowerBound + 1
    bytes[name] = 0xFF
    #expect(
      throws: ModelError(location: "header", reason: "feature name \"\u{FFFD}\" is not UTF-8")
    ) { try parse(bytes) }
  }

  @Test func theNumberOfTreesMustBeTheAnnouncedOne() {
    var source = ModelSource()
    source.announcesSizes = false
    source.trees = [TreeSource(), TreeSource()]
    let size = TreeSource().text.utf8.count + 9
    for (sizes, reason) in [
      ("\(size)", "announces 1 trees, there are more"),
      ("\(size) \(size) \(size)", "announces 3 trees, there are 2"),
      ("\(size) \(size + 1)", "tree 1: it has \(size) bytes, tree_sizes says \(size + 1)"),
      ("\(size) x", "tree_sizes holds \"x\""), ("0 0", "tree_sizes holds \"0\""),
    ] {
      source["tree_sizes"] = sizes
      #expect(source.refusal.contains(reason))
    }
    source["tree_sizes"] = "\(size) \(size)"
    #expect(source.refusal == "accepted")
  }

  @Test func aModelWithoutTreesIsRefused() {
    var source = ModelSource()
    source.trees = []
    #expect(source.refusal == "the model has no trees")
  }

  @Test func treesComeInOrder() {
    let text = ModelSource().text.replacing("Tree=0", with: "Tree=1")
    #expect(refusalOf(text).contains("\"Tree=1\" where tree 0 was expected"))
  }

  /// Whatever its length, a file that is cut before the end mark is no model, and one that is cut
  /// behind it says so as long as its parameters are open.
  @Test func cutFilesAreRefused() throws {
    var source = ModelSource()
    source.trees = [TreeSource(), .categorical("5", count: 1)]
    let bytes = Array(source.text.utf8)
    let whole = try #require(bytes.firstRange(of: Array("end of trees\n".utf8))).upperBound - 1
    let parameters = try #require(bytes.firstRange(of: Array("parameters:\n".utf8))).upperBound
    let closed = try #require(bytes.firstRange(of: Array("end of parameters".utf8))).upperBound
    for length in 0..<bytes.count {
      let isAccepted = (try? parse(Array(bytes[..<length]))) != nil
      if length < whole || (parameters..<closed).contains(length) {
        #expect(!isAccepted, "\(length) bytes")
      }
    }
  }

  @Test func pandasLevelsGoToTheCategoricalFeatures() throws {
    var source = ModelSource(.categorical("5", count: 1))
    source["max_feature_idx"] = "3"
    source["feature_names"] = "a b c d"
    source["feature_infos"] = "-1:0:1 [0:1] none 2"
    source.tail = "end of trees\n\npandas_categorical:[[\"x\", \"y\"], [1, 2.5, true]]\n"
    #expect(
      try source.parsed().categoricalLevels == [
        CategoricalLevels(feature: 0, levels: ["x", "y"]),
        CategoricalLevels(feature: 3, levels: ["1", "2.5", "true"]),
      ])
    source["feature_infos"] = "-1:0:2 [0:1] none 2"
    #expect(source.refusal.contains("feature 0 has category 2, but its list 2 levels"))
    source["feature_infos"] = "[0:1] [0:1] none 2"
    #expect(source.refusal.contains("2 lists of levels, but feature_infos has 1 categorical"))
    source.tail = "end of trees\n\npandas_categorical:[]\n"
    #expect(try source.parsed().categoricalLevels.isEmpty)
  }

  /// Damaged files are refused or understood, never a trap or an endless walk.
  @Test func damagedFilesDoNoHarm() {
    var source = ModelSource()
    source.trees = [
      TreeSource([
        "num_leaves": "4", "num_cat": "1", "split_feature": "0 1 0", "threshold": "0.5 0 1e-3",
        "decision_type": "10 1 4", "left_child": "1 -1 -2", "right_child": "2 -3 -4",
        "leaf_value": "1 2 4 8", "leaf_count": "1 2 3 4", "cat_boundaries": "0 2",
        "cat_threshold": "7 4294967295",
      ]), .constant("0.25"),
    ]
    source.tail = "end of trees\n\npandas_categorical:[]\n"
    source.announcesSizes = false
    let sound = Array(source.text.utf8)
    #expect(refusalOf(source.text) == "accepted")
    let seed: UInt64 = 20_261_123
    var state = seed
    func random(_ bound: Int) -> Int {
      state = splitmix64(state)
      return Int(state % UInt64(bound))
    }
    let favourites = Array("0123456789-=. \n[]e:".utf8)
    var accepted = 0
    for round in 0..<6_000 {
      var bytes = sound
      for _ in 0...random(3) {
        let place = random(bytes.count)
        switch random(4) {
        case 0: bytes[place] = UInt8(random(256))
        case 1: bytes.remove(at: place)
        case 2: bytes.insert(favourites[random(favourites.count)], at: place)
        default: bytes[place] = favourites[random(favourites.count)]
        }
      }
      guard let forest = try? parse(bytes) else { continue }
      accepted += 1
      let row = Array(repeating: 1.0, count: forest.featureNames.count)
      #expect(forest.rawScore(row).isFinite, "seed \(seed), round \(round)")
    }
    #expect(accepted > 100 && accepted < 5_900, "seed \(seed)")
  }
}
