internal import Core

/// Sixty-four bits of what a row says, kept beside it: a row that is changed without them shows.
/// They are no secret, and whoever knows how they are made can make them anew: they find damage
/// and changes by hand, not a forger.
package enum RowSeal {
  /// - Parameter place: the entry's sequence; of the opening number n, from 0, -1 - n.
  package static func of(_ entry: JournalEntry, place: Int64) -> UInt64 {
    var mixer = Mixer(kind: 1)
    mixer.add(place)
    mixer.add(UInt64(entry.kind.rawValue))
    mixer.add(entry.at)
    mixer.add(entry.campaign)
    mixer.add(entry.amount.value)
    mixer.add(entry.lease)
    mixer.add(entry.reservation)
    mixer.add(entry.user)
    mixer.add(entry.item)
    mixer.add(entry.artist)
    mixer.add(entry.release)
    mixer.add(entry.expires)
    return mixer.end
  }

  package static func of(_ campaign: StoredCampaign) -> UInt64 {
    var mixer = Mixer(kind: 2)
    mixer.add(Array(campaign.id.utf8))
    mixer.add(campaign.key)
    mixer.add(Array(campaign.document.utf8))
    mixer.add(campaign.isPaused ? 1 as UInt64 : 0)
    return mixer.end
  }

  /// - Parameter answer: of the allocation, whose own is not looked at.
  package static func of(
    _ allocation: StoredAllocation, answer: UnsafeRawBufferPointer
  ) -> UInt64 {
    var mixer = Mixer(kind: 5)
    mixer.add(allocation.user)
    mixer.add(allocation.requestID.high)
    mixer.add(allocation.requestID.low)
    mixer.add(allocation.digest.high)
    mixer.add(allocation.digest.low)
    mixer.add(allocation.expires)
    mixer.add(answer)
    return mixer.end
  }

  package static func of(_ allocation: StoredAllocation) -> UInt64 {
    allocation.answer.withUnsafeBytes { of(allocation, answer: $0) }
  }

  package static func ofNote(key: String, value: [UInt8]) -> UInt64 {
    var mixer = Mixer(kind: 3)
    mixer.add(Array(key.utf8))
    mixer.add(value)
    return mixer.end
  }

  /// Of a text that stands alone.
  package static func of(text: String) -> UInt64 {
    var mixer = Mixer(kind: 4)
    mixer.add(Array(text.utf8))
    return mixer.end
  }

  private struct Mixer {
    private var state: UInt64

    init(kind: UInt64) { state = splitmix64(kind) }

    mutating func add(_ word: UInt64) {
      state = (state ^ word) &* 0x9E37_79B9_7F4A_7C15
      state ^= state >> 32
    }

    mutating func add(_ word: Int64) { add(UInt64(bitPattern: word)) }

    mutating func add(_ bytes: [UInt8]) { bytes.withUnsafeBytes { add($0) } }

    mutating func add(_ bytes: UnsafeRawBufferPointer) {
      add(UInt64(bytes.count))
      var at = 0
      while at + 8 <= bytes.count {
        add(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self)))
        at += 8
      }
      var last: UInt64 = 0
      for index in at..<bytes.count { last = last << 8 | UInt64(bytes[index]) }
      add(last)
    }

    var end: UInt64 { splitmix64(state) }
  }
}

/// What a storage keeps of its rows apart from them, changed in one step with them: rows that come,
/// go or change without it show.
package struct StoredSums: Sendable, Equatable {
  /// Random: which ledger it is.
  package var ledger: Int64
  /// Groups that were ever committed, and compactions.
  package var commits: Int64 = 0
  /// The last that an entry was given.
  package var sequence: Int64 = 0
  /// Entries and openings that are there.
  package var entries: Int64 = 0
  // Of the seals of all rows that are there; they wrap.
  package var entrySum: UInt64 = 0
  package var campaignSum: UInt64 = 0
  package var noteSum: UInt64 = 0
  /// nil = the layout is an earlier one, which kept none.
  package var allocationSum: UInt64? = 0

  package init(ledger: Int64) {
    self.ledger = ledger
  }

  package mutating func add(entry seal: UInt64) {
    entries += 1
    entrySum &+= seal
  }

  package mutating func remove(entry seal: UInt64) {
    entries -= 1
    entrySum &-= seal
  }

  /// What of the rows these sums are not, against those that were kept; nil = they agree.
  package func difference(from kept: StoredSums) -> String? {
    let missing = kept.entries - entries
    if missing > 0 { return "\(missing) entries of the journal are missing" }
    if missing < 0 { return "\(-missing) entries of the journal are not the server's" }
    if entrySum != kept.entrySum { return "entries of the journal are not as they were written" }
    if campaignSum != kept.campaignSum {
      return "definitions of campaigns are missing, or not as they were written"
    }
    if noteSum != kept.noteSum { return "notes are missing, or not as they were written" }
    if let sum = kept.allocationSum, sum != allocationSum {
      return "answers of allocations are missing, or not as they were written"
    }
    return nil
  }
}
