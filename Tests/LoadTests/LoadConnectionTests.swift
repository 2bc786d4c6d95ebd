import Core
import Testing

@testable import Load

@Suite struct LoadConnectionTests {
  @Test(arguments: [1, 2, 3, 7, 16, 1_000])
  func anAnswerInPieces(cut: Int) throws {
    let pair = try LoadPair()
    pair.receive(Frame.settings(streams: 100))
    pair.start()
    pair.receive(Frame.answer(1, Frame.scores(2)), cut: cut)
    let ended = try #require(pair.connection.ended.first)
    #expect(ended.record.status == .ok && ended.record.fidelity == .full)
    #expect(ended.record.intendedNanoseconds == 50 && ended.record.sentNanoseconds == 100)
    #expect(ended.record.endedNanoseconds == 200)
    #expect(pair.connection.openCount == 0)
  }

  @Test func slotsAreUsedAgain() throws {
    let pair = try LoadPair(slotCount: 1)
    pair.receive(Frame.settings(streams: 100))
    for turn in 0..<50 {
      #expect(pair.connection.hasRoom)
      pair.start()
      #expect(!pair.connection.hasRoom)
      pair.receive(Frame.answer(UInt32(2 * turn + 1), Frame.scores(2)))
      #expect(pair.statuses() == [.ok])
    }
  }

  @Test func theServersLimitOfStreamsHolds() throws {
    let pair = try LoadPair()
    pair.receive(Frame.settings(streams: 2))
    pair.start()
    #expect(pair.connection.hasRoom)
    pair.start()
    #expect(!pair.connection.hasRoom)
    pair.receive(Frame.answer(3, Frame.scores(2)))
    #expect(pair.connection.hasRoom)
  }

  @Test func aCallThatIsGivenUpLeavesItsSlot() throws {
    let pair = try LoadPair(slotCount: 1)
    pair.receive(Frame.settings(streams: 100))
    let call = try #require(pair.start())
    #expect(pair.connection.owns(call))
    pair.connection.giveUp(call, nowNanoseconds: 900)
    #expect(pair.connection.ended.first?.record.isGivenUp == true)
    #expect(pair.statuses() == [.deadlineExceeded])
    // RST_STREAM(CANCEL) of stream 1.
    #expect(pair.output() == Frame.reset(1, 8))
    #expect(pair.connection.hasRoom)
    pair.start()
    pair.receive(Frame.answer(3, Frame.scores(2)))
    #expect(pair.statuses() == [.ok])
  }

  @Test func aConnectionThatGoesAwayFinishesItsCalls() throws {
    let pair = try LoadPair()
    pair.receive(Frame.settings(streams: 100))
    pair.start()
    pair.start()
    pair.receive(Frame.goAway(last: 1))
    #expect(!pair.connection.isOpen && !pair.connection.hasRoom && !pair.connection.isOver)
    #expect(pair.start() == nil)
    #expect(
      pair.connection.ended.map(\.text) == ["the server is closing the connection: NO_ERROR"])
    #expect(pair.statuses() == [.unavailable])
    pair.receive(Frame.answer(1, Frame.scores(2)))
    #expect(pair.statuses() == [.ok])
    #expect(pair.connection.isOver)
  }

  @Test func theEndOfTheConnectionIsTheEndOfItsCalls() throws {
    let pair = try LoadPair()
    pair.receive(Frame.settings(streams: 100))
    pair.start()
    pair.start()
    pair.connection.end("gone", nowNanoseconds: 300)
    #expect(pair.connection.ended.map(\.text) == ["gone", "gone"])
    #expect(pair.statuses() == [.unavailable, .unavailable])
    #expect(pair.connection.isOver && pair.connection.openCount == 0)
    #expect(pair.start() == nil)
  }
}
