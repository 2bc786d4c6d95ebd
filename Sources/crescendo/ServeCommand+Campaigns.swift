import Core
import Crypto
import Engine
import Executors
import Ledger
import Logging
import SQLiteStorage
import Server
import Syscalls

extension ServeCommand {
  /// Campaigns, budgets and deliveries of a data folder; nil without one.
  func campaigns(
    _ folder: String, _ serving: Serving, _ executor: any ShardExecutor, seed: UInt64,
    _ logger: Logger
  ) throws(CommandFailure) -> CampaignRuntime? {
    guard !folder.isEmpty else {
      logger.info("campaigns are off: --data DIR turns them on")
      return nil
    }
    do {
      let data = try DataFolder(path: folder)
      var fresh = [UInt8](repeating: 0, count: TokenKeys.byteCount)
      try fresh.withUnsafeMutableBytes { try RandomBytes.fill($0) }
      // The key comes after the ledger: a folder that has only the key has lost the other.
      let storage = try SQLiteStorage(path: folder, witnesses: [TokenKeys.fileName])
      if let warning = storage.warning { logger.warning("\(warning)") }
      let clock = Clock.system
      let (signer, change) = try TokenKeys.signer(
        data, fresh: fresh, nowSeconds: clock.unixMilliseconds() / 1_000, isUsed: storage.isUsed)
      if change != .kept {
        logger.notice(
          "a new key for placements",
          metadata: ["file": "\(folder)/\(TokenKeys.fileName)", "change": "\(change)"])
      }
      let boot = try bootID().utf8.reduce(into: (UInt64(0), UInt64(0))) { halves, byte in
        halves = (splitmix64(halves.0 ^ UInt64(byte)), splitmix64(halves.1 &+ UInt64(byte)))
      }
      let reading = LedgerClock.Reading(
        bootMilliseconds: boottimeMilliseconds(), bootID: RequestID(high: boot.0, low: boot.1),
        unixMilliseconds: clock.unixMilliseconds())
      return try CampaignRuntime(
        CampaignRuntime.Parts(
          serving: serving, executor: executor, storage: storage, signer: signer, clock: clock,
          reading: reading, bootMilliseconds: { boottimeMilliseconds() }, seed: seed,
          logger: logger))
    } catch {
      throw CommandFailure(.negative, "--data \(folder): \(error)")
    }
  }
}
