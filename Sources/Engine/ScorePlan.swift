internal import CKernels
internal import Core
internal import Signals

/// What one request depends on besides its candidates, computed once: the part of the row that is
/// the same for all of them, the user's vectors, and where the request's columns lie.
struct ScorePlan: BitwiseCopyable {
  /// Unretained: the call pins its `Serving`, which holds the blueprint.
  let blueprint: Unmanaged<Blueprint>
  let serving: Unmanaged<Serving>
  let engine: Unmanaged<Engine>
  /// A row with every fixed feature in place; the rest is NaN.
  var template: UnsafeMutablePointer<Double>
  /// By the manifest's request columns: `candidateCount` floats, or nil = missing.
  var requestColumns: UnsafeMutablePointer<UnsafeRawPointer?>
  var requestColumnCount: Int
  /// By dot feature.
  var userVectors: UnsafeMutablePointer<UserVectorValue>
  var candidateCount: Int
  /// Ids of 8 bytes, little-endian; nil when the rows were resolved from URIs.
  var itemIDs: UnsafeRawPointer?
  /// Rows of the candidates, −1 = unknown.
  var rows: UnsafeMutablePointer<Int32>
  /// Milliseconds since 1970.
  var timeUnixMilliseconds: Int64
  /// 0 = anonymous.
  var userID: UInt64
}

/// A user's side of a dot product, for this request.
struct UserVectorValue: BitwiseCopyable {
  /// Floats (an F16 vector is widened), or Int8s; nil = no vector: the product is +0.
  var elements: UnsafeRawPointer?
  /// Of Int8s.
  var scale: Float = 1
}

/// Builds the plan of one request. Everything it allocates lies in the request's arena.
struct ScorePlanner {
  // Unretained: whoever plans holds the engine, and that all else.
  private unowned(unsafe) let engine: Engine
  private unowned(unsafe) let serving: Serving
  private unowned(unsafe) let blueprint: Blueprint
  let request: ScoreRequestView
  let arena: UnsafeMutablePointer<Arena>
  let timeUnixMilliseconds: Int64
  private var userRow = -1
  /// By user slot: the place in `request.userColumns` of its override, −1 = none. Nil when the
  /// request overrides nothing.
  private var overrides: UnsafeMutablePointer<Int32>?
  /// By context field; NaN = missing.
  private var context = InlineArray<5, Double>(repeating: .nan)

  init(
    _ engine: Engine, _ blueprint: Blueprint, _ request: ScoreRequestView,
    _ arena: UnsafeMutablePointer<Arena>, nowUnixMilliseconds: Int64
  ) {
    self.engine = engine
    self.serving = engine.serving
    self.blueprint = blueprint
    self.request = request
    self.arena = arena
    timeUnixMilliseconds =
      request.timeUnixMilliseconds == 0 ? nowUnixMilliseconds : request.timeUnixMilliseconds
  }

  static let outOfArena = CallFailure(
    .resourceExhausted, "the request takes more memory than a request may take",
    retryPushbackMilliseconds: -1)

  private func allocate<T: BitwiseCopyable>(_ type: T.Type, _ count: Int) throws(CallFailure)
    -> UnsafeMutablePointer<T>
  {
    guard let memory = arena.pointee.allocate(type, count: count) else {
      throw ScorePlanner.outOfArena
    }
    return memory
  }

  mutating func plan() throws(CallFailure) -> ScorePlan {
    try resolveUser()
    resolveContext()
    let requestColumns = try resolveRequestColumns()
    try resolveUserColumns()
    let template = try allocate(Double.self, blueprint.rowCount)
    template.initialize(repeating: .nan, count: blueprint.rowCount)
    for placed in blueprint.fixed {
      switch placed.feature {
      case .scalar(let operand): template[placed.index] = value(operand)
      case .equal(let first, let second):
        template[placed.index] = equality(value(first), value(second))
      }
    }
    let count = request.candidateCount
    let rows = try allocate(Int32.self, count)
    if request.itemIDCount == 0 {
      for (index, uri) in request.itemURIs.enumerated() {
        rows[index] = Int32(serving.snapshot.items.row(ofURI: uri.bytes))
      }
    }
    return ScorePlan(
      blueprint: Unmanaged.passUnretained(blueprint),
      serving: Unmanaged.passUnretained(serving),
      engine: Unmanaged.passUnretained(engine), template: template,
      requestColumns: requestColumns, requestColumnCount: serving.requestColumns.count,
      userVectors: try resolveUserVectors(), candidateCount: count,
      itemIDs: request.itemIDCount == 0 ? nil : request.itemIDs, rows: rows,
      timeUnixMilliseconds: timeUnixMilliseconds, userID: userID)
  }

  /// The request's, or that of the user of its URI.
  private var userID: UInt64 {
    if request.userID != 0 || userRow < 0 { return request.userID }
    return serving.snapshot.users?.id(userRow) ?? 0
  }

  // MARK: User

  private mutating func resolveUser() throws(CallFailure) {
    guard let users = serving.snapshot.users else { return }
    let byID = request.userID == 0 ? -1 : users.row(ofID: request.userID)
    guard !request.userURI.isEmpty else {
      userRow = byID
      return
    }
    let byURI = users.row(ofURI: request.userURI.bytes)
    guard request.userID == 0 || byID == byURI else {
      throw CallFailure(
        .invalidArgument, "user_id and user_uri name different users of the snapshot",
        field: "user_uri")
    }
    userRow = byURI
  }

  /// The request's override of a user column or vector, if it sends one.
  private func override(_ slot: Int) -> FloatColumnView? {
    guard let overrides, slot >= 0, overrides[slot] >= 0 else { return nil }
    return request.userColumns[Int(overrides[slot])]
  }

