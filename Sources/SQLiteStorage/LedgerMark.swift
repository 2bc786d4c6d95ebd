package import Ledger

/// How far a ledger has come, kept in a small file beside it: less than that in the ledger itself
/// means that its end is lost. Never ahead of what is durable. A text, so that an operator can read
/// it:
///
///     crescendo ledger mark 1
///     ledger 0123456789abcdef
///     commits 42
///     sequence 1234
///     entries 1200
///     check fedcba9876543210
package struct LedgerMark: Sendable, Equatable {
  /// As `StoredSums` has them.
  package var ledger: Int64
  package var commits: Int64
  package var sequence: Int64
  package var entries: Int64

  package init(_ sums: StoredSums) {
    (ledger, commits) = (sums.ledger, sums.commits)
    (sequence, entries) = (sums.sequence, sums.entries)
  }

  /// nil = it is no mark.
  init?(_ text: String) {
    var numbers: [Int64] = []
    for (line, (name, radix)) in zip(
      text.split(separator: "\n").dropFirst(),
      [("ledger", 16), ("commits", 10), ("sequence", 10), ("entries", 10)])
    {
      guard line.hasPrefix(name + " "),
        let number = UInt64(line.dropFirst(name.utf8.count + 1), radix: radix)
      else { return nil }
      numbers.append(Int64(bitPattern: number))
    }
    guard numbers.count == 4 else { return nil }
    (ledger, commits, sequence, entries) = (numbers[0], numbers[1], numbers[2], numbers[3])
    guard self.text == text else { return nil }
  }

  var text: String {
    let text = """
      crescendo ledger mark 1
      ledger \(Self.hexadecimal(UInt64(bitPattern: ledger)))
      commits \(commits)
      sequence \(sequence)
      entries \(entries)

      """
    return text + "check \(Self.hexadecimal(RowSeal.of(text: text)))\n"
  }

  /// Why a ledger is not all that was there when this was written; nil = nothing is missing.
  package func objection(to sums: StoredSums) -> String? {
    if sums.ledger != ledger {
      return "it is another ledger than the one that ledger.mark was written beside"
    }
    guard sums.commits < commits else { return nil }
    return
      "it ends with commit \(sums.commits) and journal entry \(sums.sequence), and ledger.mark "
      + "tells of commit \(commits) and journal entry \(sequence): the end is lost, as when "
      + "ledger.sqlite-wal is removed, cut or damaged, or the file is older than the mark"
  }

  private static func hexadecimal(_ number: UInt64) -> String {
    let digits = String(number, radix: 16)
    return String(repeating: "0", count: 16 - digits.utf8.count) + digits
  }
}
