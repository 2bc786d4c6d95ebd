/// The finalizer of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): a bijection of 64 bits in which
/// every input bit moves half of the output bits. Assigns users and items to shards.
@inlinable
package func splitmix64(_ value: UInt64) -> UInt64 {
  var z = value &+ 0x9E37_79B9_7F4A_7C15
  z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
  z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
  return z ^ (z >> 31)
}

/// Random numbers from a seed: SplitMix64. Not for secrets.
package struct SplitMix64: RandomNumberGenerator, Sendable {
  private var state: UInt64

  package init(seed: UInt64) {
    state = seed
  }

  package mutating func next() -> UInt64 {
    defer { state &+= 0x9E37_79B9_7F4A_7C15 }
    return splitmix64(state)
  }
}

/// What `splitmix64` made a value of.
package func splitmix64Inverse(_ hash: UInt64) -> UInt64 {
  var z = hash ^ (hash >> 31) ^ (hash >> 62)
  z = z &* 0x3196_42B2_D24D_8EC3
  z = z ^ (z >> 27) ^ (z >> 54)
  z = z &* 0x96DE_1B17_3F11_9089
  z = z ^ (z >> 30) ^ (z >> 60)
  return z &- 0x9E37_79B9_7F4A_7C15
}
