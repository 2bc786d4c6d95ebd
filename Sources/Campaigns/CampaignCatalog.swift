/// What a set of campaigns needs to know of the items that are served.
package struct CampaignCatalog {
  /// Rows are 0 ..< rowCount.
  package var rowCount: Int
  /// The row of a URI or a decimal id; nil: no such item.
  package var row: (String) -> Int32?
  /// The number of a row's artist or release; nil: missing. `Int64.min` counts as missing, too.
  package var artist: (Int32) -> Int64?
  package var release: (Int32) -> Int64?

  package init(
    rowCount: Int, row: @escaping (String) -> Int32?,
    artist: @escaping (Int32) -> Int64? = { _ in nil },
    release: @escaping (Int32) -> Int64? = { _ in nil }
  ) {
    self.rowCount = rowCount
    self.row = row
    self.artist = artist
    self.release = release
  }
}

/// Why campaigns cannot be served together.
package enum CampaignSetError: Error, Equatable {
  case tooManyCampaigns(Int)
  /// Items of all campaigns together.
  case tooManyItems(Int)
  /// More than `Limits.campaignsPerItem` campaigns promote the item; the campaign is the one that
  /// is over.
  case tooManyCampaignsOfItem(row: Int32, campaign: String)
  /// More than `Limits.campaignNames` markets, surfaces or tiers are named, or more segments than
  /// `Limits.campaignSegments`.
  case tooManyNames(kind: String, Int)
  case idTwice(String)
  case keyTwice(String)
}
