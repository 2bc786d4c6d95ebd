/// The requests of `crescendo.v1.CampaignService` as a client builds them.
package enum CampaignRequestMessages {
  /// `document`: a campaign file without `items_file`.
  package static func apply(document: String, dryRun: Bool) -> [UInt8] {
    var writer = FieldWriter()
    writer.text(1, document)
    writer.flag(2, dryRun)
    return writer.bytes
  }

  package static func get(id: String) -> [UInt8] {
    named(id).bytes
  }

  /// `pageSize` 0: the largest; `afterID` empty: from the start.
  package static func list(pageSize: UInt32, afterID: String) -> [UInt8] {
    var writer = FieldWriter()
    writer.number(1, UInt64(pageSize))
    writer.text(2, afterID)
    return writer.bytes
  }

  package static func pause(id: String, resume: Bool) -> [UInt8] {
    var writer = named(id)
    writer.flag(2, resume)
    return writer.bytes
  }

  package static func diagnose(id: String) -> [UInt8] {
    named(id).bytes
  }

  private static func named(_ id: String) -> FieldWriter {
    var writer = FieldWriter()
    writer.text(1, id)
    return writer
  }
}
