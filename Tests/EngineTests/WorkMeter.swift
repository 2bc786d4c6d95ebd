import Core

@testable import Engine

/// A clock that goes by the work that a call has done, read off what it has written: so much for a
/// candidate looked up, so much for a tree walked. It says at each look what was done until then.
final class WorkMeter: @unchecked Sendable {
  // Unchecked: one test, one thread.
  var nanosecondsPerTree = 0.0
  var nanosecondsPerCandidate = 0.0
  /// What is added before each look: what else a machine does.
  var pauseNanoseconds: UInt64 = 0
  /// Called at each look, with its number from 1 on.
  var atLook: (Int) -> Void = { _ in }
  private(set) var looks = 0
  private var idle: UInt64 = 1_000_000_000
  private var call: UnsafeMutablePointer<ScoreCall>?
  private var candidatesSeen = 0
  private var treesSeen = 0
  /// By look of the call that is watched.
  private(set) var trace: [(now: UInt64, trees: Int, candidates: Int)] = []

  private static let empty: UInt64 = 0x7FF8_DEAD_BEEF_0001

  func clock() -> Clock {
    Clock(
      monotonicNanoseconds: {
        self.looks += 1
        self.idle += self.pauseNanoseconds
        self.atLook(self.looks)
        let now = self.now
        if self.call != nil { self.trace.append((now, self.treesSeen, self.candidatesSeen)) }
        return now
      },
      unixMilliseconds: { 0 })
  }

  var now: UInt64 {
    count()
    return idle + UInt64(Double(treesSeen) * nanosecondsPerTree)
      + UInt64(Double(candidatesSeen) * nanosecondsPerCandidate)
  }

  /// Watches a call that has been cut, until the next one.
  func watch(_ call: UnsafeMutablePointer<ScoreCall>) {
    looks = 0
    trace = []
    for index in 0..<call.pointee.sliceCount {
      guard let slice = call.pointee.slices?[index], let sums = slice.sums else { continue }
      for cell in 0..<slice.count * call.pointee.targetLevel {
        sums[cell] = Double(bitPattern: WorkMeter.empty)
      }
    }
    self.call = call
  }

  /// The call has ended; its time stays. Answers that are written anew cost nothing here.
  /// Answers how many trees were walked; none if it was refused before it was cut.
  @discardableResult func rest() -> Int {
    defer { (call, candidatesSeen, treesSeen) = (nil, 0, 0) }
    guard call != nil, let last = trace.last else { return 0 }
    idle = last.now
    return last.trees
  }

  private func count() {
    guard let call, let plan = call.pointee.plan else { return }
    let levels = plan.blueprint.takeUnretainedValue().levels
    var (trees, candidates) = (0, 0)
    for index in 0..<call.pointee.sliceCount {
      guard let slice = call.pointee.slices?[index] else { continue }
      candidates += slice.resolved
      guard let sums = slice.sums else {
        trees += (slice.resolved - slice.unknown) * levels.treeCount(call.pointee.targetLevel)
        continue
      }
      for level in 1...max(call.pointee.targetLevel, 1) {
        let done = (0..<slice.count).count {
          sums[slice.count * (level - 1) + $0].bitPattern != WorkMeter.empty
        }
        trees += done * (levels.treeCount(level) - levels.treeCount(level - 1))
      }
    }
    (candidatesSeen, treesSeen) = (candidates, trees)
  }
}
