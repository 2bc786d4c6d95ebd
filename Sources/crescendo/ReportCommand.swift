import ArgumentParser
import Client
import Core
import Syscalls
import Wire

struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Report exposures from JSON lines; exits with 1 when some are not paid.",
    discussion: """
      A line is {"token": "…", "time": "2026-12-01T08:00:00Z", "goal": true}: the token of a \
      placement in base64, when it was heard (RFC 3339 or milliseconds since 1970; else now), and \
      whether the goal was reached; or an answer of `crescendo allocate --output json`, of which \
      every placement was heard now. A faulty line ends the report after what stands before it. \
      --timeout is how long an acknowledgement may take. Reporting twice changes nothing.
      """)

  @OptionGroup var target: TargetOptions

  @Argument(help: "The file; - is standard input.")
  var file = "-"

  @Option(help: "Exposures that go in one message, 1 to \(Limits.reportExposures).")
  var batch = 1_000

  @Option(help: "How often what was not acknowledged is sent again after a broken connection.")
  var retries = 1

  @Option(help: "How the answer is shown.")
  var output = OutputFormat.table

  /// Batches that wait for their acknowledgement: while one is made durable, others are on their
  /// way, and they are 16 times what is kept to be sent again.
  private static let batchesPending = 16
  /// Before the first retry, milliseconds; doubled for each further one.
  private static let pauseMilliseconds: Int32 = 200
  private static let pauseDoublings = 4

  func run() throws {
    guard (1...Limits.reportExposures).contains(batch) else {
      throw CommandFailure(.usage, "--batch is 1 to \(Limits.reportExposures)")
    }
    guard retries >= 0 else { throw CommandFailure(.usage, "--retries is at least 0") }
    var source = try ExposureSource(file, batch: batch)
    var report = ExposureReport()
    var failure: CommandFailure?
    do throws(CommandFailure) {
      try send(&source, &report)
    } catch {
      failure = error
    }
    try report.end(
      output, failure: failure, fault: source.fault.map { "\(file): \($0)" },
      isGood: report.isPaid)
  }

  /// All of the source, with as many attempts as there may be.
  private func send(_ source: inout ExposureSource, _ report: inout ExposureReport)
    throws(CommandFailure)
  {
    let address = try target.address(environment: Environment.value)
    var attempt = 0
    while true {
      do throws(ClientError) {
        let channel = try target.connect(to: address)
        return try converse(
          try channel.openStream(path: "\(WireNames.reportExposuresPath)"),
          &source, &report)
      } catch {
        guard attempt < retries, ReportCommand.isWorthAnother(error) else {
          throw CommandFailure(error, target: address)
        }
        try pause(before: attempt, address)
        attempt += 1
        report.resent += report.pending.reduce(0) { $0 + $1.lines.count }
      }
    }
  }

  private func pause(before attempt: Int, _ address: SocketAddress) throws(CommandFailure) {
    let milliseconds = ReportCommand.pauseMilliseconds << min(attempt, ReportCommand.pauseDoublings)
    do throws(SystemError) {
      // It watches nothing: what ends the wait is its time.
      _ = try Epoll(capacity: 1).wait(timeoutMilliseconds: milliseconds)
    } catch {
      throw CommandFailure(.unreachable(error), target: address)
    }
  }

  /// A broken connection, a server that goes away, an acknowledgement that does not come.
  static func isWorthAnother(_ error: ClientError) -> Bool {
    switch error {
    case .unreachable: true
    case .invalidRequest: false
    case .failed(let call):
      call.failure.code == .unavailable
        || (call.failure.code == .deadlineExceeded && call.origin == .client)
    }
  }

  /// First what was not acknowledged on another stream, then the rest.
  private func converse(
    _ stream: Channel.Stream, _ source: inout ExposureSource, _ report: inout ExposureReport
  ) throws(ClientError) {
    for batch in report.pending { try stream.send(batch.message.encoded()) }
    var hasFinished = false
    while true {
      while report.pending.count < ReportCommand.batchesPending, let next = source.next() {
        try stream.send(report.add(next.exposures, lines: next.lines).message.encoded())
      }
      if report.pending.isEmpty, !hasFinished {
        stream.finish()
        hasFinished = true
      }
      switch try stream.next(timeoutNanoseconds: target.timeout.nanoseconds) {
      case .message(let bytes):
        do throws(CallFailure) {
          try report.take(try ReportExposuresResponseMessage.decoded(bytes))
        } catch {
          throw .failed(FailedCall(error, origin: .client))
        }
      case .ended:
        guard report.pending.isEmpty else {
          let text = "the server ended the call before it acknowledged everything"
          throw .failed(FailedCall(CallFailure(.internalError, text), origin: .client))
        }
        return
      }
    }
  }
}

/// Batches of a file's exposures. It ends at the first fault.
struct ExposureSource: ~Copyable {
  private var reader: LineReader
  private let batch: Int
  private var isAtEnd = false
  /// Read and not taken: a line may have several.
  private var waiting: [(exposure: ExposureMessage, line: Int)] = []
  /// What is wrong with the file, and in which line.
  private(set) var fault: String?

  init(_ path: String, batch: Int) throws(CommandFailure) {
    self.batch = batch
    do throws(UsageError) {
      reader = try LineReader(path)
    } catch {
      throw CommandFailure(.usage, error.description)
    }
  }

  /// Nil after the last; empty lines are skipped.
  mutating func next() -> (exposures: [ExposureMessage], lines: [Int])? {
    while !isAtEnd, waiting.count < batch {
      do throws(UsageError) {
        guard let line = try reader.next() else {
          isAtEnd = true
          break
        }
        if line.allSatisfy(\.isWhitespace) { continue }
        do throws(UsageError) {
          let number = reader.number
          waiting += try ExposureLine.exposures(line, number: number).map { ($0, number) }
        } catch {
          throw UsageError("line \(reader.number): \(error)")
        }
      } catch {
        fault = error.description
        isAtEnd = true
      }
    }
    let taken = waiting.prefix(batch)
    waiting.removeFirst(taken.count)
    return taken.isEmpty ? nil : (taken.map(\.exposure), taken.map(\.line))
  }
}
