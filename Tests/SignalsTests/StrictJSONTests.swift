import Testing

@testable import Signals

private struct Document: Decodable, Equatable {
  var a: Int
  var b: [String]?
}

struct StrictJSONTests {
  private func decode(_ bytes: [UInt8]) throws -> Document {
    try bytes.withUnsafeBytes { try StrictJSON.decode(Document.self, from: $0, file: "f.json") }
  }

  private func decode(_ text: String) throws -> Document {
    try decode(Array(text.utf8))
  }

  @Test func plainDocuments() throws {
    #expect(try decode(" {\"a\": 1}\n") == Document(a: 1))
    #expect(
      try decode("{\"b\": [\"}\\\"{[\\\\\", \":\", \"a\\u0062\"], \"a\": -2, \"c\": null}")
        == Document(a: -2, b: ["}\"{[\\", ":", "ab"]))
    // The same key in two objects is no second time.
    #expect(try decode("{\"x\": {\"a\": 7, \"y\": {\"a\": 8}}, \"a\": 3}") == Document(a: 3))
    #expect(try decode("{\"a\": 3, \"b\": [\"a\", \"a\"]}") == Document(a: 3, b: ["a", "a"]))
  }

  @Test(arguments: [
    ("", "byte 0: expected a JSON object"), ("[]", "byte 0: expected a JSON object"),
    ("  7", "byte 2: expected a JSON object"),
    ("{\"a\": 1, \"a\": 1}", "byte 9: is the key \"a\" for a second time"),
    ("{\"a\": 1, \"\\u0061\": 2}", "byte 9: is the key \"a\" for a second time"),
    ("{\"a\": 1, \"c\": [{\"d\": 1, \"e\": {}, \"d\" : 2}]}", "byte 33: is the key \"d\""),
    ("{\"a\": 1, \"é\": 1, \"e\u{301}\": 2}", "byte 18: is the key"),
    ("{\"a\": 1}}", "byte 8: closes what was not opened"),
    ("{\"a\": 1, \"b", "byte 9: starts a string that does not end"),
    ("{\"a\": 1, \"b\\", "byte 9: starts a string that does not end"),
    ("{\"a\": 1, \"\\ud800\": 1}", "byte 9: is not a JSON string"),
    ("{\"a\": 1, }", "byte 9: expected a value after a comma"),
    ("{\"a\": 1, \"b\": [\"\",]}", "byte 18: expected a value after a comma"),
    ("{\"a\": 1,", "byte 8: expected a value after a comma"),
    ("{\"a\": 1,\0 \"b\": []}", "byte 8: is a NUL"),
  ])
  func refusedByTheScan(text: String, reason: String) {
    #expect {
      try decode(text)
    } throws: { error in
      let error = error as? SnapshotError
      return error?.file == "f.json" && error?.field == ""
        && error?.reason.hasPrefix(reason) == true
    }
  }

  /// What the scan lets pass, for it only looks at structure, the decoder refuses.
  @Test(arguments: [
    "{", "{\"a\": 1", "{\"a\" 1}", "{\"a\": 01}", "{\"a\": NaN}", "{a: 1}",
    "{\"a\": 1]", "{\"a\": 1} {}", "{\"a\": 1} x", "{'a': 1}", "{\"a\": 1 /* */}",
    "{\"a\": 99999999999999999999}", "{\"a\": 1.5}", "{\"a\": \"1\"}", "{\"a\": true}",
    "{\"a\": null}", "{\"b\": []}", "{\"a\": 1, \"b\": [1]}",
  ])
  func refusedByTheDecoder(text: String) {
    #expect(throws: SnapshotError.self) { try decode(text) }
  }

  @Test func fieldsAreNamed() {
    #expect(throws: SnapshotError(file: "f.json", field: "a", reason: "is missing")) {
      try decode("{\"b\": []}")
    }
    #expect {
      try decode("{\"a\": 1, \"b\": [\"x\", 2]}")
    } throws: { ($0 as? SnapshotError)?.field == "b[1]" }
  }

  @Test func otherEncodingsAreRefused() {
    let text = "{\"a\": 1}"
    #expect(throws: SnapshotError.self) { try decode([0xEF, 0xBB, 0xBF] + Array(text.utf8)) }
    for bigEndian in [true, false] {
      let wide = text.utf16.flatMap { unit -> [UInt8] in
        bigEndian ? [UInt8(unit >> 8), UInt8(unit & 255)] : [UInt8(unit & 255), UInt8(unit >> 8)]
      }
      #expect(throws: SnapshotError.self) { try decode(wide) }
    }
    let invalid = Array("{\"a\": 1, \"c\": \"".utf8) + [0xC3, 0x28] + Array("\"}".utf8)
    #expect(throws: SnapshotError(file: "f.json", reason: "byte 15: is not UTF-8")) {
      try decode(invalid)
    }
  }

  @Test func depthAndSizeAreBounded() throws {
    func nested(_ depth: Int) -> String {
      "{\"a\": 1, \"c\": " + String(repeating: "[", count: depth - 1)
        + String(repeating: "]", count: depth - 1) + "}"
    }
    #expect(try decode(nested(64)) == Document(a: 1))
    #expect(throws: SnapshotError(file: "f.json", reason: "byte 77: is nested deeper than 64")) {
      try decode(nested(65))
    }
    #expect(throws: SnapshotError.self) { try decode(nested(1_000_000)) }
    try Array("{\"a\": [1, {}]}".utf8).withUnsafeBytes { bytes in
      var scan = JSONScan(bytes, tokenLimit: 5)
      try scan.run()
      scan = JSONScan(bytes, tokenLimit: 4)
      #expect {
        try scan.run()
      } throws: { ($0 as? JSONScan.Fault)?.reason == "has more than 4 values" }
    }
  }
}
