import Client

/// What all calls came to.
struct StormTally {
  var started = 0
  var renewals = 0
  private var ended = 0
  private var ok = 0
  private var wrong = 0
  private var statuses: [String: Int] = [:]
  /// UNAVAILABLE and RESOURCE_EXHAUSTED by what they say.
  private var reasons: [String: Int] = [:]
  private var other = 0
  private var unexpected = 0
  /// Some of what should not have been.
  private var examples: [String] = []

  private static let legal: Set<RPCError.Code> = [
    .unavailable, .deadlineExceeded, .cancelled, .resourceExhausted,
  ]

  mutating func note(_ outcome: StormOutcome) {
    ended += 1
    switch outcome {
    case .ok: ok += 1
    case .wrong(let what):
      wrong += 1
      keep(what)
    case .failed(let error):
      statuses[error.code.name, default: 0] += 1
      if error.isAvailability, error.code != .deadlineExceeded {
        let reason = StormTally.reason(error)
        reasons["\(error.code.name), \(reason)", default: 0] += 1
        if reason == "other" {
          other += 1
          keep("\(error)")
        }
      }
      guard !StormTally.legal.contains(error.code) else { return }
      unexpected += 1
      keep("\(error)")
    }
  }

  private mutating func keep(_ example: String) {
    if examples.count < 10 { examples.append(example) }
  }

  /// In a word; "other": nothing here explains it.
  private static func reason(_ error: RPCError) -> String {
    let known = [
      ("session failed", "lost"), ("the server drains", "drained"),
      ("no connection", "unreachable"), ("the client is closed", "closed"),
      ("turned away by this client", "throttled"),
    ]
    if let found = known.first(where: { error.message.hasPrefix($0.0) }) { return found.1 }
    if error.message.contains("wait for a connection") { return "line full" }
    return "other"
  }

  /// For whoever stops servers: how far it is, how many calls were lost with their session, and how
  /// many in all, those among them, no server was there for.
  var progress: String {
    "{\"ended\": \(ended), \"lost\": \(reasons["UNAVAILABLE, lost"] ?? 0), "
      + "\"unserved\": \(unserved)}"
  }

  private var unserved: Int {
    (statuses["UNAVAILABLE"] ?? 0) - (reasons["UNAVAILABLE, closed"] ?? 0)
  }

  /// Members of a JSON object.
  var fields: [String] {
    [
      "\"calls\": \(started)", "\"ended\": \(ended)", "\"ok\": \(ok)", "\"wrong\": \(wrong)",
      "\"unexpected\": \(unexpected + other)", "\"renewals\": \(renewals)",
      "\"statuses\": \(StormTally.object(statuses))",
      "\"reasons\": \(StormTally.object(reasons))",
      "\"examples\": [\(examples.map(StormTally.quoted).joined(separator: ", "))]",
    ]
  }

  private static func object(_ counts: [String: Int]) -> String {
    let members = counts.sorted { $0.key < $1.key }.map { "\"\($0.key)\": \($0.value)" }
    return "{\(members.joined(separator: ", "))}"
  }

  private static func quoted(_ text: String) -> String {
    let plain = text.map { $0 == "\"" || $0 == "\\" || $0.isNewline ? "'" : $0 }
    return "\"\(String(plain))\""
  }
}
