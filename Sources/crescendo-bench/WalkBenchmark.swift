import Core
import Foundation
import Models
import Syscalls

/// The plain walker on rows of float64, one thread.
enum WalkBenchmark {
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  /// `rows`: float64, row after row, little-endian. Prints one line of JSON: nanoseconds per row,
  /// rows walked, and FNV-1a over the bits of every row's raw score, so that whoever compares can
  /// see that the work was the same.
  static func run(model: String, rows: String, batch: Int, seconds: Double) throws {
    let file = try Data(contentsOf: URL(fileURLWithPath: model))
    let forest = try file.withUnsafeBytes { try LightGBM.parse($0) }
    let data = try Data(contentsOf: URL(fileURLWithPath: rows))
    let width = forest.featureNames.count
    let count = data.count / 8 / width
    guard count >= batch, data.count == count * width * 8 else {
      throw Failure(description: "\(rows) is not rows of \(width) float64, \(batch) at least")
    }
    let values = UnsafeMutablePointer<Double>.allocate(capacity: count * width)
    defer { values.deallocate() }
    data.withUnsafeBytes { bytes in
      if let base = bytes.baseAddress {
        UnsafeMutableRawPointer(values).copyMemory(from: base, byteCount: bytes.count)
      }
    }
    var digest: UInt64 = 0xCBF2_9CE4_8422_2325
    for row in 0..<count {
      let bits = forest.rawScore(values + row * width).bitPattern
      digest = (digest ^ bits) &* 0x100_0000_01B3
    }
    var (walked, sink, start) = (0, 0.0, 0)
    let began = threadCPUNanoseconds()
    let limit = UInt64(seconds * 1e9)
    var spent: UInt64 = 0
    while spent < limit {
      for row in start..<(start + batch) { sink += forest.rawScore(values + row * width) }
      walked += batch
      start = start + 2 * batch <= count ? start + batch : 0
      spent = threadCPUNanoseconds() - began
    }
    print(
      "{\"ns_per_row\": \(Double(spent) / Double(walked)), \"rows\": \(walked), "
        + "\"digest\": \"\(digest)\", \"finite\": \(sink.isFinite)}")
  }
}
