import CKernels
import Core
import Testing

/// The kernels against the slow twin of the contract, for every dimension up to 70.
@Suite struct DotKernelTests {
  private static let oddities: [Float] = [
    .nan, .infinity, -.infinity, 0, -0.0, .leastNonzeroMagnitude, -.leastNormalMagnitude,
    .greatestFiniteMagnitude, 1, -1,
  ]

  private func number(_ oddsOfOdd: Int, using random: inout SplitMix64) -> Float {
    if Int.random(in: 0..<100, using: &random) < oddsOfOdd {
      return DotKernelTests.oddities.randomElement(using: &random) ?? 0
    }
    // All magnitudes, so that the order of additions shows.
    let exponent = Int.random(in: -140...20, using: &random)
    return Float.random(in: -2...2, using: &random)
      * Float(sign: .plus, exponent: exponent, significand: 1)
  }

  private func withBytes(
    _ bytes: UnsafeRawBufferPointer, shift: Int, _ body: (UnsafeRawPointer) -> Void
  ) {
    let room = UnsafeMutableRawBufferPointer.allocate(
      byteCount: bytes.count + shift, alignment: 64)
    defer { room.deallocate() }
    UnsafeMutableRawBufferPointer(rebasing: room[shift...]).copyMemory(from: bytes)
    body(UnsafeRawPointer(room.baseAddress!) + shift)
  }

  @Test(arguments: 1...70) func float32(_ dimension: Int) {
    var random = SplitMix64(seed: UInt64(dimension))
    for round in 0..<40 {
      let odd = [0, 0, 3, 40][round % 4]
      let user = (0..<dimension).map { _ in number(odd, using: &random) }
      let item = (0..<dimension).map { _ in number(odd, using: &random) }
      item.withUnsafeBytes { bytes in
        for shift in 0..<4 {
          withBytes(bytes, shift: shift) { moved in
            let dot = crescendo_dot_f32(user, moved, dimension)
            #expect(
              sameBits(dot, slowDot(user, item)),
              "seed \(dimension), round \(round), shift \(shift): \(user) · \(item) = \(dot)")
          }
        }
      }
    }
  }

  @Test(arguments: 1...70) func float16(_ dimension: Int) {
    var random = SplitMix64(seed: UInt64(dimension) + 1_000)
    for round in 0..<40 {
      let odd = [0, 0, 3, 40][round % 4]
      let user = (0..<dimension).map { _ in number(odd, using: &random) }
      let item = (0..<dimension).map { _ in
        Float16(bitPattern: UInt16(truncatingIfNeeded: random.next()) & (odd > 0 ? 0xFFFF : 0xBFFF))
      }
      item.withUnsafeBytes { bytes in
        for shift in 0..<2 {
          withBytes(bytes, shift: shift) { moved in
            let dot = crescendo_dot_f16(user, moved, dimension)
            #expect(
              sameBits(dot, slowDot(user, item.map { Float($0) })),
              "seed \(dimension + 1_000), round \(round): \(user) · \(item) = \(dot)")
          }
        }
      }
    }
  }

  @Test func everyHalfIsWidenedExactly() {
    for bits in UInt16.min...UInt16.max {
      let half = Float16(bitPattern: bits)
      #expect(sameBits(crescendo_widen_f16(bits), Float(half)), "\(bits)")
    }
  }

  @Test(arguments: Array(1...70) + [1_024]) func int8(_ dimension: Int) {
    var random = SplitMix64(seed: UInt64(dimension) + 2_000)
    for round in 0..<20 {
      func vector() -> [Int8] {
        (0..<dimension).map { _ in
          round == 0 ? .min : Int8.random(in: .min ... .max, using: &random)
        }
      }
      let (user, item) = (vector(), vector())
      let expected = zip(user, item).reduce(0) { $0 + Int($1.0) * Int($1.1) }
      #expect(Int(crescendo_dot_i8(user, item, dimension)) == expected)
    }
  }
}
