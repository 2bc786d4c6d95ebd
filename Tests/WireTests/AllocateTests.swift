import CCrescendoProto
import CProtobufC
import Core
import Testing
import Wire

private let provenance = ProvenanceTemplate(
  snapshot: "20261123T080000Z-3f2a9c", model: "default",
  modelSHA256: String(repeating: "ab", count: 32), treesTotal: 300)

@Suite struct AllocateRequestTests {
  private let id = [UInt8](100..<116)

  @Test func readsWhatTheClientWrites() throws {
    var request = AllocateRequestMessage()
    request.requestID = id
    request.slots = 10
    request.request.userID = 42
    request.request.context.market = "SE"
    request.request.itemIDs = Array(1...300)
    let inner = try request.request.encoded()
    inArena(try request.encoded()) { slice, arena in
      var view = AllocateRequestView()
      #expect(AllocateRequestDecoder.decode(slice, into: &view, arena: arena) == nil)
      #expect(view.requestID.array == id && view.slots == 10)
      #expect(view.request.array == inner)
      // Where it lies: nothing was copied.
      #expect(slice.bytes.baseAddress! < view.request.base!)
      #expect(view.request.base! < slice.base! + slice.count)
    }
  }

  @Test func joinsARequestThatComesInParts() {
    let bytes = message {
      $0.bytesField(3, [1, 2, 3])
      $0.bytesField(1, [9])
      $0.textField(77, "unknown")
      $0.bytesField(1, id)
      $0.varintField(2, 5)
      $0.bytesField(3, [])
      $0.varintField(2, 6)
      $0.bytesField(3, [4, 5])
    }
    inArena(bytes) { slice, arena in
      var view = AllocateRequestView()
      #expect(AllocateRequestDecoder.decode(slice, into: &view, arena: arena) == nil)
      #expect(view.requestID.array == id && view.slots == 6)
      #expect(view.request.array == [1, 2, 3, 4, 5])
    }
  }

  @Test func namesTheFieldThatMakesNoSense() {
    let cases: [([UInt8], String, String)] = [
      ([], "request_id", "request_id has 0 bytes; it takes 16"),
      (
        message {
          $0.bytesField(1, id + [1]); $0.varintField(2, 1)
        }, "request_id",
        "request_id has 17 bytes; it takes 16"
      ),
      (message { $0.bytesField(1, id) }, "slots", "slots 0: 1 to 100 are possible"),
      (
        message {
          $0.bytesField(1, id); $0.varintField(2, 101)
        }, "slots",
        "slots 101: 1 to 100 are possible"
      ),
      (
        message {
          $0.bytesField(1, id); $0.varintField(2, .max)
        }, "slots",
        "slots 4294967295: 1 to 100 are possible"
      ),
    ]
    for (bytes, field, text) in cases {
      inArena(bytes) { slice, arena in
        var view = AllocateRequestView()
        let failure = AllocateRequestDecoder.decode(slice, into: &view, arena: arena)
        #expect(failure == CallFailure(.invalidArgument, text, field: field))
      }
    }
  }

  @Test func namesMessageAndOffsetOfWhatItCannotDecode() {
    let cases: [([UInt8], Int)] = [
      ([0x0A, 16, 1], 1), (message { $0.varintField(1, 3) }, 0),
      (
        message {
          $0.bytesField(1, id); $0.fixed64Field(2, 1)
        }, 18
      ),
      (message { $0.varintField(3, 1) }, 0), ([0x0B], 0), ([0x10, 0x80], 1),
    ]
    for (bytes, offset) in cases {
      inArena(bytes) { slice, arena in
        var view = AllocateRequestView()
        let failure = AllocateRequestDecoder.decode(slice, into: &view, arena: arena)
        #expect(failure?.code == .internalError)
        let start = "cannot decode crescendo.v1.AllocateRequest: byte \(offset): "
        #expect(failure?.message.hasPrefix(start) == true, "\(failure?.message ?? "")")
      }
    }
    let part = [UInt8](repeating: 0x58, count: 200)
    inArena(
      message {
        $0.bytesField(3, part); $0.bytesField(3, part)
      }, arenaBytes: 128
    ) {
      var view = AllocateRequestView()
      let failure = AllocateRequestDecoder.decode($0, into: &view, arena: $1)
      #expect(failure?.code == .resourceExhausted && failure?.retryPushbackMilliseconds == -1)
    }
  }

  @Test func aFaultWithinTheRequestHasItsWholePath() {
    let bytes = message {
      $0.bytesField(1, id)
      $0.varintField(2, 1)
      $0.bytesField(3, message { $0.bytesField(8, message { $0.bytesField(1, [0x61, 0]) }) })
    }
    inArena(bytes) { slice, arena in
      var (view, request) = (AllocateRequestView(), ScoreRequestView())
      #expect(AllocateRequestDecoder.decode(slice, into: &view, arena: arena) == nil)
      let failure = ScoreRequestDecoder.decode(
        view.request, into: &request, arena: arena, candidatesMax: 10
      )?.inside("request")
      #expect(failure?.field == "request.user_columns[0].name")
    }
    #expect(CallFailure(.unavailable, "x").inside("request") == CallFailure(.unavailable, "x"))
  }
}

