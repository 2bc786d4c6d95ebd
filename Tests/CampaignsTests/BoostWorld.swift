import Campaigns
import Core

/// A small random world: campaigns as their owners wrote them, and a catalog.
struct BoostWorld {
  struct Request {
    var market = "SE"
    var surface = "radio"
    var tier = "free"
    var segments: [String] = []
    var time: Int64 = 500
    var user: UInt64 = 7
    var bucket = 5_000
    var now: Int64 = 1_000_000
    var seed: UInt64 = 1
    /// By scope and key: tenths of seconds.
    var scopes: [Scope: [UInt32]] = [:]
  }

  struct Scope: Hashable {
    var kind: CapScope
    var key: UInt64
  }

  var campaigns: [Campaign] = []
  var keys: [String: UInt64] = [:]
  var paused: Set<String> = []
  var flags: [String: (price: Double, isOff: Bool, isSpent: Bool)] = [:]
  var posteriors: [String: BetaPosterior] = [:]
  var policy = CampaignPolicy(currency: "USD")
  var rowCount = 40
  /// About which time the board is made.
  var boardTime: Int64 = 500
  /// By row.
  var artists: [Int64?] = []
  var releases: [Int64?] = []

  static let markets = ["SE", "NO", "DK", "FI"]
  static let surfaces = ["radio", "home", "search"]
  static let tiers = ["free", "premium"]
  static let segments = ["gym-goers", "runners", "sleepers"]

  func row(of item: String) -> Int32? {
    let digits = item.hasPrefix("uri:") ? String(item.dropFirst(4)) : item
    guard let number = Int32(digits), number >= 0, number < rowCount else { return nil }
    return number
  }

  var board: CampaignBoard {
    get throws {
      let set = try CampaignSet(
        campaigns.map {
          CampaignDefinition(
            campaign: $0, key: keys[$0.id] ?? 0, isPaused: paused.contains($0.id))
        }, policy: policy,
        catalog: CampaignCatalog(
          rowCount: rowCount, row: row, artist: { artists[Int($0)] },
          release: { releases[Int($0)] }))
      return CampaignBoard(
        set: set,
        standings: set.ids.map { id in
          let own = flags[id] ?? (0, false, false)
          return CampaignStanding(price: own.price, isOff: own.isOff, isSpent: own.isSpent)
        },
        posteriors: set.ids.map { posteriors[$0] ?? .uniform }, timeUnixMilliseconds: boardTime)
    }
  }

  /// A random world of `count` campaigns; `extreme` with amounts and prices of all sizes.
  static func random(_ random: inout SplitMix64, count: Int, extreme: Bool) -> BoostWorld {
    var world = BoostWorld()
    world.artists = (0..<world.rowCount).map { _ in
      random.next() % 5 == 0 ? nil : Int64(bitPattern: random.next() % 6) - 2
    }
    world.releases = (0..<world.rowCount).map { _ in
      random.next() % 5 == 0 ? nil : Int64(random.next() % 9)
    }
    for number in 0..<count {
      world.add(number, &random, extreme: extreme)
    }
    world.policy.scaleMicros = extreme ? 1 + Int64(random.next() >> 2) : 1_000
    world.policy.surfaces = [
      "radio": SurfaceBoost(weight: extreme ? amount(&random) : 0.7, cap: 1.5),
      "home": SurfaceBoost(weight: 2, cap: extreme ? amount(&random) : 0.25),
      "search": SurfaceBoost(
        weight: random.next() % 3 == 0 ? 0 : 1, cap: random.next() % 3 == 0 ? 0 : 1),
    ]
    return world
  }

  private static func amount(_ random: inout SplitMix64) -> Double {
    abs(Double(bitPattern: random.next() & ~(0x400 << 52)))
  }

  private static func some(_ names: [String], _ random: inout SplitMix64) -> [String]? {
    switch random.next() % 8 {
    case 0: []
    case 1, 2, 3: names.filter { _ in random.next() % 3 > 0 }
    default: nil
    }
  }

