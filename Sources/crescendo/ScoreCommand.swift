import ArgumentParser
import Client
import Core
import Wire

struct ScoreCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "score", abstract: "Ask a server for the scores of some items.")

  enum Framing: String, ExpressibleByArgument, CaseIterable {
    case grpc
    case session
  }

  @OptionGroup var target: TargetOptions

  @OptionGroup var about: RequestOptions

  @Flag(help: "Show the model's raw sum too.")
  var raw = false

  @Option(help: "Echoed by the server, at most \(Limits.requestIDBytes) bytes.")
  var requestId = ""

  @Flag(
    help: """
      Show the boosts too, and whose they are: campaigns by id where the server lists them, else \
      as key:HEX.
      """)
  var boosts = false

  @Flag(help: "Show the boosts and the terms that they are made of.")
  var explain = false

  @Option(
    help: "Show only the best, with boosts by score + boost; with JSON output, ranked.")
  var top: Int?

  @Option(help: "How the call travels: a gRPC stream, or a session (gRPC where none is spoken).")
  var framing = Framing.grpc

  @Option(help: "How the answer is shown.")
  var output = OutputFormat.table

  func run() throws {
    let items = try itemList(readFile: TextFile.read)
    let request = try request(for: items)
    let response = try answer(request)
    let report = ScoreReport(response, items: items, campaigns: names(response))
    switch output {
    case .table: print(report.table(top: top, palette: .standardOutput))
    case .json: print(report.json(top: top))
    }
  }

  /// The ids of the campaigns in an answer, as far as the server lists them: the answer is here,
  /// and is shown whatever becomes of its names.
  private func names(_ response: ScoreResponseMessage) -> [UInt64: String] {
    var names = CampaignNames(wanted: response.campaignKeys)
    guard !names.isComplete else { return [:] }
    do throws(CommandFailure) {
      try target.call { channel, timeout throws(ClientError) in
        try names.ask(channel, timeoutNanoseconds: timeout)
      }
    } catch {
      StandardError.write("campaigns stay without names: \(error.message)\n")
    }
    return names.found
  }

  private func answer(_ request: ScoreRequestMessage) throws(CommandFailure)
    -> ScoreResponseMessage
  {
    switch framing {
    case .grpc:
      return try target.call { channel, timeout throws(ClientError) in
        try channel.score(request, timeoutNanoseconds: timeout)
      }
    case .session:
      return try target.callSession { channel, timeout throws(ClientError) in
        try channel.score(request, timeout: timeout)
      } orByGRPC: { channel, timeout throws(ClientError) in
        try channel.score(request, timeoutNanoseconds: timeout)
      }
    }
  }

  /// The items of the flag or of the file.
  func itemList(readFile: (String) throws(UsageError) -> String)
    throws(CommandFailure) -> ItemList
  {
    try about.itemList(readFile: readFile)
  }

  /// The request that the flags describe; what only the server can judge goes to it as it is.
  func request(for items: ItemList) throws(CommandFailure) -> ScoreRequestMessage {
    if let top, top < 1 { throw CommandFailure(.usage, "--top is at least 1") }
    if requestId.utf8.count > Limits.requestIDBytes {
      throw CommandFailure(
        .usage, "--request-id has \(requestId.utf8.count) bytes, over \(Limits.requestIDBytes)")
    }
    var request = try about.request(for: items)
    request.requestID = requestId
    request.wantRaw = raw
    request.wantBoosts = boosts || explain
    request.wantExplanations = explain
    return request
  }
}
