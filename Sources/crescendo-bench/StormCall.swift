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