  private mutating func add(_ number: Int, _ random: inout SplitMix64, extreme: Bool) {
    let id = "campaign-\(random.next() % 1_000)-\(number)"
    let start = random.next() % 4 == 0 ? Int64(random.next() % 1_000) : -1_000
    let end = random.next() % 6 == 0 ? start + Int64(random.next() % 900) : Int64.max
    let small = Int64(random.next() % 400_000)
    let caps = CapScope.allCases.filter { _ in random.next() % 4 == 0 }.map {
      CapRule(
        scope: $0, limit: UInt32(1 + random.next() % 3),
        windowSeconds: UInt32(1 + random.next() % 90_000))
    }
    let items = (0..<(1 + random.next() % 20)).map { _ in
      (random.next() % 2 == 0 ? "uri:" : "") + String(random.next() % 45)
    }
    campaigns.append(
      Campaign(
        id: id, items: items, flight: start..<max(end, start), budget: Micros(1_000_000_000),
        cost: Micros(extreme ? Int64(random.next() >> (1 + random.next() % 60)) : small / 20),
        worth: Micros(extreme ? Int64(random.next() >> (1 + random.next() % 60)) : small),
        markets: BoostWorld.some(BoostWorld.markets, &random),
        surfaces: BoostWorld.some(BoostWorld.surfaces, &random),
        tiers: BoostWorld.some(BoostWorld.tiers, &random),
        segments: BoostWorld.some(BoostWorld.segments, &random), caps: caps,
        exploration: random.next() % 5 == 0 ? .thompson : .none))
    keys[id] = random.next()
    if random.next() % 12 == 0 { paused.insert(id) }
    let price = [0, 0, 0.5, -0.3, 3][Int(random.next() % 5)]
    flags[id] = (
      extreme ? Double(Int64(bitPattern: random.next())) / 1e12 : price,
      random.next() % 16 == 0, random.next() % 9 == 0
    )
    posteriors[id] = BetaPosterior(
      priorSuccesses: 0.5 + Double(random.next() % 50),
      priorFailures: 0.5 + Double(random.next() % 500))
  }

  /// A random request, often of a user with a history.
  func request(_ random: inout SplitMix64) -> Request {
    var request = Request()
    request.market = (BoostWorld.markets + ["", "XX"])[Int(random.next() % 6)]
    request.surface = (BoostWorld.surfaces + ["unheard-of"])[Int(random.next() % 4)]
    request.tier = (BoostWorld.tiers + [""])[Int(random.next() % 3)]
    request.segments = (BoostWorld.segments + ["nobody"]).filter { _ in random.next() % 3 == 0 }
    request.time = Int64(random.next() % 1_200)
    request.user = random.next() % 8 == 0 ? 0 : random.next()
    request.bucket = Int(random.next() % 10_000)
    request.seed = random.next()
    guard random.next() % 3 > 0 else { return request }
    let someKeys = keys.sorted { $0.key < $1.key }.map(\.value).filter { _ in random.next() % 4 == 0
    }
    for key in someKeys { request.add(.userCampaign, key, &random) }
    for key in 0..<4 { request.add(.userArtist, UInt64(bitPattern: Int64(key) - 2), &random) }
    for key in 0..<4 { request.add(.userRelease, UInt64(key), &random) }
    return request
  }
}

extension BoostWorld.Request {
  fileprivate mutating func add(_ kind: CapScope, _ key: UInt64, _ random: inout SplitMix64) {
    // Up to 100,000 s old: some are out of every window.
    let latest = UInt32(now / 100)
    scopes[BoostWorld.Scope(kind: kind, key: key)] = (0..<Int(random.next() % 5)).map { _ in
      latest + 2 - UInt32(random.next() % 1_000_000 % UInt64(latest))
    }
  }

  /// Runs `body` with the request as the loop sees it.
  func with<Result>(_ board: CampaignBoard, _ body: (BoostRequest) throws -> Result) throws
    -> Result
  {
    let memory = FlatBytes()
    let names = segments.map { memory.slice($0) }
    var records: [ScopeRecord] = []
    for (scope, times) in scopes {
      records.append(
        ScopeRecord(
          scope: scope.kind, key: scope.key, count: times.count,
          deciseconds: memory.copy(times)))
    }
    return try names.withUnsafeBufferPointer { names in
      try records.withUnsafeBufferPointer { records in
        let audience = board.set.audience(
          market: memory.slice(market), surface: memory.slice(surface), tier: memory.slice(tier),
          segments: names, timeUnixMilliseconds: time, user: user, bucket: bucket)
        guard let audience else { throw TooManySegments() }
        return try body(
          board.request(
            audience: audience, scopes: UserScopes(records), ledgerMilliseconds: now, seed: seed))
      }
    }
  }
}

struct TooManySegments: Error {}

/// Bytes that live as long as this.
final class FlatBytes {
  private var blocks: [UnsafeMutableRawPointer] = []

  deinit { for block in blocks { block.deallocate() } }

  func slice(_ text: String) -> ByteSlice {
    let bytes = Array(text.utf8)
    return ByteSlice(UnsafeRawPointer(copy(bytes)), count: bytes.count)
  }

  func copy<T: BitwiseCopyable>(_ values: [T]) -> UnsafePointer<T> {
    let room = UnsafeMutablePointer<T>.allocate(capacity: max(values.count, 1))
    room.initialize(from: values, count: values.count)
    blocks.append(UnsafeMutableRawPointer(room))
    return UnsafePointer(room)
  }
}
