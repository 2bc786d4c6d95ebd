internal import Core

/// What the entries come to that one slice of a compaction moves over.
struct CompactionSlice {
  private let first: Int64
  /// The last entry of the slice.
  var through: Int64
  var entries = 0
  /// As they were before the slice.
  var accounts: [UInt64: CampaignTotals] = [:]
  /// Leases of which something has changed.
  var leases: Set<UInt64> = []
  /// Made within the slice and still open, with the sequences of their entries: these stay.
  var reserves: [UInt64: Int64] = [:]
  /// Ended within the slice, and made before it: their `reserve`s go now.
  var ended: [UInt64] = []

  init(after sequence: Int64) {
    first = sequence + 1
    through = sequence
  }

  /// Of the storage, about: those of its entries, an account's two to four, a lease's one.
  var rows: Int { entries + ended.count + 3 * accounts.count + leases.count }

  /// Entries that go.
  var dropped: Int { entries - reserves.count + ended.count }

  /// The sequences of what goes, but for `ended`.
  var ranges: [ClosedRange<Int64>] {
    var ranges: [ClosedRange<Int64>] = []
    var from = first
    for kept in reserves.values.sorted() {
      if from < kept { ranges.append(from...(kept - 1)) }
      from = kept + 1
    }
    if from <= through { ranges.append(from...through) }
    return ranges
  }
}

extension CampaignTotals {
  /// What an opening tells: as if nothing were leased or reserved, which entries behind it tell.
  subscript(subject: OpeningSubject) -> Int64 {
    switch subject {
    case .owner: owner.value
    case .budget: funded.value - spent.value
    case .spent: spent.value
    case .exposures: exposures
    case .goals: goals
    case .unpaidExposures: unpaidExposures
    case .unpaidMicros: unpaid.value
    }
  }
}
