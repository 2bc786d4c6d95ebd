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

  @Flag(help: "Let it run again, as `campaign resume` does.")
  var resume = false

  @Option(help: "How the answer is shown.")
  var output = OutputFormat.table

  func run() throws {
    try CampaignPauseCommand.run(target, id, resume: resume, output)
  }

  static func run(_ target: TargetOptions, _ id: String, resume: Bool, _ output: OutputFormat)
    throws
  {
    let state = try target.call { channel, timeout throws(ClientError) in
      try channel.pauseCampaign(id: id, resume: resume, timeoutNanoseconds: timeout)
    }
    switch output {
    case .table: print("\(printable(state.id)): \(state.status.name)")
    case .json: print(state.json)
    }
  }
}

struct CampaignResumeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "resume", abstract: "Let a campaign run again that was paused.")

  @OptionGroup var target: TargetOptions

  @Argument(help: "The campaign's id.")
  var id: String

  @Option(help: "How the answer is shown.")
  var output = OutputFormat.table

  func run() throws {
    try CampaignPauseCommand.run(target, id, resume: true, output)
  }
}
