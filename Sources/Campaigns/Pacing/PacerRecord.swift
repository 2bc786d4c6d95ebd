internal import Core

/// What is stored of a campaign's pace: what its pacer has learned, and where its plan begins.
package struct PacerRecord: Sendable, Equatable {
  /// The campaign's key.
  package var key: UInt64
  /// Where the plan begins, wall time, milliseconds, and what was spent then, micros.
  package var anchor: Int64
  package var anchorSpent: Double
  package var memory: PacerMemory

  package init(key: UInt64, _ pacer: DualPacer) {
    self.key = key
    anchor = pacer.plan.anchor
    anchorSpent = pacer.plan.anchorSpent
    memory = pacer.memory
  }

  private init(_ words: ArraySlice<UInt64>) {
    let words = Array(words)
    (key, anchor) = (words[0], Int64(bitPattern: words[1]))
    anchorSpent = Double(bitPattern: words[2])
    memory = PacerMemory()
    memory.price = Double(bitPattern: words[3])
    memory.meanReturn = Double(bitPattern: words[4])
    memory.exposures = Double(bitPattern: words[5])
  }

  private var words: [UInt64] {
    [key, UInt64(bitPattern: anchor)]
      + [anchorSpent, memory.price, memory.meanReturn, memory.exposures].map(\.bitPattern)
  }

  private var isSound: Bool {
    anchorSpent.isFinite && memory.price.isFinite && memory.meanReturn.isFinite
      && memory.exposures.isFinite && memory.exposures >= 0
  }

  private static let version: UInt64 = 1
  private static let wordCount = 6

  /// `NoteWords`: version, then six of each record.
  package static func encode(_ records: [PacerRecord]) -> [UInt8] {
    NoteWords.encode([version] + records.flatMap(\.words))
  }

  /// nil for anything that `encode` does not write.
  package static func decode(_ bytes: [UInt8]) -> [PacerRecord]? {
    guard let words = NoteWords.decode(bytes), words.count % wordCount == 1, words[0] == version
    else { return nil }
    let records = stride(from: 1, to: words.count, by: wordCount).map {
      PacerRecord(words[$0..<$0 + wordCount])
    }
    return records.allSatisfy(\.isSound) ? records : nil
  }
}
