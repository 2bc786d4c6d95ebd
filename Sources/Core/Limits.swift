/// Every bound of the server in one place, each with its derivation.
package enum Limits {
  // MARK: Messages and batches

  /// One request message, bytes: gRPC's own default in C, Go and Java. 10,000 ids are 80 KB, and
  /// forty request columns of 10,000 values 1.6 MB, so that honest batches stay far below.
  package static let messageBytes = 4 << 20
  /// Candidates in one batch: ten times the largest shelf refill that PZN plans.
  package static let candidates = 10_000
  /// `request_id`, bytes: a UUID in any notation, twice over.
  package static let requestIDBytes = 64
  /// Nesting of a message that is decoded: three levels are in use, the rest is room to grow.
  package static let messageDepth = 16

  // MARK: Memory of one request

  /// First chunk of a request's arena, bytes: holds a request of 64 candidates whole, and is kept
  /// from call to call.
  package static let arenaFirstChunkBytes = 8 << 10
  /// An arena's bound, bytes: a message of full length decoded (8 × would be protobuf-c's worst
  /// for honest fields; unknown ones are dropped before it sees them), plus slices and plan.
  package static let arenaBytes = 32 << 20

  // MARK: HTTP/2

  /// SETTINGS_MAX_CONCURRENT_STREAMS: also bounds the closed streams that nghttp2 retains.
  package static let concurrentStreams = 100
  /// SETTINGS_INITIAL_WINDOW_SIZE, bytes: a request of 2,000 candidates with ten columns without
  /// waiting for a WINDOW_UPDATE.
  package static let streamWindowBytes = 256 << 10
  /// A connection's receive window, bytes: sixteen streams at their full window.
  package static let connectionWindowBytes = 4 << 20
  /// Header list of one request, bytes (names + values + 32 each): gRPC suggests 8 KiB.
  package static let headerListBytes = 8 << 10
  /// Headers of one request: pseudo headers, a dozen of gRPC's own, and metadata.
  package static let headerCount = 100

  // MARK: Sockets and loops

  /// One read, bytes; one buffer per loop. More in flight costs more per call (caches).
  package static let readBufferBytes = 256 << 10
  /// One write, bytes; one buffer per loop, and one per connection whose socket refused some of it.
  package static let writeBufferBytes = 256 << 10
  /// Bytes of incomplete messages that one connection may hold: four of the longest.
  package static let connectionBufferedBytes = 4 * messageBytes
  /// Connections of one process: descriptors stay below the usual soft limit of 1,024 … 65,536.
  package static let connections = 10_000

  // MARK: Time

  /// A unary call that names no deadline, nanoseconds.
  package static let defaultTimeoutNanoseconds: UInt64 = 10_000_000_000
  /// From a request's headers to the last byte of its message, nanoseconds, however late its
  /// deadline: 4 MiB at 70 KB/s, and a bound on the timers that finished calls leave behind.
  package static let messageArrivalNanoseconds: UInt64 = 60_000_000_000
  /// What a stop waits for calls that are under way, nanoseconds.
  package static let drainNanoseconds: UInt64 = 5_000_000_000

  // MARK: Shards

  /// Work in place on a loop, nanoseconds: what a loop may be away from its sockets.
  package static let inPlaceNanoseconds: UInt64 = 200_000
  /// Estimated work between two looks at the clock, nanoseconds.
  package static let blockNanoseconds: UInt64 = 150_000
  /// Estimated work from which a batch is cut into one slice per shard, nanoseconds: below it,
  /// waking a second shard costs more than it saves (Dispatch threads that have to be woken).
  package static let fanOutNanoseconds: UInt64 = 500_000
  /// Estimated work that waits for one shard, nanoseconds: the longest wait worth starting.
  package static let shardQueueNanoseconds: UInt64 = 500_000_000

  // MARK: Models and snapshots

  /// A model file, bytes: 10,000 trees of 255 leaves are about 200 MB of text.
  package static let modelFileBytes = 1 << 30
  /// Features of one model.
  package static let features = 4_096
  /// `manifest.json`, bytes.
  package static let manifestBytes = 16 << 20
  /// The JSON header of a safetensors file, bytes: the bound of its own reference reader.
  package static let tensorHeaderBytes = 100_000_000
}
