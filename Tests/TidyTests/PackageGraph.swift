/// The targets of Package.swift with what each declares, read from its text.
struct PackageGraph {
  enum Kind { case source, executable, systemLibrary, test }

  struct Target {
    var name: String
    var kind: Kind
    var dependencies: [String]
    /// Compiled with the strict settings: warnings are errors.
    var isStrict: Bool
  }

  var targets: [String: Target] = [:]

  /// Entries are `swift("Name", […])`, `tests("Name", […])`, or `.target(name: "Name", …)` and its
  /// kin, up to their closing parenthesis.
  init(_ manifest: String) {
    let openings: [(String, Kind)] = [
      ("swift(", .source), ("tests(", .test), (".target(", .source),
      (".executableTarget(", .executable), (".systemLibrary(", .systemLibrary),
      (".testTarget(", .test),
    ]
    let products = PackageGraph.products(manifest)
    // Products have `targets: [` too; the list itself breaks its line.
    guard let start = manifest.firstRange(of: "targets: [\n") else { return }
    let body = manifest[start.upperBound...]
    for (opening, kind) in openings {
      for range in body.ranges(of: opening) {
        let entry = PackageGraph.balanced(body[range.lowerBound...])
        let names = PackageGraph.quoted(entry)
        guard let name = names.first else { continue }
        let list = PackageGraph.dependencyList(entry)
        let named = products.filter { PackageGraph.words(list).contains($0.key) }.map(\.value)
        targets[name] = Target(
          name: name, kind: kind, dependencies: PackageGraph.quoted(list) + named,
          isStrict: !opening.hasPrefix(".") || entry.contains("swiftSettings: strict"))
      }
    }
  }

  /// `let logging: Target.Dependency = .product(name: "Logging", …)`: variable → product.
  private static func products(_ manifest: String) -> [String: String] {
    var found: [String: String] = [:]
    for range in manifest.ranges(of: ": Target.Dependency = .product(") {
      let before = manifest[..<range.lowerBound].split { !$0.isLetter && !$0.isNumber }
      if let variable = before.last, let product = quoted(manifest[range.upperBound...]).first {
        found[String(variable)] = product
      }
    }
    return found
  }

  private static func balanced(_ text: Substring) -> Substring {
    var depth = 0
    for index in text.indices {
      if text[index] == "(" { depth += 1 }
      if text[index] == ")" {
        depth -= 1
        if depth == 0 { return text[...index] }
      }
    }
    return text
  }

  private static func dependencyList(_ entry: Substring) -> Substring {
    let after = entry.firstRange(of: "dependencies:").map { entry[$0.upperBound...] } ?? entry
    guard !entry.hasPrefix(".") || entry.contains("dependencies:"),
      let open = after.firstIndex(of: "["), let close = after[open...].firstIndex(of: "]")
    else { return "" }
    return after[open...close]
  }

  private static func quoted(_ text: Substring) -> [String] {
    let parts = text.split(separator: "\"", omittingEmptySubsequences: false)
    return parts.indices.filter { $0 % 2 == 1 && $0 < parts.count - 1 }.map { String(parts[$0]) }
  }

  private static func words(_ text: Substring) -> Set<String> {
    Set(text.split { !$0.isLetter && !$0.isNumber }.map(String.init))
  }
}
