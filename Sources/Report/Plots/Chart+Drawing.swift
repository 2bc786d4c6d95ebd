internal import Core

/// The chart as a figure. Marks lie in a box of 1,000 by 1,000 that is stretched to the room there
/// is, with strokes that are not; text and grid are placed by percentages, so that one drawing
/// fits a phone and a wide screen.
extension Chart {
  var figure: Markup {
    var parts = [
      Markup("h3", ["id": "\(name)-title"], text: title),
      Markup("p", ["class": "note", "id": "\(name)-note"], text: note),
      legend,
      Markup(
        "div", ["class": "plot"],
        [
          drawing,
          Markup("div", ["class": "cursor", "hidden": ""]),
          Markup("div", ["class": "tip", "hidden": ""]),
        ]),
      Markup("p", ["class": "x-title"], text: xTitle),
    ]
    if let table {
      parts.append(
        Markup(
          "details", [:],
          [Markup("summary", text: "Numbers"), table.markup(caption: title)]))
    }
    return Markup("figure", isWide ? ["id": name, "class": "wide"] : ["id": name], parts)
  }

  private var legend: Markup {
    let entries =
      lines.filter { $0.shade == nil }.map { ($0.name, $0.tone, $0.isDashed) }
      + layers.map { ($0.name, $0.tone, false) }
    let scale = ramp.map { text in
      Markup("li", [:], [Markup("i", ["class": "ramp"]), Markup(text: text)])
    }
    return Markup(
      "ul", ["class": "legend"],
      [scale ?? Markup([])]
        + entries.map { name, tone, isDashed in
          Markup(
            "li", [:],
            [
              Markup("i", ["class": "\(tone.rawValue)\(isDashed ? " dashed" : "")"]),
              Markup(text: name),
            ])
        })
  }

  private var drawing: Markup {
    Markup(
      "svg",
      ["role": "img", "aria-labelledby": "\(name)-svg-title \(name)-svg-desc", "height": "260"],
      [
        Markup("title", ["id": "\(name)-svg-title"], text: title),
        Markup("desc", ["id": "\(name)-svg-desc"], text: description),
        Markup("g", ["class": "grid"], y.ticks.map(horizontal) + x.ticks.map(vertical)),
        Markup(
          "svg",
          [
            "class": "marks", "width": "100%", "height": "100%", "viewBox": "0 0 1000 1000",
            "preserveAspectRatio": "none",
          ],
          layers.map(draw) + lines.flatMap(draw)),
        Markup(bands.map(draw)),
        Markup(rules.flatMap(draw)),
        Markup("g", ["class": "hits"], readouts.map(draw)),
      ])
  }

  /// What is to be seen, in words.
  private var description: String {
    let names = lines.map(\.name) + layers.map(\.name) + rules.map(\.label)
    return "\(note) Shown over \(xTitle): " + names.joined(separator: ", ") + "."
  }

  // MARK: Axes

  private func horizontal(_ tick: Axis.Tick) -> Markup {
    let at = Chart.percent(1 - y.position(tick.value))
    return Markup([
      Markup("line", ["x1": "0", "x2": "100%", "y1": at, "y2": at]),
      Markup("text", ["x": "-8", "y": at, "dy": "4", "class": "y-label"], text: tick.label),
    ])
  }

  private func vertical(_ tick: Axis.Tick) -> Markup {
    let at = Chart.percent(x.position(tick.value))
    let minor = tick.isMinor ? " minor" : ""
    guard !tick.label.isEmpty else { return Markup([]) }
    return Markup([
      x.kind == .nines
        ? Markup("line", ["x1": at, "x2": at, "y1": "0", "y2": "100%"]) : Markup([]),
      Markup(
        "text", ["x": at, "y": "100%", "dy": "20", "class": "x-label\(minor)"], text: tick.label),
    ])
  }

  // MARK: Marks

  private func draw(_ band: Band) -> Markup {
    let (from, to) = (x.position(band.from), x.position(band.to))
    guard to > from else { return Markup([]) }
    return Markup(
      "g", ["class": "band"],
      [
        Markup(
          "rect",
          [
            "x": Chart.percent(from), "width": Chart.percent(to - from), "y": "0",
            "height": "100%",
          ]),
        Markup(
          "text",
          [
            "x": Chart.percent(from > 0 ? to : from), "y": "0", "dy": "-8",
            "class": from > 0 ? "end" : "start",
          ],
          text: band.label),
      ])
  }

