import Core
import Load
import Report

/// `crescendo load --compare`: reports of earlier runs, side by side.
enum LoadFiles {
  static func compare(_ command: LoadCommand) throws(CommandFailure) {
    let comparison: LoadComparison
    do throws(ReportError) {
      comparison = try LoadComparison(
        try document(command.compare[0]), try document(command.compare[1]))
    } catch {
      throw CommandFailure(.usage, printable(error.description))
    }
    switch command.output {
    case .table: print(comparison.table(palette: .standardOutput))
    case .json: print(comparison.json)
    }
    if let path = command.report { try PageFile.write(ReportPage.html(comparison), to: path) }
  }

  private static func document(_ path: String) throws(ReportError) -> LoadDocument {
    let text: String
    do throws(UsageError) {
      text = try TextFile.read(path, limitBytes: Limits.reportBytes)
    } catch {
      throw ReportError(error.description)
    }
    // The folder would say nothing to whom the page is sent.
    let name = path.split(separator: "/").last.map(String.init) ?? path
    return try LoadDocument(name: name, json: text)
  }
}

extension LoadComparison {
  func table(palette: Palette) -> String {
    var lines = [LoadComparison.title("A", a), LoadComparison.title("B", b)]
    lines += warnings.map { palette.paint("warning: \($0)", .yellow) }
    for run in runs {
      if a.isSweep { lines += ["", "\(fixed(run.a.rate, 1)) calls/s"] }
      lines += run.warnings.map { palette.paint("warning: \($0)", .yellow) }
      lines += [
        "", palette.paint(LoadComparison.line(["", "A", "B", "B - A", "B / A"]), .dim),
      ]
      for row in run.rows {
        let difference = row.difference.map { ($0 > 0 ? "+" : "") + row.text($0) } ?? "-"
        lines.append(
          LoadComparison.line([
            "\(row.title), \(row.unit.rawValue)", row.text(row.a), row.text(row.b), difference,
            row.ratio.map { fixed($0, 3) } ?? "-",
          ]))
      }
    }
    // What a file says may have come from a server.
    return lines.map { line in
      palette.isColoured ? line : printable(line)
    }.joined(separator: "\n")
  }

  private static func title(_ side: String, _ document: LoadDocument) -> String {
    let rates = document.runs.map { fixed($0.rate, 1) }
    let what =
      document.isSweep ? "a sweep of \(rates.count) rates" : "\(rates[0]) calls/s"
    let target = document.runs[0].setup.target.map { " to \($0)" } ?? ""
    return printable("\(side): \(document.name): \(what)\(target)")
  }

  private static func line(_ cells: [String]) -> String {
    let pad: (String, Int) -> String = { text, width in
      String(repeating: " ", count: max(0, width - text.count))
    }
    return cells.enumerated().map { index, cell in
      index == 0 ? cell + pad(cell, 30) : pad(cell, 13) + cell
    }.joined()
  }

  // MARK: JSON

  /// `runs` has one element for two runs, one for each common rate of two sweeps.
  var json: String {
    JSONText.object([
      ("a", LoadComparison.json(a)), ("b", LoadComparison.json(b)),
      ("warnings", JSONText.array(warnings.map(JSONText.string))),
      (
        "runs",
        JSONText.array(
          runs.map { run in
            JSONText.object([
              ("rate_a", JSONText.number(run.a.rate)), ("rate_b", JSONText.number(run.b.rate)),
              ("warnings", JSONText.array(run.warnings.map(JSONText.string))),
              ("rows", JSONText.array(run.rows.map(LoadComparison.json))),
            ])
          })
      ),
    ])
  }

  private static func json(_ document: LoadDocument) -> String {
    JSONText.object([
      ("file", JSONText.string(document.name)),
      ("sweep", "\(document.isSweep)"),
      ("rates", JSONText.array(document.runs.map { JSONText.number($0.rate) })),
    ])
  }

  private static func json(_ row: RunComparison.Row) -> String {
    let number: (Double?) -> String = { $0.map(JSONText.number) ?? "null" }
    return JSONText.object([
      ("name", JSONText.string(row.key)), ("unit", JSONText.string(row.unit.rawValue)),
      ("a", number(row.a)), ("b", number(row.b)), ("difference", number(row.difference)),
      ("ratio", number(row.ratio)),
    ])
  }
}
