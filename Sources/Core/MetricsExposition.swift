/// The lexical rules of Prometheus' text format 0.0.4.
enum MetricText {
  /// `[a-zA-Z_:][a-zA-Z0-9_:]*`
  static func isName(_ text: String) -> Bool {
    isWord(text, colons: true)
  }

  /// `[a-zA-Z_][a-zA-Z0-9_]*`, and not of the reserved names that begin with two underscores.
  static func isLabel(_ text: String) -> Bool {
    isWord(text, colons: false) && !text.hasPrefix("__")
  }

  private static func isWord(_ text: String, colons: Bool) -> Bool {
    guard let first = text.utf8.first, !(0x30...0x39).contains(first) else { return false }
    return text.utf8.allSatisfy { byte in
      switch byte {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "_"): true
      case UInt8(ascii: ":"): colons
      default: false
      }
    }
  }

  /// `a="b",c="d"`, values escaped; empty without labels.
  static func labels(_ names: [String], _ values: [String]) -> String {
    precondition(names.count == values.count, "\(names) have one value each, not \(values)")
    return zip(names, values).map { "\($0)=\"\(escaped($1, quotes: true))\"" }
      .joined(separator: ",")
  }

  /// Backslash and line feed, and in label values the quote.
  static func escaped(_ text: String, quotes: Bool) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\"" where quotes: result += "\\\""
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  /// The shortest digits that read back as the same number; whole ones without a point.
  static func number(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
    if let whole = Int64(exactly: value), whole.magnitude < 1 << 53 { return "\(whole)" }
    return "\(value)"
  }
}

extension MetricRegistry {
  /// The `Content-Type` of `exposition()`.
  package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  /// Everything in Prometheus' text format 0.0.4: families and series in the order in which they
  /// were declared. From any thread, while writers count on.
  package func exposition() -> String {
    var text = ""
    text.reserveCapacity(64 << 10)
    for family in schema.families {
      text += "# HELP \(family.name) \(MetricText.escaped(family.help, quotes: false))\n"
      text += "# TYPE \(family.name) \(family.kind.rawValue)\n"
      if let read = family.read {
        for sample in read() {
          let labels = MetricText.labels(family.labels, sample.labelValues)
          MetricRegistry.line(&text, family.name, labels, MetricText.number(sample.value))
        }
      } else if family.kind == .histogram {
        for series in family.series.indices { histogram(&text, family, series) }
      } else {
        for series in family.series.indices { single(&text, family, series) }
      }
    }
    return text
  }

  private static func line(
    _ text: inout String, _ name: String, _ labels: String, _ value: String
  ) {
    text += name
    if !labels.isEmpty {
      text += "{"
      text += labels
      text += "}"
    }
    text += " "
    text += value
    text += "\n"
  }

  private func single(_ text: inout String, _ family: MetricFamily, _ series: Int) {
    let value = total(cell: family.firstCell + series)
    if family.hidesEmpty && value == 0 { return }
    let shown =
      family.kind == .counter
      ? family.unit.text(value) : family.unit.text(Int64(bitPattern: value))
    MetricRegistry.line(&text, family.name, family.series[series], shown)
  }

  /// The count is the sum of the buckets as they were read, so that both agree whatever is
  /// recorded meanwhile.
  private func histogram(_ text: inout String, _ family: MetricFamily, _ series: Int) {
    let first = family.firstCell + series * family.cellsPerSeries
    let buckets = (0...family.bounds.count).map { total(cell: first + $0) }
    let count = buckets.reduce(0, &+)
    if family.hidesEmpty && count == 0 { return }
    let labels = family.series[series]
    let comma = labels.isEmpty ? "" : ","
    var below: UInt64 = 0
    for (index, bucket) in buckets.enumerated() {
      below &+= bucket
      let bound = index < family.bounds.count ? family.unit.text(family.bounds[index]) : "+Inf"
      MetricRegistry.line(
        &text, family.name + "_bucket", "\(labels)\(comma)le=\"\(bound)\"", "\(below)")
    }
    let sum = total(cell: first + family.bounds.count + 1)
    MetricRegistry.line(&text, family.name + "_sum", labels, family.unit.text(sum))
    MetricRegistry.line(&text, family.name + "_count", labels, "\(count)")
  }
}
