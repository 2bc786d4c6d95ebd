import Testing

@Suite("Layout rules")
struct LayoutRulesTests {
  let graph = PackageGraph(ImportRulesTests.manifest)

  @Test func strangersAtTheTopFail() {
    #expect(LayoutRules.top(["README.md", "Sources/A/A.swift", ".gitignore", "tools/x"]).isEmpty)
    let found = LayoutRules.top(["Makefile", "docs/a.md", "docs/b.md", ".venv-x", ".build/a"])
    #expect(found.map(\.path) == [".build", ".venv-x", "Makefile", "docs"])
  }

  @Test func targetsWithoutTestsFail() {
    let names = LayoutRules.untested(graph).map(\.text)
    #expect(names.count == 3)
    for name in ["Core", "Models", "Server"] {
      #expect(names.contains("\(name) has no \(name)Tests"))
    }
  }

  @Test func emptyTestTargetsFail() {
    let path = "Tests/HTTP2Tests/A.swift"
    let empty = RepositoryFile(path: path, text: "// @Test comes later\n")
    #expect(LayoutRules.emptyTests(graph, [empty]).count == 1)
    let full = RepositoryFile(path: path, text: "@Test func works() {}\n")
    #expect(LayoutRules.emptyTests(graph, [full]).isEmpty)
  }

  @Test func holesInTheCodeMapFail() {
    #expect(LayoutRules.codeMap(graph, nil).count == 1)
    let names = graph.targets.values.filter { $0.kind != .test }.map { "`\($0.name)`" }
    let map = RepositoryFile(path: "Sources/README.md", text: names.joined(separator: " "))
    #expect(LayoutRules.codeMap(graph, map).isEmpty)
    let less = RepositoryFile(path: map.path, text: map.text.replacing("`HTTP2`", with: "HTTP2"))
    #expect(LayoutRules.codeMap(graph, less).count == 1)
  }

  @Test func carelessScriptsFail() {
    let good = "#!/usr/bin/env bash\n# Does it.\nset -euo pipefail\nrm x\n"
    func check(_ text: String, _ path: String = "tools/x", executable: Bool = true) -> Int {
      LayoutRules.script(RepositoryFile(path: path, text: text), isExecutable: executable).count
    }
    #expect(check(good) == 0)
    #expect(check(good, executable: false) == 1)
    #expect(check(good.replacing("set -euo pipefail", with: "set -eu")) == 1)
    #expect(check(good.replacing("set -euo pipefail\nrm x", with: "rm x\nset -euo pipefail")) == 1)
    #expect(check(good.replacing("/usr/bin/env bash", with: "/bin/sh")) == 1)
    #expect(check("rm x\n", ".ci/run", executable: false) == 3)
    #expect(check("rm x\n", "tools/pipeline/lib.sh") == 2)
    #expect(check("import os\n", "tools/pipeline/rows.py", executable: false) == 0)
    #expect(check("rm x\n", "Sources/x", executable: false) == 0)
  }

  @Test func loosePinsFail() {
    let text = "numpy==2.4.6\nscipy\nh2>=4\n# note\n"
    let file = RepositoryFile(path: "Tests/Protocol/requirements.txt", text: text)
    #expect(LayoutRules.pins(file).map(\.line) == [2, 3])
  }
}
