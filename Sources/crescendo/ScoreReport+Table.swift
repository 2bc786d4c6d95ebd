import Wire

extension ScoreReport {
  private typealias Shown = (column: TextTable.Column, text: (_ rank: Int, _ row: Row) -> String)

  /// A table of the best first, the terms of boosts that were asked for, and a line that says where
  /// the scores come from.
  func table(top: Int?, palette: Palette) -> String {
    let shown = ranked(top: top)
    let columns = shownColumns
    let table = TextTable(
      columns: columns.map(\.column),
      rows: shown.enumerated().map { index, row in columns.map { $0.text(index + 1, row) } })
    var lines = table.lines
    lines[0] = palette.paint(lines[0], .dim)
    for (index, row) in shown.enumerated() {
      if let colour = colour(row) { lines[index + 1] = palette.paint(lines[index + 1], colour) }
    }
    let terms = shown.filter { !$0.terms.isEmpty }.map(termsLine)
    if !terms.isEmpty { lines += [""] + terms }
    return (lines + ["", provenanceLine]).joined(separator: "\n")
  }

  private var shownColumns: [Shown] {
    var columns: [Shown] = [
      (.init(title: "rank", isNumber: true), { rank, _ in "\(rank)" }),
      (.init(title: "item"), { printable($1.item) }),
      (.init(title: "score", isNumber: true), { Self.decimalText($1.score) }),
    ]
    if rows.contains(where: { $0.raw != nil }) {
      columns.append(
        (.init(title: "raw", isNumber: true), { $1.raw.map { "\($0)" } ?? "" }))
    }
    if hasBoosts {
      columns += [
        (.init(title: "boost", isNumber: true), { $1.boost.map(Self.decimalText) ?? "" }),
        (.init(title: "campaign"), { printable($1.campaign ?? "-") }),
        (.init(title: "boost reason"), { $1.boostReason ?? "" }),
      ]
    }
    columns += [
      (.init(title: "fidelity"), { $1.fidelity }), (.init(title: "reason"), { $1.reason }),
    ]
    return columns
  }

  private static func decimalText(_ value: Float) -> String {
    decimal(Double(value), shortest: "\(value)")
  }

  private func termsLine(_ row: Row) -> String {
    let terms = row.terms.map { "\(printable($0.name)) \($0.value)" }.joined(separator: ", ")
    return "\(printable(row.item)): \(terms)"
  }

  private func colour(_ row: Row) -> Palette.Colour? {
    switch row.fidelity {
    case "FULL": nil
    case "NONE": .red
    default: .yellow
    }
  }

  /// Snapshot, model with the first digits of its SHA-256, trees, the instant that was scored for;
  /// with boosts their scale, and the arm if there is one.
  var provenanceLine: String { provenance.line }
}

extension ScoreResponseMessage.Provenance {
  var line: String {
    let sha = printable(String(modelSHA256.prefix(12)))
    var parts = [
      "snapshot \(printable(snapshot))",
      "model \(printable(model) + (sha.isEmpty ? "" : " (sha256 \(sha))"))",
      "trees \(treesUsed)/\(treesTotal)",
      "time \(TimeArgument(unixMilliseconds: timeUnixMilliseconds).text)",
    ]
    if !boostScale.isEmpty { parts.append("boost scale \(printable(boostScale))") }
    if !arm.isEmpty { parts.append("arm \(printable(arm))") }
    return parts.joined(separator: ", ")
  }
}
