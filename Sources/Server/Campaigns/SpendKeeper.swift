internal import Campaigns
internal import Core

/// What campaigns have spent when. After a restart it is what a note tells, and what the journal
/// tells of the time since: of what is older the journal keeps sums only. On the store's thread.
struct SpendKeeper {
  static let prefix = "spend."
  private var records: [UInt64: SpendRecord] = [:]
  private var notes: PartedNotes
  /// Up to when the notes of before a restart tell.
  private var told: [UInt64: Int64] = [:]

  /// - Parameters:
  ///   - notes: what was stored.
  ///   - period: how often it is stored, milliseconds: several times before the journal is
  ///     compacted.
  init(_ stored: [String: [UInt8]], period: Int64) {
    notes = PartedNotes(prefix: SpendKeeper.prefix, period: period)
    for value in PartedNotes.read(SpendKeeper.prefix, stored) {
      // A part that is damaged begins anew.
      for record in SpendRecord.decode(value) ?? [] {
        records[record.key] = record
        told[record.key] = record.until
      }
    }
  }

  /// A new set: keys by index.
  mutating func use(_ keys: [UInt64]) { notes.use(keys) }

  /// What the journal tells of the time before a restart; `time` is ledger time.
  mutating func restore(_ key: UInt64, _ amount: Int64, at time: Int64, in flight: Range<Int64>) {
    if let until = told[key], time <= until { return }
    add(amount, to: key, at: time, in: flight)
  }

  /// What was settled by `now`, and was not added yet.
  mutating func add(_ amount: Int64, to key: UInt64, at now: Int64, in flight: Range<Int64>) {
    var series = self[key, flight]
    series.add(amount, at: now)
    records[key] = SpendRecord(key: key, until: now, series: series)
  }

  subscript(key: UInt64, flight: Range<Int64>) -> SpendSeries {
    records[key]?.series.moved(to: flight) ?? SpendSeries(flight)
  }

  /// What is to be stored now; `keys` by index.
  mutating func take(at now: Int64, _ keys: (Int) -> UInt64) -> [(key: String, [UInt8])] {
    let records = self.records
    return notes.take(at: now) { members in
      let spent = members.compactMap { records[keys($0)] }
      return spent.isEmpty ? [] : SpendRecord.encode(spent)
    }
  }
}
