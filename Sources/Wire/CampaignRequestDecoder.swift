package import Core

/// A decoded `crescendo.v1.ApplyCampaignsRequest`.
package struct ApplyCampaignsRequestView: BitwiseCopyable {
  /// UTF-8, in the message.
  package var document = ByteSlice.empty
  package var dryRun = false
}

/// A decoded `crescendo.v1.ListCampaignsRequest`.
package struct ListCampaignsRequestView: BitwiseCopyable {
  /// 1 to `Limits.campaignPage`.
  package var pageSize = Limits.campaignPage
  /// UTF-8, in the message; empty = from the start.
  package var afterID = ByteSlice.empty
}

/// A decoded `crescendo.v1.PauseCampaignRequest`.
package struct PauseCampaignRequestView: BitwiseCopyable {
  /// UTF-8, in the message, not empty.
  package var id = ByteSlice.empty
  package var resume = false
}

/// Decodes the requests of `crescendo.v1.CampaignService`. What it answers lives as long as the
/// message. For each of them: undecodable bytes are INTERNAL with message name and byte offset; a
/// NUL in a string, and an id that is not given, INVALID_ARGUMENT with the field.
package enum CampaignRequestDecoder {
  package static func apply(_ message: ByteSlice) throws(CallFailure)
    -> ApplyCampaignsRequestView
  {
    var view = ApplyCampaignsRequestView()
    try scan(message, "crescendo.v1.ApplyCampaignsRequest") { reader, field throws(WireError) in
      switch field.number {
      case 1: view.document = try reader.text(field, "document")
      case 2:
        try reader.expect(WireType.varint, field)
        view.dryRun = reader.number(field) != 0
      default: return
      }
    }
    return view
  }

  /// The campaign's id.
  package static func get(_ message: ByteSlice) throws(CallFailure) -> ByteSlice {
    try id(message, "crescendo.v1.GetCampaignRequest")
  }

  /// The campaign's id.
  package static func diagnose(_ message: ByteSlice) throws(CallFailure) -> ByteSlice {
    try id(message, "crescendo.v1.DiagnoseCampaignRequest")
  }

  /// A page size over `Limits.campaignPage` is INVALID_ARGUMENT; 0 is the largest.
  package static func list(_ message: ByteSlice) throws(CallFailure) -> ListCampaignsRequestView {
    var (view, pageSize) = (ListCampaignsRequestView(), UInt32(0))
    try scan(message, "crescendo.v1.ListCampaignsRequest") { reader, field throws(WireError) in
      switch field.number {
      case 1:
        try reader.expect(WireType.varint, field)
        pageSize = UInt32(truncatingIfNeeded: reader.number(field))
      case 2: view.afterID = try reader.text(field, "after_id")
      default: return
      }
    }
    guard pageSize <= Limits.campaignPage else {
      throw CallFailure(
        .invalidArgument, "page_size \(pageSize): at most \(Limits.campaignPage) are possible",
        field: "page_size")
    }
    if pageSize > 0 { view.pageSize = Int(pageSize) }
    return view
  }

  package static func pause(_ message: ByteSlice) throws(CallFailure) -> PauseCampaignRequestView {
    var view = PauseCampaignRequestView()
    try scan(message, "crescendo.v1.PauseCampaignRequest") { reader, field throws(WireError) in
      switch field.number {
      case 1: view.id = try reader.text(field, "id")
      case 2:
        try reader.expect(WireType.varint, field)
        view.resume = reader.number(field) != 0
      default: return
      }
    }
    try requireID(view.id)
    return view
  }

  private static func id(_ message: ByteSlice, _ messageName: StaticString) throws(CallFailure)
    -> ByteSlice
  {
    var id = ByteSlice.empty
    try scan(message, messageName) { reader, field throws(WireError) in
      if field.number == 1 { id = try reader.text(field, "id") }
    }
    try requireID(id)
    return id
  }

  private static func requireID(_ id: ByteSlice) throws(CallFailure) {
    if id.isEmpty {
      throw CallFailure(.invalidArgument, "id is empty: which campaign?", field: "id")
    }
  }

  private static func scan(
    _ message: ByteSlice, _ messageName: StaticString,
    _ take: (WireReader, WireField) throws(WireError) -> Void
  ) throws(CallFailure) {
    guard let base = message.base else { return }
    var reader = WireReader(base, from: 0, to: message.count)
    do throws(WireError) {
      while !reader.isAtEnd {
        let field = try reader.next()
        try take(reader, field)
      }
    } catch {
      throw error.failure(messageName)
    }
  }
}
