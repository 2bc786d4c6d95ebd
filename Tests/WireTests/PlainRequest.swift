import CCrescendoProto
import CProtobufC
import Core
import Wire

/// A request as plain values: what both decoders are compared in.
struct PlainRequest: Equatable {
  struct Column: Equatable {
    var name: String
    var bits: [UInt32]
  }

  var texts: [String] = []
  var numbers: [Int64] = []
  var itemIDs: [UInt64] = []
  var itemURIs: [String] = []
  var segments: [String] = []
  var candidateColumns: [Column] = []
  var userColumns: [Column] = []

  /// As `ScoreRequestDecoder` reads it.
  init(_ view: ScoreRequestView) {
    texts = [view.requestID, view.userURI, view.market, view.surface, view.tier, view.model].map(
      \.text)
    numbers = [
      Int64(bitPattern: view.userID), view.timeUnixMilliseconds, Int64(view.utcOffsetMinutes),
      Int64(view.minFidelity), view.wantRaw ? 1 : 0, view.wantBoosts ? 1 : 0,
      view.wantExplanations ? 1 : 0,
    ]
    itemIDs = (0..<view.itemIDCount).map {
      view.itemIDs!.loadUnaligned(fromByteOffset: 8 * $0, as: UInt64.self)
    }
    itemURIs = view.itemURIs.map(\.text)
    segments = view.segments.map(\.text)
    candidateColumns = view.candidateColumns.map(PlainRequest.column)
    userColumns = view.userColumns.map(PlainRequest.column)
  }

  private static func column(_ view: FloatColumnView) -> Column {
    Column(
      name: view.name.text,
      bits: (0..<view.count).map {
        view.values!.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)
      })
  }

  /// As protobuf-c reads the whole message; nil if it refuses it.
  init?(protobufC bytes: [UInt8]) {
    guard let message = crescendo__v1__score_request__unpack(nil, bytes.count, bytes) else {
      return nil
    }
    defer { crescendo__v1__score_request__free_unpacked(message, nil) }
    let request = message.pointee
    let context = request.context?.pointee
    texts = [
      request.request_id, request.user_uri, context?.market, context?.surface, context?.tier,
      request.model,
    ].map { $0.map { String(cString: $0) } ?? "" }
    numbers = [
      Int64(bitPattern: request.user_id), context?.time_unix_ms ?? 0,
      Int64(context?.utc_offset_minutes ?? 0), Int64(request.min_fidelity.rawValue),
      Int64(request.want_raw), Int64(request.want_boosts), Int64(request.want_explanations),
    ]
    itemIDs = (0..<request.n_item_ids).map { request.item_ids[$0] }
    itemURIs = (0..<request.n_item_uris).map { String(cString: request.item_uris[$0]!) }
    segments = (0..<(context?.n_segments ?? 0)).map { String(cString: context!.segments[$0]!) }
    candidateColumns = (0..<request.n_candidate_columns).map {
      let column = request.candidate_columns[$0]!.pointee
      return Column(
        name: String(cString: column.name),
        bits: (0..<column.n_values).map { column.values[$0].bitPattern })
    }
    userColumns = (0..<request.n_user_columns).map {
      let column = request.user_columns[$0]!.pointee
      return Column(
        name: String(cString: column.name),
        bits: (0..<column.n_values).map { column.values[$0].bitPattern })
    }
  }
}

/// Decodes with an arena of its own and hands the result to `body` while it lives.
func decode<R>(
  _ bytes: [UInt8], candidatesMax: Int = 10_000, arenaBytes: Int = 1 << 20,
  _ body: (ScoreRequestView, CallFailure?, Int) throws -> R
) rethrows -> R {
  let arena = UnsafeMutablePointer<Arena>.allocate(capacity: 1)
  arena.initialize(to: Arena(firstChunkBytes: 256, limitBytes: arenaBytes))
  defer {
    arena.deinitialize(count: 1)
    arena.deallocate()
  }
  // Exactly as long as the message, so that the address sanitizer sees a read past its end.
  let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
  defer { copy.deallocate() }
  copy.copyBytes(from: bytes)
  var view = ScoreRequestView()
  let failure = ScoreRequestDecoder.decode(
    ByteSlice(UnsafeRawBufferPointer(copy)), into: &view, arena: arena,
    candidatesMax: candidatesMax)
  return try body(view, failure, arena.pointee.reservedBytes)
}
