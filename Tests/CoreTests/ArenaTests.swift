import Testing

@testable import Core

/// An arena that a macro can hold: the arena itself cannot be copied.
private final class HeldArena {
  private var arena: Arena

  init(firstChunkBytes: Int, limitBytes: Int) {
    arena = Arena(firstChunkBytes: firstChunkBytes, limitBytes: limitBytes)
  }

  var reservedBytes: Int { arena.reservedBytes }
  func allocate(byteCount: Int) -> UnsafeMutableRawPointer? { arena.allocate(byteCount: byteCount) }
  func allocate(byteCount: Int, alignment: Int) -> UnsafeMutableRawPointer? {
    arena.allocate(byteCount: byteCount, alignment: alignment)
  }
  func allocate<T: BitwiseCopyable>(_ type: T.Type, count: Int) -> UnsafeMutablePointer<T>? {
    arena.allocate(type, count: count)
  }
  func lower(limitBytes: Int) { arena.limitBytes = limitBytes }
  func reset() { arena.reset() }
}

struct ArenaTests {
  @Test(arguments: [1, 2, 4, 8, 16, 32, 64, 256, 4_096])
  func alignsAsAsked(alignment: Int) throws {
    let arena = HeldArena(firstChunkBytes: 64, limitBytes: 1 << 20)
    for byteCount in [1, 3, 17, 64, 65, 1_000] {
      let start = try #require(arena.allocate(byteCount: byteCount, alignment: alignment))
      #expect(UInt(bitPattern: start) % UInt(alignment) == 0)
    }
  }

  @Test func alignsToSixteenUnlessTold() throws {
    let arena = HeldArena(firstChunkBytes: 4_096, limitBytes: 4_096)
    for _ in 0..<20 {
      let start = try #require(arena.allocate(byteCount: 5))
      #expect(UInt(bitPattern: start) % 16 == 0)
    }
  }

  @Test func valuesLieOneAfterTheOther() throws {
    let arena = HeldArena(firstChunkBytes: 64, limitBytes: 1 << 16)
    let numbers = try #require(arena.allocate(UInt64.self, count: 1_000))
    for index in 0..<1_000 { numbers[index] = splitmix64(UInt64(index)) }
    let bytes = try #require(arena.allocate(UInt8.self, count: 3))
    bytes[2] = 7
    #expect((0..<1_000).allSatisfy { numbers[$0] == splitmix64(UInt64($0)) })
  }

  @Test func oneByteOverTheLimitIsRefusedAndTheArenaGoesOn() throws {
    let arena = HeldArena(firstChunkBytes: 1_024, limitBytes: 4_096)
    #expect(arena.allocate(byteCount: 4_097) == nil)
    #expect(arena.reservedBytes == 1_024)
    #expect(arena.allocate(byteCount: 1_024) != nil)
    // What is left, less what an alignment may cost.
    #expect(arena.allocate(byteCount: 3_072 - 16) != nil)
    #expect(arena.reservedBytes == 4_096)
    #expect(arena.allocate(byteCount: 1_024) == nil)
    #expect(arena.reservedBytes == 4_096)
    arena.reset()
    #expect(arena.allocate(byteCount: 1_024) != nil)
  }

  @Test func sizesThatNobodyCanMeanAreRefused() {
    let arena = HeldArena(firstChunkBytes: 64, limitBytes: 1_024)
    #expect(arena.allocate(byteCount: -1) == nil)
    #expect(arena.allocate(byteCount: .min) == nil)
    #expect(arena.allocate(byteCount: .max) == nil)
    #expect(arena.allocate(UInt64.self, count: .max) == nil)
    #expect(arena.allocate(UInt64.self, count: .max / 8) == nil)
    #expect(arena.allocate(UInt64.self, count: -1) == nil)
    #expect(arena.allocate(UInt64.self, count: .min) == nil)
    #expect(arena.reservedBytes == 64)
  }

  @Test func withoutALimitTheLargestSizeIsStillRefused() {
    let arena = HeldArena(firstChunkBytes: 64, limitBytes: .max)
    #expect(arena.allocate(byteCount: .max) == nil)
    #expect(arena.allocate(byteCount: .max - 15) == nil)
    #expect(arena.reservedBytes == 64)
  }

