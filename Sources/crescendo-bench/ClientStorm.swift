import Client
import Core
import Foundation
import Synchronization

/// Very many calls of async clients at a server that may be stopped at any time: some are
/// cancelled, some have hardly any time, and now and then a client is closed and another takes its
/// place. Every value of every answer is checked.
final class ClientStorm: Sendable {
  struct Plan: Sendable {
    /// `HOST:PORT`, servers of `StormServer`.
    var targets: [String]
    var calls: Int
    var seed: UInt64
  }

  private let plan: Plan
  private let clients: Mutex<[PromotionScoreClient]>
  private let taken = Atomic(0)
  private let tally = Mutex(StormTally())

  private static let clientCount = 4
  /// Tasks that make calls, one after the other: 2,000, fewer for fewer calls.
  private static let workersMax = 2_000
  /// A client is closed for each twentieth of the calls.
  private static let renewals = 20
  private static let sizes = [0, 1, 64, 500]
  private static let timeout = Duration.seconds(10)

  /// Prints a line of JSON to standard error every 20 ms, and one to standard output at the end.
  static func run(_ plan: Plan) async throws {
    let storm = try ClientStorm(plan)
    let began = ContinuousClock.now
    let reporter = Task { await storm.report() }
    await withTaskGroup { group in
      for _ in 0..<min(workersMax, max(plan.calls / 20, 1)) { group.addTask { await storm.work() } }
    }
    reporter.cancel()
    await reporter.value
    let seconds = (ContinuousClock.now - began) / .seconds(1)
    let ledgers = try await storm.settle()
    var lines = storm.tally.withLock { $0.fields }
    lines.append("\"seconds\": \(seconds)")
    lines.append("\"clients\": [\(ledgers.map(\.json).joined(separator: ", "))]")
    print("{\(lines.joined(separator: ", "))}")
    for client in storm.clients.withLock({ $0 }) { await client.close() }
  }

  private init(_ plan: Plan) throws {
    self.plan = plan
    var made: [PromotionScoreClient] = []
    for _ in 0..<ClientStorm.clientCount { made.append(try ClientStorm.makeClient(plan)) }
    clients = Mutex(made)
  }

  private static func makeClient(_ plan: Plan) throws(ClientConfigurationError)
    -> PromotionScoreClient
  {
    var configuration = ClientConfiguration(addresses: plan.targets)
    configuration.framing = .session
    configuration.backoff.max = .milliseconds(500)
    return try PromotionScoreClient(configuration)
  }

  // MARK: Calls

  private func work() async {
    while true {
      let number = taken.wrappingAdd(1, ordering: .relaxed).oldValue
      guard number < plan.calls else { return }
      var dice = SplitMix64(seed: splitmix64(plan.seed) ^ UInt64(number))
      tally.withLock { $0.started += 1 }
      let outcome = await call(number, &dice)
      tally.withLock { $0.note(outcome) }
      if number % max(plan.calls / ClientStorm.renewals, 1) == 1 { await renew(number) }
      // As callers do whom nobody answers.
      if outcome.isAvailability {
        await ClientStorm.pause(.milliseconds(300 + Int(dice.next() % 700)))
      }
    }
  }

  private func call(_ number: Int, _ dice: inout SplitMix64) async -> StormOutcome {
    let client = clients.withLock { $0[number % $0.count] }
    let size = ClientStorm.sizes[Int(dice.next() % 4)]
    let items = (0..<size).map { _ in dice.next() }
    let method = dice.next() % 10
    let fate = dice.next() % 20
    let wait = dice.next() % 40_000
    var options = CallOptions(timeout: ClientStorm.timeout)
    if fate < 3 { options.timeout = .microseconds(100 + wait) }
    guard fate >= 17 else {
      return await StormCall.make(client, method, items, options)
    }
    // Cancelled: some before they begin, some after they have ended.
    let task = Task { [options] in await StormCall.make(client, method, items, options) }
    if wait > 5_000 { await ClientStorm.pause(.microseconds(wait)) }
    task.cancel()
    return await task.value
  }

  /// Closes a client, with all that is under way on it, and puts another in its place.
  private func renew(_ number: Int) async {
    do throws(ClientConfigurationError) {
      let fresh = try ClientStorm.makeClient(plan)
      let old = clients.withLock { clients in
        let old = clients[number % clients.count]
        clients[number % clients.count] = fresh
        return old
      }
      await old.close()
      tally.withLock { $0.renewals += 1 }
    } catch {
      tally.withLock { $0.note(.failed(RPCError(.internalError, "\(error)"))) }
    }
  }

  /// Callers' own time, which is part of the load. Over at once when the task is cancelled.
  private static func pause(_ duration: Duration) async {
    try? await ContinuousClock().sleep(for: duration)
  }

  // MARK: What came of it

  private func report() async {
    while !Task.isCancelled {
      let line = tally.withLock { $0.progress }
      FileHandle.standardError.write(Data((line + "\n").utf8))
      await ClientStorm.pause(.milliseconds(20))
    }
  }

  /// What the clients hold once nothing is under way: each has made one more call, so that it has a
  /// session. Waits 20 seconds at most.
  private func settle() async throws -> [ClientLedger] {
    let end = ContinuousClock.now + .seconds(20)
    let clients = clients.withLock { $0 }
    for client in clients {
      while case .failed(let error) = await StormCall.make(client, 0, [1], CallOptions()) {
        guard ContinuousClock.now < end else { throw error }
        await ClientStorm.pause(.milliseconds(50))
      }
    }
    while true {
      var ledgers: [ClientLedger] = []
      for client in clients { if let ledger = await client.ledger() { ledgers.append(ledger) } }
      let isWhole = ledgers.allSatisfy { ledger in
        ledger.openCalls == 0 && ledger.sessions.allSatisfy(\.isWhole)
      }
      if isWhole || ContinuousClock.now > end { return ledgers }
      await ClientStorm.pause(.milliseconds(50))
    }
  }
}

extension ClientLedger {
  fileprivate var json: String {
    let sessions = sessions.map {
      "{\"balance\": \($0.balance), \"initial_credit\": \($0.initialCredit), "
        + "\"open_calls\": \($0.openCalls)}"
    }
    return "{\"open_calls\": \(openCalls), \"waiting\": \(waitingAttempts), "
      + "\"connections\": \(connections), \"sessions\": [\(sessions.joined(separator: ", "))]}"
  }
}
