import Synchronization
import Testing

@testable import Core

/// How many writers have ended.
private final class Ended: Sendable {
  let count = Atomic<Int>(0)
}

struct MetricsRegistryTests {
  @Test func latencyBucketsAreThoseOfA66() {
    // gRPC proposal A66, copied from its text.
    let seconds = [
      0, 0.00001, 0.00005, 0.0001, 0.0003, 0.0006, 0.0008, 0.001, 0.002, 0.003, 0.004, 0.005,
      0.006, 0.008, 0.01, 0.013, 0.016, 0.02, 0.025, 0.03, 0.04, 0.05, 0.065, 0.08, 0.1, 0.13,
      0.16, 0.2, 0.25, 0.3, 0.4, 0.5, 0.65, 0.8, 1, 2, 5, 10, 20, 50, 100,
    ]
    #expect(MetricBounds.latencyNanoseconds.map { Double($0) / 1e9 } == seconds)
    let bytes: [UInt64] = [
      0, 1_024, 2_048, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216,
      67_108_864, 268_435_456, 1_073_741_824, 4_294_967_296,
    ]
    #expect(MetricBounds.sizeBytes == bytes)
  }

  /// Each bound, one below and one above it, against the definition: value ≤ bound.
  @Test func aValueOnABoundBelongsToItsBucket() throws {
    let bounds = MetricBounds.latencyNanoseconds
    let edges = bounds.flatMap { [$0, $0 + 1] + ($0 > 0 ? [$0 - 1] : []) }
    var schema = MetricSchema()
    let family = schema.histogram("h", "", unit: .count, bounds: bounds)
    let registry = MetricRegistry(schema, writers: 1)
    for value in edges { registry.histograms(family, writer: 0)[0].record(value) }
    let text = try PrometheusText(registry.exposition())
    for bound in bounds {
      let below = Double(edges.count { $0 <= bound })
      #expect(try text.value("h_bucket", ["le": "\(bound)"]) == below, "at \(bound)")
    }
    #expect(try text.value("h_count") == Double(edges.count))
    #expect(try text.value("h_sum") == Double(edges.reduce(0, +)))
  }

  /// Every cell of every family and writer is one of its own: each is given its own number.
  @Test func noTwoHandlesShareACell() throws {
    var schema = MetricSchema()
    let names = (0..<5).map { ["\($0)"] }
    let counter = schema.counter("c", "", labels: ["x"], series: names)
    let histogram = schema.histogram(
      "h", "", labels: ["x"], unit: .count, bounds: [10, 20], series: names)
    let gauge = schema.gauge("g", "", labels: ["x"], series: names)
    let writers = 3
    let registry = MetricRegistry(schema, writers: writers)
    for writer in 0..<writers {
      for series in 0..<5 {
        let number = 100 * writer + 10 * series + 1
        registry.counters(counter, writer: writer)[series].add(number)
        registry.gauges(gauge, writer: writer)[series].set(-number)
        for _ in 0..<number { registry.histograms(histogram, writer: writer)[series].record(15) }
      }
    }
    let text = try PrometheusText(registry.exposition())
    for series in 0..<5 {
      let sum = Double((0..<writers).map { 100 * $0 + 10 * series + 1 }.reduce(0, +))
      let labels = ["x": "\(series)"]
      #expect(try text.value("c", labels) == sum)
      #expect(try text.value("g", labels) == -sum)
      #expect(try text.value("h_bucket", labels.merging(["le": "10"]) { $1 }) == 0)
      #expect(try text.value("h_bucket", labels.merging(["le": "20"]) { $1 }) == sum)
      #expect(try text.value("h_count", labels) == sum)
      #expect(try text.value("h_sum", labels) == 15 * sum)
    }
  }

  /// Two writers count while a third thread reads: what it reads never falls and is whole, and at
  /// the end nothing is missing.
  @Test func twoWritersAndOneReader() async throws {
    let each = 200_000
    var schema = MetricSchema()
    let counter = schema.counter("c", "")
    let gauge = schema.gauge("g", "")
    let histogram = schema.histogram("h", "", unit: .count, bounds: [1, 2, 3])
    let registry = MetricRegistry(schema, writers: 2)
    let ended = Ended()
    let reads = try await withThrowingTaskGroup(of: Int.self) { group in
      for writer in 0..<2 {
        group.addTask {
          let calls = registry.counters(counter, writer: writer)[0]
          let open = registry.gauges(gauge, writer: writer)[0]
          let size = registry.histograms(histogram, writer: writer)[0]
          for index in 0..<each {
            calls.increment()
            open.add(writer == 0 ? 3 : -2)
            size.record(UInt64(index % 5))
          }
          ended.count.add(1, ordering: .releasing)
          return 0
        }
      }
      group.addTask {
        var (reads, calls, sizes) = (0, 0.0, 0.0)
        while ended.count.load(ordering: .acquiring) < 2 {
          let text = try PrometheusText(registry.exposition())
          let now = (try text.value("c"), try text.value("h_count"))
          #expect(now.0 >= calls && now.1 >= sizes)
          #expect(now.0 <= Double(2 * each) && now.1 <= Double(2 * each))
          (calls, sizes) = now
          reads += 1
          await Task.yield()
        }
        return reads
      }
      return try await group.reduce(0, +)
    }
    let text = try PrometheusText(registry.exposition())
    #expect(try text.value("c") == Double(2 * each), "after \(reads) reads")
    #expect(try text.value("g") == Double(each))
    #expect(try text.value("h_bucket", ["le": "1"]) == Double(2 * each * 2 / 5))
    #expect(try text.value("h_bucket", ["le": "3"]) == Double(2 * each * 4 / 5))
    #expect(try text.value("h_count") == Double(2 * each))
    #expect(try text.value("h_sum") == Double(2 * each * 2))
  }
}
