internal import Allocation
internal import Campaigns
internal import Core
internal import Ledger
internal import Wire

/// What the desk tells of campaigns. On its thread.
extension CampaignDesk {
  func get(_ id: String) throws(CallFailure) -> GetCampaignResponseMessage {
    guard let definition = definitions[id] else { throw CampaignDesk.noCampaign(id) }
    var response = GetCampaignResponseMessage()
    response.state = try states([definition])[0]
    response.document = CampaignFile.text(
      policy: DocumentPolicy(), campaigns: [definition.campaign])
    let key = definition.key
    let series = try ask(isReading: true) { [pace] _ throws(StoreFailure) in pace.series(of: key) }
    response.spentSeriesMicros = series.spent
    response.plannedSeriesMicros = series.planned
    return response
  }

  func list(after id: String, count: Int) throws(CallFailure) -> ListCampaignsResponseMessage {
    var low = 0
    var high = ordered.count
    while low < high {
      let middle = (low + high) / 2
      if ordered[middle].campaign.id <= id { low = middle + 1 } else { high = middle }
    }
    let page = ordered[low..<min(low + count, ordered.count)]
    var response = ListCampaignsResponseMessage()
    response.campaigns = try states(Array(page))
    response.hasMore = low + page.count < ordered.count
    return response
  }

  /// The states of campaigns, at one moment; also while the ledger waits, as far as it knows them.
  func states(_ wanted: [CampaignDefinition]) throws(CallFailure) -> [CampaignStateMessage] {
    let keys = wanted.map(\.key)
    let figures = try ask(isReading: true) { [pace] store throws(StoreFailure) in
      keys.map { key in
        (
          totals: store.totals(of: key) ?? CampaignTotals(campaign: key),
          pace: pace.figures(of: key)
        )
      }
    }
    let now = clock.unixMilliseconds()
    return zip(wanted, figures).map { definition, figures in
      state(definition, figures.totals, figures.pace, now)
    }
  }

  private func state(
    _ definition: CampaignDefinition, _ totals: CampaignTotals, _ pace: PaceFigures, _ now: Int64
  ) -> CampaignStateMessage {
    let campaign = definition.campaign
    var state = CampaignStateMessage()
    state.id = campaign.id
    state.key = definition.key
    state.status = CampaignDesk.status(definition, totals, now)
    state.currency = policy?.currency ?? ""
    state.budgetMicros = campaign.budget.value
    state.settledMicros = totals.spent.value
    state.reservedMicros = totals.reserved.value
    state.leasedMicros = totals.leased.value
    state.plannedMicros = pace.planned.value
    state.unpaidMicros = totals.unpaid.value
    state.exposures = UInt64(clamping: totals.exposures)
    state.goals = UInt64(clamping: totals.goals)
    state.price = pace.price
    state.startUnixMilliseconds = campaign.flight.lowerBound
    state.endUnixMilliseconds = campaign.flight.upperBound
    state.items = UInt32(clamping: campaign.items.count)
    state.itemsKnown = UInt32(clamping: pace.itemsKnown)
    return state
  }

  static func status(_ definition: CampaignDefinition, _ totals: CampaignTotals, _ now: Int64)
    -> CampaignStatus
  {
    let campaign = definition.campaign
    if now >= campaign.flight.upperBound { return .ended }
    if definition.isPaused { return .paused }
    if now < campaign.flight.lowerBound { return .scheduled }
    if totals.spent + campaign.cost > campaign.budget { return .spent }
    let isReserved = totals.spent + totals.reserved + campaign.cost > campaign.budget
    return isReserved ? .reserved : .running
  }
}

extension ApplyCampaignsResponseMessage {
  mutating func tell(_ changes: [CampaignDiff.Change], _ warnings: [FileFault]) {
    self.changes = changes.map { CampaignChangeMessage($0) }
    (added, changed, unchanged) = (count(.added), count(.changed), count(.unchanged))
    self.warnings = warnings.map { CampaignFaultMessage($0) }
  }

  /// Nothing was applied.
  init(_ faults: FileFaults) {
    self.init()
    self.faults = faults.kept.map { CampaignFaultMessage($0) }
    faultsLeftOut = UInt32(clamping: faults.leftOut)
  }
}

extension CampaignFaultMessage {
  fileprivate init(_ fault: FileFault) {
    self.init(line: UInt32(clamping: fault.line), field: fault.field, reason: fault.reason)
  }
}

extension CampaignChangeMessage {
  init(_ change: CampaignDiff.Change) {
    let kind: Kind =
      switch change.kind {
      case .added: .added
      case .changed: .changed
      case .unchanged: .unchanged
      case .policy: .policy
      }
    self.init(
      campaignID: change.id, kind: kind,
      fields: change.fields.map { Field(field: $0.field, before: $0.before, after: $0.after) })
  }
}
