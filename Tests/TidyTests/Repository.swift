import Foundation

/// One broken rule, at one place.
struct Violation: CustomStringConvertible, Equatable {
  var path: String
  /// 1-based; 0 = the file as a whole.
  var line: Int
  var text: String

  init(_ path: String, _ line: Int = 0, _ text: String) {
    self.path = path
    self.line = line
    self.text = text
  }

  var description: String { line > 0 ? "\(path):\(line): \(text)" : "\(path): \(text)" }
}

/// A file of the repository, by its path from the root.
struct RepositoryFile {
  var path: String
  var text: String

  var lines: [Substring] {
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    if lines.last == "" { lines.removeLast() }
    return lines
  }

  /// Made by tools/generate: none of the rules of style hold for it.
  var isGenerated: Bool { path.hasPrefix("Sources/CCrescendoProto/") }
  var isSwift: Bool { path.hasSuffix(".swift") }
  var isC: Bool { (path.hasSuffix(".c") || path.hasSuffix(".h")) && !isGenerated }
  var isPython: Bool { path.hasSuffix(".py") }
  /// The target that a file under Sources or Tests belongs to.
  var target: String? {
    let parts = path.split(separator: "/")
    return parts.count > 2 && ["Sources", "Tests"].contains(parts[0]) ? String(parts[1]) : nil
  }
  var isSource: Bool { path.hasPrefix("Sources/") }
}

enum Repository {
  static let root = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// Every file that git knows or would add: what the rules are about.
  static func files() throws -> [RepositoryFile] {
    let listing = try run(
      "git", "ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate", "-z")
    guard listing.status == 0 else { throw ToolFailure(text: "git ls-files: \(listing.output)") }
    let paths = listing.output.split(separator: "\0").map(String.init)
    return paths.map { path in
      // A link to nowhere or to a folder, or a file that is deleted but still listed: no text.
      let data = (try? Data(contentsOf: root.appending(path: path))) ?? Data()
      return RepositoryFile(path: path, text: String(decoding: data, as: UTF8.self))
    }
  }

  static func isExecutable(_ path: String) -> Bool {
    FileManager.default.isExecutableFile(atPath: root.appending(path: path).path)
  }

  struct ToolFailure: Error { var text: String }

  /// Runs a program at the root to its end; standard output and error together.
  static func run(_ command: String...) throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = command
    process.currentDirectoryURL = root
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: data, as: UTF8.self))
  }
}

/// Violations one a line, for a failing expectation.
func listed(_ violations: [Violation]) -> String {
  violations.map(\.description).joined(separator: "\n")
}
