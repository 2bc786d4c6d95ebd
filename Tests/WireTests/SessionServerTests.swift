import Core
import Testing

@testable import Wire

private let (call, message, cancel, drain, ping) = (
  SessionFrameType.call, SessionFrameType.message, SessionFrameType.cancel,
  SessionFrameType.drain, SessionFrameType.ping
)

/// Rows of proto/SESSION.md §6.1 and §9 on the pure machine.
@Suite struct SessionServerTests {
  private func open(credit: UInt32 = 1_000, calls: Int = 8) -> SessionEnd {
    let end = SessionEnd(credit: credit, calls: calls)
    end.feed(sessionHello())
    #expect(end.state == .open && end.fault == nil)
    return end
  }

  private func unary(_ id: UInt32, work: UInt32) -> [UInt8] {
    sessionFrame(
      call, callPayload(work: work), flags: SessionFlags.fin, code: 1, call: id)
  }

  private func many(_ id: UInt32, work: UInt32) -> [UInt8] {
    sessionFrame(call, callPayload(work: work), code: 2, call: id)
  }

  /// §9: "Negative by one call; the next one waits until the balance is above 0".
  @Test func negativeByOneCall() {
    let end = open()
    end.feed(unary(1, work: 999))
    #expect(end.balance == 1)
    end.feed(unary(2, work: 10_000))
    #expect(end.balance == -9_999)
    end.end(1)
    #expect(end.balance == -9_000)
    end.end(2)
    #expect(end.balance == 1_000)
    end.feed(unary(3, work: 0))
    #expect(end.balance == 999)
    #expect(end.events == ["hello", "call 1", "call 2", "call 3"])
  }

  /// §9: `ScoreMany`: MESSAGEs come back by CREDIT, the CALL with the END.
  @Test func messagesComeBackByCredit() {
    let end = open()
    end.feed(many(1, work: 2))
    for work: UInt32 in [300, 0] {
      end.feed(sessionFrame(message, messagePayload(work: work), call: 1))
    }
    #expect(end.balance == 697 && end.owed == 301)
    #expect(end.credit() == 301)
    #expect(end.balance == 998 && end.credit() == 0)
    end.feed(sessionFrame(message, flags: SessionFlags.fin, call: 1))
    #expect(end.events.last == "half 1" && end.balance == 998)
    end.end(1)
    #expect(end.balance == 1_000)
    // S18: for a call that has ended only the credit is left.
    end.feed(sessionFrame(message, messagePayload(work: 60), call: 1))
    #expect(end.events.last == "nothing" && end.balance == 940 && end.credit() == 60)
    #expect(end.balance == 1_000)
  }

  @Test func overdrawnIsAFault() {
    let end = open(credit: 10)
    end.feed(unary(1, work: 10))
    end.feed(unary(2, work: 1))
    #expect(end.fault?.row == 16 && end.state == .failed)
    #expect(end.fault?.text == "credit is overdrawn: the balance is 0")
    let second = open(credit: 10)
    second.feed(many(1, work: 10))
    second.feed(sessionFrame(message, messagePayload(work: 1), call: 1))
    #expect(second.fault?.row == 16)
    // A FIN without a message costs nothing.
    let third = open(credit: 10)
    third.feed(many(1, work: 10))
    third.feed(sessionFrame(message, flags: SessionFlags.fin, call: 1))
    #expect(third.fault == nil && third.events.last == "half 1")
  }

  /// S33, S12, S19: what is above DRAIN is dropped, and its id is used up.
  @Test func drainingDropsWhatIsAbove() {
    let end = open()
    end.feed(unary(5, work: 7))
    #expect(end.drain())
    #expect(!end.drain())
    end.feed(unary(6, work: 2_000))
    end.feed(sessionFrame(message, messagePayload(work: 9), call: 6))
    end.feed(sessionFrame(cancel, call: 6))
    #expect(end.fault == nil && end.balance == 993 && end.owed == 0)
    #expect(end.events.suffix(3) == ["nothing", "nothing", "nothing"])
    end.feed(unary(6, work: 1))
    #expect(end.fault?.row == 14)
  }

  @Test func cancelsAndTheirRaces() {
    let end = open()
    end.feed(unary(1, work: 5))
    end.feed(sessionFrame(cancel, call: 1))
    #expect(end.events.last == "cancel 1" && end.balance == 1_000 && end.openCalls == 0)
    end.feed(sessionFrame(cancel, call: 1))
    #expect(end.events.last == "nothing" && end.fault == nil)
    end.feed(sessionFrame(cancel, call: 2))
    #expect(end.fault?.row == 15)
  }

  @Test func maxCalls() {
    let end = open(calls: 3)
    for id: UInt32 in 1...3 { end.feed(many(id, work: 1)) }
    end.end(2)
    end.feed(many(4, work: 1))
    #expect(end.fault == nil && end.openCalls == 3)
    end.feed(many(5, work: 1))
    #expect(end.fault?.row == 17)
  }

