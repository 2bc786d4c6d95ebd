internal import CCrescendoProto
internal import CProtobufC
package import Core
internal import Glibc

extension ScoreResponseMessage {
  /// Decodes a message without framing. INTERNAL when the bytes are no such message, when a string
  /// is not UTF-8, or when it would take far more memory than its length lets expect.
  package static func decoded(_ bytes: [UInt8]) throws(CallFailure) -> ScoreResponseMessage {
    let name = "crescendo.v1.ScoreResponse"
    return try withBoundedAllocator(messageBytes: bytes.count) { allocator throws(CallFailure) in
      guard let message = crescendo__v1__score_response__unpack(allocator, bytes.count, bytes)
      else { throw undecodable(name) }
      defer { crescendo__v1__score_response__free_unpacked(message, allocator) }
      return try convert(message.pointee, TextReader(message: name))
    }
  }

  static func convert(_ message: Crescendo__V1__ScoreResponse, _ reader: TextReader)
    throws(CallFailure) -> ScoreResponseMessage
  {
    var response = ScoreResponseMessage()
    response.requestID = try reader.text(message.request_id, "request_id")
    if let provenance = message.provenance {
      response.provenance = try convert(provenance.pointee, reader)
    }
    response.scores = array(message.scores, message.n_scores)
    response.boosts = array(message.boosts, message.n_boosts)
    response.allFidelity = Int32(bitPattern: message.all_fidelity.rawValue)
    response.fidelities = numbers(message.fidelities, message.n_fidelities)
    response.allReason = Int32(bitPattern: message.all_reason.rawValue)
    response.reasons = numbers(message.reasons, message.n_reasons)
    response.campaignKeys = array(message.campaign_keys, message.n_campaign_keys)
    response.rawScores = array(message.raw_scores, message.n_raw_scores)
    for element in array(message.explanations, message.n_explanations) {
      guard let element else { continue }
      response.explanations.append(try convert(element.pointee, reader))
    }
    response.allBoostReason = Int32(bitPattern: message.all_boost_reason.rawValue)
    response.boostReasons = numbers(message.boost_reasons, message.n_boost_reasons)
    return response
  }

  static func convert(_ message: Crescendo__V1__Provenance, _ reader: TextReader)
    throws(CallFailure) -> Provenance
  {
    var provenance = Provenance()
    provenance.snapshot = try reader.text(message.snapshot, "provenance.snapshot")
    provenance.model = try reader.text(message.model, "provenance.model")
    provenance.modelSHA256 = try reader.text(message.model_sha256, "provenance.model_sha256")
    provenance.timeUnixMilliseconds = message.time_unix_ms
    provenance.arm = try reader.text(message.arm, "provenance.arm")
    provenance.treesUsed = message.trees_used
    provenance.treesTotal = message.trees_total
    provenance.boostScale = try reader.text(message.boost_scale, "provenance.boost_scale")
    return provenance
  }

  private static func convert(_ message: Crescendo__V1__Explanation, _ reader: TextReader)
    throws(CallFailure) -> Explanation
  {
    var explanation = Explanation(
      position: message.position, expectedRaw: message.expected_raw, contributions: [], terms: [])
    for element in array(message.contributions, message.n_contributions) {
      guard let element = element?.pointee else { continue }
      explanation.contributions.append(
        Explanation.Contribution(
          feature: try reader.text(element.feature, "explanations.contributions.feature"),
          value: element.value, contribution: element.contribution))
    }
    for element in array(message.terms, message.n_terms) {
      guard let element = element?.pointee else { continue }
      explanation.terms.append(
        Explanation.Term(
          name: try reader.text(element.name, "explanations.terms.name"), value: element.value))
    }
    return explanation
  }
}

extension HealthMessages {
  /// Decodes a `HealthCheckResponse`; INTERNAL when the bytes are none.
  package static func decodedResponse(_ bytes: [UInt8]) throws(CallFailure) -> HealthStatus {
    try withBoundedAllocator(messageBytes: bytes.count) { allocator throws(CallFailure) in
      guard
        let message = grpc__health__v1__health_check_response__unpack(
          allocator, bytes.count, bytes)
      else { throw undecodable("grpc.health.v1.HealthCheckResponse") }
      defer { grpc__health__v1__health_check_response__free_unpacked(message, allocator) }
      return HealthStatus(number: Int32(bitPattern: message.pointee.status.rawValue))
    }
  }
}

func undecodable(_ message: String) -> CallFailure {
  CallFailure(.internalError, "the answer is not a \(message)")
}

func array<T>(_ base: UnsafeMutablePointer<T>?, _ count: Int) -> [T] {
  Array(UnsafeBufferPointer(start: base, count: count))
}

/// An enum on the wire is an int32, which Clang imports as unsigned.
func numbers<T: RawRepresentable<UInt32>>(_ base: UnsafeMutablePointer<T>?, _ count: Int)
  -> [Int32]
{
  UnsafeBufferPointer(start: base, count: count).map { Int32(bitPattern: $0.rawValue) }
}

struct TextReader {
  let message: String

  /// protobuf-c checks no text, and ends it at the first NUL.
  func text(_ value: UnsafeMutablePointer<CChar>?, _ field: String) throws(CallFailure) -> String {
    guard let value else { return "" }
    guard let text = String(validatingCString: value) else {
      throw CallFailure(.internalError, "\(message).\(field) is not UTF-8")
    }
    return text
  }
}

/// What protobuf-c may still allocate for one message.
private struct AllocationBudget {
  var remainingBytes: Int
}

/// protobuf-c copies each unknown field and makes a struct of each empty sub-message: 200 KB can
/// become 12 MB. Honest answers stay below 16 × their length (fidelities grow 4 ×, short
/// contributions 8 ×, scanned fields are tracked besides), so that is all a message gets.
func withBoundedAllocator<Result>(
  messageBytes: Int,
  _ body: (UnsafeMutablePointer<ProtobufCAllocator>) throws(CallFailure) -> Result
) throws(CallFailure) -> Result {
  let budget = UnsafeMutablePointer<AllocationBudget>.allocate(capacity: 1)
  budget.initialize(to: AllocationBudget(remainingBytes: 16 * messageBytes + (64 << 10)))
  defer { budget.deallocate() }
  var allocator = ProtobufCAllocator(
    alloc: allocateWithinBudget, free: { _, pointer in Glibc.free(pointer) },
    allocator_data: budget)
  return try withUnsafeMutablePointer(to: &allocator, body)
}

private func allocateWithinBudget(_ context: UnsafeMutableRawPointer?, _ byteCount: Int)
  -> UnsafeMutableRawPointer?
{
  guard let budget = context?.assumingMemoryBound(to: AllocationBudget.self),
    byteCount <= budget.pointee.remainingBytes
  else { return nil }
  budget.pointee.remainingBytes -= byteCount
  return malloc(byteCount)
}
