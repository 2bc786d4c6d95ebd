import Core
import Foundation

/// What `tools/bench` runs beside peers. Not for production: it takes few arguments and checks
/// only those.
@main
struct CrescendoBench {
  static let usage = """
    usage: crescendo-bench serve PORT [busy]     one loop; answers Score with a hash per item
           crescendo-bench serve PORT storm      the same to all scoring methods, mostly late
           crescendo-bench storm HOST:PORT[,…] CALLS SEED
                                                 calls of async clients, cancelled, short of time,
                                                 retried; checks all answers; prints a line of JSON
           crescendo-bench drive PORT CONNECTIONS INFLIGHT REQUEST CANDIDATES
                                 SECONDS|Ncalls [busy] [plain]
                                                 calls Score over sessions; prints one line of JSON
           crescendo-bench worlds FIRST LAST     simulated worlds of these seeds, two at a time,
                                                 that crash; held to an account kept apart
           crescendo-bench walk MODEL ROWS BATCH SECONDS
                                                 walks float64 rows; prints ns per row and a digest
    """

  static func main() {
    let arguments = Array(CommandLine.arguments.dropFirst())
    do {
      switch (arguments.first, arguments.count) {
      case ("serve", 2), ("serve", 3):
        guard let port = UInt16(arguments[1]) else { break }
        if arguments.last == "storm" {
          try StormServer.run(port: port)
        } else {
          try HashServer.run(port: port, isBusy: arguments.last == "busy")
        }
        return
      case ("storm", 4):
        guard let calls = Int(arguments[2]), calls > 0, let seed = UInt64(arguments[3]) else {
          break
        }
        blow(
          ClientStorm.Plan(
            targets: arguments[1].split(separator: ",").map(String.init), calls: calls,
            seed: seed))
      case ("drive", 7...9):
        guard let plan = try drivePlan(arguments) else { break }
        try SessionDriver.run(plan)
        return
      case ("worlds", 3):
        guard let first = UInt64(arguments[1]), let last = UInt64(arguments[2]), first <= last
        else { break }
        exit(try Worlds(first...last).run() ? 0 : 1)
      case ("walk", 5):
        guard let batch = Int(arguments[3]), let seconds = Double(arguments[4]), batch > 0 else {
          break
        }
        try WalkBenchmark.run(
          model: arguments[1], rows: arguments[2], batch: batch, seconds: seconds)
        return
      default: break
      }
    } catch {
      FileHandle.standardError.write(Data("crescendo-bench: \(error)\n".utf8))
      exit(1)
    }
    FileHandle.standardError.write(Data((usage + "\n").utf8))
    exit(2)
  }

  /// Ends the process, by itself: what is async runs beside the main thread.
  private static func blow(_ plan: ClientStorm.Plan) -> Never {
    Task.detached {
      do {
        try await ClientStorm.run(plan)
        exit(0)
      } catch {
        FileHandle.standardError.write(Data("crescendo-bench: \(error)\n".utf8))
        exit(1)
      }
    }
    while true { pause() }
  }

  private static func drivePlan(_ arguments: [String]) throws -> SessionDriver.Plan? {
    let isCount = arguments[6].hasSuffix("calls")
    let amount = isCount ? String(arguments[6].dropLast(5)) : arguments[6]
    guard let port = UInt16(arguments[1]), let connections = Int(arguments[2]),
      let inFlight = Int(arguments[3]), let candidates = Int(arguments[5]),
      let amount = Double(amount), connections > 0, inFlight > 0
    else { return nil }
    let message = try Data(contentsOf: URL(fileURLWithPath: arguments[4]))
    var plan = SessionDriver.Plan(
      port: port, connections: connections, inFlight: inFlight, message: Array(message),
      candidates: candidates, seconds: isCount ? 3_600 : amount,
      isBusy: arguments.contains("busy"))
    if isCount { plan.callsMax = Int(amount) }
    plan.withoutChecksums = arguments.contains("plain")
    return plan
  }
}
