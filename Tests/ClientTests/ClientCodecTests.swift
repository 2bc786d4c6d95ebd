import Core
import Testing

@testable import Wire

/// Protobuf's wire format, written by hand: the oracle that protobuf-c does not share.
private enum Protobuf {
  static func varint(_ value: UInt64) -> [UInt8] {
    var (value, bytes) = (value, [UInt8]())
    while value >= 128 {
      bytes.append(UInt8(value & 127) | 128)
      value >>= 7
    }
    return bytes + [UInt8(value)]
  }

  static func number(_ field: UInt64, _ value: UInt64) -> [UInt8] {
    varint(field << 3) + varint(value)
  }

  static func bytes(_ field: UInt64, _ value: [UInt8]) -> [UInt8] {
    varint(field << 3 | 2) + varint(UInt64(value.count)) + value
  }

  static func text(_ field: UInt64, _ value: String) -> [UInt8] { bytes(field, Array(value.utf8)) }

  static func fixed64(_ value: UInt64) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
  }

  static func fixed32(_ value: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
  }

  static func float(_ value: Float) -> [UInt8] { fixed32(value.bitPattern) }
  static func double(_ value: Double) -> [UInt8] { fixed64(value.bitPattern) }
}

@Suite struct ClientEncodingTests {
  @Test func everyFieldOfARequestIsEncoded() throws {
    var request = ScoreRequestMessage()
    request.requestID = "r-1"
    request.userID = 0x0102_0304_0506_0708
    request.userURI = "user:ä"
    request.context.market = "SE"
    request.context.surface = "radio"
    request.context.tier = "free"
    request.context.timeUnixMilliseconds = -5
    request.context.utcOffsetMinutes = -60
    request.context.segments = ["a", "b"]
    request.itemIDs = [1, UInt64.max]
    request.itemURIs = ["x:1"]
    request.candidateColumns = [.init(name: "recent", values: [1.5, -2])]
    request.userColumns = [.init(name: "taste", values: [0.25])]
    request.minFidelity = 4
    request.model = "m"
    request.wantRaw = true
    request.wantBoosts = true
    request.wantExplanations = true
    let context =
      Protobuf.text(1, "SE") + Protobuf.text(2, "radio") + Protobuf.text(3, "free")
      + [4 << 3 | 1] + Protobuf.fixed64(UInt64(bitPattern: -5)) + Protobuf.number(5, 119)
      + Protobuf.text(6, "a") + Protobuf.text(6, "b")
    let columns =
      Protobuf.bytes(
        7, Protobuf.text(1, "recent") + Protobuf.bytes(2, Protobuf.float(1.5) + Protobuf.float(-2)))
      + Protobuf.bytes(8, Protobuf.text(1, "taste") + Protobuf.bytes(2, Protobuf.float(0.25)))
    let expected =
      Protobuf.text(1, "r-1") + [2 << 3 | 1] + Protobuf.fixed64(0x0102_0304_0506_0708)
      + Protobuf.text(3, "user:ä") + Protobuf.bytes(4, context)
      + Protobuf.bytes(5, Protobuf.fixed64(1) + Protobuf.fixed64(UInt64.max))
      + Protobuf.text(6, "x:1") + columns + Protobuf.number(9, 4) + Protobuf.text(10, "m")
      + Protobuf.number(11, 1) + Protobuf.number(12, 1) + Protobuf.number(13, 1)
    #expect(try request.encoded() == expected)
  }

  @Test func anEmptyRequestHasNoBytes() throws {
    #expect(try ScoreRequestMessage().encoded() == [])
    #expect(try HealthMessages.encodedRequest(service: "") == [])
    #expect(try HealthMessages.encodedRequest(service: "a.B") == Protobuf.text(1, "a.B"))
  }

  @Test func whatProtobufCannotCarryIsRefused() {
    var request = ScoreRequestMessage()
    request.itemURIs = ["a:1", "a\0b"]
    #expect(throws: ClientEncodingError.containsNUL(field: "item_uris")) { try request.encoded() }
    request = ScoreRequestMessage()
    request.itemIDs = [UInt64](repeating: 1, count: Limits.serving.arenaBytes / 8)
    #expect(throws: ClientEncodingError.tooLarge) { try request.encoded() }
  }
}

