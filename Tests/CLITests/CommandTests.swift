import ArgumentParser
import Client
import Core
import Syscalls
import Testing
import Wire

@testable import crescendo

private func score(_ arguments: String...) throws -> ScoreCommand {
  try #require(try Crescendo.parseAsRoot(["score"] + arguments) as? ScoreCommand)
}

private func end(_ arguments: String...) -> CommandEnd? {
  do {
    _ = try Crescendo.parseAsRoot(arguments)
    return nil
  } catch {
    return CommandEnd(error)
  }
}

private func noFile(_ path: String) throws(UsageError) -> String {
  throw UsageError("no file is read here: \(path)")
}

@Suite struct CommandEndTests {
  @Test func aWrongCommandLineIsTwo() {
    for arguments in [["bogus"], ["score", "--timeout", "20"], ["score", "--output", "xml"]] {
      do {
        _ = try Crescendo.parseAsRoot(arguments)
        Issue.record("\(arguments) was taken")
      } catch {
        let end = CommandEnd(error)
        #expect(end.exitCode == 2)
        #expect(!end.isAnswer)
        #expect(end.text.contains("Usage:"))
      }
    }
    #expect(end("score", "--timeout", "20")?.text.contains("for example 20ms") == true)
  }

  @Test func helpVersionAndCompletionAreAnswers() {
    for arguments in [["--help"], ["score", "--help"], ["--version"]] {
      do {
        var command = try Crescendo.parseAsRoot(arguments)
        try command.run()
        Issue.record("\(arguments) was taken")
      } catch {
        #expect(CommandEnd(error).exitCode == 0)
        #expect(CommandEnd(error).isAnswer)
      }
    }
    let script = end("--generate-completion-script", "bash")
    #expect(script?.isAnswer == true)
    #expect(script?.text.hasPrefix("#!/bin/bash") == true)
    #expect(end("--version")?.text == Version.text)
  }

  @Test func ourOwnFailuresKeepTheirCode() {
    #expect(CommandEnd(CommandFailure(.unreachable, "x")).exitCode == 3)
    #expect(CommandEnd(CommandFailure(.unreachable, "x")).text == "x")
    #expect(CommandEnd(ExitCode(1)).exitCode == 1)
    #expect(CommandEnd(ExitCode(1)).text.isEmpty)
  }

  @Test func clientErrorsAreOneLineThatSaysWhatToDo() throws {
    let target = try #require(SocketAddress("127.0.0.1:7001"))
    let refused = SystemError(call: "connect", number: 111, subject: "127.0.0.1:7001")
    #expect(
      CommandFailure(.unreachable(refused), target: target)
        == CommandFailure(
          .unreachable,
          "cannot reach 127.0.0.1:7001: connection refused; is crescendo serve running?"))
    let unknown = SystemError(call: "getaddrinfo", number: 99)
    #expect(
      CommandFailure(.unreachable(unknown), target: target).message
        == "cannot reach 127.0.0.1:7001: no address for 127.0.0.1; is --target right?")
    let failed = FailedCall(CallFailure(.notFound, "no such\nservice"), origin: .server)
    #expect(
      CommandFailure(.failed(failed), target: target)
        == CommandFailure(.callFailed, "NOT_FOUND: no such\u{FFFD}service"))
    let late = FailedCall(CallFailure(.deadlineExceeded, "late"), origin: .client)
    #expect(
      CommandFailure(.failed(late), target: target)
        == CommandFailure(
          .callFailed, "DEADLINE_EXCEEDED: late (127.0.0.1:7001); allow more with --timeout"))
    #expect(CommandFailure(.invalidRequest("x"), target: target) == CommandFailure(.usage, "x"))
  }
}

@Suite struct TargetOptionsTests {
  @Test func theFlagGoesBeforeTheEnvironment() throws {
    let flagged = try score("--target", "[::1]:1").target
    let bare = try score().target
    let environment: (String) -> String? = { $0 == "CRESCENDO_TARGET" ? "a.example:2" : nil }
    #expect(try flagged.address(environment: environment).description == "[::1]:1")
    #expect(try bare.address(environment: environment).description == "a.example:2")
    #expect(try bare.address(environment: { _ in nil }).description == "127.0.0.1:7001")
    #expect(try bare.address(environment: { _ in "" }).description == "127.0.0.1:7001")
    #expect(try bare.address(environment: environment).port == 2)
  }

