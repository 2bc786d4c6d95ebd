internal import Core
internal import EventLoop
internal import HTTP2
internal import Wire

/// One request stream, from its first header until HTTP/2 has forgotten it and nobody holds it.
///
/// Streams live in a slab of their loop and are linked into two lists: their connection's, and,
/// while something is to be done for them after the current read, the loop's `touched` list.
struct ServerStream {
  enum Phase: UInt8 {
    /// Headers are arriving.
    case headers
    /// The message is arriving.
    case message
    /// A service has the message and owes an answer.
    case handling
    /// Answered: what still arrives is dropped.
    case answered
  }

  var previous: UnsafeMutablePointer<ServerStream>?
  /// In its connection's list; when free, in the slab's.
  var next: UnsafeMutablePointer<ServerStream>?
  var nextTouched: UnsafeMutablePointer<ServerStream>?
  var connection: UnsafeMutablePointer<Connection>
  /// Rises each time that the memory gets a new tenant: timers compare it.
  var generation: UInt64
  var id: Int32 = 0
  var phase = Phase.headers
  var isTouched = false
  var isClosed = false
  var isComplete = false
  var hasTimer = false
  var headers = RequestHeaders()
  var assembler = MessageAssembler(limit: Limits.messageBytes)
  var startedNanoseconds: UInt64 = 0
  var deadlineNanoseconds: UInt64 = 0
  var receivedBytes = 0

  /// The answer, with its gRPC prefix; from the loop's buffer pool.
  var body: UnsafeMutableRawPointer?
  var bodyCapacity = 0
  var bodyCount = 0
  var bodySent = 0
  var status = StatusCode.ok

  /// The service's own pointer.
  var attachment: UnsafeMutableRawPointer?
}

/// Memory for the streams of one loop: cut in slabs, reused by a free list, never given back
/// (its bound is the most streams that were open at one time: connections × streams of each).
struct StreamSlab {
  private static let slabCount = 64
  private var free: UnsafeMutablePointer<ServerStream>?
  private var slabs: [UnsafeMutablePointer<ServerStream>] = []
  private var nextInSlab = StreamSlab.slabCount
  private var nextGeneration: UInt64 = 1
  /// Streams that are handed out now.
  private(set) var count = 0

  func destroy() {
    assert(count == 0, "a stream was forgotten")
    for slab in slabs { slab.deallocate() }
  }

  mutating func take(_ connection: UnsafeMutablePointer<Connection>)
    -> UnsafeMutablePointer<ServerStream>
  {
    let stream: UnsafeMutablePointer<ServerStream>
    if let reused = free {
      free = reused.pointee.next
      stream = reused
    } else {
      if nextInSlab == StreamSlab.slabCount {
        slabs.append(.allocate(capacity: StreamSlab.slabCount))
        nextInSlab = 0
      }
      stream = slabs[slabs.count - 1] + nextInSlab
      nextInSlab += 1
    }
    stream.initialize(to: ServerStream(connection: connection, generation: nextGeneration))
    nextGeneration += 1
    count += 1
    return stream
  }

  mutating func giveBack(_ stream: UnsafeMutablePointer<ServerStream>) {
    stream.pointee.generation = 0
    stream.pointee.next = free
    free = stream
    count -= 1
  }
}
