/// What a `Slab` holds: it begins with a `CallState`, and has a link.
protocol SlabNode {
  var call: CallState { get set }
  /// The slab's, while it is free.
  var next: UnsafeMutablePointer<Self>? { get set }
}

/// Memory for the calls of one loop: cut in slabs, reused by a free list, never given back (its
/// bound is the most that were open at one time).
struct Slab<Node: SlabNode> {
  private static var slabCount: Int { 64 }
  private var free: UnsafeMutablePointer<Node>?
  private var slabs: [UnsafeMutablePointer<Node>] = []
  private var nextInSlab = Slab.slabCount
  private var nextGeneration: UInt64 = 1
  /// Nodes that are handed out now.
  private(set) var count = 0

  func destroy() {
    assert(count == 0, "a call was forgotten")
    for slab in slabs { slab.deallocate() }
  }

  /// `make` is given the generation of the memory's new tenant.
  @inline(__always)
  mutating func take(_ make: (_ generation: UInt64) -> Node) -> UnsafeMutablePointer<Node> {
    let node: UnsafeMutablePointer<Node>
    if let reused = free {
      free = reused.pointee.next
      node = reused
    } else {
      if nextInSlab == Slab.slabCount {
        slabs.append(.allocate(capacity: Slab.slabCount))
        nextInSlab = 0
      }
      node = slabs[slabs.count - 1] + nextInSlab
      nextInSlab += 1
    }
    node.initialize(to: make(nextGeneration))
    nextGeneration += 1
    count += 1
    return node
  }

  mutating func giveBack(_ node: UnsafeMutablePointer<Node>) {
    node.pointee.call.generation = 0
    node.pointee.next = free
    free = node
    count -= 1
  }
}
