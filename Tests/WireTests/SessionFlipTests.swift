import Core
import Foundation
import Testing

@testable import Wire

/// `CRESCENDO_FUZZ_FRAMES`: as many instead, for the long run by name.
private let fuzzFrames =
  ProcessInfo.processInfo.environment["CRESCENDO_FUZZ_FRAMES"].flatMap(Int.init) ?? 60_000

/// Damage between the ends: what proto/SESSION.md §3.3 promises.
@Suite struct SessionFlipTests {
  /// A session of every kind of frame that a client sends, with clean ends of its calls.
  private static let frames: [[UInt8]] = [
    sessionFrame(
      SessionFrameType.call, callPayload(work: 3, message: Array(0...40)),
      flags: SessionFlags.fin, code: 1, call: 1),
    sessionFrame(
      SessionFrameType.call,
      callPayload(work: 1, message: [9], metadata: [1, 97, 2, 0, 98, 99]), code: 2, call: 2),
    sessionFrame(
      SessionFrameType.message, messagePayload(work: 5, message: [1, 2, 3]), call: 2),
    sessionFrame(SessionFrameType.ping, [1, 2, 3, 4, 5, 6, 7, 8]),
    sessionFrame(SessionFrameType.message, flags: SessionFlags.fin, call: 2),
    sessionFrame(SessionFrameType.cancel, call: 1),
    sessionFrame(200, [7, 7, 7]),
    sessionFrame(SessionFrameType.drain),
  ]

  private func run(_ bytes: [UInt8], cut: Int) -> SessionEnd {
    let end = SessionEnd()
    end.keepsEvents = false
    end.feed(sessionHello())
    bytes.withUnsafeBytes { whole in
      var at = 0
      while at < whole.count {
        let count = min(cut, whole.count - at)
        end.feed(ByteSlice(UnsafeRawBufferPointer(rebasing: whole[at..<at + count])))
        at += count
      }
    }
    return end
  }

  @Test(arguments: [1, 2, 15, 16, 17, 50, 10_000])
  func framesAreFoundHoweverTheyAreCut(cut: Int) {
    let end = SessionEnd()
    let bytes = sessionHello() + SessionFlipTests.frames.joined()
    bytes.withUnsafeBytes { whole in
      for start in stride(from: 0, to: whole.count, by: cut) {
        let part = whole[start..<min(start + cut, whole.count)]
        end.feed(ByteSlice(UnsafeRawBufferPointer(rebasing: part)))
      }
    }
    #expect(end.fault == nil && !end.isInsideFrame)
    #expect(
      end.events == [
        "hello", "call 1", "call 2", "message 2", "ping", "half 2", "cancel 1", "nothing",
        "nothing",
      ])
  }

  /// Any one bit, anywhere: caught by a checksum or a bound, or the frame never completes, which
  /// its timer or the end of the stream catches. Nothing of the damaged frame has any effect.
  @Test func aFlippedBitIsAlwaysCaught() {
    let bytes = Array(SessionFlipTests.frames.joined())
    for bit in 0..<8 * bytes.count {
      var damaged = bytes
      damaged[bit / 8] ^= 1 << UInt8(bit % 8)
      for cut in [bytes.count, 13] {
        let end = run(damaged, cut: cut)
        let isCaught = end.fault.map { [1, 3].contains($0.row) } ?? end.isInsideFrame
        #expect(isCaught, "bit \(bit), cut \(cut): \(String(describing: end.fault))")
      }
    }
  }

  /// Frames that no honest client sends, with right checksums, so that they reach the machine.
  @Test func mutatedFramesNeverTrap() {
    var random = SplitMix64(seed: 7)
    var (faults, sessions, frames) = (Set<Int>(), 0, 0)
    while frames < fuzzFrames {
      sessions += 1
      let end = SessionEnd(withoutChecksums: sessions % 2 == 0)
      end.keepsEvents = false
      end.feed(sessionHello(flags: UInt32.random(in: 0...1, using: &random)))
      var call: UInt32 = 1
      while end.fault == nil, end.state != .closed, frames < fuzzFrames {
        frames += 1
        end.now += UInt64.random(in: 0...20_000_000, using: &random)
        end.feed(mutated(&call, &random))
        if Int.random(in: 0..<6, using: &random) == 0 { end.end(end.accepted.keys.first ?? 0) }
        if Int.random(in: 0..<9, using: &random) == 0 { _ = end.credit() }
        if Int.random(in: 0..<5_000, using: &random) == 0 { _ = end.drain() }
      }
      if let fault = end.fault { faults.insert(fault.row) }
    }
    // It means something only if it gets everywhere.
    #expect(faults.isSuperset(of: [3, 7, 10, 11, 12, 13, 14, 15, 16, 18, 19]), "\(faults)")
  }

  private func mutated(_ call: inout UInt32, _ random: inout SplitMix64) -> [UInt8] {
    var frame = SessionFlipTests.frames.randomElement(using: &random) ?? []
    var payload = Array(frame[16...])
    var header = frame.withUnsafeBytes { SessionFrameHeader($0.baseAddress!) }
    header.call = UInt32.random(in: 0...call, using: &random)
    if header.type == SessionFrameType.call, Int.random(in: 0..<20, using: &random) > 0 {
      header.call = call
      call += 1
    }
    if header.type == SessionFrameType.ping || header.type >= 128 { header.call = 0 }
    if header.type == SessionFrameType.drain {
      header.call = 0
      // Else every session would be a short one.
      if Int.random(in: 0..<10, using: &random) > 0 { header.type = SessionFrameType.ping }
      if header.type == SessionFrameType.ping { payload = [0, 0, 0, 0, 0, 0, 0, 0] }
    }
    if Int.random(in: 0..<4, using: &random) == 0 {
      for _ in 0..<Int.random(in: 1...3, using: &random) where !payload.isEmpty {
        payload[Int.random(in: 0..<payload.count, using: &random)] = .random(
          in: 0...255, using: &random)
      }
    }
    if Int.random(in: 0..<30, using: &random) == 0 {
      payload = Array(payload.prefix(Int.random(in: 0...payload.count, using: &random)))
    }
    if Int.random(in: 0..<40, using: &random) == 0 {
      header.type = .random(in: 0...255, using: &random)
      header.flags = .random(in: 0...3, using: &random)
    }
    frame = sessionFrame(
      header.type, payload, flags: header.flags, code: header.code, call: header.call)
    if Int.random(in: 0..<2_000, using: &random) == 0 { frame[3] = 0xFF }
    return frame
  }
}
