/// Where things stand, and that nothing is forgotten.
enum LayoutRules {
  static let topLevel: Set<String> = [
    "Package.swift", "README.md", "Sources", "Tests", "proto", "tools",
  ]

  /// Targets without a test target of their own, each with what tests it instead.
  static let testedElsewhere: [String: String] = [
    "CNghttp2": "HTTP2Tests", "COpenSSL": "CryptoTests", "CProtobufC": "WireTests",
    "CSQLite": "SQLiteStorageTests",
    "CZlib": "WireTests",
    "CCrescendoProto": "WireTests, and tools/generate in TidyTests", "CLinux": "SyscallsTests",
    "CKernels": "SignalsTests, EngineTests, WireTests", "crescendo": "CLITests and Tests/Protocol",
    "crescendo-bench": "tools/bench, which tools/test runs tiny",
  ]

  static func top(_ paths: [String]) -> [Violation] {
    let names = Set(paths.compactMap { $0.split(separator: "/").first.map(String.init) })
    let made = [".build", ".venv", ".swiftpm", ".pytest_cache"]
    return names.filter { name in
      name.hasPrefix(".")
        ? made.contains { name.hasPrefix($0) } : !topLevel.contains(name)
    }.sorted()
      .map { Violation($0, 0, "does not belong at the top level") }
  }

  static func untested(_ graph: PackageGraph) -> [Violation] {
    graph.targets.values.filter { $0.kind != .test }.compactMap { target in
      let hasTests = graph.targets[target.name + "Tests"] != nil
      let isListed = testedElsewhere[target.name] != nil
      if !hasTests && !isListed {
        return Violation("Package.swift", 0, "\(target.name) has no \(target.name)Tests")
      }
      return hasTests && isListed
        ? Violation("Package.swift", 0, "\(target.name)Tests exists: take it off testedElsewhere")
        : nil
    }
  }

  /// Test targets without one test.
  static func emptyTests(_ graph: PackageGraph, _ files: [RepositoryFile]) -> [Violation] {
    let tested = Set(
      files.filter { $0.isSwift && SourceText($0.text).code.contains { $0.contains("@Test") } }
        .compactMap(\.target))
    return graph.targets.values.filter { $0.kind == .test && !tested.contains($0.name) }
      .map { Violation("Tests/\($0.name)", 0, "has no test") }
  }

  /// Whether the code map names every target.
  static func codeMap(_ graph: PackageGraph, _ map: RepositoryFile?) -> [Violation] {
    guard let map else { return [Violation("Sources/README.md", 0, "is missing")] }
    return graph.targets.values
      .filter { $0.kind != .test && !map.text.contains("`\($0.name)`") }
      .map { Violation(map.path, 0, "does not name `\($0.name)`") }
  }

  /// Scripts of tools/ and .ci/: executable, bash, and stopped by the first failure.
  static func script(_ file: RepositoryFile, isExecutable: Bool) -> [Violation] {
    guard isScript(file) else { return [] }
    var found: [Violation] = []
    if !isExecutable { found.append(Violation(file.path, 0, "is not executable")) }
    if file.lines.first != "#!/usr/bin/env bash" {
      found.append(Violation(file.path, 1, "does not start with #!/usr/bin/env bash"))
    }
    let first = file.lines.first { !$0.hasPrefix("#") && !$0.isEmpty }
    if first != "set -euo pipefail" {
      found.append(Violation(file.path, 0, "its first command is not `set -euo pipefail`"))
    }
    return found
  }

  /// Files right under tools/ and .ci/, and shell files below.
  private static func isScript(_ file: RepositoryFile) -> Bool {
    let parts = file.path.split(separator: "/")
    guard let top = parts.first, top == "tools" || top == ".ci" else { return false }
    return file.path.hasSuffix(".sh") || (parts.count == 2 && !parts[1].contains("."))
  }

  /// Python packages are pinned to exact versions.
  static func pins(_ file: RepositoryFile) -> [Violation] {
    guard file.path.hasSuffix("requirements.txt") else { return [] }
    return file.lines.enumerated().compactMap { index, line in
      line.isEmpty || line.hasPrefix("#") || line.contains("==")
        ? nil : Violation(file.path, index + 1, "\(line) is not pinned with ==")
    }
  }
}
