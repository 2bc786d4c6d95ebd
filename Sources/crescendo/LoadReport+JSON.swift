import Core
import Load

extension LoadReport {
  /// One object, keys as the project's format page says; shares are percentages.
  func json(
    verdicts: [ServiceObjective.Verdict], setup: LoadSetup = LoadSetup(),
    capacity: (search: CapacitySearch, probes: [LoadProbe])? = nil
  ) -> String {
    let lag99 = tally.lag.value(Quantile(millionths: 990_000))
    let ownLag99 = tally.ownLag.value(Quantile(millionths: 990_000))
    let lagMax = tally.lag.value(Quantile(millionths: 1_000_000))
    var members: [(key: String, value: String)] = [
      ("offered_rps", JSONText.number(offeredPerSecond)),
      ("achieved_rps", JSONText.number(achievedPerSecond)),
      ("in_time_rps", JSONText.number(inTimePerSecond)),
      ("schedule_lag_ms", Self.milliseconds(lag99)),
      ("schedule_lag_max_ms", Self.milliseconds(lagMax)),
      ("calls", "\(tally.intended)"),
      ("status", JSONText.object(statuses.map { (key: $0.code.name, value: "\($0.count)") })),
      ("missing", "\(tally.missing)"),
      ("timed_out", "\(tally.timedOut)"),
      ("late", "\(tally.late)"),
      ("in_time", "\(tally.inTime)"),
      ("fidelity", JSONText.object(fidelities.map { (key: $0.name, value: "\($0.count)") })),
      ("unscored_candidates", "\(tally.unscoredCandidates)"),
      ("latency_ms", Self.percentiles(tally.latency)),
      ("service_ms", Self.percentiles(tally.service)),
      ("server", serverJSON),
      ("generator", generatorJSON(ownLag99)),
      ("slo", JSONText.array(verdicts.map(\.json))),
    ]
    members += json(setup) + curvesJSON
    if let capacity {
      members.append(("capacity", Self.json(capacity.search, capacity.probes)))
    }
    return JSONText.object(members)
  }

  static func milliseconds(_ nanoseconds: UInt64?) -> String {
    nanoseconds.map { JSONText.number(Double($0) / 1e6) } ?? "null"
  }

  private static func percentiles(_ histogram: LatencyHistogram) -> String {
    JSONText.object(
      Quantile.reported.map { ($0.name, milliseconds(histogram.value($0.quantile))) })
  }

  private var serverJSON: String {
    guard let server else { return "null" }
    return JSONText.object([
      ("cpu_us_per_call", cpuMicrosecondsPerCall(server.cpuNanoseconds)),
      ("rss_bytes", "\(server.residentBytes)"),
    ])
  }

  private func generatorJSON(_ ownLag: UInt64?) -> String {
    JSONText.object([
      ("cpu_us_per_call", cpuMicrosecondsPerCall(generator.cpuNanoseconds)),
      ("busy", JSONText.number(generator.busyShare)),
      ("lag_ms", Self.milliseconds(ownLag)),
      ("in_flight_max", "\(generator.inFlightHighest)"),
      ("held_calls", "\(generator.heldCalls)"),
      ("reconnects", "\(generator.reconnects)"),
      ("fell_behind", "\(generatorFault != nil)"),
    ])
  }

  private func cpuMicrosecondsPerCall(_ nanoseconds: UInt64) -> String {
    // Without an answer it is not finite, which is null.
    JSONText.number(Double(nanoseconds) / 1e3 / Double(tally.answered))
  }

  static func json(_ search: CapacitySearch, _ probes: [LoadProbe]) -> String {
    JSONText.object([
      ("rps", search.highestPassed.map(JSONText.number) ?? "null"),
      ("limited_by_generator", "\(search.isLimitedByGenerator)"),
      (
        "probes",
        JSONText.array(
          probes.map { probe in
            JSONText.object([
              ("rps", JSONText.number(probe.ratePerSecond)),
              ("ok", "\(probe.outcome == .passed)"),
              ("fell_behind", "\(probe.outcome == .generatorFellBehind)"),
              ("slo", JSONText.array(probe.verdicts.map(\.json))),
            ])
          })
      ),
    ])
  }

  /// Those that occurred, in the order of their numbers.
  var statuses: [(code: StatusCode, count: Int)] {
    StatusCode.allCases.map { ($0, tally.count($0)) }.filter { $0.1 > 0 }
  }

  /// Those that occurred, the best first.
  var fidelities: [(name: String, count: Int)] {
    LoadReport.fidelityNames.map { ($0.name, tally.count(fidelity: $0.fidelity)) }
      .filter { $0.1 > 0 }
  }

  /// The status that most calls came to, with its words.
  var commonestFailure: String? {
    guard let most = statuses.filter({ $0.code != .ok }).max(by: { $0.count < $1.count }) else {
      if tally.missing == 0 { return nil }
      return "no call was answered OK; no connection had room for \(tally.missing) calls "
        + "before their deadline"
    }
    return "no call was answered OK; \(most.code.name): \(printable(texts[most.code] ?? ""))"
  }
}

extension ServiceObjective.Verdict {
  private var isLatency: Bool {
    if case .latency = objective.measure { true } else { false }
  }

  /// Milliseconds of a latency, else percent.
  private func shown(_ value: Double) -> Double { isLatency ? value / 1e6 : value * 100 }

  var valueText: String { text(value) }
  var limitText: String { text(objective.limit) }

  private func text(_ value: Double?) -> String {
    guard let value else { return isLatency ? "infinite" : "nothing" }
    return fixed(shown(value), 3) + (isLatency ? " ms" : " %")
  }

  /// Whether the limit is a least and not a most.
  var isLeast: Bool { objective.measure == .full || objective.measure == .inTime }

  fileprivate var json: String {
    JSONText.object([
      ("name", JSONText.string(objective.name)),
      ("limit", JSONText.number(shown(objective.limit))),
      ("value", value.map { JSONText.number(shown($0)) } ?? "null"),
      ("ok", "\(isMet)"),
      ("unit", JSONText.string(isLatency ? "ms" : "%")),
    ])
  }
}
