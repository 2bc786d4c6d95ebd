import Client
import Wire

/// Ids of campaigns for the keys that answers have in their place.
struct CampaignNames {
  private var wanted: Set<UInt64>
  private(set) var found: [UInt64: String] = [:]

  /// 0 is no campaign's key.
  init(wanted: [UInt64]) {
    self.wanted = Set(wanted).subtracting([0])
  }

  var isComplete: Bool { wanted.isEmpty }

  mutating func take(_ campaigns: [CampaignStateMessage]) {
    for campaign in campaigns where wanted.remove(campaign.key) != nil {
      found[campaign.key] = campaign.id
    }
  }

  /// Reads the server's list as far as it takes. After an error those that were not read yet stay
  /// without a name.
  mutating func ask(_ channel: Channel, timeoutNanoseconds: UInt64) throws(ClientError) {
    var names = self
    defer { self = names }
    try channel.listCampaigns(timeoutNanoseconds: timeoutNanoseconds) { campaigns in
      names.take(campaigns)
      return !names.isComplete
    }
  }

  /// The id, or `key:` and 16 hexadecimal digits, which is no campaign's id; nil for none.
  static func name(of key: UInt64, _ ids: [UInt64: String]) -> String? {
    guard key != 0 else { return nil }
    if let id = ids[key] { return id }
    let digits = String(key, radix: 16)
    return "key:" + String(repeating: "0", count: 16 - digits.count) + digits
  }
}