@Suite struct AllocateResponseTests {
  private func encode(placements: Int, reason: BoostReason) -> [UInt8] {
    let token: [UInt8] = Array(0..<110)
    let id = Array("summer-drop".utf8)
    return withSlices(token, id) { token, id in
      let records = (0..<placements).map { (index: Int) -> PlacementRecord in
        PlacementRecord(
          slot: UInt32(index), position: UInt32(7 * index), itemID: .max - UInt64(index),
          campaignKey: 0xFEDC_BA98_7654_3210, campaignID: id, score: 0.25,
          boost: Float(index) / 8, propensity: 1 / Double(index + 1), token: token,
          cost: Micros(15_000), expiresUnixMilliseconds: 1_795_420_800_000)
      }
      return AllocateResponseEncoder.encode(
        requestID: ByteSlice(UnsafeRawBufferPointer(rebasing: token.bytes[..<16])),
        provenance: provenance,
        details: ProvenanceDetails(
          timeUnixMilliseconds: -5, treesUsed: 200, arm: ByteSlice("holdout:treated"),
          boostScale: ByteSlice("micros:1000")),
        placements: records, unfilledReason: reason)
    }
  }

  @Test(arguments: [0, 1, 2, 10, 100]) func theClientReadsWhatTheServerWrites(count: Int) throws {
    let response = try AllocateResponseMessage.decoded(encode(placements: count, reason: .capped))
    #expect(response.requestID == Array(0..<16))
    #expect(response.provenance.snapshot == "20261123T080000Z-3f2a9c")
    #expect(response.provenance.arm == "holdout:treated")
    #expect(response.provenance.boostScale == "micros:1000")
    #expect(response.provenance.timeUnixMilliseconds == -5)
    #expect(response.provenance.treesUsed == 200 && response.provenance.treesTotal == 300)
    #expect(response.unfilledReason == 17)
    var expected = AllocateResponseMessage.Placement()
    expected.campaignKey = 0xFEDC_BA98_7654_3210
    expected.campaignID = "summer-drop"
    expected.score = 0.25
    expected.token = Array(0..<110)
    expected.costMicros = 15_000
    expected.expiresUnixMilliseconds = 1_795_420_800_000
    #expect(response.placements.count == count)
    for (index, placement) in response.placements.enumerated() {
      expected.slot = UInt32(index)
      expected.position = UInt32(7 * index)
      expected.itemID = .max - UInt64(index)
      expected.boost = Float(index) / 8
      expected.propensity = 1 / Double(index + 1)
      #expect(placement == expected)
    }
  }

  /// The bytes are those that protobuf-c packs: fields in order, defaults left out.
  @Test func theBytesAreCanonical() {
    let bytes = encode(placements: 3, reason: .ok)
    #expect(bytes == encode(placements: 3, reason: .ok))
    let unpacked = crescendo__v1__allocate_response__unpack(nil, bytes.count, bytes)
    var packed = [UInt8](
      repeating: 0, count: crescendo__v1__allocate_response__get_packed_size(unpacked))
    crescendo__v1__allocate_response__pack(unpacked, &packed)
    crescendo__v1__allocate_response__free_unpacked(unpacked, nil)
    #expect(packed == bytes)
  }

  @Test func refusesWhatIsNone() {
    #expect(throws: CallFailure.self) { try AllocateResponseMessage.decoded([0x0A, 5]) }
    let badText = message { $0.bytesField(3, message { $0.bytesField(5, [0xFF]) }) }
    let failure = #expect(throws: CallFailure.self) {
      try AllocateResponseMessage.decoded(badText)
    }
    #expect(
      failure?.message == "crescendo.v1.AllocateResponse.placements.campaign_id is not UTF-8")
  }
}

@Suite struct ReleaseTests {
  private func decode(
    _ bytes: [UInt8], arenaBytes: Int = 1 << 20,
    _ body: (UnsafeBufferPointer<ByteSlice>, CallFailure?) -> Void
  ) {
    inArena(bytes, arenaBytes: arenaBytes) { slice, arena in
      var tokens = UnsafeBufferPointer<ByteSlice>(start: nil, count: 0)
      let failure = ReleaseRequestDecoder.decode(slice, into: &tokens, arena: arena)
      body(tokens, failure)
    }
  }

  @Test func readsWhatTheClientWrites() {
    let tokens: [[UInt8]] = [[1, 2, 3], [], Array(repeating: 9, count: 300)]
    decode(ReleaseMessages.encodedRequest(tokens: tokens)) { views, failure in
      #expect(failure == nil && views.map(\.array) == tokens)
    }
    decode([]) { views, failure in #expect(failure == nil && views.isEmpty) }
    decode(message { $0.varintField(4, 1) }) { views, failure in
      #expect(failure == nil && views.isEmpty)
    }
  }

  @Test func refusesTooManyAndWhatIsNone() {
    let most = ReleaseMessages.encodedRequest(tokens: Array(repeating: [7], count: 1_000))
    decode(most) { views, failure in #expect(failure == nil && views.count == 1_000) }
    decode(most + [0x0A, 0]) { _, failure in
      #expect(failure?.code == .resourceExhausted && failure?.retryPushbackMilliseconds == -1)
      #expect(failure?.message == "the request has 1001 tokens; the limit is 1000")
    }
    decode(most, arenaBytes: 1_000) { _, failure in
      #expect(failure?.code == .resourceExhausted)
    }
    decode([0x08, 1]) { _, failure in
      #expect(
        failure?.message.hasPrefix("cannot decode crescendo.v1.ReleaseRequest: byte 0: ") == true)
    }
  }

  @Test func theClientReadsTheOutcomes() throws {
    let outcomes = ReleaseOutcome.allCases
    let bytes = ReleaseResponseEncoder.encode(outcomes)
    #expect(bytes == [0x0A, 5, 1, 2, 3, 4, 5])
    let numbers = try ReleaseMessages.decodedOutcomes(bytes)
    #expect(
      numbers.map(ScoreVocabulary.releaseOutcomeName)
        == ["RELEASED", "ALREADY_RELEASED", "SETTLED", "FORGED", "UNKNOWN"])
    #expect(try ReleaseMessages.decodedOutcomes(ReleaseResponseEncoder.encode([])) == [])
  }
}
