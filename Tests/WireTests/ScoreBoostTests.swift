import Core
import Testing
import Wire

private let template = ProvenanceTemplate(
  snapshot: "20261123T080000Z-3f2a9c", model: "m", modelSHA256: "ab", treesTotal: 300)

/// An answer with boosts, filled as shards do, in exactly the room that was asked for.
private struct Boosted {
  struct Shape {
    var count: Int
    var wantRaw = false
    var isUniform = true
    var boostReason: BoostReason?
    var arm = "holdout:treated"
    var scale = "micros:1000"
    var treesUsed = 300
    var requestIDBytes = 9
    var terms = 0
  }

  var bytes: [UInt8] = []
  var isWithinRoom = false

  static let names: [StaticString] = ["raw", "calibrated", "worth"]
  static let boostReasons: [BoostReason] = [.ok, .noCampaign, .capped, .tier]

  static func explanations(_ shape: Shape) -> [ScoreExplanation] {
    guard shape.terms > 0 else { return [] }
    return (0..<shape.count).map { position in
      ScoreExplanation(
        position: UInt32(position),
        terms: names.prefix(shape.terms).enumerated().map {
          ScoreExplanation.Term(name: $1, value: Double(position * $0) / 7)
        })
    }
  }

  init(_ envelope: ScoreEnvelope, _ shape: Shape) {
    let requestID = [UInt8](repeating: UInt8(ascii: "r"), count: shape.requestIDBytes)
    let room = BoostRoom(
      armBytes: shape.arm.utf8.count, boostScaleBytes: shape.scale.utf8.count,
      explanationBytes: shape.terms == 0
        ? 0 : ScoreExplanation.capacity(count: shape.count, names: Boosted.names))
    let capacity =
      ScoreResponseLayout.capacity(
        in: envelope, count: shape.count, wantRaw: shape.wantRaw,
        requestIDBytes: requestID.count, provenance: template) + room.capacity(count: shape.count)
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity + 64, alignment: 16)
    defer { memory.deallocate() }
    memory.initializeMemory(as: UInt8.self, repeating: 0xA5)
    var columns: BoostColumns?
    let layout = ScoreResponseLayout(
      memory.baseAddress!, in: envelope, count: shape.count, wantRaw: shape.wantRaw,
      requestIDBytes: requestID.count, provenance: template, room: room, boosts: &columns)
    guard let columns else { return }
    for index in 0..<shape.count {
      layout.positions?.storeBytes(of: UInt32(index), toByteOffset: 4 * index, as: UInt32.self)
      layout.scores.storeBytes(of: Float(index) / 2, toByteOffset: 4 * index, as: Float.self)
      layout.rawScores?.storeBytes(
        of: Double(index) / 3, toByteOffset: 8 * index, as: Double.self)
      layout.fidelities[index] = index % 2 == 0 ? 4 : 1
      layout.reasons[index] = index % 2 == 0 ? 1 : 2
      columns.boosts.storeBytes(of: Float(index) / 5, toByteOffset: 4 * index, as: Float.self)
      columns.campaignKeys.storeBytes(
        of: .max - UInt64(index), toByteOffset: 8 * index, as: UInt64.self)
      columns.reasons[index] = Boosted.boostReasons[index % 4].rawValue
    }
    let (arm, scale) = (Array(shape.arm.utf8), Array(shape.scale.utf8))
    let total = withSlices(arm, scale) { arm, scale in
      requestID.withUnsafeBytes {
        layout.finish(
          uniform: shape.isUniform
            ? ScoreResponseLayout.Uniform(fidelity: .full, reason: .ok) : nil,
          boosts: columns, boostReason: shape.boostReason, requestID: ByteSlice($0),
          provenance: template,
          details: ProvenanceDetails(
            timeUnixMilliseconds: -5, treesUsed: shape.treesUsed, arm: arm, boostScale: scale),
          explanations: Boosted.explanations(shape))
      }
    }
    isWithinRoom = total <= capacity && memory[capacity...].allSatisfy { $0 == 0xA5 }
    bytes = Array(memory[..<min(total, capacity)])
  }
}

