import Testing

@Suite("Length rules")
struct LengthRulesTests {
  func file(_ path: String, lines: Int) -> RepositoryFile {
    RepositoryFile(path: path, text: String(repeating: "// line\n", count: lines))
  }

  @Test(arguments: ["Sources/A/A.swift", "Sources/C/C.c", "Sources/C/C.h", "Tests/Protocol/a.py"])
  func longFilesFail(path: String) {
    #expect(LengthRules.file(file(path, lines: 300), long: [:]).isEmpty)
    #expect(LengthRules.file(file(path, lines: 301), long: [:]).count == 1)
    #expect(LengthRules.file(file(path, lines: 601), long: [path: 700]).count == 1)
  }

  @Test func theRatchetOnlyFalls() {
    let path = "Sources/A/A.swift"
    #expect(LengthRules.file(file(path, lines: 400), long: [path: 400]).isEmpty)
    #expect(LengthRules.file(file(path, lines: 401), long: [path: 400]).count == 1)
    #expect(LengthRules.file(file(path, lines: 299), long: [path: 400]).count == 1)
    #expect(LengthRules.stale([], long: [path: 400]).count == 1)
    #expect(LengthRules.stale([file(path, lines: 1)], long: [path: 400]).isEmpty)
  }

  @Test func generatedFilesAreExempt() {
    let path = "Sources/CCrescendoProto/score.pb-c.c"
    #expect(LengthRules.file(file(path, lines: 2_000), long: [:]).isEmpty)
  }

  @Test func wideLinesFail() {
    let wide = String(repeating: "é", count: 101)
    let found = LengthRules.lines(RepositoryFile(path: "Sources/A/A.swift", text: "a\n\(wide)\n"))
    #expect(found.map(\.line) == [2])
    let exact = String(wide.dropLast())
    #expect(LengthRules.lines(RepositoryFile(path: "Sources/A/A.c", text: exact)).isEmpty)
  }

  static let shapes = [
    "func f() {", "package static func f(a: Int = 3, b: () -> Int = { 3 }) -> Int {",
    "  @inlinable package init?(a: Int) {", "deinit {", "subscript(i: Int) -> Int {",
    "@Test func f()\n  throws\n{", "mutating func f<T>(\n  _ a: T\n) where T: Sendable {",
    "@_cdecl(\"x\") private func f() {",
  ]

  @Test(arguments: shapes)
  func longSwiftFunctionsFail(head: String) {
    let headLines = head.split(separator: "\n").count
    for (body, failures) in [(70 - headLines - 1, 0), (70 - headLines, 1)] {
      let text =
        "struct S {\n\(head)\n" + String(repeating: "  if a { b(\"}\") }\n", count: body)
        + "}\nfunc small() {}\n}\n"
      let found = LengthRules.functions(RepositoryFile(path: "Sources/A/A.swift", text: text))
      #expect(found.count == failures, "\(head) with \(body) lines: \(found)")
    }
  }

  @Test func requirementsHaveNoBody() {
    let code = ["protocol P {", "  func f()", "  func g() -> Int", "}", "struct S {"]
    #expect(LengthRules.swiftFunctions(code + Array(repeating: "", count: 100) + ["}"]) == [])
  }

  @Test func longCFunctionsFail() {
    for (body, failures) in [(68, 0), (69, 1)] {
      let text =
        "struct s {\n  int a;\n};\n#define X {\nstatic int f(int a,\n    int b) {\n"
        + String(repeating: "  if (a) { b(); }\n", count: body) + "}\n"
      let found = LengthRules.functions(RepositoryFile(path: "Sources/C/C.c", text: text))
      #expect(found.count == failures, "\(body) lines: \(found)")
    }
    let table = "static const int t[] = {\n" + String(repeating: "  1,\n", count: 99) + "};\n"
    let file = RepositoryFile(path: "Sources/C/C.c", text: table)
    #expect(LengthRules.functions(file).isEmpty)
  }
}
