/// Options with a gain, the largest first: sorted only as far as they are looked at.
///
/// Equal gains go by campaign, then by position. Each option gets its groups: what it takes a
/// share of, and cannot be had more often than the group allows.
struct RankedOptions {
  /// An item; a campaign's budget and cap; an artist's cap; a release's cap.
  static var kinds: Int { 4 }

  struct Ranked: BitwiseCopyable {
    var option: Int
    var gain: Double
    /// By kind; −1: it takes no share.
    var groups: InlineArray<4, Int32>
  }

  /// What options compare by, side by side.
  private struct Candidate: BitwiseCopyable {
    var gain: Double
    /// Campaign, then position.
    var tie: UInt64
    var option: Int

    @inline(__always)
    static func precedes(_ left: Candidate, _ right: Candidate) -> Bool {
      left.gain > right.gain || (left.gain == right.gain && left.tie < right.tie)
    }
  }

  private let options: [SlotOption]
  private var heap: [Candidate] = []
  private(set) var sorted: [Ranked] = []
  /// How often a group may be had, by kind and group.
  private(set) var capacities: InlineArray<4, [Int32]>
  private var numbers: InlineArray<4, [Int64: Int32]>
  private var rooms = InlineArray<2, Int?>(repeating: nil)

  init(_ options: [SlotOption], gains: [Double]) {
    self.options = options
    capacities = InlineArray { _ in [] }
    numbers = InlineArray { _ in [:] }
    heap.reserveCapacity(options.count)
    for index in options.indices where gains[index] > 0 && gains[index].isFinite {
      let campaign = UInt64(UInt32(bitPattern: options[index].campaign))
      let position = UInt64(UInt32(bitPattern: options[index].position))
      heap.append(
        Candidate(gain: gains[index], tie: campaign << 32 | position, option: index))
    }
    heap.withUnsafeMutableBufferPointer { heap in
      for start in stride(from: heap.count / 2 - 1, through: 0, by: -1) {
        RankedOptions.sink(heap, heap.count, start)
      }
    }
  }

  private static func sink(
    _ heap: UnsafeMutableBufferPointer<Candidate>, _ count: Int, _ start: Int
  ) {
    let moving = heap[start]
    var parent = start
    while 2 * parent + 1 < count {
      var child = 2 * parent + 1
      if child + 1 < count, Candidate.precedes(heap[child + 1], heap[child]) { child += 1 }
      guard Candidate.precedes(heap[child], moving) else { break }
      heap[parent] = heap[child]
      parent = child
    }
    heap[parent] = moving
  }

  /// How many options can be had at most for what their groups of a kind allow, when all are
  /// sorted; nil before. Only for items and campaigns: every option has one.
  mutating func room(_ kind: Int) -> Int? {
    guard heap.isEmpty else { return nil }
    if let known = rooms[kind] { return known }
    let room = capacities[kind].reduce(0) { $0 + Int($1) }
    rooms[kind] = room
    return room
  }

  /// Whether there is an option of this rank, from 0; sorts up to it.
  mutating func reach(_ rank: Int) -> Bool {
    while sorted.count <= rank {
      guard let top = heap.first else { return false }
      let last = heap.removeLast()
      if !heap.isEmpty {
        heap[0] = last
        heap.withUnsafeMutableBufferPointer { RankedOptions.sink($0, $0.count, 0) }
      }
      sorted.append(
        Ranked(option: top.option, gain: top.gain, groups: groups(options[top.option])))
    }
    return true
  }

  private mutating func groups(_ option: SlotOption) -> InlineArray<4, Int32> {
    let room = option.isCappedByCampaign ? min(option.affordable, 1) : option.affordable
    return [
      group(0, Int64(option.row), 1), group(1, Int64(option.campaign), room),
      group(2, option.artist, 1), group(3, option.release, 1),
    ]
  }

  private mutating func group(_ kind: Int, _ name: Int64?, _ capacity: Int32) -> Int32 {
    guard let name else { return -1 }
    if let known = numbers[kind][name] { return known }
    let number = Int32(capacities[kind].count)
    numbers[kind][name] = number
    capacities[kind].append(capacity)
    return number
  }
}
