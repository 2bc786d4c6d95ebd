import Foundation
import Testing

/// The house rules, held against the repository as it stands.
@Suite("The repository keeps its rules")
struct RepositoryTests {
  let files: [RepositoryFile]
  let graph: PackageGraph

  init() throws {
    files = try Repository.files()
    let manifest = try #require(files.first { $0.path == "Package.swift" })
    graph = PackageGraph(manifest.text)
  }

  func expectNone(_ found: [Violation], location: SourceLocation = #_sourceLocation) {
    #expect(found.isEmpty, "\(listed(found))", sourceLocation: location)
  }

  @Test func theRulesSeeTheRepository() throws {
    #expect(files.count > 50)
    #expect(files.contains { $0.path == "Sources/Core/Limits.swift" })
    let http2 = try #require(graph.targets["HTTP2"])
    #expect(http2.dependencies == ["CNghttp2", "Core"] && http2.isStrict && http2.kind == .source)
    let program = try #require(graph.targets["crescendo"])
    #expect(program.kind == .executable && program.dependencies.contains("ArgumentParser"))
    #expect(graph.targets["TidyTests"]?.kind == .test)
    #expect(graph.targets["CNghttp2"]?.kind == .systemLibrary)
  }

  @Test func everyTargetDeclaresLowerFloors() { expectNone(ImportRules.declared(graph)) }

  @Test func everyFileImportsWhatItMaySee() {
    expectNone(files.flatMap { ImportRules.check($0, graph) })
  }

  @Test func warningsAreErrors() {
    let swift = Set(files.filter(\.isSwift).compactMap(\.target))
    expectNone(ImportRules.strict(graph, swiftTargets: swift))
  }

  @Test func filesAreShort() {
    expectNone(files.flatMap { LengthRules.file($0) } + LengthRules.stale(files))
  }

  @Test func linesAreNarrow() { expectNone(files.flatMap(LengthRules.lines)) }

  @Test func functionsAreShort() { expectNone(files.flatMap(LengthRules.functions)) }

  @Test func nothingBannedIsSaid() { expectNone(files.flatMap(BanRules.everywhere)) }

  @Test func nothingBannedIsUsed() { expectNone(files.flatMap(BanRules.code)) }
  @Test func facesAreDocumented() { expectNone(files.flatMap(DocumentationRules.faces)) }

  @Test func theTopLevelIsShort() { expectNone(LayoutRules.top(files.map(\.path))) }

  @Test func everyTargetIsTested() {
    expectNone(LayoutRules.untested(graph) + LayoutRules.emptyTests(graph, files))
  }

  @Test func theCodeMapNamesEveryTarget() {
    expectNone(LayoutRules.codeMap(graph, files.first { $0.path == "Sources/README.md" }))
  }

  @Test func scriptsStopAtTheFirstFailure() {
    let scripts = files.flatMap {
      LayoutRules.script($0, isExecutable: Repository.isExecutable($0.path))
    }
    expectNone(scripts)
  }

  @Test func pythonPackagesArePinned() { expectNone(files.flatMap(LayoutRules.pins)) }

  /// What is committed is what tools/generate makes. Needs `protoc`, and fails without it.
  @Test func generatedCodeIsCurrent() throws {
    let out = FileManager.default.temporaryDirectory.appending(path: "generated-\(UUID())")
    defer { try? FileManager.default.removeItem(at: out) }
    let made = try Repository.run("tools/generate", out.path)
    try #require(made.status == 0, "tools/generate: \(made.output)")
    let compared = try Repository.run("diff", "-r", "Sources/CCrescendoProto", out.path)
    #expect(
      compared.status == 0, "run tools/generate and commit:\n\(compared.output.prefix(4_000))")
  }
}
