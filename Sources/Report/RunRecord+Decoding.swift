internal import Core
internal import FoundationEssentials

extension RunRecord: Decodable {
  package init(from decoder: any Decoder) throws {
    let fields = try JSONFields(decoder)
    setup = try Setup(fields)
    offered = try fields.number("offered_rps")
    achieved = try fields.number("achieved_rps")
    inTimeRate = try fields.optionalNumber("in_time_rps")
    lagMilliseconds = try fields.optionalNumber("schedule_lag_ms")
    calls = try fields.count("calls")
    statuses = try RunRecord.entries(fields, "status", order: RunRecord.statusOrder)
    missing = try fields.optionalCount("missing") ?? 0
    timedOut = try fields.optionalCount("timed_out") ?? 0
    late = try fields.optionalCount("late") ?? 0
    inTime = try fields.optionalCount("in_time")
    fidelities = try RunRecord.entries(fields, "fidelity", order: RunRecord.fidelityOrder)
    latency = try Percentiles(fields, "latency_ms")
    service = try Percentiles(fields, "service_ms")
    server = try fields.object("server").map { try Server($0) }
    generator = try fields.object("generator").map { try Generator($0) }
    objectives =
      fields.has("slo")
      ? try fields.list(Objective.self, "slo", atMost: Limits.reportNames) : []
    texts = []
    if let words = try fields.object("texts") {
      texts = try RunRecord.sorted(words.names.prefix(Limits.reportNames), RunRecord.statusOrder)
        .map { Words(name: $0, text: try words.text($0)) }
    }
    latencyLevels = []
    serviceLevels = []
    if let percentiles = try fields.object("percentiles") {
      latencyLevels = try RunRecord.levels(percentiles, "latency_ms")
      serviceLevels = try RunRecord.levels(percentiles, "service_ms")
    }
    series = try fields.object("series").map { try Series($0) }
    capacity = try fields.object("capacity")?.optionalNumber("rps")
  }

  static let statusOrder = StatusCode.allCases.map(\.name)
  /// The best first.
  static let fidelityOrder = ["FULL", "PARTIAL", "PRIOR", "NONE", "UNSPECIFIED"]

  /// In the given order; what is not in it comes last, by its name.
  static func sorted(_ names: some Sequence<String>, _ order: [String]) -> [String] {
    names.sorted { one, other in
      let places = (order.firstIndex(of: one), order.firstIndex(of: other))
      switch places {
      case (let one?, let other?): return one < other
      case (_?, nil): return true
      case (nil, _?): return false
      case (nil, nil): return one < other
      }
    }
  }

  private static func entries(_ fields: JSONFields, _ name: String, order: [String]) throws
    -> [Entry]
  {
    guard let object = try fields.object(name) else {
      // Says that the key is missing.
      _ = try fields.count(name)
      return []
    }
    return try sorted(object.names.prefix(Limits.reportNames), order)
      .map { Entry(name: $0, count: try object.count($0)) }
  }

  /// `[[percent, milliseconds], …]`, rising.
  private static func levels(_ fields: JSONFields, _ name: String) throws -> [Level] {
    guard fields.has(name) else { return [] }
    let pairs = try fields.list([Double?].self, name, atMost: Limits.reportLevels)
    return try pairs.map { pair in
      guard pair.count == 2, let percent = pair[0], (0...100).contains(percent),
        (pair[1] ?? 0) >= 0, (pair[1] ?? 0) <= 1e12
      else {
        throw DecodingError.dataCorrupted(
          .init(
            codingPath: [JSONFields.Key("percentiles"), JSONFields.Key(name)],
            debugDescription: "is no list of percentages and milliseconds"))
      }
      return Level(share: percent / 100, milliseconds: pair[1])
    }
  }
}

