internal import Core

/// A definition as it is stored: the text of one campaign.
package struct StoredDefinition: Sendable {
  package var id: String
  package var document: String

  package init(id: String, document: String) {
    (self.id, self.document) = (id, document)
  }
}

/// A stored definition that cannot be read: it was damaged, or changed by hand.
package struct StoredDefinitionFault: Error, Sendable, Equatable, CustomStringConvertible {
  /// nil = the policy.
  package var id: String?
  package var reason: String

  package var description: String {
    let what = id.map { "definition of campaign \($0)" } ?? "policy"
    return "the stored \(what) cannot be read: \(reason)"
  }
}

extension CampaignFile {
  /// The campaigns of stored definitions, one for each, in their order.
  package static func stored(
    _ definitions: [StoredDefinition]
  ) throws(StoredDefinitionFault) -> [Campaign] {
    var campaigns: [Campaign] = []
    campaigns.reserveCapacity(definitions.count)
    // Read as few documents: a parser for each would cost more than what it reads.
    var first = 0
    while first < definitions.count {
      var (text, next) = (head, first)
      while next < definitions.count, text.utf8.count < Limits.campaignFileBytes / 4 {
        text += definitions[next].document.dropFirst(head.count)
        next += 1
      }
      let part = definitions[first..<next]
      if let read = together(text, part) {
        campaigns += read
      } else {
        for definition in part { campaigns.append(try alone(definition)) }
      }
      first = next
    }
    return campaigns
  }

  /// The policy, from what was stored of it before; nil: nothing was.
  package static func storedPolicy(
    _ document: String, after stored: CampaignPolicy?
  ) throws(StoredDefinitionFault) -> CampaignPolicy {
    do throws(FileFaults) {
      let parsed = try parse(document, catalog: .unknown, now: .min)
      if parsed.campaigns.isEmpty, let policy = parsed.policy.applied(to: stored) { return policy }
    } catch {
      throw StoredDefinitionFault(id: nil, reason: error.first)
    }
    throw StoredDefinitionFault(id: nil, reason: "it is no policy with a currency")
  }

  /// nil: they are not these campaigns, and nothing else.
  private static func together(
    _ text: String, _ definitions: ArraySlice<StoredDefinition>
  ) -> [Campaign]? {
    guard definitions.allSatisfy({ $0.document.hasPrefix(head) }),
      let parsed = try? parse(text, catalog: .unknown, now: .min),
      parsed.policy == DocumentPolicy(),
      parsed.campaigns.map(\.id) == definitions.map(\.id)
    else { return nil }
    return parsed.campaigns
  }

  private static func alone(
    _ definition: StoredDefinition
  ) throws(StoredDefinitionFault) -> Campaign {
    let parsed: CampaignDocument
    do throws(FileFaults) {
      parsed = try parse(definition.document, catalog: .unknown, now: .min)
    } catch {
      throw StoredDefinitionFault(id: definition.id, reason: error.first)
    }
    guard parsed.campaigns.map(\.id) == [definition.id] else {
      let names = listed(parsed.campaigns.map { quoted($0.id) })
      throw StoredDefinitionFault(
        id: definition.id,
        reason: names.isEmpty ? "there is no campaign in it" : "it is of \(names)")
    }
    return parsed.campaigns[0]
  }
}

extension FileFaults {
  fileprivate var first: String { kept.first.map { "line \($0)" } ?? "" }
}
