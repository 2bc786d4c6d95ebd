import Core
import Testing

@Suite struct NameTableTests {
  private func place(_ name: String, in table: NameTable) -> Int? {
    Array(name.utf8).withUnsafeBytes { table.index(of: ByteSlice($0)) }
  }

  @Test func namesAreFoundByTheirBytes() {
    let seed: UInt64 = 3
    var random = SplitMix64(seed: seed)
    let names = (0..<500).map { _ in
      String(UInt16.random(in: 0...2_000, using: &random), radix: 36)
    }
    let table = NameTable(names)
    for number in 0...2_000 {
      let name = String(number, radix: 36)
      #expect(place(name, in: table) == names.firstIndex(of: name), "seed \(seed)")
    }
    #expect(place("", in: table) == nil)
    #expect(place("x", in: NameTable([])) == nil)
    #expect(place("", in: NameTable(["a", "", "a"])) == 1)
    #expect(place("a", in: NameTable(["a", "", "a"])) == 0)
  }
}
