internal import Core
internal import Yams

extension NodeReader {
  mutating func policy(_ fields: Fields, _ catalog: CampaignVocabulary) -> DocumentPolicy {
    DocumentPolicy(
      currency: value(fields, "currency") { $0.currency($1) },
      boost: value(fields, "boost") { $0.boost($1, catalog) },
      holdout: value(fields, "holdout") { $0.holdout($1) })
  }

  private mutating func currency(_ node: Node) -> String? {
    guard let text = text(node) else { return nil }
    if TextRules.isCode(text, 3) { return text }
    fault(node, "\(quoted(text)) is not a currency's three upper-case letters")
    return nil
  }

  private mutating func boost(_ node: Node, _ catalog: CampaignVocabulary) -> BoostRule? {
    guard let fields = fields(node, CampaignKeys.boost) else { return nil }
    let scale = value(fields, "scale_micros") { $0.whole($1, 1...Int64.max) }
    let surfaces = value(fields, "surfaces") { $0.surfaceBoosts($1, catalog) }
    return BoostRule(scaleMicros: scale ?? 1_000, surfaces: surfaces ?? [:])
  }

  private mutating func surfaceBoosts(
    _ node: Node, _ catalog: CampaignVocabulary
  ) -> [String: SurfaceBoost]? {
    guard case .mapping(let mapping) = node else {
      fault(node, "it has to be a mapping, `surface: {weight: 1.0, cap: 1.0}`")
      return nil
    }
    guard mapping.count <= Limits.campaignNamesEach else {
      fault(node, "\(mapping.count) surfaces, and at most \(Limits.campaignNamesEach) are taken")
      return nil
    }
    var boosts: [String: SurfaceBoost] = [:]
    for (key, value) in mapping {
      guard let surface = name(key) else { continue }
      let step = String(quoted(surface).dropFirst().dropLast())
      within(.key(step)) { reader in
        if let known = catalog.surfaces, !known.contains(surface) {
          reader.unknown(key, surface, known)
        }
        guard let fields = reader.fields(value, CampaignKeys.surface) else { return }
        boosts[surface] = SurfaceBoost(
          weight: reader.value(fields, "weight") { $0.factor($1) } ?? 1,
          cap: reader.value(fields, "cap") { $0.factor($1) } ?? 1)
      }
    }
    return boosts
  }

  private mutating func holdout(_ node: Node) -> HoldoutRule? {
    let keys = CampaignKeys.holdout
    guard let fields = fields(node, keys, required: keys) else { return nil }
    let salt = value(fields, "salt") { $0.name($1) }
    let buckets = value(fields, "percent") { reader, node -> Int? in
      guard let text = reader.text(node) else { return nil }
      // A hundredth of a percent is 10,000 millionths.
      guard let percent = Micros(parsing: text), percent.value % 10_000 == 0,
        (0...10_000).contains(percent.value / 10_000), text.utf8.first != UInt8(ascii: "-")
      else {
        reader.fault(
          node, "\(quoted(text)) is not a percentage from 0 to 100 with at most two decimals")
        return nil
      }
      return Int(percent.value / 10_000)
    }
    guard let salt, let buckets else { return nil }
    return HoldoutRule(salt: salt, controlBuckets: buckets)
  }
}
