internal import CCrescendoProto
internal import Core
internal import Glibc

extension ScoreRequestView {
  /// Fills what protobuf-c has decoded. False when the arena is full.
  mutating func take(
    _ message: UnsafeMutablePointer<Crescendo__V1__ScoreRequest>, _ scan: RequestScan,
    _ arena: UnsafeMutablePointer<Arena>
  ) -> Bool {
    let message = message.pointee
    requestID = text(message.request_id)
    userID = message.user_id
    userURI = text(message.user_uri)
    model = text(message.model)
    minFidelity = Int32(bitPattern: message.min_fidelity.rawValue)
    wantRaw = message.want_raw != 0
    wantBoosts = message.want_boosts != 0
    wantExplanations = message.want_explanations != 0
    if !scan.itemIDsAreInPlace {
      itemIDs = UnsafeRawPointer(message.item_ids)
      itemIDCount = message.n_item_ids
    }
    guard let uris = texts(message.item_uris, message.n_item_uris, arena) else { return false }
    itemURIs = uris
    if let context = message.context {
      guard take(context.pointee, arena) else { return false }
    }
    if !scan.candidateColumnsAreInPlace {
      let columns = columnViews(message.n_candidate_columns, arena) { index in
        message.candidate_columns[index].map {
          ($0.pointee.name, $0.pointee.values, $0.pointee.n_values)
        }
      }
      guard let columns else { return false }
      candidateColumns = columns
    }
    if !scan.userColumnsAreInPlace {
      let columns = columnViews(message.n_user_columns, arena) { index in
        message.user_columns[index].map {
          ($0.pointee.name, $0.pointee.values, $0.pointee.n_values)
        }
      }
      guard let columns else { return false }
      userColumns = columns
    }
    return true
  }

  private mutating func take(
    _ context: Crescendo__V1__Context, _ arena: UnsafeMutablePointer<Arena>
  ) -> Bool {
    market = text(context.market)
    surface = text(context.surface)
    tier = text(context.tier)
    timeUnixMilliseconds = context.time_unix_ms
    utcOffsetMinutes = context.utc_offset_minutes
    guard let names = texts(context.segments, context.n_segments, arena) else { return false }
    segments = names
    return true
  }

  /// protobuf-c's strings end at a NUL; the pre-scan has refused strings that hold one.
  private func text(_ characters: UnsafeMutablePointer<CChar>?) -> ByteSlice {
    guard let characters else { return .empty }
    return ByteSlice(UnsafeRawPointer(characters), count: strlen(characters))
  }

  private func texts(
    _ strings: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ count: Int,
    _ arena: UnsafeMutablePointer<Arena>
  ) -> UnsafeBufferPointer<ByteSlice>? {
    guard count > 0, let strings else { return UnsafeBufferPointer(start: nil, count: 0) }
    guard let slices = arena.pointee.allocate(ByteSlice.self, count: count) else { return nil }
    for index in 0..<count { (slices + index).initialize(to: text(strings[index])) }
    return UnsafeBufferPointer(start: slices, count: count)
  }

  private func columnViews(
    _ count: Int, _ arena: UnsafeMutablePointer<Arena>,
    _ column: (Int) -> (
      UnsafeMutablePointer<CChar>?, UnsafeMutablePointer<Float>?, Int
    )?
  ) -> UnsafeBufferPointer<FloatColumnView>? {
    guard let views = arena.pointee.allocate(FloatColumnView.self, count: count) else { return nil }
    for index in 0..<count {
      let (name, values, valueCount) = column(index) ?? (nil, nil, 0)
      (views + index).initialize(
        to: FloatColumnView(
          name: text(name), values: UnsafeRawPointer(values), count: valueCount))
    }
    return UnsafeBufferPointer(start: views, count: count)
  }
}
