import Core
import Testing

@testable import Ledger

@Suite struct TablesTests {
  @Test func indexAgainstDictionary() {
    var (index, plain) = (IDIndex(), [UInt64: UInt32]())
    var random = SplitMix64(seed: 3)
    for step in 0..<40_000 {
      let id = random.next() % 500
      if let old = plain.removeValue(forKey: id) {
        #expect(index[id] == old && index.remove(id) == old)
      } else {
        index.insert(id, UInt32(step))
        plain[id] = UInt32(step)
      }
      let other = random.next() % 500
      #expect(index[other] == plain[other])
    }
    #expect(index.count == plain.count)
    for id in UInt64(0)..<500 { #expect(index[id] == plain[id]) }
    #expect(index.remove(1_000) == nil)
  }

  @Test func expiringTableKeepsTheOrder() {
    var (table, plain) = (ExpiringTable<UInt64>(), [UInt64: Int64]())
    var random = SplitMix64(seed: 4)
    for id in UInt64(1)...3_000 {
      let expires = Int64(id) + Int64(random.next() % 20)
      table.insert(id, id * 2, expires: expires)
      plain[id] = expires
      if random.next() % 3 == 0 {
        let gone = 1 + random.next() % id
        #expect((table.remove(gone) != nil) == (plain.removeValue(forKey: gone) != nil))
      }
      #expect(table.first?.expires == plain.values.min() || id % 100 != 0)
    }
    var order: [Int64] = []
    table.forEach { id, expires, record in
      #expect(plain[id] == expires && record == id * 2)
      order.append(expires)
    }
    #expect(order == plain.values.sorted() && table.count == plain.count)
    #expect(table.update(9_999) { $0 = 1 } == false && table.expiry(of: 9_999) == nil)
    while let first = table.first { table.remove(first.id) }
    #expect(table.count == 0)
  }

  @Test func endedReservationsAreSmallAndForgotten() {
    let times = LedgerTimes(reservation: 400, lease: 1_000, report: 3_600)
    var ended = EndedReservations(times: times)
    for id in UInt64(1)...200_000 { ended.insert(id, id % 2 == 0 ? .settled : .released) }
    #expect(ended.count == 200_000 && ended.bytes <= 200_000 * 16)
    for id in stride(from: UInt64(1), through: 200_000, by: 997) {
      #expect(ended[id]?.end == (id % 2 == 0 ? .settled : .released) && ended[id]?.hasGoal == false)
    }
    #expect(ended[200_001] == nil)
    ended.advance(to: 0)
    ended.change(2, to: .settled, hasGoal: true)
    ended.advance(to: 3_999)
    ended.insert(300_000, .late)
    #expect(ended[2]?.hasGoal == true && ended[1]?.end == .released)
    ended.advance(to: 4_999)
    #expect(ended[2] != nil || times.forgotten <= 4_999)
    ended.advance(to: 5_001)
    #expect(ended[2] == nil && ended[300_000]?.end == .late && ended.count == 1)
    ended.advance(to: 1_000_000)
    #expect(ended.count == 0)
  }

  @Test func requestsAreAnsweredOnce() {
    var table = IdempotencyTable(seed: 1, bound: 3)
    func id(_ low: UInt64) -> RequestID { RequestID(high: 9, low: low) }
    func begin(_ low: UInt64, user: UInt64 = 1, digest: UInt64 = 5, at: Int64 = 0)
      -> IdempotencyTable.Outcome
    {
      table.begin(
        user: user, requestID: id(low), digest: RequestID(high: 0, low: digest), at: at,
        expires: at + 100)
    }
    #expect(begin(1) == .new && begin(1) == .pending && begin(1, digest: 6) == .conflict)
    table.complete(user: 1, requestID: id(1))
    #expect(begin(1) == .durable && begin(1, digest: 6) == .conflict)
    // An answered one is not abandoned, a pending one is.
    table.abandon(user: 1, requestID: id(1))
    #expect(begin(1) == .durable)
    #expect(begin(2) == .new && begin(1, user: 2) == .new && begin(3) == .full)
    table.abandon(user: 1, requestID: id(2))
    #expect(begin(3) == .new && begin(4) == .full)
    // 1 is over; those that are pending stay.
    #expect(begin(4, at: 100) == .new && begin(1, at: 100) == .full)
    #expect(begin(3, at: 500) == .pending)
    table.complete(user: 1, requestID: id(3))
    #expect(begin(3, digest: 8, at: 500) == .new)
    let stored = StoredAllocation(
      user: 7, requestID: id(7), digest: RequestID(high: 0, low: 5), expires: 10, answer: [])
    #expect(table.restore(stored, expires: 900) && !table.restore(stored, expires: 900))
    #expect(begin(7, user: 7, at: 899) == .durable)
    #expect(table.count == 4)
    table.expire(upTo: 900, limit: 1)
    #expect(table.count == 4)
  }
}
