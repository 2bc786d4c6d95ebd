import ArgumentParser
import Client
import Core
import Glibc
import Syscalls

/// The exit codes of every subcommand.
enum ExitStatus: Int32 {
  case ok = 0
  /// The question was answered, and the answer is no.
  case negative = 1
  case usage = 2
  case unreachable = 3
  case callFailed = 4
  /// The load generator did not keep its schedule: what it measured says nothing of the server.
  case fellBehind = 5
  /// What was to be looked at is missing or cannot be read: the question has no answer.
  case unreadable = 6
}

/// A command that cannot go on: its exit code, and one line that says what to do.
struct CommandFailure: Error, Equatable {
  var status: ExitStatus
  var message: String

  init(_ status: ExitStatus, _ message: String) {
    self.status = status
    self.message = message
  }

  /// What a failed call of `target` means to somebody at a terminal.
  init(_ error: ClientError, target: SocketAddress) {
    switch error {
    case .unreachable(let cause):
      self.init(.unreachable, CommandFailure.unreachable(cause, target))
    case .invalidRequest(let reason):
      self.init(.usage, reason)
    case .failed(let call):
      let failure = call.failure
      var line = "\(failure.code.name): \(printable(failure.message))"
      if call.origin != .server { line += " (\(target))" }
      if failure.code == .deadlineExceeded { line += "; allow more with --timeout" }
      self.init(.callFailed, line)
    }
  }

  init(_ error: SessionChannelError, target: SocketAddress) {
    switch error {
    case .unreachable(let reason):
      self.init(
        .unreachable, "cannot reach \(target): \(reason); is crescendo serve running?")
    case .notSpoken(let reason), .lost(let reason):
      self.init(.callFailed, "UNAVAILABLE: \(printable(reason)) (\(target))")
    case .tooLong: self.init(.usage, "the request is longer than the server takes")
    }
  }

  private static func unreachable(_ cause: SystemError, _ target: SocketAddress) -> String {
    if cause.isConnectionRefused {
      return "cannot reach \(target): \(cause.reason); is crescendo serve running?"
    }
    let reason = cause.call == "getaddrinfo" ? "no address for \(target.host)" : cause.reason
    return "cannot reach \(target): \(reason); is --target right?"
  }
}

/// How the process ends after an error: pure but for `leave`.
struct CommandEnd: Equatable {
  var exitCode: Int32
  var text: String
  /// Help, a version or a completion script is what was asked for, not an error.
  var isAnswer: Bool

  init(_ error: any Error) {
    if let failure = error as? CommandFailure {
      self.init(exitCode: failure.status.rawValue, text: failure.message, isAnswer: false)
      return
    }
    if let code = error as? ExitCode {
      self.init(exitCode: code.rawValue, text: "", isAnswer: false)
      return
    }
    let text = Crescendo.fullMessage(for: error)
    // The parser's own code for a wrong command line is 64 (EX_USAGE); ours is 2.
    let isAnswer = Crescendo.exitCode(for: error) == .success
    self.init(
      exitCode: isAnswer ? ExitStatus.ok.rawValue : ExitStatus.usage.rawValue, text: text,
      isAnswer: isAnswer)
  }

  private init(exitCode: Int32, text: String, isAnswer: Bool) {
    self.exitCode = exitCode
    self.text = text
    self.isAnswer = isAnswer
  }

  func leave() -> Never {
    if !text.isEmpty {
      if isAnswer { print(text) } else { StandardError.write(text + "\n") }
    }
    exit(exitCode)
  }
}
