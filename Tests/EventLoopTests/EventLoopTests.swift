import Syscalls
import Testing

@testable import EventLoop

struct EventLoopTests {
  @Test func aLoopThatIsStoppedBeforehandHasNoTurn() throws {
    let recorder = try LoopRecorder()
    recorder.loop.stop()
    try recorder.run()
    #expect(recorder.turns == 0)
  }

  @Test func aTurnIsEventsThenTasksThenTimersThenItsEnd() throws {
    let recorder = try LoopRecorder(startNanoseconds: 1_000)
    let watched = try Watched(recorder, name: "ready")
    watched.makeReadable()
    try recorder.loop.watch(watched.reader, .reading, owner: watched.owner)
    recorder.schedule(900, 1)
    recorder.post { recorder.events.append("task") }
    recorder.onTurnEnd = {
      recorder.events.append("end")
      recorder.loop.stop()
    }
    try recorder.run()
    #expect(recorder.events == ["ready 1", "task", "timer 1", "end"])
  }

  @Test func tasksRunInTheOrderOfPosting() throws {
    let recorder = try LoopRecorder()
    for number in 0..<50 { recorder.post { recorder.events.append("\(number)") } }
    recorder.post { recorder.loop.stop() }
    try recorder.run()
    #expect(recorder.events == (0..<50).map { "\($0)" })
    #expect(recorder.turns == 1)
  }

  /// What a task posts runs in a later turn, so that no turn is endless.
  @Test func eachPostOfATaskTakesItsOwnTurn() throws {
    let recorder = try LoopRecorder()
    @Sendable func step(_ left: Int) {
      if left == 0 { return recorder.loop.stop() }
      recorder.post { step(left - 1) }
    }
    recorder.post { step(99) }
    try recorder.run()
    #expect(recorder.turns == 100)
  }

  @Test func whatTheEndOfATurnPostsRunsInTheNext() throws {
    let recorder = try LoopRecorder()
    recorder.onTurnEnd = {
      let turn = recorder.turns
      if turn == 3 { return recorder.loop.stop() }
      recorder.post { recorder.events.append("after \(turn)") }
    }
    recorder.post {}
    try recorder.run()
    #expect(recorder.events == ["after 1", "after 2"])
  }

  @Test func aStopFromATaskStillEndsItsTurn() throws {
    let recorder = try LoopRecorder(startNanoseconds: 5)
    recorder.schedule(5, 1)
    recorder.post { recorder.loop.stop() }
    recorder.post { recorder.events.append("same turn") }
    try recorder.run()
    #expect(recorder.events == ["same turn", "timer 1"])
    #expect(recorder.turns == 1)
  }

  @Test func aStopFromAnotherThreadEndsAWaitWithoutEnd() throws {
    for _ in 0..<100 {
      let recorder = try LoopRecorder()
      let thread = try runOnOwnThread(recorder)
      recorder.loop.stop()
      thread.join()
      #expect(recorder.turns <= 1)
    }
  }

  @Test func whatWasPostedAfterTheEndRunsForItsOwner() throws {
    let recorder = try LoopRecorder()
    recorder.loop.stop()
    try recorder.run()
    for number in 0..<3 { recorder.post { recorder.events.append("\(number)") } }
    #expect(recorder.events.isEmpty)
    recorder.loop.runTasks()
    #expect(recorder.events == ["0", "1", "2"])
    recorder.loop.runTasks()
    #expect(recorder.events.count == 3)
  }

  @Test func interestCanChangeAndEnd() throws {
    let recorder = try LoopRecorder()
    let (first, second) = (
      try Watched(recorder, name: "first"), try Watched(recorder, name: "second")
    )
    first.makeReadable()
    try recorder.loop.watch(first.reader, [], owner: first.owner)
    try recorder.loop.watch(second.writer, .writing, owner: second.owner)
    recorder.onTurnEnd = {
      do {
        switch recorder.turns {
        case 1:
          try recorder.loop.changeInterest(first.reader, .reading, owner: first.owner)
          try recorder.loop.unwatch(second.writer)
        case 2: try recorder.loop.unwatch(first.reader)
        case 3: recorder.loop.stop()
        default: Issue.record("stopped in turn 3, and here is turn \(recorder.turns)")
        }
      } catch {
        Issue.record(error)
      }
      // A turn of its own for each step, whether or not a descriptor is ready.
      recorder.post {}
    }
    recorder.post {}
    try recorder.run()
    #expect(recorder.events == ["second 4", "first 1"])
    recorder.loop.runTasks()
  }
}
