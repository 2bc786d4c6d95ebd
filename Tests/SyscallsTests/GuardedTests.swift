import Testing

@testable import Syscalls

private final class Counter: Sendable {
  let count = Guarded(0)
}

/// Tells when it goes.
// Unchecked: one thread has it.
private final class Tenant: @unchecked Sendable {
  private let gone: UnsafeMutablePointer<Int>
  init(_ gone: UnsafeMutablePointer<Int>) { self.gone = gone }
  deinit { gone.pointee += 1 }
}

struct GuardedTests {
  @Test func additionsOfManyThreadsAreAllThere() throws {
    let counter = Counter()
    var threads: [ThreadHandle] = []
    for _ in 0..<4 {
      threads.append(
        ThreadHandle(
          try OwnedThread(name: "adds") {
            for _ in 0..<10_000 { counter.count.withLock { $0 += 1 } }
          }))
    }
    for thread in threads { thread.join() }
    #expect(counter.count.withLock { $0 } == 40_000)
  }

  @Test func whoFindsItTakenGoesOn() {
    let counter = Counter()
    let inner = counter.count.withLock { _ in counter.count.withLockIfAvailable { $0 += 1 } != nil }
    #expect(!inner)
    #expect(counter.count.withLockIfAvailable { $0 } == 0)
  }

  @Test func anErrorGivesTheLockBack() {
    struct Refused: Error {}
    let counter = Counter()
    #expect(throws: Refused.self) { try counter.count.withLock { _ in throw Refused() } }
    #expect(counter.count.withLockIfAvailable { $0 } == 0)
  }

  @Test func theValueGoesWithIt() {
    let gone = UnsafeMutablePointer<Int>.allocate(capacity: 1)
    gone.initialize(to: 0)
    defer { gone.deallocate() }
    do {
      let guarded = Guarded<Tenant?>(Tenant(gone))
      #expect(guarded.withLock { $0 != nil })
      #expect(gone.pointee == 0)
    }
    #expect(gone.pointee == 1)
  }
}

/// A thread in an array: `OwnedThread` may not be copied.
private final class ThreadHandle {
  private var thread: OwnedThread?
  init(_ thread: consuming OwnedThread) { self.thread = consume thread }
  func join() { thread.take()?.join() }
}
