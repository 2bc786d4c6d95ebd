import Foundation
import Testing

/// A strict reader of Prometheus' text format 0.0.4, as far as we write it: anything that is not
/// exactly as the format wants it is an error.
struct PrometheusText {
  struct Problem: Error, CustomStringConvertible {
    var line: String
    var reason: String
    var description: String { "\(reason): \(line)" }
  }

  struct Sample: Equatable {
    var name: String
    var labels: [String: String]
    var value: Double
  }

  struct Family {
    var name: String
    var help: String
    var type: String
    var samples: [Sample] = []
  }

  private(set) var families: [Family] = []

  init(_ text: String) throws {
    guard text.hasSuffix("\n") else { throw Problem(line: "", reason: "no line feed at the end") }
    var help: (name: String, text: String)?
    for line in text.dropLast().split(separator: "\n", omittingEmptySubsequences: false) {
      func problem(_ reason: String) -> Problem { Problem(line: String(line), reason: reason) }
      let words = line.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false)
      if line.hasPrefix("# HELP ") {
        guard help == nil, words.count == 4 else { throw problem("a help without its type") }
        help = (String(words[2]), String(words[3]))
      } else if line.hasPrefix("# TYPE ") {
        guard words.count == 4, let said = help, said.name == words[2],
          ["counter", "gauge", "histogram"].contains(words[3]),
          !families.contains(where: { $0.name == said.name })
        else { throw problem("not the type of the help before it") }
        families.append(Family(name: said.name, help: said.text, type: String(words[3])))
        help = nil
      } else {
        guard help == nil, !families.isEmpty else { throw problem("a sample before its type") }
        let sample = try PrometheusText.sample(line)
        let family = families[families.count - 1]
        let allowed =
          family.type == "histogram"
          ? ["_bucket", "_sum", "_count"].map { family.name + $0 } : [family.name]
        guard allowed.contains(sample.name) else { throw problem("not of \(family.name)") }
        guard
          !family.samples.contains(where: {
            $0.name == sample.name && $0.labels == sample.labels
          })
        else { throw problem("a series twice") }
        families[families.count - 1].samples.append(sample)
      }
    }
    guard help == nil else { throw Problem(line: "", reason: "a help without its type") }
    for family in families where family.type == "histogram" { try check(family) }
  }

  /// Buckets rise, end with +Inf, and that is the count; a sum stands beside it.
  private func check(_ family: Family) throws {
    var byLabels: [[String: String]: [Sample]] = [:]
    for sample in family.samples {
      var labels = sample.labels
      labels["le"] = nil
      byLabels[labels, default: []].append(sample)
    }
    for (labels, samples) in byLabels {
      let buckets = samples.filter { $0.name.hasSuffix("_bucket") }
      let bounds = try buckets.map { try number($0.labels["le"] ?? "") }
      guard bounds == bounds.sorted(), Set(bounds).count == bounds.count,
        bounds.last == .infinity, buckets.map(\.value) == buckets.map(\.value).sorted(),
        samples.first(where: { $0.name.hasSuffix("_count") })?.value == buckets.last?.value,
        samples.contains(where: { $0.name.hasSuffix("_sum") })
      else { throw Problem(line: "\(family.name) \(labels)", reason: "no whole histogram") }
    }
  }

  private func number(_ text: String) throws -> Double {
    try PrometheusText.number(text[...], text[...])
  }

  private static func number(_ text: Substring, _ line: Substring) throws -> Double {
    if text == "+Inf" { return .infinity }
    if text == "-Inf" { return -.infinity }
    guard text.utf8.allSatisfy({ "0123456789+-.e".utf8.contains($0) }), let value = Double(text)
    else { throw Problem(line: String(line), reason: "\(text) is no number") }
    return value
  }

  /// `name value` or `name{a="b",c="d"} value`.
  private static func sample(_ line: Substring) throws -> Sample {
    func problem(_ reason: String) -> Problem { Problem(line: String(line), reason: reason) }
    var rest = line
    func word() -> String {
      let word = rest.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
      rest.removeFirst(word.count)
      return String(word)
    }
    let name = word()
    var labels: [String: String] = [:]
    if rest.first == "{" {
      repeat {
        rest.removeFirst()
        let label = word()
        guard rest.hasPrefix("=\"") else { throw problem("a label without a value") }
        rest.removeFirst(2)
        var value = ""
        while let letter = rest.popFirst(), letter != "\"" {
          guard letter == "\\" else {
            value.append(letter)
            continue
          }
          switch rest.popFirst() {
          case "n": value += "\n"
          case "\\": value += "\\"
          case "\"": value += "\""
          default: throw problem("an unknown escape")
          }
        }
        guard !label.isEmpty, labels.updateValue(value, forKey: label) == nil else {
          throw problem("a label twice, or without a name")
        }
      } while rest.first == ","
      guard rest.popFirst() == "}" else { throw problem("labels without an end") }
    }
    guard !name.isEmpty, rest.popFirst() == " " else { throw problem("no name, or no value") }
    return Sample(name: name, labels: labels, value: try number(rest, line))
  }

  /// The one sample of that name with these labels.
  func value(_ name: String, _ labels: [String: String] = [:]) throws -> Double {
    let found = families.flatMap(\.samples).filter { $0.name == name && $0.labels == labels }
    try #require(found.count == 1, "\(name) \(labels): \(found.count) samples")
    return found[0].value
  }
}
