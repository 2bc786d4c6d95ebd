import Glibc
import Synchronization
import Testing

@testable import Syscalls

private func text(ofFile path: String) -> String {
  guard let file = fopen(path, "r") else { return "" }
  defer { _ = fclose(file) }
  var buffer = [UInt8](repeating: 0, count: 4_096)
  let count = fread(&buffer, 1, buffer.count, file)
  return String(decoding: buffer[..<count], as: UTF8.self)
}

/// Runs `body` on a thread of its own and gives back what it answers.
private func onOwnThread<Result: Sendable>(
  _ name: String = "test", _ body: @escaping @Sendable () -> Result
) throws -> Result {
  let held = Held<Result>(nil)
  let thread = try OwnedThread(name: name) {
    let result = body()
    held.value.withLock { $0 = result }
  }
  thread.join()
  return try #require(held.value.withLock { $0 })
}

private final class Held<Value: Sendable>: Sendable {
  let value: Mutex<Value?>
  init(_ value: Value?) { self.value = Mutex(value) }
}

/// A word to sleep on and a count, shared by threads.
private final class FutexWord: @unchecked Sendable {
  // Unchecked: the pointer never changes, and what it points to is atomic.
  private let memory: UnsafeMutablePointer<Atomic<UInt32>>
  let passed = Atomic<Int>(0)

  init() {
    memory = .allocate(capacity: 1)
    memory.initialize(to: Atomic(0))
  }

  deinit { memory.deallocate() }

  var word: UnsafePointer<UInt32> {
    UnsafePointer(UnsafeMutableRawPointer(memory).assumingMemoryBound(to: UInt32.self))
  }
  var value: UInt32 { memory.pointee.load(ordering: .sequentiallyConsistent) }
  func set(_ value: UInt32) { memory.pointee.store(value, ordering: .sequentiallyConsistent) }
}

struct ThreadsTests {
  @Test func aThreadRunsItsBodyOnceUnderItsName() throws {
    let name = try onOwnThread("loop-1") { text(ofFile: "/proc/thread-self/comm") }
    #expect(name == "loop-1\n")
  }

  @Test func longNamesAreCutToFifteenBytes() throws {
    let name = try onOwnThread("crescendo.loop-12") { text(ofFile: "/proc/thread-self/comm") }
    #expect(name == "crescendo.loop-\n")
    #expect(try onOwnThread("") { 1 } == 1)
  }

  @Test func joinWaitsForTheEndAndTheBodyIsFreed() throws {
    final class Witness: Sendable {
      let count: Held<Int>
      init(_ count: Held<Int>) { self.count = count }
      deinit { count.value.withLock { $0 = ($0 ?? 0) + 1 } }
    }
    let count = Held<Int>(0)
    for _ in 0..<20 {
      let witness = Witness(count)
      let thread = try OwnedThread(name: "test") { withExtendedLifetime(witness) {} }
      thread.join()
    }
    #expect(count.value.withLock { $0 } == 20)
  }

  @Test func allowedCoresRiseAndAreNeverNone() {
    let cores = Affinity.allowedCores()
    #expect(!cores.isEmpty)
    #expect(cores == Set(cores).sorted())
    #expect(cores.allSatisfy { $0 >= 0 })
  }

  @Test func aPinnedThreadHasOneCoreAndNobodyElseIsPinned() throws {
    let before = Affinity.allowedCores()
    for core in before {
      let seen = try onOwnThread { () -> [[Int]] in
        guard Affinity.pinCurrentThread(core: core) else { return [] }
        let pinned = Affinity.allowedCores()
        Affinity.unpinCurrentThread()
        return [pinned, Affinity.allowedCores()]
      }
      #expect(seen == [[core], before])
    }
    #expect(Affinity.allowedCores() == before)
  }

  @Test(arguments: [-1, 1_023, 1_024, 100_000, Int.max, Int.min])
  func aCoreThatIsNotOursIsRefused(core: Int) throws {
    guard !Affinity.allowedCores().contains(core) else { return }
    let (pinned, cores) = try onOwnThread {
      (Affinity.pinCurrentThread(core: core), Affinity.allowedCores())
    }
    #expect(!pinned)
    #expect(cores == Affinity.allowedCores())
  }

  @Test func aFutexThatHasChangedAlreadyDoesNotSleep() {
    let futex = FutexWord()
    futex.set(7)
    Futex.wait(futex.word, expected: 6)
    #expect(futex.value == 7)
    // Nobody sleeps: waking is nothing.
    Futex.wake(futex.word, waiters: 1)
  }

  @Test func wakingEndsTheSleepOfAll() throws {
    let futex = FutexWord()
    let first = try OwnedThread(name: "sleep-0") { sleepUntilSet(futex) }
    let second = try OwnedThread(name: "sleep-1") { sleepUntilSet(futex) }
    let third = try OwnedThread(name: "sleep-2") { sleepUntilSet(futex) }
    futex.set(1)
    Futex.wake(futex.word, waiters: .max)
    first.join()
    second.join()
    third.join()
    #expect(futex.passed.load(ordering: .relaxed) == 3)
  }

  /// Two threads hand a word to and fro: a lost wake-up would stop them for ever.
  @Test func pingPongOverOneWord() throws {
    let futex = FutexWord()
    let rounds: UInt32 = 2_000
    let thread = try OwnedThread(name: "pong") {
      for round in 0..<rounds { takeTurn(futex, when: 2 * round + 1) }
    }
    for round in 0..<rounds { takeTurn(futex, when: 2 * round) }
    thread.join()
    #expect(futex.value == 2 * rounds)
  }
}

private func sleepUntilSet(_ futex: FutexWord) {
  while futex.value == 0 { Futex.wait(futex.word, expected: 0) }
  futex.passed.add(1, ordering: .relaxed)
}

private func takeTurn(_ futex: FutexWord, when turn: UInt32) {
  while true {
    let seen = futex.value
    if seen == turn { break }
    Futex.wait(futex.word, expected: seen)
  }
  futex.set(turn + 1)
  Futex.wake(futex.word, waiters: 1)
}
