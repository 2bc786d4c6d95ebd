internal import Core
internal import Ledger

/// The machine's clocks: the time since boot goes on, now and then by a leap (it slept); the wall
/// clock goes its own way.
struct SimulatedClocks {
  private(set) var boot: Int64 = 5_000
  private(set) var unix: Int64 = 1_775_000_000_000
  private var bootID: RequestID

  init(_ seed: UInt64) { bootID = RequestID(high: seed, low: 1) }

  var reading: LedgerClock.Reading {
    LedgerClock.Reading(bootMilliseconds: boot, bootID: bootID, unixMilliseconds: unix)
  }

  mutating func advance(_ random: inout SplitMix64) {
    let draw = random.next()
    pass(Int64(draw & 1))
    guard draw >> 1 & 0xFF == 0 else { return }
    switch random.below(16) {
    case 0..<9: pass(Int64(random.below(8_000)))
    case 9..<13: pass(Int64(random.below(90_000)))
    case 13: pass(Int64(random.below(900_000)))
    default: unix += Int64(random.below(7_200_000)) - 3_600_000
    }
  }

  mutating func pass(_ milliseconds: Int64) {
    boot += milliseconds
    unix += milliseconds
  }

  /// Whether it is another boot.
  mutating func restart(afterPowerLoss: Bool, _ random: inout SplitMix64) -> Bool {
    let off = Int64(random.below(random.isOne(in: 8) ? 900_000 : 4_000))
    guard afterPowerLoss, random.isOne(in: 2) else {
      pass(off)
      return false
    }
    unix += off
    boot = Int64(random.below(50_000))
    bootID.low += 1
    if random.isOne(in: 4) { unix += Int64(random.below(14_400_000)) - 7_200_000 }
    return true
  }
}
