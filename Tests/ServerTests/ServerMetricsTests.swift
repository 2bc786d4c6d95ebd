import Core
import Testing

@testable import Server

struct ServerMetricsTests {
  private func lines(_ metrics: ServerMetrics) -> Set<Substring> {
    Set(metrics.exposition().split(separator: "\n"))
  }

  @Test func unknownMethodsAreOther() {
    let metrics = ServerMetrics.example()
    let loop = metrics.loop(1)
    loop.callStarted(method: -1)
    loop.callEnded(
      method: -1, status: .unimplemented, durationNanoseconds: 20_000, receivedBytes: 0,
      sentBytes: 0)
    let lines = lines(metrics)
    let labels = #"grpc_type="bidi_stream",grpc_service="other",grpc_method="other""#
    for line in [
      "grpc_server_started_total{\(labels)} 1",
      "grpc_server_handled_total{\(labels),grpc_code=\"Unimplemented\"} 1",
      "grpc_server_handled_total{\(labels),grpc_code=\"OK\"} 0",
      "grpc_server_handling_seconds_bucket{\(labels),le=\"1e-05\"} 0",
      "grpc_server_handling_seconds_bucket{\(labels),le=\"5e-05\"} 1",
      "grpc_server_call_started_total{grpc_method=\"other\"} 1",
      "grpc_server_call_duration_seconds_count"
        + "{grpc_method=\"other\",grpc_status=\"UNIMPLEMENTED\"} 1",
    ] {
      #expect(lines.contains(Substring(line)), "\(line)")
    }
  }

  /// Every series that a loop reaches by index carries the label that was meant.
  @Test func indicesReachTheirOwnSeries() {
    let metrics = ServerMetrics.example()
    let (first, second) = (metrics.loop(0), metrics.loop(1))
    for (index, method) in LoopServices.methods.enumerated() {
      first.messagesReceived(method: index, count: index + 1)
      for status in StatusCode.allCases {
        for _ in 0..<(100 * index + Int(status.rawValue) + 1) {
          second.callEnded(
            method: index, status: status, durationNanoseconds: 1, receivedBytes: 1,
            sentBytes: 2_000)
        }
      }
      let lines = lines(metrics)
      let labels =
        "grpc_type=\"\(method.type.rawValue)\",grpc_service=\"\(method.service)\","
        + "grpc_method=\"\(method.method)\""
      #expect(lines.contains("grpc_server_msg_received_total{\(labels)} \(index + 1)"))
      for status in StatusCode.allCases {
        let count = 100 * index + Int(status.rawValue) + 1
        #expect(
          lines.contains(
            "grpc_server_handled_total{\(labels),grpc_code=\"\(status.goName)\"} \(count)"))
        #expect(
          lines.contains(
            "grpc_server_call_sent_total_compressed_message_size_bytes_sum{grpc_method="
              + "\"\(method.fullName)\",grpc_status=\"\(status.name)\"} \(2_000 * count)"))
      }
    }
  }

  @Test func reasonsSourcesAndKindsAreTold() {
    let metrics = ServerMetrics.example()
    let (first, second) = (metrics.loop(0), metrics.loop(1))
    for reason in RefusalReason.allCases {
      for _ in 0...reason.rawValue { first.refused(reason) }
    }
    for source in CancellationSource.allCases {
      for _ in 0...source.rawValue { second.cancelled(source) }
    }
    for memory in HeldMemory.allCases {
      first.held(memory).set(100 * (memory.rawValue + 1))
      second.held(memory).add(-memory.rawValue)
    }
    for fidelity in Fidelity.allCases {
      for reason in Reason.allCases {
        first.candidates(
          fidelity, reason, count: 10 * Int(fidelity.rawValue) + Int(reason.rawValue) + 1)
      }
    }
    let lines = lines(metrics)
    for reason in RefusalReason.allCases {
      #expect(
        lines.contains(
          "crescendo_refusals_total{reason=\"\(reason.label)\"} \(reason.rawValue + 1)"))
    }
    for source in CancellationSource.allCases {
      #expect(
        lines.contains(
          "crescendo_cancellations_total{source=\"\(source.label)\"} \(source.rawValue + 1)"))
    }
    for memory in HeldMemory.allCases {
      let bytes = 100 * (memory.rawValue + 1) - memory.rawValue
      #expect(lines.contains("crescendo_held_bytes{kind=\"\(memory.label)\"} \(bytes)"))
    }
    for fidelity in Fidelity.allCases {
      for reason in Reason.allCases {
        let count = 10 * Int(fidelity.rawValue) + Int(reason.rawValue) + 1
        #expect(
          lines.contains(
            "crescendo_candidates_total{fidelity=\"\(fidelity.label)\",reason=\"\(reason.label)\"}"
              + " \(count)"))
      }
    }
  }

  @Test func shardsAndLoopsAddUp() {
    let metrics = ServerMetrics.example(shards: 3)
    for index in 0..<3 { metrics.shard(index).work.add(UInt64(1_000_000_000)) }
    metrics.loop(1).work.work.add(UInt64(500_000_000))
    metrics.shard(2).queueDelay.record(UInt64(1_000_000))
    metrics.shard(0).score.record(UInt64(1_000_001))
    metrics.loop(0).encode.record(UInt64(0))
    metrics.loop(0).connections.add(3)
    metrics.loop(1).connections.add(4)
    metrics.loop(1).streams.add(1)
    metrics.loop(0).turns.increment()
    metrics.loop(1).writes.increment()
    let lines = lines(metrics)
    for line in [
      "crescendo_work_seconds_total 3.5", "crescendo_queue_delay_seconds_bucket{le=\"0.001\"} 1",
      "crescendo_score_seconds_bucket{le=\"0.001\"} 0",
      "crescendo_score_seconds_bucket{le=\"0.002\"} 1",
      "crescendo_encode_seconds_bucket{le=\"0\"} 1", "crescendo_connections 7",
      "crescendo_streams 1", "crescendo_loop_turns_total 1", "crescendo_writes_total 1",
    ] {
      #expect(lines.contains(Substring(line)), "\(line)")
    }
  }

  @Test func factsAreReadWhenAsked() {
    let lines = lines(.example(now: 3_500))
    for line in [
      #"crescendo_snapshot_info{version="v\"1",model="a"} 1"#,
      #"crescendo_snapshot_info{version="v\"1",model="b"} 1"#,
      "crescendo_snapshot_age_seconds 2.5",
      #"crescendo_learned_cost_seconds{model="a",level="half"} 2.5e-07"#,
      #"crescendo_limit{name="candidates"} \#(Limits.serving.candidates)"#,
      #"crescendo_build_info{version="\#(Version.text)"} 1"#,
      "# TYPE process_resident_memory_bytes gauge",
    ] {
      #expect(lines.contains(Substring(line)), "\(line)")
    }
    #expect(!lines.contains { $0.hasPrefix("process_resident_memory_bytes ") })
  }
}
