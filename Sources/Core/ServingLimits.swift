/// The bounds that an operator may move, each with its derivation. Everything that a client can
/// make the server hold, wait for or work on is within one of them.
package struct ServingLimits: Sendable, Equatable {
  // MARK: Messages and batches

  /// One request message, bytes: gRPC's own default in C, Go and Java. 10,000 ids are 80 KB, and
  /// forty request columns of 10,000 values 1.6 MB, so that honest batches stay far below.
  package var messageBytes = 4 << 20
  /// One message of `ApplyCampaigns`, bytes, by gRPC: 100,000 campaigns of 300 are 30 MB, and are
  /// applied as one, or not at all.
  package var campaignMessageBytes = 32 << 20
  /// Candidates in one batch: ten times the largest shelf refill that PZN plans.
  package var candidates = 10_000
  /// Bytes that one compressed byte may become. DEFLATE reaches 1,032. Of an honest request the
  /// ids hardly shrink: at 2 bytes for each, forty constant columns beside it are 84 times as
  /// much; that, twice over, and room.
  package var inflatedRatio = 200
  /// What a compressed message may become whatever its ratio, bytes: a short one of zeros is no
  /// bomb.
  package var inflatedFloorBytes = 64 << 10

  // MARK: Memory of one request

  /// First chunk of a request's arena, bytes: holds a request of 64 candidates whole, and is kept
  /// from call to call.
  package var arenaFirstChunkBytes = 8 << 10
  /// An arena's bound, bytes: a message of full length decoded (8 × would be protobuf-c's worst
  /// for honest fields; unknown ones are dropped before it sees them), plus slices and plan.
  package var arenaBytes = 32 << 20

  // MARK: HTTP/2

  /// SETTINGS_MAX_CONCURRENT_STREAMS: also bounds the closed streams that nghttp2 retains.
  package var concurrentStreams = 100
  /// SETTINGS_INITIAL_WINDOW_SIZE, bytes: a request of 2,000 candidates with ten columns without
  /// waiting for a WINDOW_UPDATE.
  package var streamWindowBytes = 256 << 10
  /// A connection's receive window, bytes: sixteen streams at their full window.
  package var connectionWindowBytes = 4 << 20
  /// Header list of one request, bytes (names + values + 32 each): gRPC suggests 8 KiB.
  package var headerListBytes = 8 << 10
  /// Headers of one request: pseudo headers, a dozen of gRPC's own, and metadata.
  package var headerCount = 100
  /// Messages that are not worth compressing, bytes: less than one packet saves nothing.
  package var gzipFloorBytes = 1_024

  // MARK: Sockets and loops

  /// One read, bytes; one buffer per loop. More in flight costs more per call (caches).
  package var readBufferBytes = 256 << 10
  /// One write, bytes; one buffer per loop, and one per connection whose socket refused some of it.
  package var writeBufferBytes = 256 << 10
  /// Bytes of incomplete messages that one connection may hold: four of the longest.
  package var connectionBufferedBytes = 16 << 20
  /// Bytes of campaign files that one loop may hold until they are whole, and that may wait for
  /// the thread that reads them: two of the longest each.
  package var campaignBufferedBytes = 64 << 20
  /// Bytes of answers of one stream that have not gone, from which a producer waits: some parts of
  /// the longest batch.
  package var streamOutboundBytes = 256 << 10
  /// Items of one `ScoreMany` call that are worked on at a time: as many as keep the shards of a
  /// large machine busy; further ones wait in the client's window.
  package var streamItems = 64
  /// Bytes of answers that one connection may hold, under way or queued: a hundred streams with the
  /// longest batch each and its raw sums.
  package var connectionOutboundBytes = 16 << 20
  /// Bytes of answers that the process may hold: 64 connections that read nothing at all.
  package var processOutboundBytes = 1 << 30
  /// Connections of one process: descriptors stay below the usual soft limit of 1,024 … 65,536.
  package var connections = 10_000
  /// Connections to the admin port that wait: a few scrapers and browsers, many times over.
  package var adminConnections = 64

  // MARK: Sessions

  /// Credit that a session begins with, candidates: two turns of a hundred batches of three
  /// hundred.
  package var sessionCredit = 65_536
  /// Calls of one session that are open at a time: more than its credit pays for, but for calls
  /// without candidates.
  package var sessionCalls = 1_024

  // MARK: Time

  /// A unary call that names no deadline, nanoseconds.
  package var defaultTimeoutNanoseconds: UInt64 = 10_000_000_000
  /// From a request's headers to the last byte of its message, nanoseconds, however late its
  /// deadline: 4 MiB at 70 KB/s, and a bound on the timers that finished calls leave behind.
  package var messageArrivalNanoseconds: UInt64 = 60_000_000_000
  /// Between the notice of a stop and its GOAWAY, nanoseconds: calls that were on their way when
  /// the notice went out are still taken (a round trip, with room for slow networks).
  package var drainNoticeNanoseconds: UInt64 = 200_000_000
  /// How long bytes of answers may make no progress, nanoseconds, before they are cut.
  package var stallNanoseconds: UInt64 = 60_000_000_000
  /// How often stalls are looked for, nanoseconds, while bytes wait.
  package var stallTickNanoseconds: UInt64 = 1_000_000_000
  /// After how long without traffic a session's end sends a PING, nanoseconds: proxies cut what is
  /// idle for 15 s and more.
  package var heartbeatNanoseconds: UInt64 = 10_000_000_000
  /// After how long without a byte a session's other end is taken for dead, nanoseconds.
  package var silenceNanoseconds: UInt64 = 20_000_000_000
  /// How long a session's frame, or its first HELLO, may take to come whole, nanoseconds.
  package var frameNanoseconds: UInt64 = 10_000_000_000
  /// What a stop waits for calls that are under way, nanoseconds.
  package var drainNanoseconds: UInt64 = 5_000_000_000

  // MARK: Shards

  /// Work in place on a loop, nanoseconds: what a loop may be away from its sockets.
  package var inPlaceNanoseconds: UInt64 = 200_000
  /// Work in place within one turn of a loop, nanoseconds: what is over it goes to the shards, so
  /// that a turn of many calls is no longer away than a long one.
  package var inPlaceTurnNanoseconds: UInt64 = 2_000_000
  /// Estimated work between two looks at the clock, nanoseconds.
  package var blockNanoseconds: UInt64 = 150_000
  /// Estimated work from which a batch is cut into one slice per shard, nanoseconds: below it,
  /// waking a second shard costs more than it saves (Dispatch threads that have to be woken).
  package var fanOutNanoseconds: UInt64 = 500_000
  /// Estimated work that waits for one shard, nanoseconds: the longest wait worth starting.
  package var shardQueueNanoseconds: UInt64 = 500_000_000
  /// Of that, what callers of priority `batch` may fill: the rest is for interactive ones.
  package var batchQueueNanoseconds: UInt64 = 250_000_000
  /// The shortest wait of an interval that is still no overload, nanoseconds (CoDel, folly's 5 ms).
  package var queueDelayTargetNanoseconds: UInt64 = 5_000_000
  /// How long a queue is watched before it is judged, nanoseconds (CoDel, 100 ms).
  package var queueDelayIntervalNanoseconds: UInt64 = 100_000_000
  /// How long a model's learned cost stands while it keeps every call from its trees, nanoseconds,
  /// before an eighth is taken off: sixteen times too high is right again after 2 s.
  package var costDoubtNanoseconds: UInt64 = 100_000_000
  /// Rows of a call that are kept from checkpoint to checkpoint, bytes: above it they are put
  /// together anew for each, so that a model of many features does not fill the arena.
  package var keptRowsBytes = 4 << 20

  // MARK: The ledger

  /// How long a reservation waits for its exposure, nanoseconds: half an hour, in which a queue of
  /// ten tracks is heard.
  package var reservationNanoseconds: UInt64 = 30 * 60_000_000_000
  /// How long a lease lasts, nanoseconds: twice a reservation, so that half of it is of use.
  package var leaseNanoseconds: UInt64 = 60 * 60_000_000_000
  /// How long after its reservation has expired an exposure may still be reported, nanoseconds.
  package var reportNanoseconds: UInt64 = 24 * 60 * 60_000_000_000

  package init() {}
}

extension Limits {
  /// Set at most once, by `serve`, before any other thread is started; read by all of them. Behind
  /// a pointer, for a variable would be guarded against overlapping accesses at each read.
  // Unsafe: for that reason it is never written while somebody reads.
  private nonisolated(unsafe) static let storage = {
    let storage = UnsafeMutablePointer<ServingLimits>.allocate(capacity: 1)
    storage.initialize(to: ServingLimits())
    return storage
  }()

  /// What this process serves by.
  package static var serving: ServingLimits {
    unsafeAddress { UnsafePointer(storage) }
  }

  /// Replaces the defaults. The caller has started no thread yet.
  package static func serve(by limits: ServingLimits) {
    storage.pointee = limits
  }
}
