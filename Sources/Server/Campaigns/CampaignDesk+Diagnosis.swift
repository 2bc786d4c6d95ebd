internal import Allocation
internal import Campaigns
internal import Core
internal import Executors
internal import Wire

/// "Why is my campaign not spending?"
extension CampaignDesk {
  func diagnose(_ id: String) throws(CallFailure) -> DiagnoseCampaignResponseMessage {
    guard let definition = definitions[id] else { throw CampaignDesk.noCampaign(id) }
    let (key, counts) = (definition.key, tally(definition.key))
    var response = DiagnoseCampaignResponseMessage()
    response.state = try states([definition])[0]
    response.candidates = counts[TallyPlace.candidates.rawValue]
    response.boosted = counts[TallyPlace.boosted.rawValue]
    let (open, pace) = try ask(isReading: true) { [pace] store throws(StoreFailure) in
      (store.openReservations(of: key), pace.figures(of: key))
    }
    response.placed = response.state.exposures + UInt64(open)
    response.reasons = TallyPlace.allCases.compactMap { place in
      guard let reason = place.reason, counts[place.rawValue] > 0 else { return nil }
      return DiagnoseCampaignResponseMessage.ReasonCount(
        reason: Int32(reason.rawValue), count: counts[place.rawValue])
    }.sorted { $0.count > $1.count }
    response.sampledOneIn = UInt32(CampaignTally.stride(campaigns: definitions.count))
    var finding = Finding(definition, response, counts, now: clock.unixMilliseconds())
    (finding.open, finding.shutUntil) = (UInt64(open), pace.shutUntil)
    finding.ledgerNotice = ledger.condition.notice
    (response.cause, response.summary) = finding.leading
    return response
  }

  /// What shards have kept from a slot; this thread waits for them.
  func keptAway(_ key: UInt64) -> KeptAway {
    var sum = KeptAway()
    for index in ledger.shards.indices {
      let shot = OneShot<KeptAway>()
      guard ledger.onShard(index, { shot.give($0.takeKept(of: key)) }) else { continue }
      // A shard that has stopped tells no more.
      sum += shot.wait(milliseconds: 1_000) ?? KeptAway()
    }
    return sum
  }
}

/// The one cause, by its numbers.
private struct Finding {
  private let definition: CampaignDefinition
  private let state: CampaignStateMessage
  private let counts: [UInt64]
  /// Heard and paid, or open.
  private let placed: UInt64
  private let sampledOneIn: UInt32
  private let now: Int64
  /// Reservations that are open.
  var open: UInt64 = 0
  /// Until when its pacer's gate is shut, wall time; nil = it is open.
  var shutUntil: Int64?
  /// What the ledger waits for; nil = it serves.
  var ledgerNotice: String?

  init(
    _ definition: CampaignDefinition, _ response: DiagnoseCampaignResponseMessage,
    _ counts: [UInt64], now: Int64
  ) {
    self.definition = definition
    state = response.state
    placed = response.placed
    sampledOneIn = response.sampledOneIn
    self.counts = counts
    self.now = now
  }

  private func count(_ places: TallyPlace...) -> UInt64 {
    places.reduce(0) { $0 + counts[$1.rawValue] }
  }

  private var currency: String { state.currency }

  private var isFree: Bool { definition.campaign.cost == .zero }

  var leading: (DiagnosisCause, String) {
    ledgerNotice.map { (.ledger, $0) } ?? standing ?? (isFree ? free : pace ?? gate ?? demand)
  }

  /// What needs no counting.
  private var standing: (DiagnosisCause, String)? {
    let flight = definition.campaign.flight
    if now < flight.lowerBound {
      return (.notInFlight, "its flight begins at \(RFC3339.text(flight.lowerBound))")
    }
    if now >= flight.upperBound {
      return ended
    }
    if definition.isPaused { return (.paused, "it is paused; resume it") }
    if state.itemsKnown == 0 {
      return (.noItems, "none of its \(state.items) items is in the snapshot that is served")
    }
    if state.status == .spent || state.status == .reserved {
      return (
        .budgetSpent,
        "\(Micros(state.settledMicros)) of \(Micros(state.budgetMicros)) \(currency) is spent and "
          + "\(Micros(state.reservedMicros)) reserved: less than one exposure is left"
      )
    }
    return nil
  }

