@testable import Report

/// Reports as `crescendo load` writes them, and as it wrote them before it knew of series.
enum Reports {
  static func run(
    rate: Double = 100, p99: String = "8.0", ok: Int = 990, refused: Int = 10,
    target: String = "127.0.0.1:7001", schedule: String = "poisson", fellBehind: Bool = false,
    cpu: String = "20.0", text: String = "queue full"
  ) -> String {
    """
    {"offered_rps":\(rate),"achieved_rps":\(rate),"in_time_rps":\(rate * 0.9),\
    "schedule_lag_ms":0.5,"schedule_lag_max_ms":1.0,"calls":\(ok + refused),\
    "status":{"RESOURCE_EXHAUSTED":\(refused),"OK":\(ok)},"missing":0,"timed_out":0,"late":90,\
    "in_time":\(ok - 90),"fidelity":{"PRIOR":90,"FULL":\(ok - 90)},"unscored_candidates":0,\
    "latency_ms":{"p50":2.0,"p90":4.0,"p99":\(p99),"p99_9":null,"p99_99":null,"max":null},\
    "service_ms":{"p50":1.5,"p90":3.0,"p99":6.0,"p99_9":null,"p99_99":null,"max":null},\
    "server":{"cpu_us_per_call":\(cpu),"rss_bytes":1048576},\
    "generator":{"cpu_us_per_call":9.0,"busy":0.1,"lag_ms":0.1,"in_flight_max":4,\
    "held_calls":0,"reconnects":0,"fell_behind":\(fellBehind)},\
    "slo":[{"name":"p99","limit":10.0,"value":\(p99),"ok":true,"unit":"ms"}],\
    "target":"\(target)","framing":"grpc","schedule":"\(schedule)","connections":8,\
    "rate":\(rate),"duration_s":2.0,"warm_up_s":1.0,"timeout_ms":20.0,\
    "candidates":{"min":64,"max":64},"texts":{"RESOURCE_EXHAUSTED":"\(text)"},\
    "percentiles":{"latency_ms":[[0.0,1.0],[50.0,2.0],[99.0,8.0],[100.0,null]],\
    "service_ms":[[0.0,1.0],[100.0,null]]},\
    "series":{"interval_s":1.0,"t_s":[-1.0,0.0,1.0],"calls":[100,600,400],\
    "in_time":[100,500,400],"missing":[0,0,0],\
    "status":{"OK":[100,590,400],"RESOURCE_EXHAUSTED":[0,10,0]},\
    "fidelity":{"FULL":[100,500,400],"PRIOR":[0,90,0]},"p50_ms":[1.0,2.0,2.0],\
    "p99_ms":[2.0,null,8.0],"longest_ok_ms":[3.0,9.0,9.5],"in_flight":[0.5,1.5,1.0]}}
    """
  }

  /// The keys of the first version alone.
  static let old = """
    {"offered_rps":50.0,"achieved_rps":50.0,"schedule_lag_ms":0.1,"calls":100,"status":{"OK":100},\
    "fidelity":{"FULL":100},"latency_ms":{"p50":1.0,"p90":2.0,"p99":3.0,"p99_9":4.0,"p99_99":5.0,\
    "max":6.0},"service_ms":{"p50":1.0,"p90":2.0,"p99":3.0,"p99_9":4.0,"p99_99":5.0,"max":6.0},\
    "server":null,"slo":[]}
    """

  static func sweep(_ rates: [Double]) -> String {
    "{\"sweep\":[" + rates.map { run(rate: $0) }.joined(separator: ",")
      + "],\"capacity\":{\"rps\":250.0}}"
  }

  static func document(_ json: String, name: String = "a.json") throws(ReportError) -> LoadDocument
  {
    try LoadDocument(name: name, json: json)
  }
}
