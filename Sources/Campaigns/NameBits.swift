internal import CKernels
internal import Core

/// One bit of every campaign for each name of a kind (market, surface, tier, segment): whether the
/// campaign is for it. A campaign that names none is for all.
// Unchecked: written in `init`, only read afterwards, freed in `deinit`.
final class NameBits: @unchecked Sendable {
  private let names: NameTable
  private let words: UnsafeMutablePointer<UInt64>
  private let wordsEach: Int
  let bytes: Int

  init(_ kind: String, _ lists: [[String]?], limit: Int) throws(CampaignSetError) {
    var places: [String: Int] = [:]
    var distinct: [String] = []
    for list in lists {
      for name in list ?? [] where places[name] == nil {
        places[name] = distinct.count
        distinct.append(name)
      }
    }
    guard distinct.count <= limit else {
      throw .tooManyNames(kind: kind, distinct.count)
    }
    names = NameTable(distinct)
    wordsEach = OpenBits.words(campaigns: lists.count)
    let total = (distinct.count + 1) * wordsEach
    words = .allocate(capacity: total)
    words.initialize(repeating: 0, count: total)
    bytes = total * 8
    // The last row is that of every name that no campaign knows.
    let open = words + distinct.count * wordsEach
    for (index, list) in lists.enumerated() where list == nil {
      open[index >> 6] |= 1 << UInt64(index & 63)
    }
    for place in distinct.indices {
      (words + place * wordsEach).update(from: open, count: wordsEach)
    }
    for (index, list) in lists.enumerated() {
      for name in list ?? [] {
        guard let place = places[name] else { continue }
        words[place * wordsEach + index >> 6] |= 1 << UInt64(index & 63)
      }
    }
  }

  deinit { words.deallocate() }

  /// The bits of a name, by campaign; they lie in here.
  func bits(_ name: ByteSlice) -> UnsafePointer<UInt64> {
    knownBits(name) ?? openBits
  }

  /// nil: no campaign names it.
  func knownBits(_ name: ByteSlice) -> UnsafePointer<UInt64>? {
    names.index(of: name).map { UnsafePointer(words + $0 * wordsEach) }
  }

  /// The campaigns that name none.
  var openBits: UnsafePointer<UInt64> { UnsafePointer(words + names.count * wordsEach) }
}

/// Blocks of plain values that live as long as this does, each on its own cache lines.
// Unchecked: only `CampaignSet.init` and `CampaignBoard.init` add to it, before anyone shares it.
final class FlatMemory: @unchecked Sendable {
  private var blocks: [UnsafeMutableRawPointer] = []
  private(set) var bytes = 0

  deinit { for block in blocks { crescendo_free_table(block) } }

  func copy<T: BitwiseCopyable>(_ values: [T]) -> UnsafePointer<T> {
    let byteCount = max(values.count * MemoryLayout<T>.stride, 1)
    let block = crescendo_allocate_table(byteCount)
    blocks.append(block)
    bytes += byteCount
    let typed = block.bindMemory(to: T.self, capacity: max(values.count, 1))
    values.withUnsafeBufferPointer { source in
      guard let base = source.baseAddress else { return }
      typed.initialize(from: base, count: source.count)
    }
    return UnsafePointer(typed)
  }
}
