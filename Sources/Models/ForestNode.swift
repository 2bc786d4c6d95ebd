/// One test of a tree, 24 bytes, so that a cache line holds almost three.
struct ForestNode: BitwiseCopyable {
  /// Left iff value ≤ threshold; unused by a categorical test.
  var threshold: Double
  /// An inner node ≥ 0 of the same forest, or the complement of a leaf's number in it.
  var left: Int32
  var right: Int32
  /// The categories that go left, unused by a numerical test.
  var categories: Int32
  /// `Limits.features` fits.
  var feature: UInt16
  var flags: Flags

  /// `decision_type` as LightGBM writes it, so that nothing is lost in translation.
  struct Flags: OptionSet, BitwiseCopyable {
    var rawValue: UInt8
    static let categorical = Flags(rawValue: 1)
    static let missingGoesLeft = Flags(rawValue: 2)
    static let zeroIsMissing = Flags(rawValue: 4)
    static let nanIsMissing = Flags(rawValue: 8)
  }

  /// Values up to here in magnitude are zero: LightGBM's `kZeroThreshold`, a float32 constant
  /// that it compares with as a double.
  static let zeroBand = Double(1e-35 as Float)

  /// Where a row goes from here: `NumericalDecision` and `CategoricalDecision` of LightGBM 4,
  /// after its dense predictor's own rounding of tiny values to zero.
  @inline(__always)
  func child(
    _ row: UnsafePointer<Double>, _ sets: UnsafePointer<CategorySet>,
    _ words: UnsafePointer<UInt32>
  ) -> Int32 {
    var value = row[Int(feature)]
    if value.magnitude <= Self.zeroBand { value = 0 }
    if flags.contains(.categorical) {
      return sets[Int(categories)].contains(value, words) ? left : right
    }
    var missing = false
    if value.isNaN {
      missing = flags.contains(.nanIsMissing)
      value = 0
    }
    // A NaN where only zero is missing has become a zero by now, and is missing with it.
    if missing || (value == 0 && flags.contains(.zeroIsMissing)) {
      return flags.contains(.missingGoesLeft) ? left : right
    }
    return value <= threshold ? left : right
  }
}

/// A set of categories as a slice of the forest's bit words: category c is bit c mod 32 of word
/// c div 32.
struct CategorySet: BitwiseCopyable {
  var firstWord: Int32
  var wordCount: Int32

  /// Truncation is toward zero and comes before the sign counts, so −0.5 is category 0. NaN, the
  /// infinities and what no Int32 holds are in no set.
  @inline(__always)
  func contains(_ value: Double, _ words: UnsafePointer<UInt32>) -> Bool {
    guard value > -1, value < 0x1p31 else { return false }
    let category = UInt32(value.magnitude)
    let word = Int(category >> 5)
    guard word < Int(wordCount) else { return false }
    return words[Int(firstWord) + word] >> (category & 31) & 1 != 0
  }
}
