internal import Ledger

/// A compaction as the value of a note, but for its openings: numbers, and lists of them.
enum CompactionCoding {
  static func encode(_ compaction: Compaction) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(value: compaction.through)
    bytes.append(value: compaction.allocationsBefore)
    bytes.append(value: compaction.time ?? .min)
    append(compaction.dropped.flatMap { [$0.lowerBound, $0.upperBound] }, &bytes)
    append(compaction.ended.map { Int64(bitPattern: $0) }, &bytes)
    append(compaction.endedLeases.map { Int64(bitPattern: $0) }, &bytes)
    return bytes
  }

  static func decode(_ bytes: [UInt8]) -> Compaction {
    var words = bytes.withUnsafeBytes { bytes in
      stride(from: 0, to: bytes.count, by: 8).map {
        bytes.loadUnaligned(fromByteOffset: $0, as: Int64.self)
      }[...]
    }
    var compaction = Compaction()
    compaction.through = words.removeFirst()
    compaction.allocationsBefore = words.removeFirst()
    let time = words.removeFirst()
    compaction.time = time == .min ? nil : time
    let bounds = list(&words)
    compaction.dropped = stride(from: 0, to: bounds.count, by: 2).map {
      bounds[$0]...bounds[$0 + 1]
    }
    compaction.ended = list(&words).map { UInt64(bitPattern: $0) }
    compaction.endedLeases = list(&words).map { UInt64(bitPattern: $0) }
    return compaction
  }

  private static func append(_ list: [Int64], _ bytes: inout [UInt8]) {
    bytes.append(value: Int64(list.count))
    for number in list { bytes.append(value: number) }
  }

  private static func list(_ words: inout ArraySlice<Int64>) -> [Int64] {
    let count = Int(words.removeFirst())
    defer { words.removeFirst(count) }
    return Array(words.prefix(count))
  }
}
