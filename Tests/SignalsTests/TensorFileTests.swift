import Testing

@testable import Signals

struct TensorFileTests {
  private func parse(_ bytes: [UInt8]) throws -> [String: Tensor] {
    try fileBytes(bytes, isOdd: true).withBytes { bytes in
      try TensorFile(parsing: bytes, file: "t.safetensors").tensors
    }
  }

  private func parse(_ header: String, dataBytes: Int) throws -> [String: Tensor] {
    try parse(safetensors(header: header, data: [UInt8](repeating: 1, count: dataBytes)))
  }

  @Test func goodOnes() throws {
    #expect(try parse("{}", dataBytes: 0).isEmpty)
    #expect(try parse("{\"__metadata__\": {\"format\": \"np\"}}   ", dataBytes: 0).isEmpty)
    // In any order in the header; scalars; tensors without elements, wherever they lie.
    let header =
      "{" + entry("b", "I16", "[2,1]", "[3,7]") + "," + entry("a", "U8", "[3]", "[0,3]") + ","
      + entry("none", "F64", "[0,5]", "[3,3]") + "," + entry("last", "F32", "[0]", "[8,8]") + ","
      + entry("scalar", "BOOL", "[]", "[7,8]") + "}"
    let tensors = try parse(header, dataBytes: 8)
    #expect(tensors.keys.sorted() == ["a", "b", "last", "none", "scalar"])
    #expect(tensors["b"]?.shape == [2, 1] && tensors["b"]?.type == .i16)
    #expect(tensors["b"]?.byteCount == 4 && tensors["none"]?.byteCount == 0)
  }

  @Test(arguments: [
    (entry("a", "U8", "[3]", "[0,4]"), "takes 3 bytes, but data_offsets [0, 4] hold 4"),
    (entry("a", "F32", "[1]", "[0,3]"), "F32 [1] takes 4 bytes"),
    (entry("a", "U8", "[4]", "[0]"), "data_offsets has 1 numbers, not 2"),
    (entry("a", "U8", "[4]", "[-4,0]"), "are not within 4 bytes"),
    (entry("a", "U8", "[4]", "[4,0]"), "are not within 4 bytes"),
    (entry("a", "U8", "[5]", "[0,5]"), "are not within 4 bytes"),
    (entry("a", "U8", "[-2,-2]", "[0,4]"), "too large or negative"),
    (entry("a", "F64", "[9223372036854775807,2]", "[0,4]"), "too large or negative"),
    (entry("a", "F64", "[4294967296,4294967296,0]", "[0,0]"), "too large or negative"),
    (entry("a", "BF16", "[2]", "[0,4]"), "the dtype BF16 is not supported"),
    (entry("a", "u8", "[4]", "[0,4]"), "the dtype u8 is not supported"),
    (entry("a", "", "[4]", "[0,4]"), "the dtype  is not supported"),
    (entry("b", "U8", "[2]", "[0,2]") + "," + entry("a", "U8", "[3]", "[1,4]"), "inside"),
    (entry("b", "U8", "[1]", "[0,1]") + "," + entry("a", "U8", "[2]", "[2,4]"), "a hole"),
    (entry("a", "U8", "[3]", "[1,4]"), "starts at 1, after a hole from 0"),
  ])
  func refusedTensor(entries: String, reason: String) {
    #expect {
      try parse("{\(entries)}", dataBytes: 4)
    } throws: { error in
      let error = error as? SnapshotError
      return error?.file == "t.safetensors" && error?.field == "tensor a"
        && error?.reason.contains(reason) == true
    }
  }

  @Test(arguments: [
    ("", "does not start with '{'"), (" {}", "does not start with '{'"),
    ("[]", "does not start with '{'"),
  ])
  func refusedHeader(header: String, reason: String) {
    #expect(throws: SnapshotError(file: "t.safetensors", field: "header", reason: reason)) {
      try parse(header, dataBytes: 0)
    }
  }

  @Test func refusedLengths() {
    func fault(_ reason: String) -> SnapshotError {
      SnapshotError(file: "t.safetensors", field: "header", reason: reason)
    }
    #expect(throws: fault("the file has 0 bytes; 8 hold the header's length")) { try parse([]) }
    #expect(throws: fault("the file has 7 bytes; 8 hold the header's length")) {
      try parse([UInt8](repeating: 0, count: 7))
    }
    #expect(throws: fault("says it is 3 bytes long, in a file of 10")) {
      try parse(littleEndianBytes([3] as [UInt64]) + [0x7B, 0x7D])
    }
    #expect(throws: fault("says it is 18446744073709551615 bytes long; at most 100000000")) {
      try parse(littleEndianBytes([UInt64.max]) + [0x7B, 0x7D])
    }
  }

  @Test func refusedShapesOfTheHeader() {
    #expect(
      throws: SnapshotError(file: "t.safetensors", field: "tensor a.shape", reason: "is missing")
    ) {
      try parse("{\"a\": {\"dtype\": \"U8\", \"data_offsets\": [0, 0]}}", dataBytes: 0)
    }
    #expect {
      try parse("{\"__metadata__\": {\"a\": 1}}", dataBytes: 0)
    } throws: { ($0 as? SnapshotError)?.field == "tensor __metadata__.a" }
    #expect {
      try parse("{" + entry("a", "U8", "[1]", "[0,1]") + "}", dataBytes: 3)
    } throws: { ($0 as? SnapshotError)?.reason == "2 bytes after the last tensor belong to none" }
    let twice = entry("a", "U8", "[1]", "[0,1]") + "," + entry("a", "I8", "[1]", "[0,1]")
    #expect {
      try parse("{" + twice + "}", dataBytes: 1)
    } throws: { ($0 as? SnapshotError)?.reason.contains("\"a\" for a second time") == true }
  }

  @Test func theNumberOfTensorsIsBounded() throws {
    func header(_ count: Int) -> String {
      "{" + (0..<count).map { entry("t\($0)", "U8", "[0]", "[0,0]") }.joined(separator: ",") + "}"
    }
    #expect(try parse(header(16_384), dataBytes: 0).count == 16_384)
    #expect(
      throws: SnapshotError(
        file: "t.safetensors", reason: "has 16385 tensors; at most 16384")
    ) {
      try parse(header(16_385), dataBytes: 0)
    }
    let name = String(repeating: "n", count: 1_025)
    #expect {
      try parse("{" + entry(name, "U8", "[0]", "[0,0]") + "}", dataBytes: 0)
    } throws: { ($0 as? SnapshotError)?.reason.contains("longer than 1024 bytes") == true }
  }
}

private func entry(_ name: String, _ type: String, _ shape: String, _ offsets: String)
  -> String
{
  "\"\(name)\":{\"dtype\":\"\(type)\",\"shape\":\(shape),\"data_offsets\":\(offsets)}"
}