  /// What is reserved is still out: nobody has said that it was heard.
  private var ended: (DiagnosisCause, String) {
    let text =
      "its flight ended at \(RFC3339.text(definition.campaign.flight.upperBound)); "
      + "\(Micros(state.settledMicros)) of \(Micros(state.budgetMicros)) \(currency) is spent"
    guard open > 0 else { return (.notInFlight, text) }
    return (
      .notReported,
      "\(text) and \(Micros(state.reservedMicros)) reserved: placements whose exposures were not "
        + "reported, and which expire"
    )
  }

  /// What costs nothing has no plan to be behind: whether it is placed at all.
  private var free: (DiagnosisCause, String) {
    let text =
      "it costs nothing and is not paced: \(state.exposures) exposures are reported, and "
      + "\(open) placements are open"
    if open > 4 * max(state.exposures, 1) {
      return (.notReported, "\(text): few exposures are reported")
    }
    if placed > 0 { return (.none, text) }
    let candidates = count(.candidates)
    guard candidates > 0 else {
      return (.noDemand, "requests had none of its \(state.itemsKnown) items\(sample)")
    }
    return kept(of: candidates)
  }

  /// Whether it spends as planned, or would if exposures were reported.
  private var pace: (DiagnosisCause, String)? {
    let (settled, reserved) = (state.settledMicros, state.reservedMicros)
    let spending =
      "\(Micros(settled)) spent and \(Micros(reserved)) reserved of \(Micros(state.plannedMicros)) "
      + "\(currency) planned by now"
    let isOnPlan = Double(settled + reserved) >= 0.95 * Double(state.plannedMicros)
    guard isOnPlan else { return nil }
    if reserved > 4 * max(settled, definition.campaign.cost.value) {
      return (.notReported, "\(spending): placements are made, but few exposures are reported")
    }
    let wait = shutUntil.map { "; it takes nothing more until about \(RFC3339.text($0))" } ?? ""
    return (.none, "\(spending): it spends as planned\(wait)")
  }

  /// It is behind, and has just taken more than may be made good at once.
  private var gate: (DiagnosisCause, String)? {
    guard let shutUntil else { return nil }
    return (
      .price,
      "it is \(behind) \(currency) behind its plan, but has just taken more than "
        + "\(Int(DualPacer.catchUp)) times its planned rate allows: it takes nothing until about "
        + "\(RFC3339.text(shutUntil)), and its price stands at \(state.price) until then"
    )
  }

  /// What kept its candidates away most.
  private var demand: (DiagnosisCause, String) {
    let candidates = count(.candidates)
    let needed = max(behind.value / max(definition.campaign.cost.value, 1), 1)
    guard candidates >= UInt64(needed) else {
      return (
        .noDemand,
        "requests had about \(candidates) candidates of its \(state.itemsKnown) items\(sample), "
          + "and \(needed) more exposures were planned by now"
      )
    }
    return kept(of: candidates)
  }

  private func kept(of candidates: UInt64) -> (DiagnosisCause, String) {
    let boosted = count(.boosted)
    let most = causes.max { $0.1 < $1.1 }
    guard let most, most.1 > boosted else {
      return (
        .noDemand,
        "about \(boosted) of \(candidates) candidates were boosted\(sample) and \(placed) placed: "
          + "callers allocate too little of what is boosted"
      )
    }
    let share = 100 * most.1 / max(candidates, 1)
    return (
      most.0, "about \(most.1) of \(candidates) candidates (\(share) %)\(sample): \(most.2)"
    )
  }

  private var sample: String { " (estimates: one batch in \(sampledOneIn) is counted)" }

  /// Causes with how many candidates they kept away.
  private var causes: [(DiagnosisCause, UInt64, String)] {
    [
      (
        .eligibility,
        count(
          .market, .surface, .tier, .segment, .notInFlight, .holdout, .paused, .surfaceOff),
        "market \(count(.market)), surface \(count(.surface)), tier \(count(.tier)), "
          + "segment \(count(.segment)), holdout \(count(.holdout)), not in flight "
          + "\(count(.notInFlight)), paused \(count(.paused)), surface without boosts "
          + "\(count(.surfaceOff))"
      ),
      (.caps, count(.capped), "users have had as many as its caps allow"),
      (
        .price, count(.paced),
        "at its price of \(state.price) they are not worth their cost; it is "
          + "\(behind) \(currency) behind its plan, and the price falls while it stays so"
      ),
      (
        .score, count(.outbid, .worthless),
        "another campaign of the item was worth more \(count(.outbid)) times, and "
          + "\(count(.worthless)) were worth nothing"
      ),
      (.budgetSpent, count(.budgetSpent), "its budget was spent at the time"),
    ]
  }

  private var behind: Micros {
    Micros(state.plannedMicros - state.settledMicros - state.reservedMicros)
  }
}
