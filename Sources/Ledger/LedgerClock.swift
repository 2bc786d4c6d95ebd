internal import Core

/// The ledger's time: milliseconds that never go back, in step with the time since boot, whatever
/// becomes of the wall clock. Pure: readings are passed in.
package struct LedgerClock: Sendable, Equatable {
  /// What the machine's clocks show.
  package struct Reading: Sendable, Equatable {
    /// CLOCK_BOOTTIME: it goes on while the machine sleeps.
    package var bootMilliseconds: Int64
    /// /proc/sys/kernel/random/boot_id.
    package var bootID: RequestID
    /// Since 1970.
    package var unixMilliseconds: Int64

    package init(bootMilliseconds: Int64, bootID: RequestID, unixMilliseconds: Int64) {
      self.bootMilliseconds = bootMilliseconds
      self.bootID = bootID
      self.unixMilliseconds = unixMilliseconds
    }
  }

  /// At which time of a boot it was what ledger time. Stored as a note.
  package struct Anchor: Sendable, Equatable {
    package var ledgerMilliseconds: Int64
    package var bootMilliseconds: Int64
    package var bootID: RequestID

    package init(ledgerMilliseconds: Int64, bootMilliseconds: Int64, bootID: RequestID) {
      self.ledgerMilliseconds = ledgerMilliseconds
      self.bootMilliseconds = bootMilliseconds
      self.bootID = bootID
    }
  }

  package let anchor: Anchor
  /// Whether time was counted on through the restart. If not, nobody knows how long it took.
  package let isSameBoot: Bool
  private var last: Int64

  /// - Parameters:
  ///   - stored: the anchor of the last start; nil = there was none.
  ///   - lastTime: the latest ledger time that is known to have been; `Int64.min` = none.
  package init(resuming stored: Anchor?, lastTime: Int64, reading: Reading) {
    if let stored, stored.bootID == reading.bootID,
      reading.bootMilliseconds >= stored.bootMilliseconds
    {
      let counted =
        stored.ledgerMilliseconds + (reading.bootMilliseconds - stored.bootMilliseconds)
      last = max(counted, lastTime)
      isSameBoot = true
    } else {
      let known = max(stored?.ledgerMilliseconds ?? .min, lastTime)
      last = max(known, reading.unixMilliseconds)
      isSameBoot = false
    }
    anchor = Anchor(
      ledgerMilliseconds: last, bootMilliseconds: reading.bootMilliseconds, bootID: reading.bootID)
  }

  /// Ledger time at a time of this boot; never less than it has been.
  package mutating func now(bootMilliseconds: Int64) -> Int64 {
    last = max(last, anchor.ledgerMilliseconds + (bootMilliseconds - anchor.bootMilliseconds))
    return last
  }
}

extension LedgerClock.Anchor {
  /// 32 bytes, little-endian: ledger and boot milliseconds, the boot's id.
  package var encoded: [UInt8] {
    NoteWords.encode([
      UInt64(bitPattern: ledgerMilliseconds), UInt64(bitPattern: bootMilliseconds), bootID.high,
      bootID.low,
    ])
  }

  /// nil = not what `encoded` makes.
  package init?(encoded: [UInt8]) {
    guard let words = NoteWords.decode(encoded, count: 4) else { return nil }
    self.init(
      ledgerMilliseconds: Int64(bitPattern: words[0]),
      bootMilliseconds: Int64(bitPattern: words[1]),
      bootID: RequestID(high: words[2], low: words[3]))
  }
}
