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
      throw CommandFailure(error.isDamage ? .negative : .unreadable, "--data \(data): \(error)")
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
