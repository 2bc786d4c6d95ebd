/// A plot as values: what is drawn, on which axes, and the numbers beside it.
struct Chart: Sendable {
  /// Of the figure in the page: letters and hyphens.
  var name: String
  var title: String
  /// A sentence or two under the title.
  var note: String
  var x: Axis
  var y: Axis
  var xTitle: String
  /// Takes the width of the page.
  var isWide = false
  var bands: [Band] = []
  var layers: [Layer] = []
  var lines: [Line] = []
  var rules: [Rule] = []
  var readouts: [Readout] = []
  /// The same numbers as text.
  var table: DataTable?
  /// What shades of lines stand for, from the lowest to the highest.
  var ramp: String?

  /// What a colour stands for: a class of the page's style.
  enum Tone: String, Sendable {
    case first, second, third, plain, ok, late, refused, deadline, unavailable, never, other
    case full, partial, prior, none
    case met, missed
  }

  /// A part of the x axis that is marked from bottom to top.
  struct Band: Sendable {
    var from: Double
    var to: Double
    var label: String
  }

  /// One of several that stand on each other: bars, each from `low` to `high`.
  struct Layer: Sendable {
    var name: String
    var tone: Tone
    var bars: [Bar]

    struct Bar: Sendable {
      var from: Double
      var to: Double
      var low: Double
      var high: Double
    }
  }

  /// Says what the dots of infinite times are, where there are any.
  mutating func explainInfinite() {
    let has = lines.contains { $0.points.contains { $0.y == .infinite } }
    if has { note += " Dots at the upper edge: infinite, for too many calls failed." }
  }

  enum Point: Sendable, Equatable {
    case at(Double)
    /// A time without end: shown at the upper edge.
    case infinite
    case none
  }

  struct Line: Sendable {
    var name: String
    var tone: Tone
    var points: [(x: Double, y: Point)]
    var isDashed = false
    /// A dot for each point, where there are few.
    var hasDots = false
    /// A colour between two of the page's, 0 … 1, in place of the tone's.
    var shade: Double?
  }

  /// A limit: a line across at `y`, to `end` of the x axis where it ends; or one upwards at `x`.
  struct Rule: Sendable {
    enum Place: Sendable {
      case across(y: Double, end: Double?)
      case up(x: Double)
    }

    var place: Place
    var label: String
    var tone: Tone
  }

  /// What a part of the x axis says when somebody points at it.
  struct Readout: Sendable {
    var from: Double
    var to: Double
    var text: String
  }

  /// Bars on each other, from rows of values: `values[layer][column]`; layers of nothing are left
  /// out.
  static func stack(
    _ kinds: [(name: String, tone: Tone)], spans: [(from: Double, to: Double)],
    values: [[Double]]
  ) -> [Layer] {
    var heights = [Double](repeating: 0, count: spans.count)
    var layers: [Layer] = []
    for (kind, row) in zip(kinds, values) where row.contains(where: { $0 > 0 }) {
      var bars: [Layer.Bar] = []
      for (index, value) in row.enumerated() where value > 0 {
        bars.append(
          Layer.Bar(
            from: spans[index].from, to: spans[index].to, low: heights[index],
            high: heights[index] + value))
        heights[index] += value
      }
      layers.append(Layer(name: kind.name, tone: kind.tone, bars: bars))
    }
    return layers
  }
}

/// Rows of text under a head; columns but the first hold numbers.
struct DataTable: Sendable, Equatable {
  var head: [String]
  var rows: [[String]]
  /// Of rows that say that something is wrong.
  var marked: Set<Int> = []
  /// Its cells hold sentences.
  var isProse = false

  /// Longer tables show every nth row: they are for reading.
  static let rowsMax = 300

  func markup(caption: String) -> Markup {
    let every = max(1, (rows.count + DataTable.rowsMax - 1) / DataTable.rowsMax)
    let note = every > 1 ? " (one row of \(every))" : ""
    let cells: ([String]) -> [Markup] = { row in
      row.enumerated().map { index, text in
        index == 0
          ? Markup("th", ["scope": "row"], text: text) : Markup("td", text: text)
      }
    }
    let shown = rows.indices.filter { $0 % every == 0 }
    return Markup(
      "div", ["class": isProse ? "scroll words" : "scroll"],
      [
        Markup(
          "table",
          [:],
          [
            Markup("caption", text: caption + note),
            Markup(
              "thead", [:],
              [Markup("tr", [:], head.map { Markup("th", ["scope": "col"], text: $0) })]),
            Markup(
              "tbody", [:],
              shown.map {
                Markup("tr", marked.contains($0) ? ["class": "bad"] : [:], cells(rows[$0]))
              }),
          ])
      ])
  }
}
