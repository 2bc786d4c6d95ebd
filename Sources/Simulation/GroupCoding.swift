internal import Core
internal import Ledger

/// Groups of records as bytes: the length of the body, its checksum, the group's number, the body.
enum GroupCoding {
  static let headBytes = 24

  struct Group {
    var number: UInt64
    var records: [StoredRecord]
  }

  static func encode(_ records: [StoredRecord], number: UInt64) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: headBytes)
    bytes.reserveCapacity(headBytes + records.count * 128)
    for record in records { append(record, &bytes) }
    let count = bytes.count - headBytes
    bytes.withUnsafeMutableBytes { room in
      room.storeBytes(of: UInt64(count), as: UInt64.self)
      room.storeBytes(of: number, toByteOffset: 16, as: UInt64.self)
      let sum = checksum(UnsafeRawBufferPointer(rebasing: room[16...]))
      room.storeBytes(of: sum, toByteOffset: 8, as: UInt64.self)
    }
    return bytes
  }

  /// The groups up to the first that is not whole, and how many bytes they take.
  static func decode(_ log: [UInt8]) -> (groups: [Group], bytes: Int) {
    log.withUnsafeBytes { log in
      var groups: [Group] = []
      var at = 0
      while log.count - at >= headBytes {
        let count = log.loadUnaligned(fromByteOffset: at, as: UInt64.self)
        guard count <= UInt64(log.count - at - headBytes) else { break }
        let end = at + headBytes + Int(count)
        let sum = log.loadUnaligned(fromByteOffset: at + 8, as: UInt64.self)
        let summed = UnsafeRawBufferPointer(rebasing: log[(at + 16)..<end])
        guard checksum(summed) == sum else { break }
        var reader = RecordReader(bytes: summed)
        let number = reader.word()
        groups.append(Group(number: number, records: reader.records()))
        at = end
      }
      return (groups, at)
    }
  }

  private static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
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

  private static func append(_ record: StoredRecord, _ bytes: inout [UInt8]) {
    switch record {
    case .entry(let entry):
      bytes.append(0)
      bytes.append(value: entry)
    case .allocation(let allocation):
      bytes.append(1)
      bytes.append(value: allocation.user)
      bytes.append(value: allocation.requestID)
      bytes.append(value: allocation.digest)
      bytes.append(value: allocation.expires)
      bytes.append(counted: allocation.answer)
    case .campaign(let campaign):
      bytes.append(2)
      bytes.append(counted: Array(campaign.id.utf8))
      bytes.append(value: campaign.key)
      bytes.append(counted: Array(campaign.document.utf8))
      bytes.append(campaign.isPaused ? 1 : 0)
    case .note(let key, let value):
      bytes.append(3)
      bytes.append(counted: Array(key.utf8))
      bytes.append(counted: value)
    }
  }
}

extension [UInt8] {
  mutating func append(value: some BitwiseCopyable) {
    Swift.withUnsafeBytes(of: value) { append(contentsOf: $0) }
  }

  fileprivate mutating func append(counted bytes: [UInt8]) {
    append(value: UInt64(bytes.count))
    append(contentsOf: bytes)
  }
}

/// Reads what `GroupCoding` wrote: its checksum was found good.
private struct RecordReader {
  let bytes: UnsafeRawBufferPointer
  private var at = 0

  init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  mutating func word() -> UInt64 { value(UInt64.self) }

  private mutating func value<Value: BitwiseCopyable>(_ type: Value.Type) -> Value {
    defer { at += MemoryLayout<Value>.size }
    return bytes.loadUnaligned(fromByteOffset: at, as: Value.self)
  }

  private mutating func counted() -> [UInt8] {
    let count = Int(word())
    defer { at += count }
    return Array(bytes[at..<(at + count)])
  }

  private mutating func text() -> String { String(decoding: counted(), as: UTF8.self) }

  mutating func records() -> [StoredRecord] {
    var records: [StoredRecord] = []
    while at < bytes.count {
      switch value(UInt8.self) {
      case 0: records.append(.entry(value(JournalEntry.self)))
      case 1:
        records.append(
          .allocation(
            StoredAllocation(
              user: word(), requestID: value(RequestID.self), digest: value(RequestID.self),
              expires: value(Int64.self), answer: counted())))
      case 2:
        records.append(
          .campaign(
            StoredCampaign(
              id: text(), key: word(), document: text(), isPaused: value(UInt8.self) == 1)))
      default: records.append(.note(key: text(), value: counted()))
      }
    }
    return records
  }
}
