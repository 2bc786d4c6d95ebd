internal import Policies

/// What waits in the line: an attempt and where it would like to go.
struct WaitingAttempt {
  var attempt: Attempt
  var key: UInt64
  var avoiding: EndpointSet
}

/// Attempts in the order in which they came. Taking one out of the middle is O(1): its place stays
/// empty until the line has moved on, or until most places are empty.
struct WaitingLine {
  private var places: [WaitingAttempt?] = []
  private var start = 0
  private(set) var count = 0
  private var positions: [ObjectIdentifier: Int] = [:]

  var isEmpty: Bool { count == 0 }

  var first: WaitingAttempt? {
    mutating get {
      while start < places.count {
        if let place = places[start] { return place }
        start += 1
      }
      return nil
    }
  }

  mutating func append(_ waiting: WaitingAttempt) {
    positions[ObjectIdentifier(waiting.attempt)] = places.count
    places.append(waiting)
    count += 1
  }

  mutating func removeFirst() {
    guard let first else { return }
    _ = remove(first.attempt)
  }

  /// False when it is not in the line.
  mutating func remove(_ attempt: Attempt) -> Bool {
    guard let position = positions.removeValue(forKey: ObjectIdentifier(attempt)) else {
      return false
    }
    places[position] = nil
    count -= 1
    compactIfSparse()
    return true
  }

  private mutating func compactIfSparse() {
    if count == 0 {
      places.removeAll(keepingCapacity: true)
      start = 0
    } else if places.count > 64, places.count > 2 * count {
      places = places.filter { $0 != nil }
      start = 0
      for (position, place) in places.enumerated() {
        if let place { positions[ObjectIdentifier(place.attempt)] = position }
      }
    }
  }
}
