/// Of the ledger and its store.
extension Limits {
  // MARK: The ledger

  /// Campaigns that have accounts: ten times as many as are to be live.
  package static let ledgerCampaigns = 1 << 20
  /// Reservations of one shard that are open: half an hour of 580 a second; 100 MB.
  package static let openReservations = 1 << 20
  /// Reservations of one shard that are open, or have ended and are remembered to know their
  /// reports again: a day of 190 a second; 8 bytes each, at a load of 0.53 to 0.8.
  package static let rememberedReservations = 16 << 20
  /// Answered requests of one shard that are kept to be idempotent: as many as open reservations.
  package static let idempotentRequests = 1 << 20
  /// Starts of a server on one folder: reservation ids hold 21 bits of it, one start a minute for
  /// four years.
  package static let ledgerStarts = 1 << 21
  /// Rows that one slice of a compaction reads or writes, at least: about a millisecond of the
  /// store's thread, and a sync.
  package static let compactionRows = 400
  /// And at most, where more are done in time.
  package static let compactionRowsMost = 6_400
  /// How long a slice may hold up a group, nanoseconds, about: some commits.
  package static let compactionNanoseconds: UInt64 = 4_000_000
  /// How much of its time the store's thread compacts, as long as there is more to do: one part in
  /// so many; where nothing else is to be done; and where many slices, some seconds, did not do.
  package static let compactionShare: UInt64 = 10
  package static let compactionShareIdle: UInt64 = 2
  package static let compactionShareBehind: UInt64 = 3
  package static let compactionSlicesBehind = 64
  /// How often it looks for allocations that are over, milliseconds of ledger time.
  package static let compactionAllocationMilliseconds: Int64 = 10_000
  /// The share of a budget that may lie in leases, as a divisor: 1 ÷ 200 = 0.5 %.
  package static let leasedShare: Int64 = 200
  /// How long the storage's owner waits for a reader that opens or closes its file, milliseconds.
  package static let storageBusyMilliseconds: Int32 = 5_000
  /// Pages of 4 KiB in the write-ahead log before a commit copies them into the file. Measured at
  /// 1,000, 4,000 and 16,000: as many rows a second, but the commit that copies takes four times
  /// as long.
  package static let storageLogPages = 1_000
  /// How often the ledger's file of how far it has come is written anew, milliseconds: two syncs
  /// each, at most one commit in a hundred waits for them. What is lost of later commits while no
  /// server runs is not seen.
  package static let storageMarkMilliseconds: Int64 = 2_000
  /// How long a stop waits for readers, before it leaves the write-ahead log as it is.
  package static let storageStopMilliseconds: Int32 = 500
  /// The largest limit of a cap that is counted by exact timestamps: 32 bytes for each user and
  /// scope. Larger ones are estimated in 16.
  package static let capExactLimit = 8
  /// Windows by which a scope's larger limits are estimated: hours, days, weeks, months, each
  /// twice. Rules of more different windows share the next longer.
  package static let capWindows = 8
  /// Places in which one user's exposures are counted at a time: 42 placements with campaign,
  /// artist and release within the longest window, all of them new. A user beyond it counts as
  /// capped. A read-only copy stays below 5.3 KB.
  package static let capEntriesPerUser = 128

  // MARK: The ledger in a server

  /// A signing key's age, seconds, after which a start makes a new one: 90 days.
  package static let tokenKeySeconds: Int64 = 90 * 24 * 3_600
  /// How often the ledger ends what is over and prices are reckoned anew, milliseconds: a change
  /// is everywhere within a second.
  package static let ledgerTickMilliseconds: UInt64 = 500
  /// How long a shard asks for no lease of a campaign that had nothing to give, milliseconds.
  package static let leaseRetryMilliseconds: Int64 = 1_000
  /// Reservations and leases that one tick ends: some milliseconds of a shard.
  package static let ledgerExpiries = 10_000
  /// How often the demand of the day is stored, milliseconds: a restart loses less than a quarter
  /// hour of it.
  package static let trafficNoteMilliseconds: Int64 = 600_000
  /// How often at most what the model expects of campaigns that explore is stored out of turn, for
  /// one that is new in it, milliseconds: 24 bytes each, of 100,000 campaigns 240 kB a second.
  package static let expectationNoteMilliseconds: Int64 = 10_000
  /// How far a client's clock may be off, milliseconds, before the time of an exposure is refused.
  package static let exposureSkewMilliseconds: Int64 = 600_000
  /// How often a ledger whose storage takes nothing tries again, milliseconds: about as often as
  /// an operator looks.
  package static let ledgerRetryMilliseconds: Int64 = 1_000
  /// Records that wait for a storage that takes nothing: as many as one shard has reservations,
  /// 200 MB. Nothing new is begun meanwhile; these are what was under way, and what ends.
  package static let ledgerWaitingRecords = 1 << 20
  /// Over how long the longest commit is told, milliseconds, and at most twice that: some scrapes.
  package static let longestCommitMilliseconds: Int64 = 60_000
  /// Parts in which prices and spends are stored: 400 of 100,000 campaigns are one, in 19 KB (160).
  package static let noteParts = 256
  /// How often a part of the prices is stored, milliseconds: what was learned since is lost.
  package static let priceNoteMilliseconds: Int64 = 10_000
  /// How often what campaigns spent when is stored, milliseconds: the journal is kept for longer.
  package static let spendNoteMilliseconds: Int64 = 3_600_000
  /// Bytes of either that one tick stores, and one part more: 100,000 campaigns take two minutes.
  package static let noteBytes = 16 << 10
  /// Batches of one report that are not acknowledged: ten times a disk's latency at 1,000 a second.
  package static let reportBatches = 64
  /// Times that an allocation waits for leases before it does without.
  package static let leaseRounds = 8
}
