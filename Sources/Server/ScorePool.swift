internal import Core
internal import Engine
internal import EventLoop
internal import Transport
internal import Wire

/// One batch from decoding to its answer: a `Score`, a `StreamScores`, or an item of a `ScoreMany`.
/// One address for the engine, for the loop's mailbox and for the stream.
struct ScoreWork {
  /// First, because the shard that finishes last posts this address to the loop.
  var task: LoopTask
  let call: UnsafeMutablePointer<ScoreCall>
  var kind = Kind.unary
  /// Echoed; lies in the arena.
  var requestID = ByteSlice.empty
  /// The transport's call; nil once nobody waits for the answer.
  var stream: UnsafeMutableRawPointer?
  let arena: UnsafeMutablePointer<Arena>
  var arenaBytes = 0
  let services: Unmanaged<LoopServices>
  /// In the pool, when free; else of its `ScoreMany` call, if it is an item.
  var next: UnsafeMutablePointer<ScoreWork>?
  var previous: UnsafeMutablePointer<ScoreWork>?
  /// Of a `Score` and of an item.
  var answer: ScoreAnswer?
  /// Of a `StreamScores`, by slice; in the arena.
  var parts: UnsafeMutablePointer<ScorePart>?
  /// Unretained: the engine holds its blueprints, and the loop its templates.
  var provenance: UnsafePointer<ProvenanceTemplate>?
  /// Of an item: the credit that its message took, which its answer gives back.
  var credit: Int64 = 0
  /// With `want_boosts`, and of an allocation; in the arena, for it is large.
  var boost: UnsafeMutablePointer<BoostWork>?
  var allocation: AllocationWork?

  enum Kind {
    case unary
    case streamed
    /// Of a `ScoreMany` call, whose state outlives its items.
    case item(sequence: UInt64, of: UnsafeMutablePointer<ScoreManyState>)
    /// The scores of an `Allocate`: no answer of their own.
    case allocation
  }
}

/// An answer under construction: a buffer of the loop's pool, and what is laid out in it.
struct ScoreAnswer {
  let buffer: UnsafeMutableRawPointer
  let buffers: LoopBuffers
  let layout: ScoreResponseLayout
  let candidates: Int
  /// With boosts.
  var boosts: Wire.BoostColumns?
  var memory: BoostMemory?
  /// Positions of a part's candidates; nil: all of the request's, in order.
  var positions: UnsafePointer<UInt32>?

  func position(_ index: Int) -> UInt32 { positions?[index] ?? UInt32(index) }
}

/// A part of a streamed answer, and its message to the loop.
struct ScorePart {
  /// First: the shard posts this address.
  var task: LoopTask
  let work: UnsafeMutablePointer<ScoreWork>
  let index: Int
  /// Nil once it was sent or given back.
  var answer: ScoreAnswer?
}

/// The calls of one loop, reused with their arenas. What is kept is bounded by the most calls that
/// were in flight at one time.
struct ScorePool {
  private var free: UnsafeMutablePointer<ScoreWork>?
  private(set) var inFlight = 0
  /// Of those in flight, as far as they have come.
  private(set) var arenaBytes = 0

  mutating func take(_ services: Unmanaged<LoopServices>) -> UnsafeMutablePointer<ScoreWork> {
    inFlight += 1
    if let work = free {
      free = work.pointee.next
      work.pointee.next = nil
      return work
    }
    let arena = UnsafeMutablePointer<Arena>.allocate(capacity: 1)
    arena.initialize(
      to: Arena(
        firstChunkBytes: Limits.serving.arenaFirstChunkBytes, limitBytes: Limits.serving.arenaBytes)
    )
    let call = UnsafeMutablePointer<ScoreCall>.allocate(capacity: 1)
    call.initialize(to: ScoreCall(completed: scoreCompleted))
    let work = UnsafeMutablePointer<ScoreWork>.allocate(capacity: 1)
    work.initialize(
      to: ScoreWork(
        task: LoopTask(run: scoreFinished, context: nil), call: call, arena: arena,
        services: services))
    return work
  }

  mutating func giveBack(_ work: UnsafeMutablePointer<ScoreWork>) {
    arenaBytes -= work.pointee.arenaBytes
    work.pointee.arenaBytes = 0
    if let boost = work.pointee.boost.take() { boost.deinitialize(count: 1) }
    work.pointee.arena.pointee.reset()
    work.pointee.call.pointee.sliceCompleted = nil
    work.pointee.kind = .unary
    work.pointee.stream = nil
    // Large, and mostly nil already.
    if work.pointee.answer != nil { work.pointee.answer = nil }
    work.pointee.parts = nil
    if work.pointee.allocation != nil { work.pointee.allocation = nil }
    work.pointee.previous = nil
    work.pointee.next = free
    free = work
    inFlight -= 1
  }

  /// Counts what a call's arena has come to.
  mutating func noteArena(_ work: UnsafeMutablePointer<ScoreWork>) {
    let bytes = work.pointee.arena.pointee.reservedBytes
    arenaBytes += bytes - work.pointee.arenaBytes
    work.pointee.arenaBytes = bytes
  }

  func destroy() {
    assert(inFlight == 0, "a call was forgotten")
    var work = free
    while let current = work {
      work = current.pointee.next
      current.pointee.call.pointee.destroy()
      current.pointee.call.deinitialize(count: 1)
      current.pointee.call.deallocate()
      current.pointee.arena.deinitialize(count: 1)
      current.pointee.arena.deallocate()
      current.deinitialize(count: 1)
      current.deallocate()
    }
  }
}
