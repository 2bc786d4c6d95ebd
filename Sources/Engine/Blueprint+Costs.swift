extension Blueprint {
  /// What one candidate costs now, nanoseconds, by level: `prior`, then the prefixes that there
  /// are, `eighth`, `quarter` and `half`, then `full`. From any thread.
  package var learnedCosts: [(level: String, nanoseconds: Double)] {
    let total = levels.treeCount(levels.full)
    return (Levels.prior...levels.full).map { level in
      let name =
        switch level {
        case Levels.prior: "prior"
        case levels.full: "full"
        default:
          switch total / levels.treeCount(level) {
          case ...3: "half"
          case 4...7: "quarter"
          default: "eighth"
          }
        }
      return (name, Double(cost.picoseconds(level)) / 1_000)
    }
  }
}
