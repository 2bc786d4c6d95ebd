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

  private let options: [SlotOption]
  private let gains: [Double]
  private var heap: [Int] = []
  private(set) var sorted: [Ranked] = []
  /// How often a group may be had, by kind and group.
  private(set) var capacities: InlineArray<4, [Int32]>
  private var numbers: InlineArray<4, [Int64: Int32]>

  init(_ options: [SlotOption], gains: [Double]) {
    self.options = options
    self.gains = gains
    capacities = InlineArray { _ in [] }
    numbers = InlineArray { _ in [:] }
    for index in options.indices where gains[index] > 0 && gains[index].isFinite {
      heap.append(index)
    }
    for start in stride(from: heap.count / 2 - 1, through: 0, by: -1) { sink(start) }
  }

  private func precedes(_ left: Int, _ right: Int) -> Bool {
    if gains[left] != gains[right] { return gains[left] > gains[right] }
    if options[left].campaign != options[right].campaign {
      return options[left].campaign < options[right].campaign
    }
    return options[left].position < options[right].position
  }

  private mutating func sink(_ start: Int) {
    var parent = start
    while true {
      var best = parent
      for child in [2 * parent + 1, 2 * parent + 2]
      where child < heap.count && precedes(heap[child], heap[best]) { best = child }
      guard best != parent else { return }
      heap.swapAt(parent, best)
      parent = best
    }
  }

  /// Whether there is an option of this rank, from 0; sorts up to it.
  mutating func reach(_ rank: Int) -> Bool {
    while sorted.count <= rank {
      guard let top = heap.first else { return false }
      let last = heap.removeLast()
      if !heap.isEmpty {
        heap[0] = last
        sink(0)
      }
      sorted.append(Ranked(option: top, gain: gains[top], groups: groups(options[top])))
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
