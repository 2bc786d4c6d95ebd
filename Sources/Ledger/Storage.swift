/// What is stored, one kind after the other in the order in which it was committed.
package enum StoredRecord: Sendable, Equatable {
  case entry(JournalEntry)
  case allocation(StoredAllocation)
  case campaign(StoredCampaign)
  /// The last value of a key counts.
  case note(key: String, value: [UInt8])
}

/// The client's name of an allocation.
package struct RequestID: Sendable, Hashable, BitwiseCopyable, CustomStringConvertible {
  package var high: UInt64
  package var low: UInt64

  package init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// 32 hexadecimal digits.
  package var description: String {
    [high, low].map { word in
      let digits = String(word, radix: 16)
      return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }.joined()
  }
}

/// An answered `Allocate`: what makes it idempotent.
package struct StoredAllocation: Sendable, Equatable {
  package var user: UInt64
  package var requestID: RequestID
  /// The first 16 bytes of the request's SHA-256.
  package var digest: RequestID
  /// Ledger time.
  package var expires: Int64
  /// The answer, byte for byte.
  package var answer: [UInt8]

  package init(
    user: UInt64, requestID: RequestID, digest: RequestID, expires: Int64, answer: [UInt8]
  ) {
    self.user = user
    self.requestID = requestID
    self.digest = digest
    self.expires = expires
    self.answer = answer
  }

  /// As messages name it.
  package var name: String {
    "the answer of the allocation with request_id \(requestID) of user \(user)"
  }
}

/// A campaign's definition. The last one of an id counts.
package struct StoredCampaign: Sendable, Equatable {
  package var id: String
  package var key: UInt64
  /// As a campaign file holds it: one campaign, or the policy where `id` is empty.
  package var document: String
  package var isPaused: Bool

  package init(id: String, key: UInt64, document: String, isPaused: Bool) {
    self.id = id
    self.key = key
    self.document = document
    self.isPaused = isPaused
  }
}

/// Storage cannot do what it must: what was asked for last is durable whole or not at all, and
/// nothing more may be asked, unless `isTransient` says otherwise. The process stops allocating.
package struct StorageError: Error, Sendable, Equatable, CustomStringConvertible {
  package var operation: String
  package var reason: String
  /// What is stored is not what was written: no other try will find it better.
  package var isDamage: Bool
  /// Of a commit: nothing of the group is stored, and the same group may be offered again, with
  /// what has come since behind it.
  package var isTransient = false

  package init(operation: String, reason: String, isDamage: Bool = false) {
    self.operation = operation
    self.reason = reason
    self.isDamage = isDamage
  }

  package var description: String { "\(operation): \(reason)" }
}

/// A durable, ordered, atomic store. One owner at a time: a second one is refused when it opens.
/// The seam between the embedded store, a simulation's disk, and a distributed one. Besides, it
/// refuses what would pay twice, whatever its owner believes: two `reserve`s of one reservation,
/// two that take its money out (`settle`, `release`), two late ones (`settleLate`, `unpaid`) or a
/// late one beside a `settle`, two `goal`s.
package protocol Storage: AnyObject {
  /// Makes `records` durable, all or none, in this order; returns after they are. After an error
  /// nothing is accepted any more, but after a transient one.
  func commit(_ records: [StoredRecord]) throws(StorageError)

  /// Everything that is stored: notes and campaigns (the last of each), then allocations that have
  /// not been dropped (with empty answers), then openings, then entries in order of their commits
  /// with their sequence numbers, which rise; all else has sequence 0. `false` ends it early.
  func recover(_ visit: (_ record: StoredRecord, _ sequence: Int64) -> Bool) throws(StorageError)

  /// The answer of an allocation, byte for byte; nil = there is none.
  func answer(user: UInt64, requestID: RequestID) throws(StorageError) -> [UInt8]?

  /// The first entries behind a sequence, rising, at most `limit`.
  func entries(
    after sequence: Int64, limit: Int
  ) throws(StorageError) -> [(sequence: Int64, entry: JournalEntry)]

  /// Puts openings in the place of old entries, and drops old allocations; all or nothing. Returns
  /// how many allocations went.
  @discardableResult
  func compact(_ compaction: Compaction) throws(StorageError) -> Int

  /// Notes, apart from what is stored, how far that has come, so that a start sees when less of it
  /// is there. Called now and then.
  func mark() throws(StorageError)

  /// Leaves everything in order. The last that is asked for.
  func close() throws(StorageError)
}

extension Storage {
  package func mark() throws(StorageError) {}
  package func close() throws(StorageError) {}
}

/// What one slice of a compaction drops and what it puts in its place. With the entries that stay,
/// the openings come to what was there before.
package struct Compaction: Sendable, Equatable {
  /// The last entry of the slice; what is older is not wanted any more, but for the `reserve`s of
  /// open reservations. 0 = nothing of the journal changes.
  package var through: Int64 = 0
  /// Sequences of the entries that go, rising; there need not be one of each.
  package var dropped: [ClosedRange<Int64>] = []
  /// Reservations whose `reserve`s go, too.
  package var ended: [UInt64] = []
  /// An `opening` takes the place of the one of the same campaign and subject, a `lease` that of
  /// the one with the same id; where there is none it is new. `recover` gives all `opening`s before
  /// all `lease`s.
  package var openings: [JournalEntry] = []
  /// Leases that are opened no more; not all of them were.
  package var endedLeases: [UInt64] = []
  /// Of allocations that expire before this ledger time, the oldest go; the last of all stays: it
  /// says how late it has been.
  package var allocationsBefore: Int64
  /// How many of them at most.
  package var allocations: Int
  /// Ledger time at which this was decided; nil = it does not matter. Stored with the rest as the
  /// note `timeKey`: a later start does not go back behind it, when what has gone was still wanted.
  package var time: Int64?

  package static let timeKey = "ledger.time"

  package init(allocationsBefore: Int64 = .min, allocations: Int = 0) {
    self.allocationsBefore = allocationsBefore
    self.allocations = allocations
  }
}
