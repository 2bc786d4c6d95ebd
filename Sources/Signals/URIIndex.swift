internal import Core

/// The URIs of a table, row after row, and the way from a URI to its row: open addressing over
/// row numbers, at most 60 % of the slots taken. Built once; immutable.
// Unchecked: written only while it is built, before anybody else can have it; the bytes of the
// URIs belong to the table.
struct URIIndex: ~Copyable, @unchecked Sendable {
  private let slots: UnsafeMutablePointer<Int32>
  private let mask: Int
  private let seed: UInt64
  private let texts: UnsafeRawBufferPointer
  private let offsets: UnsafeRawPointer

  /// Why URIs cannot be indexed.
  enum Failure: Error {
    case duplicate(rows: (Int, Int))
    case collisions(row: Int)
  }

  /// `offsets` holds `count` + 1 rising offsets into `texts` (u64, little-endian, any alignment),
  /// checked by the caller; both outlive the index. `seed`: as that of `IDIndex`.
  init(texts: UnsafeRawBufferPointer, offsets: UnsafeRawPointer, count: Int, seed: UInt64)
    throws(Failure)
  {
    let capacity = indexCapacity(count: count)
    mask = capacity - 1
    self.seed = seed
    self.texts = texts
    self.offsets = offsets
    slots = .allocate(capacity: capacity)
    slots.initialize(repeating: -1, count: capacity)
    for row in 0..<count {
      let text = uri(row)
      var position = start(text)
      var probes = 0
      while slots[position] >= 0 {
        let other = Int(slots[position])
        if equal(uri(other), text) { throw .duplicate(rows: (other, row)) }
        probes += 1
        guard probes <= Limits.indexProbes else { throw .collisions(row: row) }
        position = (position &+ 1) & mask
      }
      slots[position] = Int32(truncatingIfNeeded: row)
    }
  }

  deinit {
    slots.deallocate()
  }

  func uri(_ row: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: texts[offset(row)..<offset(row + 1)])
  }

  func row(of text: UnsafeRawBufferPointer) -> Int {
    var position = start(text)
    while slots[position] >= 0 {
      let row = Int(slots[position])
      if equal(uri(row), text) { return row }
      position = (position &+ 1) & mask
    }
    return -1
  }

  private func offset(_ index: Int) -> Int {
    let value = (offsets + index &* 8).loadUnaligned(as: UInt64.self)
    return Int(truncatingIfNeeded: UInt64(littleEndian: value))
  }

  private func start(_ text: UnsafeRawBufferPointer) -> Int {
    Int(truncatingIfNeeded: hash(text, seed: seed)) & mask
  }

  private func equal(_ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer) -> Bool {
    ByteSlice(first).equals(ByteSlice(second))
  }
}

/// 64 bits of `bytes`, eight at a time by multiplying and folding (the step of wyhash, Wang Yi,
/// 2019). Without the seed nobody can choose bytes that collide; never stored.
func hash(_ bytes: UnsafeRawBufferPointer, seed: UInt64) -> UInt64 {
  var state = splitmix64(seed ^ UInt64(truncatingIfNeeded: bytes.count))
  var offset = 0
  while offset &+ 8 <= bytes.count {
    let word = bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
    state = folded(state ^ word)
    offset &+= 8
  }
  var last: UInt64 = 0
  while offset < bytes.count {
    last = last << 8 | UInt64(bytes[offset])
    offset &+= 1
  }
  return splitmix64(folded(state ^ last) ^ seed)
}

@inline(__always)
private func folded(_ value: UInt64) -> UInt64 {
  let product = value.multipliedFullWidth(by: 0xA076_1D64_78BD_642F)
  return product.high ^ product.low
}
