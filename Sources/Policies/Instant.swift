/// Instants and spans are monotonic nanoseconds. What does not fit is the distant future, and what
/// is not over yet has taken no time.
extension UInt64 {
  func adding(nanoseconds: UInt64) -> UInt64 {
    let (sum, overflow) = addingReportingOverflow(nanoseconds)
    return overflow ? .max : sum
  }

  /// From an instant to this one; 0 if that is later, as when another thread read the clock.
  func elapsed(since instant: UInt64) -> UInt64 {
    self > instant ? self - instant : 0
  }
}
