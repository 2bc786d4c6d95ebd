import Client
import Core
import Dispatch
import Engine
import EventLoop
import Synchronization
import Syscalls
import Testing
import Wire

@testable import Server

/// Calls that are on shards while something happens to them.
@Suite struct ServerStopTests {
  /// Several clients at full speed, every call on the shards, and a stop in the midst of it: each
  /// call has the right answer, or was not taken any more.
  @Test(arguments: 1...4) func stopUnderLoad(_ loops: Int) throws {
    let server = try TestServer(shards: 3, fanOut: .always, loops: loops)
    let isStopping = Atomic<Bool>(false)
    let started = DispatchSemaphore(value: 0)
    let right = Atomic<Int>(0)
    let ended = Atomic<Int>(0)
    let wrong = Mutex<[String]>([])
    let clients = 4
    let client: @Sendable (Int) -> Void = { number in
      do {
        let channel = try server.channel()
        var random = SplitMix64(seed: UInt64(number))
        for call in 0... {
          if call == 20 { started.signal() }
          let count = Int.random(in: 1...300, using: &random)
          let ids = (0..<count).map { _ in UInt64.random(in: 0...80, using: &random) }
          do throws(ClientError) {
            let answer = try channel.score(ScoreRequestMessage(ids: ids))
            guard answer.isRight(for: ids) else { throw .invalidRequest("a wrong answer") }
            right.add(1, ordering: .relaxed)
          } catch {
            // On a slow machine four clients may fill the queues: they come again.
            if case .failed(let failed) = error, failed.failure.code == .resourceExhausted,
              failed.failure.retryPushbackMilliseconds != nil
            {
              continue
            }
            guard isStopping.load(ordering: .sequentiallyConsistent),
              case .failed(let failed) = error, failed.failure.code == .unavailable,
              failed.origin == .connection
            else { throw error }
            ended.add(1, ordering: .relaxed)
            return
          }
        }
      } catch {
        wrong.withLock { $0.append("client \(number): \(error)") }
        started.signal()
      }
    }
    var threads: [ThreadBox] = []
    for number in 0..<clients {
      threads.append(ThreadBox(try OwnedThread(name: "client") { client(number) }))
    }
    for _ in 0..<clients { started.wait() }
    isStopping.store(true, ordering: .sequentiallyConsistent)
    server.stop()
    for thread in threads { thread.join() }
    #expect(wrong.withLock { $0 } == [])
    #expect(ended.load(ordering: .relaxed) == clients)
    #expect(right.load(ordering: .relaxed) > 0)
  }

  /// The drain ends before the shards do: calls are cancelled, and shards finish afterwards.
  @Test func stopWhileShardsStillWork() throws {
    let (held, time) = (HeldShards(3), FakeTime())
    let server = try TestServer(
      executor: held, stopShards: { held.runAll() }, fanOut: .always, clock: time.clock)
    let text = Mutex("")
    let request = ScoreRequestMessage(ids: Array(1...64))
    try alongside({
      let outcome = (try? server.channel()).map { channel in
        status { () throws(ClientError) in try channel.score(request) }
      }
      text.withLock { $0 = outcome ?? "no connection" }
    }) {
      let other = try server.channel()
      try waitUntil(other) { held.count == 3 }
      try alongside({ server.stop() }) {
        // The drain has begun when this connection is told so.
        while status({ () throws(ClientError) in try health(other) }) == "OK" {}
        time.advance(seconds: Limits.serving.drainNanoseconds / 1_000_000_000)
        for services in server.server.services { wake(services.eventLoop) }
      }
    }
    #expect(text.withLock { $0 }.hasPrefix("UNAVAILABLE: "))
    #expect(held.count == 0)
  }

  /// Lets a loop look at its clock.
  private func wake(_ loop: EventLoop) {
    let task = UnsafeMutablePointer<LoopTask>.allocate(capacity: 1)
    task.initialize(
      to: LoopTask(
        run: { $0.assumingMemoryBound(to: LoopTask.self).deallocate() }, context: nil))
    loop.post(task)
  }

  private func health(_ channel: Channel) throws(ClientError) -> HealthStatus {
    try channel.checkHealth(service: "", timeoutNanoseconds: patienceNanoseconds)
  }

  /// Calls on another connection of the same loop let it take turns until something has come.
  private func waitUntil(_ channel: Channel, _ isThere: () -> Bool) throws {
    for _ in 0..<100_000 where !isThere() { #expect(try health(channel) == .serving) }
    #expect(isThere())
  }

  @Test func clientsThatGoAway() throws {
    let held = HeldShards(3)
    let server = try TestServer(
      executor: held, stopShards: { held.runAll() }, fanOut: .always)
    try withServer(server) { server in
      let other = try server.channel()
      for round in 1...3 {
        // Its own timeout ends the call here, and resets it there.
        let channel = try server.channel()
        let text = status { () throws(ClientError) in
          try channel.score(ScoreRequestMessage(ids: Array(1...64)), timeoutNanoseconds: 30_000_000)
        }
        #expect(text.hasPrefix("DEADLINE_EXCEEDED: "))
        // The reset was written before this is: it has been read when this is answered.
        #expect(try health(other) == .serving)
        // Shards finish now, or when the server stops.
        if round < 3 { held.runAll() }
        #expect(try health(other) == .serving)
      }
    }
  }

  @Test func theServersOwnDeadline() throws {
    let (held, time) = (HeldShards(3), FakeTime())
    let server = try TestServer(
      executor: held, stopShards: {}, fanOut: .always, clock: time.clock)
    try withServer(server) { server in
      let text = Mutex("")
      try alongside({
        let outcome = (try? server.channel()).map { channel in
          status { () throws(ClientError) in
            try channel.score(ScoreRequestMessage(ids: Array(1...64)))
          }
        }
        text.withLock { $0 = outcome ?? "no connection" }
      }) {
        try waitUntil(try server.channel()) { held.count == 3 }
        time.advance(seconds: patienceNanoseconds / 1_000_000_000)
        held.runAll()
      }
      // Whoever sees it first: the shards, or the loop's timer.
      let expected = [
        "DEADLINE_EXCEEDED: the deadline passed before all candidates were scored",
        "DEADLINE_EXCEEDED: the deadline passed before the call was answered",
      ]
      #expect(expected.contains(text.withLock { $0 }))
    }
  }

  @Test func fullShards() throws {
    let held = HeldShards(3)
    let server = try TestServer(executor: held, stopShards: {}, fanOut: .always)
    try withServer(server) { server in
      let channel = try server.channel()
      held.isFull.store(true, ordering: .sequentiallyConsistent)
      for _ in 0..<20 {
        let text = status { () throws(ClientError) in
          try channel.score(ScoreRequestMessage(ids: Array(1...64)))
        }
        #expect(text == "RESOURCE_EXHAUSTED: the scoring queue is full: retry later")
      }
      // What has no candidates needs no shard.
      #expect(try channel.score(ScoreRequestMessage(ids: [])).scores.isEmpty)
    }
  }
}

/// Keeps a thread in an array.
private final class ThreadBox {
  private var thread: OwnedThread?

  init(_ thread: consuming OwnedThread) { self.thread = consume thread }

  func join() {
    if let thread = thread.take() { thread.join() }
  }
}
