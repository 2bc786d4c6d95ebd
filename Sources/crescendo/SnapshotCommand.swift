import ArgumentParser
import Core
import Engine
import Signals

struct SnapshotCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "snapshot", abstract: "Look after snapshots.",
    subcommands: [SnapshotVerifyCommand.self, SnapshotInspectCommand.self])
}

struct SnapshotVerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Check a snapshot as a server would; exits with 1 when it is refused.")

  @Argument(help: "The snapshot's folder.")
  var folder: String

  func run() throws {
    let serving = try SnapshotFolder.load(folder, mapped: false)
    let snapshot = serving.snapshot
    print(
      "ok: \(snapshot.manifest.version): \(snapshot.items.rowCount) items, "
        + "\(snapshot.users?.rowCount ?? 0) users, models "
        + serving.blueprints.map(\.declaration.name).joined(separator: ", "))
  }
}

struct SnapshotInspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect", abstract: "Show what is in a snapshot.")

  @Argument(help: "The snapshot's folder.")
  var folder: String

  @Option(help: "How the answer is shown.")
  var output = OutputFormat.table

  func run() throws {
    let report = SnapshotReport(try SnapshotFolder.load(folder, mapped: false))
    switch output {
    case .table: print(report.table())
    case .json: print(report.json())
    }
  }
}
