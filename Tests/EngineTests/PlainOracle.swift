import Core
import Models

/// `dot` of `formats.md`, word for word: lane j of 16 sums the products of elements j, j+16, … in
/// order, the tail padded with +0; then lanes fold 8, 4, 2, 1.
func slowDot(_ user: [Float], _ item: [Float]) -> Float {
  var padded = zip(user, item).map { $0 * $1 }
  while !padded.count.isMultiple(of: 16) { padded.append(0) }
  var lanes = [Float](repeating: 0, count: 16)
  for (index, product) in padded.enumerated() {
    let sum = lanes[index % 16] + product
    lanes[index % 16] = sum
  }
  for width in [8, 4, 2, 1] {
    for lane in 0..<width { lanes[lane] += lanes[lane + width] }
  }
  return lanes[0]
}

/// Same bits, or both NaN: what the payload of a NaN is means nothing to anybody.
func sameBits(_ first: Float, _ second: Float) -> Bool {
  first.bitPattern == second.bitPattern || (first.isNaN && second.isNaN)
}

func sameBits(_ first: Double, _ second: Double) -> Bool {
  first.bitPattern == second.bitPattern || (first.isNaN && second.isNaN)
}

extension PlainWorld {
  /// The row of the model for one candidate; nil for an unknown item.
  func row(_ request: PlainRequest, position: Int, hasUsers: Bool = true) -> [Double]? {
    guard let item = itemRow(request, position) else { return nil }
    let user = hasUsers ? userRow(request) : nil
    return PlainWorld.features.map { value($0.1, request, position, item, user, hasUsers) }
  }

  func itemRow(_ request: PlainRequest, _ position: Int) -> Int? {
    if request.itemURIs.isEmpty { return itemIDs.firstIndex(of: request.itemIDs[position]) }
    let uri = request.itemURIs[position]
    return (0..<PlainWorld.itemCount).first { PlainWorld.itemURI($0) == uri }
  }

  private func userRow(_ request: PlainRequest) -> Int? {
    if !request.userURI.isEmpty {
      return (0..<PlainWorld.userCount).first { PlainWorld.userURI($0) == request.userURI }
    }
    return userIDs.firstIndex(of: request.userID)
  }

  private func value(
    _ source: String, _ request: PlainRequest, _ position: Int, _ item: Int, _ user: Int?,
    _ hasUsers: Bool
  ) -> Double {
    func inner(_ source: Substring) -> Double {
      value(String(source), request, position, item, user, hasUsers)
    }
    let parts = source.split(separator: "(")
    if parts.count == 3 || source.hasPrefix("equal") {
      let pair = source.dropFirst("equal(".count).dropLast().split(separator: ",")
      let (first, second) = (inner(pair[0]), inner(pair[1].drop { $0 == " " }))
      if first.isNaN || second.isNaN { return .nan }
      return first == second ? 1 : 0
    }
    if source.hasPrefix("constant(") { return Double(parts[1].dropLast()) ?? .nan }
    if source.hasPrefix("dot(user.") {
      let name = String(source.dropFirst("dot(user.".count).prefix { $0 != "," })
      return Double(dot(name, request, item, user))
    }
    let dotted = source.split(separator: ".").map(String.init)
    switch dotted[0] {
    case "item": return itemColumns[dotted[1]]?[item] ?? .nan
    case "user":
      if let override = request.userColumns.last(where: { $0.0 == dotted[1] }) {
        return Double(override.1[0])
      }
      return user.flatMap { userColumns[dotted[1]]?[$0] } ?? .nan
    case "request":
      return request.candidateColumns.last { $0.0 == dotted[1] }.map { Double($0.1[position]) }
        ?? .nan
    default: return context(dotted[1], request)
    }
  }

  private func dot(_ name: String, _ request: PlainRequest, _ item: Int, _ user: Int?) -> Float {
    let override = request.userColumns.last { $0.0 == name }?.1
    guard let vector = override ?? user.flatMap({ userVectors[name]?[$0] }),
      let other = itemVectors[name]?[item]
    else { return 0 }
    guard name == "mood", let user else { return slowDot(vector, other) }
    let sum = zip(vector, other).reduce(0) { $0 + Int($1.0) * Int($1.1) }
    return Float(sum) * userScales[user] * itemScales[item]
  }

  private func context(_ field: String, _ request: PlainRequest) -> Double {
    func level(_ names: [String], _ name: String) -> Double {
      names.firstIndex(of: name).map { Double($0) } ?? .nan
    }
    // Counted from Monday, 29 December 1969, so far back that nothing is negative.
    let weeks: Int64 = 2_000_000
    let minutes =
      Int64((Double(request.timeUnixMilliseconds) / 60_000).rounded(.down))
      + Int64(request.utcOffsetMinutes) + (3 + 7 * weeks) * 1_440
    switch field {
    case "market": return level(PlainWorld.market, request.market)
    case "surface": return level(PlainWorld.surface, request.surface)
    case "tier": return level(PlainWorld.tier, request.tier)
    case "hour": return Double(minutes / 60 % 24)
    default: return Double(minutes / 1_440 % 7)
    }
  }

  /// What a request's answer must be, raw sums by the model's own walk.
  func answer(_ request: PlainRequest, _ forest: Forest, hasUsers: Bool = true) -> Answer {
    var answer = Answer(scores: [], raw: [], fidelities: [], reasons: [], unknown: 0)
    for position in 0..<request.count {
      let row = row(request, position: position, hasUsers: hasUsers)
      let raw = row.map { row in
        row.withUnsafeBufferPointer { forest.rawScore($0.baseAddress!) }
      }
      answer.raw.append((raw ?? .nan).bitPattern)
      answer.scores.append(Float(raw ?? 0).bitPattern)
      answer.fidelities.append(raw == nil ? 1 : 4)
      answer.reasons.append(raw == nil ? 2 : 1)
      answer.unknown += raw == nil ? 1 : 0
    }
    return answer
  }
}

func forest(_ text: String) throws -> Forest {
  try Array(text.utf8).withUnsafeBytes { try LightGBM.parse($0) }
}
