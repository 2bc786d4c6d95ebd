import CKernels
import Core
import Glibc
import Testing
import Wire

/// The definition: bit by bit, the polynomial reflected, inverted at both ends.
private func slowUpdate(_ checksum: UInt32, _ byte: UInt8) -> UInt32 {
  var state = ~checksum ^ UInt32(byte)
  var bit = 0
  while bit < 8 {
    state = state >> 1 ^ (0x82F6_3B78 & (0 &- (state & 1)))
    bit += 1
  }
  return ~state
}

private func slow(_ bytes: [UInt8], from checksum: UInt32 = 0) -> UInt32 {
  bytes.reduce(checksum, slowUpdate)
}

/// Random bytes at a distance from a cache line's start, with the checksum of each prefix.
private final class Sample {
  let start: UnsafeRawPointer
  let first: UInt32
  let checksums: [UInt32]
  private let room: UnsafeMutableRawBufferPointer

  init(count: Int, shift: Int, using random: inout SplitMix64) {
    room = .allocate(byteCount: count + shift, alignment: 64)
    first = UInt32(truncatingIfNeeded: random.next())
    var checksums = [first]
    checksums.reserveCapacity(count + 1)
    for offset in shift..<count + shift {
      room[offset] = UInt8(truncatingIfNeeded: random.next())
      checksums.append(slowUpdate(checksums[offset - shift], room[offset]))
    }
    self.checksums = checksums
    start = UnsafeRawPointer(room.baseAddress!) + shift
  }

  deinit { room.deallocate() }

  func check(
    _ implementation: CRC32C.Implementation, _ count: Int, _ about: @autoclosure () -> String
  ) {
    let checksum = implementation.update(first, start, count: count)
    if checksum != checksums[count] {
      Issue.record(
        "\(implementation), \(count) bytes: \(checksum), \(checksums[count]); \(about())")
    }
  }
}

@Suite struct CRC32CTests {
  private static let implementations = CRC32C.Implementation.available

  /// RFC 3720, B.4, and the check value that catalogues of checksums give.
  private static let known: [([UInt8], UInt32)] = [
    ([], 0),
    (Array("123456789".utf8), 0xE306_9283),
    (Array(repeating: 0, count: 32), 0x8A91_36AA),
    (Array(repeating: 0xFF, count: 32), 0x62A8_AB43),
    (Array(0..<32), 0x46DD_794E),
    (Array((0..<32).reversed()), 0x113F_DB5C),
    (
      [0x01, 0xC0, 0, 0] + Array(repeating: 0, count: 12) + [0x14, 0, 0, 0, 0, 0, 4, 0]
        + [0, 0, 0, 0x14, 0, 0, 0, 0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0],
      0xD996_3A56
    ),
  ]

  @Test func knownAnswers() {
    for (bytes, checksum) in CRC32CTests.known {
      #expect(slow(bytes) == checksum)
      #expect(CRC32C.update(0, bytes, count: bytes.count) == checksum)
      for one in CRC32CTests.implementations {
        #expect(one.update(0, bytes, count: bytes.count) == checksum, "\(one)")
      }
    }
  }

  @Test func nothingChangesNothing() {
    for one in CRC32CTests.implementations {
      #expect(one.update(0x1234_5678, nil, count: 0) == 0x1234_5678, "\(one)")
    }
    #expect(CRC32C.update(0x1234_5678, nil, count: 0) == 0x1234_5678)
  }

  @Test(arguments: [0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 33, 63])
  func everyLength(shift: Int) {
    var random = SplitMix64(seed: UInt64(shift))
    let sample = Sample(count: 2_100, shift: shift, using: &random)
    for one in CRC32CTests.implementations {
      for count in 0...2_100 { sample.check(one, count, "seed and shift \(shift)") }
    }
  }

  /// Lengths of every magnitude; each implementation its own.
  @Test(arguments: CRC32CTests.implementations)
  func randomLengths(_ one: CRC32C.Implementation) {
    let seed = UInt64(one.rawValue) + 100
    var random = SplitMix64(seed: seed)
    let samples = (0..<8).map { Sample(count: 100_000, shift: 9 * $0, using: &random) }
    for round in 0..<100_000 {
      let longest = min(100_000, 1 << Int.random(in: 0...17, using: &random))
      let count = Int.random(in: 0...longest, using: &random)
      samples[round % 8].check(one, count, "seed \(seed), round \(round)")
    }
  }

  /// In two parts, by every pair of implementations, is as in one.
  @Test func everySplit() {
    var random = SplitMix64(seed: 5)
    let sample = Sample(count: 700, shift: 3, using: &random)
    for one in CRC32CTests.implementations {
      for other in CRC32CTests.implementations {
        for split in 0...700 {
          let part = one.update(sample.first, sample.start, count: split)
          let whole = other.update(part, sample.start + split, count: 700 - split)
          if whole != sample.checksums[700] {
            Issue.record("\(one), after \(split) bytes \(other): \(whole)")
          }
        }
      }
    }
  }

