import ArgumentParser
import Core

@main
struct Crescendo: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "crescendo",
    abstract: "Promotion scores for personalization: serve them, ask for them, look after them.",
    discussion: """
      Exit codes: 0 ok; 1 the answer is no; 2 usage; 3 the server cannot be reached; \
      4 the call failed, with its status on standard error; 5 the load generator fell behind; \
      6 a data folder cannot be read.
      """,
    version: Version.text,
    subcommands: subcommands)

  /// One file each, in the order in which help lists them.
  private static let subcommands: [any ParsableCommand.Type] = [
    ServeCommand.self,
    ScoreCommand.self,
    CampaignCommand.self,
    AllocateCommand.self,
    ReportCommand.self,
    ReleaseCommand.self,
    LoadCommand.self,
    HealthCommand.self,
    LedgerCommand.self,
    SnapshotCommand.self,
    VersionCommand.self,
  ]

  static func main() {
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch {
      CommandEnd(error).leave()
    }
  }
}
