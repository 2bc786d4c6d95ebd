internal import Allocation
internal import Campaigns
internal import Core
internal import Crypto
internal import Engine
internal import Executors
internal import Ledger
internal import Signals
internal import Wire

/// The owner of what campaigns are: definitions, the policy, and the set compiled from them. It
/// works on a thread of its own, so that parsing and compiling hold nobody up.
// Unchecked: everything is touched on the desk's thread alone.
final class CampaignDesk: @unchecked Sendable {
  struct Definition {
    var campaign: Campaign
    var key: UInt64
    var isPaused: Bool
  }

  let serving: Serving
  let clock: Clock
  /// Whom it tells; set before the first change.
  private var link: Link?
  private(set) var policy: CampaignPolicy?
  private(set) var definitions: [String: Definition] = [:]
  private var idOfKey: [UInt64: String] = [:]
  private(set) var ids: [String] = []
  private var itemCount = 0
  /// What became of each campaign's candidates, in the order of `TallyPlace`, by key.
  private var tallies: [UInt64: [UInt64]] = [:]

  struct Link {
    let ledger: LedgerRuntime
    /// The store's thread's.
    let pace: PaceKeeper
    /// What loops have counted of a campaign since they were last asked.
    let counted: (UInt64) -> [UInt64]
    /// Makes a set that is durable the one that is served by; returns when it is.
    let publish: (CampaignSet, [String: Definition]) -> Void
  }

  init(_ serving: Serving, clock: Clock) {
    self.serving = serving
    self.clock = clock
  }

  func connect(_ link: Link) { self.link = link }

  var ledger: LedgerRuntime { connected.ledger }
  var pace: PaceKeeper { connected.pace }

  private var connected: Link {
    guard let link else { preconditionFailure("the desk is asked before it is connected") }
    return link
  }

  /// What was stored, before anything is served. A definition that cannot be read is a fault of the
  /// file: nothing is guessed.
  func restore(_ stored: [StoredCampaign]) throws(CampaignStartError) {
    for record in stored where record.id.isEmpty {
      policy = try CampaignDesk.parse(record.document).policy.applied(to: policy)
    }
    var last: [String: StoredCampaign] = [:]
    for record in stored where !record.id.isEmpty { last[record.id] = record }
    // Read as one document: a parser for each would cost more than what it reads.
    let records = Array(last.values)
    var first = 0
    while first < records.count {
      var (text, next) = (CampaignFile.head, first)
      while next < records.count, text.utf8.count < Limits.campaignFileBytes / 4 {
        text += records[next].document.dropFirst(CampaignFile.head.count)
        next += 1
      }
      for campaign in try CampaignDesk.parse(text).campaigns {
        guard let record = last[campaign.id] else { continue }
        keep(Definition(campaign: campaign, key: record.key, isPaused: record.isPaused))
      }
      first = next
    }
    ids = definitions.keys.sorted()
  }

  private static func parse(_ text: String) throws(CampaignStartError) -> CampaignDocument {
    do throws(FileFaults) {
      return try CampaignFile.parse(text, catalog: .unknown, now: .min)
    } catch {
      throw CampaignStartError(
        "a stored definition cannot be read: \(error.kept.first?.description ?? "")")
    }
  }

  private func keep(_ definition: Definition) {
    let id = definition.campaign.id
    itemCount -= definitions[id]?.campaign.items.count ?? 0
    itemCount += definition.campaign.items.count
    definitions[id] = definition
    idOfKey[definition.key] = id
  }

  /// What loops have counted.
  func add(_ counted: [UInt64: [UInt64]]) {
    for (key, counts) in counted {
      var sums = tallies[key] ?? [UInt64](repeating: 0, count: counts.count)
      for (place, count) in counts.enumerated() { sums[place] += count }
      tallies[key] = sums
    }
  }

  func tally(_ key: UInt64) -> [UInt64] {
    add([key: connected.counted(key)])
    return tallies[key] ?? []
  }

  // MARK: Changes

  func apply(_ document: String, isDryRun: Bool) throws(CallFailure)
    -> ApplyCampaignsResponseMessage
  {
    let parsed: CampaignDocument
    do throws(FileFaults) {
      parsed = try CampaignFile.parse(
        document, catalog: vocabulary, now: clock.unixMilliseconds())
    } catch {
      return ApplyCampaignsResponseMessage(error)
    }
    if let faults = try stateFaults(parsed) { return ApplyCampaignsResponseMessage(faults) }
    var response = ApplyCampaignsResponseMessage()
    let catalog = items
    response.tell(
      CampaignDiff.changes(parsed, policy: policy) { definitions[$0]?.campaign },
      CampaignWarnings.of(parsed) { catalog.row($0) != nil })
    let changed = parsed.campaigns.map { campaign in
      Definition(
        campaign: campaign, key: key(of: campaign.id),
        isPaused: definitions[campaign.id]?.isPaused ?? false)
    }
    guard let next = parsed.policy.applied(to: policy) else {
      preconditionFailure("a document without a currency was accepted")
    }
    // Compiled before it is durable: what cannot be served is refused.
    let set: CampaignSet
    do throws(CampaignSetError) {
      set = try compile(changed, next)
    } catch {
      return ApplyCampaignsResponseMessage(fault(error, parsed))
    }
    guard !isDryRun else { return response }
    if let faults = try commit(changed, policy: next, set, parsed) {
      return ApplyCampaignsResponseMessage(faults)
    }
    response.applied = true
    return response
  }