extension RunRecord.Setup {
  fileprivate init(_ fields: JSONFields) throws {
    target = try fields.optionalText("target")
    framing = try fields.optionalText("framing")
    schedule = try fields.optionalText("schedule")
    connections = try fields.optionalCount("connections")
    rate = try fields.optionalNumber("rate")
    durationSeconds = try fields.optionalNumber("duration_s")
    warmUpSeconds = try fields.optionalNumber("warm_up_s")
    timeoutMilliseconds = try fields.optionalNumber("timeout_ms")
    let candidates = try fields.object("candidates")
    candidatesLeast = try candidates?.count("min")
    candidatesMost = try candidates?.count("max")
    version = try fields.optionalText("version")
    startedUnixMilliseconds = try fields.optionalCount("started_unix_ms")
  }
}

extension RunRecord.Percentiles {
  fileprivate init(_ fields: JSONFields, _ name: String) throws {
    guard let values = try fields.object(name) else {
      // Says that the key is missing.
      _ = try fields.number(name)
      return
    }
    p50 = try values.optionalNumber("p50")
    p90 = try values.optionalNumber("p90")
    p99 = try values.optionalNumber("p99")
    p999 = try values.optionalNumber("p99_9")
    p9999 = try values.optionalNumber("p99_99")
    max = try values.optionalNumber("max")
  }
}

extension RunRecord.Server {
  fileprivate init(_ fields: JSONFields) throws {
    cpuMicrosecondsPerCall = try fields.optionalNumber("cpu_us_per_call")
    residentBytes = try fields.number("rss_bytes")
  }
}

extension RunRecord.Generator {
  fileprivate init(_ fields: JSONFields) throws {
    cpuMicrosecondsPerCall = try fields.optionalNumber("cpu_us_per_call")
    busyShare = try fields.number("busy")
    lagMilliseconds = try fields.optionalNumber("lag_ms")
    inFlightMax = try fields.count("in_flight_max")
    heldCalls = try fields.count("held_calls")
    reconnects = try fields.count("reconnects")
    fellBehind = try fields.flag("fell_behind")
  }
}

extension RunRecord.Objective: Decodable {
  package init(from decoder: any Decoder) throws {
    let fields = try JSONFields(decoder)
    name = try fields.text("name")
    limit = try fields.number("limit")
    value = try fields.optionalNumber("value")
    isMet = try fields.flag("ok")
    unit = try fields.optionalText("unit") ?? ""
  }
}

extension RunRecord.Series {
  fileprivate init(_ fields: JSONFields) throws {
    intervalSeconds = try fields.number("interval_s")
    seconds = try fields.list(Double.self, "t_s", atMost: Limits.reportIntervals)
    let rows = seconds.count
    calls = try fields.counts("calls", rows: rows)
    inTime = try fields.counts("in_time", rows: rows)
    missing = try fields.counts("missing", rows: rows)
    statuses = try Self.rows(fields, "status", RunRecord.statusOrder, rows)
    fidelities = try Self.rows(fields, "fidelity", RunRecord.fidelityOrder, rows)
    p50 = try fields.numbers("p50_ms", rows: rows)
    p99 = try fields.numbers("p99_ms", rows: rows)
    longest = try fields.numbers("longest_ok_ms", rows: rows)
    inFlight = try fields.numbers("in_flight", rows: rows).map { $0 ?? 0 }
    let isRising = zip(seconds, seconds.dropFirst()).allSatisfy { $0 < $1 }
    guard isRising, seconds.allSatisfy({ abs($0) < 1e9 }), intervalSeconds > 0 else {
      throw DecodingError.dataCorrupted(
        .init(
          codingPath: [JSONFields.Key("series"), JSONFields.Key("t_s")],
          debugDescription: "does not rise"))
    }
  }

  private static func rows(_ fields: JSONFields, _ name: String, _ order: [String], _ count: Int)
    throws -> [Row]
  {
    guard let object = try fields.object(name) else { return [] }
    return try RunRecord.sorted(object.names.prefix(Limits.reportNames), order)
      .map { Row(name: $0, counts: try object.counts($0, rows: count)) }
  }
}
