import Core
import Foundation
import Testing

@testable import Wire

/// `CRESCENDO_FUZZ_SESSIONS`: as many instead, for the long run by name.
let fuzzSessions =
  ProcessInfo.processInfo.environment["CRESCENDO_FUZZ_SESSIONS"].flatMap(Int.init) ?? 800

/// The client's end against the real server's, through bytes that are cut anywhere.
@Suite struct SessionClientServerTests {
  /// How a session goes.
  private struct Plan {
    var credit: UInt32
    var calls: Int
    var clientDrains = false
    var serverDrains = false
    var isCutOff = false
  }

  private struct Run {
    let client: ClientEnd
    let server: ServerPeer
    let plan: Plan
    /// Calls that the client abandoned while they were open.
    var cancelled: Set<UInt> = []
    var begun = 0
    /// Ids that may take more messages.
    var sending: [UInt32] = []
    var denied = 0
  }

  private func plan(_ random: inout SplitMix64) -> Plan {
    var plan = Plan(
      credit: UInt32.random(in: 1...600, using: &random),
      calls: Int.random(in: 1...9, using: &random))
    plan.clientDrains = Int.random(in: 0..<6, using: &random) == 0
    plan.serverDrains = Int.random(in: 0..<6, using: &random) == 0
    plan.isCutOff = Int.random(in: 0..<6, using: &random) == 0
    return plan
  }

  private func start(_ random: inout SplitMix64) -> Run {
    let plan = plan(&random)
    var bounds = SessionClient.Bounds()
    bounds.calls = Int.random(in: 1...9, using: &random)
    bounds.unsentBytes = Int.random(in: 64...2_000, using: &random)
    bounds.withoutChecksums = Bool.random(using: &random)
    return Run(
      client: ClientEnd(bounds),
      server: ServerPeer(
        credit: plan.credit, calls: plan.calls,
        withoutChecksums: Bool.random(using: &random)), plan: plan)
  }

  /// One thing that the client's owner may do.
  private func act(_ run: inout Run, _ random: inout SplitMix64) {
    let client = run.client
    let work = UInt32.random(in: 0...300, using: &random)
    switch Int.random(in: 0..<8, using: &random) {
    case 0...3:
      guard client.hasRoom() else {
        run.denied += 1
        return
      }
      let takesMore = Bool.random(using: &random)
      guard
        let id = client.call(
          work: work, isLast: !takesMore || Bool.random(using: &random), isUnary: !takesMore,
          message: Array(repeating: 7, count: Int(work) % 50), method: takesMore ? 2 : 1)
      else {
        Issue.record("a short call is not too long")
        return
      }
      run.begun += 1
      #expect(UInt(id) == client.newestContext)
      if takesMore { run.sending.append(id) }
    case 4, 5:
      guard let id = run.sending.randomElement(using: &random) else { return }
      do throws(SessionClient.MessageRefusal) {
        let isLast = Int.random(in: 0..<4, using: &random) == 0
        try client.message(id, work: work, [1, 2, 3], isLast: isLast)
        if isLast { run.sending.removeAll { $0 == id } }
      } catch {
        switch error {
        case .noRoom: run.denied += 1
        case .ended: run.sending.removeAll { $0 == id }
        case .tooLong: Issue.record("a short message is not too long")
        }
      }
    case 6:
      guard let id = run.sending.popLast() else { return }
      client.halfClose(id)
    default:
      guard client.highestCall > 0 else { return }
      let id = UInt32.random(in: 1...client.highestCall, using: &random)
      let isOpen = client.isOpen(id) && client.ends[UInt(id)] == nil
      client.cancel(id)
      if isOpen, client.failure == nil { run.cancelled.insert(UInt(id)) }
    }
  }

  /// Moves some bytes, cut anywhere; whether there was anything.
  @discardableResult
  private func move(_ run: Run, _ random: inout SplitMix64, most: Int = 120) -> Bool {
    let up = run.client.takeOutput(Int.random(in: 1...most, using: &random))
    run.server.feed(up)
    let down = run.server.takeOutput(Int.random(in: 1...most, using: &random))
    run.client.feed(down, cut: Int.random(in: 1...most, using: &random))
    return !up.isEmpty || !down.isEmpty
  }

