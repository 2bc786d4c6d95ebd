internal import Core

/// What a document says that may not be meant. It is no fault: nothing keeps it from being applied.
package enum CampaignWarnings {
  /// In the document's order.
  ///
  /// - Parameters:
  ///   - stored: a campaign as it was before.
  ///   - all: the campaigns before; asked where caps of artists or releases are.
  ///   - hasItem: whether the snapshot that is served has an item; nil = it is not asked.
  package static func of(
    _ document: CampaignDocument, stored: (_ id: String) -> Campaign? = { _ in nil },
    all: () -> [Campaign] = { [] }, hasItem: ((String) -> Bool)?
  ) -> [FileFault] {
    let caps = CapLookBack(document, stored: stored, all: all)
    var warnings: [FileFault] = []
    for (index, campaign) in document.campaigns.enumerated() {
      let line = document.places[index].line
      if let hasItem, let reason = unknownItems(campaign.items, hasItem) {
        warnings.append(
          FileFault(line: line, field: "campaigns[\(index)].items", reason: reason))
      }
      for (cap, reason) in idleCaps(campaign.caps) {
        warnings.append(
          FileFault(line: line, field: "campaigns[\(index)].caps[\(cap)]", reason: reason))
      }
      for (cap, rule) in campaign.caps.enumerated() {
        guard let seconds = caps.seconds(rule, of: campaign.id) else { continue }
        warnings.append(
          FileFault(
            line: line, field: "campaigns[\(index)].caps[\(cap)]",
            reason: lookingBack(rule, seconds)))
      }
    }
    return warnings
  }

  private static func unknownItems(_ items: [String], _ hasItem: (String) -> Bool) -> String? {
    let unknown = items.filter { !hasItem($0) }
    guard !unknown.isEmpty else { return nil }
    let first = unknown.prefix(Limits.campaignWarningNames).map { quoted($0) }
    let more = unknown.count > first.count ? ", …" : ""
    return "\(unknown.count) of \(items.count) items are not in the snapshot that is served, "
      + "and get no boost: \(first.joined(separator: ", "))\(more)"
  }

  /// Caps that another one of the same scope always reaches first: it has a window that is as long
  /// or longer, and a limit that is as low or lower.
  private static func idleCaps(_ caps: [CapRule]) -> [(index: Int, reason: String)] {
    caps.enumerated().compactMap { index, cap in
      guard
        let other = caps.first(where: {
          $0.scope == cap.scope && $0.windowSeconds > cap.windowSeconds && $0.limit <= cap.limit
        })
      else { return nil }
      return (
        index,
        "\(text(cap)) is never reached: \(text(other)) of the same scope comes first"
      )
    }
  }

  private static func lookingBack(_ cap: CapRule, _ seconds: UInt32) -> String {
    guard seconds > 0 else {
      return "\(text(cap)) counts exposures from now on: none was counted for it before"
    }
    return "\(text(cap)) looks back no further than \(DurationText.text(seconds: UInt64(seconds))) "
      + "from now: until now no exposure was counted for longer"
  }

  private static func text(_ cap: CapRule) -> String {
    "\(cap.limit) in \(DurationText.text(seconds: UInt64(cap.windowSeconds)))"
  }
}
