import ArgumentParser
import Campaigns
import Core
import Crypto
import Ledger
import SQLiteStorage

struct LedgerAuditCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "audit",
    abstract: "Replay the journal from nothing and prove that every account balances.",
    discussion: """
      Clean means: after every entry every account balances and no budget is exceeded; every \
      exposure has its reservation, once; no entry since the last compaction is missing; \
      definitions and the journal agree about budgets; no entry, definition, note or answer of an \
      allocation is other than it was written. It cannot see what was lost within the last \
      seconds before a crash together with its log, a folder that is an older copy as a whole, or \
      a forger who writes the rows and what they are checked by anew.

      Exit codes: 0 clean; 1 not clean, with the first thing that is wrong on standard output; \
      2 usage; 6 not audited: the folder or its ledger is missing or cannot be read.
      """)

  @OptionGroup var folder: LedgerFolder

  func run() throws {
    var audited = LedgerAudit()
    do throws(StorageError) {
      try audited.read(SQLiteReader(path: folder.data))
    } catch {
      guard !error.isDamage else { return try tell(LedgerAudit(damage: error)) }
      if folder.output == .json { print(LedgerReport.json(unreadable: error)) }
      throw CommandFailure(.unreadable, "--data \(folder.data): \(error)")
    }
    try tell(audited)
  }

  private func tell(_ audited: LedgerAudit) throws {
    switch folder.output {
    case .table: print(LedgerReport.table(audited.audit, audited.names))
    case .json: print(LedgerReport.json(audited.audit, audited.names))
    }
    if !audited.audit.isClean { throw ExitCode(ExitStatus.negative.rawValue) }
  }
}

/// An audit of a file: the journal, and what lies beside it.
struct LedgerAudit {
  var audit = Audit()
  var names = LedgerNames()
  private var definitions: [StoredCampaign] = []

  init() {}

  /// Of a file that cannot be read to its end.
  init(damage: StorageError) { audit.note("\(damage)") }

  mutating func read(_ reader: SQLiteReader) throws(StorageError) {
    var (read, kept) = (LedgerAudit(), SQLiteReader.Kept?.none)
    let found = try reader.check(
      begin: {
        kept = $0
        read.audit = Audit(compactedThrough: $0.compactedThrough)
      },
      { record, sequence, isAsWritten in
        if case .entry(let entry) = record {
          return read.audit.add(entry, sequence: sequence, isAsWritten: isAsWritten)
        }
        read.add(record, isAsWritten)
        return true
      })
    read.finish(kept, found)
    self = read
  }

  private mutating func add(_ record: StoredRecord, _ isAsWritten: Bool) {
    names.add(record)
    audit.add(record, isAsWritten: isAsWritten)
    if case .campaign(let campaign) = record { definitions.append(campaign) }
  }

  private mutating func finish(_ kept: SQLiteReader.Kept?, _ found: StoredSums?) {
    guard audit.isClean else { return }
    do throws(StoredDefinitionFault) {
      let budgets = try readBudgets()
      audit.finish(Audit.Books(kept: kept?.sums, found: found, budgets: budgets))
    } catch {
      audit.note("\(error)")
    }
    for definition in definitions where !definition.id.isEmpty {
      let key = CampaignKey.of(definition.id) { bytes in
        bytes.withUnsafeBytes { SHA256.digest(of: $0) }
      }
      if key != definition.key {
        audit.note("campaign \(definition.id): its key is not the one of its id")
      }
    }
    if let kept, let sums = kept.sums, let objection = kept.mark?.objection(to: sums) {
      audit.note("ledger.sqlite: \(objection)")
    }
  }

  /// What the stored definitions say.
  private func readBudgets() throws(StoredDefinitionFault) -> [UInt64: Micros] {
    var policy: CampaignPolicy?
    for record in definitions where record.id.isEmpty {
      policy = try CampaignFile.storedPolicy(record.document, after: policy)
    }
    let campaigns = definitions.filter { !$0.id.isEmpty }
    let read = try CampaignFile.stored(
      campaigns.map { StoredDefinition(id: $0.id, document: $0.document) })
    return Dictionary(zip(campaigns, read).map { ($0.key, $1.budget) }) { first, _ in first }
  }
}

enum LedgerReport {
  static func table(_ audit: Audit, _ names: LedgerNames) -> String {
    if let finding = audit.finding { return "not clean: \(finding.text { names[$0] })" }
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
      (
        "finding",
        audit.finding.map { finding in JSONText.string(finding.text { names[$0] }) } ?? "null"
      ),
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

  /// Of a ledger that could not be looked at.
  static func json(unreadable error: StorageError) -> String {
    JSONText.object([("clean", "null"), ("error", JSONText.string("\(error)"))])
  }
}
