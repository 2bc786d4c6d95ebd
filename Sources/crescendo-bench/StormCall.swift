import Client
import Foundation

/// What a call of the storm came to.
enum StormOutcome: Sendable {
  case ok
  /// The answer is not that of the call.
  case wrong(String)
  case failed(RPCError)

  var isAvailability: Bool {
    if case .failed(let error) = self { return error.isAvailability }
    return false
  }
}

/// One call, and whether its answer is its own.
enum StormCall {
  /// `method` 0…9: mostly `score`, a fifth each `streamScores` and `scoreMany`.
  static func make(
    _ client: PromotionScoreClient, _ method: UInt64, _ items: [UInt64], _ options: CallOptions
  ) async -> StormOutcome {
    do throws(RPCError) {
      switch method {
      case 6, 7: return try await parts(client, items, options)
      case 8, 9: return try await many(client, items, options)
      default:
        let response = try await client.score(ScoreRequest(itemIDs: items), options: options)
        return check(response.scores, items)
      }
    } catch {
      return .failed(error)
    }
  }

  private static func parts(
    _ client: PromotionScoreClient, _ items: [UInt64], _ options: CallOptions
  ) async throws(RPCError) -> StormOutcome {
    var scores: [Float?] = Array(repeating: nil, count: items.count)
    var iterator = client.streamScores(ScoreRequest(itemIDs: items), options: options)
      .makeAsyncIterator()
    while let part = try await iterator.next() {
      for (index, position) in part.positions.enumerated() {
        guard scores[position] == nil else { return .wrong("position \(position) came twice") }
        scores[position] = part.response.scores[index]
      }
    }
    guard scores.allSatisfy({ $0 != nil }) else { return .wrong("parts are missing") }
    return check(scores.compactMap { $0 }, items)
  }

  /// The candidates as one batch, and three small ones beside it.
  private static func many(
    _ client: PromotionScoreClient, _ items: [UInt64], _ options: CallOptions
  ) async throws(RPCError) -> StormOutcome {
    let batches = [items, Array(items.prefix(1)), [], Array(items.suffix(7))]
    let call = client.scoreMany(options: options)
    for batch in batches { try await call.send(ScoreRequest(itemIDs: batch)) }
    call.finish()
    var answered: Set<UInt64> = []
    var iterator = call.answers.makeAsyncIterator()
    while let answer = try await iterator.next() {
      guard answered.insert(answer.sequence).inserted else {
        return .wrong("batch \(answer.sequence) was answered twice")
      }
      let response = try answer.result.get()
      let verdict = check(response.scores, batches[Int(answer.sequence)])
      if case .wrong = verdict { return verdict }
    }
    return answered.count == batches.count
      ? .ok : .wrong("\(answered.count) of \(batches.count) batches are answered")
  }

  private static func check(_ scores: [Float], _ items: [UInt64]) -> StormOutcome {
    guard scores.count == items.count else {
      return .wrong("\(scores.count) scores for \(items.count) candidates")
    }
    for (score, item) in zip(scores, items) where score != StormHash.score(item) {
      return .wrong("item \(item) of \(items.count) has \(score)")
    }
    return .ok
  }
}

/// What all calls came to.
struct StormTally {
  var started = 0
  var renewals = 0
  private var ended = 0
  private var ok = 0
  private var wrong = 0
  private var statuses: [String: Int] = [:]
  /// UNAVAILABLE, by what it says.
  private var unavailable: [String: Int] = [:]
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
      if error.code == .unavailable {
        let reason = StormTally.reason(error.message)
        unavailable[reason, default: 0] += 1
        if reason == "other" { keep("\(error)") }
      }
      guard !StormTally.legal.contains(error.code) else { return }
      unexpected += 1
      keep("\(error)")
    }
  }

  private mutating func keep(_ example: String) {
    if examples.count < 10 { examples.append(example) }
  }

  private static func reason(_ message: String) -> String {
    let known = [
      ("session failed", "lost"), ("the server drains", "drained"),
      ("no connection", "unreachable"), ("the client is closed", "closed"),
    ]
    return known.first { message.hasPrefix($0.0) }?.1 ?? "other"
  }

  /// For whoever stops servers: how far it is, and how many calls were lost with their
  /// session or, those among them, not served for want of one.
  var progress: String {
    "{\"ended\": \(ended), \"lost\": \(unavailable["lost"] ?? 0), "
      + "\"unserved\": \((statuses["UNAVAILABLE"] ?? 0) - (unavailable["closed"] ?? 0))}"
  }

  /// Members of a JSON object.
  var fields: [String] {
    [
      "\"calls\": \(started)", "\"ended\": \(ended)", "\"ok\": \(ok)", "\"wrong\": \(wrong)",
      "\"unexpected\": \(unexpected)", "\"renewals\": \(renewals)",
      "\"statuses\": \(StormTally.object(statuses))",
      "\"unavailable\": \(StormTally.object(unavailable))",
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
