import Dispatch
import Glibc
import Synchronization
import Syscalls
import Testing

@testable import EventLoop

struct EventLoopThreadTests {
  private final class Tally: Sendable {
    let ran = Atomic<Int>(0)
    let strayed = Atomic<Int>(0)
  }

  /// Two loops on threads of their own and eight threads that post to both: every task runs once,
  /// on its own loop's thread, and those of one poster in order. A closure that belongs to the
  /// main actor by mistake would trap here.
  @Test func manyThreadsPostToTwoLoopsAtOnce() throws {
    let (posters, each) = (8, 2_000)
    let recorders = try (0..<2).map { try LoopRecorder(index: $0) }
    let tally = Tally()
    let first = try runOnOwnThread(recorders[0])
    let second = try runOnOwnThread(recorders[1])
    let threads = (0..<2).map { _ in ThreadID() }
    for (recorder, thread) in zip(recorders, threads) {
      recorder.post { thread.claim() }
    }
    postFromMany(posters: posters, each: each) { poster, number in
      let recorder = recorders[number % 2]
      recorder.post {
        if !threads[number % 2].isCurrent { tally.strayed.add(1, ordering: .relaxed) }
        recorder.events.append("\(poster) \(number)")
        if tally.ran.add(1, ordering: .relaxed).newValue == posters * each {
          for recorder in recorders { recorder.loop.stop() }
        }
      }
    }
    first.join()
    second.join()
    for recorder in recorders { recorder.loop.runTasks() }
    #expect(tally.ran.load(ordering: .relaxed) == posters * each)
    #expect(tally.strayed.load(ordering: .relaxed) == 0)
    for (index, recorder) in recorders.enumerated() {
      #expect(recorder.events.count == posters * each / 2)
      for poster in 0..<posters {
        let numbers = recorder.events.filter { $0.hasPrefix("\(poster) ") }
        #expect(numbers == stride(from: index, to: each, by: 2).map { "\(poster) \($0)" })
      }
    }
  }

  /// One task at a time, to and fro: a lost wake-up would stop both loops for ever.
  @Test func pingPongBetweenTwoLoops() throws {
    let recorders = try (0..<2).map { try LoopRecorder(index: $0) }
    let count = 20_000
    let tally = Tally()
    @Sendable func hit(_ number: Int) {
      tally.ran.add(1, ordering: .relaxed)
      if number == count {
        for recorder in recorders { recorder.loop.stop() }
      } else {
        recorders[(number + 1) % 2].post { hit(number + 1) }
      }
    }
    let first = try runOnOwnThread(recorders[0])
    let second = try runOnOwnThread(recorders[1])
    recorders[1].post { hit(1) }
    first.join()
    second.join()
    #expect(tally.ran.load(ordering: .relaxed) == count)
  }

  private func postFromMany(
    posters: Int, each: Int, _ post: @escaping @Sendable (Int, Int) -> Void
  ) {
    let group = DispatchGroup()
    for poster in 0..<posters {
      DispatchQueue(label: "poster-\(poster)").async(group: group) {
        for number in 0..<each { post(poster, number) }
      }
    }
    group.wait()
  }
}

/// Which thread a loop runs on.
private final class ThreadID: Sendable {
  private let id = Atomic<UInt>(0)

  private static var current: UInt { UInt(pthread_self()) }
  func claim() { id.store(ThreadID.current, ordering: .sequentiallyConsistent) }
  var isCurrent: Bool { id.load(ordering: .sequentiallyConsistent) == ThreadID.current }
}
