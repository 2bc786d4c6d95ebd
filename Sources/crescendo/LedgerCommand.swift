import ArgumentParser
import Core
import Ledger
import SQLiteStorage

struct LedgerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ledger", abstract: "Look into the journal of a data folder.",
    subcommands: [LedgerAuditCommand.self, LedgerShowCommand.self])
}

/// Where the journal is: beside a server that uses it, or after it.
struct LedgerFolder: ParsableArguments {
  @Option(
    help: ArgumentHelp("The data folder of `serve`.", valueName: "dir"), completion: .directory)
  var data: String

  @Option(help: "How the answer is shown.")
  var output = OutputFormat.table

  /// Everything as of one moment.
  func read(_ visit: (StoredRecord, _ sequence: Int64) -> Bool) throws(CommandFailure) {
    do throws(StorageError) {
      try SQLiteReader(path: data).recover(visit)
    } catch {
      throw CommandFailure(.negative, "--data \(data): \(error)")
    }
  }
}

/// What a journal says of campaigns beside their money.
struct LedgerNames {
  private var names: [UInt64: String] = [:]

  mutating func add(_ record: StoredRecord) {
    if case .campaign(let campaign) = record, !campaign.id.isEmpty {
      names[campaign.key] = campaign.id
    }
  }

  func has(_ id: String) -> Bool { names.values.contains(id) }

  /// Its id, or its key where no definition is there.
  subscript(key: UInt64) -> String {
    names[key] ?? "0x" + String(key, radix: 16)
  }
}

struct LedgerAuditCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "audit",
    abstract: "Replay the journal from nothing and prove that every account balances.",
    discussion: "Exits with 1, and the first bad entry, when one does not.")

  @OptionGroup var folder: LedgerFolder

  func run() throws {
    var (audit, names) = (Audit(), LedgerNames())
    try folder.read { record, sequence in
      names.add(record)
      guard case .entry(let entry) = record else { return true }
      return audit.add(entry, sequence: sequence)
    }
    switch folder.output {
    case .table: print(LedgerReport.table(audit, names))
    case .json: print(LedgerReport.json(audit, names))
    }
    if !audit.isClean { throw ExitCode(ExitStatus.negative.rawValue) }
  }
}

enum LedgerReport {
  static func table(_ audit: Audit, _ names: LedgerNames) -> String {
    if let finding = audit.finding { return "bad entry \(finding)" }
    var lines: [String] = []
    if !audit.totals.isEmpty {
      let numbers = [
        "budget", "spent", "reserved", "leased", "left", "exposures", "goals", "unpaid",
      ]
      var table = TextTable(
        columns: [TextTable.Column(title: "campaign")]
          + numbers.map { TextTable.Column(title: $0, isNumber: true) })
      for total in audit.totals {
        table.rows.append([
          names[total.campaign], "\(total.funded)", "\(total.spent)", "\(total.reserved)",
          "\(total.leased)", "\(total.budget)", "\(total.exposures)", "\(total.goals)",
          "\(total.unpaid)",
        ])
      }
      lines.append(table.text(.standardOutput))
    }
    lines.append(
      "\(audit.entries) entries, \(audit.totals.count) campaigns, "
        + "\(audit.openReservations) open reservations: every account balances, "
        + "no budget was exceeded")
    return lines.joined(separator: "\n")
  }

  static func json(_ audit: Audit, _ names: LedgerNames) -> String {
    JSONText.object([
      ("clean", "\(audit.isClean)"), ("entries", "\(audit.entries)"),
      ("open_reservations", "\(audit.openReservations)"),
      ("finding", audit.finding.map { JSONText.string("\($0)") } ?? "null"),
      (
        "campaigns",
        JSONText.array(
          audit.totals.map { total in
            JSONText.object([
              ("campaign", JSONText.string(names[total.campaign])),
              ("budget_micros", "\(total.funded.value)"), ("spent_micros", "\(total.spent.value)"),
              ("reserved_micros", "\(total.reserved.value)"),
              ("leased_micros", "\(total.leased.value)"),
              ("left_micros", "\(total.budget.value)"), ("exposures", "\(total.exposures)"),
              ("goals", "\(total.goals)"), ("unpaid_exposures", "\(total.unpaidExposures)"),
              ("unpaid_micros", "\(total.unpaid.value)"),
            ])
          })
      ),
    ])
  }
}
