internal import Synchronization

/// Which users may have anything that caps count: one bit for each hash, set before anybody is told
/// of a reservation and never cleared. A loop that finds no bit need not ask the user's shard.
package final class UserPresence: Sendable {
  private static let bits = 1 << 23
  // Unsafe: the pointer never changes, and what it points to is atomic.
  private nonisolated(unsafe) let words: UnsafeMutablePointer<Atomic<UInt64>>

  package init() {
    words = .allocate(capacity: UserPresence.bits / 64)
    for index in 0..<UserPresence.bits / 64 {
      (words + index).initialize(to: Atomic(0))
    }
  }

  deinit {
    words.deinitialize(count: UserPresence.bits / 64)
    words.deallocate()
  }

  /// `hash`: `splitmix64` of the user's id. By a user's shard.
  package func add(_ hash: UInt64) {
    let bit: UInt64 = 1 << (hash >> 58)
    _ = words[word(hash)].bitwiseOr(bit, ordering: .releasing)
  }

  /// False: the user has nothing. From any thread.
  package func mayHave(_ hash: UInt64) -> Bool {
    words[word(hash)].load(ordering: .acquiring) & 1 << (hash >> 58) != 0
  }

  private func word(_ hash: UInt64) -> Int {
    Int(truncatingIfNeeded: hash >> 20 & UInt64(UserPresence.bits / 64 - 1))
  }
}
