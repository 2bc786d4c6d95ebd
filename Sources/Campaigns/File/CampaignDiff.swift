/// What a document would change.
package enum CampaignDiff {
  package enum Kind: Sendable, Equatable {
    case added, changed, unchanged
    /// Of what holds for all campaigns.
    case policy
  }

  package struct Change: Sendable, Equatable {
    /// Empty for the policy.
    package var id: String
    package var kind: Kind
    package var fields: [FieldChange]
  }

  /// Values as a file writes them; empty = the key is not there.
  package struct FieldChange: Sendable, Equatable {
    /// For example `budget.amount`.
    package var field: String
    package var before: String
    package var after: String
  }

  /// The policy first, if it changes; then each campaign of the document, in its order.
  package static func changes(
    _ document: CampaignDocument, policy: CampaignPolicy?, stored: (_ id: String) -> Campaign?
  ) -> [Change] {
    var changes: [Change] = []
    if let after = document.policy.applied(to: policy) {
      let fields = differences(
        policy.map { CampaignNotation.fields(DocumentPolicy($0)) } ?? [],
        CampaignNotation.fields(DocumentPolicy(after)))
      if !fields.isEmpty { changes.append(Change(id: "", kind: .policy, fields: fields)) }
    }
    for campaign in document.campaigns {
      let before = stored(campaign.id)
      var fields: [FieldChange] = []
      if before?.items != campaign.items {
        fields.append(items(before?.items ?? [], campaign.items))
      }
      fields += differences(
        before.map(CampaignNotation.fields) ?? [], CampaignNotation.fields(campaign))
      let kind: Kind = before == nil ? .added : fields.isEmpty ? .unchanged : .changed
      changes.append(Change(id: campaign.id, kind: kind, fields: fields))
    }
    return changes
  }

  /// By the order of `after`; what is there no more comes last.
  private static func differences(
    _ before: [CampaignNotation.Field], _ after: [CampaignNotation.Field]
  ) -> [FieldChange] {
    var changes: [FieldChange] = []
    for field in after {
      let old = before.first { $0.name == field.name }?.text ?? ""
      if old != field.text {
        changes.append(FieldChange(field: field.name, before: old, after: field.text))
      }
    }
    for field in before where !after.contains(where: { $0.name == field.name }) {
      changes.append(FieldChange(field: field.name, before: field.text, after: ""))
    }
    return changes
  }

  /// Whole lists where they are short, else how many there are.
  private static func items(_ before: [String], _ after: [String]) -> FieldChange {
    let isShort = max(before.count, after.count) <= 8
    func text(_ items: [String]) -> String {
      if items.isEmpty { return "" }
      return isShort
        ? CampaignNotation.list(items.map(CampaignNotation.quote)) : "\(items.count) items"
    }
    var change = FieldChange(field: "items", before: text(before), after: text(after))
    if !isShort, !before.isEmpty {
      let (old, new) = (Set(before), Set(after))
      let (added, removed) = (new.subtracting(old).count, old.subtracting(new).count)
      change.after += " (\(added) added, \(removed) removed)"
    }
    return change
  }
}
