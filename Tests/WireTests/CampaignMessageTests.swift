import CCrescendoProto
import CProtobufC
import Core
import Testing
import Wire

private func state(_ id: String) -> CampaignStateMessage {
  var state = CampaignStateMessage()
  state.id = id
  state.key = 0xFEDC_BA98_7654_3210
  state.status = .running
  state.currency = "USD"
  state.budgetMicros = 2_500_000_000
  state.settledMicros = 1
  state.reservedMicros = 2
  state.leasedMicros = 3
  state.plannedMicros = 4
  state.unpaidMicros = -5
  state.exposures = 6
  state.goals = 7
  state.price = -0.5
  state.startUnixMilliseconds = 1_795_420_800_000
  state.endUnixMilliseconds = -1
  state.items = 300
  state.itemsKnown = 299
  return state
}

/// What protobuf-c packs after it has unpacked `bytes`.
private func repacked(_ bytes: [UInt8], _ descriptor: ProtobufCMessageDescriptor)
  -> [UInt8]
{
  withUnsafePointer(to: descriptor) { descriptor in
    guard let message = protobuf_c_message_unpack(descriptor, nil, bytes.count, bytes) else {
      return []
    }
    defer { protobuf_c_message_free_unpacked(message, nil) }
    var packed = [UInt8](repeating: 0, count: protobuf_c_message_get_packed_size(message))
    protobuf_c_message_pack(message, &packed)
    return packed
  }
}

@Suite struct CampaignAnswerTests {
  @Test func applying() throws {
    var response = ApplyCampaignsResponseMessage()
    response.changes = [
      CampaignChangeMessage(campaignID: "a", kind: .added),
      CampaignChangeMessage(
        campaignID: "b", kind: .changed,
        fields: [
          .init(field: "budget.amount", before: "1.00", after: "2.00"),
          .init(field: "markets", before: "", after: String(repeating: "SE, ", count: 60)),
        ]),
      CampaignChangeMessage(campaignID: "", kind: .policy),
    ]
    response.applied = true
    var bytes = response.encoded()
    #expect(try ApplyCampaignsResponseMessage.decoded(bytes) == response)
    #expect(repacked(bytes, crescendo__v1__apply_campaigns_response__descriptor) == bytes)

    response = ApplyCampaignsResponseMessage()
    response.faults = (0..<130).map {
      CampaignFaultMessage(line: UInt32($0), field: "campaigns[\($0)].id", reason: "is taken")
    }
    response.faultsLeftOut = 2
    bytes = response.encoded()
    let decoded = try ApplyCampaignsResponseMessage.decoded(bytes)
    #expect(decoded.faults == Array(response.faults.prefix(100)))
    #expect(decoded.faultsLeftOut == 32 && !decoded.applied)
  }

  @Test func changesOfManyCampaignsAreCounted() throws {
    var response = ApplyCampaignsResponseMessage()
    (response.added, response.changed, response.unchanged) = (1, 30_000, 100_000)
    response.warnings = (0..<130).map {
      CampaignFaultMessage(line: UInt32($0), field: "campaigns[\($0)].items", reason: "unknown")
    }
    response.changes = (0..<130_001).map { at in
      let id = String(repeating: "c", count: 60) + "\(at)"
      let kind: CampaignChangeMessage.Kind =
        at == 130_000 ? .added : at % 13 < 3 ? .changed : .unchanged
      return CampaignChangeMessage(campaignID: id, kind: kind)
    }
    let bytes = response.encoded()
    #expect(bytes.count < Limits.campaignAnswerBytes + 20_000)
    var decoded = try ApplyCampaignsResponseMessage.decoded(bytes)
    #expect((decoded.added, decoded.changed, decoded.unchanged) == (1, 30_000, 100_000))
    #expect(decoded.changes.allSatisfy { $0.kind == .changed })
    #expect(decoded.changes.count + Int(decoded.changesLeftOut) == 130_001)
    #expect(decoded.changes.count > 20_000)
    #expect(decoded.warnings.count == 100 && decoded.warningsLeftOut == 30)
    // What changes nothing goes first, and then nothing else has to.
    response.changes.removeAll { $0.campaignID.hasSuffix("1") }
    response.changes.removeAll { $0.kind == .changed }
    response.changes.append(CampaignChangeMessage(campaignID: "last", kind: .changed))
    decoded = try ApplyCampaignsResponseMessage.decoded(response.encoded())
    #expect(decoded.changes.map(\.kind) == [.added, .changed])
  }

  @Test func statesSeriesAndPages() throws {
    var get = GetCampaignResponseMessage()
    get.state = state("summer-drop")
    get.document = "currency: USD\n# ø\n"
    get.spentSeriesMicros = [0, 1, -1, .max]
    get.plannedSeriesMicros = [5, 6, 7, 8]
    var bytes = get.encoded()
    #expect(try GetCampaignResponseMessage.decoded(bytes) == get)
    #expect(repacked(bytes, crescendo__v1__get_campaign_response__descriptor) == bytes)

    var list = ListCampaignsResponseMessage()
    list.campaigns = (0..<1_000).map { state("c-\($0)") }
    list.hasMore = true
    bytes = list.encoded()
    #expect(try ListCampaignsResponseMessage.decoded(bytes) == list)
    #expect(repacked(bytes, crescendo__v1__list_campaigns_response__descriptor) == bytes)
    #expect(bytes.count < Limits.serving.streamWindowBytes * 3)

    var pause = PauseCampaignResponseMessage()
    pause.state = state("x")
    pause.state.status = CampaignStatus(rawValue: 99)
    #expect(try PauseCampaignResponseMessage.decoded(pause.encoded()) == pause)
    #expect(pause.state.status.name == "99" && CampaignStatus.spent.name == "SPENT")
    #expect(throws: CallFailure.self) { try PauseCampaignResponseMessage.decoded([]) }
  }

