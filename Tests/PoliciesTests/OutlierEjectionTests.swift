import Testing

@testable import Policies

/// Driven by hand; times in seconds.
final class Ejections {
  private var ejection: OutlierEjection

  init(_ count: Int, _ change: (inout OutlierEjection.Configuration) -> Void = { _ in }) {
    var configuration = OutlierEjection.Configuration()
    change(&configuration)
    ejection = OutlierEjection(endpointCount: count, configuration: configuration)
  }

  var ejectedCount: Int { ejection.ejectedCount }

  func usable(at seconds: UInt64, of count: Int) -> [Int] {
    (0..<count).filter { ejection.isUsable($0, now: seconds * 1_000_000_000) }
  }

  func until(_ index: Int) -> UInt64? { ejection.ejectedUntil(index).map { $0 / 1_000_000_000 } }

  func started(_ index: Int, at seconds: UInt64) -> Bool {
    ejection.started(index, now: seconds * 1_000_000_000)
  }

  func ended(
    _ index: Int, _ outcome: OutlierEjection.Outcome, probe: Bool = false, at seconds: UInt64
  ) -> Bool {
    ejection.ended(index, outcome, isProbe: probe, now: seconds * 1_000_000_000)
  }

  /// Whether the last of so many failures ejected it.
  func fails(_ index: Int, times: Int = 5, at seconds: UInt64) -> Bool {
    for _ in 1..<times where ended(index, .failure, at: seconds) { return false }
    return ended(index, .failure, at: seconds)
  }

  /// The time is over, one call probes it.
  func probe(_ index: Int, _ outcome: OutlierEjection.Outcome, at seconds: UInt64) -> Bool {
    started(index, at: seconds) && ended(index, outcome, probe: true, at: seconds)
  }

  func replace(_ previous: [Int?], at seconds: UInt64) {
    ejection.replaceEndpoints(previous, now: seconds * 1_000_000_000)
  }
}

@Suite struct OutlierEjectionTests {
  @Test func fiveFailuresInARowEject() {
    let four = Ejections(4)
    #expect(!four.fails(0, times: 4, at: 1))
    #expect(four.usable(at: 1, of: 4) == [0, 1, 2, 3] && four.ejectedCount == 0)
    #expect(four.ended(0, .failure, at: 1))
    #expect(four.usable(at: 1, of: 4) == [1, 2, 3] && four.ejectedCount == 1)
    #expect(four.until(0) == 31 && four.until(1) == nil)
  }

  @Test func aSuccessBreaksTheRowAndSilenceDoesNot() {
    let broken = Ejections(4)
    _ = broken.fails(0, times: 4, at: 1)
    #expect(!broken.ended(0, .success, at: 1))
    #expect(!broken.fails(0, times: 4, at: 1))
    #expect(!broken.ended(0, .unknown, at: 1))
    #expect(broken.ended(0, .failure, at: 1))
  }

  /// 7 of 50 are 14 %; 8 are more than 15 %.
  @Test(arguments: [(7, 50, true), (8, 50, false), (7, 49, false), (3, 20, false)])
  func aLowShareOfSuccessesEjects(successes: Int, requests: Int, isEjected: Bool) {
    let two = Ejections(2) { $0.consecutiveFailures = 1_000 }
    for _ in 0..<successes { _ = two.ended(1, .success, at: 9) }
    #expect(!two.fails(1, times: requests - successes - 1, at: 9))
    #expect(two.ended(1, .failure, at: 9) == isEjected)
  }

  /// The share at its bound is enough.
  @Test func theBoundOfTheShare() {
    let two = Ejections(2) {
      $0.consecutiveFailures = 1_000
      $0.successShareLeast = 0.5
      $0.requestsLeast = 4
    }
    for _ in 0..<2 { _ = two.ended(1, .success, at: 0) }
    #expect(!two.fails(1, times: 2, at: 0))
    #expect(two.fails(1, times: 1, at: 0))
  }

  @Test func anIntervalForgetsTheOneBefore() {
    for (later, isEjected) in [(UInt64(14), true), (15, false)] {
      let two = Ejections(2) {
        $0.consecutiveFailures = 1_000
        $0.requestsLeast = 10
      }
      // The interval begins with the first call behind the end of the last.
      _ = two.ended(1, .success, at: 5)
      _ = two.ended(1, .unknown, at: 5)
      #expect(!two.fails(1, times: 8, at: 5))
      #expect(two.ended(1, .failure, at: later) == isEjected)
      if !isEjected {
        // This one was the new interval's first.
        #expect(!two.fails(1, times: 8, at: 15))
        #expect(two.ended(1, .failure, at: 15))
      }
    }
  }

  @Test func oneCallProbesWhenTheTimeIsOver() {
    let three = Ejections(3)
    #expect(three.fails(2, at: 0))
    #expect(three.usable(at: 29, of: 3) == [0, 1] && !three.started(2, at: 29))
    #expect(three.usable(at: 30, of: 3) == [0, 1, 2])
    #expect(three.started(2, at: 30))
    #expect(three.usable(at: 31, of: 3) == [0, 1] && three.until(2) == nil)
    #expect(!three.started(2, at: 31))
    // What calls from before say is not the probe's answer.
    #expect(!three.ended(2, .success, at: 32) && three.usable(at: 32, of: 3) == [0, 1])
    #expect(three.ejectedCount == 1)
    #expect(three.ended(2, .success, probe: true, at: 33))
    #expect(three.usable(at: 33, of: 3) == [0, 1, 2] && three.ejectedCount == 0)
    #expect(!three.started(2, at: 33))
  }

