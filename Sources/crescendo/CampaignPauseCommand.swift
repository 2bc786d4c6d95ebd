import ArgumentParser
import Client
import Wire

struct CampaignPauseCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pause",
    abstract: "Stop boosts and reservations of a campaign; reservations that are open stay.")

  @OptionGroup var target: TargetOptions

  @Argument(help: "The campaign's id.")
  var id: String

  @Flag(help: "Let it run again.")
  var resume = false

  @Option(help: "How the answer is shown.")
  var output = OutputFormat.table

  func run() throws {
    let state = try target.call { channel, timeout throws(ClientError) in
      try channel.pauseCampaign(id: id, resume: resume, timeoutNanoseconds: timeout)
    }
    switch output {
    case .table: print("\(printable(state.id)): \(state.status.name)")
    case .json: print(state.json)
    }
  }
}
