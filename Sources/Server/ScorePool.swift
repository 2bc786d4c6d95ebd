internal import Core
internal import Engine
internal import EventLoop
internal import Transport
internal import Wire

/// A `Score` call from decoding to its answer: one address for the engine, for the loop's mailbox
/// and for the stream.
struct ScoreWork {
  /// First, because the shard that finishes last posts this address to the loop.
  var task: LoopTask
  let call: UnsafeMutablePointer<ScoreCall>
  /// Echoed; lies in the arena.
  var requestID = ByteSlice.empty
  /// The transport's call; nil once the client has gone.
  var stream: UnsafeMutableRawPointer?
  var arena: UnsafeMutablePointer<Arena>
  let services: Unmanaged<LoopServices>
  var next: UnsafeMutablePointer<ScoreWork>?
  var answer: ScoreAnswer?
}

/// The answer under construction: a buffer of the loop's pool, and what is laid out in it.
struct ScoreAnswer {
  let buffer: UnsafeMutableRawPointer
  let buffers: LoopBuffers
  let layout: ScoreResponseLayout
  let candidates: Int
  /// Unretained: the engine holds its blueprints, and the loop its templates.
  let provenance: UnsafePointer<ProvenanceTemplate>
}

/// The calls of one loop, reused with their arenas. What is kept is bounded by the most calls that
/// were in flight at one time.
struct ScorePool {
  private var free: UnsafeMutablePointer<ScoreWork>?
  private(set) var inFlight = 0

  mutating func take(_ services: Unmanaged<LoopServices>) -> UnsafeMutablePointer<ScoreWork> {
    inFlight += 1
    if let work = free {
      free = work.pointee.next
      return work
    }
    let arena = UnsafeMutablePointer<Arena>.allocate(capacity: 1)
    arena.initialize(
      to: Arena(firstChunkBytes: Limits.arenaFirstChunkBytes, limitBytes: Limits.arenaBytes))
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
    work.pointee.arena.pointee.reset()
    work.pointee.stream = nil
    work.pointee.answer = nil
    work.pointee.next = free
    free = work
    inFlight -= 1
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
