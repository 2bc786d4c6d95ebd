import CCrescendoProto
import CProtobufC
import Core
import Testing
import Wire

/// An answer within an envelope: filled as shards do, in exactly the room that was asked for.
private struct Enveloped {
  var bytes: [UInt8] = []
  var isWithinRoom = false

  struct Shape {
    var count: Int
    var wantRaw = false
    var isUniform = true
    var requestIDBytes = 9
    var treesUsed = 300
    var treesTotal = 300
    var hasProvenance = true
  }

  init(_ envelope: ScoreEnvelope, _ shape: Shape) {
    let template = ProvenanceTemplate(
      snapshot: "20261123T080000Z-3f2a9c", model: "m", modelSHA256: "ab",
      treesTotal: shape.treesTotal)
    let provenance = shape.hasProvenance ? template : nil
    let requestID = [UInt8](repeating: UInt8(ascii: "r"), count: shape.requestIDBytes)
    let capacity = ScoreResponseLayout.capacity(
      in: envelope, count: shape.count, wantRaw: shape.wantRaw,
      requestIDBytes: requestID.count, provenance: provenance)
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity + 64, alignment: 16)
    defer { memory.deallocate() }
    memory.initializeMemory(as: UInt8.self, repeating: 0xA5)
    let layout = ScoreResponseLayout(
      memory.baseAddress!, in: envelope, count: shape.count, wantRaw: shape.wantRaw,
      requestIDBytes: requestID.count, provenance: provenance)
    for index in 0..<shape.count {
      layout.positions?.storeBytes(
        of: UInt32(3 * index), toByteOffset: 4 * index, as: UInt32.self)
      layout.scores.storeBytes(of: Float(index) / 2, toByteOffset: 4 * index, as: Float.self)
      layout.rawScores?.storeBytes(
        of: Double(index) / 3, toByteOffset: 8 * index, as: Double.self)
      layout.fidelities[index] = index % 2 == 0 ? 4 : 1
      layout.reasons[index] = index % 2 == 0 ? 1 : 2
    }
    let total =
      shape.hasProvenance
      ? requestID.withUnsafeBytes {
        layout.finish(
          uniform: shape.isUniform
            ? ScoreResponseLayout.Uniform(fidelity: .full, reason: .ok) : nil,
          requestID: ByteSlice($0), provenance: template, timeUnixMilliseconds: -5,
          treesUsed: shape.treesUsed)
      } : layout.finishScoresOnly()
    isWithinRoom = total <= capacity && memory[capacity...].allSatisfy { $0 == 0xA5 }
    bytes = Array(memory[..<min(total, capacity)])
  }
}

private func isRight(_ response: Crescendo__V1__ScoreResponse, _ shape: Enveloped.Shape) -> Bool {
  guard response.n_scores == shape.count,
    response.n_raw_scores == (shape.wantRaw ? shape.count : 0)
  else { return false }
  let perPosition = shape.isUniform || !shape.hasProvenance ? 0 : shape.count
  guard response.n_fidelities == perPosition, response.n_reasons == perPosition else {
    return false
  }
  for index in 0..<shape.count {
    guard response.scores[index] == Float(index) / 2,
      !shape.wantRaw || response.raw_scores[index] == Double(index) / 3,
      perPosition == 0 || response.fidelities[index].rawValue == (index % 2 == 0 ? 4 : 1),
      perPosition == 0 || response.reasons[index].rawValue == (index % 2 == 0 ? 1 : 2)
    else { return false }
  }
  guard shape.hasProvenance else { return response.provenance == nil }
  let provenance = response.provenance.pointee
  return String(cString: response.request_id).utf8.count == shape.requestIDBytes
    && String(cString: provenance.snapshot) == "20261123T080000Z-3f2a9c"
    && provenance.time_unix_ms == -5 && provenance.trees_used == UInt32(shape.treesUsed)
    && provenance.trees_total == UInt32(shape.treesTotal)
    && response.all_fidelity.rawValue == (shape.isUniform ? 4 : 0)
    && response.all_reason.rawValue == (shape.isUniform ? 1 : 0)
}

private let shapes: [Enveloped.Shape] = {
  var shapes: [Enveloped.Shape] = []
  for count in Array(0...40) + [127, 128, 1_000, 2_720, 2_730, 2_740, 10_000] {
    for wantRaw in [false, true] {
      for isUniform in [false, true] {
        shapes.append(Enveloped.Shape(count: count, wantRaw: wantRaw, isUniform: isUniform))
      }
      shapes.append(Enveloped.Shape(count: count, wantRaw: wantRaw, hasProvenance: false))
    }
  }
  // Around the lengths where a varint grows, whatever the guess was.
  for requestIDBytes in 0...64 {
    for treesUsed in [0, 300] {
      for isUniform in [false, true] {
        shapes.append(
          Enveloped.Shape(
            count: 3, isUniform: isUniform, requestIDBytes: requestIDBytes,
            treesUsed: treesUsed))
      }
    }
  }
  return shapes
}()

@Suite struct ScoreEnvelopeTests {
  @Test func protobufCReadsParts() {
    for shape in shapes {
      let enveloped = Enveloped(.part, shape)
      #expect(enveloped.isWithinRoom, "\(shape)")
      let bytes = enveloped.bytes
      guard
        let part = crescendo__v1__stream_scores_response__unpack(nil, bytes.count, bytes)
      else {
        Issue.record("protobuf-c cannot read \(shape)")
        continue
      }
      defer { crescendo__v1__stream_scores_response__free_unpacked(part, nil) }
      #expect(part.pointee.n_positions == shape.count, "\(shape)")
      let areRight = (0..<part.pointee.n_positions).allSatisfy {
        part.pointee.positions[$0] == UInt32(3 * $0)
      }
      #expect(areRight && part.pointee.part != nil && isRight(part.pointee.part.pointee, shape))
      #expect(
        crescendo__v1__stream_scores_response__get_packed_size(part) <= bytes.count, "\(shape)")
    }
  }

  @Test func protobufCReadsItems() {
    for (index, shape) in shapes.enumerated() {
      let sequence = index % 3 == 0 ? 0 : UInt64.max - UInt64(index)
      let enveloped = Enveloped(.item(sequence: sequence), shape)
      #expect(enveloped.isWithinRoom, "\(shape)")
      let bytes = enveloped.bytes
      guard
        let item = crescendo__v1__score_many_response__unpack(nil, bytes.count, bytes)
      else {
        Issue.record("protobuf-c cannot read \(shape)")
        continue
      }
      defer { crescendo__v1__score_many_response__free_unpacked(item, nil) }
      #expect(item.pointee.sequence == sequence && item.pointee.status_code == 0)
      #expect(
        item.pointee.response != nil && isRight(item.pointee.response.pointee, shape), "\(shape)")
    }
  }

  /// No length takes more bytes than it needs, though it is written before it is known.
  @Test func theHeadIsAsShortAsItCanBe() {
    for shape in shapes where shape.hasProvenance {
      let plain = Enveloped(.response, shape).bytes.count
      let item = Enveloped(.item(sequence: 7), shape).bytes.count
      var (length, lengthBytes) = (plain, 1)
      while length >= 128 { (length, lengthBytes) = (length >> 7, lengthBytes + 1) }
      #expect(item == 9 + 1 + lengthBytes + plain, "\(shape)")
    }
  }
}
