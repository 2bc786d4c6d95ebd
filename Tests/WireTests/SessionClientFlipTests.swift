import Core
import Foundation
import Testing

@testable import Wire

/// What a server, or the way from it, may do to a client's end.
@Suite struct SessionClientFlipTests {
  /// A session as a server would send it: frames behind its HELLO, and their calls.
  private struct Script {
    /// The first is HELLO.
    var frames: [[UInt8]] = []
    var calls = 0
  }

  private func script(_ random: inout SplitMix64) -> Script {
    var script = Script(frames: [helloFrame(serverHello(credit: 1_000, calls: 64).encoded)])
    script.calls = Int.random(in: 1...4, using: &random)
    var open = Array(1...UInt32(script.calls))
    while let call = open.randomElement(using: &random) {
      let keeps = Bool.random(using: &random)
      switch Int.random(in: 0..<8, using: &random) {
      case 0:
        script.frames.append(creditFrame(UInt32.random(in: 1...90, using: &random)))
      case 1:
        script.frames.append(
          sessionFrame(Frame.ping, [1, 2, 3, 4, 5, 6, 7, UInt8(call)], flags: UInt8(call & 1)))
      case 2: script.frames.append(sessionFrame(UInt8(127 + call), [7, 7, 7]))
      case 3, 4:
        let count = Int.random(in: 0...60, using: &random)
        script.frames.append(
          replyFrame(call, [UInt8](repeating: 0x61, count: count), isLast: false))
      case 5, 6:
        script.frames.append(replyFrame(call, [0x62], keeps: keeps))
        open.removeAll { $0 == call }
      default:
        let code = UInt16.random(in: 1...16, using: &random)
        script.frames.append(endFrame(call, code, text: "why", keeps: keeps))
        open.removeAll { $0 == call }
      }
    }
    script.frames.append(drainFrame(UInt32(script.calls)))
    return script
  }

  private func play(_ script: Script, _ frames: [[UInt8]], cut: Int) -> ClientEnd {
    let end = ClientEnd()
    for (index, frame) in frames.enumerated() {
      end.feed(frame, cut: cut)
      guard index == 0, end.state == .open else { continue }
      for _ in 0..<script.calls { end.call(work: 10, isUnary: false) }
    }
    return end
  }

