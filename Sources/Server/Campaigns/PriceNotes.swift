internal import Campaigns
internal import Core

/// When prices are stored, so that a restart goes on where they were: a part of all campaigns is
/// one note, written when it is due and has changed, and a tick writes few of them.
struct PriceNotes {
  static let prefix = "pacing.prices."
  private struct Part {
    /// Indices of campaigns in the set.
    var members: [Int] = []
    /// Wall time, milliseconds.
    var due = Int64.min
    /// Of what was written last.
    var hash: Int?
  }

  private var parts = [Part](repeating: Part(), count: Limits.priceNoteParts)
  private var next = 0

  /// A new set: keys by index. All parts are due, for what was changed is planned anew.
  mutating func use(_ keys: [UInt64]) {
    for part in parts.indices { (parts[part].members, parts[part].due) = ([], .min) }
    for (index, key) in keys.enumerated() {
      parts[Int(key % UInt64(Limits.priceNoteParts))].members.append(index)
    }
  }

  /// What is to be stored now; `record` tells of a campaign.
  mutating func take(at now: Int64, _ record: (Int) -> PacerRecord) -> [(key: String, [UInt8])] {
    var (notes, bytes): ([(key: String, [UInt8])], Int) = ([], 0)
    for _ in parts.indices where bytes < Limits.priceNoteBytes {
      let part = next
      next = (next + 1) % parts.count
      // A clock that went back makes it due.
      let isDue = now >= parts[part].due || parts[part].due - now > Limits.priceNoteMilliseconds
      guard isDue, !parts[part].members.isEmpty else { continue }
      parts[part].due = now + Limits.priceNoteMilliseconds
      let value = PacerRecord.encode(parts[part].members.map(record))
      // What was looked at is work too, written or not.
      bytes += value.count
      guard parts[part].hash != value.hashValue else { continue }
      parts[part].hash = value.hashValue
      notes.append((key: "\(PriceNotes.prefix)\(part)", value))
    }
    return notes
  }

  /// What was stored, by campaign key. A part that is damaged begins anew.
  static func read(_ notes: [String: [UInt8]]) -> [UInt64: PacerRecord] {
    var records: [UInt64: PacerRecord] = [:]
    for (key, value) in notes where key.hasPrefix(prefix) {
      for record in PacerRecord.decode(value) ?? [] { records[record.key] = record }
    }
    return records
  }
}
