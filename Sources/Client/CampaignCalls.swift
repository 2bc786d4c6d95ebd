internal import Core
package import Wire

/// Allocations and campaigns. What the server cannot have meant is INTERNAL.
extension Channel {
  /// `PromotionAllocationService/Allocate`. A placement's position is one of the request's.
  package func allocate(_ request: AllocateRequestMessage, timeoutNanoseconds: UInt64?)
    throws(ClientError) -> AllocateResponseMessage
  {
    let answer = try call(
      path: "\(WireNames.allocatePath)",
      message: try encoding { () throws(ClientEncodingError) in try request.encoded() },
      timeoutNanoseconds: timeoutNanoseconds)
    let response = try decoding(answer) { bytes throws(CallFailure) in
      try AllocateResponseMessage.decoded(bytes)
    }
    let count = request.request.candidateCount
    if let placement = response.placements.first(where: { $0.position >= count }) {
      throw unmeant("position \(placement.position) of \(count) candidates")
    }
    return response
  }

  /// `PromotionAllocationService/Release`: the wire's numbers of a `ReleaseOutcome`, one per token.
  package func release(tokens: [[UInt8]], timeoutNanoseconds: UInt64?) throws(ClientError)
    -> [Int32]
  {
    let outcomes = try unary(
      WireNames.releasePath, ReleaseMessages.encodedRequest(tokens: tokens), timeoutNanoseconds
    ) { bytes throws(CallFailure) in try ReleaseMessages.decodedOutcomes(bytes) }
    guard outcomes.count == tokens.count else {
      throw unmeant("\(outcomes.count) outcomes of \(tokens.count) tokens")
    }
    return outcomes
  }

  /// `CampaignService/ApplyCampaigns`.
  package func applyCampaigns(document: String, dryRun: Bool, timeoutNanoseconds: UInt64?)
    throws(ClientError) -> ApplyCampaignsResponseMessage
  {
    try unary(
      WireNames.applyCampaignsPath,
      CampaignRequestMessages.apply(document: document, dryRun: dryRun), timeoutNanoseconds
    ) { bytes throws(CallFailure) in try ApplyCampaignsResponseMessage.decoded(bytes) }
  }

  /// `CampaignService/GetCampaign`.
  package func campaign(id: String, timeoutNanoseconds: UInt64?) throws(ClientError)
    -> GetCampaignResponseMessage
  {
    try unary(
      WireNames.getCampaignPath, CampaignRequestMessages.get(id: id), timeoutNanoseconds
    ) { bytes throws(CallFailure) in try GetCampaignResponseMessage.decoded(bytes) }
  }

  /// `CampaignService/ListCampaigns`, page by page, each with `timeoutNanoseconds`, until `take`
  /// says false or there are no more.
  package func listCampaigns(
    timeoutNanoseconds: UInt64?, _ take: ([CampaignStateMessage]) -> Bool
  ) throws(ClientError) {
    var afterID = ""
    while true {
      let page = try unary(
        WireNames.listCampaignsPath, CampaignRequestMessages.list(pageSize: 0, afterID: afterID),
        timeoutNanoseconds
      ) { bytes throws(CallFailure) in try ListCampaignsResponseMessage.decoded(bytes) }
      guard take(page.campaigns), page.hasMore else { return }
      // Bytes, as the server orders them: pages that do not go on would never end.
      guard let last = page.campaigns.last?.id,
        afterID.utf8.lexicographicallyPrecedes(last.utf8)
      else { throw unmeant("a page of campaigns does not go on after \"\(afterID)\"") }
      afterID = last
    }
  }

  /// `CampaignService/PauseCampaign`.
  package func pauseCampaign(id: String, resume: Bool, timeoutNanoseconds: UInt64?)
    throws(ClientError) -> CampaignStateMessage
  {
    try unary(
      WireNames.pauseCampaignPath, CampaignRequestMessages.pause(id: id, resume: resume),
      timeoutNanoseconds
    ) { bytes throws(CallFailure) in try PauseCampaignResponseMessage.decoded(bytes) }.state
  }

  /// `CampaignService/DiagnoseCampaign`.
  package func diagnoseCampaign(id: String, timeoutNanoseconds: UInt64?) throws(ClientError)
    -> DiagnoseCampaignResponseMessage
  {
    try unary(
      WireNames.diagnoseCampaignPath, CampaignRequestMessages.diagnose(id: id), timeoutNanoseconds
    ) { bytes throws(CallFailure) in try DiagnoseCampaignResponseMessage.decoded(bytes) }
  }

  private func unary<Message>(
    _ path: StaticString, _ message: [UInt8], _ timeoutNanoseconds: UInt64?,
    _ decode: ([UInt8]) throws(CallFailure) -> Message
  ) throws(ClientError) -> Message {
    try decoding(
      try call(path: "\(path)", message: message, timeoutNanoseconds: timeoutNanoseconds), decode)
  }
}

private func unmeant(_ what: String) -> ClientError {
  .failed(FailedCall(CallFailure(.internalError, "the answer has \(what)"), origin: .client))
}