  @Test func noBytesTakeNoRoom() throws {
    let arena = HeldArena(firstChunkBytes: 64, limitBytes: 64)
    for _ in 0..<1_000 { #expect(arena.allocate(byteCount: 0) != nil) }
    #expect(arena.allocate(byteCount: 64) != nil)
    #expect(arena.allocate(byteCount: 0) != nil)
    #expect(arena.allocate(byteCount: 1) == nil)
  }

  @Test func chunksDouble() {
    let arena = HeldArena(firstChunkBytes: 64, limitBytes: 64 << 10)
    var sizes = [arena.reservedBytes]
    while arena.allocate(byteCount: 32) != nil {
      if let last = sizes.last, arena.reservedBytes != last { sizes.append(arena.reservedBytes) }
    }
    #expect(sizes == (6...16).map { 1 << $0 })
  }

  @Test func resetKeepsTheFirstChunkAndNoOther() throws {
    let arena = HeldArena(firstChunkBytes: 256, limitBytes: 1 << 20)
    let first = try #require(arena.allocate(byteCount: 100))
    _ = try #require(arena.allocate(byteCount: 100_000))
    _ = try #require(arena.allocate(byteCount: 300_000))
    #expect(arena.reservedBytes > 400_000)
    arena.reset()
    #expect(arena.reservedBytes == 256)
    #expect(arena.allocate(byteCount: 100) == first)
  }

  @Test func aLoweredLimitHoldsAtOnce() {
    let arena = HeldArena(firstChunkBytes: 64, limitBytes: 1 << 20)
    #expect(arena.allocate(byteCount: 10_000) != nil)
    arena.lower(limitBytes: 1_000)
    #expect(arena.allocate(byteCount: 100_000) == nil)
    #expect(arena.reservedBytes < 11_000)
  }

  /// No two live allocations share a byte, none lies outside what is reserved, and a refusal comes
  /// only near the limit; each is filled, and found filled, before the next reset.
  @Test(arguments: 1...40 as ClosedRange<UInt64>)
  func liveAllocationsNeverOverlap(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let limit = Int.random(in: 1_024...200_000, using: &random)
    let arena = HeldArena(
      firstChunkBytes: Int.random(in: 64...1_024, using: &random), limitBytes: limit)
    var live: [(start: UnsafeMutableRawPointer, count: Int, fill: UInt8)] = []
    func check() {
      let sorted = live.filter { $0.count > 0 }.sorted { $0.start < $1.start }
      for (left, right) in zip(sorted, sorted.dropFirst()) {
        #expect(left.start + left.count <= right.start, "seed \(seed)")
      }
      for entry in live {
        let bytes = UnsafeRawBufferPointer(start: entry.start, count: entry.count)
        #expect(bytes.allSatisfy { $0 == entry.fill }, "seed \(seed)")
      }
    }
    for step in 0..<600 {
      if Int.random(in: 0..<100, using: &random) == 0 {
        check()
        arena.reset()
        live = []
        continue
      }
      let largest = Bool.random(using: &random) ? 40 : 5_000
      let count = Int.random(in: 0...largest, using: &random)
      let alignment = 1 << Int.random(in: 0...7, using: &random)
      let before = arena.reservedBytes
      let start = arena.allocate(byteCount: count, alignment: alignment)
      #expect(arena.reservedBytes <= limit, "seed \(seed), step \(step)")
      guard let start else {
        #expect(before + count + alignment > limit, "seed \(seed), step \(step)")
        continue
      }
      #expect(UInt(bitPattern: start) % UInt(alignment) == 0, "seed \(seed), step \(step)")
      let fill = UInt8(truncatingIfNeeded: step)
      start.initializeMemory(as: UInt8.self, repeating: fill, count: count)
      live.append((start, count, fill))
      let handedOut = live.reduce(0) { $0 + $1.count }
      #expect(handedOut <= arena.reservedBytes, "seed \(seed), step \(step)")
    }
    check()
  }
}
