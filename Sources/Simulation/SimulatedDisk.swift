internal import Core

/// A disk that forgets: what was written and not synced is lost when the power goes, or kept in
/// part.
final class SimulatedDisk {
  /// Where the machine can stop within one write.
  enum CrashPoint: CaseIterable {
    case beforeWrite
    case duringWrite
    case beforeSync
    case afterSync
  }

  /// Everything that was written; what lies behind `syncedBytes` is not safe yet.
  private(set) var bytes: [UInt8] = []
  private var syncedBytes = 0
  /// Where the next write stops the machine.
  var crash: CrashPoint?
  /// The next write fails, and the machine goes on.
  var failsNext = false
  /// Nothing can be asked until `restart`.
  private(set) var isDown = false
  /// A broken disk: it says that it has synced.
  private let ignoresSync: Bool
  private var random: SplitMix64

  init(seed: UInt64, ignoresSync: Bool) {
    random = SplitMix64(seed: seed)
    self.ignoresSync = ignoresSync
  }

  enum Failure: Error {
    case stopped
    case failed
  }

  /// Appends and syncs.
  func append(_ group: [UInt8]) throws(Failure) {
    precondition(!isDown)
    if failsNext {
      failsNext = false
      throw .failed
    }
    let point = crash
    crash = nil
    if point == .beforeWrite { throw stop() }
    if point == .duringWrite {
      bytes += group[..<random.below(group.count)]
      throw stop()
    }
    bytes += group
    if point == .beforeSync { throw stop() }
    if !ignoresSync { syncedBytes = bytes.count }
    if point == .afterSync { throw stop() }
  }

  /// The process stops between two writes.
  func stopNow() { isDown = true }

  /// What is there afterwards. Where the power was gone, all or a part of what was not synced, its
  /// last bytes perhaps damaged; else all that was written.
  func restart(afterPowerLoss: Bool) -> [UInt8] {
    if afterPowerLoss, bytes.count > syncedBytes, random.isOne(in: 2) {
      bytes.removeLast(random.below(bytes.count - syncedBytes + 1))
      let kept = bytes.count - syncedBytes
      if kept > 0, random.isOne(in: 2) {
        bytes[bytes.count - 1 - random.below(min(kept, 64))] ^= UInt8(1 + random.below(255))
      }
    }
    syncedBytes = bytes.count
    (crash, failsNext, isDown) = (nil, false, false)
    return bytes
  }

  /// Drops what is no whole group.
  func truncate(to count: Int) {
    bytes.removeLast(bytes.count - count)
    syncedBytes = min(syncedBytes, count)
  }

  private func stop() -> Failure {
    isDown = true
    return .stopped
  }
}

extension SplitMix64 {
  /// 0 ..< count, which is more than 0.
  mutating func below(_ count: Int) -> Int { Int(next() % UInt64(count)) }

  mutating func isOne(in count: Int) -> Bool { next() % UInt64(count) == 0 }
}
