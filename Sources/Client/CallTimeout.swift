/// `grpc-timeout`: at most eight digits and a unit.
package enum CallTimeout {
  /// The value in the finest unit in which it fits, rounded up, so that the server never gives up
  /// before the client does.
  package static func headerValue(nanoseconds: UInt64) -> String {
    let units: [(name: String, nanoseconds: UInt64)] = [
      ("n", 1), ("u", 1_000), ("m", 1_000_000), ("S", 1_000_000_000),
    ]
    for unit in units {
      let count = nanoseconds / unit.nanoseconds + (nanoseconds % unit.nanoseconds == 0 ? 0 : 1)
      if count <= 99_999_999 { return "\(count)\(unit.name)" }
    }
    let minuteNanoseconds: UInt64 = 60_000_000_000
    // 2⁶⁴ nanoseconds are 307 million minutes, and 5 million hours.
    let minutes = nanoseconds / minuteNanoseconds + 1
    return minutes <= 99_999_999 ? "\(minutes)M" : "\(minutes / 60 + 1)H"
  }
}
