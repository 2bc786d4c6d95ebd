import Testing

@testable import Server

@Suite struct DocumentRoomTests {
  @Test func whatWaitsIsBounded() {
    let room = DocumentRoom(limitBytes: 100)
    #expect(room.take(60))
    #expect(!room.take(41))
    #expect(room.take(40))
    #expect(!room.take(1))
    room.giveBack(60)
    #expect(room.take(60))
    room.giveBack(60)
    room.giveBack(40)
    #expect(room.take(1_000), "a file alone always has room")
    #expect(!room.take(1))
  }
}
