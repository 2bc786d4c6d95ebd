internal import Core

/// What a balancer sees of one server's address.
package struct EndpointView: Sendable, Equatable {
  /// Connected, willing to take calls, and not ejected.
  package var isUsable: Bool
  /// Calls that were sent there and have not ended, at least 0.
  package var inFlight: Int32
  /// Calls that it can take, relative to the others, at least 1. Only `LeastLoaded` heeds it.
  package var weight: Int32

  package init(isUsable: Bool = false, inFlight: Int32 = 0, weight: Int32 = 1) {
    self.isUsable = isUsable
    self.inFlight = inFlight
    self.weight = weight
  }
}

/// The endpoints of one client, by index, and beside them the list of those that are usable, so
/// that a balancer need not look for them: a change and a pick are O(1). Allocates once.
package struct Endpoints: Sendable {
  private var views: [EndpointView]
  /// All indexes, those of usable endpoints first.
  private var order: [UInt16]
  /// Where each index stands in `order`.
  private var places: [UInt16]
  package private(set) var usableCount = 0

  /// At most `Limits.endpoints`.
  package init(_ views: [EndpointView]) {
    precondition(views.count <= Limits.endpoints)
    self.views = views
    order = views.indices.map { UInt16($0) }
    places = order
    for index in views.indices where views[index].isUsable { enlist(index) }
  }

  package var count: Int { views.count }

  /// An `inFlight` below 0 or a `weight` below 1 is a caller's bug.
  package subscript(index: Int) -> EndpointView {
    get { views[index] }
    set {
      precondition(newValue.inFlight >= 0 && newValue.weight >= 1)
      let wasUsable = views[index].isUsable
      views[index] = newValue
      if newValue.isUsable && !wasUsable { enlist(index) }
      if !newValue.isUsable && wasUsable { strike(index) }
    }
  }

  /// The index of a usable endpoint by its position, 0..<`usableCount`. An endpoint that is not
  /// usable any more leaves its position to the last one.
  func usable(at position: Int) -> Int { Int(order[position]) }

  private mutating func enlist(_ index: Int) {
    swap(Int(places[index]), usableCount)
    usableCount += 1
  }

  private mutating func strike(_ index: Int) {
    usableCount -= 1
    swap(Int(places[index]), usableCount)
  }

  private mutating func swap(_ first: Int, _ second: Int) {
    order.swapAt(first, second)
    places[Int(order[first])] = UInt16(first)
    places[Int(order[second])] = UInt16(second)
  }
}

/// The endpoints that a call was sent to already and failed at, in 16 bytes and without allocation:
/// the last eight of them. To avoid them is a wish: who has no other is picked again (gRPC A6,
/// "Hedging Policy").
package struct EndpointSet: Sendable, Equatable, ExpressibleByArrayLiteral {
  /// More than a call has attempts; indexes are below `Limits.endpoints`, so this one is none.
  private var slots = SIMD8<UInt16>(repeating: .max)
  private var next: UInt8 = 0

  package init() {}

  package init(arrayLiteral indexes: Int...) {
    for index in indexes { insert(index) }
  }

  /// The ninth takes the place of the first.
  package mutating func insert(_ index: Int) {
    guard !contains(index) else { return }
    slots[Int(next)] = UInt16(index)
    next = (next + 1) % 8
  }

  package func contains(_ index: Int) -> Bool {
    any(slots .== UInt16(truncatingIfNeeded: index))
  }

  /// How many of them a balancer could pick.
  func usableCount(_ endpoints: Endpoints) -> Int {
    var count = 0
    for slot in 0..<8 where Int(slots[slot]) < endpoints.count {
      count += endpoints[Int(slots[slot])].isUsable ? 1 : 0
    }
    return count
  }
}