  @Test(arguments: ["localhost", "localhost:", ":7001", "a:70000", "::1:7001"])
  func aTargetIsHostAndPort(text: String) throws {
    let options = try score("--target", text).target
    let failure = #expect(throws: CommandFailure.self) { try options.address { _ in nil } }
    #expect(failure?.status == .usage)
    #expect(failure?.message.hasPrefix("--target is \"\(text)\"") == true)
  }
}

@Suite struct ScoreCommandTests {
  @Test func everyFlagReachesTheRequest() throws {
    let command = try score(
      "--user", "0x2a", "--market", "SE", "--surface", "radio", "--tier", "free", "--segments",
      "a,b", "--time", "1970-01-01T00:00:01Z", "--utc-offset", "-60", "--items", "7,8",
      "--request-column", "recent=1,2", "--request-column", "old=3,4", "--user-column",
      "taste=0.5,1", "--model", "m", "--min-fidelity", "full", "--raw", "--request-id", "r",
      "--explain", "--timeout", "20ms")
    var expected = ScoreRequestMessage()
    expected.requestID = "r"
    expected.userID = 42
    expected.context.market = "SE"
    expected.context.surface = "radio"
    expected.context.tier = "free"
    expected.context.segments = ["a", "b"]
    expected.context.timeUnixMilliseconds = 1_000
    expected.context.utcOffsetMinutes = -60
    expected.itemIDs = [7, 8]
    expected.candidateColumns = [
      .init(name: "recent", values: [1, 2]), .init(name: "old", values: [3, 4]),
    ]
    expected.userColumns = [.init(name: "taste", values: [0.5, 1])]
    expected.minFidelity = 4
    expected.model = "m"
    expected.wantRaw = true
    // Which asks for what it explains.
    (expected.wantExplanations, expected.wantBoosts) = (true, true)
    #expect(try command.request(for: try command.itemList(readFile: noFile)) == expected)
    #expect(command.target.timeout.nanoseconds == 20_000_000)
  }

  @Test func whatIsNotSaidIsNotSent() throws {
    let command = try score("--items", "a:1", "--user", "user:9")
    var expected = ScoreRequestMessage()
    expected.userURI = "user:9"
    expected.itemURIs = ["a:1"]
    #expect(try command.request(for: try command.itemList(readFile: noFile)) == expected)
    let anonymous = try score("--items", "a:1", "--min-fidelity", "none")
    let request = try anonymous.request(for: try anonymous.itemList(readFile: noFile))
    #expect(request.userID == 0 && request.userURI.isEmpty)
    #expect(request.minFidelity == 1)
  }

  @Test func itemsComeFromAFileOrStandardInput() throws {
    for path in ["-", "shelf.txt"] {
      let command = try score("--items-file", path)
      let list = try command.itemList { asked throws(UsageError) in
        if asked != path { throw UsageError("another file: \(asked)") }
        return "1\n2\n"
      }
      #expect(list.ids == [1, 2])
    }
  }

  @Test(
    arguments: [
      ([], "name the items with --items or --items-file"),
      (["--items", "1", "--items-file", "-"], "--items and --items-file exclude each other"),
      (["--items", "1", "--top", "0"], "--top is at least 1"),
      (
        ["--items", "1,2", "--request-column", "a=1"], "--request-column a has 1 values for 2 items"
      ),
      (
        ["--items", "1", "--request-id", String(repeating: "ä", count: 33)],
        "--request-id has 66 bytes, over 64"
      ),
    ] as [([String], String)]) func aContradictionIsUsage(arguments: [String], message: String)
    throws
  {
    let command = try #require(
      try Crescendo.parseAsRoot(["score"] + arguments) as? ScoreCommand)
    let failure = #expect(throws: CommandFailure.self) {
      try command.request(for: try command.itemList(readFile: noFile))
    }
    #expect(failure == CommandFailure(.usage, message))
  }
}

@Suite struct OtherCommandTests {
  @Test func healthIsOneObject() {
    #expect(
      HealthCommand.json(service: "a.B", .notServing)
        == #"{"service":"a.B","status":"NOT_SERVING"}"#)
  }

  @Test func versionsComeFromTheLibraries() throws {
    let versions = Dictionary(
      uniqueKeysWithValues: VersionCommand.versions.map { ($0.key, $0.value) })
    #expect(Set(versions.keys) == ["crescendo", "swift", "nghttp2", "protobuf-c"])
    for (name, version) in versions {
      let parts = version.split(separator: ".").map { Int($0) }
      #expect(parts.count >= 2 && !parts.contains(nil), "\(name) \(version)")
    }
  }
}
