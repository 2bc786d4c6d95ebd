import Core
import Engine
import Logging
import Syscalls
import Testing

@testable import crescendo

struct ServeSettingsTests {
  private func flag(_ name: String, _ text: String) -> GivenSetting {
    GivenSetting(name: name, text: text, origin: "--\(name)")
  }

  @Test func theStrongestLayerCounts() throws {
    let environment = try ServeSettings.environment { name in
      ["CRESCENDO_LOOPS": "3", "CRESCENDO_LOG_LEVEL": "debug", "CRESCENDO_SHARDS": ""][name]
    }
    let file = try ConfigFile.parse(
      """
      # what this machine serves by
      loops: 4
      shards: 5
      mmap: true
      limits:
        candidates: 20
        stallNanoseconds: 5m
      """, file: "c.yaml")
    let limit = try ServeSettings.limit("candidates=30", origin: "--limit")
    let settings = try ServeSettings(layers: [[flag("fanout", "never"), limit], environment, file])
    #expect(settings.loops == 3)
    #expect(settings.shards == 5)
    #expect(settings.mapped)
    #expect(settings.logLevel == .debug)
    #expect(settings.fanOut == .never)
    #expect(settings.limits.candidates == 30)
    #expect(settings.limits.stallNanoseconds == 300_000_000_000)
    #expect(settings.listen.description == "127.0.0.1:7001")
    #expect(settings.origins["loops"] == "CRESCENDO_LOOPS")
    #expect(settings.origins["shards"] == "c.yaml:3: shards")
    #expect(settings.origins["limits.candidates"] == "--limit candidates")
  }

  @Test func whatIsPrintedIsReadBackAsTheSame() throws {
    let limits = try ["messageBytes=8MiB", "drainNanoseconds=1500ms", "headerCount=17"].map {
      try ServeSettings.limit($0, origin: "--limit")
    }
    let first = try ServeSettings(layers: [
      [
        flag("listen", "[::1]:0"), flag("admin", "127.0.0.1:9090"), flag("loops", "2"),
        flag("snapshot", "a \"folder\": #1"), flag("plaintext", "true"),
      ] + limits
    ])
    let second = try ServeSettings(layers: [ConfigFile.parse(first.yaml, file: "f")])
    #expect(second.listen == first.listen)
    #expect(second.admin == first.admin)
    #expect(second.snapshot == "a \"folder\": #1")
    #expect(second.loops == 2 && second.shards == nil)
    #expect(second.plaintext)
    #expect(second.limits == first.limits)
    #expect(first.yaml.contains("  messageBytes: 8MiB  # --limit messageBytes\n"))
    #expect(first.yaml.contains("  drainNanoseconds: 1500ms  # --limit drainNanoseconds\n"))
  }

  @Test func anEmptyFileGivesNothing() throws {
    #expect(try ConfigFile.parse("", file: "f") == [])
    #expect(try ConfigFile.parse("# nothing\n", file: "f") == [])
  }

  @Test(arguments: [
    ("loops: 4\nsnapshots: x\n", ":2: there is no key snapshots; there are listen, admin, "),
    ("loops: [1]\n", ":1: loops has to be a single value"),
    ("- loops\n", ":1: the file has to be a mapping"),
    ("mmap: true\nlimits: 5\n", ":2: limits has to be a mapping"),
    ("limits:\n  candidates:\n    - 1\n", ":3: candidates has to be a single value"),
    ("loops: 1\nloops: 2\n", ": "),
    ("a: [", ": "),
  ])
  func brokenFiles(_ text: String, _ reason: String) {
    #expect {
      try ConfigFile.parse(text, file: "f")
    } throws: { error in
      (error as? UsageError)?.description.hasPrefix(reason) == true
    }
  }

  @Test(arguments: [
    ("loops", "0", "--loops: 1 to 256 are possible, not \"0\""),
    ("shards", "two", "--shards: 1 to 256 are possible, not \"two\""),
    ("fanout", "some", "--fanout: auto, always or never are possible, not \"some\""),
    ("mmap", "yes", "--mmap: true or false are possible, not \"yes\""),
    ("log-level", "loud", "--log-level: \"loud\" is no log level"),
    ("snapshot", "", "--snapshot: a folder is expected"),
    ("limits.candidate", "1", "--limits.candidate: there is no limit candidate; is it candidates?"),
    (
      "limits.candidates", "1k",
      "--limits.candidates: a whole number is expected, not \"1k\""
    ),
    (
      "limits.arenaBytes", "1MiB", "limits: messageBytes (4194304) is over arenaBytes (1048576)"
    ),
  ])
  func refusals(_ name: String, _ text: String, _ reason: String) {
    #expect(throws: UsageError(reason)) {
      try ServeSettings(layers: [[flag(name, text)]])
    }
  }

  @Test func whatAStrongerLayerHidesIsCheckedToo() {
    #expect(throws: UsageError("--loops: 1 to 256 are possible, not \"none\"")) {
      try ServeSettings(layers: [[flag("loops", "2")], [flag("loops", "none")]])
    }
  }

  @Test func addressesThatOthersReachAreRefused() {
    for name in ["listen", "admin"] {
      #expect {
        try ServeSettings(layers: [[flag(name, "0.0.0.0:1")]])
      } throws: { error in
        (error as? UsageError)?.description.hasPrefix("--\(name) 0.0.0.0:1 can be reached") == true
      }
    }
  }

  @Test(arguments: [
    ("stallNanoseconds", "5", 5), ("stallNanoseconds", "1.5s", 1_500_000_000),
    ("messageBytes", "64KiB", 65_536), ("messageBytes", "77", 77), ("candidates", "9", 9),
    ("arenaBytes", "2GiB", 2 << 30),
  ])
  func values(_ name: String, _ text: String, _ value: UInt64) throws {
    #expect(try LimitArgument.value(text, of: name) == value)
    #expect(try LimitArgument.value(LimitArgument.text(value, of: name), of: name) == value)
  }

  @Test(arguments: [
    ("messageBytes", "5MB"), ("messageBytes", "KiB"), ("messageBytes", "18446744073709551615KiB"),
    ("stallNanoseconds", "5 m"), ("candidates", "-1"), ("candidates", "5KiB"), ("candidates", ""),
  ])
  func valuesThatAreNone(_ name: String, _ text: String) {
    #expect(throws: UsageError.self) { try LimitArgument.value(text, of: name) }
  }

  @Test(arguments: ["candidates", "=5", ""])
  func limitsWithoutNameOrValue(_ text: String) {
    #expect(throws: UsageError.self) { try ServeSettings.limit(text, origin: "--limit") }
  }
}
