package import Core

/// What boosts may take in an answer, said before it is laid out.
package struct BoostRoom: BitwiseCopyable {
  package var armBytes: Int
  package var boostScaleBytes: Int
  /// `ScoreExplanation.capacity`; 0 without explanations.
  package var explanationBytes: Int

  package init(armBytes: Int, boostScaleBytes: Int, explanationBytes: Int = 0) {
    self.armBytes = armBytes
    self.boostScaleBytes = boostScaleBytes
    self.explanationBytes = explanationBytes
  }

  /// Bytes beside those of `ScoreResponseLayout.capacity`.
  package func capacity(count: Int) -> Int {
    let columns = count * (4 + 8 + 1) + 3 * ScoreResponseLayout.fieldHeadBytes
    return columns + 2 + 2 * ScoreResponseLayout.fieldHeadBytes + armBytes + boostScaleBytes
      + explanationBytes
  }

  /// Bytes of the response whose reasons of boosts differ, and of which `plainBytes` would be there
  /// without boosts.
  func expectedBytes(count: Int, _ provenance: ProvenanceTemplate, plainBytes: Int) -> Int {
    let columns = [4, 8, 1].reduce(0) { sum, bytes in
      sum + ProvenanceTemplate.textBytes(count * bytes)
    }
    let texts =
      ProvenanceTemplate.textBytes(armBytes) + ProvenanceTemplate.textBytes(boostScaleBytes)
    let plain = provenance.byteCount(
      ProvenanceDetails(timeUnixMilliseconds: 0, treesUsed: provenance.treesTotal))
    let headGrowth = WireWriter.varintBytes(plain + texts) - WireWriter.varintBytes(plain)
    return plainBytes + columns + texts + headGrowth + explanationBytes
  }
}

/// The columns of boosts in an answer: at places that depend only on the number of candidates.
package struct BoostColumns: BitwiseCopyable {
  /// Floats, little-endian, at any alignment.
  package let boosts: UnsafeMutableRawPointer
  /// `fixed64`s, little-endian, at any alignment; 0 = none.
  package let campaignKeys: UnsafeMutableRawPointer
  /// One byte each: the wire's varint of a `BoostReason`.
  package let reasons: UnsafeMutablePointer<UInt8>
  /// Where the column of reasons begins, head included: it is dropped when all are the same.
  fileprivate let reasonsStart: UnsafeMutableRawPointer
  fileprivate let room: BoostRoom

  init(_ writer: inout WireWriter, count: Int, _ room: BoostRoom) {
    boosts = ScoreResponseLayout.column(&writer, tag: 0x22, count: count, bytes: 4)
    campaignKeys = ScoreResponseLayout.column(&writer, tag: 0x4A, count: count, bytes: 8)
    reasonsStart = writer.cursor
    reasons = ScoreResponseLayout.column(&writer, tag: 0x6A, count: count, bytes: 1)
      .assumingMemoryBound(to: UInt8.self)
    self.room = room
  }
}

extension ScoreResponseLayout {
  /// Lays an answer with boosts out in `buffer`, which has `capacity` and `room.capacity` bytes.
  /// The columns of boosts go to `boosts`. Only the `finish` that takes them may follow.
  package init(
    _ buffer: UnsafeMutableRawPointer, in envelope: ScoreEnvelope = .response, count: Int,
    wantRaw: Bool, requestIDBytes: Int, provenance: ProvenanceTemplate, room: BoostRoom,
    boosts: inout BoostColumns?
  ) {
    self.init(
      buffer, in: envelope, count: count, wantRaw: wantRaw, requestIDBytes: requestIDBytes,
      provenance: Optional(provenance), room: Optional(room), boosts: &boosts)
  }

  /// As the other `finish`. `boostReason` is every position's, when all have the same: their column
  /// goes then. Arm, scale and explanations take no more than the room that was asked for.
  package func finish(
    uniform: Uniform?, boosts: BoostColumns, boostReason: BoostReason?, requestID: ByteSlice,
    provenance: ProvenanceTemplate, details: ProvenanceDetails,
    explanations: [ScoreExplanation] = []
  ) -> Int {
    precondition(
      details.arm.count <= boosts.room.armBytes
        && details.boostScale.count <= boosts.room.boostScaleBytes,
      "texts have the room that was asked for")
    var end = uniform == nil ? perPositionEnd : columnsEnd
    if boostReason != nil {
      let rest = end - columnsEnd
      boosts.reasonsStart.copyMemory(from: columnsEnd, byteCount: rest)
      end = boosts.reasonsStart + rest
    }
    var writer = WireWriter(end)
    ScoreResponseLayout.write(uniform, requestID, &writer)
    writer.byte(0x12)
    writer.varint(UInt64(provenance.byteCount(details)))
    provenance.write(details, &writer)
    if let boostReason {
      writer.byte(0x60)
      writer.byte(boostReason.rawValue)
    }
    let explained = ScoreExplanation.fields(explanations)
    precondition(explained.count <= boosts.room.explanationBytes, "explanations have room")
    explained.withUnsafeBytes { writer.bytes($0.baseAddress, $0.count) }
    return close(end: writer.cursor)
  }
}

/// Why a candidate has its boost: the terms of the formula. `crescendo.v1.Explanation`.
package struct ScoreExplanation: Sendable {
  package struct Term: Sendable {
    /// raw, calibrated, value, worth, price, cost, gain, weight, scale or cap.
    package var name: StaticString
    package var value: Double

    package init(name: StaticString, value: Double) {
      self.name = name
      self.value = value
    }
  }

  package var position: UInt32
  /// 0 where nothing is said of the score.
  package var expectedRaw: Double
  package var terms: [Term]

  package init(position: UInt32, expectedRaw: Double = 0, terms: [Term]) {
    self.position = position
    self.expectedRaw = expectedRaw
    self.terms = terms
  }

  /// The most bytes that explanations of `count` candidates take whose terms have these names.
  package static func capacity(count: Int, names: [StaticString]) -> Int {
    let terms = names.reduce(0) { sum, name in
      sum + WireWriter.fieldBytes(WireWriter.fieldBytes(name.utf8CodeUnitCount) + 9)
    }
    return count * WireWriter.fieldBytes(5 + 9 + terms)
  }

  /// The fields of a `ScoreResponse`.
  fileprivate static func fields(_ explanations: [ScoreExplanation]) -> [UInt8] {
    var writer = FieldWriter()
    for explanation in explanations {
      writer.message(11) { inner in
        inner.fixed32(1, explanation.position)
        inner.double(2, explanation.expectedRaw)
        for term in explanation.terms {
          inner.message(4) { writer in
            writer.slice(1, ByteSlice(term.name))
            writer.double(2, term.value)
          }
        }
      }
    }
    return writer.bytes
  }
}