  /// Any one bit, anywhere: caught by a checksum or a bound, or the frame never completes, which
  /// its timer or the end of the stream catches. Nothing of the damaged frame, or of what is behind
  /// it, has any effect, and each call ends once.
  @Test func aFlippedBitIsAlwaysCaught() {
    var rows: [String: Int] = [:]
    for seed in 1...UInt64(2 * fuzzSessions) {
      var random = SplitMix64(seed: seed)
      let script = script(&random)
      let damaged = Int.random(in: 0..<script.frames.count, using: &random)
      var frames = script.frames
      let bit = Int.random(in: 0..<8 * frames[damaged].count, using: &random)
      frames[damaged][bit / 8] ^= 1 << UInt8(bit % 8)
      let cut = Bool.random(using: &random) ? Int.max : Int.random(in: 1...40, using: &random)
      let before = play(script, Array(script.frames[..<damaged]), cut: .max)
      let end = play(script, frames, cut: cut)
      let text = end.failure?.text ?? ""
      let isCaught =
        text == "a frame's checksum is wrong" || text.hasPrefix("a frame of ")
        || (end.failure == nil && end.machine.pointee.reader.isInsideFrame)
      #expect(isCaught, "seed \(seed), frame \(damaged), bit \(bit): \(end.events)")
      rows[String(text.prefix(10)), default: 0] += 1
      if end.failure == nil { end.end() }
      let calls = damaged == 0 ? 0 : script.calls
      let wanted = before.events.prefix { !$0.hasPrefix("lost") && $0 != "failed" }
      #expect(end.events.starts(with: wanted), "seed \(seed)")
      let told = end.events.dropFirst(wanted.count)
      #expect(
        told.dropLast().allSatisfy { $0.hasPrefix("lost") } && told.last == "failed",
        "seed \(seed): \(told)")
      #expect(end.ends.count == calls && end.ends.values.allSatisfy { $0 == 1 }, "seed \(seed)")
      #expect(end.balance == before.balance && end.openCalls == 0, "seed \(seed)")
    }
    // By its checksum, by a bound, or not whole.
    #expect(rows.count == 3, "\(rows)")
  }

  /// Every bit of one session that has every kind of frame.
  @Test func everyBitOfOneSession() {
    let frames = [
      helloFrame(serverHello().encoded), replyFrame(1, [1, 2], isLast: false),
      replyFrame(1, [3]), endFrame(2, 8, text: "full", keeps: true), creditFrame(300),
      sessionFrame(Frame.ping, [1, 2, 3, 4, 5, 6, 7, 8]), sessionFrame(200, [1]), drainFrame(3),
      sessionFrame(Frame.error, Array("bad".utf8), code: 13),
    ]
    let script = Script(frames: frames, calls: 3)
    for index in frames.indices {
      for bit in 0..<8 * frames[index].count {
        var damaged = frames
        damaged[index][bit / 8] ^= 1 << UInt8(bit % 8)
        let end = play(script, damaged, cut: bit % 2 == 0 ? .max : 13)
        let text = end.failure?.text ?? ""
        #expect(
          text == "a frame's checksum is wrong" || text.hasPrefix("a frame of ")
            || end.machine.pointee.reader.isInsideFrame, "frame \(index), bit \(bit)")
      }
    }
  }

  @Test(arguments: [1, 2, 15, 16, 17, 31, 50])
  func stepsAreTheSameHoweverBytesAreCut(cut: Int) {
    for seed in 1...100 as ClosedRange<UInt64> {
      var random = SplitMix64(seed: seed)
      let script = script(&random)
      let (whole, parts) = (
        play(script, script.frames, cut: .max), play(script, script.frames, cut: cut)
      )
      #expect(whole.events == parts.events && whole.failure == nil, "seed \(seed)")
      #expect(whole.takeOutput() == parts.takeOutput() && whole.balance == parts.balance)
    }
  }

  // MARK: Hostile frames

  private func mutated(
    _ frame: [UInt8], _ end: ClientEnd, _ random: inout SplitMix64
  ) -> [UInt8] {
    var header = frame.withUnsafeBytes { SessionFrameHeader($0.baseAddress!) }
    var payload = Array(frame[16...])
    func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &random) == 0 }
    if header.call > 0 {
      let highest = end.highestCall
      header.call = UInt32.random(in: highest - min(highest, 12)...highest, using: &random)
    }
    if header.type == Frame.drain {
      if !chance(6) { (header.type, header.call) = (200, 0) } else if chance(6) { header.call += 1 }
    }
    if chance(6), !payload.isEmpty {
      payload[Int.random(in: 0..<payload.count, using: &random)] = .random(
        in: 0...255, using: &random)
    }
    if chance(40) { payload = Array(payload.prefix(Int.random(in: 0...30, using: &random))) }
    if chance(60) { header.type = .random(in: 0...255, using: &random) }
    if chance(60) { header.flags = .random(in: 0...255, using: &random) }
    if chance(60) { header.code = .random(in: 0...UInt16.max, using: &random) }
    if chance(60) { header.call = .random(in: 0...UInt32.max, using: &random) }
    var bytes = sessionFrame(
      header.type, payload, flags: header.flags, code: header.code, call: header.call)
    if chance(400) { bytes[Int.random(in: 0..<4, using: &random)] = 0xFF }
    return bytes
  }

  /// Frames that no honest server sends, with right checksums, so that they reach the machine; the
  /// client does what a client does meanwhile. Nothing traps, no call ends twice or never, and what
  /// the client holds has bounds.
  @Test func hostileServers() {
    var faults: [String: Int] = [:]
    for seed in 1...UInt64(fuzzSessions) {
      var random = SplitMix64(seed: seed)
      var bounds = SessionClient.Bounds()
      (bounds.frameBytes, bounds.calls, bounds.unsentBytes) = (16_384, 9, 2_000)
      let end = ClientEnd(bounds)
      var hello = helloFrame(serverHello(credit: 3_000, calls: 64).encoded)
      if seed % 7 == 0 { hello = mutated(hello, end, &random) }
      end.feed(hello)
      var (begun, cancelled): (Int, Set<UInt>) = (0, [])
      for _ in 0..<200 where end.failure == nil {
        for _ in 0..<Int.random(in: 0...3, using: &random) where end.hasRoom() {
          end.call(
            work: .random(in: 0...900, using: &random), isLast: Bool.random(using: &random),
            isUnary: Bool.random(using: &random))
          begun += 1
        }
        if end.highestCall > 0, Int.random(in: 0..<6, using: &random) == 0 {
          let id = UInt32.random(in: 1...end.highestCall, using: &random)
          if end.isOpen(id), end.ends[UInt(id)] == nil { cancelled.insert(UInt(id)) }
          end.cancel(id)
        }
        end.now += UInt64.random(in: 0...200_000_000, using: &random)
        end.tick()
        let script = script(&random)
        let frame = script.frames.dropFirst().randomElement(using: &random) ?? []
        end.feed(mutated(frame, end, &random), cut: Int.random(in: 1...40, using: &random))
        // A frame more than the bound for calls, and what is no call.
        #expect(end.unsentBytes < 2_000 + 200 * 40 && end.openCalls <= 9, "seed \(seed)")
        #expect(end.machine.pointee.reader.heldBytes <= 16_384 + 16, "seed \(seed)")
        if Int.random(in: 0..<3, using: &random) > 0 { _ = end.takeOutput(100) }
      }
      faults[end.failure.map { String($0.text.filter { !$0.isNumber }) } ?? "", default: 0] += 1
      end.end()
      #expect(end.ends.values.allSatisfy { $0 == 1 } && end.openCalls == 0, "seed \(seed)")
      #expect(end.ends.count + cancelled.count == begun, "seed \(seed)")
    }
    let seen = faults.keys.joined(separator: "; ")
    // It means something only if it gets everywhere.
    for text in ["a frame of", "is malformed", "must be", "is not open", "names call", "unknown"] {
      #expect(seen.contains(text), "\(text): \(seen)")
    }
  }

  /// A frame's memory grows with what came, not with what was announced.
  @Test func memoryIsThatOfWhatCame() {
    let end = ClientEnd.opened()
    let header = sessionFrame(200, [UInt8](repeating: 0, count: 1_000_000)).prefix(16)
    end.feed(Array(header))
    for _ in 0..<50 { end.feed([1]) }
    #expect(end.machine.pointee.reader.heldBytes == 66 && end.failure == nil)
  }
}
