/// Names and their places in a list, looked up by bytes: what a request says of columns, models,
/// categories and segments. Open addressing over places, so that a lookup allocates nothing.
// Unchecked: written in `init`, only read afterwards, freed in `deinit`.
package final class NameTable: @unchecked Sendable {
  private let slots: UnsafeMutablePointer<Int32>
  private let mask: Int
  private let names: UnsafeMutablePointer<ByteSlice>
  private let bytes: UnsafeMutableRawPointer
  package let count: Int

  package init(_ list: [String]) {
    count = list.count
    var capacity = 4
    while capacity < 2 * list.count { capacity *= 2 }
    mask = capacity - 1
    slots = .allocate(capacity: capacity)
    slots.initialize(repeating: -1, count: capacity)
    names = .allocate(capacity: max(list.count, 1))
    bytes = .allocate(byteCount: max(list.reduce(0) { $0 + $1.utf8.count }, 1), alignment: 1)
    var offset = 0
    for (index, name) in list.enumerated() {
      let start = bytes + offset
      for byte in name.utf8 {
        bytes.storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
        offset += 1
      }
      (names + index).initialize(to: ByteSlice(start, count: name.utf8.count))
      // Of equal names the first is found, as in a search from the front.
      if self.index(of: names[index]) == nil { insert(index) }
    }
  }

  deinit {
    slots.deallocate()
    names.deallocate()
    bytes.deallocate()
  }

  private func insert(_ index: Int) {
    var slot = start(names[index])
    while slots[slot] >= 0 { slot = (slot + 1) & mask }
    slots[slot] = Int32(index)
  }

  private func start(_ name: ByteSlice) -> Int {
    // FNV-1a: names are short and come from snapshots and campaigns, not from clients.
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in name.bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    return Int(truncatingIfNeeded: splitmix64(hash)) & mask
  }

  /// The place of a name in the list, or nil.
  package func index(of name: ByteSlice) -> Int? {
    var slot = start(name)
    while slots[slot] >= 0 {
      let index = Int(slots[slot])
      if names[index].equals(name) { return index }
      slot = (slot + 1) & mask
    }
    return nil
  }
}
