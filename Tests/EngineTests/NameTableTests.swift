import Core
import Testing

@testable import Engine

@Suite struct NameTableTests {
  @Test func namesAreFoundByTheirBytes() {
    let seed: UInt64 = 3
    var random = SplitMix64(seed: seed)
    let names = (0..<500).map { _ in
      String(UInt16.random(in: 0...2_000, using: &random), radix: 36)
    }
    let table = NameTable(names)
    let memory = RequestMemory()
    for number in 0...2_000 {
      let name = String(number, radix: 36)
      #expect(table.index(of: memory.text(name)) == names.firstIndex(of: name), "seed \(seed)")
    }
    #expect(table.index(of: .empty) == nil)
    #expect(NameTable([]).index(of: memory.text("x")) == nil)
    #expect(NameTable(["a", "", "a"]).index(of: .empty) == 1)
    #expect(NameTable(["a", "", "a"]).index(of: memory.text("a")) == 0)
  }
}
