internal import Core
internal import Yams

extension NodeReader {
  /// Milliseconds since 1970.
  mutating func instant(_ node: Node) -> Int64? {
    guard let text = text(node) else { return nil }
    do throws(RFC3339.Fault) {
      return try RFC3339.unixMilliseconds(text)
    } catch {
      let reason =
        switch error {
        case .form: "is no time of RFC 3339, for example 2026-12-01T00:00:00Z"
        case .noZone: "says no time zone: 2026-12-01T00:00:00Z does, or +01:00 in place of the Z"
        case .noSuchTime: "is a time that there is not, in the years 0 to 9999"
        case .leapSecond: "is a leap second, which Unix time has not"
        case .finerThanMilliseconds: "is finer than a millisecond"
        }
      fault(node, "\(quoted(text)) \(reason)")
      return nil
    }
  }

  /// The window of a cap, seconds.
  mutating func window(_ node: Node) -> UInt32? {
    guard let text = text(node) else { return nil }
    guard let nanoseconds = DurationText.nanoseconds(text) else {
      fault(node, "\(quoted(text)) is no duration, for example 12h or 7d")
      return nil
    }
    let most = Limits.campaignCapSeconds
    guard nanoseconds >= 1_000_000_000, nanoseconds <= UInt64(most) * 1_000_000_000 else {
      fault(node, "\(quoted(text)) is not from 1s to \(most / 86_400)d")
      return nil
    }
    guard nanoseconds % 1_000_000_000 == 0 else {
      fault(node, "\(quoted(text)) is no whole number of seconds")
      return nil
    }
    return UInt32(nanoseconds / 1_000_000_000)
  }

  mutating func flight(_ node: Node, now: Int64) -> Range<Int64>? {
    let keys = CampaignKeys.flight
    guard let fields = fields(node, keys, required: keys) else { return nil }
    let start = value(fields, "start") { $0.instant($1) }
    let end = value(fields, "end") { $0.instant($1) }
    guard let start, let end, let endNode = fields["end"] else { return nil }
    if start >= end {
      fault(endNode, in: "end", "the end is not after the start, \(RFC3339.text(start))")
      return nil
    }
    if end <= now {
      fault(endNode, in: "end", "the flight is over: it is \(RFC3339.text(now)) now")
      return nil
    }
    if end - start > Limits.campaignFlightMilliseconds {
      fault(endNode, in: "end", "the flight is longer than ten years")
      return nil
    }
    return start..<end
  }
}