@Suite struct ClientDecodingTests {
  private var provenance: [UInt8] {
    Protobuf.text(1, "snap") + Protobuf.text(2, "default") + Protobuf.text(3, "ab12")
      + [4 << 3 | 1] + Protobuf.fixed64(1_700_000_000_000) + Protobuf.text(5, "control")
      + Protobuf.number(6, 50) + Protobuf.number(7, 100) + Protobuf.text(8, "micros:1000")
  }

  @Test func everyFieldOfAResponseIsDecoded() throws {
    let contribution =
      Protobuf.text(1, "f") + [2 << 3 | 1] + Protobuf.double(0.5) + [3 << 3 | 1]
      + Protobuf.double(-0.5)
    let term = Protobuf.text(1, "raw") + [2 << 3 | 1] + Protobuf.double(3)
    let explanation =
      [1 << 3 | 5] + Protobuf.fixed32(1) + [2 << 3 | 1] + Protobuf.double(0.125)
      + Protobuf.bytes(3, contribution) + Protobuf.bytes(4, term)
    let columns =
      Protobuf.bytes(3, Protobuf.float(0.5) + Protobuf.float(0))
      + Protobuf.bytes(4, Protobuf.float(2) + Protobuf.float(1))
      + Protobuf.number(5, 4) + Protobuf.bytes(6, [4, 1]) + Protobuf.number(7, 1)
      + Protobuf.bytes(8, [1, 2]) + Protobuf.bytes(9, Protobuf.fixed64(7) + Protobuf.fixed64(0))
      + Protobuf.bytes(10, Protobuf.double(0.1) + Protobuf.double(-1))
    let bytes =
      Protobuf.text(1, "r-1") + Protobuf.bytes(2, provenance) + columns
      + Protobuf.bytes(11, explanation) + Protobuf.number(12, 1) + Protobuf.bytes(13, [10, 99])
      + Protobuf.text(2_000, "a field of a later version")
    let response = try ScoreResponseMessage.decoded(bytes)
    #expect(response.requestID == "r-1")
    #expect(response.provenance.snapshot == "snap")
    #expect(response.provenance.model == "default")
    #expect(response.provenance.modelSHA256 == "ab12")
    #expect(response.provenance.timeUnixMilliseconds == 1_700_000_000_000)
    #expect(response.provenance.arm == "control")
    #expect(response.provenance.treesUsed == 50)
    #expect(response.provenance.treesTotal == 100)
    #expect(response.provenance.boostScale == "micros:1000")
    #expect(response.scores == [0.5, 0])
    #expect(response.boosts == [2, 1])
    #expect((0..<2).map(response.fidelity) == [4, 1])
    #expect((0..<2).map(response.reason) == [1, 2])
    #expect(response.campaignKeys == [7, 0])
    #expect(response.rawScores == [0.1, -1])
    #expect(response.explanations.map(\.position) == [1])
    #expect(response.explanations.first?.expectedRaw == 0.125)
    #expect(
      response.explanations.first?.contributions == [
        .init(feature: "f", value: 0.5, contribution: -0.5)
      ])
    #expect(response.explanations.first?.terms == [.init(name: "raw", value: 3)])
    #expect(response.allBoostReason == 1)
    #expect(response.boostReasons == [10, 99])
    #expect(response.mismatch(candidateCount: 2) == nil)
    #expect(response.mismatch(candidateCount: 3) == "2 scores")
  }

  @Test func anAllColumnHoldsForEveryPosition() throws {
    let bytes =
      Protobuf.bytes(3, Protobuf.float(1) + Protobuf.float(2)) + Protobuf.number(5, 3)
      + Protobuf.number(7, UInt64(bitPattern: -1))
    let response = try ScoreResponseMessage.decoded(bytes)
    #expect(response.fidelity(at: 1) == 3)
    #expect(response.reason(at: 0) == -1)
    #expect(response.mismatch(candidateCount: 2) == nil)
  }

  @Test func aColumnOfAnotherLengthIsAMismatch() throws {
    let bytes = Protobuf.bytes(3, Protobuf.float(1) + Protobuf.float(2)) + Protobuf.bytes(8, [1])
    #expect(
      try ScoreResponseMessage.decoded(bytes).mismatch(candidateCount: 2) == "1 reasons")
  }

  @Test(
    arguments: [
      [0xFF], Protobuf.bytes(3, [1, 2, 3]), [1 << 3 | 2, 200], Protobuf.bytes(1, [0xC3, 0x28]),
      Protobuf.bytes(2, Protobuf.bytes(2, [0xED, 0xA0, 0x80])),
      Protobuf.bytes(11, Protobuf.bytes(3, Protobuf.bytes(1, [0x80]))),
    ] as [[UInt8]]) func whatIsNoResponseIsInternal(bytes: [UInt8])
  {
    let failure = #expect(throws: CallFailure.self) { try ScoreResponseMessage.decoded(bytes) }
    #expect(failure?.code == .internalError)
  }

  @Test func anAnswerThatWouldExplodeIsRefused() {
    let bomb = [[UInt8]](repeating: Protobuf.bytes(11, []), count: 100_000).flatMap(\.self)
    #expect(throws: CallFailure.self) { try ScoreResponseMessage.decoded(bomb) }
    let unknown = [[UInt8]](repeating: Protobuf.number(15, 1), count: 100_000).flatMap(\.self)
    #expect(throws: CallFailure.self) { try ScoreResponseMessage.decoded(unknown) }
  }

  @Test func anAnswerOfFullSizeIsTaken() throws {
    let count = Limits.serving.candidates
    let short = Protobuf.bytes(
      11, [1 << 3 | 5] + Protobuf.fixed32(1) + Protobuf.bytes(3, Protobuf.text(1, "f")))
    let bytes =
      Protobuf.bytes(3, [UInt8](repeating: 0, count: 4 * count))
      + Protobuf.bytes(6, [UInt8](repeating: 4, count: count))
      + [[UInt8]](repeating: short, count: count).flatMap(\.self)
    let response = try ScoreResponseMessage.decoded(bytes)
    #expect(response.scores.count == count)
    #expect(response.fidelities == [Int32](repeating: 4, count: count))
    #expect(response.explanations.count == count)
  }

  @Test func mutatedAnswersNeverTrap() throws {
    let valid =
      Protobuf.text(1, "r-1") + Protobuf.bytes(2, provenance)
      + Protobuf.bytes(3, Protobuf.float(0.5)) + Protobuf.bytes(6, [4])
    var state: UInt64 = 20_261_125
    var decodable = 0
    for _ in 0..<20_000 {
      var bytes = valid
      for _ in 0..<3 {
        state = splitmix64(state)
        bytes[Int(state >> 32) % bytes.count] = UInt8(truncatingIfNeeded: state)
      }
      if (try? ScoreResponseMessage.decoded(bytes)) != nil { decodable += 1 }
    }
    // Neither all nor none, else the mutations reach nothing.
    #expect(decodable > 0 && decodable < 20_000)
  }

  @Test(
    arguments: [
      ([], HealthStatus.unknown), ([8, 1], .serving), ([8, 2], .notServing),
      ([8, 3], .serviceUnknown), ([8, 9], .other(9)),
    ] as [([UInt8], HealthStatus)]) func healthIsDecoded(bytes: [UInt8], status: HealthStatus)
    throws
  {
    #expect(try HealthMessages.decodedResponse(bytes) == status)
    #expect(throws: CallFailure.self) { try HealthMessages.decodedResponse([0]) }
  }

  @Test func enumsHaveTheContractsNames() {
    for fidelity in Fidelity.allCases {
      let name = "\(fidelity)".uppercased()
      #expect(ScoreVocabulary.fidelityName(Int32(fidelity.rawValue)) == name)
    }
    #expect(ScoreVocabulary.reasonName(2) == "UNKNOWN_ITEM")
    #expect(ScoreVocabulary.reasonName(21) == "TIER")
    #expect(ScoreVocabulary.reasonName(99) == "99")
  }
}

@Suite struct ClientStatusTests {
  @Test(arguments: [
    ("plain", "plain"), ("", ""), ("%41%62", "Ab"), ("%", "%"), ("%4", "%4"), ("%G1", "%G1"),
    ("%%41", "%A"), ("a%C3", "a\u{FFFD}"), ("%E2%82%AC", "€"), ("100%25", "100%"),
  ]) func messagesAreDecoded(encoded: String, decoded: String) {
    #expect(ClientStatus.message(Array(encoded.utf8)) == decoded)
  }

  @Test func noBytesMakeItFail() {
    for first in UInt8.min...UInt8.max {
      for second in UInt8.min...UInt8.max {
        #expect(!ClientStatus.message([37, first, second]).isEmpty)
      }
    }
  }

  @Test func everyCodeIsRead() {
    for code in StatusCode.allCases {
      #expect(ClientStatus.code(Array("\(code.rawValue)".utf8)) == code)
    }
    #expect(ClientStatus.code(Array("17".utf8)) == nil)
  }
}
