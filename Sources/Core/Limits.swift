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
  /// `grpc-message`, encoded, bytes: a quarter of the header list that gRPC suggests. Messages
  /// quote what a client sent, and a block of headers over 64 KiB cannot be sent at all.
  package static let statusMessageBytes = 2 << 10
  /// Nesting of a message that is decoded: three levels are in use, the rest is room to grow.
  package static let messageDepth = 16
  /// Bytes that one compressed byte may become. DEFLATE reaches 1,032. Of an honest request the
  /// ids hardly shrink: at 2 bytes for each, forty constant columns beside it are 84 times as
  /// much; that, twice over, and room.
  package static let inflatedRatio = 200
  /// What a compressed message may become whatever its ratio, bytes: a short one of zeros is no
  /// bomb.
  package static let inflatedFloorBytes = 64 << 10
  /// A failed call's sentence within a message, bytes. It stands twice in
  /// `grpc-status-details-bin`, 4 for 3: with `grpc-message` 5.4 KB, of the 8 KiB of headers that
  /// gRPC's peers take.
  package static let statusDetailBytes = 1_024
  /// The path of a field in an error, bytes: our own names and an index; the bound is the writer's.
  package static let fieldPathBytes = 256

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

  /// Messages that are not worth compressing, bytes: less than one packet saves nothing.
  package static let gzipFloorBytes = 1_024

  // MARK: Sockets and loops

  /// One read, bytes; one buffer per loop. More in flight costs more per call (caches).
  package static let readBufferBytes = 256 << 10
  /// One write, bytes; one buffer per loop, and one per connection whose socket refused some of it.
  package static let writeBufferBytes = 256 << 10
  /// Bytes of incomplete messages that one connection may hold: four of the longest.
  package static let connectionBufferedBytes = 4 * messageBytes
  /// Bytes of answers of one stream that have not gone, from which a producer waits: some parts of
  /// the longest batch.
  package static let streamOutboundBytes = 256 << 10
  /// Items of one `ScoreMany` call that are worked on at a time: as many as keep the shards of a
  /// large machine busy; further ones wait in the client's window.
  package static let streamItems = 64
  /// Bytes of answers that one connection may hold, under way or queued: a hundred streams with the
  /// longest batch each and its raw sums.
  package static let connectionOutboundBytes = 16 << 20
  /// Bytes of answers that the process may hold: 64 connections that read nothing at all.
  package static let processOutboundBytes = 64 * connectionOutboundBytes
  /// Connections of one process: descriptors stay below the usual soft limit of 1,024 … 65,536.
  package static let connections = 10_000
  /// Connections to the admin port that wait: a few scrapers and browsers, many times over.
  package static let adminConnections = 64

  // MARK: Time

  /// A unary call that names no deadline, nanoseconds.
  package static let defaultTimeoutNanoseconds: UInt64 = 10_000_000_000
  /// From a request's headers to the last byte of its message, nanoseconds, however late its
  /// deadline: 4 MiB at 70 KB/s, and a bound on the timers that finished calls leave behind.
  package static let messageArrivalNanoseconds: UInt64 = 60_000_000_000
  /// Between the notice of a stop and its GOAWAY, nanoseconds: calls that were on their way when
  /// the notice went out are still taken (a round trip, with room for slow networks).
  package static let drainNoticeNanoseconds: UInt64 = 200_000_000
  /// How long bytes of answers may make no progress, nanoseconds, before they are cut.
  package static let stallNanoseconds: UInt64 = 60_000_000_000
  /// How often stalls are looked for, nanoseconds, while bytes wait.
  package static let stallTickNanoseconds: UInt64 = 1_000_000_000
  /// What a stop waits for calls that are under way, nanoseconds.
  package static let drainNanoseconds: UInt64 = 5_000_000_000

  // MARK: Shards

  /// Work in place on a loop, nanoseconds: what a loop may be away from its sockets.
  package static let inPlaceNanoseconds: UInt64 = 200_000
  /// Work in place within one turn of a loop, nanoseconds: what is over it goes to the shards, so
  /// that a turn of many calls is no longer away than a long one.
  package static let inPlaceTurnNanoseconds: UInt64 = 2_000_000
  /// Estimated work between two looks at the clock, nanoseconds.
  package static let blockNanoseconds: UInt64 = 150_000
  /// Estimated work from which a batch is cut into one slice per shard, nanoseconds: below it,
  /// waking a second shard costs more than it saves (Dispatch threads that have to be woken).
  package static let fanOutNanoseconds: UInt64 = 500_000
  /// Estimated work that waits for one shard, nanoseconds: the longest wait worth starting.
  package static let shardQueueNanoseconds: UInt64 = 500_000_000

  /// Of that, what callers of priority `batch` may fill: the rest is for interactive ones.
  package static let batchQueueNanoseconds: UInt64 = shardQueueNanoseconds / 2
  /// The shortest wait of an interval that is still no overload, nanoseconds (CoDel, folly's 5 ms).
  package static let queueDelayTargetNanoseconds: UInt64 = 5_000_000
  /// How long a queue is watched before it is judged, nanoseconds (CoDel, 100 ms).
  package static let queueDelayIntervalNanoseconds: UInt64 = 100_000_000
  /// How long a model's learned cost stands while it keeps every call from its trees, nanoseconds,
  /// before an eighth is taken off: sixteen times too high is right again after 2 s.
  package static let costDoubtNanoseconds: UInt64 = 100_000_000
  /// Rows of a call that are kept from checkpoint to checkpoint, bytes: above it they are put
  /// together anew for each, so that a model of many features does not fill the arena.
  package static let keptRowsBytes = 4 << 20

  // MARK: Models and snapshots

  /// A model file, bytes: 10,000 trees of 255 leaves are about 200 MB of text.
  package static let modelFileBytes = 1 << 30
  /// Features of one model.
  package static let features = 4_096
  /// `manifest.json`, bytes.
  package static let manifestBytes = 16 << 20
  /// The JSON header of a safetensors file, bytes: the bound of its own reference reader.
  package static let tensorHeaderBytes = 100_000_000
  /// `items.safetensors` or `users.safetensors`, bytes: 100 million rows of 2.5 KB, which no
  /// machine we serve from holds; a wrong length is refused before memory is asked for.
  package static let tensorFileBytes = 256 << 30
  /// Tensors of one file: four for every feature that a model may have.
  package static let tensors = 16_384
  /// Elements of one vector: twice the longest that public embedding models give.
  package static let embeddingDimension = 8_192
  /// Elements of an I8 vector: 1,024 products of at most 2¹⁴ are at most 2²⁴, up to where a float
  /// holds every integer, so that converting the sum rounds nothing.
  package static let int8EmbeddingDimension = 1_024
  /// Rows of a table: a row number is an Int32 everywhere.
  package static let tableRows = Int(Int32.max)
  /// Slots from where a key belongs to where it lies in an index. Of 2³¹ random keys at a load of
  /// 0.6 the worst is near ln 2³¹ ÷ (0.6 − 1 − ln 0.6) = 194; five times that is no chance, but
  /// keys chosen to collide.
  package static let indexProbes = 1_024
  /// Files that a manifest lists: every model with its own, and as many again four times over.
  package static let snapshotFiles = 256
  /// Models of one snapshot: arms of experiments times markets, generously.
  package static let models = 64
  /// Columns that requests may bring.
  package static let requestColumns = 4_096
  /// Names that have categories: one for each feature.
  package static let categories = 4_096
  /// Levels of all categories together: a level becomes a bin or a table row of a model.
  package static let categoryLevels = 1 << 20
  /// A name of a column, feature, model, category or file, bytes.
  package static let nameBytes = 1_024
  /// Nesting of `equal` in a feature's source: one level is in use.
  package static let sourceDepth = 8
  /// Nesting of a JSON document: a manifest uses six levels.
  package static let jsonDepth = 64
  /// Strings, numbers, braces and brackets of a JSON document: 64 models of 4,096 features
  /// take 2.1 million, and the decoder keeps some tens of bytes for each.
  package static let jsonTokens = 4 << 20
}