  /// Checks the overrides and finds their slots, in one pass: a message has room for half a
  /// million of them, and a model for thousands of features that ask.
  private mutating func resolveUserColumns() throws(CallFailure) {
    if request.userColumns.isEmpty { return }
    let slots = serving.userNames.count
    let places = try allocate(Int32.self, slots)
    places.initialize(repeating: -1, count: slots)
    overrides = places
    for (place, column) in request.userColumns.enumerated() {
      guard let users = serving.snapshot.users,
        let slot = serving.userNames.index(of: column.name)
      else {
        throw CallFailure(
          .invalidArgument,
          "user_columns: the snapshot's users have no column or vector \(column.name.text)",
          field: "user_columns[\(place)].name")
      }
      var expected = 1
      if slot >= users.columns.count {
        let vector = users.embeddings[slot - users.columns.count]
        guard vector.type != .i8 else {
          throw CallFailure(
            .invalidArgument,
            "user_columns: \(column.name.text) is a vector of I8, which a request cannot override",
            field: "user_columns[\(place)].name")
        }
        expected = vector.dimension
      }
      guard column.count == expected else {
        throw CallFailure(
          .invalidArgument,
          "user_columns: \(column.name.text) has \(column.count) values; \(expected) are expected",
          field: "user_columns[\(place)].values")
      }
      // The last one wins, as for any field that comes twice.
      places[slot] = Int32(truncatingIfNeeded: place)
    }
  }

  private func resolveUserVectors() throws(CallFailure) -> UnsafeMutablePointer<UserVectorValue> {
    let vectors = try allocate(UserVectorValue.self, blueprint.userVectors.count)
    for (index, vector) in blueprint.userVectors.enumerated() {
      vectors[index] = try resolve(vector)
    }
    return vectors
  }

  /// Copied: a request's values have no alignment, and the snapshot's need not have one.
  private func resolve(_ vector: Blueprint.UserVector) throws(CallFailure) -> UserVectorValue {
    let (reader, dimension) = (vector.reader, vector.reader.dimension)
    if let override = override(vector.slot), let values = override.values {
      let floats = try allocate(Float.self, dimension)
      UnsafeMutableRawPointer(floats).copyMemory(from: values, byteCount: 4 * dimension)
      return UserVectorValue(elements: UnsafeRawPointer(floats))
    }
    guard userRow >= 0 else { return UserVectorValue(elements: nil) }
    let source = reader.vector(userRow)
    if reader.type == .i8 {
      return UserVectorValue(elements: source, scale: reader.scale(userRow))
    }
    let floats = try allocate(Float.self, dimension)
    for element in 0..<dimension {
      floats[element] =
        reader.type == .f16
        ? crescendo_widen_f16(
          source.loadUnaligned(fromByteOffset: 2 * element, as: UInt16.self))
        : source.loadUnaligned(fromByteOffset: 4 * element, as: Float.self)
    }
    return UserVectorValue(elements: UnsafeRawPointer(floats))
  }

  // MARK: Context and columns

  private mutating func resolveContext() {
    let names = [request.market, request.surface, request.tier]
    for field in 0..<3 where !names[field].isEmpty {
      if let index = serving.categories[field].index(of: names[field]) {
        context[field] = Double(index)
      }
    }
    let local = LocalTime(
      unixMilliseconds: timeUnixMilliseconds, utcOffsetMinutes: request.utcOffsetMinutes)
    context[3] = Double(local.hour)
    context[4] = Double(local.weekday)
  }

  private func resolveRequestColumns() throws(CallFailure)
    -> UnsafeMutablePointer<UnsafeRawPointer?>
  {
    let declared = serving.requestColumns.count
    let columns = try allocate(UInt.self, declared)
    columns.initialize(repeating: 0, count: declared)
    for (place, column) in request.candidateColumns.enumerated() {
      guard let index = serving.requestColumns.index(of: column.name) else {
        throw CallFailure(
          .invalidArgument,
          "candidate_columns: the snapshot's request_columns do not declare \(column.name.text)",
          field: "candidate_columns[\(place)].name")
      }
      guard column.count == request.candidateCount else {
        throw CallFailure(
          .invalidArgument,
          "candidate_columns: \(column.name.text) has \(column.count) values for "
            + "\(request.candidateCount) candidates",
          field: "candidate_columns[\(place)].values")
      }
      columns[index] = UInt(bitPattern: column.values)
    }
    return UnsafeMutableRawPointer(columns)
      .assumingMemoryBound(to: UnsafeRawPointer?.self)
  }

  /// The value of an operand that is the same for all candidates.
  private func value(_ operand: FixedOperand) -> Double {
    switch operand {
    case .constant(let value): return value
    case .context(let field): return context[field]
    case .user(let column, let slot):
      if let override = override(slot), let values = override.values {
        return Double(values.loadUnaligned(as: Float.self))
      }
      return userRow >= 0 ? column.value(userRow) : .nan
    case .missing: return .nan
    }
  }
}

/// Hour and weekday where the listener is.
struct LocalTime: Equatable {
  /// 0–23.
  let hour: Int
  /// Monday 0 … Sunday 6.
  let weekday: Int

  init(unixMilliseconds: Int64, utcOffsetMinutes: Int32) {
    let minutes = LocalTime.floorDivision(unixMilliseconds, 60_000) + Int64(utcOffsetMinutes)
    let days = LocalTime.floorDivision(minutes, 1_440)
    hour = Int(minutes - days * 1_440) / 60
    // 1970-01-01 was a Thursday.
    weekday = Int(days + 3 - LocalTime.floorDivision(days + 3, 7) * 7)
  }

  private static func floorDivision(_ value: Int64, _ divisor: Int64) -> Int64 {
    let quotient = value / divisor
    return value % divisor < 0 ? quotient - 1 : quotient
  }
}
