internal import Core
internal import Metrics

/// What a client counts. Labels come from closed sets: methods and status codes.
final class ClientMetrics: Sendable {
  private let calls: [[Counter]]
  private let durations: [Timer]
  private let events: [Counter]
  private let connections: Meter
  private let waiting: Meter

  enum Event: Int, CaseIterable {
    case attempt, retry, hedge, throttled, fallback, ejection, connectionFailure

    fileprivate var name: String {
      switch self {
      case .attempt: "attempts"
      case .retry: "retries"
      case .hedge: "hedges"
      case .throttled: "throttled"
      case .fallback: "fallbacks"
      case .ejection: "ejections"
      case .connectionFailure: "connection_failures"
      }
    }
  }

  init(_ chosen: (any MetricsFactory)?) {
    let factory = chosen ?? MetricsSystem.factory
    func counter(_ name: String, _ dimensions: [(String, String)] = []) -> Counter {
      Counter(label: "crescendo_client_\(name)", dimensions: dimensions, factory: factory)
    }
    calls = ClientMethod.allCases.map { method in
      StatusCode.allCases.map { code in
        counter("calls", [("method", method.name), ("status", code.name)])
      }
    }
    durations = ClientMethod.allCases.map { method in
      Timer(
        label: "crescendo_client_call_duration", dimensions: [("method", method.name)],
        preferredDisplayUnit: .seconds, factory: factory)
    }
    events = Event.allCases.map { counter($0.name) }
    connections = Meter(label: "crescendo_client_connections", factory: factory)
    waiting = Meter(label: "crescendo_client_waiting_calls", factory: factory)
  }

  func count(_ event: Event) { events[event.rawValue].increment() }
  func setConnections(_ count: Int) { connections.set(count) }
  func setWaiting(_ count: Int) { waiting.set(count) }

  /// A call has ended.
  func ended(_ method: ClientMethod, _ code: StatusCode, nanoseconds: UInt64) {
    calls[method.rawValue][Int(code.rawValue)].increment()
    durations[method.rawValue].recordNanoseconds(Int64(clamping: nanoseconds))
  }
}
