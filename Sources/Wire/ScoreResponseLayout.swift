package import Core

/// The message that a `ScoreResponse` goes out in.
package enum ScoreEnvelope: BitwiseCopyable, Sendable {
  /// Itself: the answer of `Score`.
  case response
  /// `StreamScoresResponse`: a part, with the position of each of its candidates in the batch.
  case part
  /// `ScoreManyResponse`: an item, with the sequence of its request.
  case item(sequence: UInt64)
}

/// A `ScoreResponse` written straight into its output buffer, envelope included.
///
/// The columns stand first, at places that depend only on the number of candidates: shards write
/// their positions there. `finish` adds the rest. (Fields of a message may come in any order.)
package struct ScoreResponseLayout {
  private let start: UnsafeMutableRawPointer
  /// Of a part: `fixed32`s, little-endian, at any alignment.
  package let positions: UnsafeMutableRawPointer?
  /// Floats, little-endian, at any alignment.
  package let scores: UnsafeMutableRawPointer
  /// Doubles, little-endian, at any alignment; nil unless wanted.
  package let rawScores: UnsafeMutableRawPointer?
  /// One byte each: the wire's varint of a `Fidelity` and of a `Reason`.
  package let fidelities: UnsafeMutablePointer<UInt8>
  package let reasons: UnsafeMutablePointer<UInt8>
  private let count: Int
  /// Tag and length of the response within its envelope; nil without one.
  private let head: UnsafeMutableRawPointer?
  private let body: UnsafeMutableRawPointer
  /// Where the columns of fidelities and reasons begin: they are dropped when all are the same.
  let columnsEnd: UnsafeMutableRawPointer
  let perPositionEnd: UnsafeMutableRawPointer

  /// Fidelity and reason of every position, when all have the same.
  package struct Uniform {
    package var fidelity: Fidelity
    package var reason: Reason

    package init(fidelity: Fidelity, reason: Reason) {
      self.fidelity = fidelity
      self.reason = reason
    }
  }

  /// Tag and length of a field: at most this many bytes (a field number below 16).
  static let fieldHeadBytes = 6

  /// Bytes that an answer for `count` candidates may take. Without a
  /// `provenance` only `finishScoresOnly` may follow.
  package static func capacity(
    in envelope: ScoreEnvelope = .response, count: Int, wantRaw: Bool, requestIDBytes: Int,
    provenance: ProvenanceTemplate?
  ) -> Int {
    let columns = count * (4 + 1 + 1 + (wantRaw ? 8 : 0)) + 4 * fieldHeadBytes
    let provenanceBytes = fieldHeadBytes + (provenance?.bytes.count ?? 0) + 9 + 2 * 11
    let outside =
      switch envelope {
      case .response: 0
      case .part: fieldHeadBytes + count * 4 + fieldHeadBytes
      case .item: 9 + fieldHeadBytes
      }
    return outside + columns + fieldHeadBytes + requestIDBytes
      + provenanceBytes + 4
  }

  /// Lays the columns out in `buffer`, which has `capacity` bytes. Within an envelope the length
  /// of what `finish` will add is asked for here: a wrong guess costs a move of the columns by a
  /// byte or two, and nothing else.
  package init(
    _ buffer: UnsafeMutableRawPointer, in envelope: ScoreEnvelope = .response, count: Int,
    wantRaw: Bool, requestIDBytes: Int = 0, provenance: ProvenanceTemplate? = nil
  ) {
    var boosts: BoostColumns?
    self.init(
      buffer, in: envelope, count: count, wantRaw: wantRaw, requestIDBytes: requestIDBytes,
      provenance: provenance, room: nil, boosts: &boosts)
  }

  /// As above, with columns of boosts where there is `room`. Inlined, so that an answer without
  /// boosts pays nothing for them.
  @inline(__always)
  init(
    _ buffer: UnsafeMutableRawPointer, in envelope: ScoreEnvelope, count: Int, wantRaw: Bool,
    requestIDBytes: Int, provenance: ProvenanceTemplate?, room: BoostRoom?,
    boosts: inout BoostColumns?
  ) {
    start = buffer
    self.count = count
    var writer = WireWriter(buffer)
    var positions: UnsafeMutableRawPointer?
    var head: UnsafeMutableRawPointer?
    switch envelope {
    case .response: break
    case .part:
      positions = ScoreResponseLayout.column(&writer, tag: 0x0A, count: count, bytes: 4)
      head = writer.cursor
      writer.byte(0x12)
    case .item(let sequence):
      writer.byte(0x09)
      writer.fixed64(sequence)
      head = writer.cursor
      writer.byte(0x22)
    }
    if head != nil {
      var expected = ScoreResponseLayout.expectedBytes(
        count: count, wantRaw: wantRaw, requestIDBytes: requestIDBytes, provenance: provenance)
      if let room, let provenance {
        expected = room.expectedBytes(count: count, provenance, plainBytes: expected)
      }
      _ = writer.skip(WireWriter.varintBytes(expected))
    }
    (self.positions, self.head) = (positions, head)
    body = writer.cursor
    scores = ScoreResponseLayout.column(&writer, tag: 0x1A, count: count, bytes: 4)
    rawScores =
      wantRaw ? ScoreResponseLayout.column(&writer, tag: 0x52, count: count, bytes: 8) : nil
    if let room { boosts = BoostColumns(&writer, count: count, room) }
    columnsEnd = writer.cursor
    fidelities = ScoreResponseLayout.column(&writer, tag: 0x32, count: count, bytes: 1)
      .assumingMemoryBound(to: UInt8.self)
    reasons = ScoreResponseLayout.column(&writer, tag: 0x42, count: count, bytes: 1)
      .assumingMemoryBound(to: UInt8.self)
    perPositionEnd = writer.cursor
  }

  static func column(_ writer: inout WireWriter, tag: UInt8, count: Int, bytes: Int)
    -> UnsafeMutableRawPointer
  {
    if count > 0 {
      writer.byte(tag)
      writer.varint(UInt64(count * bytes))
    }
    return writer.skip(count * bytes)
  }

  /// Bytes of the response when every candidate has the same fidelity and all trees are used.
  private static func expectedBytes(
    count: Int, wantRaw: Bool, requestIDBytes: Int, provenance: ProvenanceTemplate?
  ) -> Int {
    let scores = count == 0 ? 0 : WireWriter.fieldBytes(4 * count)
    let rawScores = count == 0 || !wantRaw ? 0 : WireWriter.fieldBytes(8 * count)
    guard let provenance else { return scores + rawScores }
    return scores + rawScores + 4 + WireWriter.fieldBytes(requestIDBytes)
      + WireWriter.fieldBytes(provenanceBytes(provenance, treesUsed: provenance.treesTotal))
  }

  /// Writes what is left; answers how many bytes the whole has. The columns may move: nobody
  /// writes to them after this.
  package func finish(
    uniform: Uniform?, requestID: ByteSlice, provenance: ProvenanceTemplate,
    timeUnixMilliseconds: Int64, treesUsed: Int
  ) -> Int {
    var writer = WireWriter(uniform == nil ? perPositionEnd : columnsEnd)
    ScoreResponseLayout.write(uniform, requestID, &writer)
    writeProvenance(&writer, provenance, timeUnixMilliseconds, treesUsed)
    return close(end: writer.cursor)
  }

  @inline(__always)
  static func write(_ uniform: Uniform?, _ requestID: ByteSlice, _ writer: inout WireWriter) {
    if let uniform {
      writer.byte(0x28)
      writer.byte(uniform.fidelity.rawValue)
      writer.byte(0x38)
      writer.byte(uniform.reason.rawValue)
    }
    writer.byte(0x0A)
    writer.varint(UInt64(requestID.count))
    writer.bytes(requestID.base, requestID.count)
  }

  /// The columns of scores (and raw scores) alone are the answer.
  package func finishScoresOnly() -> Int {
    close(end: columnsEnd)
  }

  /// Writes the heads, now that all lengths are known.
  func close(end: UnsafeMutableRawPointer) -> Int {
    var total = end - start
    if let head {
      let bodyBytes = end - body
      let headBytes = 1 + WireWriter.varintBytes(bodyBytes)
      if head + headBytes != body {
        (head + headBytes).copyMemory(from: body, byteCount: bodyBytes)
        total = head + headBytes + bodyBytes - start
      }
      // The tag is there already.
      var writer = WireWriter(head + 1)
      writer.varint(UInt64(bodyBytes))
    }
    return total
  }

  private static func provenanceBytes(_ template: ProvenanceTemplate, treesUsed: Int) -> Int {
    template.bytes.count + 9 + 2 + WireWriter.varintBytes(treesUsed)
      + WireWriter.varintBytes(template.treesTotal)
  }

  private func writeProvenance(
    _ writer: inout WireWriter, _ template: ProvenanceTemplate, _ timeUnixMilliseconds: Int64,
    _ treesUsed: Int
  ) {
    writer.byte(0x12)
    writer.varint(
      UInt64(ScoreResponseLayout.provenanceBytes(template, treesUsed: treesUsed)))
    template.bytes.withUnsafeBytes { writer.bytes($0.baseAddress, $0.count) }
    writer.byte(0x21)
    writer.fixed64(UInt64(bitPattern: timeUnixMilliseconds))
    writer.byte(0x30)
    writer.varint(UInt64(treesUsed))
    writer.byte(0x38)
    writer.varint(UInt64(template.treesTotal))
  }
}
