internal import Core

/// What is stored of every campaign, so that a restart goes on where it was: a part of all
/// campaigns is one note, written when it is due and has changed, and a tick writes few of them.
struct PartedNotes {
  private struct Part {
    /// Indices of campaigns in the set.
    var members: [Int] = []
    /// Wall time, milliseconds.
    var due = Int64.min
    /// Of what was written last.
    var hash: Int?
  }

  /// Of the notes' keys.
  private let prefix: String
  /// How often a part is due, milliseconds.
  private let period: Int64
  private var parts = [Part](repeating: Part(), count: Limits.noteParts)
  private var next = 0

  init(prefix: String, period: Int64) {
    self.prefix = prefix
    self.period = period
  }

  /// A new set: keys by index. All parts are due, for what was changed is planned anew.
  mutating func use(_ keys: [UInt64]) {
    for part in parts.indices { (parts[part].members, parts[part].due) = ([], .min) }
    for (index, key) in keys.enumerated() {
      parts[Int(key % UInt64(Limits.noteParts))].members.append(index)
    }
  }

  /// What is to be stored now; `value` tells of campaigns, by index; empty = there is nothing.
  mutating func take(at now: Int64, _ value: ([Int]) -> [UInt8]) -> [(key: String, [UInt8])] {
    var (notes, bytes): ([(key: String, [UInt8])], Int) = ([], 0)
    for _ in parts.indices where bytes < Limits.noteBytes {
      let part = next
      next = (next + 1) % parts.count
      // A clock that went back makes it due.
      let isDue = now >= parts[part].due || parts[part].due - now > period
      guard isDue, !parts[part].members.isEmpty else { continue }
      parts[part].due = now + period
      let value = value(parts[part].members)
      // What was looked at is work too, written or not.
      bytes += value.count
      let hash = value.hashValue
      guard !value.isEmpty, parts[part].hash != hash else { continue }
      parts[part].hash = hash
      notes.append((key: "\(prefix)\(part)", value))
    }
    return notes
  }

  /// The values that were stored, in no order.
  static func read(_ prefix: String, _ notes: [String: [UInt8]]) -> [[UInt8]] {
    notes.filter { $0.key.hasPrefix(prefix) }.map(\.value)
  }
}
