internal import Core
internal import Wire

/// Memory for the calls of all sessions of one loop: as `StreamSlab`.
struct SessionCallSlab {
  private static let slabCount = 64
  private var free: SessionCallPointer?
  private var slabs: [SessionCallPointer] = []
  private var nextInSlab = SessionCallSlab.slabCount
  private var nextGeneration: UInt64 = 1
  /// Calls that are open now.
  private(set) var count = 0

  func destroy() {
    assert(count == 0, "a session's call was forgotten")
    for slab in slabs { slab.deallocate() }
  }

  mutating func take(_ session: SessionPointer, _ request: SessionCallRequest)
    -> SessionCallPointer
  {
    let call: SessionCallPointer
    if let reused = free {
      free = reused.pointee.next
      call = reused
    } else {
      if nextInSlab == SessionCallSlab.slabCount {
        slabs.append(.allocate(capacity: SessionCallSlab.slabCount))
        nextInSlab = 0
      }
      call = slabs[slabs.count - 1] + nextInSlab
      nextInSlab += 1
    }
    call.initialize(to: SessionCall(session, request, generation: nextGeneration))
    nextGeneration += 1
    count += 1
    return call
  }

  mutating func giveBack(_ call: SessionCallPointer) {
    call.pointee.call.generation = 0
    call.pointee.next = free
    free = call
    count -= 1
  }
}
