import Testing

@testable import Report

@Suite struct AxisTests {
  @Test(arguments: [(1, 0.2), (0.9, 0.2), (7, 2), (300, 100), (0.003, 0.001), (26, 10)])
  func stepsAreOneTwoFive(_ span: Double, _ step: Double) {
    #expect(abs(Ticks.step(span: span, count: 5) - step) < step * 1e-9)
  }

  @Test func linearTicksLieWithin() {
    #expect(Ticks.linear(0, 100, count: 5) == [0, 20, 40, 60, 80, 100])
    #expect(Ticks.linear(-3, 25, count: 9) == [0, 5, 10, 15, 20, 25])
    #expect(Ticks.linear(0, .infinity, count: 5) == [])
  }

  @Test func logarithmicTicksAreThinnedOut() {
    #expect(Ticks.logarithmic(0.5, 20, count: 9) == [0.5, 1, 2, 5, 10, 20])
    #expect(Ticks.logarithmic(0.5, 2_000, count: 6) == [1, 10, 100, 1_000])
    #expect(Ticks.logarithmic(1e-3, 1e6, count: 5).count <= 5)
    #expect(Ticks.logarithmic(0, 1, count: 5) == [])
  }

  @Test func roundingToTheSeries() {
    #expect(Ticks.floor125(0.73) == 0.5 && Ticks.ceiling125(0.73) == 1)
    #expect(Ticks.floor125(20) == 20 && Ticks.ceiling125(20) == 20)
    #expect(Ticks.ceiling125(51) == 100)
  }

  @Test func placesOfALinearAxis() {
    let axis = Axis.upTo(270) { Units.number($0) }
    #expect(axis.ticks.map(\.label) == ["0", "100", "200", "300"])
    #expect(axis.position(0) == 0 && axis.position(150) == 0.5 && axis.position(300) == 1)
    // What does not fit lies on the edge, and what is no number at the start.
    #expect(axis.position(900) == 1 && axis.position(-1) == 0 && axis.position(.nan) == 0)
  }

  /// Equal factors are equal distances.
  @Test func timesBecomeLogarithmicWhenTheLongestWouldHideTheOthers() {
    #expect(Axis.times([3, 12, 20]).kind == .linear)
    let axis = Axis.times([0.7, 12, 90])
    #expect(axis.kind == .logarithmic)
    #expect(axis.ticks.first?.label == "500 µs" && axis.ticks.last?.label == "100 ms")
    let step = axis.position(10) - axis.position(1)
    #expect(abs(axis.position(100) - axis.position(10) - step) < 1e-12)
    #expect(Axis.times([]).kind == .linear)
  }

  @Test func ninesAreEquallyFarApart() {
    let axis = Axis.nines(finest: 0.99999)
    let places = [0.9, 0.99, 0.999, 0.9999].map(axis.position)
    let gaps = zip(places, places.dropFirst()).map { $1 - $0 }
    for gap in gaps { #expect(abs(gap - gaps[0]) < 1e-9) }
    #expect(axis.position(0) == 0 && axis.position(1) == 1 && axis.position(0.99999) < 1)
    #expect(axis.ticks.map(\.label).contains("99.99") && axis.ticks.last?.label == "max")
    let values = axis.ticks.map(\.value)
    #expect(values == values.sorted())
  }

  @Test func categoriesKeepTheLastLabel() {
    let axis = Axis.categories((1...40).map { "\($0)" })
    #expect(axis.ticks.count == 40 && axis.ticks.last?.label == "40")
    #expect(axis.ticks.filter { !$0.label.isEmpty }.count <= 12)
    #expect(axis.position(40) == 1 && axis.position(20) == 0.5)
  }
}
