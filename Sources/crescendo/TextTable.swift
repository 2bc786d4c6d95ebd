/// Rows of text under titles, aligned: numbers to the right.
struct TextTable {
  struct Column {
    var title: String
    var isNumber = false
  }

  var columns: [Column]
  /// One text per column each.
  var rows: [[String]] = []

  /// The titles first, then a line per row; no blanks at their ends.
  var lines: [String] {
    let widths = columns.indices.map { column in
      rows.reduce(columns[column].title.count) { max($0, $1[column].count) }
    }
    return ([columns.map(\.title)] + rows).map { texts in
      let cells = columns.indices.map { TextTable.pad(texts[$0], widths[$0], columns[$0].isNumber) }
      return TextTable.withoutTrailingBlanks(cells.joined(separator: "  "))
    }
  }

  /// The titles are dim.
  func text(_ palette: Palette) -> String {
    var lines = lines
    lines[0] = palette.paint(lines[0], .dim)
    return lines.joined(separator: "\n")
  }

  private static func pad(_ text: String, _ width: Int, _ isNumber: Bool) -> String {
    let blanks = String(repeating: " ", count: max(0, width - text.count))
    return isNumber ? blanks + text : text + blanks
  }

  private static func withoutTrailingBlanks(_ text: String) -> String {
    var text = text[...]
    while text.last == " " { text.removeLast() }
    return String(text)
  }
}

/// Six places, so that points align; what six places cannot show stays as it is.
func decimal(_ value: Double, shortest: String) -> String {
  let magnitude = abs(value)
  guard value.isFinite, magnitude == 0 || (magnitude >= 1e-4 && magnitude < 1e9) else {
    return shortest
  }
  let scaled = Int64((magnitude * 1e6).rounded())
  let places = "\(scaled % 1_000_000)"
  return (value < 0 ? "-" : "") + "\(scaled / 1_000_000)."
    + String(repeating: "0", count: 6 - places.count) + places
}
