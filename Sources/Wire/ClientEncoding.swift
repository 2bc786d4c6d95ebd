internal import CCrescendoProto
internal import CProtobufC
internal import Core

/// Why a message cannot be sent.
package enum ClientEncodingError: Error, Sendable, Equatable, CustomStringConvertible {
  /// A string field holds U+0000, which protobuf-c cannot carry.
  case containsNUL(field: String)
  /// It would take more memory than one request may: `ServingLimits.arenaBytes`.
  case tooLarge

  package var description: String {
    switch self {
    case .containsNUL(let field): "\(field) contains a NUL character"
    case .tooLarge: "the request takes more than \(Limits.serving.arenaBytes >> 20) MiB of memory"
    }
  }
}

extension ScoreRequestMessage {
  /// The message's bytes, without any framing.
  package func encoded() throws(ClientEncodingError) -> [UInt8] {
    var builder = MessageBuilder()
    let message = try builder.make(Crescendo__V1__ScoreRequest.self)
    crescendo__v1__score_request__init(message)
    message.pointee.request_id = try builder.text(requestID, "request_id")
    message.pointee.user_id = userID
    message.pointee.user_uri = try builder.text(userURI, "user_uri")
    message.pointee.context = try builder.context(context)
    message.pointee.n_item_ids = itemIDs.count
    message.pointee.item_ids = try builder.array(itemIDs)
    message.pointee.n_item_uris = itemURIs.count
    message.pointee.item_uris = try builder.texts(itemURIs, "item_uris")
    message.pointee.n_candidate_columns = candidateColumns.count
    message.pointee.candidate_columns = try builder.candidateColumns(candidateColumns)
    message.pointee.n_user_columns = userColumns.count
    message.pointee.user_columns = try builder.userColumns(userColumns)
    // An open enum: whatever the number is, it is sent and the server judges it.
    message.pointee.min_fidelity = Crescendo__V1__Fidelity(
      rawValue: UInt32(bitPattern: minFidelity))
    message.pointee.model = try builder.text(model, "model")
    message.pointee.want_raw = wantRaw ? 1 : 0
    message.pointee.want_boosts = wantBoosts ? 1 : 0
    message.pointee.want_explanations = wantExplanations ? 1 : 0
    return packed(crescendo__v1__score_request__get_packed_size(message)) {
      crescendo__v1__score_request__pack(message, $0)
    }
  }
}

/// `grpc.health.v1.HealthCheckRequest` and its answer.
package enum HealthMessages {
  /// The bytes of a request about `service`; empty = the whole server.
  package static func encodedRequest(service: String) throws(ClientEncodingError) -> [UInt8] {
    var builder = MessageBuilder()
    let message = try builder.make(Grpc__Health__V1__HealthCheckRequest.self)
    grpc__health__v1__health_check_request__init(message)
    message.pointee.service = try builder.text(service, "service")
    return packed(grpc__health__v1__health_check_request__get_packed_size(message)) {
      grpc__health__v1__health_check_request__pack(message, $0)
    }
  }
}

private func packed(_ byteCount: Int, _ pack: (UnsafeMutablePointer<UInt8>) -> Int) -> [UInt8] {
  // An empty message packs to nothing, and an empty array has no address to pack to.
  guard byteCount > 0 else { return [] }
  return [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
    guard let base = buffer.baseAddress else { return }
    count = pack(base)
  }
}

/// The C message that is to be packed: everything in it lies in one arena and goes with it.
private struct MessageBuilder: ~Copyable {
  private var arena = Arena(
    firstChunkBytes: Limits.serving.arenaFirstChunkBytes, limitBytes: Limits.serving.arenaBytes)

  mutating func make<T: BitwiseCopyable>(_ type: T.Type)
    throws(ClientEncodingError) -> UnsafeMutablePointer<T>
  {
    guard let memory = arena.allocate(type, count: 1) else { throw .tooLarge }
    return memory
  }

  mutating func array<T: BitwiseCopyable>(_ values: [T])
    throws(ClientEncodingError) -> UnsafeMutablePointer<T>?
  {
    guard !values.isEmpty else { return nil }
    guard let memory = arena.allocate(T.self, count: values.count) else { throw .tooLarge }
    values.withUnsafeBufferPointer { source in
      guard let base = source.baseAddress else { return }
      memory.initialize(from: base, count: source.count)
    }
    return memory
  }

  mutating func text(_ value: String, _ field: String)
    throws(ClientEncodingError) -> UnsafeMutablePointer<CChar>?
  {
    let bytes = value.utf8
    if bytes.contains(0) { throw .containsNUL(field: field) }
    guard let memory = arena.allocate(CChar.self, count: bytes.count + 1) else { throw .tooLarge }
    var cursor = memory
    for byte in bytes {
      cursor.initialize(to: CChar(bitPattern: byte))
      cursor += 1
    }
    cursor.initialize(to: 0)
    return memory
  }

  mutating func texts(_ values: [String], _ field: String)
    throws(ClientEncodingError) -> UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
  {
    var pointers: [UnsafeMutablePointer<CChar>?] = []
    pointers.reserveCapacity(values.count)
    for value in values { pointers.append(try text(value, field)) }
    return try array(pointers)
  }

  mutating func context(_ context: ScoreRequestMessage.Context)
    throws(ClientEncodingError) -> UnsafeMutablePointer<Crescendo__V1__Context>?
  {
    // The same meaning in no bytes at all.
    if context == ScoreRequestMessage.Context() { return nil }
    let message = try make(Crescendo__V1__Context.self)
    crescendo__v1__context__init(message)
    message.pointee.market = try text(context.market, "market")
    message.pointee.surface = try text(context.surface, "surface")
    message.pointee.tier = try text(context.tier, "tier")
    message.pointee.time_unix_ms = context.timeUnixMilliseconds
    message.pointee.utc_offset_minutes = context.utcOffsetMinutes
    message.pointee.n_segments = context.segments.count
    message.pointee.segments = try texts(context.segments, "segments")
    return message
  }

  mutating func candidateColumns(_ columns: [ScoreRequestMessage.Column])
    throws(ClientEncodingError)
    -> UnsafeMutablePointer<UnsafeMutablePointer<Crescendo__V1__CandidateColumn>?>?
  {
    var pointers: [UnsafeMutablePointer<Crescendo__V1__CandidateColumn>?] = []
    for column in columns {
      let message = try make(Crescendo__V1__CandidateColumn.self)
      crescendo__v1__candidate_column__init(message)
      message.pointee.name = try text(column.name, "candidate_columns.name")
      message.pointee.n_values = column.values.count
      message.pointee.values = try array(column.values)
      pointers.append(message)
    }
    return try array(pointers)
  }

  mutating func userColumns(_ columns: [ScoreRequestMessage.Column])
    throws(ClientEncodingError)
    -> UnsafeMutablePointer<UnsafeMutablePointer<Crescendo__V1__UserColumn>?>?
  {
    var pointers: [UnsafeMutablePointer<Crescendo__V1__UserColumn>?] = []
    for column in columns {
      let message = try make(Crescendo__V1__UserColumn.self)
      crescendo__v1__user_column__init(message)
      message.pointee.name = try text(column.name, "user_columns.name")
      message.pointee.n_values = column.values.count
      message.pointee.values = try array(column.values)
      pointers.append(message)
    }
    return try array(pointers)
  }
}
