import Wire

extension ScoreReport {
  private struct Column {
    var title: String
    var isNumber: Bool
    var text: (_ rank: Int, _ row: Row) -> String
  }

  /// A table of the best first, and a line that says where the scores come from.
  func table(top: Int?, palette: Palette) -> String {
    var columns = [
      Column(title: "rank", isNumber: true) { rank, _ in "\(rank)" },
      Column(title: "item", isNumber: false) { printable($1.item) },
      Column(title: "score", isNumber: true) { decimal(Double($1.score), shortest: "\($1.score)") },
    ]
    if rows.contains(where: { $0.raw != nil }) {
      columns.append(
        Column(title: "raw", isNumber: true) { $1.raw.map { "\($0)" } ?? "" })
    }
    columns += [
      Column(title: "fidelity", isNumber: false) { $1.fidelity },
      Column(title: "reason", isNumber: false) { $1.reason },
    ]
    let shown = ranked(top: top)
    let cells = shown.enumerated().map { index, row in
      columns.map { $0.text(index + 1, row) }
    }
    let widths = columns.indices.map { column in
      cells.reduce(columns[column].title.count) { max($0, $1[column].count) }
    }
    let line: ([String]) -> String = { texts in
      columns.indices.map { pad(texts[$0], widths[$0], columns[$0].isNumber) }
        .joined(separator: "  ")
    }
    var lines = [palette.paint(withoutTrailingBlanks(line(columns.map(\.title))), .dim)]
    for (row, texts) in zip(shown, cells) {
      let plain = withoutTrailingBlanks(line(texts))
      lines.append(colour(row).map { palette.paint(plain, $0) } ?? plain)
    }
    return (lines + ["", provenanceLine]).joined(separator: "\n")
  }

  private func colour(_ row: Row) -> Palette.Colour? {
    switch row.fidelity {
    case "FULL": nil
    case "NONE": .red
    default: .yellow
    }
  }

  /// Snapshot, model with the first digits of its SHA-256, trees, the instant that was scored for.
  var provenanceLine: String {
    let sha = printable(String(provenance.modelSHA256.prefix(12)))
    let model = printable(provenance.model) + (sha.isEmpty ? "" : " (sha256 \(sha))")
    return [
      "snapshot \(printable(provenance.snapshot))",
      "model \(model)",
      "trees \(provenance.treesUsed)/\(provenance.treesTotal)",
      "time \(TimeArgument(unixMilliseconds: provenance.timeUnixMilliseconds).text)",
    ].joined(separator: ", ")
  }
}

/// Six places, so that points align; what six places cannot show stays as it is.
private func decimal(_ value: Double, shortest: String) -> String {
  let magnitude = abs(value)
  guard value.isFinite, magnitude == 0 || (magnitude >= 1e-4 && magnitude < 1e9) else {
    return shortest
  }
  let scaled = Int64((magnitude * 1e6).rounded())
  let places = "\(scaled % 1_000_000)"
  return (value < 0 ? "-" : "") + "\(scaled / 1_000_000)."
    + String(repeating: "0", count: 6 - places.count) + places
}

private func pad(_ text: String, _ width: Int, _ isNumber: Bool) -> String {
  let blanks = String(repeating: " ", count: max(0, width - text.count))
  return isNumber ? blanks + text : text + blanks
}

private func withoutTrailingBlanks(_ text: String) -> String {
  var text = text[...]
  while text.last == " " { text.removeLast() }
  return String(text)
}
