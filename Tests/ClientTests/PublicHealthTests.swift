import Core
import Dispatch
import HTTP2
import MetricsTestKit
import Synchronization
import Testing
import Wire

@testable import Client

private let oneItem = ScoreRequest(itemIDs: [1])

/// Time that only the test moves.
final class FakeTime: Sendable {
  private let now = Atomic<UInt64>(1_000_000_000_000)

  var clock: Clock {
    Clock(
      monotonicNanoseconds: { self.now.load(ordering: .sequentiallyConsistent) },
      unixMilliseconds: { 1_764_000_000_123 })
  }

  func advance(seconds: UInt64) {
    now.add(seconds * 1_000_000_000, ordering: .sequentiallyConsistent)
  }
}

/// Which of several addresses are called, and whether they still live.
@Suite struct PublicHealthTests {
  @Test func anAddressWhoseCallsFailIsLeftAlone() async throws {
    let bad = Atomic<Int>(0)
    let good = Atomic<Int>(0)
    let failing = try ScriptedHost { server, request in
      bad.add(1, ordering: .sequentiallyConsistent)
      server.respond(request, only: failure(14, pushback: "-1"))
    }
    let healthy = try ScriptedHost { server, request in
      good.add(1, ordering: .sequentiallyConsistent)
      answering(scoreMessage(1))(server, request)
    }
    let metrics = TestMetrics()
    try await withClient(
      failing, healthy,
      change: {
        $0.metrics = metrics
        $0.throttling = nil
        $0.retries = nil
      }
    ) { client in
      var failures = 0
      for _ in 0..<60 {
        do throws(RPCError) {
          _ = try await client.score(oneItem)
        } catch {
          failures += 1
        }
      }
      #expect(failures == bad.load(ordering: .sequentiallyConsistent))
      #expect(failures == 5)
      #expect(good.load(ordering: .sequentiallyConsistent) == 55)
      let ejections = try metrics.expectCounter("crescendo_client_ejections").totalValue
      #expect(ejections == 1)
    }
  }

  @Test func aUserStaysAtAnAddress() async throws {
    let seen = Mutex<[Int]>([])
    let hosts = try (0..<2).map { number in
      try ScriptedHost { server, request in
        seen.withLock { $0.append(number) }
        answering(scoreMessage(1))(server, request)
      }
    }
    try await withClient(hosts[0], hosts[1], change: { $0.balancing = .ringHashOnUser }) { client in
      // Until both are connected a user may be sent to the other.
      while Set(seen.withLock { $0 }).count < 2 {
        _ = try await client.score(ScoreRequest(itemIDs: [1], userID: .random(in: 1...1_000)))
      }
      for user in 1...UInt64(20) {
        seen.withLock { $0 = [] }
        for _ in 0..<5 { _ = try await client.score(ScoreRequest(itemIDs: [1], userID: user)) }
        #expect(Set(seen.withLock { $0 }).count == 1)
      }
    }
  }

  /// A server that is connected and says nothing more: PING, then the end.
  @Test func silenceWhileCallsAreOpenIsTheEndOfAConnection() async throws {
    let (time, arrived) = (FakeTime(), Signal<Void>())
    let asleep = DispatchSemaphore(value: 0)
    let count = Atomic<Int>(0)
    let host = try ScriptedHost { server, request in
      guard count.add(1, ordering: .sequentiallyConsistent).newValue == 1 else {
        return answering(scoreMessage(1))(server, request)
      }
      arrived.send(())
      asleep.wait()
    }
    var configuration = ClientConfiguration(addresses: ["\(host.address)"])
    configuration.bePatient()
    configuration.keepalive = ClientConfiguration.Keepalive()
    configuration.connectionsMax = 1
    configuration.retries = nil
    configuration.hedging = nil
    let client = try PromotionScoreClient(configuration, clock: time.clock, seed: 1)
    let call = Task { try await client.score(oneItem) }
    try await arrived.next()
    for _ in 0..<2 {
      time.advance(seconds: 11)
      // Wakes the loop, which then looks at its timers.
      await withCheckedContinuation { continuation in
        client.runtime.post { continuation.resume() }
      }
    }
    let error = await #expect(throws: RPCError.self) { try await call.value }
    #expect(error?.code == .unavailable && error?.origin == .connection)
    #expect(error?.message.contains("has not answered") == true)
    asleep.signal()
    // Past the wait for the next connection.
    time.advance(seconds: 1)
    let scores = try await client.scores(oneItem)
    #expect(scores == [1])
    await client.close()
    try host.stop()
  }
}
