import Testing

@Suite("Documentation")
struct DocumentationRulesTests {
  func faces(_ text: String, _ path: String = "Sources/Client/A.swift") -> [Violation] {
    DocumentationRules.faces(RepositoryFile(path: path, text: text + "\n"))
  }

  @Test(arguments: [
    "public struct A {}", "// A.\npublic var a = 1", "/// A.\n\npublic var a = 1",
    "struct A {\n  public init(a: Int) {}",
    "/// A.\nvar a = 1\n@discardableResult\npublic func f()",
    "public mutating func next()",
  ])
  func undocumented(text: String) { #expect(faces(text).count == 1) }

  @Test(arguments: [
    "/// A.\npublic struct A {}", "/// A.\n@discardableResult\npublic func f()", "struct A {}",
    "public import Metrics", "  public init() {}", "public typealias Element = Int",
    "public mutating func next(isolation actor: isolated (any Actor)?)", "// public struct A {}",
  ])
  func documented(text: String) { #expect(faces(text) == []) }

  @Test func otherTargetsHaveNoFace() {
    #expect(faces("public struct A {}", "Sources/Core/A.swift") == [])
    #expect(faces("public struct A {}", "Tests/ClientTests/A.swift") == [])
  }
}
