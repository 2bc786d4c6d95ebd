package import Core

/// The part of `Provenance` that is the same for every answer of one model, encoded once.
package struct ProvenanceTemplate: Sendable {
  /// Fields snapshot, model and model_sha256.
  fileprivate let bytes: [UInt8]
  package let treesTotal: Int

  package init(snapshot: String, model: String, modelSHA256: String, treesTotal: Int) {
    var bytes: [UInt8] = []
    for (tag, text) in [(0x0A, snapshot), (0x12, model), (0x1A, modelSHA256)] {
      let utf8 = Array(text.utf8)
      bytes.append(UInt8(tag))
      withUnsafeTemporaryAllocation(byteCount: 10, alignment: 1) { room in
        guard let start = room.baseAddress else { return }
        var writer = WireWriter(start)
        writer.varint(UInt64(utf8.count))
        bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: room[..<(writer.cursor - start)]))
      }
      bytes.append(contentsOf: utf8)
    }
    self.bytes = bytes
    self.treesTotal = treesTotal
  }
}

/// A `ScoreResponse` written straight into its output buffer, gRPC prefix included.
///
/// The columns stand first, at places that depend only on the number of candidates: shards write
/// their positions there. `finish` adds the rest. (Fields of a message may come in any order.)
package struct ScoreResponseLayout {
  private let start: UnsafeMutableRawPointer
  /// Floats, little-endian, at any alignment.
  package let scores: UnsafeMutableRawPointer
  /// Doubles, little-endian, at any alignment; nil unless wanted.
  package let rawScores: UnsafeMutableRawPointer?
  /// One byte each: the wire's varint of a `Fidelity` and of a `Reason`.
  package let fidelities: UnsafeMutablePointer<UInt8>
  package let reasons: UnsafeMutablePointer<UInt8>
  private let count: Int
  /// Where the columns of fidelities and reasons begin: they are dropped when all are the same.
  private let columnsEnd: UnsafeMutableRawPointer
  private let perPositionEnd: UnsafeMutableRawPointer

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
  private static let fieldHeadBytes = 6

  /// Bytes that an answer for `count` candidates may take, prefix included. Without a
  /// `provenance` only `finishScoresOnly` may follow.
  package static func capacity(
    count: Int, wantRaw: Bool, requestIDBytes: Int, provenance: ProvenanceTemplate?
  ) -> Int {
    let columns = count * (4 + 1 + 1 + (wantRaw ? 8 : 0)) + 4 * fieldHeadBytes
    let provenanceBytes = fieldHeadBytes + (provenance?.bytes.count ?? 0) + 9 + 2 * 11
    return MessageAssembler.prefixBytes + columns + fieldHeadBytes + requestIDBytes
      + provenanceBytes + 4
  }

  /// Lays the columns out in `buffer`, which has `capacity` bytes.
  package init(_ buffer: UnsafeMutableRawPointer, count: Int, wantRaw: Bool) {
    start = buffer
    self.count = count
    var writer = WireWriter(buffer + MessageAssembler.prefixBytes)
    scores = ScoreResponseLayout.column(&writer, tag: 0x1A, count: count, bytes: 4)
    rawScores =
      wantRaw ? ScoreResponseLayout.column(&writer, tag: 0x52, count: count, bytes: 8) : nil
    columnsEnd = writer.cursor
    fidelities = ScoreResponseLayout.column(&writer, tag: 0x32, count: count, bytes: 1)
      .assumingMemoryBound(to: UInt8.self)
    reasons = ScoreResponseLayout.column(&writer, tag: 0x42, count: count, bytes: 1)
      .assumingMemoryBound(to: UInt8.self)
    perPositionEnd = writer.cursor
  }

  private static func column(_ writer: inout WireWriter, tag: UInt8, count: Int, bytes: Int)
    -> UnsafeMutableRawPointer
  {
    if count > 0 {
      writer.byte(tag)
      writer.varint(UInt64(count * bytes))
    }
    return writer.skip(count * bytes)
  }

  /// Writes what is left; answers how many bytes the whole has.
  package func finish(
    uniform: Uniform?, requestID: ByteSlice, provenance: ProvenanceTemplate,
    timeUnixMilliseconds: Int64, treesUsed: Int
  ) -> Int {
    var writer = WireWriter(uniform == nil ? perPositionEnd : columnsEnd)
    if let uniform {
      writer.byte(0x28)
      writer.byte(uniform.fidelity.rawValue)
      writer.byte(0x38)
      writer.byte(uniform.reason.rawValue)
    }
    writer.byte(0x0A)
    writer.varint(UInt64(requestID.count))
    writer.bytes(requestID.base, requestID.count)
    writeProvenance(&writer, provenance, timeUnixMilliseconds, treesUsed)
    return writePrefix(end: writer.cursor)
  }

  /// The columns of scores (and raw scores) alone are the answer.
  package func finishScoresOnly() -> Int {
    writePrefix(end: columnsEnd)
  }

  private func writePrefix(end: UnsafeMutableRawPointer) -> Int {
    let total = end - start
    start.storeBytes(of: 0, as: UInt8.self)
    let length = UInt32(total - MessageAssembler.prefixBytes)
    (start + 1).storeBytes(of: length.bigEndian, as: UInt32.self)
    return total
  }

  private func writeProvenance(
    _ writer: inout WireWriter, _ template: ProvenanceTemplate, _ timeUnixMilliseconds: Int64,
    _ treesUsed: Int
  ) {
    let treesBytes =
      2 + WireWriter.varintBytes(treesUsed) + WireWriter.varintBytes(template.treesTotal)
    writer.byte(0x12)
    writer.varint(UInt64(template.bytes.count + 9 + treesBytes))
    template.bytes.withUnsafeBytes { writer.bytes($0.baseAddress, $0.count) }
    writer.byte(0x21)
    writer.fixed64(UInt64(bitPattern: timeUnixMilliseconds))
    writer.byte(0x30)
    writer.varint(UInt64(treesUsed))
    writer.byte(0x38)
    writer.varint(UInt64(template.treesTotal))
  }
}
