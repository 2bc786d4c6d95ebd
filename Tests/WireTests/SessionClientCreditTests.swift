import Core
import Testing

@testable import Wire

/// §9 and §19: the document's worked numbers and examples, on the machine.
@Suite struct SessionClientCreditTests {
  /// What the document says behind a line's colon.
  private func numbers(_ said: String) -> [String: Int64] {
    let words = said.split(separator: " ")
    var found: [String: Int64] = [:]
    for index in stride(from: 0, to: words.count - 1, by: 2) {
      found[String(words[index])] = Int64(words[index + 1])
    }
    return found
  }

  /// What the client does at a line, and whether the line may happen.
  private func play(_ event: [String], _ end: ClientEnd) throws -> Bool {
    let number = try #require(UInt32(event[1]))
    let keeps = event.last == "KEEP"
    switch event[0] {
    case "CALL":
      guard end.hasRoom() else { return false }
      #expect(end.call(work: try #require(UInt32(event[3])), isLast: false) == number)
    case "MESSAGE": try end.message(number, work: try #require(UInt32(event[3])))
    case "LAST": end.feed(replyFrame(number, [], keeps: keeps))
    case "END": end.feed(endFrame(number, 8, keeps: keeps))
    case "CREDIT": end.feed(creditFrame(number))
    case "FIN": end.halfClose(number)
    default: Issue.record("an unknown event: \(event)")
    }
    return true
  }

  @Test func theDocumentsWorkedNumbers() throws {
    let blocks = try SessionDocument().blocks("session-credit")
    #expect(blocks.count >= 6)
    var lines = 0
    for block in blocks {
      let parts = block.map { $0.split(separator: ":").map(String.init) }
      let first = parts[0][0].split(separator: " ")
      #expect(first[0] == "HELLO")
      let end = ClientEnd.opened(serverHello(credit: try #require(UInt32(first[1]))))
      for line in parts {
        let event = line[0].split(separator: " ").map(String.init)
        lines += 1
        if line[1].contains("ERROR") {
          // The client keeps to it: there is no room for what would overdraw.
          let mayGo = try play(event, end)
          #expect(!mayGo, "\(event)")
          continue
        }
        if event[0] != "HELLO" {
          let mayGo = try play(event, end)
          #expect(mayGo, "\(event)")
        }
        #expect(end.balance == numbers(line[1])["balance"], "\(line)")
      }
      #expect(end.failure == nil)
    }
    #expect(lines > 30)
  }

  /// An END's or REPLY's credit is that of its own CALL, whatever the order.
  @Test func creditComesBackByCall() {
    var random = SplitMix64(seed: 3)
    let end = ClientEnd.opened(serverHello(credit: 100_000, calls: 500))
    var costs: [UInt32: Int64] = [:]
    var balance: Int64 = 100_000
    for _ in 0..<5_000 {
      if end.hasRoom(), Bool.random(using: &random) {
        let work = UInt32.random(in: 0...700, using: &random)
        costs[end.call(work: work) ?? 0] = Int64(max(1, work))
        balance -= Int64(max(1, work))
      } else if let (id, cost) = costs.randomElement(using: &random) {
        costs[id] = nil
        let keeps = Int.random(in: 0..<4, using: &random) == 0
        if Bool.random(using: &random) { end.cancel(id) }
        end.feed(
          Bool.random(using: &random)
            ? replyFrame(id, [], keeps: keeps) : endFrame(id, 8, keeps: keeps))
        balance += keeps ? 0 : cost
        if keeps {
          end.feed(creditFrame(UInt32(cost)))
          balance += cost
        }
      }
      #expect(end.balance == balance && end.openCalls == costs.count)
      _ = end.takeOutput()
      end.clear()
    }
  }

  // MARK: §19

  private func hex(_ text: String) -> [UInt8] { Array(text.utf8) }

  /// Every frame of a server in §19, in the document's order, to a client that has sent what the
  /// document says; and what the client sends is, byte by byte, the document's.
  @Test func theDocumentsExamples() throws {
    var bounds = SessionClient.Bounds()
    (bounds.frameBytes, bounds.calls) = (4_259_840, 256)
    let end = ClientEnd(bounds)
    var (sent, fed) = (0, 0)
    for example in try SessionDocument().examples() {
      // Of the other mode.
      if example.fields["crc"] == "none" { continue }
      // The server's last word, and the client's DRAIN behind it, end what goes before.
      if ["error", "drain-client"].contains(example.name) { continue }
      if example.isFromServer {
        if example.name == "ping-answer" { #expect(end.sent().count == 1) }
        end.feed(example.bytes, cut: 1 + fed % 40)
        fed += 1
      } else if example.name != "ping" {
        try send(example, end)
        let output = end.takeOutput()
        #expect(output == example.bytes, "\(example.name)")
        sent += 1
      } else {
        end.machine.pointee.queuePing(0x0807_0605_0403_0201, flags: 0)
        let output = end.takeOutput()
        #expect(output == example.bytes)
        end.machine.pointee.queuePing(0, flags: 0)
      }
    }
    #expect(sent >= 13 && fed >= 15 && end.failure == nil)
    #expect(end.openCalls == 0 && end.state == .ending)
    let ended = end.events.filter { !$0.hasPrefix("message") && !$0.hasPrefix("room") }
    #expect(
      ended.map { $0.split(separator: " ").prefix(2).joined(separator: " ") } == [
        // 7 and 8 were cancelled: nothing is told of them, whoever won.
        "opened", "answered 1", "answered 2", "ended 3", "ended 4", "answered 5", "ended 6",
        "draining",
      ])
    #expect(ended[3] == "ended 3 INVALID_ARGUMENT: the snapshot has no model nosuch")
    // The refusal of call 4 kept its 2; CREDIT of 65,536 came.
    #expect(end.balance == 65_536 - 2 + 65_536)
  }

  private func send(_ example: SessionDocument.Example, _ end: ClientEnd) throws {
    let fields = example.fields
    let payload = Array(example.bytes[16...])
    let call = UInt32(fields["call"] ?? "") ?? 0
    let work = UInt32(fields["work"] ?? "") ?? 0
    switch fields["type"] {
    case "HELLO 1": break
    case "CALL 2":
      #expect(end.hasRoom())
      let metadata = Int(fields["metadata_length"] ?? "") ?? 0
      var start = SessionCallStart(
        method: UInt16(fields["code"] ?? "") ?? 0, work: work,
        timeoutMicroseconds: UInt32(fields["timeout_us"] ?? "") ?? 0,
        messageBytes: payload.count - 16 - metadata,
        context: UnsafeMutableRawPointer(bitPattern: UInt(call)))
      start.isBatch = fields["priority"] == "1"
      start.attempt = UInt8(fields["attempt"] ?? "") ?? 0
      start.isLast = fields["flags"] == "FIN"
      start.isUnary = ["1", "4"].contains(fields["code"])
      let begun = payload.withUnsafeBytes { bytes in
        start.metadata = ByteSlice(UnsafeRawBufferPointer(rebasing: bytes[16..<16 + metadata]))
        return end.machine.pointee.begin(start)
      }
      let target = try #require(begun)
      #expect(target.id == call)
      payload.withUnsafeBytes { bytes in
        target.message.copy(UnsafeRawBufferPointer(rebasing: bytes[(16 + metadata)...]))
      }
      end.machine.pointee.seal(now: end.now)
    case "MESSAGE 3":
      if payload.isEmpty {
        end.halfClose(call)
      } else {
        try end.message(call, work: work, Array(payload[8...]), isLast: fields["flags"] == "FIN")
      }
    case "CANCEL 6": end.cancel(call)
    default: Issue.record("what is \(example.name)?")
    }
  }
}
