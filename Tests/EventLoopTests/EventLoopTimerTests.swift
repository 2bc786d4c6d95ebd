import Core
import Testing

@testable import EventLoop

struct EventLoopTimerTests {
  @Test func timersFireInOrderWhenTheirTimeHasCome() throws {
    let recorder = try LoopRecorder()
    for (deadline, generation) in [(300, 3), (100, 1), (200, 2)] as [(UInt64, UInt64)] {
      recorder.schedule(deadline, generation)
    }
    recorder.onTimer = { _ in
      if recorder.events.count == 3 { recorder.loop.stop() }
    }
    recorder.post {
      recorder.nowNanoseconds = 99
      recorder.post {
        #expect(recorder.events.isEmpty)
        recorder.nowNanoseconds = 299
        recorder.post {
          #expect(recorder.events == ["timer 1", "timer 2"])
          recorder.nowNanoseconds = 300
        }
      }
    }
    try recorder.run()
    #expect(recorder.events == ["timer 1", "timer 2", "timer 3"])
  }

  @Test func aTimerCanScheduleTheNext() throws {
    let recorder = try LoopRecorder()
    recorder.onTimer = { generation in
      if generation == 10 { return recorder.loop.stop() }
      recorder.nowNanoseconds += 1_000
      recorder.schedule(recorder.nowNanoseconds + 500, generation + 1)
    }
    recorder.onTurnEnd = { recorder.nowNanoseconds += 250 }
    recorder.schedule(0, 1)
    try recorder.run()
    #expect(recorder.events == (1...10).map { "timer \($0)" })
  }

  /// "No deadline" is the last instant there is: waiting for it must not overflow at any time.
  @Test(arguments: [0, 1, 999_998, 999_999, 1_000_000, .max - 1] as [UInt64])
  func anInstantThatNoClockReachesNeverComes(now: UInt64) throws {
    let recorder = try LoopRecorder(startNanoseconds: now)
    recorder.schedule(distantFutureNanoseconds, 1)
    recorder.post { recorder.loop.stop() }
    try recorder.run()
    #expect(recorder.events.isEmpty && recorder.turns == 1)
  }

  @Test func theMachinesClockBringsThemUpAndNeverEarly() throws {
    let recorder = try LoopRecorder(startNanoseconds: nil)
    let started = recorder.loop.clock.monotonicNanoseconds()
    for step in 1...5 as ClosedRange<UInt64> { recorder.schedule(started + step * 700_000, step) }
    recorder.onTimer = { generation in
      #expect(recorder.loop.clock.monotonicNanoseconds() >= started + generation * 700_000)
      if generation == 5 { recorder.loop.stop() }
    }
    try recorder.run()
    #expect(recorder.events == (1...5).map { "timer \($0)" })
  }
}
