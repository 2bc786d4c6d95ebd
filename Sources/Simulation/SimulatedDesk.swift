internal import Allocation
internal import Campaigns
internal import Core
internal import Ledger

/// A board, and which version of the campaigns it has.
final class ServedBoard {
  let board: CampaignBoard
  let version: Int

  init(_ board: CampaignBoard, version: Int) {
    self.board = board
    self.version = version
  }
}

/// The owner's desk: one change at a time, durable first, then everywhere.
struct SimulatedDesk {
  struct Definition {
    var campaign: Campaign
    var key: UInt64
    /// Where it lies in `Simulation.definitions`.
    var place: Int
    var isPaused: Bool
  }

  /// In order of their ids.
  private(set) var definitions: [Definition] = []
  /// As the store's thread knows them.
  var published: [Definition] = []
  private var set: CampaignSet
  private(set) var version = 0
  private var isBusy = false

  static let rowCount: Int32 = 48
  private static let policy = CampaignPolicy(currency: "EUR")

  /// Rows are items by number; four of an artist, two of a release; a few have neither.
  private static var catalog: CampaignCatalog {
    CampaignCatalog(
      rowCount: Int(rowCount), row: { Int32($0).map { $0 - 1 } },
      artist: { $0 % 11 == 0 ? nil : Int64($0 / 4) - 3 },
      release: { $0 % 13 == 0 ? nil : Int64($0 / 2) })
  }

  init() { set = .empty(SimulatedDesk.catalog) }

  mutating func restore(_ storage: SimulatedStorage, _ all: [Campaign]) throws(StorageError) {
    var stored: [StoredCampaign] = []
    try storage.recover { record, _ in
      switch record {
      case .note: return true
      case .campaign(let campaign):
        stored.append(campaign)
        return true
      case .allocation, .entry: return false
      }
    }
    for record in stored {
      guard let place = Int(record.document), all.indices.contains(place) else {
        preconditionFailure("a definition that nobody has applied")
      }
      keep(
        Definition(
          campaign: all[place], key: record.key, place: place, isPaused: record.isPaused))
      version = max(version, place + 1)
    }
    compile()
  }

  private mutating func keep(_ definition: Definition) {
    if let index = definitions.firstIndex(where: { $0.key == definition.key }) {
      definitions[index] = definition
    } else {
      definitions.append(definition)
      definitions.sort { $0.campaign.id < $1.campaign.id }
    }
  }

  private mutating func compile() {
    do throws(CampaignSetError) {
      set = try CampaignSet(
        definitions.map {
          CampaignDefinition(campaign: $0.campaign, key: $0.key, isPaused: $0.isPaused)
        }, policy: SimulatedDesk.policy,
        catalog: SimulatedDesk.catalog)
    } catch {
      preconditionFailure("few campaigns are too many: \(error)")
    }
    published = definitions
  }

  var rules: CapRules { CapRules(definitions.map { ($0.key, $0.campaign.caps) }) }

  var costs: [UInt64: Micros] {
    var costs: [UInt64: Micros] = [:]
    for definition in definitions { costs[definition.key] = definition.campaign.cost }
    return costs
  }

  var longestWindowMilliseconds: Int64 {
    definitions.flatMap(\.campaign.caps).map { Int64($0.windowSeconds) * 1_000 }.max() ?? 0
  }

  /// Empty: nothing is spent, and everything is free.
  func board(isSpent: [Bool], prices: [Double], at now: Int64) -> ServedBoard {
    let standings = (0..<set.count).map { index in
      CampaignStanding(
        price: prices.isEmpty ? 0 : prices[index], isSpent: !isSpent.isEmpty && isSpent[index])
    }
    return ServedBoard(
      CampaignBoard(set: set, standings: standings, timeUnixMilliseconds: now), version: version)
  }

  // MARK: Changes

  /// Begins a change, unless one is under way or it is not the time for one.
  mutating func change(_ server: SimulatedServer) {
    guard !isBusy else { return }
    let simulation = server.simulation
    if definitions.count < 4 || simulation.random.isOne(in: 60) {
      guard let changed = draw(simulation) else { return }
      isBusy = true
      simulation.figures.changes += 1
      apply(changed, server)
    }
  }

  private func draw(_ simulation: Simulation) -> Definition? {
    if definitions.count < 4 || definitions.count < 14 && simulation.random.isOne(in: 6) {
      let campaign = CampaignDraw.campaign(definitions.count, &simulation.random)
      return Definition(
        campaign: campaign, key: splitmix64(UInt64(definitions.count)),
        place: simulation.definitions.count, isPaused: false)
    }
    var changed = definitions[simulation.random.below(definitions.count)]
    changed.place = simulation.definitions.count
    if changed.isPaused || simulation.random.isOne(in: 8) {
      changed.isPaused.toggle()
    } else {
      CampaignDraw.change(&changed.campaign, &simulation.random)
    }
    return changed
  }

  private func apply(_ changed: Definition, _ server: SimulatedServer) {
    let simulation = server.simulation
    simulation.definitions.append(changed.campaign)
    let record = StoredCampaign(
      id: changed.campaign.id, key: changed.key, document: "\(changed.place)",
      isPaused: changed.isPaused)
    let (now, budget, version) = (server.now(), changed.campaign.budget, changed.place + 1)
    var wasRefused = false
    server.onStore { [unowned server] store throws(StoreFailure) in
      let refused = try store.apply([record], budgets: [changed.key: budget], at: now)
      wasRefused = !refused.isEmpty
      if wasRefused { return }
      server.note([
        .defined(campaign: changed.key, caps: changed.campaign.caps, version: version),
        .funded(campaign: changed.key, budget: budget.value),
      ])
    } done: { [unowned server] failure in
      server.deskMail.append { [unowned server] in
        if wasRefused { server.simulation.figures.refusedChanges += 1 }
        server.desk.end(wasRefused || failure != nil ? nil : changed, server)
      }
    }
  }

  /// The change is durable: it becomes what is served by. nil: it came to nothing.
  private mutating func end(_ changed: Definition?, _ server: SimulatedServer) {
    guard let changed else { return isBusy = false }
    keep(changed)
    let (rules, costs) = (rules, costs)
    let paused = definitions.filter(\.isPaused).map(\.key)
    for index in server.shards.indices {
      server.deskMail.append { [unowned server] in
        server.onShard(index) { [unowned server] shard in
          shard.keep(rules)
          for campaign in paused { shard.returnLeases(of: campaign, at: server.now()) }
          server.flush(shard.index)
        }
      }
    }
    server.deskMail.append { [unowned server] in
      server.onStore { [unowned server] _ in
        server.setCosts(costs)
        server.desk.publish(changed.place + 1)
      } done: { [unowned server] _ in
        server.spread()
        server.deskMail.append { [unowned server] in server.desk.isBusy = false }
      }
    }
  }

  private mutating func publish(_ version: Int) {
    compile()
    self.version = version
  }
}
