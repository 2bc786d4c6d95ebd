import Core
import Syscalls
import Testing
import Wire

@testable import crescendo

@Suite struct EntityReferenceTests {
  @Test(
    arguments: [
      ("1", .id(1)), ("0", .id(0)), ("007", .id(7)), ("18446744073709551615", .id(UInt64.max)),
      ("0x1F", .id(31)), ("0XffffFFFFffffFFFF", .id(UInt64.max)),
      ("spotify:track:4", .uri("spotify:track:4")), ("7digital:9", .uri("7digital:9")),
      ("https://a/b#c", .uri("https://a/b#c")),
    ] as [(String, EntityReference)]) func idsAndURIsAreTold(
      text: String, reference: EntityReference
    ) throws
  {
    #expect(try EntityReference(parsing: text) == reference)
  }

  @Test(arguments: [
    "", "-1", "+1", "1.5", "0x", "0xg", "0x-1", "0x+1", "0x10000000000000000",
    "18446744073709551616", "track", ":x", "١",
  ]) func otherTextIsRefused(text: String) {
    #expect(throws: UsageError.self) { try EntityReference(parsing: text) }
  }
}

@Suite struct ItemListTests {
  @Test func aListOfCommasIsTaken() throws {
    let ids = try ItemList(commaSeparated: "3, 0x10 ,5")
    #expect(ids.ids == [3, 16, 5])
    #expect(ids.name(at: 1) == "16")
    let uris = try ItemList(commaSeparated: "a:1,b:2,a:1")
    #expect(uris.uris == ["a:1", "b:2", "a:1"])
    #expect(uris.name(at: 2) == "a:1")
    #expect(uris.count == 3)
  }

  @Test func linesHaveComments() throws {
    let text = "# shelf of Monday\n\n  101  \n102 # the new one\r\n\t0x67\n#104\n105"
    #expect(try ItemList(lines: text).ids == [101, 102, 103, 105])
    #expect(try ItemList(lines: "a:b#c\nd:e # f").uris == ["a:b#c", "d:e"])
  }

  @Test(arguments: [
    ("1,a:b", "item 2: \"a:b\" mixes ids and URIs"), ("a:b,c:d,1", "item 3: \"1\" mixes"),
    ("1,,2", "item 2: \"\" is neither"), ("1,0", "item 2: 0 is no item's id"), ("", "item 1"),
    ("x", "item 1: \"x\" is neither a decimal id, nor 0x…, nor a URI"),
  ]) func aWrongItemIsNamed(text: String, message: String) {
    let error = #expect(throws: UsageError.self) { try ItemList(commaSeparated: text) }
    #expect(error?.description.hasPrefix(message) == true, "\(String(describing: error))")
  }

  @Test func aWrongLineIsNamed() {
    let error = #expect(throws: UsageError.self) { try ItemList(lines: "# one\n1\n\nx:y\n") }
    #expect(error?.description.hasPrefix("line 4: \"x:y\" mixes") == true)
    #expect(throws: UsageError.self) { try ItemList(lines: "# nothing\n\n") }
  }

  @Test func aFileThatCannotBeReadIsNamed() {
    let error = #expect(throws: UsageError.self) { try TextFile.read("/nonexistent/items") }
    #expect(error?.description == "cannot read /nonexistent/items: no such file or directory")
    #expect(throws: UsageError.self) { try TextFile.read("/") }
  }
}

@Suite struct NamedColumnTests {
  @Test func aColumnHasANameAndValues() throws {
    let column = try NamedColumn.parse("plays=1.5,,-2e3,nan")
    #expect(column.name == "plays")
    #expect(column.values.map(\.isNaN) == [false, true, false, true])
    #expect(column.values[0] == 1.5 && column.values[2] == -2_000)
  }

  @Test(arguments: ["plays", "=1", "plays=1,x", "", "plays=1;2"])
  func otherTextIsRefused(text: String) {
    #expect(throws: UsageError.self) { try NamedColumn.parse(text) }
  }
}
