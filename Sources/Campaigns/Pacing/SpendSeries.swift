internal import Core

/// What was settled in equal parts of a campaign's flight: a picture, no account. Times are wall
/// times, milliseconds; amounts micros.
package struct SpendSeries: Sendable, Equatable {
  package let flight: Range<Int64>
  package private(set) var parts = [Int64](repeating: 0, count: SpendSeries.count)
  package static let count = 48

  package init(_ flight: Range<Int64>) { self.flight = flight }

  private var partMilliseconds: Int64 {
    max(
      (flight.upperBound - flight.lowerBound + Int64(SpendSeries.count) - 1)
        / Int64(SpendSeries.count), 1)
  }

  /// What comes before the flight or after it belongs to its first or last part.
  package mutating func add(_ amount: Int64, at time: Int64) {
    let inside = min(max(time, flight.lowerBound), flight.upperBound)
    let part = Int((inside - flight.lowerBound) / partMilliseconds)
    let place = min(part, SpendSeries.count - 1)
    let (sum, isOver) = parts[place].addingReportingOverflow(amount)
    parts[place] = isOver ? .max : sum
  }

  package var ends: [Int64] {
    (1...Int64(SpendSeries.count)).map {
      min(flight.lowerBound + $0 * partMilliseconds, flight.upperBound)
    }
  }

  /// The same amounts in another flight: each part's where its middle falls.
  package func moved(to flight: Range<Int64>) -> SpendSeries {
    guard flight != self.flight else { return self }
    var moved = SpendSeries(flight)
    for (end, amount) in zip(ends, parts) where amount != 0 {
      moved.add(amount, at: end - partMilliseconds / 2)
    }
    return moved
  }
}

extension SpendSeries {
  static let valueCount = 2 + count

  /// The flight's ends, then the parts.
  var values: [Int64] { [flight.lowerBound, flight.upperBound] + parts }

  /// nil for anything that `values` does not tell of a flight that may be.
  init?(_ values: [Int64]) {
    guard values.count == SpendSeries.valueCount, values[0] > .min / 4, values[1] < .max / 4,
      values[0] < values[1], values[2...].allSatisfy({ $0 >= 0 })
    else { return nil }
    self.init(values[0]..<values[1])
    parts = Array(values[2...])
  }
}

/// A campaign's series as it is stored.
package struct SpendRecord: Sendable, Equatable {
  /// The campaign's key.
  package var key: UInt64
  /// Up to when it tells, wall time, milliseconds: all that is later is not in it.
  package var until: Int64
  package var series: SpendSeries

  package init(key: UInt64, until: Int64, series: SpendSeries) {
    (self.key, self.until, self.series) = (key, until, series)
  }

  private static let version: UInt64 = 1
  private static let wordCount = 2 + SpendSeries.valueCount

  /// `NoteWords`: version, then of each record its key, its time, its flight and its parts.
  package static func encode(_ records: [SpendRecord]) -> [UInt8] {
    NoteWords.encode(
      [version]
        + records.flatMap { record in
          [record.key]
            + ([record.until] + record.series.values).map(UInt64.init(bitPattern:))
        })
  }

  /// nil for anything that `encode` does not write.
  package static func decode(_ bytes: [UInt8]) -> [SpendRecord]? {
    guard let words = NoteWords.decode(bytes), words.count % wordCount == 1, words[0] == version
    else { return nil }
    var records: [SpendRecord] = []
    for at in stride(from: 1, to: words.count, by: wordCount) {
      let values = words[at + 1..<at + wordCount].map(Int64.init(bitPattern:))
      guard let series = SpendSeries(Array(values[1...])) else { return nil }
      records.append(SpendRecord(key: words[at], until: values[0], series: series))
    }
    return records
  }
}
