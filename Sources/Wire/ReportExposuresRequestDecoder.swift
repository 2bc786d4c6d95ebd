package import Core

/// An exposure of a report, as it lies in its message.
package struct ExposureView: BitwiseCopyable {
  /// Of any length: whether it is one of ours is for its MAC to say.
  package var token = ByteSlice.empty
  /// Milliseconds since 1970; 0 = now.
  package var timeUnixMilliseconds: Int64 = 0
  package var goal = false

  package init() {}
}

/// A decoded `crescendo.v1.ReportExposuresRequest`.
package struct ReportExposuresRequestView: BitwiseCopyable {
  package var sequence: UInt64 = 0
  /// At most `Limits.reportExposures`, in the order of the message.
  package var exposures = UnsafeBufferPointer<ExposureView>(start: nil, count: 0)

  package init() {}
}

/// Decodes `crescendo.v1.ReportExposuresRequest`: one scan counts, a second one fills.
package enum ReportExposuresRequestDecoder {
  package static let messageName: StaticString = "crescendo.v1.ReportExposuresRequest"

  /// Fills `view`, new as it is made. Tokens lie in `message`, the exposures in `arena`: 32 bytes
  /// each, and nothing else is allocated.
  ///
  /// Undecodable bytes: INTERNAL with message name and byte offset. More than
  /// `Limits.reportExposures`, or no room in the arena: RESOURCE_EXHAUSTED, not to be retried.
  package static func decode(
    _ message: ByteSlice, into view: inout ReportExposuresRequestView,
    arena: UnsafeMutablePointer<Arena>
  ) -> CallFailure? {
    guard let base = message.base, message.count > 0 else { return nil }
    let start = WireReader(base, from: 0, to: message.count)
    do throws(WireError) {
      let count = try scan(start, into: &view)
      guard count <= Limits.reportExposures else {
        return tooLarge(
          "the report has \(count) exposures; the limit is \(Limits.reportExposures)")
      }
      guard let exposures = arena.pointee.allocate(ExposureView.self, count: count) else {
        return tooLarge(
          "\(count) exposures take more than \(arena.pointee.limitBytes) bytes of memory")
      }
      var (reader, index) = (start, 0)
      while !reader.isAtEnd {
        let field = try reader.next()
        guard field.number == 2 else { continue }
        (exposures + index).initialize(to: try exposure(reader.inside(field)))
        index += 1
      }
      view.exposures = UnsafeBufferPointer(start: exposures, count: index)
      return nil
    } catch {
      return error.failure(messageName)
    }
  }

  /// How many exposures there are.
  private static func scan(_ reader: WireReader, into view: inout ReportExposuresRequestView)
    throws(WireError) -> Int
  {
    var (reader, count) = (reader, 0)
    while !reader.isAtEnd {
      let field = try reader.next()
      switch field.number {
      case 1:
        try reader.expect(WireType.fixed64, field)
        view.sequence = reader.fixed64(field)
      case 2:
        try reader.expect(WireType.lengthDelimited, field)
        count += 1
      default: continue
      }
    }
    return count
  }

  @inline(__always)
  private static func exposure(_ reader: WireReader) throws(WireError) -> ExposureView {
    var (reader, exposure) = (reader, ExposureView())
    while !reader.isAtEnd {
      let field = try reader.next()
      switch field.number {
      case 1:
        try reader.expect(WireType.lengthDelimited, field)
        exposure.token = reader.slice(field)
      case 2:
        try reader.expect(WireType.fixed64, field)
        exposure.timeUnixMilliseconds = Int64(bitPattern: reader.fixed64(field))
      case 3:
        try reader.expect(WireType.varint, field)
        exposure.goal = reader.number(field) != 0
      default: continue
      }
    }
    return exposure
  }
}
