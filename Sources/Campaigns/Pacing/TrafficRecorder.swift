internal import Core

/// Counts demand by quarter hours, and makes it the next day's `TrafficShape`.
package struct TrafficRecorder: Sendable, Equatable {
  /// Yesterday's; even until a day has ended.
  package private(set) var shape: TrafficShape
  /// Since 1970, UTC; nil until something is recorded.
  private var day: Int64?
  private var demand: [Double]
  /// How long each slot was watched: one that was not says nothing.
  private var watchedMilliseconds: [Double]

  /// Half of a slot: less is too little to know its demand.
  private static let watchedLeast = Double(TrafficShape.slotMilliseconds / 2)

  package init(shape: TrafficShape = .even) {
    self.shape = shape
    demand = Array(repeating: 0, count: TrafficShape.slots)
    watchedMilliseconds = demand
  }

  /// `requests` came in the `elapsedMilliseconds` before `now` (wall time): to be called with no
  /// requests too. True if a day has ended and `shape` is new.
  package mutating func record(requests: Int, now: Int64, elapsedMilliseconds: Int64) -> Bool {
    let (today, inDay) = TrafficShape.split(now)
    var isNew = false
    if let day, day != today {
      isNew = endDay()
    }
    day = today
    let slot = Int(inDay / TrafficShape.slotMilliseconds)
    demand[slot] += Double(max(requests, 0))
    watchedMilliseconds[slot] += Double(max(elapsedMilliseconds, 0))
    return isNew
  }

  /// What was watched counts by its rate; what was not keeps yesterday's share beside it.
  private mutating func endDay() -> Bool {
    var rates = Array(repeating: 0.0, count: TrafficShape.slots)
    var sumOfRates = 0.0
    var sumOfWeights = 0.0
    for slot in rates.indices where watchedMilliseconds[slot] >= TrafficRecorder.watchedLeast {
      rates[slot] = demand[slot] / watchedMilliseconds[slot]
      sumOfRates += rates[slot]
      sumOfWeights += shape.weights[slot]
    }
    if sumOfRates > 0 {
      for slot in rates.indices where watchedMilliseconds[slot] < TrafficRecorder.watchedLeast {
        rates[slot] = shape.weights[slot] * sumOfRates / sumOfWeights
      }
    }
    demand = Array(repeating: 0, count: TrafficShape.slots)
    watchedMilliseconds = demand
    guard let new = TrafficShape(demand: rates) else { return false }
    shape = new
    return true
  }
}

extension TrafficRecorder {
  private static let version: UInt64 = 1
  private static let words = 2 + 3 * TrafficShape.slots

  /// To be kept over a restart, as `NoteWords`: version, day (`Int64.min` = none), then shape,
  /// demand and watched time of each slot as doubles.
  package var encoded: [UInt8] {
    let values = shape.weights + demand + watchedMilliseconds
    let head = [TrafficRecorder.version, UInt64(bitPattern: day ?? .min)]
    return NoteWords.encode(head + values.map(\.bitPattern))
  }

  /// nil for anything that `encoded` does not write.
  package init?(decoding bytes: [UInt8]) {
    guard let words = NoteWords.decode(bytes, count: TrafficRecorder.words),
      words[0] == TrafficRecorder.version
    else { return nil }
    let values = words[2...].map(Double.init(bitPattern:))
    guard values.allSatisfy({ $0 >= 0 && $0.isFinite }) else { return nil }
    let slots = TrafficShape.slots
    guard let shape = TrafficShape(weights: Array(values[..<slots])) else { return nil }
    self.init(shape: shape)
    day = words[1] == UInt64(bitPattern: .min) ? nil : Int64(bitPattern: words[1])
    demand = Array(values[slots..<2 * slots])
    watchedMilliseconds = Array(values[(2 * slots)...])
  }
}
