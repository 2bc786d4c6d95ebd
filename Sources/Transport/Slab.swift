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
  /// Of the slabs' nodes: a node keeps its note for as long as there is memory for both.
  private var notes: [UnsafeMutablePointer<CallNote>] = []
  private var nextInSlab = Slab.slabCount
  private var nextGeneration: UInt64 = 1
  /// Nodes that are handed out now.
  private(set) var count = 0

  func destroy() {
    assert(count == 0, "a call was forgotten")
    for slab in slabs { slab.deallocate() }
    for note in notes { note.deallocate() }
  }

  /// `make` is given the generation of the memory's new tenant, and its note.
  @inline(__always)
  mutating func take(
    _ make: (_ generation: UInt64, _ note: UnsafeMutablePointer<CallNote>) -> Node
  ) -> UnsafeMutablePointer<Node> {
    let (node, note) = unused()
    node.initialize(to: make(nextGeneration, note))
    nextGeneration += 1
    count += 1
    return node
  }

  @inline(__always)
  private mutating func unused() -> (
    UnsafeMutablePointer<Node>, UnsafeMutablePointer<CallNote>
  ) {
    if let reused = free {
      free = reused.pointee.next
      return (reused, reused.pointee.call.note)
    }
    return unusedInSlab()
  }

  private mutating func unusedInSlab() -> (
    UnsafeMutablePointer<Node>, UnsafeMutablePointer<CallNote>
  ) {
    if nextInSlab == Slab.slabCount {
      slabs.append(.allocate(capacity: Slab.slabCount))
      let note = UnsafeMutablePointer<CallNote>.allocate(capacity: Slab.slabCount)
      note.initialize(repeating: CallNote(), count: Slab.slabCount)
      notes.append(note)
      nextInSlab = 0
    }
    defer { nextInSlab += 1 }
    return (slabs[slabs.count - 1] + nextInSlab, notes[notes.count - 1] + nextInSlab)
  }

  mutating func giveBack(_ node: UnsafeMutablePointer<Node>) {
    node.pointee.call.generation = 0
    node.pointee.next = free
    free = node
    count -= 1
  }
}
