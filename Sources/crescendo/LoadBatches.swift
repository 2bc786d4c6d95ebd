import Core
import Load
import Signals
import Wire

/// What a run asks about: the batches of its calls, drawn from a list of items or a snapshot.
enum LoadBatches {
  /// Different batches of one run: enough that a server's caches meet them cold.
  static let countMax = 256

  /// Of the list of a file: all of it in every call, or `sizes` items drawn for each batch.
  static func from(
    _ items: ItemList, sizes: ClosedRange<Int>?, like request: ScoreRequestMessage, seed: UInt64
  ) throws(UsageError) -> [ScoreRequestMessage] {
    if !items.ids.isEmpty {
      return try from(rowCount: items.count, sizes: sizes, like: request, seed: seed) {
        $0.itemIDs = $1.map { items.ids[$0] }
      }
    }
    return try from(rowCount: items.count, sizes: sizes, like: request, seed: seed) {
      $0.itemURIs = $1.map { items.uris[$0] }
    }
  }

  /// Of a snapshot's items: `sizes` of them for each batch, else 64.
  static func from(
    _ items: SignalTable, sizes: ClosedRange<Int>?, like request: ScoreRequestMessage, seed: UInt64
  ) throws(UsageError) -> [ScoreRequestMessage] {
    let usual = min(64, items.rowCount)
    return try from(
      rowCount: items.rowCount, sizes: sizes ?? usual...usual, like: request, seed: seed
    ) {
      $0.itemIDs = $1.map { items.id($0) }
    }
  }

  private static func from(
    rowCount: Int, sizes: ClosedRange<Int>?, like request: ScoreRequestMessage, seed: UInt64,
    _ fill: (inout ScoreRequestMessage, [Int]) -> Void
  ) throws(UsageError) -> [ScoreRequestMessage] {
    guard let sizes else {
      var whole = request
      fill(&whole, Array(0..<rowCount))
      return [whole]
    }
    guard sizes.upperBound <= rowCount else {
      throw UsageError("--batch \(sizes.upperBound) is more than the \(rowCount) items there are")
    }
    var random = SplitMix64(seed: seed)
    var rows = Array(0..<rowCount)
    var batches: [ScoreRequestMessage] = []
    var bytes = 0
    while batches.count < countMax {
      let size = Int.random(in: sizes, using: &random)
      // The first `size` steps of Fisher and Yates' shuffle: items of a batch differ.
      for index in 0..<size {
        rows.swapAt(index, Int.random(in: index..<rowCount, using: &random))
      }
      var batch = request
      fill(&batch, Array(rows[..<size]))
      bytes += batch.itemURIs.reduce(8 * batch.itemIDs.count) { $0 + $1.utf8.count }
      guard batches.isEmpty || bytes <= RequestMix.bytesMax else { break }
      batches.append(batch)
    }
    return batches
  }

  /// The snapshot's users, or the first `count` of them.
  static func users(of snapshot: Snapshot, count: Int?) throws(UsageError) -> UserPopulation {
    guard let users = snapshot.users, users.rowCount > 0 else {
      return count.map { .numbered(count: $0) } ?? .anonymous
    }
    guard (count ?? 1) <= users.rowCount else {
      throw UsageError("--users \(count ?? 0) is more than the \(users.rowCount) of the snapshot")
    }
    return .ids((0..<(count ?? users.rowCount)).map { users.id($0) })
  }
}
