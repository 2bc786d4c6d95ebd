internal import Glibc

/// Values on one side of a plot: where they lie, and which of them are marked.
struct Axis: Sendable {
  enum Kind: Sendable, Equatable {
    case linear
    case logarithmic
    /// Shares of calls by the logarithm of the distance to all of them: 90 %, 99 %, 99.9 % are
    /// equally far apart.
    case nines
  }

  struct Tick: Sendable, Equatable {
    var value: Double
    var label: String
    /// Has no label where there is little room.
    var isMinor = false
  }

  var kind: Kind
  /// In the axis's own measure: logarithms but for linear ones.
  private var low: Double
  private var high: Double
  var ticks: [Tick]

  /// 0 at the start … 1 at the end; what lies outside is put to the end.
  func position(_ value: Double) -> Double {
    let at = Axis.measure(value, kind)
    guard high > low, !at.isNaN else { return 0 }
    return min(max((at - low) / (high - low), 0), 1)
  }

  private static func measure(_ value: Double, _ kind: Kind) -> Double {
    switch kind {
    case .linear: value
    case .logarithmic: log10(max(value, .leastNormalMagnitude))
    // All calls have no logarithm: they are at the end.
    case .nines: value < 1 ? -log10(1 - max(value, 0)) : .infinity
    }
  }

  private init(_ kind: Kind, _ low: Double, _ high: Double, _ ticks: [Tick]) {
    self.kind = kind
    self.low = low
    self.high = high
    self.ticks = ticks
  }

  /// From 0 to a round number at or above `high`.
  static func upTo(_ high: Double, _ label: (Double) -> String) -> Axis {
    let high = high > 0 && high.isFinite ? high : 1
    let step = Ticks.step(span: high, count: 5)
    let end = (high / step - 1e-9).rounded(.up) * step
    return Axis(
      .linear, 0, end,
      Ticks.linear(0, end, count: 5).map { Tick(value: $0, label: label($0)) })
  }

  /// Exactly from `low` to `high`.
  static func span(_ low: Double, _ high: Double, _ label: (Double) -> String) -> Axis {
    let high = high > low ? high : low + 1
    let ticks = Ticks.linear(low, high, count: 9)
    return Axis(
      .linear, low, high,
      ticks.enumerated().map { index, value in
        let isMinor = ticks.count > 5 && (index - (ticks.firstIndex(of: 0) ?? 0)) % 2 != 0
        return Tick(value: value, label: label(value), isMinor: isMinor)
      })
  }

  /// Places for so many bars beside each other: bar i from i to i + 1.
  static func categories(_ labels: [String]) -> Axis {
    Axis(
      .linear, 0, Double(max(labels.count, 1)),
      labels.enumerated().map { index, label in
        let every = max(1, (labels.count + 11) / 12)
        let isShown = (labels.count - 1 - index) % every == 0
        let isMinor = (labels.count - 1 - index) % max(1, (labels.count + 4) / 5) != 0
        return Tick(
          value: Double(index) + 0.5, label: isShown ? label : "", isMinor: isMinor)
      })
  }

  /// Times, milliseconds: from 0, or logarithmic where the longest would hide the others.
  static func times(_ values: [Double]) -> Axis {
    let known = values.filter { $0 > 0 && $0.isFinite }
    guard let least = known.min(), let most = known.max() else { return upTo(1, Units.time) }
    guard most > 12 * least else { return upTo(most, Units.time) }
    let (low, high) = (Ticks.floor125(least), Ticks.ceiling125(most))
    return Axis(
      .logarithmic, log10(low), log10(high),
      Ticks.logarithmic(low, high, count: 9).map { Tick(value: $0, label: Units.time($0)) })
  }

  /// Shares up to the finest that is told apart from all calls, and room for all of them.
  static func nines(finest: Double) -> Axis {
    let end = max(-log10(1 - min(finest, 1 - 1e-9)), 1)
    var ticks = [Tick(value: 0, label: "0"), Tick(value: 0.5, label: "50", isMinor: end > 4)]
    var nines = 1
    while Double(nines) <= end + 1e-9 {
      // "90", "99", "99.9", …
      let label =
        nines == 1
        ? "90" : "99" + (nines > 2 ? "." + String(repeating: "9", count: nines - 2) : "")
      let isMinor = end > 4 && nines % 2 == 0
      // The last one would run into "max".
      if Double(nines) < 1.06 * end - 0.1 {
        ticks.append(
          Tick(value: 1 - Ticks.power10(-nines), label: label, isMinor: isMinor && nines > 2))
      }
      nines += 1
    }
    ticks.append(Tick(value: 1, label: "max"))
    return Axis(.nines, 0, end * 1.06 + 0.1, ticks)
  }
}
