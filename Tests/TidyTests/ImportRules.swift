/// The dependency graph is the architecture: which module may see which.
enum ImportRules {
  /// Lowest first. A target may declare and import only what stands on a lower floor.
  static let floors: [Set<String>] = [
    [
      "CNghttp2", "COpenSSL", "CProtobufC", "CSQLite", "CZlib", "CCrescendoProto", "CLinux",
      "CKernels", "Core",
    ],
    [
      "Syscalls", "Crypto", "Campaigns", "Ledger", "Models", "Policies", "Signals", "HTTP2", "Wire",
      "Report",
    ],
    ["EventLoop", "Executors", "Engine", "Allocation", "SQLiteStorage"],
    ["Transport", "Simulation"],
    ["Server", "Client"],
    ["Load"],
    ["crescendo", "crescendo-bench"],
  ]

  /// Each C library with the only targets that import it.
  static let importers: [String: Set<String>] = [
    "CNghttp2": ["HTTP2"], "COpenSSL": ["Crypto"], "CProtobufC": ["Wire"],
    "CSQLite": ["SQLiteStorage"], "CZlib": ["Wire"],
    "CCrescendoProto": ["Wire"], "CLinux": ["Syscalls"],
    "CKernels": ["Campaigns", "Models", "Signals", "Engine", "Wire"],
  ]

  /// What is pure: no C but CKernels, no clock, no thread, no file.
  static let domain: Set<String> = [
    "Allocation", "Campaigns", "Ledger", "Models", "Policies", "Signals", "Engine", "Simulation",
  ]

  /// Modules of the toolchain, with the targets of Sources that may import them (nil: all).
  static let toolchain: [String: Set<String>?] = [
    "Synchronization": nil,
    "Glibc": [
      "Core", "Syscalls", "Crypto", "HTTP2", "Wire", "EventLoop", "Executors", "Transport",
      "Server", "Client", "Load", "Report", "SQLiteStorage", "crescendo", "crescendo-bench",
    ],
    "Foundation": ["Signals", "Server", "Client", "crescendo", "crescendo-bench"],
    "FoundationEssentials": [
      "Signals", "Server", "Client", "Report", "crescendo", "crescendo-bench",
    ],
    "Dispatch": ["Executors"],
    "ArgumentParser": ["crescendo", "crescendo-bench"],
    "Logging": ["Server", "crescendo", "crescendo-bench"],
    "FlyingFox": ["Server"],
    "FlyingSocks": ["Server"],
    "Yams": ["Campaigns", "crescendo"],
  ]

  struct Import: Equatable {
    var line: Int
    var access: String
    var module: String
  }

  static func imports(_ file: RepositoryFile) -> [Import] {
    SourceText(file.text).code.enumerated().compactMap { index, line in
      let words = line.split { $0 == " " || $0 == "\t" }
      guard let at = words.firstIndex(of: "import"), at + 1 < words.count,
        words[..<at].allSatisfy({ $0.hasPrefix("@") || access.contains($0) })
      else { return nil }
      let kinds: Set<Substring> = [
        "struct", "class", "enum", "func", "protocol", "typealias", "var",
      ]
      let name = kinds.contains(words[at + 1]) && at + 2 < words.count ? at + 2 : at + 1
      let module = words[name].split { $0 == "." || $0 == ";" }.first ?? ""
      let level = words[..<at].first { access.contains($0) } ?? "internal"
      return Import(line: index + 1, access: String(level), module: String(module))
    }
  }

  private static let access: Set<Substring> = [
    "public", "package", "internal", "private", "fileprivate",
  ]

  static func floor(_ target: String) -> Int? { floors.firstIndex { $0.contains(target) } }

  /// Whether Package.swift declares only what stands lower.
  static func declared(_ graph: PackageGraph) -> [Violation] {
    var found: [Violation] = []
    for target in graph.targets.values where target.kind != .test {
      guard let own = floor(target.name) else {
        found.append(Violation("Package.swift", 0, "\(target.name) is on no floor of ImportRules"))
        continue
      }
      for dependency in target.dependencies {
        guard let other = floor(dependency) else { continue }
        let isFencedC = own == 0 && isC(target.name) && isC(dependency)
        if other >= own && !isFencedC {
          found.append(
            Violation(
              "Package.swift", 0,
              "\(target.name) (floor \(own)) depends on \(dependency) (floor \(other))"))
        }
        if let allowed = importers[dependency], !allowed.contains(target.name), !isFencedC {
          found.append(
            Violation(
              "Package.swift", 0, "\(target.name) depends on \(dependency), which is for \(allowed)"
            ))
        }
      }
    }
    return found
  }

  private static func isC(_ target: String) -> Bool { importers[target] != nil }

  /// Whether one source file imports only what its target declares and may see.
  static func check(_ file: RepositoryFile, _ graph: PackageGraph) -> [Violation] {
    guard file.isSwift, let name = file.target, let target = graph.targets[name] else {
      return file.isSwift && file.target != nil
        ? [Violation(file.path, 0, "its folder is no target of Package.swift")] : []
    }
    var found: [Violation] = []
    for one in imports(file) {
      if target.dependencies.contains(one.module) {
        if importers[one.module] != nil && ["package", "public"].contains(one.access) {
          found.append(Violation(file.path, one.line, "\(one.module) in a \(one.access) import"))
        }
        if file.isSource, let allowed = importers[one.module], !allowed.contains(name) {
          found.append(Violation(file.path, one.line, "\(one.module) is for \(allowed) alone"))
        }
      } else if target.kind == .test {
        if floor(one.module) != nil {
          found.append(Violation(file.path, one.line, undeclared(name, one.module)))
        }
      } else if let allowed = toolchain[one.module] {
        if let allowed, !allowed.contains(name) {
          found.append(Violation(file.path, one.line, "\(one.module) is not for \(name)"))
        }
      } else {
        found.append(Violation(file.path, one.line, undeclared(name, one.module)))
      }
    }
    return found
  }

  private static func undeclared(_ target: String, _ module: String) -> String {
    "\(module) is imported, but Package.swift does not declare it for \(target)"
  }

  /// Whether all code of ours is compiled with warnings as errors.
  static func strict(_ graph: PackageGraph, swiftTargets: Set<String>) -> [Violation] {
    graph.targets.values.filter { swiftTargets.contains($0.name) && !$0.isStrict }
      .map { Violation("Package.swift", 0, "\($0.name) has no swiftSettings: strict") }
  }
}
