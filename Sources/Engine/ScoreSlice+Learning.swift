/// What a slice teaches of its model's cost.
extension ScoreSlicePointer {
  /// A slice has come to its target, and passed each level after so many nanoseconds.
  func learn(_ blueprint: Blueprint, _ target: Int, _ passed: InlineArray<5, UInt64>) {
    let (count, unknown) = (pointee.count, pointee.unknown)
    learn(blueprint, target, candidates: count, unknown: unknown, passed[target])
    guard target == blueprint.levels.full, count - unknown >= max(16, unknown) else { return }
    for level in 1..<target {
      blueprint.cost.learnShare(level: level, part: passed[level], whole: passed[target])
    }
  }

  /// Unknown items cost next to nothing: a batch of them says nothing of the model.
  func learn(
    _ blueprint: Blueprint, _ level: Int, candidates: Int, unknown: Int, _ nanoseconds: UInt64
  ) {
    let known = candidates - unknown
    guard known >= unknown else { return }
    blueprint.cost.learn(level: level, candidates: known, nanoseconds: nanoseconds)
  }

  /// The first `done` candidates had come to a level, all of them to the one before it. Estimates
  /// that are too low would never be put right if only work that ends in time taught them.
  func learnUnfinished(
    _ blueprint: Blueprint, _ level: Int, _ done: Int, _ elapsed: UInt64, _ before: UInt64
  ) {
    let part = Double(done) / Double(pointee.count)
    let nanoseconds = elapsed - before + UInt64(Double(before) * part)
    let unknown = level == 1 ? pointee.unknown : Int(Double(pointee.unknown) * part)
    learn(blueprint, level, candidates: done, unknown: unknown, nanoseconds)
  }
}
