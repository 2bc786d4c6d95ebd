internal import Campaigns
internal import Core
internal import Ledger

extension UserShard {
  /// Fills the slots: caps checked, budget and caps reserved, all in one step. Time is ledger time.
  package func allocate(_ request: inout AllocationRequest, at now: Int64) -> AllocationStep {
    let expires = now + ledger.times.reservation
    switch requests.begin(
      user: request.user, requestID: request.requestID, digest: request.digest, at: now,
      expires: expires)
    {
    case .new: break
    case .pending, .durable:
      count { $0.repeated += 1 }
      return .repeated
    case .conflict: return .conflict
    case .full: return .full
    }
    let options = open(request, at: now)
    var short: Set<UInt64> = []
    let payable = affordable(options, request, at: now, &short)
    let choice = request.request.place(payable, slots: request.slots)
    let wanted = self.wanted(choice, request, short, at: now)
    if !wanted.isEmpty {
      request.rounds += 1
      for (campaign, amount) in wanted.sorted(by: { $0.key < $1.key }) {
        ledger.want(campaign, amount, at: now)
      }
      requests.abandon(user: request.user, requestID: request.requestID)
      return .waits
    }
    let reserved = reserve(choice, request, at: now)
    let granted = reserved.placements
    guard !granted.isEmpty || !reserved.isFull else {
      requests.abandon(user: request.user, requestID: request.requestID)
      return .full
    }
    let fates = SlotFates(
      request: request, open: options, payable: payable, granted: granted,
      unpaid: reserved.unpaid, isFull: reserved.isFull)
    note(fates)
    let answer = request.encode(granted, fates.unfilledReason)
    ledger.outbox.append(
      .allocation(
        StoredAllocation(
          user: request.user, requestID: request.requestID, digest: request.digest,
          expires: expires, answer: answer)))
    requests.complete(user: request.user, requestID: request.requestID)
    count {
      $0.allocations += 1
      $0.placements += granted.count
    }
    return .placed(answer)
  }

  /// The options that the user's caps leave.
  private func open(_ request: AllocationRequest, at now: Int64) -> [SlotOption] {
    withUnsafeTemporaryAllocation(of: UInt32.self, capacity: CapRecord.wordsMost) { words in
      guard caps.copyScopes(of: request.user, into: words) > 0, let start = words.baseAddress else {
        return request.options
      }
      let record = CapRecord(words: start)
      let time = caps.clock.deciseconds(at: now)
      let open = request.options.filter { option in
        request.board.set.caps(option.campaign).allSatisfy { rule in
          guard let key = option.capKey(rule.scope) else { return true }
          return record.allows(requirement(rule, key: key), at: time)
        }
      }
      let capped = request.options.count - open.count
      count { $0.capped += capped }
      return open
    }
  }

  /// The options with what their campaigns can pay for. `short`: campaigns that may get more, but
  /// do not have it yet.
  private func affordable(
    _ options: [SlotOption], _ request: AllocationRequest, at now: Int64, _ short: inout Set<UInt64>
  ) -> [SlotOption] {
    var rooms: [Int32: Int32] = [:]
    var payable: [SlotOption] = []
    payable.reserveCapacity(options.count)
    for option in options {
      let room: Int32
      if let known = rooms[option.campaign] {
        room = known
      } else {
        room = self.room(option, request, at: now, &short)
        rooms[option.campaign] = room
      }
      guard room > 0 else { continue }
      var option = option
      option.affordable = room
      payable.append(option)
    }
    return payable
  }

  private func room(
    _ option: SlotOption, _ request: AllocationRequest, at now: Int64, _ short: inout Set<UInt64>
  ) -> Int32 {
    let cost = request.board.set.cost(option.campaign)
    let has = Int32(clamping: ledger.room(option.key, cost: cost, at: now))
    guard has < Int32(request.slots), request.rounds < Limits.leaseRounds else { return has }
    // Chosen as if it had more; asked for only if it is chosen.
    guard ledger.mayGet(option.key, at: now) else { return has }
    short.insert(option.key)
    return Int32.max
  }

  /// What the choice takes of campaigns that do not have it, by campaign.
  private func wanted(
    _ choice: SlotChoice, _ request: AllocationRequest, _ short: Set<UInt64>, at now: Int64
  ) -> [UInt64: Micros] {
    var chosen: [Int32: Int64] = [:]
    for placement in choice.placements where short.contains(placement.key) {
      chosen[placement.campaign, default: 0] += 1
    }
    var wanted: [UInt64: Micros] = [:]
    for (campaign, count) in chosen {
      let (key, cost) = (request.board.set.key(campaign), request.board.set.cost(campaign))
      let lacking = count - ledger.room(key, cost: cost, at: now)
      if lacking > 0 { wanted[key] = Micros(lacking * cost.value) }
    }
    return wanted
  }

  private struct Reserved {
    var placements: [GrantedPlacement] = []
    /// Campaigns that could not pay after all.
    var unpaid: Set<UInt64> = []
    /// As much is reserved as may be.
    var isFull = false
  }

  /// Reserves what was chosen.
  private func reserve(_ choice: SlotChoice, _ request: AllocationRequest, at now: Int64)
    -> Reserved
  {
    var reserved = Reserved()
    for chosen in choice.placements {
      let set = request.board.set
      let placement = Placement(
        user: request.user, campaign: chosen.key, amount: set.cost(chosen.campaign),
        item: request.item(chosen.row),
        artist: set.scopeNumber(.userArtist, row: chosen.row) ?? .min,
        release: set.scopeNumber(.userRelease, row: chosen.row) ?? .min)
      let uses = uses(of: placement)
      // Again, for what this answer has placed may count for one another's rules.
      let requirements = set.caps(chosen.campaign).compactMap { requirement($0, placement) }
      guard caps.checkAndReserve(user: request.user, requirements, uses, now: now) else {
        continue
      }
      switch ledger.reserve(placement, at: now) {
      case .reserved(let reservation):
        reserved.placements.append(grant(chosen, placement, reservation))
        let charge = request.board.price(chosen.campaign) * Double(placement.amount.value)
        expected[chosen.key, default: Expectation()].add(
          worth: max(chosen.gain + charge, 0), goals: chosen.calibrated)
      case .noBudget:
        caps.release(user: request.user, uses, reservedAt: now)
        reserved.unpaid.insert(chosen.key)
      case .full:
        caps.release(user: request.user, uses, reservedAt: now)
        reserved.isFull = true
      }
    }
    if !reserved.placements.isEmpty { presence.add(splitmix64(request.user)) }
    return reserved
  }

  private func grant(
    _ chosen: SlotChoice.Placement, _ placement: Placement, _ reservation: Reservation
  ) -> GrantedPlacement {
    let claims = PlacementClaims(
      reservation: reservation.id, lease: reservation.lease,
      userHash: splitmix64(placement.user), item: placement.item, campaign: placement.campaign,
      amount: placement.amount, expires: reservation.expires)
    return GrantedPlacement(
      choice: chosen, item: placement.item, reservation: reservation,
      token: PlacementToken.encode(claims, signer))
  }
}

extension SlotOption {
  /// What a cap of the option's campaign counts by; nil: the item has no such number.
  fileprivate func capKey(_ scope: CapScope) -> UInt64? {
    switch scope {
    case .userCampaign: key
    case .userArtist: artist.map { UInt64(bitPattern: $0) }
    case .userRelease: release.map { UInt64(bitPattern: $0) }
    }
  }
}
