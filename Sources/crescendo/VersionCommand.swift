import ArgumentParser
import Client
import Core

struct VersionCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "version", abstract: "Show the versions of this program and of what it runs on.")

  @Option(help: "How the answer is shown.")
  var output = OutputFormat.table

  static let versions: [(key: String, value: String)] = [
    ("crescendo", Version.text),
    ("swift", swift),
    ("nghttp2", LinkedLibraries.nghttp2),
    ("protobuf-c", LinkedLibraries.protobufC),
  ]

  /// Of the standard library, without the patch number: 6.3.1 calls itself 6.3.0.
  private static var swift: String {
    "\(_SwiftStdlibVersion.current)".split(separator: ".").prefix(2).joined(separator: ".")
  }

  func run() {
    switch output {
    case .table:
      for version in VersionCommand.versions { print("\(version.key) \(version.value)") }
    case .json:
      print(JSONText.object(VersionCommand.versions.map { ($0.key, JSONText.string($0.value)) }))
    }
  }
}
