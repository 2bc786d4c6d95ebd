import CNghttp2
import Core
import Testing

@testable import HTTP2

/// The table of functions as nghttp2 calls it.
private struct Allocator {
  let memory: HTTP2Memory
  private var table: nghttp2_mem { memory.table.pointee }

  func allocate(_ size: Int) -> UnsafeMutableRawPointer? { table.malloc(size, table.mem_user_data) }
  func allocateZeroed(_ count: Int, _ size: Int) -> UnsafeMutableRawPointer? {
    table.calloc(count, size, table.mem_user_data)
  }
  func reallocate(_ pointer: UnsafeMutableRawPointer?, _ size: Int) -> UnsafeMutableRawPointer? {
    table.realloc(pointer, size, table.mem_user_data)
  }
  func free(_ pointer: UnsafeMutableRawPointer?) { table.free(pointer, table.mem_user_data) }
}

/// Counts blocks that are held, between nghttp2 and the memory itself.
private final class Meter {
  let memory = HTTP2Memory()
  private let own: nghttp2_mem
  private(set) var held = 0
  private(set) var most = 0
  private(set) var allocations = 0
  private var blocks: Set<UnsafeMutableRawPointer> = []

  init() {
    own = memory.table.pointee
    memory.table.pointee.mem_user_data = Unmanaged.passUnretained(self).toOpaque()
    memory.table.pointee.malloc = { size, context in
      let meter = Meter.at(context)
      return meter.took(meter.own.malloc(size, meter.own.mem_user_data))
    }
    memory.table.pointee.calloc = { count, size, context in
      let meter = Meter.at(context)
      return meter.took(meter.own.calloc(count, size, meter.own.mem_user_data))
    }
    memory.table.pointee.realloc = { pointer, size, context in
      let meter = Meter.at(context)
      meter.gave(pointer)
      return meter.took(meter.own.realloc(pointer, size, meter.own.mem_user_data))
    }
    memory.table.pointee.free = { pointer, context in
      let meter = Meter.at(context)
      meter.gave(pointer)
      meter.own.free(pointer, meter.own.mem_user_data)
    }
  }

  private static func at(_ context: UnsafeMutableRawPointer?) -> Meter {
    Unmanaged<Meter>.fromOpaque(context!).takeUnretainedValue()
  }

  private func took(_ pointer: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let pointer else { return nil }
    #expect(blocks.insert(pointer).inserted, "a block is handed out once")
    allocations += 1
    held += 1
    most = max(most, held)
    return pointer
  }

  private func gave(_ pointer: UnsafeMutableRawPointer?) {
    guard let pointer else { return }
    #expect(blocks.remove(pointer) != nil, "only what is held is given back")
    held -= 1
  }
}

struct HTTP2MemoryTests {
  /// Around the edges of classes and of what is kept: blocks of 64 to 4,096 with 16 of their own.
  @Test(arguments: [0, 1, 15, 16, 47, 48, 49, 112, 113, 4_079, 4_080, 4_081, 65_536, 1 << 20])
  func everySizeIsAlignedAndWhole(size: Int) throws {
    let allocator = Allocator(memory: HTTP2Memory())
    var blocks: [UnsafeMutableRawPointer] = []
    for index in 0..<20 {
      let block = try #require(allocator.allocate(size))
      #expect(UInt(bitPattern: block) % 16 == 0)
      block.initializeMemory(as: UInt8.self, repeating: UInt8(index), count: size)
      blocks.append(block)
    }
    #expect(Set(blocks).count == 20)
    for (index, block) in blocks.enumerated() {
      let bytes = UnsafeRawBufferPointer(start: block, count: size)
      #expect(bytes.allSatisfy { $0 == UInt8(index) })
      allocator.free(block)
    }
  }

  @Test func aFreedBlockServesTheNextOfItsSize() throws {
    let allocator = Allocator(memory: HTTP2Memory())
    let first = try #require(allocator.allocate(100))
    allocator.free(first)
    #expect(allocator.allocate(97) == first)
    allocator.free(nil)
  }

  @Test func zeroedMemoryIsZeroAlsoWhenItWasUsed() throws {
    let allocator = Allocator(memory: HTTP2Memory())
    for size in [1, 100, 5_000] {
      let dirty = try #require(allocator.allocate(size * 4))
      dirty.initializeMemory(as: UInt8.self, repeating: 0xFF, count: size * 4)
      allocator.free(dirty)
      let block = try #require(allocator.allocateZeroed(4, size))
      #expect(UnsafeRawBufferPointer(start: block, count: 4 * size).allSatisfy { $0 == 0 })
      allocator.free(block)
    }
    #expect(allocator.allocateZeroed(.max / 2, 3) == nil)
  }

