/// Why a limit was not set.
package struct LimitError: Error, Sendable, Equatable, CustomStringConvertible {
  package var description: String

  package init(_ description: String) {
    self.description = description
  }
}

extension ServingLimits {
  /// One bound by its name: what it may be, and where it lies.
  package struct Setting: Sendable {
    package let name: String
    /// Values between which everything that is derived from it stays sound.
    package let range: ClosedRange<UInt64>
    package let read: @Sendable (ServingLimits) -> UInt64
    fileprivate let write: @Sendable (inout ServingLimits, UInt64) -> Void

    fileprivate static func count(
      _ name: String, _ path: sending WritableKeyPath<ServingLimits, Int>,
      _ range: ClosedRange<UInt64>
    ) -> Setting {
      // Unsafe: a key path without captures, which is immutable.
      nonisolated(unsafe) let path = path
      return Setting(
        name: name, range: range, read: { UInt64($0[keyPath: path]) },
        write: { $0[keyPath: path] = Int($1) })
    }

    fileprivate static func time(
      _ name: String, _ path: sending WritableKeyPath<ServingLimits, UInt64>,
      _ range: ClosedRange<UInt64>
    ) -> Setting {
      // Unsafe: a key path without captures, which is immutable.
      nonisolated(unsafe) let path = path
      return Setting(
        name: name, range: range, read: { $0[keyPath: path] },
        write: { $0[keyPath: path] = $1 })
    }
  }

  private static let millisecond: UInt64 = 1_000_000
  private static let second: UInt64 = 1_000 * millisecond
  private static let minute: UInt64 = 60 * second
  private static let day: UInt64 = 1_440 * minute
  /// HTTP/2's largest window, bytes.
  private static let windowMax: UInt64 = (1 << 31) - 1

  /// Every bound, in the order of the declarations.
  package static let settings: [Setting] = [
    .count("messageBytes", \.messageBytes, 1 << 10...1 << 30),
    .count("campaignMessageBytes", \.campaignMessageBytes, 1 << 10...1 << 30),
    .count("candidates", \.candidates, 1...100_000),
    .count("inflatedRatio", \.inflatedRatio, 1...10_000),
    .count("inflatedFloorBytes", \.inflatedFloorBytes, 1...1 << 30),
    .count("arenaFirstChunkBytes", \.arenaFirstChunkBytes, 1 << 10...1 << 20),
    .count("arenaBytes", \.arenaBytes, 64 << 10...16 << 30),
    .count("concurrentStreams", \.concurrentStreams, 1...10_000),
    .count("streamWindowBytes", \.streamWindowBytes, 16 << 10...windowMax),
    .count("connectionWindowBytes", \.connectionWindowBytes, 65_535...windowMax),
    .count("headerListBytes", \.headerListBytes, 1 << 10...1 << 20),
    .count("headerCount", \.headerCount, 16...1_000),
    .count("gzipFloorBytes", \.gzipFloorBytes, 1...1 << 30),
    .count("readBufferBytes", \.readBufferBytes, 16 << 10...16 << 20),
    .count("writeBufferBytes", \.writeBufferBytes, 64 << 10...16 << 20),
    .count("connectionBufferedBytes", \.connectionBufferedBytes, 1 << 10...16 << 30),
    .count("campaignBufferedBytes", \.campaignBufferedBytes, 1 << 10...16 << 30),
    .count("streamOutboundBytes", \.streamOutboundBytes, 16 << 10...1 << 30),
    .count("streamItems", \.streamItems, 1...10_000),
    .count("connectionOutboundBytes", \.connectionOutboundBytes, 64 << 10...16 << 30),
    .count("processOutboundBytes", \.processOutboundBytes, 64 << 10...1 << 40),
    .count("connections", \.connections, 1...1_000_000),
    .count("adminConnections", \.adminConnections, 1...1_000),
    .count("sessionCredit", \.sessionCredit, 1...(1 << 31) - 1),
    .count("sessionCalls", \.sessionCalls, 1...65_536),
    .time("defaultTimeoutNanoseconds", \.defaultTimeoutNanoseconds, millisecond...day),
    .time("messageArrivalNanoseconds", \.messageArrivalNanoseconds, millisecond...day),
    .time("drainNoticeNanoseconds", \.drainNoticeNanoseconds, millisecond...minute),
    .time("stallNanoseconds", \.stallNanoseconds, 10 * millisecond...day),
    .time("stallTickNanoseconds", \.stallTickNanoseconds, millisecond...minute),
    .time("heartbeatNanoseconds", \.heartbeatNanoseconds, 10 * millisecond...10 * second),
    .time("silenceNanoseconds", \.silenceNanoseconds, 20 * millisecond...day),
    .time("frameNanoseconds", \.frameNanoseconds, millisecond...day),
    .time("drainNanoseconds", \.drainNanoseconds, millisecond...day),
    .time("inPlaceNanoseconds", \.inPlaceNanoseconds, 1...second),
    .time("inPlaceTurnNanoseconds", \.inPlaceTurnNanoseconds, 1...second),
    .time("blockNanoseconds", \.blockNanoseconds, 1_000...second),
    .time("fanOutNanoseconds", \.fanOutNanoseconds, 1_000...minute),
    .time("shardQueueNanoseconds", \.shardQueueNanoseconds, millisecond...minute),
    .time("batchQueueNanoseconds", \.batchQueueNanoseconds, millisecond...minute),
    .time("queueDelayTargetNanoseconds", \.queueDelayTargetNanoseconds, 10_000...minute),
    .time("queueDelayIntervalNanoseconds", \.queueDelayIntervalNanoseconds, millisecond...minute),
    .time("costDoubtNanoseconds", \.costDoubtNanoseconds, millisecond...minute),
    .count("keptRowsBytes", \.keptRowsBytes, 4 << 10...16 << 30),
    .time("reservationNanoseconds", \.reservationNanoseconds, 10 * millisecond...day),
    .time("leaseNanoseconds", \.leaseNanoseconds, 20 * millisecond...2 * day),
    .time("reportNanoseconds", \.reportNanoseconds, 10 * millisecond...30 * day),
  ]

