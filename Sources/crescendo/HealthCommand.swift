import ArgumentParser
import Client
import Wire

struct HealthCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "health",
    abstract: "Ask a server whether it is serving; exits with 1 when it is not.")

  @OptionGroup var target: TargetOptions

  @Option(help: "One service by its full name. Else the whole server.")
  var service = ""

  @Option(help: "How the answer is shown.")
  var output = OutputFormat.table

  func run() throws {
    let status = try target.call { channel, timeout throws(ClientError) in
      try channel.checkHealth(service: service, timeoutNanoseconds: timeout)
    }
    switch output {
    case .table: print(status.name)
    case .json: print(HealthCommand.json(service: service, status))
    }
    if status != .serving { throw ExitCode(ExitStatus.negative.rawValue) }
  }

  static func json(service: String, _ status: HealthStatus) -> String {
    JSONText.object([
      ("service", JSONText.string(service)), ("status", JSONText.string(status.name)),
    ])
  }
}