  @Test func framesAreTheirHeaderThenTheirPayload() {
    var random = SplitMix64(seed: 6)
    let sample = Sample(count: 1_500, shift: 5, using: &random)
    let header = (0..<CRC32C.headerBytes).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    let afterHeader = slow(header)
    for count in 0...1_500 {
      let expected = CRC32C.Implementation.table.update(afterHeader, sample.start, count: count)
      let frame = CRC32C.checksum(header: header, payload: sample.start, count: count)
      if frame != expected { Issue.record("\(count) bytes: \(frame), \(expected)") }
      for one in CRC32CTests.implementations {
        let frame = one.checksum(header: header, payload: sample.start, count: count)
        if frame != expected { Issue.record("\(one), \(count) bytes: \(frame), \(expected)") }
      }
    }
    #expect(CRC32C.checksum(header: header, payload: nil, count: 0) == afterHeader)
  }

  /// Between two pages that no one may read, at both ends.
  @Test func nothingBesideIsRead() throws {
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let mapped = mmap(nil, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    let start = try #require(mapped != MAP_FAILED ? mapped : nil)
    defer { munmap(start, 3 * page) }
    let bytes = UnsafeMutableRawBufferPointer(start: start + page, count: page)
    try #require(mprotect(start + page, page, PROT_READ | PROT_WRITE) == 0)
    var random = SplitMix64(seed: 7)
    for offset in 0..<page { bytes[offset] = UInt8(truncatingIfNeeded: random.next()) }
    let first = UnsafeRawPointer(start + page)
    for count in Array(0...2_100) + [page] {
      let last = first + (page - count)
      let expected = [first, last].map {
        CRC32C.Implementation.table.update(0, $0, count: count)
      }
      for one in CRC32CTests.implementations {
        let found = [first, last].map { one.update(0, $0, count: count) }
        if found != expected { Issue.record("\(one), \(count) bytes: \(found), \(expected)") }
        if count >= CRC32C.headerBytes {
          let payload = count - CRC32C.headerBytes
          let frames = [first, last].map {
            one.checksum(header: $0, payload: $0 + CRC32C.headerBytes, count: payload)
          }
          if frames != expected { Issue.record("\(one), \(payload) of payload: \(frames)") }
        }
      }
    }
  }

  /// Tests that run meanwhile see the same checksums, whichever is in use.
  @Test func oneCanBeForced() {
    let bytes = Array("123456789".utf8)
    defer { CRC32C.use(nil) }
    for one in CRC32CTests.implementations {
      CRC32C.use(one)
      #expect(CRC32C.update(0, bytes, count: 9) == 0xE306_9283)
    }
  }

  @Test func theTableIsAlwaysThere() {
    #expect(CRC32C.Implementation.table.isAvailable)
  }

  @Test func namesAreThoseOfTheKernels() {
    let numbers = [
      CRESCENDO_CRC32C_TABLE, CRESCENDO_CRC32C_INSTRUCTION, CRESCENDO_CRC32C_STREAMS,
      CRESCENDO_CRC32C_FOLDING_256, CRESCENDO_CRC32C_FOLDING_512,
    ]
    let names: [CRC32C.Implementation] = [
      .table, .instruction, .streams, .folding256, .folding512,
    ]
    #expect(numbers.map { CRC32C.Implementation(rawValue: Int32($0)) } == names)
    #expect(names == CRC32C.Implementation.allCases && names.count == CRESCENDO_CRC32C_COUNT)
  }
}

/// What a CPU and its system say, and what may run then.
@Suite struct CRC32CChoiceTests {
  private struct Machine {
    var leaf1: UInt32 = 1 << 1 | 1 << 20 | 1 << 27
    var leaf7b: UInt32 = 1 << 5 | 1 << 16
    var leaf7c: UInt32 = 1 << 10
    var xcr0: UInt32 = 0xE7

    var has: [CRC32C.Implementation] {
      let found = crescendo_crc32c_x86(leaf1, leaf7b, leaf7c, xcr0)
      return CRC32C.Implementation.allCases.filter { found >> $0.rawValue & 1 == 1 }
    }
  }

  @Test func allOfThem() {
    #expect(Machine().has == CRC32C.Implementation.allCases)
  }

  @Test func nothingWithoutItsInstructions() {
    let narrow: [CRC32C.Implementation] = [.table, .instruction, .streams]
    let without512 = narrow + [.folding256]
    #expect(Machine(leaf1: 0).has == [.table])
    #expect(Machine(leaf1: 1 << 1 | 1 << 27).has == [.table], "no SSE 4.2")
    #expect(Machine(leaf1: 1 << 20 | 1 << 27).has == [.table, .instruction], "no PCLMULQDQ")
    #expect(Machine(leaf7c: 0).has == narrow, "no VPCLMULQDQ")
    #expect(Machine(leaf7b: 0).has == narrow, "no AVX2")
    #expect(Machine(leaf7b: 1 << 5).has == without512, "no AVX-512")
  }

  /// Registers that the system does not save may not be touched, whatever the CPU has.
  @Test func nothingThatTheSystemDoesNotSave() {
    let narrow: [CRC32C.Implementation] = [.table, .instruction, .streams]
    #expect(Machine(leaf1: 1 << 1 | 1 << 20).has == narrow, "no XGETBV")
    #expect(Machine(xcr0: 0x03).has == narrow, "SSE alone")
    #expect(Machine(xcr0: 0x07).has == narrow + [.folding256], "AVX")
    for missing in [5, 6, 7] as [UInt32] {
      #expect(Machine(xcr0: 0xE7 & ~(1 << missing)).has == narrow + [.folding256], "\(missing)")
    }
  }
}
