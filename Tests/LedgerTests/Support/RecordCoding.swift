import Core
import Ledger

/// Records as bytes, and back.
enum RecordCoding {
  static func encode(_ records: [StoredRecord]) -> [UInt8] {
    var body: [UInt8] = []
    for record in records { append(record, &body) }
    return word(UInt64(body.count)) + word(checksum(body[...])) + body
  }

  /// The groups of a log up to the first that is not whole, and how many bytes they take.
  static func decode(_ log: [UInt8]) -> (groups: [[StoredRecord]], bytes: Int) {
    var groups: [[StoredRecord]] = []
    var at = 0
    while log.count - at >= 16 {
      let count = readWord(log, at)
      guard count <= UInt64(log.count - at - 16) else { break }
      let body = log[(at + 16)..<(at + 16 + Int(count))]
      guard checksum(body) == readWord(log, at + 8) else { break }
      groups.append(records(body))
      at = body.endIndex
    }
    return (groups, at)
  }

  private static func word(_ value: UInt64) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }

  private static func readWord(_ bytes: [UInt8], _ at: Int) -> UInt64 {
    bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: at, as: UInt64.self) }
  }

  private static func checksum(_ body: ArraySlice<UInt8>) -> UInt64 {
    body.withUnsafeBytes { bytes in
      var sum = UInt64(bytes.count)
      var at = 0
      while at + 8 <= bytes.count {
        sum = splitmix64(sum ^ bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self))
        at += 8
      }
      while at < bytes.count {
        sum = splitmix64(sum ^ UInt64(bytes[at]))
        at += 1
      }
      return sum
    }
  }

  private static func append(_ bytes: [UInt8], _ body: inout [UInt8]) {
    body += word(UInt64(bytes.count))
    body += bytes
  }

  private static func append(_ record: StoredRecord, _ body: inout [UInt8]) {
    switch record {
    case .entry(let entry):
      body.append(0)
      withUnsafeBytes(of: entry) { body.append(contentsOf: $0) }
    case .allocation(let one):
      body.append(1)
      for value in [
        one.user, one.requestID.high, one.requestID.low, one.digest.high, one.digest.low,
        UInt64(bitPattern: one.expires),
      ] { body += word(value) }
      append(one.answer, &body)
    case .campaign(let campaign):
      body.append(2)
      append(Array(campaign.id.utf8), &body)
      body += word(campaign.key)
      append(Array(campaign.document.utf8), &body)
      body.append(campaign.isPaused ? 1 : 0)
    case .note(let key, let value):
      body.append(3)
      append(Array(key.utf8), &body)
      append(value, &body)
    }
  }

  private static func records(_ body: ArraySlice<UInt8>) -> [StoredRecord] {
    let bytes = Array(body)
    var at = 0
    func next() -> UInt64 {
      defer { at += 8 }
      return readWord(bytes, at)
    }
    func nextBytes() -> [UInt8] {
      let count = Int(next())
      defer { at += count }
      return Array(bytes[at..<(at + count)])
    }
    var records: [StoredRecord] = []
    while at < bytes.count {
      at += 1
      switch bytes[at - 1] {
      case 0:
        let entry = bytes.withUnsafeBytes {
          $0.loadUnaligned(fromByteOffset: at, as: JournalEntry.self)
        }
        at += MemoryLayout<JournalEntry>.size
        records.append(.entry(entry))
      case 1:
        records.append(
          .allocation(
            StoredAllocation(
              user: next(), requestID: RequestID(high: next(), low: next()),
              digest: RequestID(high: next(), low: next()),
              expires: Int64(bitPattern: next()), answer: nextBytes())))
      case 2:
        let (id, key) = (String(decoding: nextBytes(), as: UTF8.self), next())
        let document = String(decoding: nextBytes(), as: UTF8.self)
        at += 1
        records.append(
          .campaign(
            StoredCampaign(id: id, key: key, document: document, isPaused: bytes[at - 1] == 1)))
      default:
        records.append(
          .note(key: String(decoding: nextBytes(), as: UTF8.self), value: nextBytes()))
      }
    }
    return records
  }
}
