package import Core

/// Which side of the holdout a request is on.
package enum HoldoutArm: UInt8, Sendable, BitwiseCopyable {
  /// Nothing is held out.
  case none = 0
  case treated = 1
  /// Never gets a boost.
  case control = 2

  /// As in `Provenance.arm`; empty: none.
  package var text: StaticString {
    switch self {
    case .none: ""
    case .treated: "holdout:treated"
    case .control: "holdout:control"
    }
  }
}

extension HoldoutRule {
  package static let buckets: UInt64 = 10_000

  /// What to take SHA-256 of for a user: the salt, 0x00, the id as 8 bytes, little-endian.
  package func message(user: UInt64) -> [UInt8] {
    var bytes = Array(salt.utf8)
    bytes.append(0)
    for shift in stride(from: UInt64(0), to: 64, by: 8) {
      bytes.append(UInt8(truncatingIfNeeded: user >> shift))
    }
    return bytes
  }

  /// The bucket, of 10,000, by the first eight bytes of that, little-endian.
  package static func bucket(digestStart: UInt64) -> Int { Int(digestStart % buckets) }

  /// The arm of a user; user 0 is anonymous, and control. `bucket` is not looked at then.
  package func arm(user: UInt64, bucket: Int) -> HoldoutArm {
    user == 0 || bucket < controlBuckets ? .control : .treated
  }
}

/// Who asks, where and when: what a request's eligibility depends on, looked up once. Valid as
/// long as its set.
// Unchecked: plain addresses into an immutable set.
package struct Audience: BitwiseCopyable, @unchecked Sendable {
  let marketBits: UnsafePointer<UInt64>
  let surfaceBits: UnsafePointer<UInt64>
  let tierBits: UnsafePointer<UInt64>
  /// Of those of the request's segments that some campaign names; at least one.
  var segmentBits: InlineArray<64, UnsafePointer<UInt64>>
  var segmentCount = 0

  package let timeUnixMilliseconds: Int64
  package let user: UInt64
  package let arm: HoldoutArm
  /// Of the surface.
  package let weight: Double
  /// At most the largest Float.
  package let cap: Double
  /// Micros of gain that a boost of 1 is worth.
  package let scale: Double
  /// The surface takes no boosts, whatever they gain.
  let isOff: Bool
}

extension CampaignSet {
  /// Nothing is allocated. nil: more than `Limits.requestSegments` segments.
  ///
  /// `bucket` is the user's in the holdout, and counts only where `policy.holdout` is set and
  /// the user is not 0.
  package func audience(
    market: ByteSlice, surface: ByteSlice, tier: ByteSlice,
    segments names: UnsafeBufferPointer<ByteSlice>, timeUnixMilliseconds: Int64, user: UInt64,
    bucket: Int
  ) -> Audience? {
    guard names.count <= Limits.requestSegments else { return nil }
    let boost = surfaceNames.index(of: surface).map { surfaceBoosts[$0] } ?? SurfaceBoost()
    let cap = min(boost.cap, Double(Float.greatestFiniteMagnitude))
    var audience = Audience(
      marketBits: markets.bits(market), surfaceBits: surfaces.bits(surface),
      tierBits: tiers.bits(tier), segmentBits: InlineArray(repeating: segments.openBits),
      timeUnixMilliseconds: min(Instants.clamped(timeUnixMilliseconds), Instants.last - 1),
      user: user, arm: policy.holdout?.arm(user: user, bucket: bucket) ?? .none,
      weight: boost.weight, cap: cap, scale: Double(policy.scaleMicros),
      isOff: !(boost.weight > 0) || !(Float(cap) > 0))
    for name in names {
      guard let bits = segments.knownBits(name) else { continue }
      audience.segmentBits[audience.segmentCount] = bits
      audience.segmentCount += 1
    }
    // Of a request without any the first row stands: the campaigns that are for all.
    audience.segmentCount = max(audience.segmentCount, 1)
    return audience
  }
}

extension Audience {
  /// Why an eligible campaign's boost is what it is. `free`: what its gain would be without a price;
  /// `isOff`: of the audience.
  @inline(__always)
  static func reason(_ boost: Float, gain: Double, free: Double, isOff: Bool) -> BoostReason {
    if boost > 0 { return .ok }
    if isOff { return .surfaceOff }
    return !(gain > 0) && free > 0 ? .paced : .worthless
  }

  /// A gain as slots see it: what has no boost is not placed.
  func placed(gain: Double) -> Double { boost(gain: gain) > 0 ? gain : 0 }

  /// The boost of a gain on this surface, rounded once.
  package func boost(gain: Double) -> Float {
    BoostTerms.boost(gain: gain, weight: weight, scale: scale, cap: cap)
  }
}