  /// §17: 2,048 at first, one back for each call, 100 each second.
  @Test func framesThatDoNothingAreCounted() {
    let end = open()
    let idle = sessionFrame(ping, [1, 2, 3, 4, 5, 6, 7, 8])
    for _ in 0..<2_048 { end.feed(idle) }
    #expect(end.fault == nil)
    end.now += 1_000_000_000
    for _ in 0..<100 { end.feed(idle) }
    #expect(end.fault == nil)
    end.feed(unary(1, work: 1))
    end.feed(idle)
    #expect(end.fault == nil)
    end.feed(idle)
    #expect(end.fault?.row == 23)
  }

  @Test func endsOfTheStream() {
    let end = SessionEnd()
    #expect(end.endOfStream?.row == 6)
    end.feed(sessionHello())
    #expect(end.endOfStream == nil)
    end.feed(unary(1, work: 1))
    #expect(end.endOfStream?.row == 20)
    end.end(1)
    end.feed(Array(unary(2, work: 1).dropLast()))
    #expect(end.endOfStream?.row == 2)
  }

  @Test func clientsDrain() {
    let end = open()
    end.feed(unary(1, work: 1))
    end.feed(sessionFrame(drain))
    end.feed(sessionFrame(cancel, call: 1))
    #expect(end.fault == nil)
    end.feed(unary(2, work: 1))
    #expect(end.fault?.row == 18)
  }

  /// Random clients that keep to the rules: the balance is always what a model says, and in the
  /// end all credit is back.
  @Test func honestClientsGetAllOfTheirCreditBack() {
    for seed in 1...200 as ClosedRange<UInt64> {
      var random = SplitMix64(seed: seed)
      let end = SessionEnd(credit: 500, calls: 6)
      end.keepsEvents = false
      end.feed(sessionHello())
      var (balance, next): (Int64, UInt32) = (500, 1)
      var open: [UInt32: Int64] = [:]
      for _ in 0..<400 {
        switch Int.random(in: 0..<6, using: &random) {
        case 0, 1:
          guard balance > 0, open.count < 6 else { continue }
          let work = UInt32.random(in: 0...300, using: &random)
          end.feed(Bool.random(using: &random) ? unary(next, work: work) : many(next, work: work))
          open[next] = Int64(max(1, work))
          balance -= Int64(max(1, work))
          next += UInt32.random(in: 1...3, using: &random)
        case 2:
          guard let id = open.keys.randomElement(using: &random), balance > 0 else { continue }
          let work = UInt32.random(in: 0...50, using: &random)
          end.feed(sessionFrame(message, messagePayload(work: work), call: id))
          balance -= Int64(max(1, work))
        case 3:
          guard let id = open.keys.randomElement(using: &random) else { continue }
          end.feed(sessionFrame(cancel, call: id))
          balance += open.removeValue(forKey: id) ?? 0
        case 4:
          guard let id = open.keys.randomElement(using: &random) else { continue }
          end.end(id)
          balance += open.removeValue(forKey: id) ?? 0
        default: balance += Int64(end.credit())
        }
        #expect(end.balance == balance && end.fault == nil, "seed \(seed)")
      }
      for id in open.keys { end.end(id) }
      _ = end.credit()
      #expect(end.balance == 500 && end.owed == 0 && end.openCalls == 0, "seed \(seed)")
    }
  }
}

@Suite struct SessionCallTableTests {
  @Test func againstADictionary() {
    for seed in 1...50 as ClosedRange<UInt64> {
      var random = SplitMix64(seed: seed)
      var table = SessionCallTable()
      var model: [UInt32: UInt] = [:]
      var next: UInt32 = seed % 2 == 0 ? 1 : .max - 4_000
      for _ in 0..<2_000 {
        if model.count < 300, Bool.random(using: &random) {
          next += UInt32.random(in: 1...2, using: &random)
          model[next] = UInt(next) << 4 | 1
          table.insert(next, UnsafeMutableRawPointer(bitPattern: UInt(next) << 4 | 1)!)
        } else if let id = model.keys.randomElement(using: &random) {
          model[id] = nil
          table.remove(id)
          table.remove(id)
          #expect(table.find(id) == nil)
        }
      }
      #expect(table.count == model.count)
      for (id, call) in model { #expect(UInt(bitPattern: table.find(id)) == call, "seed \(seed)") }
      var seen: Set<UInt> = []
      table.forEach { seen.insert(UInt(bitPattern: $0)) }
      #expect(seen == Set(model.values))
      while let call = table.any { table.remove(UInt32(UInt(bitPattern: call) >> 4)) }
      #expect(table.count == 0)
    }
  }
}
