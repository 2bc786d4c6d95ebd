import Testing

@Suite("Bans")
struct BanRulesTests {
  func code(_ text: String, _ path: String = "Sources/Core/A.swift") -> [Violation] {
    BanRules.code(RepositoryFile(path: path, text: text + "\n"))
  }

  @Test(arguments: [
    "let a = try! f()", "let a = b as! C", "print(1)", "debugPrint(a)", "dump(a)", "exit(1)",
    "let s = DispatchSource.makeTimerSource()", "let a = b!", "let a = f()!", "let a = b[0]!.c",
    "var a: C!", "let a = b!.c", "let a = \"x\".first!", "public struct A {}", "a?.b!",
    "public import Core", "let e = getenv(\"A\")", "ProcessInfo.processInfo", "usleep(3)",
    "struct A: @unchecked Sendable {}", "CommandLine.arguments", "nonisolated(unsafe) var a = 1",
  ])
  func bannedInSources(line: String) {
    #expect(code(line).count == 1, "\(code(line))")
  }

  @Test(arguments: [
    "// print(1), try! f(), a!", "/* b! /* try! */ c! */", "let s = \"print(1) a! try! \\(b)\"",
    "let s = \"\"\"\n  a! print(1)\n  \"\"\"", "let s = #\"a! \"b! \\(c)\"#", "if a != b {}",
    "if !a {}", "if a!=b {}", "fingerprint(a)", "self.print(a)", "let a = !b",
    "package struct A {}",
    "#if !os(Linux)", "_ = a ?? b", "let c: Character = \"!\"", "loop.exit(a)", "publicKey()",
    "// Unchecked: an address.\nstruct A: @unchecked Sendable {}",
    "// Written once.\nnonisolated(unsafe) let a: UnsafeRawPointer",
    "struct A: @unchecked Sendable {\n  // Unchecked: an address.",
    "let s = \"\\(f(\"a\") + \"!\")\"; let t = 1",
  ])
  func legalInSources(line: String) {
    #expect(code(line) == [])
  }

  @Test func documentationIsNoReason() {
    #expect(code("/// A thing.\nstruct A: @unchecked Sendable {}\n").count == 1)
    #expect(code("let a = 1  // note\nstruct A: @unchecked Sendable {}\n").count == 1)
  }

  @Test func executablesMayPrintAndTestsMayUnwrap() {
    #expect(code("print(1); exit(2)", "Sources/crescendo/A.swift") == [])
    #expect(code("let a = b!", "Tests/CoreTests/A.swift") == [])
    #expect(code("Thread.sleep(1)", "Tests/CoreTests/A.swift").count == 1)
  }

  @Test func nothingGenericCrossesModules() {
    let crossing = "package func f(_ a: some Sequence<Int>) {}"
    #expect(code(crossing).count == 1)
    #expect(code(crossing, "Sources/Client/A.swift") == [])
    #expect(code("package init(\n  a: some Collection<Int>\n) {}").count == 1)
    #expect(code("func f(_ a: some Sequence<Int>) {}") == [])
    #expect(code("package func f() {}\nprivate func g(_ a: some Sequence<Int>) {}") == [])
    #expect(code(crossing, "Tests/CoreTests/A.swift") == [])
  }

  @Test(arguments: [
    "clock_gettime(a, b)", "let d = Date()", "ContinuousClock.now", "Int.random(in: 0..<3)",
    "FileManager.default",
  ])
  func theDomainReadsNothing(line: String) {
    #expect(code(line, "Sources/Engine/A.swift").count == 1)
    #expect(code(line, "Sources/Transport/A.swift") == [])
  }

  func everywhere(_ text: String, _ path: String = "tools/x") -> [Violation] {
    BanRules.everywhere(RepositoryFile(path: path, text: text))
  }

  @Test func unfinishedWorkIsFound() {
    for word in BanRules.unfinished {
      #expect(everywhere("# \(word): later\n").count == 1)
      #expect(everywhere("let my\(word)s = 1\n").isEmpty)
    }
  }

  @Test func machinePathsAreFound() {
    for path in BanRules.machinePaths {
      #expect(everywhere("cd \(path)main\n").count == 1)
      #expect(everywhere("\(path)main\n").count == 1)
      #expect(everywhere("\"$out\(path)main\"\n").isEmpty)
    }
  }

  @Test func registriesAreFound() {
    for host in BanRules.registries { #expect(everywhere("see https://\(host)/x\n").count == 1) }
    #expect(everywhere("see https://github.com/apple/swift-log\n").isEmpty)
  }

  @Test func whiteSpaceIsFound() {
    #expect(everywhere("a \nb\t\nc\n").count == 2)
    #expect(everywhere("a").count == 1)
    #expect(everywhere("").isEmpty)
  }
}
