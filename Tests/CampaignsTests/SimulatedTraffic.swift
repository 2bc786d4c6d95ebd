import Campaigns
import Core

/// Requests of simulated days.
struct SimulatedTraffic {
  static let day = TrafficShape.dayMilliseconds
  /// A Monday.
  static let epoch: Int64 = 20_423 * day

  enum Values {
    /// e to a normal variate of this deviation, around 1 in 1,000: as click rates are.
    case heavy(Double)
    /// Evenly within this part of 1 in 1,000.
    case narrow(Double)

    func draw(_ random: inout SplitMix64) -> Double {
      switch self {
      case .heavy(let deviation):
        // Twelve evens less six are a normal variate but for the far tails.
        let normal = (0..<12).reduce(-6.0) { sum, _ in sum + random.unit() }
        return 0.001 * SimulatedTraffic.exp(deviation * normal)
      case .narrow(let width): return 0.001 * (1 + width * (random.unit() - 0.5))
      }
    }
  }

  /// Relative demand of each quarter hour: the night has a sixth of the evening.
  static let wave: [Double] = (0..<96).map { slot in
    // A parabola through the evening's peak at 20:00 and the night's low at 8 h from it.
    let distance = Double(min(abs(slot - 80), 96 - abs(slot - 80))) / 48
    return 1 - 0.83 * distance * distance * (3 - 2 * distance)
  }
  static let steady = Array(repeating: 1.0, count: 96)

  /// `count` requests a day in the mean, for `days` from `epoch`: Poisson, each quarter hour with
  /// its demand and a day's own `noise` of up to so much of it.
  static func requests(
    count: Int, days: Range<Int>, demand: [Double], noise: Double = 0, values: [Values],
    random: inout SplitMix64
  ) -> [SimulatedRequest] {
    let sum = demand.reduce(0, +)
    var made: [SimulatedRequest] = []
    for slot in days.lowerBound * 96..<days.upperBound * 96 {
      let own = 1 + noise * (2 * random.unit() - 1)
      let expected = Double(count) * demand[slot % 96] / sum * own
      let start = epoch + Int64(slot) * TrafficShape.slotMilliseconds
      for at in times(expected, random: &random) {
        made.append(
          SimulatedRequest(
            at: start + Int64(at * Double(TrafficShape.slotMilliseconds)),
            values: values.map { $0.draw(&random) }))
      }
    }
    return made
  }

  /// Rows in their order over `days`, as demand comes in.
  static func spread(_ rows: [Double], days: Int, demand: [Double]) -> [SimulatedRequest] {
    let sum = demand.reduce(0, +) * Double(days)
    var made: [SimulatedRequest] = []
    var row = 0
    var before = 0.0
    for slot in 0..<96 * days {
      let share = demand[slot % 96] / sum * Double(rows.count)
      while row < rows.count, Double(row) + 0.5 < before + share {
        let part = (Double(row) + 0.5 - before) / share
        let at = (Double(slot) + part) * Double(TrafficShape.slotMilliseconds)
        made.append(SimulatedRequest(at: epoch + Int64(at), values: [rows[row]]))
        row += 1
      }
      before += share
    }
    return made
  }

  /// What the recorder makes of a day's requests.
  static func shape(of requests: [SimulatedRequest]) -> TrafficShape {
    var recorder = TrafficRecorder()
    var next = 0
    for minute in 0...Int64(24 * 60) {
      let now = epoch + minute * 60_000
      var count = 0
      while next < requests.count, requests[next].at < now {
        count += 1
        next += 1
      }
      _ = recorder.record(requests: count, now: now - 1, elapsedMilliseconds: 60_000)
    }
    _ = recorder.record(requests: 0, now: epoch + day, elapsedMilliseconds: 1)
    return recorder.shape
  }

  /// Ascending parts of an interval with so many in the mean: a Poisson process.
  private static func times(_ expected: Double, random: inout SplitMix64) -> [Double] {
    var made: [Double] = []
    var at = exponential(&random) / expected
    while at < 1 {
      made.append(at)
      at += exponential(&random) / expected
    }
    return made
  }

  private static func exponential(_ random: inout SplitMix64) -> Double {
    // −ln of an even variate: the sum of 1/k over the first k that ends a falling run, von Neumann.
    var whole = 0.0
    while true {
      let first = random.unit()
      var last = first
      var length = 1
      while true {
        let next = random.unit()
        if next > last { break }
        last = next
        length += 1
      }
      if length % 2 == 1 { return whole + first }
      whole += 1
    }
  }

  static func exp(_ x: Double) -> Double {
    var sum = 1.0
    for term in stride(from: 40.0, through: 1, by: -1) { sum = 1 + sum * (x / 16) / term }
    for _ in 0..<4 { sum *= sum }
    return sum
  }
}

extension SplitMix64 {
  /// Even in [0, 1).
  mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }
}
