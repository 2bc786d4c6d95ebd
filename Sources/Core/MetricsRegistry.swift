internal import Synchronization

/// The cells of a schema, once for each writer, and the sum over them.
///
/// A writer is a thread: a loop or a shard. Its cells lie together and share no cache line with
/// another's, so that counting never waits for anybody; whoever reads adds the writers up.
// Unchecked: addresses are set in `init` and never change; the cells are atomic, the bounds only
// read.
package final class MetricRegistry: @unchecked Sendable {
  // Two cache lines: the prefetcher of x86 pulls lines in pairs.
  private static let alignment = 128

  package let writers: Int
  let schema: MetricSchema
  private let cells: UnsafeMutablePointer<MetricCell>
  private let cellsPerWriter: Int
  private let bounds: UnsafeMutablePointer<UInt64>

  /// `writers` at least 1.
  package init(_ schema: MetricSchema, writers: Int) {
    precondition(writers >= 1)
    self.schema = schema
    self.writers = writers
    let cellsPerLine = MetricRegistry.alignment / MemoryLayout<MetricCell>.stride
    cellsPerWriter = (schema.cellCount + cellsPerLine - 1) / cellsPerLine * cellsPerLine
    let count = cellsPerWriter * writers
    cells = UnsafeMutableRawPointer.allocate(
      byteCount: max(count, 1) * MemoryLayout<MetricCell>.stride,
      alignment: MetricRegistry.alignment
    ).bindMemory(to: MetricCell.self, capacity: max(count, 1))
    for index in 0..<count { (cells + index).initialize(to: MetricCell(0)) }
    bounds = .allocate(capacity: max(schema.bounds.count, 1))
    for (index, bound) in schema.bounds.enumerated() { (bounds + index).initialize(to: bound) }
  }

  deinit {
    cells.deinitialize(count: cellsPerWriter * writers)
    UnsafeMutableRawPointer(cells).deallocate()
    bounds.deallocate()
  }

  package func counters(_ id: MetricFamilyID, writer: Int) -> MetricCounters {
    let family = family(id, .counter)
    return MetricCounters(start(family, writer), count: family.series.count)
  }

  package func gauges(_ id: MetricFamilyID, writer: Int) -> MetricGauges {
    let family = family(id, .gauge)
    return MetricGauges(start(family, writer), count: family.series.count)
  }

  package func histograms(_ id: MetricFamilyID, writer: Int) -> MetricHistograms {
    let family = family(id, .histogram)
    let first = MetricHistogram(
      bounds: bounds + family.firstBound, boundCount: family.bounds.count,
      cells: start(family, writer))
    return MetricHistograms(first, count: family.series.count)
  }

  private func family(_ id: MetricFamilyID, _ kind: MetricKind) -> MetricFamily {
    let family = schema.families[id.index]
    precondition(family.kind == kind && family.read == nil, "\(family.name) is no \(kind)")
    return family
  }

  private func start(_ family: MetricFamily, _ writer: Int) -> UnsafeMutablePointer<MetricCell> {
    precondition(writer >= 0 && writer < writers, "writer \(writer) of \(writers)")
    return cells + (writer * cellsPerWriter + family.firstCell)
  }

  /// The sum over the writers, modulo 2⁶⁴: a gauge's negative shares add up too.
  func total(cell: Int) -> UInt64 {
    var sum: UInt64 = 0
    for writer in 0..<writers {
      sum &+= cells[writer * cellsPerWriter + cell].load(ordering: .relaxed)
    }
    return sum
  }
}
