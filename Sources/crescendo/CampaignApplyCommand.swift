import ArgumentParser
import Client
import Core
import Wire

struct CampaignApplyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "apply",
    abstract: "Replace campaigns by those of a file, all or none; exits with 1 when it has faults.",
    discussion: """
      proto/CAMPAIGNS.md has every key of a file. Applying a file again changes nothing. A file that \
      cannot be opened exits with 2; whatever is wrong with its content, with 1.
      """)

  @OptionGroup var target: TargetOptions

  @Option(name: [.customShort("f"), .long], help: "The campaign file; - is standard input.")
  var file: String

  @Flag(help: "Say what would change, and change nothing.")
  var dryRun = false

  @Option(help: "How the answer is shown.")
  var output = OutputFormat.table

  func run() throws {
    let source = try CampaignSource(file)
    guard source.faults.isEmpty else {
      var response = ApplyCampaignsResponseMessage()
      response.faults = source.faults
      response.faultsLeftOut = source.faultsLeftOut
      return try show(response, source)
    }
    try show(try apply(source), source)
  }

  private func apply(_ source: CampaignSource) throws(CommandFailure)
    -> ApplyCampaignsResponseMessage
  {
    let address = try target.address(environment: Environment.value)
    do throws(ClientError) {
      return try target.connect(to: address).applyCampaigns(
        document: source.document, dryRun: dryRun,
        timeoutNanoseconds: target.longTimeout.nanoseconds)
    } catch {
      var failure = CommandFailure(error, target: address)
      if !dryRun, CampaignApplyCommand.leavesOpen(error) {
        failure.message +=
          "\nThe file may have been applied. Apply it again, which changes nothing that was "
          + "applied, or look with `crescendo campaign list`."
      }
      throw failure
    }
  }

  /// Whether the server may have done what it was asked all the same.
  static func leavesOpen(_ error: ClientError) -> Bool {
    guard case .failed(let call) = error else { return false }
    return call.origin != .server || [.deadlineExceeded, .unavailable].contains(call.failure.code)
  }

  private func show(_ response: ApplyCampaignsResponseMessage, _ source: CampaignSource) throws {
    let report = ApplyReport(response, source: source, dryRun: dryRun)
    switch output {
    case .table: print(report.table(palette: .standardOutput))
    case .json: print(report.json)
    }
    if !response.faults.isEmpty { throw ExitCode(ExitStatus.negative.rawValue) }
  }
}