  /// Stops or resumes a campaign.
  func pause(_ id: String, resume: Bool) throws(CallFailure) -> CampaignStateMessage {
    guard var definition = definitions[id] else { throw CampaignDesk.noCampaign(id) }
    definition.isPaused = !resume
    guard let policy else { preconditionFailure("campaigns without a policy") }
    let set: CampaignSet
    do throws(CampaignSetError) {
      set = try compile([definition], policy)
    } catch {
      throw CallFailure(.internalError, "the campaigns that are served cannot be: \(error)")
    }
    _ = try commit([definition], policy: policy, set, nil)
    return try states([definition])[0]
  }

  /// Durable first, then everywhere. What the money does not allow comes back as faults.
  private func commit(
    _ changed: [Definition], policy: CampaignPolicy, _ set: CampaignSet,
    _ document: CampaignDocument?
  ) throws(CallFailure) -> FileFaults? {
    var stored = changed.map { definition in
      StoredCampaign(
        id: definition.campaign.id, key: definition.key,
        document: CampaignFile.text(policy: DocumentPolicy(), campaigns: [definition.campaign]),
        isPaused: definition.isPaused)
    }
    if policy != self.policy {
      let text = CampaignFile.text(policy: DocumentPolicy(policy), campaigns: [])
      stored.insert(StoredCampaign(id: "", key: 0, document: text, isPaused: false), at: 0)
    }
    let records = stored
    var budgets: [UInt64: Micros] = [:]
    for definition in changed { budgets[definition.key] = definition.campaign.budget }
    let amounts = budgets
    let now = ledger.now()
    let refused = try ask { store throws(StoreFailure) in
      try store.apply(records, budgets: amounts, at: now)
    }
    if let document, !refused.isEmpty { return refusals(document, refused) }
    for definition in changed { keep(definition) }
    self.policy = policy
    ids = definitions.keys.sorted()
    link?.publish(set, definitions)
    return nil
  }

  /// The set of what there will be.
  private func compile(_ changed: [Definition], _ policy: CampaignPolicy) throws(CampaignSetError)
    -> CampaignSet
  {
    var next = definitions
    for definition in changed { next[definition.campaign.id] = definition }
    return try CampaignSet(
      next.values.map { ($0.campaign, $0.key, $0.isPaused) }, policy: policy, catalog: items)
  }

  /// The set of what is there now; nil before anything was applied.
  func compile() throws(CampaignSetError) -> CampaignSet? {
    guard let policy else { return nil }
    return try compile([], policy)
  }

  /// What cannot be served together, at the campaign that is one too many.
  private func fault(_ error: CampaignSetError, _ document: CampaignDocument) -> FileFaults {
    var (line, field, reason) = (1, "campaigns", "these cannot be served together: \(error)")
    if case .tooManyCampaignsOfItem(let row, let id) = error {
      let item = serving.snapshot.items.id(Int(row))
      reason = "more than \(Limits.campaignsPerItem) campaigns promote the item \(item)"
      if let index = document.campaigns.firstIndex(where: { $0.id == id }) {
        (line, field) = (document.places[index].line, "campaigns[\(index)].items")
      }
    }
    return FileFaults(kept: [FileFault(line: line, field: field, reason: reason)], leftOut: 0)
  }

  // MARK: Checks

  private func key(of id: String) -> UInt64 {
    CampaignKey.of(id) { bytes in bytes.withUnsafeBytes { SHA256.digest(of: $0) } }
  }

  private func stateFaults(_ document: CampaignDocument) throws(CallFailure) -> FileFaults? {
    let keys = document.campaigns.map { ($0.id, key(of: $0.id)) }
    let totals = try ask { store throws(StoreFailure) in
      keys.map { ($0.0, store.totals(of: $0.1)?.committed) }
    }
    var committed: [String: Micros] = [:]
    for (id, amount) in totals { committed[id] = amount }
    let known = committed
    let check = CampaignStateCheck(
      policy: policy, campaignsStored: definitions.count, itemsStored: itemCount,
      committed: { known[$0] }, holder: { [self] in idOfKey[$0] },
      itemCount: { [self] in definitions[$0]?.campaign.items.count },
      digest: { bytes in bytes.withUnsafeBytes { SHA256.digest(of: $0) } })
    return check.faults(document)
  }

  /// More was spent between the check and the commit.
  private func refusals(_ document: CampaignDocument, _ refused: [UInt64: Micros]) -> FileFaults {
    var faults: [FileFault] = []
    for (index, campaign) in document.campaigns.enumerated() {
      guard let least = refused[key(of: campaign.id)] else { continue }
      faults.append(
        FileFault(
          line: document.places[index].budgetLine, field: "campaigns[\(index)].budget.amount",
          reason: "\(campaign.budget) is below what is settled, leased and reserved, \(least)"))
    }
    return FileFaults(kept: Array(faults.prefix(Limits.campaignFaults)), leftOut: 0)
  }

  /// Waits for the store: this thread has nothing else to do.
  func ask<Answer>(_ body: @escaping (AllocationStore) throws(StoreFailure) -> Answer)
    throws(CallFailure) -> Answer
  {
    let shot = OneShot<Answer?>()
    var answer: Answer?
    ledger.onStore { store throws(StoreFailure) in
      answer = try body(store)
    } done: { failure, _ in
      shot.give(failure == nil ? answer : nil)
    }
    guard let answer = shot.wait() else { throw CampaignRuntime.ledgerHasStopped }
    return answer
  }

  static func noCampaign(_ id: String) -> CallFailure {
    CallFailure(.notFound, "there is no campaign \(id)", field: "id")
  }
}

/// Why campaigns cannot be served from a data folder.
package struct CampaignStartError: Error, Sendable, CustomStringConvertible {
  package let description: String

  init(_ description: String) { self.description = description }
}