  @Test func diagnosis() throws {
    var response = DiagnoseCampaignResponseMessage()
    response.state = state("x")
    response.cause = .noDemand
    response.summary = "3 of 1,000,000 candidates were its items"
    response.reasons = [
      .init(reason: Int32(BoostReason.capped.rawValue), count: 5), .init(reason: 12, count: .max),
    ]
    response.candidates = 3
    response.boosted = 2
    response.placed = 1
    response.sampledOneIn = 64
    let bytes = response.encoded()
    #expect(try DiagnoseCampaignResponseMessage.decoded(bytes) == response)
    #expect(repacked(bytes, crescendo__v1__diagnose_campaign_response__descriptor) == bytes)
    #expect(response.cause.name == "NO_DEMAND" && DiagnosisCause.none.name == "NONE")
    #expect(CampaignChangeMessage.Kind.unchanged.name == "UNCHANGED")
  }
}

@Suite struct CampaignRequestTests {
  private func failure(_ body: () throws(CallFailure) -> Void) -> CallFailure? {
    do throws(CallFailure) {
      try body()
      return nil
    } catch {
      return error
    }
  }

  private func reading<View>(
    _ bytes: [UInt8], _ decode: (ByteSlice) throws(CallFailure) -> View, _ check: (View) -> Void
  ) {
    bytes.withUnsafeBytes { bytes in
      do throws(CallFailure) {
        check(try decode(ByteSlice(bytes)))
      } catch {
        Issue.record("\(error.message)")
      }
    }
  }

  @Test func theServerReadsWhatTheClientWrites() {
    let document = "campaigns:\n  - id: ø\n"
    reading(
      CampaignRequestMessages.apply(document: document, dryRun: true),
      CampaignRequestDecoder.apply
    ) { #expect($0.document.text == document && $0.dryRun) }
    reading(CampaignRequestMessages.pause(id: "a", resume: true), CampaignRequestDecoder.pause) {
      #expect($0.id.text == "a" && $0.resume)
    }
    reading(CampaignRequestMessages.get(id: "a"), CampaignRequestDecoder.get) {
      #expect($0.text == "a")
    }
    reading(CampaignRequestMessages.diagnose(id: "a"), CampaignRequestDecoder.diagnose) {
      #expect($0.text == "a")
    }
    for (asked, given) in [(0, 1_000), (1, 1), (1_000, 1_000)] {
      reading(
        CampaignRequestMessages.list(pageSize: UInt32(asked), afterID: "z"),
        CampaignRequestDecoder.list
      ) { #expect($0.pageSize == given && $0.afterID.text == "z") }
    }
  }

  @Test func namesWhatIsWrong() {
    let cases: [([UInt8], (ByteSlice) throws(CallFailure) -> Void, StatusCode, String?, String)] = [
      (
        [], { bytes throws(CallFailure) in _ = try CampaignRequestDecoder.get(bytes) },
        .invalidArgument, "id", "id is empty: which campaign?"
      ),
      (
        [0x0A, 1, 0], { bytes throws(CallFailure) in _ = try CampaignRequestDecoder.pause(bytes) },
        .invalidArgument, "id",
        "crescendo.v1.PauseCampaignRequest: byte 2: a string with a NUL in it"
      ),
      (
        [0x12, 1, 0], { bytes throws(CallFailure) in _ = try CampaignRequestDecoder.list(bytes) },
        .invalidArgument, "after_id",
        "crescendo.v1.ListCampaignsRequest: byte 2: a string with a NUL in it"
      ),
      (
        [0x0A, 1, 0xFF],
        { bytes throws(CallFailure) in _ = try CampaignRequestDecoder.apply(bytes) },
        .internalError, nil,
        "cannot decode crescendo.v1.ApplyCampaignsRequest: byte 2: a string that is not UTF-8"
      ),
      (
        [0x08, 0xE9, 7],
        { bytes throws(CallFailure) in _ = try CampaignRequestDecoder.list(bytes) },
        .invalidArgument, "page_size", "page_size 1001: at most 1000 are possible"
      ),
      (
        [0x12, 0], { bytes throws(CallFailure) in _ = try CampaignRequestDecoder.apply(bytes) },
        .internalError, nil,
        "cannot decode crescendo.v1.ApplyCampaignsRequest: byte 0: "
          + "a field of another wire type than declared"
      ),
    ]
    for (bytes, decode, code, field, text) in cases {
      bytes.withUnsafeBytes { bytes in
        let failure = failure { () throws(CallFailure) in try decode(ByteSlice(bytes)) }
        #expect(failure == CallFailure(code, text, field: field))
      }
    }
  }
}
