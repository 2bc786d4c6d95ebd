import Testing

@testable import Core

struct MetricsExpositionTests {
  /// One of everything, with what has to be escaped.
  private func example() -> MetricRegistry {
    var schema = MetricSchema()
    let calls = schema.counter(
      "calls_total", "Calls, \"all\" of them.\nIn C:\\.", labels: ["kind", "path"],
      series: [["a", "x"], ["b", "C:\\\n\"y\""]])
    let busy = schema.counter("busy_seconds_total", "Work.", unit: .nanoseconds)
    let rare = schema.counter(
      "rare_total", "Seldom.", labels: ["kind"], hidesEmpty: true, series: [["never"], ["once"]])
    let open = schema.gauge("open", "Open things.")
    let delay = schema.histogram(
      "delay_seconds", "Waiting.", labels: ["kind"], unit: .nanoseconds,
      bounds: [0, 10_000, 1_000_000_000], series: [["a"]])
    let size = schema.histogram(
      "size_bytes", "Lengths.", unit: .count, bounds: [1_024], hidesEmpty: true)
    schema.observed(.gauge, "seen", "Read when asked.", labels: ["name"]) {
      [
        MetricSample(["half"], 0.5), MetricSample(["big"], 1e300), MetricSample(["inf"], .infinity),
        MetricSample(["nan"], .nan), MetricSample(["less"], -3),
      ]
    }
    let registry = MetricRegistry(schema, writers: 2)
    registry.counters(calls, writer: 0)[0].increment()
    registry.counters(calls, writer: 1)[0].add(UInt64(41))
    registry.counters(busy, writer: 1)[0].add(UInt64(1_500_000_000))
    registry.counters(rare, writer: 0)[1].increment()
    registry.gauges(open, writer: 0)[0].add(-3)
    registry.gauges(open, writer: 1)[0].set(1)
    let waiting = registry.histograms(delay, writer: 0)[0]
    for value: UInt64 in [0, 10_000, 10_001, 2_000_000_000] { waiting.record(value) }
    _ = registry.histograms(size, writer: 0)
    return registry
  }

  @Test func looksLikeThis() {
    #expect(
      example().exposition() == #"""
        # HELP calls_total Calls, "all" of them.\nIn C:\\.
        # TYPE calls_total counter
        calls_total{kind="a",path="x"} 42
        calls_total{kind="b",path="C:\\\n\"y\""} 0
        # HELP busy_seconds_total Work.
        # TYPE busy_seconds_total counter
        busy_seconds_total 1.5
        # HELP rare_total Seldom.
        # TYPE rare_total counter
        rare_total{kind="once"} 1
        # HELP open Open things.
        # TYPE open gauge
        open -2
        # HELP delay_seconds Waiting.
        # TYPE delay_seconds histogram
        delay_seconds_bucket{kind="a",le="0"} 1
        delay_seconds_bucket{kind="a",le="1e-05"} 2
        delay_seconds_bucket{kind="a",le="1"} 3
        delay_seconds_bucket{kind="a",le="+Inf"} 4
        delay_seconds_sum{kind="a"} 2.000020001
        delay_seconds_count{kind="a"} 4
        # HELP size_bytes Lengths.
        # TYPE size_bytes histogram
        # HELP seen Read when asked.
        # TYPE seen gauge
        seen{name="half"} 0.5
        seen{name="big"} 1e+300
        seen{name="inf"} +Inf
        seen{name="nan"} NaN
        seen{name="less"} -3

        """#)
  }

  @Test func aStrictReaderFindsTheSameNumbers() throws {
    var schema = MetricSchema()
    let names = ["", "ü\n", "\\n", "\"\"", "{le=\"1\"}", ","]
    let calls = schema.counter("c", "", labels: ["x"], series: names.map { [$0] })
    let registry = MetricRegistry(schema, writers: 1)
    for index in names.indices { registry.counters(calls, writer: 0)[index].add(index + 1) }
    let text = try PrometheusText(registry.exposition())
    for (index, name) in names.enumerated() {
      #expect(try text.value("c", ["x": name]) == Double(index + 1))
    }
  }

  @Test func namesFollowTheFormat() {
    for good in ["a", "_", ":a9", "grpc_server_started_total"] {
      #expect(MetricText.isName(good))
    }
    for bad in ["", "9a", "a-b", "ä", "a b", "a{"] { #expect(!MetricText.isName(bad)) }
    #expect(MetricText.isLabel("grpc_type"))
    for bad in ["", "__name__", "a:b", "9"] { #expect(!MetricText.isLabel(bad)) }
  }
}
