import Core
import Foundation

/// proto/SESSION.md as data: what a test of the client's end takes from it.
struct SessionDocument {
  /// A row X of §8.1.
  struct ErrorRow {
    var code: StatusCode
    /// With `{…}` for values.
    var text: String

    /// The text with its values in their order.
    func filled(_ values: [String]) -> String {
      var (rest, filled) = (Substring(text), "")
      for value in values {
        guard let open = rest.firstIndex(of: "{"), let close = rest.firstIndex(of: "}") else {
          return "more values than \(text) has"
        }
        filled += rest[..<open] + value
        rest = rest[rest.index(after: close)...]
      }
      return filled + rest
    }
  }

  /// A `session-frame` block of §19.
  struct Example {
    var fields: [String: String] = [:]
    var bytes: [UInt8] = []

    var name: String { fields["name"] ?? "" }
    var isFromServer: Bool { fields["from"] == "server" }
  }

  let text: String

  init() throws {
    let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let file = tests.deletingLastPathComponent().appending(path: "proto/SESSION.md")
    text = try String(contentsOf: file, encoding: .utf8)
  }

  /// The lines of every block of a kind.
  func blocks(_ kind: String) -> [[String]] {
    var (found, open): ([[String]], [String]?) = ([], nil)
    for line in text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
      if line == "```", let block = open {
        found.append(block)
        open = nil
      } else if line == "```" + kind {
        open = []
      } else {
        open?.append(line)
      }
    }
    return found
  }

  /// By number.
  func errors() -> [Int: ErrorRow] {
    var rows: [Int: ErrorRow] = [:]
    for line in text.split(separator: "\n") where line.hasPrefix("| X") {
      let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
      guard cells.count == 5, let row = Int(cells[0].dropFirst()),
        let code = StatusCode.allCases.first(where: { $0.name == cells[2] })
      else { continue }
      rows[row] = ErrorRow(code: code, text: cells[3].trimmingCharacters(in: ["`"]))
    }
    return rows
  }

  func examples() -> [Example] {
    blocks("session-frame").map { block in
      var example = Example()
      for line in block {
        if let equals = line.range(of: " = ") {
          example.fields[String(line[..<equals.lowerBound])] = String(line[equals.upperBound...])
        } else {
          let digits = line.prefix { $0 != "#" }.filter(\.isHexDigit)
          example.bytes += stride(from: 0, to: digits.count, by: 2).compactMap {
            UInt8(digits.dropFirst($0).prefix(2), radix: 16)
          }
        }
      }
      return example
    }
  }
}
