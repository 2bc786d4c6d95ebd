import Core
import EventLoop
import Glibc
import Synchronization
import Syscalls
import Testing

/// A loop, its time, and what happens on it; tasks are closures here.
final class LoopRecorder: @unchecked Sendable {
  // Unchecked: `events`, `turns` and `onTurnEnd` are touched on the loop's thread only, or while it
  // does not run.
  let loop: EventLoop
  private let time: ManualTime
  var events: [String] = []
  var turns = 0
  var onTimer: ((UInt64) -> Void)?
  var onTurnEnd: (() -> Void)?

  /// A time that stands still until told; nil: the machine's own clock.
  init(index: Int = 0, startNanoseconds: UInt64? = 0) throws {
    let time = ManualTime(startNanoseconds ?? 0)
    self.time = time
    let clock = Clock(monotonicNanoseconds: { time.now }, unixMilliseconds: { 0 })
    loop = try EventLoop(index: index, clock: startNanoseconds == nil ? .system : clock)
    loop.setHooks(
      LoopHooks(
        context: Unmanaged.passUnretained(self).toOpaque(),
        turnEnded: { context in
          let recorder = LoopRecorder.at(context)
          recorder.turns += 1
          recorder.onTurnEnd?()
        },
        timerDue: { context, _, generation in
          let recorder = LoopRecorder.at(context)
          recorder.events.append("timer \(generation)")
          recorder.onTimer?(generation)
        }))
  }

  var nowNanoseconds: UInt64 {
    get { time.now }
    set { time.now = newValue }
  }

  /// Runs the loop here; what was to be done at its events is forgotten with it.
  func run() throws {
    defer { (onTimer, onTurnEnd) = (nil, nil) }
    try loop.run()
  }

  func schedule(_ deadlineNanoseconds: UInt64, _ generation: UInt64) {
    loop.schedule(
      TimerEntry(deadlineNanoseconds: deadlineNanoseconds, token: nil, generation: generation))
  }

  /// Runs `body` on the loop's thread; its memory goes once it has run.
  func post(_ body: @escaping @Sendable () -> Void) {
    let task = UnsafeMutablePointer<LoopTask>.allocate(capacity: 1)
    let box = Unmanaged.passRetained(Box(body))
    task.initialize(
      to: LoopTask(
        run: { address in
          let task = address.assumingMemoryBound(to: LoopTask.self)
          let context = task.pointee.context
          task.deallocate()
          guard let context else { return }
          Unmanaged<Box>.fromOpaque(context).takeRetainedValue().body()
        }, context: box.toOpaque()))
    loop.post(task)
  }

  private final class Box {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }

  static func at(_ context: UnsafeMutableRawPointer?) -> LoopRecorder {
    guard let context else { preconditionFailure("a hook without its recorder") }
    return Unmanaged<LoopRecorder>.fromOpaque(context).takeUnretainedValue()
  }
}

private final class ManualTime: Sendable {
  private let value: Atomic<UInt64>
  init(_ now: UInt64) { value = Atomic(now) }
  var now: UInt64 {
    get { value.load(ordering: .sequentiallyConsistent) }
    set { value.store(newValue, ordering: .sequentiallyConsistent) }
  }
}

/// Runs a loop on a thread of its own until it is stopped.
func runOnOwnThread(_ recorder: LoopRecorder) throws -> OwnedThread {
  try OwnedThread(name: "loop") {
    do {
      try recorder.loop.run()
    } catch {
      Issue.record(error)
    }
  }
}

/// A descriptor that is watched, with what it told; its target is its first field.
final class Watched {
  private struct Memory {
    var target: PollTarget
    var recorder: Unmanaged<LoopRecorder>
    var name: StaticString
  }

  private let memory: UnsafeMutablePointer<Memory>
  let reader: Int32
  let writer: Int32

  init(_ recorder: LoopRecorder, name: StaticString) throws {
    var ends: [Int32] = [-1, -1]
    try #require(pipe(&ends) == 0)
    (reader, writer) = (ends[0], ends[1])
    memory = .allocate(capacity: 1)
    memory.initialize(
      to: Memory(
        target: PollTarget(ready: { owner, readiness in
          let memory = owner.assumingMemoryBound(to: Memory.self).pointee
          let recorder = memory.recorder.takeUnretainedValue()
          recorder.events.append("\(memory.name) \(readiness)")
        }), recorder: Unmanaged.passUnretained(recorder), name: name))
  }

  var owner: UnsafeMutableRawPointer { UnsafeMutableRawPointer(memory) }

  func makeReadable() {
    var byte: UInt8 = 1
    #expect(write(writer, &byte, 1) == 1)
  }

  deinit {
    _ = close(reader)
    _ = close(writer)
    memory.deallocate()
  }
}
