internal import Allocation
internal import Campaigns
internal import Core
internal import Ledger

/// The clients: they allocate, ask again, report what was heard (in time, late, twice, out of
/// order, wrongly) and give back. They know only what they were told.
final class SimulatedTraffic {
  struct Request {
    var name: RequestName
    var digest: UInt64
    var slots: Int
    var rows: [Int32]
    var scores: [Double]
    var isGerman: Bool
  }

  unowned let simulation: Simulation
  var random: SplitMix64
  private let users: Int
  private let slotsMost: Int
  /// Not answered yet, by the order in which they were sent.
  private var open: [Int: Request] = [:]
  var sent = 0
  /// To be sent again.
  private var again: [Request] = []
  /// Answered, to be asked again.
  private var answered: [Request] = []
  /// Tokens of what was not reported yet, and of what was.
  var fresh: [[UInt8]] = []
  var old: [[UInt8]] = []
  /// Under way, by the order in which they were sent.
  var reported: [Int: [[UInt8]]] = [:]

  private static let openMost = 48
  static let freshMost = 2_000
  static let oldMost = 600

  init(_ simulation: Simulation, seed: UInt64) {
    self.simulation = simulation
    random = SplitMix64(seed: seed)
    users = [3, 60, 600][random.below(3)]
    slotsMost = [2, 6, 12][random.below(3)]
  }

  /// The connection is gone: what was not answered is asked and told again.
  func forget() {
    for key in open.keys.sorted() {
      if let request = open[key] { again.append(request) }
    }
    for key in reported.keys.sorted() { fresh += reported[key] ?? [] }
    open = [:]
    reported = [:]
    if again.count > SimulatedTraffic.openMost {
      again.removeFirst(again.count - SimulatedTraffic.openMost)
    }
  }

  func step(_ server: SimulatedServer) {
    guard open.count + reported.count < SimulatedTraffic.openMost else { return }
    switch random.below(16) {
    case 0..<9: allocate(server)
    case 9: giveBack(server)
    default: report(server)
    }
  }

  // MARK: Allocations

  private func allocate(_ server: SimulatedServer) {
    guard fresh.count < SimulatedTraffic.freshMost else { return }
    if let request = again.popLast() { return send(request, server) }
    if random.isOne(in: 10), !answered.isEmpty {
      var request = answered[random.below(answered.count)]
      // The same name for something else.
      if random.isOne(in: 6) { request.digest ^= 1 }
      return send(request, server)
    }
    let request = draw()
    send(request, server)
    // Hedged, perhaps by another loop.
    if random.isOne(in: 12) { send(request, server) }
  }

  private func draw() -> Request {
    let slots = 1 + random.below(slotsMost)
    let count = slots + 2 + random.below(6)
    let rows = (0..<count).map { _ in
      Int32(random.below(Int(SimulatedDesk.rowCount) + 1))
    }
    return Request(
      name: RequestName(user: 1 + UInt64(random.below(users)), id: random.next()),
      digest: random.next(), slots: slots, rows: rows,
      scores: rows.map { _ in Double(1 + random.below(500)) / 1_000 },
      isGerman: random.isOne(in: 2))
  }

  private func send(_ request: Request, _ server: SimulatedServer) {
    let served = server.boards[random.below(server.boards.count)]
    let market: StaticString = request.isGerman ? "DE" : "FR"
    guard
      let audience = served.board.set.audience(
        market: ByteSlice(market), surface: .empty, tier: .empty,
        segments: UnsafeBufferPointer(start: nil, count: 0),
        timeUnixMilliseconds: simulation.clocks.unix, user: request.name.user, bucket: 0)
    else { preconditionFailure("no segments are too many") }
    let boost = served.board.request(
      audience: audience, scopes: .none, ledgerMilliseconds: 0, seed: random.next())
    let options = boost.options(
      rows: request.rows, calibrated: request.scores, count: request.rows.count,
      affordable: { _ in .max })
    sent += 1
    let serial = sent
    open[serial] = request
    let (name, digest, version) = (request.name, request.digest, served.version)
    let work = AllocationRequest(
      user: name.user, requestID: RequestID(high: name.id, low: ~name.id),
      digest: RequestID(high: digest, low: 0), slots: request.slots, board: served.board,
      request: boost, options: options, reasons: [:], item: { UInt64($0) + 1 },
      encode: { [unowned server] placements, _ in
        AnswerCoding.encode(
          placements, name: name, digest: digest, at: server.decidedAt, version: version)
      })
    server.onShard(server.shard(of: name.user)) { [unowned self, unowned server] shard in
      place(work, name, digest, on: shard, serial, server)
    }
  }

  /// On the user's shard, as `CampaignRuntime.place` does.
  private func place(
    _ work: AllocationRequest, _ name: RequestName, _ digest: UInt64, on shard: UserShard,
    _ serial: Int, _ server: SimulatedServer
  ) {
    var work = work
    let now = server.now()
    server.decidedAt = now
    switch shard.allocate(&work, at: now) {
    case .placed(let bytes):
      let answer = AnswerCoding.decode(bytes)
      server.commit(shard, [.allocated(answer)]) { [unowned self] failure, _ in
        if failure == nil { hear(answer, serial) } else { fail(serial) }
      }
    case .repeated:
      server.onStore { _ in
      } done: { [unowned self, unowned server] failure in
        guard failure == nil else { return fail(serial) }
        let bytes = server.answer(name)
        simulation.figures.repeated += 1
        simulation.oracle.repeated(
          name, digest: digest, at: now, told: server.now(), bytes)
        // The server says "retry", and the client may.
        if bytes == nil { fail(serial) }
        if let bytes { hear(AnswerCoding.decode(bytes), serial) }
      }
    case .conflict:
      simulation.figures.conflicts += 1
      simulation.oracle.conflict(name, digest: digest, at: now)
      open[serial] = nil
    case .waits:
      server.park(shard.index) { [unowned self, unowned server, work] in
        place(work, name, digest, on: shard, serial, server)
      }
    case .full: simulation.violate("full")
    }
  }

  private func hear(_ answer: AnsweredRequest, _ serial: Int) {
    guard let request = open.removeValue(forKey: serial) else { return }
    if answered.count < 64 {
      answered.append(request)
    } else {
      answered[random.below(64)] = request
    }
    for placed in answer.placements { fresh.append(placed.token) }
  }

  private func fail(_ serial: Int) {
    if let request = open.removeValue(forKey: serial) { again.append(request) }
  }
}