  /// The defaults with some of them replaced; those that are multiples of another follow it
  /// unless they are given too. Values are in the unit that the name ends in.
  package init(replacing given: [String: UInt64]) throws(LimitError) {
    self.init()
    for (name, value) in given {
      try ServingLimits.check(name, value).write(&self, value)
    }
    if given["connectionBufferedBytes"] == nil { connectionBufferedBytes = 4 * messageBytes }
    if given["campaignMessageBytes"] == nil {
      campaignMessageBytes = max(campaignMessageBytes, messageBytes)
    }
    if given["campaignBufferedBytes"] == nil { campaignBufferedBytes = 2 * campaignMessageBytes }
    if given["processOutboundBytes"] == nil { processOutboundBytes = 64 * connectionOutboundBytes }
    if given["batchQueueNanoseconds"] == nil { batchQueueNanoseconds = shardQueueNanoseconds / 2 }
    if given["leaseNanoseconds"] == nil { leaseNanoseconds = 2 * reservationNanoseconds }
    try check()
  }

  /// The setting of this name, if it may have this value.
  @discardableResult
  package static func check(_ name: String, _ value: UInt64) throws(LimitError) -> Setting {
    guard let setting = settings.first(where: { $0.name == name }) else {
      throw LimitError("there is no limit \(name)\(suggestion(name))")
    }
    guard setting.range.contains(value) else {
      throw LimitError(
        "\(name) \(value): \(setting.range.lowerBound) to \(setting.range.upperBound) "
          + "are possible")
    }
    return setting
  }

  /// Bounds that only make sense together.
  private func check() throws(LimitError) {
    let order: [(small: String, large: String)] = [
      ("messageBytes", "connectionBufferedBytes"),
      ("messageBytes", "campaignMessageBytes"),
      ("campaignMessageBytes", "campaignBufferedBytes"),
      ("arenaFirstChunkBytes", "arenaBytes"),
      ("messageBytes", "arenaBytes"),
      ("streamWindowBytes", "connectionWindowBytes"),
      ("streamOutboundBytes", "connectionOutboundBytes"),
      ("connectionOutboundBytes", "processOutboundBytes"),
      ("batchQueueNanoseconds", "shardQueueNanoseconds"),
      ("stallTickNanoseconds", "stallNanoseconds"),
      ("heartbeatNanoseconds", "silenceNanoseconds"),
    ]
    for (small, large) in order {
      let (lower, upper) = (value(small), value(large))
      guard lower <= upper else {
        throw LimitError("\(small) (\(lower)) is over \(large) (\(upper))")
      }
    }
    // A lease takes no reservation that would outlive it.
    guard reservationNanoseconds <= leaseNanoseconds / 2 else {
      throw LimitError(
        "reservationNanoseconds (\(reservationNanoseconds)) is over half of leaseNanoseconds "
          + "(\(leaseNanoseconds))")
    }
  }

  /// 0 for a name that is none.
  private func value(_ name: String) -> UInt64 {
    ServingLimits.settings.first { $0.name == name }?.read(self) ?? 0
  }

  private static func suggestion(_ name: String) -> String {
    let wanted = name.lowercased()
    let near = settings.map(\.name).filter {
      let one = $0.lowercased()
      return one.hasPrefix(wanted) || wanted.hasPrefix(one)
    }
    return near.isEmpty
      ? "; serve --print-config shows them all" : "; is it \(near.joined(separator: " or "))?"
  }
}
