internal import Core
internal import Synchronization

/// Room for campaign files that wait for the desk, so that they are bounded however many clients
/// send them.
// Unchecked: the count is an atomic.
final class DocumentRoom: @unchecked Sendable {
  private let held = Atomic(0)
  private let limitBytes: Int

  init(limitBytes: Int) {
    self.limitBytes = limitBytes
  }

  /// False when these bytes are too many beside those that wait; a file alone always has room.
  func take(_ byteCount: Int) -> Bool {
    let now = held.add(byteCount, ordering: .relaxed).newValue
    if now <= limitBytes || now == byteCount { return true }
    held.subtract(byteCount, ordering: .relaxed)
    return false
  }

  func giveBack(_ byteCount: Int) {
    held.subtract(byteCount, ordering: .relaxed)
  }
}
