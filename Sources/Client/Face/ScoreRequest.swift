internal import Core
internal import Wire

/// Candidates to be scored for one user in one context.
///
/// Fill `itemIDs` or `itemURIs`, not both: 1 to 10,000 of them by the server's default.
public struct ScoreRequest: Sendable, Equatable {
  /// Where and when the scores are wanted.
  public struct Context: Sendable, Equatable {
    /// ISO 3166-1 alpha-2, upper case. What the snapshot does not know is missing, no error.
    public var market = ""
    /// A name of the snapshot, for example `radio`.
    public var surface = ""
    /// A name of the snapshot, for example `premium`.
    public var tier = ""
    /// Milliseconds since 1970-01-01T00:00:00Z; 0 = the server's clock.
    public var timeUnixMilliseconds: Int64 = 0
    /// The user's offset from UTC, minutes.
    public var utcOffsetMinutes: Int32 = 0
    /// Those of the user: campaigns ask for them.
    public var segments: [String] = []

    public init() {}
  }

  /// A named column of floats: one value per candidate, or one vector of the user.
  public struct Column: Sendable, Equatable {
    /// As the model or the snapshot names it.
    public var name: String
    /// NaN = missing.
    public var values: [Float]

    /// Of the name and the values that stand in it.
    public init(_ name: String, _ values: [Float]) {
      self.name = name
      self.values = values
    }
  }

  /// Comes back in the answer; at most 64 bytes.
  public var requestID = ""
  /// 0 = none, or `userURI` names the user.
  public var userID: UInt64 = 0
  /// Empty = none, or `userID` names the user.
  public var userURI = ""
  /// Left empty, everything is missing, and the time is the server's.
  public var context = Context()
  /// An item that the snapshot does not have comes back with fidelity `none`.
  public var itemIDs: [UInt64] = []
  /// Instead of ids, where the snapshot has URIs.
  public var itemURIs: [String] = []
  /// Columns with one value per candidate.
  public var candidateColumns: [Column] = []
  /// Columns of the user.
  public var userColumns: [Column] = []
  /// The coarsest level that is of use; nil = the server's choice.
  public var minimumFidelity: ScoreResponse.Fidelity?
  /// Empty = the server's default model.
  public var model = ""
  /// Also the raw sums, before the output's transformation.
  public var wantsRawScores = false
  /// Also what campaigns add, and why. UNIMPLEMENTED where a server has none.
  public var wantsBoosts = false
  /// Also the terms of each boost; INVALID_ARGUMENT without `wantsBoosts`.
  public var wantsExplanations = false

  /// Candidates by id.
  public init(itemIDs: [UInt64] = [], userID: UInt64 = 0) {
    self.itemIDs = itemIDs
    self.userID = userID
  }

  /// Candidates by URI.
  public init(itemURIs: [String], userID: UInt64 = 0) {
    self.itemURIs = itemURIs
    self.userID = userID
  }

  /// How many candidates there are.
  public var candidateCount: Int { max(itemIDs.count, itemURIs.count) }
}

extension ScoreRequest {
  var message: ScoreRequestMessage {
    var message = ScoreRequestMessage()
    message.requestID = requestID
    message.userID = userID
    message.userURI = userURI
    message.context.market = context.market
    message.context.surface = context.surface
    message.context.tier = context.tier
    message.context.timeUnixMilliseconds = context.timeUnixMilliseconds
    message.context.utcOffsetMinutes = context.utcOffsetMinutes
    message.context.segments = context.segments
    message.itemIDs = itemIDs
    message.itemURIs = itemURIs
    message.candidateColumns = candidateColumns.map {
      ScoreRequestMessage.Column(name: $0.name, values: $0.values)
    }
    message.userColumns = userColumns.map {
      ScoreRequestMessage.Column(name: $0.name, values: $0.values)
    }
    message.minFidelity = minimumFidelity?.number ?? 0
    message.model = model
    message.wantRaw = wantsRawScores
    message.wantBoosts = wantsBoosts
    message.wantExplanations = wantsExplanations
    return message
  }

  /// The message's bytes, or INVALID_ARGUMENT for what cannot be said on the wire.
  func encoded() throws(RPCError) -> [UInt8] {
    do throws(ClientEncodingError) {
      return try message.encoded()
    } catch {
      throw RPCError(.invalidArgument, "\(error)")
    }
  }

  /// Candidates by the session framing's count: ids plus URIs.
  var work: Int { itemIDs.count + itemURIs.count }

  /// Where on a ring the user belongs; a request without one goes by its first candidate.
  var ringKey: UInt64 {
    if userID != 0 { return splitmix64(userID) }
    let text = userURI.isEmpty ? itemURIs.first ?? "" : userURI
    if text.isEmpty { return splitmix64(itemIDs.first ?? 0) }
    return text.utf8.reduce(0xCBF2_9CE4_8422_2325) { splitmix64($0 ^ UInt64($1)) }
  }
}
