internal import Allocation
internal import Core
internal import Ledger

extension SimulatedTraffic {
  func report(_ server: SimulatedServer) {
    var tokens: [[UInt8]] = []
    for _ in 0..<(1 + random.below(12)) {
      if random.isOne(in: 6), !old.isEmpty {
        tokens.append(old[random.below(old.count)])
      } else if let token = takeFresh(), !random.isOne(in: 16) {
        tokens.append(token)
      }
    }
    guard !tokens.isEmpty else { return }
    sent += 1
    let serial = sent
    reported[serial] = tokens
    var parts: [[(claims: PlacementClaims, goal: Bool)]] = Array(
      repeating: [], count: server.shards.count)
    for token in tokens {
      guard let claims = read(token) else { continue }
      parts[Int(claims.userHash % UInt64(parts.count))].append((claims, random.isOne(in: 5)))
    }
    var partsLeft = parts.count { !$0.isEmpty }
    for (index, part) in parts.enumerated() where !part.isEmpty {
      server.onShard(index) { [unowned self, unowned server] shard in
        settle(part, on: shard, server) { [unowned self] failure in
          partsLeft -= 1
          if failure == nil, partsLeft == 0 { reported[serial] = nil }
        }
      }
    }
  }

  /// On the users' shard, as `ReportStream.settle` does.
  private func settle(
    _ part: [(claims: PlacementClaims, goal: Bool)], on shard: UserShard,
    _ server: SimulatedServer, done: @escaping (StoreFailure?) -> Void
  ) {
    let now = server.now()
    var facts: [Fact] = []
    for (claims, goal) in part {
      // What is nil here is late: the store says whether it is paid.
      let outcome = shard.report(claims, goal: goal, at: now) ?? .settledLate
      facts.append(.exposed(Heard(claims), outcome, goal: goal, at: now))
      if outcome == .duplicate || outcome == .goalAdded, simulation.flaw == .reportsForgotten {
        server.payAgain(claims, at: now)
      }
    }
    server.commit(shard, facts) { failure, _ in done(failure) }
  }

  /// In any order; what was taken is old from now on.
  private func takeFresh() -> [UInt8]? {
    guard !fresh.isEmpty else { return nil }
    let at = random.below(fresh.count)
    fresh.swapAt(at, fresh.count - 1)
    guard let token = fresh.popLast() else { return nil }
    if old.count < SimulatedTraffic.oldMost {
      old.append(token)
    } else {
      old[random.below(old.count)] = token
    }
    return token
  }

  /// As a loop reads it. One that somebody has changed must not be believed.
  private func read(_ token: [UInt8]) -> PlacementClaims? {
    if random.isOne(in: 50) {
      var forged = token
      forged[random.below(token.count)] ^= UInt8(1 + random.below(255))
      if decode(forged) != nil { simulation.violate("a forged token was taken") }
      return nil
    }
    guard var claims = decode(token) else {
      simulation.violate("a token was not known again")
      return nil
    }
    // One that nobody was given.
    if random.isOne(in: 200) { claims.reservation ^= 1 << 39 }
    return claims
  }

  private func decode(_ token: [UInt8]) -> PlacementClaims? {
    token.withUnsafeBytes { PlacementToken.decode(ByteSlice($0), simulation.signer) }
  }

  func giveBack(_ server: SimulatedServer) {
    let token =
      random.isOne(in: 4) && !old.isEmpty ? old[random.below(old.count)] : takeFresh()
    guard let token, let claims = read(token) else { return }
    server.onShard(server.shard(of: claims.claim.placement.user)) { [unowned server] shard in
      let now = server.now()
      let outcome = shard.release(claims, at: now)
      server.commit(shard, [.released(Heard(claims), outcome, at: now)]) { _, _ in }
    }
  }
}

extension Heard {
  init(_ claims: PlacementClaims) {
    self.init(
      reservation: claims.reservation, user: claims.claim.placement.user,
      campaign: claims.campaign, amount: claims.amount.value, expires: claims.expires)
  }
}
