/// The calls that are neither answered nor given up, in the order in which they were sent, which is
/// that of when they are given up: a list through their slots, so that any of them leaves at once.
struct InFlightCalls {
  typealias Call = LoadConnection.Call

  private(set) var oldest: Call?
  private var newest: Call?
  private(set) var count = 0

  mutating func append(_ call: Call) {
    call.pointee.older = newest
    call.pointee.newer = nil
    newest?.pointee.newer = call
    newest = call
    if oldest == nil { oldest = call }
    count += 1
  }

  mutating func remove(_ call: Call) {
    let (older, newer) = (call.pointee.older, call.pointee.newer)
    if let older { older.pointee.newer = newer } else { oldest = newer }
    if let newer { newer.pointee.older = older } else { newest = older }
    count -= 1
  }
}
