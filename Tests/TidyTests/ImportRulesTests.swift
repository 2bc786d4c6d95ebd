import Testing

/// The rules can fail: each is shown what it is to refuse, and its nearest legal neighbour.
@Suite("Import rules")
struct ImportRulesTests {
  static let manifest = """
    let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
    let package = Package(
      name: "crescendo",
      targets: [
        .systemLibrary(name: "CNghttp2", pkgConfig: "x", providers: [.apt(["libnghttp2-dev"])]),
        .target(name: "CKernels"),
        .target(name: "CCrescendoProto", dependencies: ["CProtobufC"]),
        swift("Core", []),
        swift("HTTP2", ["CNghttp2", "Core"]),
        swift("Models", ["CKernels", "Core"]),
        swift("Server", ["HTTP2", "Core", logging]),
        .executableTarget(
          name: "crescendo", dependencies: ["Server", "Core"], swiftSettings: strict),
        tests(
          "HTTP2Tests", ["HTTP2", "Core"],
          exclude: ["make.py"]),
      ])
    """
  let graph = PackageGraph(manifest)

  func check(_ path: String, _ text: String) -> [Violation] {
    ImportRules.check(RepositoryFile(path: path, text: text), graph)
  }

  @Test func theManifestIsRead() {
    #expect(graph.targets.count == 9)
    #expect(graph.targets["Server"]?.dependencies == ["HTTP2", "Core", "Logging"])
    #expect(graph.targets["CNghttp2"]?.dependencies == [])
    #expect(graph.targets["CKernels"]?.dependencies == [])
    #expect(graph.targets["crescendo"]?.dependencies == ["Server", "Core"])
  }

  @Test func legalImportsPass() {
    let text = "internal import CNghttp2\npackage import Core\nimport Synchronization\n"
    #expect(check("Sources/HTTP2/A.swift", text) == [])
    #expect(check("Tests/HTTP2Tests/A.swift", "import Testing\n@testable import HTTP2\n") == [])
    #expect(check("Sources/Server/A.swift", "internal import Logging\n") == [])
  }

  @Test(arguments: [
    ("Sources/HTTP2/A.swift", "import Server"), ("Sources/Models/A.swift", "import Glibc"),
    ("Sources/Models/A.swift", "import Dispatch"), ("Sources/Models/A.swift", "import Foundation"),
    ("Sources/Server/A.swift", "import CNghttp2"), ("Sources/Server/A.swift", "import Models"),
    ("Sources/HTTP2/A.swift", "package import CNghttp2"),
    ("Sources/HTTP2/A.swift", "@preconcurrency public import CNghttp2"),
    ("Sources/Core/A.swift", "import struct Foundation.Data"),
    ("Sources/HTTP2/A.swift", "import Dispatch"), ("Sources/HTTP2/A.swift", "import NIOCore"),
    ("Tests/HTTP2Tests/A.swift", "@testable import Server"),
    ("Sources/Nowhere/A.swift", "import Core"),
  ])
  func illegalImportsFail(path: String, text: String) {
    #expect(check(path, "// import Core\n" + text + "\n").count == 1)
  }

  @Test func importsInCommentsAndTextDoNotCount() {
    let text = "// import Server\n/* import Server */ let x = \"import Server\"\n"
    #expect(check("Sources/HTTP2/A.swift", text) == [])
  }

  @Test func upwardDependenciesFail() {
    #expect(ImportRules.declared(graph) == [])
    for (old, new) in [
      ("swift(\"Core\", [])", "swift(\"Core\", [\"HTTP2\"])"),
      ("[\"CKernels\", \"Core\"]", "[\"HTTP2\", \"Core\"]"),
      ("[\"CKernels\", \"Core\"]", "[\"CNghttp2\", \"Core\"]"),
      ("swift(\"Models\"", "swift(\"Unplaced\""),
      ("swift(\"Core\", [])", "swift(\"Core\", [\"CKernels\"])"),
    ] {
      let changed = ImportRulesTests.manifest.replacing(old, with: new)
      #expect(changed != ImportRulesTests.manifest)
      #expect(!ImportRules.declared(PackageGraph(changed)).isEmpty, "\(new)")
    }
  }

  @Test func laxSettingsFail() {
    let names: Set<String> = ["crescendo", "Core"]
    #expect(ImportRules.strict(graph, swiftTargets: names) == [])
    let lax = ImportRulesTests.manifest.replacing(", swiftSettings: strict", with: "")
    #expect(ImportRules.strict(PackageGraph(lax), swiftTargets: names).count == 1)
  }
}
