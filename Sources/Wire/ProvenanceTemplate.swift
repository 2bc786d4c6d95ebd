package import Core

/// The part of `Provenance` that is the same for every answer of one model, encoded once.
package struct ProvenanceTemplate: Sendable {
  /// Fields snapshot, model and model_sha256.
  let bytes: [UInt8]
  package let treesTotal: Int

  package init(snapshot: String, model: String, modelSHA256: String, treesTotal: Int) {
    var writer = FieldWriter()
    writer.element(1, Array(snapshot.utf8))
    writer.element(2, Array(model.utf8))
    writer.element(3, Array(modelSHA256.utf8))
    self.bytes = writer.bytes
    self.treesTotal = treesTotal
  }
}

/// The part of `Provenance` that belongs to one answer.
package struct ProvenanceDetails: BitwiseCopyable {
  package var timeUnixMilliseconds: Int64
  package var treesUsed: Int
  /// The experiment's arm, UTF-8; empty = none.
  package var arm: ByteSlice
  /// As in `micros:1000`, UTF-8; empty = no boosts.
  package var boostScale: ByteSlice

  package init(
    timeUnixMilliseconds: Int64, treesUsed: Int, arm: ByteSlice = .empty,
    boostScale: ByteSlice = .empty
  ) {
    self.timeUnixMilliseconds = timeUnixMilliseconds
    self.treesUsed = treesUsed
    self.arm = arm
    self.boostScale = boostScale
  }
}

extension ProvenanceTemplate {
  /// Bytes of the message, without a head.
  func byteCount(_ details: ProvenanceDetails) -> Int {
    bytes.count + 9 + 2 + WireWriter.varintBytes(details.treesUsed)
      + WireWriter.varintBytes(treesTotal) + ProvenanceTemplate.textBytes(details.arm.count)
      + ProvenanceTemplate.textBytes(details.boostScale.count)
  }

  /// An empty text takes no bytes.
  static func textBytes(_ count: Int) -> Int {
    count == 0 ? 0 : WireWriter.fieldBytes(count)
  }

  /// Writes `byteCount` bytes.
  func write(_ details: ProvenanceDetails, _ writer: inout WireWriter) {
    bytes.withUnsafeBytes { writer.bytes($0.baseAddress, $0.count) }
    writer.byte(0x21)
    writer.fixed64(UInt64(bitPattern: details.timeUnixMilliseconds))
    writer.text(0x2A, details.arm)
    writer.byte(0x30)
    writer.varint(UInt64(details.treesUsed))
    writer.byte(0x38)
    writer.varint(UInt64(treesTotal))
    writer.text(0x42, details.boostScale)
  }

  func encoded(_ details: ProvenanceDetails) -> [UInt8] {
    let byteCount = byteCount(details)
    return [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
      guard let base = buffer.baseAddress else { return }
      var writer = WireWriter(UnsafeMutableRawPointer(base))
      write(details, &writer)
      count = byteCount
    }
  }
}

extension WireWriter {
  fileprivate mutating func text(_ tag: UInt8, _ text: ByteSlice) {
    guard !text.isEmpty else { return }
    byte(tag)
    varint(UInt64(text.count))
    bytes(text.base, text.count)
  }
}
