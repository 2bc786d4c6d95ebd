import Client

/// Scores a shelf and gives its items, the best first.
func bestFirst(_ items: [UInt64], user: UInt64, client: PromotionScoreClient) async throws
  -> [UInt64]
{
  var request = ScoreRequest(itemIDs: items, userID: user)
  request.context.market = "se"
  request.context.surface = "home"

  let options = CallOptions(
    timeout: .milliseconds(50),
    // When no server answers, all candidates are alike.
    fallback: .prior(0))
  let answer = try await client.score(request, options: options)

  return answer.candidates.sorted { $0.score > $1.score }.map { items[$0.position] }
}

/// A client of two servers, for as long as `body` runs.
func withPromotionScores(
  _ addresses: [String], _ body: (PromotionScoreClient) async throws -> Void
) async throws {
  var configuration = ClientConfiguration(addresses: addresses)
  configuration.balancing = .ringHashOnUser
  let client = try PromotionScoreClient(configuration)
  do {
    try await body(client)
  } catch let error as RPCError where error.code == .deadlineExceeded {
    // Late is not wrong: the caller shows what it has.
  }
  await client.close()
}
