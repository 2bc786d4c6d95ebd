internal import Allocation
internal import Campaigns
internal import Core
internal import Engine
internal import Executors
internal import Ledger
internal import Signals
internal import Wire

/// The owner of what campaigns are: definitions, the policy, and the set compiled from them. It
/// works on a thread of its own, so that parsing and compiling hold nobody up.
// Unchecked: everything is touched on the desk's thread alone.
final class CampaignDesk: @unchecked Sendable {
  let serving: Serving
  let clock: Clock
  /// Whom it tells; set before the first change.
  private var link: Link?
  private(set) var policy: CampaignPolicy?
  private(set) var definitions: [String: CampaignDefinition] = [:]
  private(set) var idOfKey: [UInt64: String] = [:]
  /// By id.
  private(set) var ordered: [CampaignDefinition] = []
  private(set) var caps = CapRules.none
  private(set) var itemCount = 0
  /// What became of each campaign's candidates, in the order of `TallyPlace`, by key.
  private var tallies: [UInt64: [UInt64]] = [:]

  /// Changes that the store took and could not make durable: they will be, before anything else.
  private var unsettled: [() -> Void] = []

  struct Link {
    let ledger: LedgerRuntime
    /// The store's thread's.
    let pace: PaceKeeper
    /// What loops have counted of a campaign since they were last asked.
    let counted: (UInt64) -> [UInt64]
    /// Makes a set that is durable, of the desk's definitions, the one that is served by; returns
    /// when it is. With the keys of those that are paused by now.
    let publish: (CampaignSet, _ paused: [UInt64]) -> Void
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
  /// storage: nothing is guessed, and nothing is served without it.
  func restore(_ stored: [StoredCampaign]) throws(CampaignStartError) {
    var last: [String: StoredCampaign] = [:]
    for record in stored where !record.id.isEmpty { last[record.id] = record }
    let records = Array(last.values)
    do throws(StoredDefinitionFault) {
      for record in stored where record.id.isEmpty {
        policy = try CampaignFile.storedPolicy(record.document, after: policy)
      }
      let campaigns = try CampaignFile.stored(
        records.map { StoredDefinition(id: $0.id, document: $0.document) })
      for (campaign, record) in zip(campaigns, records) {
        keep(
          CampaignDefinition(campaign: campaign, key: record.key, isPaused: record.isPaused))
      }
    } catch {
      throw CampaignStartError("\(error); a backup has it as it was")
    }
    guard policy != nil || definitions.isEmpty else {
      throw CampaignStartError("the policy of the stored campaigns is missing")
    }
    ordered = definitions.values.sorted { $0.campaign.id < $1.campaign.id }
    caps = CapRules(rules)
  }

  private func keep(_ definition: CampaignDefinition) {
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
    // Shards first: what they have kept from a slot, a loop has counted before.
    let kept = keptAway(key)
    add([key: connected.counted(key)])
    var sums = tallies[key] ?? []
    CampaignTally.move(kept.capped, to: .capped, &sums)
    CampaignTally.move(kept.spent, to: .budgetSpent, &sums)
    tallies[key] = sums
    return sums
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
      CampaignWarnings.of(
        parsed, stored: { definitions[$0]?.campaign },
        all: { ordered.map(\.campaign) }, hasItem: { catalog.row($0) != nil }))
    let changed = parsed.campaigns.map { campaign in
      CampaignDefinition(
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
    try ask { _ throws(StoreFailure) in }
    guard let before = definitions[id] else { throw CampaignDesk.noCampaign(id) }
    let definition = before.paused(!resume)
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
    _ changed: [CampaignDefinition], policy: CampaignPolicy, _ set: CampaignSet,
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
    let settle = { [self] in
      let hasOtherCaps = changed.contains {
        $0.campaign.caps != definitions[$0.campaign.id]?.campaign.caps ?? []
      }
      for definition in changed { keep(definition) }
      self.policy = policy
      ordered = ordered.replacing(with: changed)
      if hasOtherCaps { caps = CapRules(rules) }
      link?.publish(set, changed.filter(\.isPaused).map(\.key))
    }
    let refused = try ask { store throws(StoreFailure) in
      try store.apply(records, budgets: amounts, at: now)
    } inDoubt: { [self] refused in
      if refused.isEmpty { unsettled.append(settle) }
    }
    if let document, !refused.isEmpty { return refusals(document, refused) }
    settle()
    return nil
  }

  /// The set of what there will be.
  private func compile(
    _ changed: [CampaignDefinition], _ policy: CampaignPolicy
  ) throws(CampaignSetError) -> CampaignSet {
    try CampaignSet(ordered.replacing(with: changed), policy: policy, catalog: items)
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

  // MARK: The store

  /// Waits for the store: this thread has nothing else to do. `inDoubt` is called with what the
  /// store took and could not make durable. Changes that were in doubt before and are durable now
  /// are settled when it returns. `isReading`: the answer is good although nothing can be made
  /// durable; it may tell of what is not durable yet.
  func ask<Answer>(
    isReading: Bool = false, _ body: @escaping (AllocationStore) throws(StoreFailure) -> Answer,
    inDoubt: (Answer) -> Void = { _ in }
  ) throws(CallFailure) -> Answer {
    let shot = OneShot<Bool>()
    var answer: Answer?
    ledger.onStore { store throws(StoreFailure) in
      answer = try body(store)
    } done: { failure, _ in
      shot.give(failure == nil)
    }
    let isDurable = shot.wait()
    guard isDurable, let answer else {
      if let answer, isReading { return answer }
      if let answer { inDoubt(answer) }
      throw CampaignRuntime.ledgerHasStopped
    }
    let settled = unsettled
    unsettled = []
    for settle in settled { settle() }
    return answer
  }

  /// The ledger serves again.
  func takeUp() {
    do throws(CallFailure) {
      try ask { _ throws(StoreFailure) in }
    } catch {
      // It waits again, and will serve again or never.
    }
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
