package import Core

/// The metadata of a `CALL` (proto/SESSION.md §4.2): entries one behind the other.
package enum SessionMetadata {
  /// The offset of the first entry that breaks the rules; nil when all are good.
  static func firstFault(_ metadata: ByteSlice) -> Int? {
    var offset = 0
    while offset < metadata.count {
      guard let entry = entry(metadata, at: offset), isGood(entry.name, entry.value) else {
        return offset
      }
      offset = entry.end
    }
    return nil
  }

  /// The value of the last entry of this name in metadata without fault.
  package static func value(_ name: StaticString, in metadata: ByteSlice) -> ByteSlice? {
    var (offset, found): (Int, ByteSlice?) = (0, nil)
    while offset < metadata.count, let entry = entry(metadata, at: offset) {
      if entry.name.equals(name) { found = entry.value }
      offset = entry.end
    }
    return found
  }

  /// Whether a CALL carries entries of this name: not the session's identity, nor what gRPC or the
  /// prelude says.
  package static func carries(_ name: String) -> Bool {
    let sessionsOwn = ["authorization", "crescendo-client", "crescendo-priority"]
    return !name.hasPrefix("grpc-") && !sessionsOwn.contains(name)
  }

  /// Entries as a CALL carries them; values of `-bin` names come as base64 and go raw. Left out is
  /// what it does not carry.
  package static func encoded(_ entries: [(name: String, value: String)]) -> [UInt8] {
    var bytes: [UInt8] = []
    for entry in entries {
      guard carries(entry.name) else { continue }
      var value = Array(entry.value.utf8)
      if entry.name.hasSuffix("-bin") { value = Base64.decoded(value) ?? value }
      // A name that no entry can hold: malformed (Y5), so that no part of it is read as another
      // entry. A value like that is longer than a CALL's metadata may be.
      bytes.append(UInt8(exactly: entry.name.utf8.count) ?? 0)
      bytes.append(contentsOf: entry.name.utf8)
      bytes.append(UInt8(truncatingIfNeeded: value.count))
      bytes.append(UInt8(truncatingIfNeeded: value.count >> 8))
      bytes.append(contentsOf: value)
    }
    return bytes
  }

  private static func entry(_ metadata: ByteSlice, at offset: Int)
    -> (name: ByteSlice, value: ByteSlice, end: Int)?
  {
    guard let base = metadata.base else { return nil }
    let nameCount = Int(metadata[offset])
    let valueStart = offset + 1 + nameCount + 2
    guard nameCount > 0, valueStart <= metadata.count else { return nil }
    let valueCount = Int(
      UInt16(littleEndian: base.loadUnaligned(fromByteOffset: valueStart - 2, as: UInt16.self)))
    guard valueStart + valueCount <= metadata.count else { return nil }
    return (
      ByteSlice(base + offset + 1, count: nameCount),
      ByteSlice(base + valueStart, count: valueCount),
      valueStart + valueCount
    )
  }

  private static func isGood(_ name: ByteSlice, _ value: ByteSlice) -> Bool {
    let isNamed = name.bytes.allSatisfy { byte in
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
    }
    guard isNamed else { return false }
    let isBinary = name.count >= 4 && name.bytes.suffix(4).elementsEqual("-bin".utf8)
    return isBinary || value.bytes.allSatisfy { (0x20...0x7E).contains($0) }
  }
}
