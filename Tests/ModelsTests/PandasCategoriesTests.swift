import Models
import Testing

/// Through the importer: `pandas_categorical:` of a model with one categorical feature.
@Suite struct PandasCategoriesTests {
  private func source(_ json: String) -> ModelSource {
    var source = ModelSource()
    source["feature_infos"] = "0 none"
    source.tail = "end of trees\n\npandas_categorical:\(json)\n"
    return source
  }

  @Test(arguments: ["null", "[]", " null ", "[ ]"])
  func noneAtAll(_ json: String) throws {
    #expect(try source(json).parsed().categoricalLevels.isEmpty)
  }

  @Test(arguments: [
    (#"[["a"]]"#, ["a"]), (#"[ [ "a" , "b" ] ]"#, ["a", "b"]),
    (#"[[1, -2.5, 1e-07, 1E+3, true, false]]"#, ["1", "-2.5", "1e-07", "1E+3", "true", "false"]),
    (#"[["\"\\\/\b\f\n\r\t"]]"#, ["\"\\/\u{8}\u{C}\n\r\t"]), (#"[["ün]ï,"]]"#, ["ün]ï,"]),
    (#"[["\u00fcA\ud83c\udfb5\uFFFD"]]"#, ["üA\u{1F3B5}\u{FFFD}"]),
    (#"[["", "\u0000"]]"#, ["", "\0"]),
  ])
  func levels(_ json: String, _ levels: [String]) throws {
    #expect(
      try source(json).parsed().categoricalLevels == [
        CategoricalLevels(feature: 0, levels: levels)
      ])
  }

  @Test(arguments: [
    ("", "byte 0: \"[\" was expected"), ("nul", "byte 3: \"l\" was expected"),
    ("nullx", "byte 4: text after the end"), ("[[1]", "byte 4: \",\" or \"]\" was expected"),
    ("[[1", "byte 3: \",\" or \"]\" was expected"), ("[[1]] x", "byte 6: text after the end"),
    ("[1]", "byte 1: \"[\" was expected"), ("[[1],]", "byte 5: \"[\" was expected"),
    ("[[1,]]", "byte 4: a string, number or boolean"), ("[[NaN]]", "byte 2: a string, number"),
    ("[[[1]]]", "byte 2: a string, number or boolean"), ("[[null]]", "byte 2: a string, number"),
    ("[[{}]]", "byte 2: a string, number or boolean"), ("[[tru]]", "byte 5: \"e\" was expected"),
    (#"[["a]]"#, "byte 6: a string without an end"), (#"[["\"#, "a string without an end"),
    (#"[["\x"]]"#, "an unknown escape"), (#"[["\u12"]]"#, "four hexadecimal digits"),
    (#"[["\ud83c"]]"#, "was expected"), (#"[["\ud83cA"]]"#, "was expected"),
    (#"[["\udfb5"]]"#, "half of a surrogate pair"),
    (#"[["\ud83c\ud83c"]]"#, "half of a surrogate pair"),
    ("[[\"\u{1}\"]]", "byte 3: a control character in a string"),
    ("[[\"a\"], [\"b\"]]", "2 lists of levels, but feature_infos has 1 categorical features"),
    ("[[]]", "feature 0 has category 0, but its list 0 levels"),
  ])
  func refusals(_ json: String, _ reason: String) {
    let refusal = source(json).refusal
    #expect(refusal.contains(", pandas_categorical: "))
    #expect(refusal.contains(reason))
  }

  @Test func stringsThatAreNotUTF8AreRefused() throws {
    var bytes = Array(source(#"[["a"]]"#).text.utf8)
    let place = try #require(bytes.firstRange(of: Array("[[\"a".utf8))).upperBound - 1
    bytes[place] = 0xC3
    #expect(throws: ModelError.self) { try parse(bytes) }
  }
}
