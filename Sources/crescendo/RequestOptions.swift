import ArgumentParser
import Core
import Wire

/// Who, where and which items: what scoring and allocating ask alike.
struct RequestOptions: ParsableArguments {
  enum MinimumFidelity: String, ExpressibleByArgument, CaseIterable {
    case none
    case prior
    case partial
    case full

    var fidelity: Fidelity {
      switch self {
      case .none: .none
      case .prior: .prior
      case .partial: .partial
      case .full: .full
      }
    }
  }

  @Option(
    help: "The user: a decimal id, 0x…, or a URI. Without it the request is anonymous.",
    transform: EntityReference.init(parsing:))
  var user: EntityReference?

  @Option(help: "ISO 3166-1 alpha-2, for example SE.")
  var market = ""

  @Option(help: "Where the items may appear, for example radio.")
  var surface = ""

  @Option(help: "The user's tier, for example free.")
  var tier = ""

  @Option(help: ArgumentHelp("The user's segments.", valueName: "a,b"))
  var segments: String?

  @Option(
    help: "Score as of then: RFC 3339, or milliseconds since 1970. Else the server's clock.",
    transform: TimeArgument.init(parsing:))
  var time: TimeArgument?

  @Option(
    name: .customLong("utc-offset"), parsing: .unconditional,
    help: ArgumentHelp("Of the user's clock, for local hour and weekday.", valueName: "minutes"))
  var utcOffset: Int32 = 0

  @Option(help: ArgumentHelp("The items, separated by commas.", valueName: "a,b,c"))
  var items: String?

  @Option(
    help: ArgumentHelp(
      "The items, one URI or id a line, # starts a comment; - is standard input.",
      valueName: "file"))
  var itemsFile: String?

  @Option(
    name: .customLong("request-column"),
    help: ArgumentHelp("A value per item; an empty one is missing.", valueName: "name=v1,v2,…"),
    transform: NamedColumn.parse)
  var requestColumns: [ScoreRequestMessage.Column] = []

  @Option(
    name: .customLong("user-column"),
    help: ArgumentHelp("Overrides a column of the user.", valueName: "name=v,…"),
    transform: NamedColumn.parse)
  var userColumns: [ScoreRequestMessage.Column] = []

  @Option(help: "Another model than the snapshot's default.")
  var model = ""

  @Option(help: "The least that counts as an answer.")
  var minFidelity: MinimumFidelity?

  /// The items of the flag or of the file.
  func itemList(readFile: (String) throws(UsageError) -> String)
    throws(CommandFailure) -> ItemList
  {
    do throws(UsageError) {
      switch (items, itemsFile) {
      case (let items?, nil): return try ItemList(commaSeparated: items)
      case (nil, let file?): return try ItemList(lines: try readFile(file))
      case (nil, nil): throw UsageError("name the items with --items or --items-file")
      case (.some, .some): throw UsageError("--items and --items-file exclude each other")
      }
    } catch {
      throw CommandFailure(.usage, error.description)
    }
  }

  /// The request that the flags describe; what only the server can judge goes to it as it is.
  func request(for items: ItemList) throws(CommandFailure) -> ScoreRequestMessage {
    for column in requestColumns where column.values.count != items.count {
      throw CommandFailure(
        .usage,
        "--request-column \(column.name) has \(column.values.count) values for "
          + "\(items.count) items")
    }
    var request = ScoreRequestMessage()
    switch user {
    case .id(let id)?: request.userID = id
    case .uri(let uri)?: request.userURI = uri
    case nil: break
    }
    request.context.market = market
    request.context.surface = surface
    request.context.tier = tier
    request.context.segments = segments?.split(separator: ",").map(String.init) ?? []
    request.context.timeUnixMilliseconds = time?.unixMilliseconds ?? 0
    request.context.utcOffsetMinutes = utcOffset
    request.itemIDs = items.ids
    request.itemURIs = items.uris
    request.candidateColumns = requestColumns
    request.userColumns = userColumns
    request.model = model
    request.minFidelity = minFidelity.map { Int32($0.fidelity.rawValue) } ?? 0
    return request
  }
}