  @Test func callsFromBeforeAreNotHeard() {
    let two = Ejections(2)
    #expect(two.fails(0, at: 0))
    for probe in [false, true] {
      #expect(!two.ended(0, .success, probe: probe, at: 1) && !two.ended(0, .failure, at: 1))
    }
    #expect(two.until(0) == 30)
    // Nor do they count when it is back.
    #expect(two.probe(0, .success, at: 30))
    #expect(!two.fails(0, times: 4, at: 31) && two.ended(0, .failure, at: 31))
  }

  @Test func aProbeThatSaysNothingLeavesItsPlace() {
    let two = Ejections(2)
    #expect(two.fails(0, at: 0) && two.probe(0, .unknown, at: 40))
    #expect(two.usable(at: 40, of: 2) == [0, 1] && two.ejectedCount == 1)
    #expect(two.started(0, at: 40))
  }

  @Test func eachEjectionIsLongerUpToTheMax() {
    let two = Ejections(2)
    var now: UInt64 = 0
    #expect(two.fails(0, at: now))
    for times in 1...12 as ClosedRange<UInt64> {
      let length = min(30 * times, 300)
      #expect(two.until(0) == now + length)
      now += length
      #expect(two.started(0, at: now))
      #expect(!two.ended(0, .failure, probe: true, at: now))
      #expect(two.ejectedCount == 1)
    }
  }

  @Test func eachIntervalOfHealthTakesOneBack() {
    for (health, length) in [(UInt64(0), UInt64(90)), (9, 90), (10, 60), (20, 30), (500, 30)] {
      let two = Ejections(2)
      #expect(two.fails(0, at: 0))
      _ = two.probe(0, .failure, at: 30)
      #expect(two.until(0) == 90 && two.probe(0, .success, at: 90))
      #expect(two.fails(0, at: 90 + health))
      #expect(two.until(0) == 90 + health + length)
    }
  }

  @Test func atMostHalfAreEjected() {
    for (count, most) in [(1, 0), (2, 1), (3, 1), (4, 2), (5, 2)] {
      let some = Ejections(count)
      #expect((0..<count).filter { some.fails($0, at: 0) } == Array(0..<most))
      #expect(some.ejectedCount == most)
    }
    let share = Ejections(4) { $0.ejectedShareMax = 1 }
    #expect((0..<4).count { share.fails($0, at: 0) } == 3)
    let none = Ejections(4) { $0.ejectedShareMax = 0 }
    #expect(!none.fails(0, times: 100, at: 0))
  }

  /// Its failures are not forgotten: the next one ejects it, when there is room.
  @Test func oneThatWasSparedGoesNext() {
    let two = Ejections(2)
    #expect(two.fails(0, at: 0) && !two.fails(1, at: 0))
    #expect(two.probe(0, .success, at: 30))
    #expect(two.ended(1, .failure, at: 31))
  }

  @Test func aNewListKeepsWhatIsKnown() {
    let four = Ejections(4)
    #expect(four.fails(1, at: 0) && four.fails(3, at: 1))
    _ = four.fails(2, times: 4, at: 2)
    four.replace([3, nil, 2, 1, nil], at: 3)
    #expect(four.usable(at: 3, of: 5) == [1, 2, 4] && four.ejectedCount == 2)
    #expect(four.until(0) == 31 && four.until(3) == 30)
    // Its four failures too, but there is no room; with another endpoint there is.
    #expect(!four.ended(2, .failure, at: 3))
    four.replace([0, 1, 2, 3, 4, nil], at: 3)
    #expect(four.ended(2, .failure, at: 3))
  }

  /// The healthy ones left: who was due first comes back, with its history.
  @Test func aNewListIsNeverAllEjected() {
    let six = Ejections(6)
    #expect(six.fails(0, at: 0) && six.fails(1, at: 5) && six.fails(2, at: 3))
    six.replace([1, 2, 0], at: 10)
    #expect(six.usable(at: 10, of: 3) == [1, 2] && six.ejectedCount == 1)
    #expect(six.until(0) == 35)
    six.replace([0], at: 11)
    #expect(six.usable(at: 11, of: 1) == [0] && six.ejectedCount == 0)
    six.replace([0, nil], at: 12)
    // A whole row of failures again, and the second ejection.
    #expect(!six.fails(0, times: 4, at: 12) && six.ended(0, .failure, at: 12))
    #expect(six.until(0) == 72)
    six.replace([], at: 13)
    #expect(six.ejectedCount == 0)
  }

  /// The one being probed was due before those that wait.
  @Test func aProbedOneReturnsFirst() {
    let four = Ejections(4)
    #expect(four.fails(0, at: 0) && four.fails(1, at: 1))
    #expect(four.started(1, at: 31))
    four.replace([0, 1], at: 31)
    #expect(four.until(0) == 30 && four.ejectedCount == 1)
    #expect(!four.started(1, at: 31))
  }
}
