import CCrescendoProto
import CProtobufC
import Core
import Testing
import Wire

@Suite struct ScoreResponseLayoutTests {
  private let provenance = ProvenanceTemplate(
    snapshot: "20261123T080000Z-3f2a9c", model: "default",
    modelSHA256: String(repeating: "ab", count: 32), treesTotal: 300)

  /// Lays out, fills and finishes an answer, and lets protobuf-c read it.
  private func roundTrip(
    count: Int, wantRaw: Bool, uniform: ScoreResponseLayout.Uniform?,
    _ check: (Crescendo__V1__ScoreResponse) -> Void
  ) {
    let requestID = Array("request-1".utf8)
    let capacity = ScoreResponseLayout.capacity(
      count: count, wantRaw: wantRaw, requestIDBytes: requestID.count, provenance: provenance)
    let buffer = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
    defer { buffer.deallocate() }
    let layout = ScoreResponseLayout(buffer, count: count, wantRaw: wantRaw)
    for position in 0..<count {
      layout.scores.storeBytes(
        of: Float(position) / 2, toByteOffset: 4 * position, as: Float.self)
      layout.rawScores?.storeBytes(
        of: Double(position) / 3, toByteOffset: 8 * position, as: Double.self)
      layout.fidelities[position] = position % 2 == 0 ? 4 : 1
      layout.reasons[position] = position % 2 == 0 ? 1 : 2
    }
    let total = requestID.withUnsafeBytes {
      layout.finish(
        uniform: uniform, requestID: ByteSlice($0), provenance: provenance,
        timeUnixMilliseconds: -5, treesUsed: 200)
    }
    #expect(total <= capacity, "\(count)")
    let message = crescendo__v1__score_response__unpack(
      nil, total, buffer.assumingMemoryBound(to: UInt8.self))
    guard let message else {
      Issue.record("protobuf-c cannot read the answer for \(count) candidates")
      return
    }
    check(message.pointee)
    crescendo__v1__score_response__free_unpacked(message, nil)
  }

  @Test(arguments: [0, 1, 2, 31, 32, 33, 127, 128, 500, 10_000])
  func protobufCReadsWhatIsWritten(count: Int) {
    for wantRaw in [false, true] {
      for uniform in [nil, ScoreResponseLayout.Uniform(fidelity: .full, reason: .ok)] {
        roundTrip(count: count, wantRaw: wantRaw, uniform: uniform) { message in
          #expect(message.n_scores == count)
          #expect(message.n_raw_scores == (wantRaw ? count : 0))
          #expect(message.n_fidelities == (uniform == nil ? count : 0))
          #expect(message.n_reasons == (uniform == nil ? count : 0))
          #expect(message.all_fidelity.rawValue == (uniform == nil ? 0 : 4))
          #expect(message.all_reason.rawValue == (uniform == nil ? 0 : 1))
          for position in 0..<count {
            if message.scores[position] != Float(position) / 2 { Issue.record("\(position)") }
            if wantRaw, message.raw_scores[position] != Double(position) / 3 {
              Issue.record("\(position)")
            }
            if uniform == nil,
              message.fidelities[position].rawValue != (position % 2 == 0 ? 4 : 1)
                || message.reasons[position].rawValue != (position % 2 == 0 ? 1 : 2)
            {
              Issue.record("\(position)")
            }
          }
          #expect(String(cString: message.request_id) == "request-1")
          let provenance = message.provenance.pointee
          #expect(String(cString: provenance.snapshot) == "20261123T080000Z-3f2a9c")
          #expect(String(cString: provenance.model) == "default")
          #expect(String(cString: provenance.model_sha256).hasPrefix("abab"))
          #expect(provenance.time_unix_ms == -5)
          #expect(provenance.trees_used == 200)
          #expect(provenance.trees_total == 300)
        }
      }
    }
  }
}
