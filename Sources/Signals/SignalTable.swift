internal import Core

/// The items or the users of a snapshot: ids, columns and embeddings, all in one file's bytes.
///
/// Immutable. Pointers that it hands out, also inside `Column` and `Embedding`, are valid as long
/// as the table is held.
// Unchecked: nobody writes to the bytes of `file`, which everything here points into.
package final class SignalTable: @unchecked Sendable {
  /// Holds the memory that everything here points into.
  private let file: FileBytes
  package let rowCount: Int
  /// `rowCount` ids, u64, little-endian, at any alignment.
  package let ids: UnsafeRawPointer
  private let idIndex: IDIndex
  private let uriIndex: URIIndex?
  /// In the order of their names.
  package let columns: [Column]
  /// In the order of their names.
  package let embeddings: [Embedding]
  private let columnIndexes: [String: Int]
  private let embeddingIndexes: [String: Int]

  init(
    file: FileBytes, rowCount: Int, ids: UnsafeRawPointer, idIndex: consuming IDIndex,
    uriIndex: consuming URIIndex?, columns: [Column], embeddings: [Embedding]
  ) {
    self.file = file
    self.rowCount = rowCount
    self.ids = ids
    self.idIndex = idIndex
    self.uriIndex = uriIndex
    self.columns = columns
    self.embeddings = embeddings
    columnIndexes = Dictionary(
      uniqueKeysWithValues: columns.enumerated().map { ($1.name, $0) })
    embeddingIndexes = Dictionary(
      uniqueKeysWithValues: embeddings.enumerated().map { ($1.name, $0) })
  }

  /// The id of `row`, which must be below `rowCount`.
  package func id(_ row: Int) -> UInt64 {
    precondition(row >= 0 && row < rowCount)
    return UInt64(littleEndian: (ids + row * 8).loadUnaligned(as: UInt64.self))
  }

  /// Whether rows have URIs.
  package var hasURIs: Bool { uriIndex != nil }

  /// The URI of `row`, UTF-8; empty when the table has none.
  package func uri(_ row: Int) -> UnsafeRawBufferPointer {
    precondition(row >= 0 && row < rowCount)
    return uriIndex?.uri(row) ?? UnsafeRawBufferPointer(start: nil, count: 0)
  }

  /// The row with `id`; −1 when there is none.
  package func row(ofID id: UInt64) -> Int {
    idIndex.row(of: id)
  }

  /// The row with exactly the bytes of `uri`; −1 when there is none.
  package func row(ofURI uri: UnsafeRawBufferPointer) -> Int {
    uriIndex?.row(of: uri) ?? -1
  }

  /// The rows of `count` ids (u64, little-endian, at any alignment), −1 where there is none.
  package func rows(
    of ids: UnsafeRawPointer, count: Int, into rows: UnsafeMutablePointer<Int32>
  ) {
    idIndex.rows(of: ids, count: count, into: rows)
  }

  package func column(named name: String) -> Column? {
    columnIndexes[name].map { columns[$0] }
  }

  package func embedding(named name: String) -> Embedding? {
    embeddingIndexes[name].map { embeddings[$0] }
  }
}
