/// Bounds that are part of a format or of the contract; those that an operator may move are
/// `ServingLimits`. Each stands with its derivation.
package enum Limits {
  // MARK: Messages

  /// `request_id`, bytes: a UUID in any notation, twice over.
  package static let requestIDBytes = 64
  /// `grpc-message`, encoded, bytes: a quarter of the header list that gRPC suggests. Messages
  /// quote what a client sent, and a block of headers over 64 KiB cannot be sent at all.
  package static let statusMessageBytes = 2 << 10
  /// Nesting of a message that is decoded: three levels are in use, the rest is room to grow.
  package static let messageDepth = 16
  /// A failed call's sentence within a message, bytes. It stands twice in
  /// `grpc-status-details-bin`, 4 for 3: with `grpc-message` 5.4 KB, of the 8 KiB of headers that
  /// gRPC's peers take.
  package static let statusDetailBytes = 1_024
  /// The path of a field in an error, bytes: our own names and an index; the bound is the writer's.
  package static let fieldPathBytes = 256

  // MARK: Allocation and delivery

  /// `AllocateRequest.request_id`, bytes: 128 random bits, which two clients never share.
  package static let allocationIDBytes = 16
  /// Slots of one `Allocate`: a page of results, five times over.
  package static let allocationSlots = 100
  /// Tokens of one `Release`: ten allocations of the most slots.
  package static let releaseTokens = 1_000
  /// Exposures of one report: 10,000 tokens of 128 bytes are a third of the longest message.
  package static let reportExposures = 10_000
  /// Exposures that one answer names because they were not settled: all of one report.
  package static let reportExceptions = 10_000

  // MARK: Campaign calls

  /// Faults of a document that are told; the rest are counted: more than anybody mends before
  /// applying again.
  package static let campaignFaults = 100
  /// What an answer to an apply names of its changes, bytes; the rest is counted: half of what
  /// stock clients take as one message.
  package static let campaignAnswerBytes = 2 << 20
  /// Names that a warning has: enough to see what they have in common.
  package static let campaignWarningNames = 5
  /// Campaigns on one page of a list: 1,000 states of at most 300 bytes are below a window.
  package static let campaignPage = 1_000

  // MARK: Sessions (proto/SESSION.md §15, §17)

  /// A HELLO, bytes: what is taken before anything is agreed. A hundred methods are 6 KB.
  package static let sessionHelloBytes = 65_536
  /// The least that a client may take as one frame, bytes.
  package static let sessionFrameBytesLeast = 16_384
  /// Room in a frame beside its message, bytes: prelude, metadata, END record.
  package static let sessionFrameRoomBytes = 64 << 10
  /// Metadata of a CALL, bytes: as much as the headers of a gRPC call.
  package static let sessionMetadataBytes = 8_192
  /// Frames that do nothing which are taken without rest: late CANCELs of twice as many calls as
  /// may be open.
  package static let sessionIdleFrames = 2_048
  /// Of them, how many more each second: a hundred times what heartbeats need.
  package static let sessionIdleFramesPerSecond = 100
  /// How long an ERROR may take to go, nanoseconds, before its stream is reset without it.
  package static let sessionErrorNanoseconds: UInt64 = 1_000_000_000

  // MARK: Reports of `crescendo load`

  /// Rates of one sweep: a curve has no more to tell, and the file stays below `reportBytes`.
  package static let sweepRates = 100
  /// Intervals of one run's time series: an hour by seconds. A longer run has longer ones.
  package static let reportIntervals = 3_600
  /// Points of a curve of percentiles: five for each of the 64 halvings of a count.
  package static let reportLevels = 5 * 64 + 1
  /// Statuses, fidelities, objectives of a report: three times as many as there are statuses.
  package static let reportNames = 64
  /// A report that is read, bytes: an hour's run is half a megabyte, and a sweep has 100 of them.
  package static let reportBytes = 64 << 20

  // MARK: The client library: its defaults, and what it holds

  /// Calls that wait for a connection with room: what ten full connections have under way.
  package static let clientWaitingCalls = 1_000
  /// Calls of one gRPC connection that are open at a time: gRPC's own usual number of streams.
  package static let clientCallsPerConnection = 100
  /// Answers of a streamed call that its reader has not taken, bytes: as much as a server holds
  /// back for one stream.
  package static let clientUnreadBytes = 256 << 10
  /// Requests of a `ScoreMany` that have not gone, bytes: three of the longest honest batches.
  package static let clientUnsentBytes = 256 << 10
  /// Requests of a call that are kept to be sent anew while nothing has come, bytes.
  package static let clientReplayBytes = 1 << 20
  /// One read of a client's loop, bytes: sixteen thousand scores; more comes with the next read.
  package static let clientReadBytes = 64 << 10

  // MARK: Clients

  /// Attempts of one call: gRPC A6 lets a client take no more, whatever its configuration says.
  package static let callAttempts = 5
  /// Times that one call is sent again because it was not started. Each is for a session that
  /// drains or a connection that goes away: all servers of a service that restarts, one by one.
  package static let callRestarts = 8
  /// Endpoints of one client: a service of a thousand servers is cut into parts before.
  package static let endpoints = 1_024
  /// Points of an endpoint on a hash ring: shares of keys spread by 1 ÷ √128 = 9 %, and the ring
  /// of a thousand endpoints is 1.3 MB.
  package static let ringPoints = 128
  /// Latencies of a method before a percentile of them is believed: five are above the 95th.
  package static let hedgeSamplesLeast = 100
  /// Latencies of a method that count in full; then all count half. Of 1,024 to 2,048 the 95th
  /// percentile is known to ±0.7 of a hundred.
  package static let hedgeSamples = 2_048

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

  // MARK: Campaigns

  /// Campaigns of one server: two and a half times the hundred thousand that we measure with.
  /// An index of campaigns is an Int32, and a bit of every name's bitset.
  package static let campaigns = 1 << 18
  /// Pairs of an item and a campaign that promotes it: ten times three million, 4 bytes each.
  package static let promotions = 1 << 25
  /// Campaigns of one item: three are usual; a batch of 10,000 such items is 2.6 million pairs,
  /// some 15 ms.
  package static let campaignsPerItem = 256
  /// Distinct markets (or surfaces, or tiers) that campaigns name: there are 249 markets. A bitset
  /// of all campaigns each: 32 MiB at most for a kind.
  package static let campaignNames = 1_024
  /// Distinct segments that campaigns name: a bitset of all campaigns each, 128 MiB at most.
  package static let campaignSegments = 4_096
  /// Segments of one request: four times what a profile commonly has.
  package static let requestSegments = 64
  /// Options that the choice of slots looks at, once it has one answer, before it is content:
  /// about half a millisecond of a shard. Few conflicts need a hundredth.
  package static let slotSteps = 1 << 17
  /// The same for a request whose values are drawn, which is chosen `propensityDraws` times more.
  package static let slotStepsDrawn = 1 << 13
  /// Draws that a propensity is estimated from: its standard error is at most 1 ÷ (2 √64) = 6 %.
  package static let propensityDraws = 64
  /// One in so many batches is counted by campaign and reason: a power of two.
  package static let tallyStride = 32
  /// Campaigns whose counters, a cache line each, fit a core's second cache. Of more, one batch in
  /// four times as many is counted.
  package static let tallyCached = 4_096

  // MARK: Campaign files

  /// Items that all campaigns of a server promote together, each counted by campaign: four million
  /// are 40 each of the hundred thousand that we measure with.
  package static let campaignItems = 4_000_000
  /// A campaign file, bytes: 100,000 campaigns of 512 and a million items of 64 are 115 MB.
  package static let campaignFileBytes = 128 << 20
  /// Values that are composed at a time: a campaign that has all of a server's items, and half as
  /// many again. Yams takes 250 bytes for each.
  package static let campaignPartValues = 1_500_000
  /// Campaigns that are composed at a time, bytes: a hundred; fewer cost a parser for each.
  package static let campaignPartBytes = 64 << 10
  /// Nesting of `[` and `{`: four levels are in use. Yams recurses, 1.5 KB of stack for each.
  package static let campaignNesting = 16
  /// Columns of indentation, which bound the nesting of blocks: eight for each level in use.
  package static let campaignIndent = 64
  /// Caps of one campaign: three scopes by day, week and month, less one.
  package static let campaignCaps = 8
  /// The window of a cap, seconds: 90 days.
  package static let campaignCapSeconds: UInt32 = 90 * 86_400
  /// Markets, surfaces, tiers or segments of one campaign: four times as many as countries.
  package static let campaignNamesEach = 1_024
  /// An item, surface, tier, segment or salt, bytes: as long as any other name.
  package static let campaignNameBytes = 1_024
  /// A flight, milliseconds: ten years.
  package static let campaignFlightMilliseconds: Int64 = 3_653 * 86_400_000
}
