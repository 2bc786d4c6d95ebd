internal import Core

/// What is wrong with a campaign file, and where.
package struct FileFault: Sendable, Equatable {
  /// From 1.
  package var line: Int
  /// For example `campaigns[3].budget.amount`; empty = the document.
  package var field: String
  package var reason: String

  package init(line: Int, field: String, reason: String) {
    self.line = line
    self.field = field
    self.reason = reason
  }
}

/// All that is wrong with a campaign file: nothing of it is accepted.
package struct FileFaults: Error, Sendable, Equatable {
  /// At most `Limits.campaignFaults`, the first by line.
  package var kept: [FileFault]
  package var leftOut: Int

  package init(kept: [FileFault], leftOut: Int) {
    self.kept = kept
    self.leftOut = leftOut
  }
}

extension FileFault: CustomStringConvertible {
  package var description: String {
    field.isEmpty ? "\(line): \(reason)" : "\(line): \(field): \(reason)"
  }
}

/// Faults as they are found: those with the smallest lines are kept.
struct FaultLog {
  private var found: [FileFault] = []
  private(set) var count = 0

  mutating func add(_ fault: FileFault) {
    count += 1
    found.append(fault)
    if found.count >= 2 * Limits.campaignFaults { found = FaultLog.first(found) }
  }

  /// nil if there are none.
  var faults: FileFaults? {
    if count == 0 { return nil }
    let kept = FaultLog.first(found)
    return FileFaults(kept: kept, leftOut: count - kept.count)
  }

  /// By line; on one line as they were found.
  private static func first(_ faults: [FileFault]) -> [FileFault] {
    let order = faults.indices.sorted { (faults[$0].line, $0) < (faults[$1].line, $1) }
    return order.prefix(Limits.campaignFaults).map { faults[$0] }
  }
}

/// A text of somebody else's in a reason: short, on one line.
func quoted(_ text: some StringProtocol) -> String {
  var shown = ""
  for scalar in text.unicodeScalars.prefix(48) {
    shown.unicodeScalars.append(TextRules.isPlain(scalar) ? scalar : "\u{FFFD}")
  }
  return "\"\(shown)\(text.unicodeScalars.count > 48 ? "…" : "")\""
}

/// `one, two or three`; of many the first ones.
func listed(_ names: [String], _ last: String = "and", atMost count: Int = 20) -> String {
  guard names.count <= count else {
    return names.prefix(count).joined(separator: ", ") + ", … (\(names.count) in all)"
  }
  guard let end = names.last, names.count > 1 else { return names.first ?? "" }
  return names.dropLast().joined(separator: ", ") + " \(last) \(end)"
}
