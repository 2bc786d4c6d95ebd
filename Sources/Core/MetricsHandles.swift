package import Synchronization

/// A word that one thread writes and any thread may read: all accesses are relaxed, so that it
/// costs its writer what a plain word would.
package typealias MetricCell = Atomic<UInt64>

/// A number that only rises. Valid as long as its registry; written by one thread only.
package struct MetricCounter: BitwiseCopyable, @unchecked Sendable {
  // Unchecked: the cell is atomic; that one thread alone writes it is its owner's promise.
  @usableFromInline let cell: UnsafeMutablePointer<MetricCell>

  @inlinable
  init(_ cell: UnsafeMutablePointer<MetricCell>) {
    self.cell = cell
  }

  /// In the family's unit: a count, bytes, or nanoseconds.
  @inlinable
  package func add(_ amount: UInt64) {
    cell.pointee.store(cell.pointee.load(ordering: .relaxed) &+ amount, ordering: .relaxed)
  }

  @inlinable
  package func add(_ amount: Int) {
    add(UInt64(truncatingIfNeeded: max(amount, 0)))
  }

  /// Takes over a count that its one writer keeps elsewhere; it never goes back.
  @inlinable
  package func advance(to total: UInt64) {
    cell.pointee.store(total, ordering: .relaxed)
  }

  @inlinable
  package func increment() {
    add(UInt64(1))
  }
}

/// A number that rises and falls. What is shown is the sum over its writers. Valid as long as its
/// registry; written by one thread only.
package struct MetricGauge: BitwiseCopyable, @unchecked Sendable {
  // Unchecked: the cell is atomic; that one thread alone writes it is its owner's promise.
  @usableFromInline let cell: UnsafeMutablePointer<MetricCell>

  @inlinable
  init(_ cell: UnsafeMutablePointer<MetricCell>) {
    self.cell = cell
  }

  /// This writer's share, in the family's unit.
  @inlinable
  package func set(_ value: Int) {
    cell.pointee.store(UInt64(bitPattern: Int64(value)), ordering: .relaxed)
  }

  @inlinable
  package func add(_ amount: Int) {
    let old = cell.pointee.load(ordering: .relaxed)
    cell.pointee.store(old &+ UInt64(bitPattern: Int64(amount)), ordering: .relaxed)
  }
}

/// A distribution over fixed buckets. Valid as long as its registry; written by one thread only.
package struct MetricHistogram: BitwiseCopyable, @unchecked Sendable {
  // Unchecked: the cells are atomic, the bounds never change; one thread alone writes.
  @usableFromInline let bounds: UnsafePointer<UInt64>
  @usableFromInline let boundCount: Int
  /// One for each bound, one for what is above them all, then the sum.
  @usableFromInline let cells: UnsafeMutablePointer<MetricCell>

  @inlinable
  init(
    bounds: UnsafePointer<UInt64>, boundCount: Int, cells: UnsafeMutablePointer<MetricCell>
  ) {
    self.bounds = bounds
    self.boundCount = boundCount
    self.cells = cells
  }

  /// Takes one value, in the family's unit: nanoseconds or bytes.
  @inlinable
  package func record(_ value: UInt64) {
    // The first bound that is not below the value: a value on a bound belongs to its bucket.
    var (low, high) = (0, boundCount)
    while low < high {
      let middle = (low &+ high) >> 1
      if bounds[middle] < value { low = middle &+ 1 } else { high = middle }
    }
    MetricCounter(cells + low).increment()
    MetricCounter(cells + (boundCount &+ 1)).add(value)
  }

  @inlinable
  package func record(_ value: Int) {
    record(UInt64(truncatingIfNeeded: max(value, 0)))
  }
}

/// The series of one counter family, in the order in which they were declared.
package struct MetricCounters: BitwiseCopyable, @unchecked Sendable {
  // Unchecked: an address and a count; see `MetricCounter`.
  @usableFromInline let cells: UnsafeMutablePointer<MetricCell>
  package let count: Int

  init(_ cells: UnsafeMutablePointer<MetricCell>, count: Int) {
    self.cells = cells
    self.count = count
  }

  @inlinable
  package subscript(index: Int) -> MetricCounter {
    precondition(index >= 0 && index < count, "a series that was not declared")
    return MetricCounter(cells + index)
  }
}

/// The series of one gauge family, in the order in which they were declared.
package struct MetricGauges: BitwiseCopyable, @unchecked Sendable {
  // Unchecked: an address and a count; see `MetricGauge`.
  @usableFromInline let cells: UnsafeMutablePointer<MetricCell>
  package let count: Int

  init(_ cells: UnsafeMutablePointer<MetricCell>, count: Int) {
    self.cells = cells
    self.count = count
  }

  @inlinable
  package subscript(index: Int) -> MetricGauge {
    precondition(index >= 0 && index < count, "a series that was not declared")
    return MetricGauge(cells + index)
  }
}

/// The series of one histogram family, in the order in which they were declared.
package struct MetricHistograms: BitwiseCopyable, @unchecked Sendable {
  // Unchecked: addresses and counts; see `MetricHistogram`.
  @usableFromInline let first: MetricHistogram
  package let count: Int

  init(_ first: MetricHistogram, count: Int) {
    self.first = first
    self.count = count
  }

  @inlinable
  package subscript(index: Int) -> MetricHistogram {
    precondition(index >= 0 && index < count, "a series that was not declared")
    return MetricHistogram(
      bounds: first.bounds, boundCount: first.boundCount,
      cells: first.cells + index &* (first.boundCount &+ 2))
  }
}