  /// Random calls against a model that knows what each block holds.
  @Test(arguments: 1...20 as ClosedRange<UInt64>)
  func blocksKeepWhatIsTheirs(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let allocator = Allocator(memory: HTTP2Memory())
    var live: [(block: UnsafeMutableRawPointer, size: Int, fill: UInt8)] = []
    func check(_ entry: (block: UnsafeMutableRawPointer, size: Int, fill: UInt8), _ count: Int) {
      let bytes = UnsafeRawBufferPointer(start: entry.block, count: count)
      #expect(bytes.allSatisfy { $0 == entry.fill }, "seed \(seed)")
    }
    for step in 0..<1_000 {
      let largest = [60, 500, 4_200, 20_000].randomElement(using: &random) ?? 60
      let size = Int.random(in: 0...largest, using: &random)
      let fill = UInt8(truncatingIfNeeded: step)
      let index = live.isEmpty ? 0 : Int.random(in: 0..<live.count, using: &random)
      let choice = live.isEmpty ? 0 : Int.random(in: 0..<5, using: &random)
      if choice == 3 {
        let old = live.remove(at: index)
        check(old, old.size)
        allocator.free(old.block)
        continue
      }
      let block: UnsafeMutableRawPointer
      if choice == 2 {
        let old = live.remove(at: index)
        block = try #require(allocator.reallocate(old.block, size))
        check((block, size, old.fill), min(size, old.size))
      } else if choice == 4 {
        block = try #require(allocator.reallocate(nil, size))
      } else {
        block = try #require(allocator.allocate(size))
      }
      block.initializeMemory(as: UInt8.self, repeating: fill, count: size)
      live.append((block, size, fill))
    }
    for entry in live {
      check(entry, entry.size)
      allocator.free(entry.block)
    }
  }

  /// Sessions in all states give back every block that they took.
  @Test func destroyedSessionsHoldNothing() throws {
    let meter = Meter()
    for round in 0..<5 {
      let server = try Endpoint(.server, memory: meter.memory)
      let client = try Endpoint(.client, memory: meter.memory)
      server.onEnd = { [unowned server] in
        server.respond($0, chunks: [$0.body], isFinished: round % 2 == 0)
      }
      for _ in 0..<30 { _ = try client.request(body: [[UInt8](repeating: 1, count: 3_000)]) }
      try exchange(client, server)
      // Some half open, some queued, some answered but not sent, when the end comes.
      for _ in 0..<30 { _ = try client.request(body: [[1]], isFinished: false) }
      try server.receive(try client.output())
      for id in server.order.suffix(5) {
        server.streams[id].map { server.respond($0, chunks: [[1, 2, 3]]) }
      }
      #expect(meter.held > 0)
      server.destroy()
      client.destroy()
      #expect(meter.held == 0, "round \(round)")
    }
    #expect(meter.allocations > 1_000)
  }

  /// What one connection keeps for streams that are gone is bounded: a hundred at the most.
  @Test func aLongConnectionHoldsNoMoreThanAShortOne() throws {
    let meter = Meter()
    let server = try Endpoint(.server, memory: meter.memory)
    let client = try Endpoint(.client)
    server.onEnd = { [unowned server] in server.respond($0, chunks: [$0.body]) }
    func calls(_ count: Int) throws {
      for _ in 0..<count {
        _ = try client.request(body: [[1, 2, 3]])
        try exchange(client, server)
      }
    }
    try calls(300)
    let (held, most) = (meter.held, meter.most)
    try calls(1_500)
    #expect(meter.held <= held + 2 && meter.most <= most + 20)
    server.destroy()
    #expect(meter.held == 0)
  }

  @Test func aSessionThatFailedHoldsNothingEither() throws {
    let meter = Meter()
    let server = try Endpoint(.server, memory: meter.memory)
    #expect(throws: HTTP2Session.ConnectionError.self) {
      try server.receive(Array("GET / HTTP/1.1\r\n\r\n".utf8))
    }
    server.destroy()
    let other = try greetedServer(memory: meter.memory)
    try other.receive(.request(1), .data(0, [1]))
    other.destroy()
    #expect(meter.held == 0)
  }
}