  private func play(_ random: inout SplitMix64) -> Run {
    var run = start(&random)
    let turns = Int.random(in: 5...80, using: &random)
    for turn in 0..<turns {
      if run.client.state == .open || run.client.state == .draining { act(&run, &random) }
      if Int.random(in: 0..<3, using: &random) > 0 { run.server.act(&random) }
      if Int.random(in: 0..<4, using: &random) > 0 { move(run, &random) }
      guard turn == turns * 3 / 4 else { continue }
      if run.plan.clientDrains { run.client.drain() }
      if run.plan.serverDrains { run.server.drain() }
      if run.plan.isCutOff {
        run.client.end("cut", isRefused: false)
        break
      }
    }
    return run
  }

  /// Each call has exactly one end, or none if it was abandoned first.
  private func expectEnds(_ run: Run, _ seed: UInt64) {
    for context in 1...UInt(max(run.begun, 1)) where run.begun > 0 {
      let wanted = run.cancelled.contains(context) ? 0 : 1
      #expect(run.client.ends[context, default: 0] == wanted, "seed \(seed), call \(context)")
    }
    #expect(run.client.openCalls == 0, "seed \(seed)")
    #expect(run.client.ends.count == run.begun - run.cancelled.count, "seed \(seed)")
  }

  private func expectQuiet(_ run: Run, _ seed: UInt64, _ random: inout SplitMix64) {
    repeat { run.server.finish() } while move(run, &random, most: 5_000)
    #expect(run.server.fault == nil, "seed \(seed): \(String(describing: run.server.fault))")
    #expect(run.client.failure == nil, "seed \(seed): \(String(describing: run.client.failure))")
    expectEnds(run, seed)
    let lost = run.client.events.filter { $0.hasPrefix("lost") }
    #expect(lost.isEmpty && run.server.openCalls == 0, "seed \(seed)")
    let dropped = run.client.events.filter { $0.hasPrefix("not started") }
    guard let drained = run.server.drainedAt else {
      #expect(run.client.balance == run.server.balance, "seed \(seed)")
      #expect(run.client.balance == Int64(run.plan.credit), "seed \(seed)")
      #expect(dropped.isEmpty && run.server.begun == run.begun, "seed \(seed)")
      return
    }
    #expect(
      dropped.allSatisfy { UInt32($0.split(separator: " ")[2]) ?? 0 > drained }, "seed \(seed)")
    #expect(run.server.begun == Int(drained) && run.client.state == .ending, "seed \(seed)")
  }

  /// Random sessions: balances agree at rest and are back at the start, every call ends once, none
  /// is lost, nobody breaks a rule of the other's.
  @Test func randomSessionsOfBothEnds() {
    var (denied, begun, drained, cut, cancelled) = (0, 0, 0, 0, 0)
    for seed in 1...UInt64(fuzzSessions) {
      var random = SplitMix64(seed: seed)
      let run = play(&random)
      (denied, begun, cancelled) = (
        denied + run.denied, begun + run.begun, cancelled + run.cancelled.count
      )
      if run.client.state == .closed {
        cut += 1
        expectEnds(run, seed)
        #expect(run.client.events.last == "failed", "seed \(seed)")
        continue
      }
      expectQuiet(run, seed, &random)
      if run.client.state != .ending { run.client.drain() }
      while move(run, &random) {}
      // The clean end of both (C26, S24).
      #expect(run.client.endsStream && run.server.endOfStream == nil, "seed \(seed)")
      #expect(run.client.trailers(0) && run.client.failure == nil, "seed \(seed)")
      if run.server.drainedAt != nil { drained += 1 }
    }
    // It means something only if it gets everywhere.
    #expect(denied > fuzzSessions && begun > 3 * fuzzSessions && cancelled > fuzzSessions)
    #expect(drained > fuzzSessions / 20 && cut > fuzzSessions / 20)
  }

  /// The server's status is the one that is told.
  @Test func theCodeOfTheEndIsTold() {
    for seed in 1...200 as ClosedRange<UInt64> {
      var random = SplitMix64(seed: seed)
      let run = play(&random)
      if run.client.state == .closed { continue }
      repeat { run.server.finish() } while move(run, &random, most: 5_000)
      for event in run.client.events {
        let words = event.split(separator: " ")
        guard ["answered", "ended"].contains(words[0]), let id = UInt32(words[1]) else { continue }
        let code = run.server.codes[id].flatMap { StatusCode(rawValue: Int32($0)) }
        let told = words[0] == "answered" ? "OK" : words[2].trimmingCharacters(in: [":"])
        #expect(code?.name == told, "seed \(seed): \(event)")
      }
    }
  }
}
