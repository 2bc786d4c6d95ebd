internal import Core

/// The caps of one user, to read: words that lie in a `CapTable` or were copied out of it.
///
/// Words: the user's id (2) · one byte for the number of entries and one for each entry, padded ·
/// the entries: key (2), then of an exact one its timestamps, oldest first, and of an estimate
/// window in seconds, bucket, count of the bucket before, count of the bucket.
/// An entry's byte: scope (bits 0–1), estimate (2), timestamps (3–6), forgotten (7).
package struct CapRecord: BitwiseCopyable {
  package let words: UnsafePointer<UInt32>

  /// `words` outlives the record and starts as `CapTable.copyScopes` left it.
  package init(words: UnsafePointer<UInt32>) {
    self.words = words
  }

  package var user: UInt64 { CapRecord.load(words) }

  /// At most `Limits.capEntriesPerUser`.
  package var entryCount: Int { Int(bytes[0]) }

  /// What the record takes.
  package var wordCount: Int {
    var count = CapRecord.headWords(entries: entryCount)
    for index in 0..<entryCount { count &+= Mark(bytes[1 &+ index]).words }
    return count
  }

  /// The most that a record takes.
  package static var wordsMost: Int {
    headWords(entries: Limits.capEntriesPerUser)
      + Limits.capEntriesPerUser * (2 + max(Limits.capExactLimit, 4))
  }

  /// Calls `body` with every entry until it answers false.
  @inline(__always)
  package func forEach(_ body: (CapEntry) -> Bool) {
    let count = entryCount
    var entry = words + CapRecord.headWords(entries: count)
    for index in 0..<count {
      let mark = Mark(bytes[1 &+ index])
      guard body(CapEntry(mark: mark, words: entry)) else { return }
      entry += mark.words
    }
  }

  /// Whether one more exposure at `now` (of the table's `CapClock`) keeps the rule.
  ///
  /// Limits up to `Limits.capExactLimit` are exact: it is false if and only if as many exposures
  /// as the limit are at most a window old. It is false too where timestamps were forgotten that
  /// may count: when the rule is newer than they are, or newer ones were released since.
  /// Larger limits go by `CapEntry.estimate`, of what came since their window is kept
  /// (`CapKeeping.counted`).
  package func allows(_ requirement: CapRequirement, at now: UInt32) -> Bool {
    let rule = requirement.rule
    let isExact = rule.limit <= Limits.capExactLimit
    var answer = rule.limit > 0
    forEach { entry in
      guard entry.key == requirement.key, entry.scope == rule.scope, entry.isEstimate != isExact,
        isExact || entry.windowSeconds == rule.windowSeconds
      else { return true }
      answer =
        isExact
        ? entry.exactAllows(rule, at: now) : entry.estimate(at: now) < UInt64(rule.limit)
      return false
    }
    return answer
  }

  var bytes: UnsafePointer<UInt8> {
    UnsafeRawPointer(words + 2).assumingMemoryBound(to: UInt8.self)
  }

  static func headWords(entries: Int) -> Int { 2 &+ (entries &+ 4) / 4 }

  @inline(__always)
  static func load(_ words: UnsafePointer<UInt32>) -> UInt64 {
    UInt64(words[0]) | UInt64(words[1]) &<< 32
  }

  /// An entry's byte.
  struct Mark: BitwiseCopyable {
    var byte: UInt8

    init(_ byte: UInt8) {
      self.byte = byte
    }

    init(scope: CapScope, timestamps: Int, isForgotten: Bool) {
      byte = scope.rawValue | UInt8(timestamps) &<< 3 | (isForgotten ? 0x80 : 0)
    }

    init(estimateOf scope: CapScope) {
      byte = scope.rawValue | 0x04
    }

    var scopeBits: UInt8 { byte & 0x03 }
    var isEstimate: Bool { byte & 0x04 != 0 }
    var timestamps: Int { Int(byte &>> 3 & 0x0F) }
    var isForgotten: Bool { byte & 0x80 != 0 }
    /// Of the entry, its key among them.
    var words: Int { 2 &+ (isEstimate ? 4 : timestamps) }
  }
}

/// One scope of a user.
package struct CapEntry: BitwiseCopyable {
  let mark: CapRecord.Mark
  let words: UnsafePointer<UInt32>

  package var scope: CapScope { CapScope(rawValue: mark.scopeBits) ?? .userCampaign }
  package var key: UInt64 { CapRecord.load(words) }
  /// Of one window, instead of timestamps.
  package var isEstimate: Bool { mark.isEstimate }
  /// Older timestamps than those here were dropped while they could count.
  package var isForgotten: Bool { mark.isForgotten }
  /// Exact: 1 to `Limits.capExactLimit`; 0 of an estimate.
  package var count: Int { mark.isEstimate ? 0 : mark.timestamps }
  /// Exact: `count` of them, deciseconds of the table's `CapClock`, oldest first.
  package var timestamps: UnsafePointer<UInt32> { words + 2 }
  /// Of an estimate.
  package var windowSeconds: UInt32 { words[2] }

  /// Of timestamps, oldest first, those at most a window old are the last.
  func exactAllows(_ rule: CapRule, at now: UInt32) -> Bool {
    let window = UInt64(rule.windowSeconds) &* 10
    var counted = 0
    while counted < count,
      CapEntry.age(timestamps[count &- 1 &- counted], at: now) <= window
    {
      counted &+= 1
    }
    if isForgotten && counted == count { return false }
    return counted < Int(rule.limit)
  }

  /// Exposures within the window that ends at `now`: those of this bucket, and of the bucket
  /// before the part that still overlaps, rounded up, as if they had come evenly. It is short by
  /// at most (elapsed part of this bucket) × (count of the bucket before): if all of those came
  /// at that bucket's end. So a limit L is exceeded by less than L within any one window, and by
  /// nothing where exposures come evenly.
  func estimate(at now: UInt32) -> UInt64 {
    let window = UInt64(words[2]) &* 10
    let bucket = UInt64(now) / window
    var previous = UInt64(words[4])
    var current = UInt64(words[5])
    var elapsed = UInt64(now) % window
    let known = UInt64(words[3])
    if bucket < known {
      elapsed = 0
    } else if bucket == known + 1 {
      previous = current
      current = 0
    } else if bucket > known {
      return 0
    }
    // A bucket before this one means that a window is at most 2³² deciseconds: no overflow.
    let overlapping = previous == 0 ? 0 : (previous &* (window &- elapsed) &+ window &- 1) / window
    return overlapping &+ current
  }

  /// A timestamp after `now` is of age 0: it counts.
  @inline(__always)
  static func age(_ timestamp: UInt32, at now: UInt32) -> UInt64 {
    now > timestamp ? UInt64(now &- timestamp) : 0
  }

  /// Nothing in it counts any more for windows up to `longest` seconds.
  func isExpired(at now: UInt32, longest: UInt32) -> Bool {
    if isEstimate { return UInt64(now) / (UInt64(words[2]) &* 10) > UInt64(words[3]) + 1 }
    return CapEntry.age(timestamps[count &- 1], at: now) > UInt64(longest) &* 10
  }
}
