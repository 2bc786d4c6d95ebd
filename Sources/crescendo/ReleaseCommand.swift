import ArgumentParser
import Client
import Core
import Wire

struct ReleaseCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "release",
    abstract: "Give reservations back that will not be shown; exits with 1 when some stay.",
    discussion: """
      Tokens in base64, or a file of JSON lines: answers of `crescendo allocate --output json`, \
      or objects that have a token. A faulty line ends it after what stands before it. Releasing \
      twice changes nothing. SETTLED is what was reported before, paid or not.
      """)

  @OptionGroup var target: TargetOptions

  @Argument(help: ArgumentHelp("Tokens; without them a file is read.", valueName: "token"))
  var tokens: [String] = []

  @Option(name: .shortAndLong, help: "The file of JSON lines. Else -, which is standard input.")
  var file: String?

  @Option(help: "How the answer is shown.")
  var output = OutputFormat.table

  func run() throws {
    guard tokens.isEmpty || file == nil else {
      throw CommandFailure(.usage, "tokens are given, or --file, not both")
    }
    var source = try tokens.isEmpty ? TokenSource(file: file ?? "-") : TokenSource(tokens: tokens)
    var report = ReleaseReport()
    var failure: CommandFailure?
    do throws(CommandFailure) {
      try send(&source, &report)
    } catch {
      failure = error
    }
    try report.end(
      output, failure: failure, fault: source.fault, isGood: report.isGivenBack)
  }

  /// Call by call; without tokens the server is not asked.
  private func send(_ source: inout TokenSource, _ report: inout ReleaseReport)
    throws(CommandFailure)
  {
    guard var batch = source.next(Limits.releaseTokens) else { return }
    let address = try target.address(environment: Environment.value)
    do throws(ClientError) {
      let channel = try target.connect(to: address)
      while true {
        let outcomes = try channel.release(
          tokens: batch.map(\.bytes), timeoutNanoseconds: target.timeout.nanoseconds)
        report.add(batch, outcomes)
        guard let next = source.next(Limits.releaseTokens) else { return }
        batch = next
      }
    } catch {
      throw CommandFailure(error, target: address)
    }
  }
}

/// A token, and where it was read: `token 2`, `line 3, placement 0`.
struct PlacedToken: Equatable {
  var bytes: [UInt8]
  var place: String
}

/// Tokens from the command line or from a file's lines. It ends at the first fault.
struct TokenSource: ~Copyable {
  private var reader: LineReader?
  private let path: String
  /// Read and not taken: what is left of one line, or of the command line.
  private var waiting: [PlacedToken] = []
  /// What is wrong, and where.
  private(set) var fault: String?

  /// All of them are looked at before any is used.
  init(tokens: [String]) throws(CommandFailure) {
    reader = nil
    path = ""
    for (index, text) in tokens.enumerated() {
      do throws(UsageError) {
        let bytes = try TokenLine.bytes(of: text)
        waiting.append(PlacedToken(bytes: bytes, place: "token \(index + 1)"))
      } catch {
        throw CommandFailure(.usage, "token \(index + 1): \(error)")
      }
    }
  }

  init(file: String) throws(CommandFailure) {
    path = file
    do throws(UsageError) {
      reader = try LineReader(file)
    } catch {
      throw CommandFailure(.usage, error.description)
    }
  }

  /// At most `count`; nil after the last.
  mutating func next(_ count: Int) -> [PlacedToken]? {
    while waiting.count < count, fault == nil {
      do throws(UsageError) {
        guard let line = try reader?.next(), let number = reader?.number else { break }
        if line.allSatisfy(\.isWhitespace) { continue }
        do throws(UsageError) {
          waiting += try TokenLine.parse(line, number: number)
        } catch {
          throw UsageError("line \(number): \(error)")
        }
      } catch {
        fault = "\(path): \(error)"
      }
    }
    let tokens = Array(waiting.prefix(count))
    waiting.removeFirst(tokens.count)
    return tokens.isEmpty ? nil : tokens
  }
}