/// What the client must read.
private func expected(_ shape: Boosted.Shape) -> ScoreResponseMessage {
  var response = ScoreResponseMessage()
  response.requestID = String(repeating: "r", count: shape.requestIDBytes)
  response.provenance.snapshot = "20261123T080000Z-3f2a9c"
  response.provenance.model = "m"
  response.provenance.modelSHA256 = "ab"
  response.provenance.timeUnixMilliseconds = -5
  response.provenance.arm = shape.arm
  response.provenance.treesUsed = UInt32(shape.treesUsed)
  response.provenance.treesTotal = 300
  response.provenance.boostScale = shape.scale
  let positions = 0..<shape.count
  response.scores = positions.map { Float($0) / 2 }
  if shape.wantRaw { response.rawScores = positions.map { Double($0) / 3 } }
  response.boosts = positions.map { Float($0) / 5 }
  response.campaignKeys = positions.map { .max - UInt64($0) }
  if shape.isUniform {
    (response.allFidelity, response.allReason) = (4, 1)
  } else {
    response.fidelities = positions.map { $0 % 2 == 0 ? 4 : 1 }
    response.reasons = positions.map { $0 % 2 == 0 ? 1 : 2 }
  }
  if let reason = shape.boostReason {
    response.allBoostReason = Int32(reason.rawValue)
  } else {
    response.boostReasons = positions.map { Int32(Boosted.boostReasons[$0 % 4].rawValue) }
  }
  return response
}

private let shapes: [Boosted.Shape] = {
  var shapes: [Boosted.Shape] = []
  for count in Array(0...40) + [127, 128, 500, 1_259, 1_260, 1_261, 10_000] {
    for isUniform in [false, true] {
      for reason in [nil, BoostReason.holdout] {
        shapes.append(
          Boosted.Shape(
            count: count, wantRaw: count % 2 == 1, isUniform: isUniform, boostReason: reason))
      }
    }
  }
  for bytes in 0...140 {
    shapes.append(
      Boosted.Shape(
        count: 3, boostReason: bytes % 2 == 0 ? .ok : nil,
        arm: String(repeating: "a", count: bytes), scale: bytes % 5 == 0 ? "" : "micros:1",
        treesUsed: bytes % 3 == 0 ? 0 : 300, requestIDBytes: bytes % 64))
  }
  for count in [0, 1, 13, 500] {
    for terms in 1...3 {
      shapes.append(Boosted.Shape(count: count, isUniform: terms != 2, terms: terms))
    }
  }
  return shapes
}()

@Suite struct ScoreBoostTests {
  private func isRight(_ response: ScoreResponseMessage, _ shape: Boosted.Shape) -> Bool {
    var plain = response
    plain.explanations = []
    guard plain == expected(shape) else { return false }
    let wanted = Boosted.explanations(shape)
    return response.explanations.count == wanted.count
      && zip(response.explanations, wanted).allSatisfy { got, asked in
        got.position == asked.position && got.contributions.isEmpty
          && got.terms.map(\.name) == asked.terms.map { "\($0.name)" }
          && got.terms.map(\.value) == asked.terms.map(\.value)
      }
  }

  @Test func theClientReadsAnswersPartsAndItems() throws {
    for shape in shapes {
      let answer = Boosted(.response, shape)
      #expect(answer.isWithinRoom, "\(shape)")
      #expect(isRight(try ScoreResponseMessage.decoded(answer.bytes), shape), "\(shape)")
      let scan = answer.bytes.withUnsafeBytes { ClientScoreScan($0) }
      #expect(scan?.isAnswer(candidateCount: shape.count) == true)

      let part = Boosted(.part, shape)
      #expect(part.isWithinRoom, "\(shape)")
      let streamed = try StreamScoresResponseMessage.decoded(part.bytes)
      #expect(streamed.positions == (0..<shape.count).map { UInt32($0) })
      #expect(isRight(streamed.part, shape), "\(shape)")

      let item = Boosted(.item(sequence: 77), shape)
      #expect(item.isWithinRoom, "\(shape)")
      let many = try ScoreManyResponseMessage.decoded(item.bytes)
      #expect(many.sequence == 77)
      #expect(many.response.map { isRight($0, shape) } == true, "\(shape)")
    }
  }

  /// No length takes more bytes than it needs, though it is written before it is known.
  @Test func theHeadIsAsShortAsItCanBe() {
    for shape in shapes {
      let plain = Boosted(.response, shape).bytes.count
      let item = Boosted(.item(sequence: 7), shape).bytes.count
      var (length, lengthBytes) = (plain, 1)
      while length >= 128 { (length, lengthBytes) = (length >> 7, lengthBytes + 1) }
      #expect(item == 9 + 1 + lengthBytes + plain, "\(shape)")
    }
  }
}
