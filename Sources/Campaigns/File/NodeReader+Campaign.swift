internal import Core
internal import Yams

extension NodeReader {
  /// nil after a fault.
  mutating func campaign(
    _ node: Node, _ context: CampaignFile.Context
  ) -> (campaign: Campaign, place: CampaignDocument.Place)? {
    let before = log.count
    let required = ["id", "flight", "budget", "cost", "worth"]
    guard let fields = fields(node, CampaignKeys.campaign, required: required) else { return nil }
    let catalog = context.catalog
    let id = value(fields, "id") { $0.id($1) }
    let items = items(node, fields, context.itemFile)
    let flight = value(fields, "flight") { $0.flight($1, now: context.now) }
    let budget = value(fields, "budget") { $0.budget($1) }
    let cost = value(fields, "cost") { $0.money($1, per: "exposure") }
    let worth = value(fields, "worth") { $0.money($1, per: "goal") }
    let markets = value(fields, "markets") { $0.names($1, catalog.markets, isMarket: true) }
    let surfaces = value(fields, "surfaces") { $0.names($1, catalog.surfaces) }
    let tiers = value(fields, "tiers") { $0.names($1, catalog.tiers) }
    let segments = value(fields, "segments") { $0.names($1, nil) }
    let caps = value(fields, "caps") { $0.caps($1, catalog) }
    let pacing = value(fields, "pacing") { $0.pacing($1) }
    let minimum = value(fields, "minimum_exposures") { $0.whole($1, 0...Int64.max) }
    let exploration = value(fields, "exploration") {
      $0.word($1, Exploration.allCases.map(\.rawValue)).flatMap(Exploration.init)
    }
    contradictions(fields, budget: budget, cost: cost, minimum: minimum ?? 0)
    guard log.count == before, let id, let items, let flight, let budget, let cost, let worth
    else { return nil }
    let campaign = Campaign(
      id: id, items: items, flight: flight, budget: budget, cost: cost, worth: worth,
      markets: markets, surfaces: surfaces, tiers: tiers, segments: segments, caps: caps ?? [],
      pacing: pacing ?? .traffic, minimumExposures: minimum ?? 0, exploration: exploration ?? .none)
    let place = CampaignDocument.Place(
      line: line(node), idLine: fields["id"].map(line) ?? line(node),
      budgetLine: fields["budget"].flatMap(amountLine) ?? line(node))
    return (campaign, place)
  }

  private func amountLine(_ budget: Node) -> Int? {
    budget.mapping?.first { $0.key.scalar?.string == "amount" }.map { line($0.value) }
  }

  private mutating func id(_ node: Node) -> String? {
    guard let text = text(node) else { return nil }
    if TextRules.isID(text) { return text }
    fault(node, "\(quoted(text)) is not 1 to 64 of the characters a-z, 0-9 and -")
    return nil
  }

  private mutating func items(
    _ node: Node, _ fields: Fields, _ itemFile: CampaignFile.ItemFile?
  ) -> [String]? {
    switch (fields["items"], fields["items_file"]) {
    case (nil, nil):
      fault(node, in: "items", "it is missing")
      return nil
    case (_?, let file?):
      fault(file, in: "items_file", "items stand here or in a file, not both")
      return nil
    case (_?, nil): return value(fields, "items") { $0.items($1) }
    case (nil, _?): return value(fields, "items_file") { $0.items(fileOf: $1, itemFile) }
    }
  }

  private mutating func budget(_ node: Node) -> Micros? {
    let keys = CampaignKeys.budget
    guard let fields = fields(node, keys, required: keys) else { return nil }
    return value(fields, "amount") { reader, node in
      guard let amount = reader.amount(node) else { return nil }
      if amount > .zero { return amount }
      reader.fault(node, "a budget is more than 0")
      return nil
    }
  }

  private mutating func money(_ node: Node, per unit: String) -> Micros? {
    let keys = CampaignKeys.money
    guard let fields = fields(node, keys, required: keys) else { return nil }
    _ = value(fields, "per") { $0.word($1, [unit]) }
    return value(fields, "amount") { $0.amount($1) }
  }

  private mutating func pacing(_ node: Node) -> PacingMode? {
    let keys = CampaignKeys.pacing
    guard let fields = fields(node, keys, required: keys) else { return nil }
    return value(fields, "mode") {
      $0.word($1, PacingMode.allCases.map(\.rawValue)).flatMap(PacingMode.init)
    }
  }

  /// What each value may be, and all of them together may not.
  private mutating func contradictions(
    _ fields: Fields, budget: Micros?, cost: Micros?, minimum: Int64
  ) {
    guard let budget, let cost else { return }
    if cost > budget, let node = fields["cost"] {
      fault(node, in: "cost", "one exposure costs \(cost), more than the budget of \(budget)")
      return
    }
    guard minimum > 0, let node = fields["minimum_exposures"] else { return }
    guard cost > .zero else {
      fault(
        node, in: "minimum_exposures",
        "an exposure that costs nothing has no price by which a minimum could be reached")
      return
    }
    let (sum, isOver) = cost.value.multipliedReportingOverflow(by: minimum)
    guard isOver || sum > budget.value else { return }
    fault(
      node, in: "minimum_exposures",
      "\(minimum) exposures at \(cost) cost more than the budget of \(budget)")
  }

  private mutating func caps(_ node: Node, _ catalog: CampaignVocabulary) -> [CapRule]? {
    guard let nodes = elements(node) else { return nil }
    guard !nodes.isEmpty, nodes.count <= Limits.campaignCaps else {
      fault(
        node,
        nodes.isEmpty
          ? "an empty list caps nothing; leave the key out"
          : "\(nodes.count) caps, and at most \(Limits.campaignCaps) are taken")
      return nil
    }
    var rules: [CapRule] = []
    for (index, node) in nodes.enumerated() {
      within(.index(index)) { reader in
        guard let rule = reader.cap(node, catalog) else { return }
        if rules.contains(where: {
          ($0.scope, $0.windowSeconds) == (rule.scope, rule.windowSeconds)
        }) {
          reader.fault(node, "there is a cap of this scope and window already")
        } else {
          rules.append(rule)
        }
      }
    }
    return rules.count == nodes.count ? rules : nil
  }

  private mutating func cap(_ node: Node, _ catalog: CampaignVocabulary) -> CapRule? {
    let keys = CampaignKeys.cap
    guard let fields = fields(node, keys, required: keys) else { return nil }
    let scope = value(fields, "scope") { reader, node -> CapScope? in
      guard let word = reader.word(node, CapScope.allCases.map(\.name)) else { return nil }
      let column: String? =
        switch word {
        case CapScope.userArtist.name where !catalog.hasArtists: "artist"
        case CapScope.userRelease.name where !catalog.hasReleases: "release"
        default: nil
        }
      if let column { reader.fault(node, "the snapshot's items have no column \(column) to count") }
      return column == nil ? CapScope.allCases.first { $0.name == word } : nil
    }
    let limit = value(fields, "limit") { $0.whole($1, 1...UInt32.max) }
    let window = value(fields, "window") { $0.window($1) }
    guard let scope, let limit, let window else { return nil }
    return CapRule(scope: scope, limit: limit, windowSeconds: window)
  }
}

extension CapScope {
  /// As a file says it.
  package var name: String {
    switch self {
    case .userCampaign: "user_campaign"
    case .userArtist: "user_artist"
    case .userRelease: "user_release"
    }
  }
}
