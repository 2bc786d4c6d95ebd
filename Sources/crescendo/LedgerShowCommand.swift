import ArgumentParser
import Core
import Ledger

struct LedgerShowCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Show the last entries of the journal.",
    discussion: """
      Amounts move from one account of a campaign to another: owner, budget, leased, reserved, \
      spent. Exits with 1 when the journal knows no such campaign.
      """)

  /// As entries are shown.
  enum Kind: String, ExpressibleByArgument, CaseIterable {
    case fund, lease, leaseReturn, reserve, release, settle, settleLate, unpaid, goal, opening
  }

  @OptionGroup var folder: LedgerFolder

  @Option(help: "Only of this campaign.")
  var campaign: String?

  @Option(help: "Only entries of this kind; may be given several times.")
  var kind: [Kind] = []

  @Option(help: "Only entries that name this user, by decimal id.")
  var user: UInt64?

  @Option(help: "As many as this, the newest.")
  var last = 20

  func run() throws {
    guard last > 0 else { throw CommandFailure(.usage, "--last is at least 1") }
    var names = LedgerNames()
    var isKnown = false
    var entries: [(sequence: Int64, entry: JournalEntry)] = []
    try folder.read { record, sequence in
      names.add(record)
      guard case .entry(let entry) = record else { return true }
      if let campaign {
        guard names[entry.campaign] == campaign else { return true }
        isKnown = true
      }
      guard isWanted(entry) else { return true }
      entries.append((sequence, entry))
      if entries.count >= 2 * last { entries.removeFirst(entries.count - last) }
      return true
    }
    if let campaign, !isKnown, !names.has(campaign) {
      throw CommandFailure(
        .negative, "--data \(folder.data): the journal knows no campaign \(printable(campaign))")
    }
    let shown = entries.suffix(last)
    switch folder.output {
    case .table: print(LedgerShowCommand.table(shown, names))
    case .json:
      for (sequence, entry) in shown { print(LedgerShowCommand.json(sequence, entry, names)) }
    }
  }

  private func isWanted(_ entry: JournalEntry) -> Bool {
    (kind.isEmpty || kind.contains { $0.rawValue == "\(entry.kind)" })
      && (user == nil || entry.user == user)
  }

  private static func table(
    _ entries: some Collection<(sequence: Int64, entry: JournalEntry)>, _ names: LedgerNames
  ) -> String {
    let numbers: Set = ["entry", "amount"]
    let titles = [
      "entry", "time", "kind", "campaign", "amount", "from", "to", "reservation", "user",
    ]
    var table = TextTable(
      columns: titles.map { TextTable.Column(title: $0, isNumber: numbers.contains($0)) })
    for (sequence, entry) in entries {
      table.rows.append([
        "\(sequence)", RFC3339.text(entry.at), "\(entry.kind)", names[entry.campaign],
        "\(entry.amount)", entry.kind.movement.map { "\($0.from)" } ?? "",
        entry.kind.movement.map { "\($0.to)" } ?? "",
        entry.reservation == 0 ? "" : "\(entry.reservation)",
        entry.user == 0 ? "" : "\(entry.user)",
      ])
    }
    return table.text(.standardOutput)
  }

  private static func json(_ sequence: Int64, _ entry: JournalEntry, _ names: LedgerNames)
    -> String
  {
    JSONText.object([
      ("entry", "\(sequence)"), ("time", JSONText.string(RFC3339.text(entry.at))),
      ("kind", JSONText.string("\(entry.kind)")),
      ("campaign", JSONText.string(names[entry.campaign])),
      ("amount_micros", "\(entry.amount.value)"),
      ("from", entry.kind.movement.map { JSONText.string("\($0.from)") } ?? "null"),
      ("to", entry.kind.movement.map { JSONText.string("\($0.to)") } ?? "null"),
      ("lease", number(entry.lease)), ("reservation", number(entry.reservation)),
      ("user", number(entry.user)), ("item", number(entry.item)),
    ])
  }

  /// 0 is none.
  private static func number(_ value: UInt64) -> String { value == 0 ? "null" : "\(value)" }
}
