import Core

/// A disk that forgets: what was written and not synced is lost in a crash, or kept in part.
final class FakeDisk {
  /// Where a crash can strike.
  enum Point: CaseIterable {
    case beforeWrite
    case duringWrite
    case beforeSync
    case afterSync
  }

  private(set) var synced: [UInt8] = []
  private(set) var pending: [UInt8] = []
  /// Writes until the next crash, and where it strikes; nil = none comes.
  var crash: (writes: Int, point: Point)?
  private(set) var isDown = false
  /// A broken disk: sync does nothing.
  var ignoresSync = false

  private var random: SplitMix64

  init(seed: UInt64) { random = SplitMix64(seed: seed) }

  struct Crash: Error {}

  /// Appends and syncs.
  func append(_ bytes: [UInt8]) throws(Crash) {
    let point = nextPoint()
    if point == .beforeWrite { throw down() }
    if point == .duringWrite {
      pending += bytes.prefix(Int.random(in: 0..<bytes.count, using: &random))
      throw down()
    }
    pending += bytes
    if point == .beforeSync { throw down() }
    if !ignoresSync {
      synced += pending
      pending = []
    }
    if point == .afterSync { throw down() }
  }

  /// A new file takes the old one's place, as by rename: before it or after it, nothing between.
  func replace(_ bytes: [UInt8]) throws(Crash) {
    let point = nextPoint()
    if point == .beforeWrite || point == .duringWrite { throw down() }
    synced = bytes
    pending = []
    if point != nil { throw down() }
  }

  /// What is there after a crash: a part of what was not synced, its last bytes perhaps damaged.
  func restart() -> [UInt8] {
    var kept = Array(pending.prefix(Int.random(in: 0...pending.count, using: &random)))
    if !kept.isEmpty, Bool.random(using: &random) {
      let at = Int.random(in: max(0, kept.count - 64)..<kept.count, using: &random)
      kept[at] ^= UInt8.random(in: 1...255, using: &random)
    }
    synced += kept
    pending = []
    isDown = false
    crash = nil
    return synced
  }

  func truncate(to count: Int) { synced.removeLast(synced.count - count) }

  private func nextPoint() -> Point? {
    precondition(!isDown)
    guard let next = crash else { return nil }
    crash?.writes -= 1
    return next.writes <= 0 ? next.point : nil
  }

  private func down() -> Crash {
    isDown = true
    return Crash()
  }
}