  private func draw(_ layer: Layer) -> Markup {
    var path = ""
    for bar in layer.bars {
      let (left, right) = (across(bar.from), across(bar.to))
      let (low, high) = (upward(bar.low), upward(bar.high))
      path += "M\(left) \(low)V\(high)H\(right)V\(low)Z"
    }
    return Markup(
      "path", ["class": "layer \(layer.tone.rawValue)", "data-name": layer.name, "d": path])
  }

  private func draw(_ line: Line) -> [Markup] {
    var (path, dots, infinite) = ("", "", "")
    var isDrawing = false
    for (index, point) in line.points.enumerated() {
      let at = across(point.x)
      switch point.y {
      case .at(let value):
        path += "\(isDrawing ? "L" : "M")\(at) \(upward(value))"
        // A point alone would not be seen.
        let next = index + 1 < line.points.count ? line.points[index + 1].y : .none
        if case .at = next {
        } else if !isDrawing {
          path += "h0"
        }
        if line.hasDots { dots += "M\(at) \(upward(value))h0" }
        isDrawing = true
      case .infinite:
        infinite += "M\(at) 0h0"
        isDrawing = false
      case .none:
        isDrawing = false
      }
    }
    let tone = line.shade == nil ? line.tone.rawValue : "shaded"
    let style = line.shade.map { "--mix:\(fixed(100 * $0, 0))%" } ?? ""
    let of: (StaticString, String, String) -> Markup = { _, kind, path in
      Markup(
        "path",
        ["class": "\(kind) \(tone)", "data-name": line.name, "style": style, "d": path])
    }
    var marks = [of("path", line.isDashed ? "line dashed" : "line", path)]
    if !dots.isEmpty { marks.append(of("path", "dots", dots)) }
    if !infinite.isEmpty { marks.append(of("path", "infinite", infinite)) }
    return marks
  }

  private func draw(_ rule: Rule) -> [Markup] {
    let tone = rule.tone.rawValue
    switch rule.place {
    case .across(let value, let end):
      let at = Chart.percent(1 - y.position(value))
      let right = Chart.percent(end.map(x.position) ?? 1)
      return [
        Markup("line", ["class": "rule \(tone)", "x1": "0", "x2": right, "y1": at, "y2": at]),
        Markup(
          "text", ["class": "rule-label end", "x": right, "dx": "-4", "y": at, "dy": "-6"],
          text: rule.label),
      ] + (end == nil ? [] : [Markup("circle", ["class": tone, "cx": right, "cy": at, "r": "4"])])
    case .up(let value):
      let at = x.position(value)
      let isLeft = at > 0.5
      return [
        Markup(
          "line",
          [
            "class": "rule \(tone)", "x1": Chart.percent(at), "x2": Chart.percent(at), "y1": "0",
            "y2": "100%",
          ]),
        Markup(
          "text",
          [
            "class": "rule-label \(isLeft ? "end" : "start")", "x": Chart.percent(at),
            "dx": isLeft ? "-5" : "5", "y": "0", "dy": "11",
          ],
          text: rule.label),
      ]
    }
  }

  private func draw(_ readout: Readout) -> Markup {
    let (from, to) = (x.position(readout.from), x.position(readout.to))
    return Markup(
      "rect",
      [
        "class": "hit", "x": Chart.percent(from), "width": Chart.percent(max(to - from, 0)),
        "y": "0", "height": "100%",
      ],
      [Markup("title", text: readout.text)])
  }

  // MARK: Places

  private func across(_ value: Double) -> String { Chart.trimmed(1_000 * x.position(value)) }
  private func upward(_ value: Double) -> String {
    Chart.trimmed(1_000 * (1 - y.position(value)))
  }

  static func percent(_ share: Double) -> String { fixed(100 * share, 3) + "%" }

  /// A tenth of a thousandth of the plot is less than a pixel.
  private static func trimmed(_ value: Double) -> String {
    let text = fixed(value, 1)
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }
}
