import ArgumentParser
import Wire

/// What a command tells of what became of many things: how many of each outcome, and the first
/// that did not come out well.
protocol OutcomeReport {
  /// By name, in words that `_` joins.
  var numbers: [(key: String, value: String)] { get }
  /// One line of the table and one object of the JSON for each.
  var exceptionLines: [(text: String, object: String)] { get }
}

extension OutcomeReport {
  func table(palette: Palette) -> String {
    var table = TextTable(columns: [.init(title: "outcome"), .init(title: "count", isNumber: true)])
    table.rows = numbers.map { [$0.key.replacing("_", with: " "), $0.value] }
    let lines = exceptionLines.map(\.text)
    return ([table.text(palette)] + (lines.isEmpty ? [] : [""] + lines)).joined(separator: "\n")
  }

  var json: String {
    JSONText.object(numbers + [("exceptions", JSONText.array(exceptionLines.map(\.object)))])
  }

  /// Nothing has become of anything.
  private var isEmpty: Bool { numbers.allSatisfy { $0.value == "0" } }

  /// Shows it, whatever ended the work, and ends with what did: `failure`, else `fault` of the
  /// input, else an exit of 1 unless all came out well. A table of zeros is no news of a failure.
  func end(
    _ output: OutputFormat, failure: CommandFailure?, fault: String?, isGood: Bool
  ) throws {
    switch output {
    case .table where isEmpty && (failure != nil || fault != nil): break
    case .table: print(table(palette: .standardOutput))
    case .json: print(json)
    }
    if let failure { throw failure }
    if let fault { throw CommandFailure(.usage, fault) }
    if !isGood { throw ExitCode(ExitStatus.negative.rawValue) }
  }
}
