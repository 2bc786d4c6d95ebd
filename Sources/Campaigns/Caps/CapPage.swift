internal import Core

/// One part of a `CapTable`: a table of slots and the records behind it, in one piece of memory.
/// A record is as long as its content. Records are only ever added at the end; when that is
/// reached, the live ones move to a new piece, tightly.
struct CapPage: BitwiseCopyable {
  /// Slots, then words. Nil while there is no user.
  private(set) var memory: UnsafeMutablePointer<UInt32>?
  /// A slot is 0, or 1 + where its record begins (24 bits), below a tag of its user's hash.
  private(set) var slotCapacity: UInt32 = 0
  private(set) var wordCapacity: UInt32 = 0
  /// Words that were handed out.
  private(set) var wordsUsed: UInt32 = 0
  /// Words of records that are live.
  private(set) var wordsLive: UInt32 = 0
  private(set) var users: UInt32 = 0

  /// Words of a page: what 24 bits can point at, and slots for as many users as fit.
  static var wordsMost: Int { (1 << 24) - 2 }
  /// Users visited so often that a slot is free, of eight.
  private static var fullEighths: Int { 7 }

  /// An empty page with room.
  init(users: Int, words: Int) {
    // Three of four slots taken, and an eighth of the words free: with tags a search for a user
    // who is not there looks at 8 slots and seldom at a record; a word of a record is moved eight
    // times for each word that is added.
    slotCapacity = UInt32(users + users / 3 + 2)
    wordCapacity = UInt32(min(words + words / 8, CapPage.wordsMost))
    memory = .allocate(capacity: Int(slotCapacity) + Int(wordCapacity))
    memory?.update(repeating: 0, count: Int(slotCapacity))
  }

  init() {}

  static func hash(_ user: UInt64, seed: UInt64) -> UInt64 { splitmix64(user ^ seed) }

  /// What the allocator takes: its own word before, rounded up to 16 bytes.
  var bytes: Int {
    memory == nil ? 0 : ((Int(slotCapacity) + Int(wordCapacity)) * 4 + 8 + 15) & ~15
  }

  func deallocate() { memory?.deallocate() }

  func hasRoom(words: Int, users more: Int) -> Bool {
    Int(wordsUsed) + words <= Int(wordCapacity)
      && (Int(users) + more) * 8 <= Int(slotCapacity) * CapPage.fullEighths
  }

  /// Far more memory than what lives in it needs.
  var isSparse: Bool { (users == 0 ? 0 : wordsLive / 3 &* 4 &+ 64) < wordCapacity }

  /// The slot of a user; nil if there is none.
  @inline(__always)
  func slot(of user: UInt64, hash: UInt64) -> Int? {
    guard let memory else { return nil }
    let tag = CapPage.tag(hash)
    var slot = home(hash)
    while true {
      let content = memory[slot]
      if content == 0 { return nil }
      if content &>> 24 == tag, record(content).user == user { return slot }
      slot = slot &+ 1 == Int(slotCapacity) ? 0 : slot &+ 1
    }
  }

  func isTaken(_ slot: Int) -> Bool { memory.map { $0[slot] != 0 } ?? false }

  func record(at slot: Int) -> CapRecord {
    CapRecord(words: UnsafePointer(words(at: slot)))
  }

  /// To write a record over that is no longer than the one there.
  func words(at slot: Int) -> UnsafeMutablePointer<UInt32> {
    guard let memory else { preconditionFailure("a page without users has no slots") }
    return memory + Int(slotCapacity) + Int(memory[slot] & 0xFF_FFFF) - 1
  }

  /// A record in place was made shorter by so many words.
  mutating func didShrink(by words: Int) { wordsLive &-= UInt32(words) }

  /// Where a record of a user goes that the page has no slot for. There is room.
  mutating func append(hash: UInt64, words: Int) -> UnsafeMutablePointer<UInt32> {
    guard let memory else { preconditionFailure("no room in an empty page") }
    var slot = home(hash)
    while memory[slot] != 0 { slot = slot &+ 1 == Int(slotCapacity) ? 0 : slot &+ 1 }
    users &+= 1
    wordsLive &+= UInt32(words)
    return handOut(slot, tag: CapPage.tag(hash), words: words)
  }

  /// Where a user's record goes in place of one of `old` words. There is room.
  mutating func move(slot: Int, old: Int, words: Int) -> UnsafeMutablePointer<UInt32> {
    guard let memory else { preconditionFailure("no room in an empty page") }
    wordsLive = wordsLive &- UInt32(old) &+ UInt32(words)
    return handOut(slot, tag: memory[slot] &>> 24, words: words)
  }

  /// Forgets a user, and closes the gap in the slots: those behind that searches would not find
  /// any more move up.
  mutating func remove(slot: Int, seed: UInt64) {
    guard let memory else { return }
    users &-= 1
    wordsLive &-= UInt32(record(at: slot).wordCount)
    let capacity = Int(slotCapacity)
    var gap = slot
    var next = slot
    while true {
      next = next &+ 1 == capacity ? 0 : next &+ 1
      if memory[next] == 0 { break }
      let home = home(CapPage.hash(record(at: next).user, seed: seed))
      let distance = next >= home ? next - home : next + capacity - home
      let toGap = next >= gap ? next - gap : next + capacity - gap
      if distance >= toGap {
        memory[gap] = memory[next]
        gap = next
      }
    }
    memory[gap] = 0
  }

  private mutating func handOut(_ slot: Int, tag: UInt32, words: Int)
    -> UnsafeMutablePointer<UInt32>
  {
    let start = wordsUsed
    wordsUsed &+= UInt32(words)
    memory?[slot] = tag &<< 24 | (start &+ 1)
    return self.words(at: slot)
  }

  @inline(__always)
  private func record(_ content: UInt32) -> CapRecord {
    guard let memory else { preconditionFailure("a page without users has no records") }
    let start = Int(slotCapacity) &+ Int(content & 0xFF_FFFF) &- 1
    return CapRecord(words: UnsafePointer(memory + start))
  }

  @inline(__always)
  private func home(_ hash: UInt64) -> Int {
    Int((hash & 0xFFFF_FFFF) &* UInt64(slotCapacity) &>> 32)
  }

  @inline(__always)
  private static func tag(_ hash: UInt64) -> UInt32 {
    UInt32(truncatingIfNeeded: hash &>> 40) & 0xFF
  }
}
