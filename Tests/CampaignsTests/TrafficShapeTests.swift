import Campaigns
import Core
import Testing

@Suite struct TrafficShapeTests {
  private let epoch = SimulatedTraffic.epoch
  private let day = SimulatedTraffic.day
  private let quarter = TrafficShape.slotMilliseconds

  @Test func progressRisesWithDemandAndByOneADay() throws {
    var demand = Array(repeating: 1.0, count: 96)
    demand[10] = 25
    let shape = try #require(TrafficShape(demand: demand))
    let base = shape.progress(at: epoch)
    #expect(base == 20_423)
    #expect(abs(shape.progress(at: epoch + 10 * quarter) - base - 10.0 / 120) < 1e-9)
    #expect(abs(shape.progress(at: epoch + 10 * quarter + quarter / 2) - base - 22.5 / 120) < 1e-9)
    #expect(abs(shape.progress(at: epoch + day) - base - 1) < 1e-9)
    #expect(shape.progress(at: -1) < 0 && shape.progress(at: -1) > -1e-6)
    var last = -1.0
    for minute in 0..<3_000 {
      let progress = shape.progress(at: Int64(minute) * 60_000)
      #expect(progress > last)
      last = progress
    }
  }

  @Test func noQuarterHourIsWithoutAPlan() throws {
    var demand = Array(repeating: 0.0, count: 96)
    demand[40] = 96
    let shape = try #require(TrafficShape(demand: demand))
    let least = try #require(shape.weights.min())
    #expect(least * 96 > 0.008)
    #expect(abs(shape.weights.reduce(0, +) - 1) < 1e-12)
    #expect(TrafficShape(demand: Array(repeating: 0, count: 96)) == nil)
    #expect(TrafficShape(demand: [1, 2, 3]) == nil)
    #expect(TrafficShape(demand: Array(repeating: .infinity, count: 96)) == nil)
    #expect(TrafficShape(demand: Array(repeating: -1, count: 96)) == nil)
    #expect(TrafficShape(demand: Array(repeating: .greatestFiniteMagnitude, count: 96)) == nil)
  }

  @Test func aDayBecomesTheNextDaysShape() {
    var recorder = TrafficRecorder()
    #expect(recorder.shape == .even)
    // From noon on, the evening with twice as many.
    for minute in Int64(720)..<1_440 {
      let isNew = recorder.record(
        requests: minute < 1_080 ? 10 : 20, now: epoch + minute * 60_000,
        elapsedMilliseconds: 60_000)
      #expect(!isNew)
    }
    #expect(recorder.shape == .even)
    let isNew = recorder.record(requests: 1, now: epoch + day, elapsedMilliseconds: 1_000)
    #expect(isNew)
    let weights = recorder.shape.weights
    // What was not watched is as the mean of what was.
    #expect(abs(weights[80] / weights[60] - 2) < 1e-9)
    #expect(abs(weights[3] / weights[60] - 1.5) < 1e-9)
  }

  @Test func aDayWithoutDemandChangesNoShape() {
    var recorder = TrafficRecorder()
    for minute in Int64(0)..<1_440 {
      _ = recorder.record(requests: 0, now: epoch + minute * 60_000, elapsedMilliseconds: 60_000)
    }
    let isNew = recorder.record(requests: 5, now: epoch + day, elapsedMilliseconds: 60_000)
    #expect(!isNew)
    #expect(recorder.shape == .even)
  }

  @Test func aRecorderComesBackFromItsBytes() {
    var recorder = TrafficRecorder()
    #expect(TrafficRecorder(decoding: recorder.encoded) == recorder)
    for minute in Int64(0)..<2_000 {
      _ = recorder.record(
        requests: Int(minute % 17), now: epoch + minute * 60_000, elapsedMilliseconds: 60_000)
    }
    let bytes = recorder.encoded
    #expect(TrafficRecorder(decoding: bytes) == recorder)
    #expect(TrafficRecorder(decoding: []) == nil)
    #expect(TrafficRecorder(decoding: bytes.dropLast()) == nil)
    for index in [0, 23, 2 * 8 + 7, 100 * 8 + 7] {
      var broken = bytes
      broken[index] = 0xFF
      #expect(TrafficRecorder(decoding: broken) == nil || index == 23)
    }
  }

  @Test func aPlanFollowsTheShapeAndANewOneFromItsDayOn() throws {
    let evening = try #require(TrafficShape(demand: (0..<96).map { $0 < 48 ? 1 : 3 }))
    let plan = SpendPlan(
      flight: epoch..<epoch + 2 * day, budget: Micros(8_000), mode: .traffic, shape: evening)
    #expect(plan.planned(at: epoch - 1, shape: evening) == 0)
    #expect(abs(plan.planned(at: epoch + day / 2, shape: evening) - 1_000) < 1e-6)
    #expect(abs(plan.planned(at: epoch + day, shape: evening) - 4_000) < 1e-6)
    #expect(plan.planned(at: epoch + 2 * day, shape: evening) == 8_000)
    let next = plan.reshaped(.even, previous: evening, now: epoch + day)
    #expect(abs(next.planned(at: epoch + day, shape: .even) - 4_000) < 1e-6)
    #expect(abs(next.planned(at: epoch + day + day / 2, shape: .even) - 6_000) < 1e-6)
    let even = SpendPlan(
      flight: epoch..<epoch + 2 * day, budget: Micros(8_000), mode: .even, shape: evening)
    #expect(abs(even.planned(at: epoch + day / 2, shape: evening) - 2_000) < 1e-6)
    let asap = SpendPlan(
      flight: epoch..<epoch + 2 * day, budget: Micros(8_000), mode: .asap, shape: evening)
    #expect(asap.planned(at: epoch, shape: evening) == 8_000)
  }
}
