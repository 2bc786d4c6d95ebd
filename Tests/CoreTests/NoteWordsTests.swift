import Core
import Testing

@Suite struct NoteWordsTests {
  @Test func comeBack() {
    let words: [UInt64] = [0, 1, .max, 0x0102_0304_0506_0708]
    let bytes = NoteWords.encode(words)
    #expect(bytes.suffix(8) == [8, 7, 6, 5, 4, 3, 2, 1])
    #expect(NoteWords.decode(bytes) == words)
    #expect(NoteWords.decode([]) == [])
  }

  @Test(arguments: [1, 7, 9]) func partsAreNone(count: Int) {
    #expect(NoteWords.decode([UInt8](repeating: 0, count: count)) == nil)
  }
}
