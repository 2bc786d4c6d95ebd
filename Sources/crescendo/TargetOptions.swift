import ArgumentParser
import Client
import Syscalls

enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
  case table
  case json
}

/// Which server, and how long it may take: what every command that makes a call has.
struct TargetOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The server. Else CRESCENDO_TARGET, else \(TargetOptions.defaultTarget).",
      valueName: "host:port"))
  var target: String?

  @Option(
    name: .customLong("timeout"),
    help: """
      The call's deadline, for example 500us, 20ms, 1.5s; connecting is not counted. Else 1s, and \
      5m for `campaign apply`.
      """,
    transform: DurationArgument.init(parsing:))
  var givenTimeout: DurationArgument?

  var timeout: DurationArgument { givenTimeout ?? DurationArgument(nanoseconds: 1_000_000_000) }

  /// For calls whose work grows with what they are given: the largest campaign file takes a minute.
  var longTimeout: DurationArgument {
    givenTimeout ?? DurationArgument(nanoseconds: 300_000_000_000)
  }

  static let defaultTarget = "127.0.0.1:7001"
  /// For making the connection: a SYN that is lost comes again after 1 s and after 3 s.
  private static let connectTimeoutNanoseconds: UInt64 = 5_000_000_000

  /// As `call`, over a session; where none is spoken, by gRPC.
  func callSession<Answer>(
    _ body: (SessionChannel, Duration) throws(ClientError) -> Answer,
    orByGRPC fallback: (Channel, UInt64) throws(ClientError) -> Answer
  ) throws(CommandFailure) -> Answer {
    let address = try address(environment: Environment.value)
    let channel: SessionChannel
    do throws(SessionChannelError) {
      channel = try SessionChannel(address, SessionChannel.Options())
    } catch {
      if case .notSpoken = error { return try call(fallback) }
      throw CommandFailure(error, target: address)
    }
    do throws(ClientError) {
      return try body(channel, .nanoseconds(Int64(clamping: timeout.nanoseconds)))
    } catch {
      throw CommandFailure(error, target: address)
    }
  }

  /// The flag, else the environment, else the default.
  func address(environment: (String) -> String?) throws(CommandFailure) -> SocketAddress {
    let (text, origin) =
      if let target {
        (target, "--target")
      } else if let value = environment("CRESCENDO_TARGET"), !value.isEmpty {
        (value, "CRESCENDO_TARGET")
      } else {
        (TargetOptions.defaultTarget, "the default target")
      }
    guard let address = SocketAddress(text) else {
      throw CommandFailure(
        .usage,
        "\(origin) is \"\(text)\"; it is HOST:PORT, for example 127.0.0.1:7001 or [::1]:7001")
    }
    return address
  }

  /// Connects, and hands the channel and the call's timeout to `body`.
  func call<Answer>(_ body: (Channel, UInt64) throws(ClientError) -> Answer)
    throws(CommandFailure) -> Answer
  {
    let address = try address(environment: Environment.value)
    do throws(ClientError) {
      return try body(try connect(to: address), timeout.nanoseconds)
    } catch {
      throw CommandFailure(error, target: address)
    }
  }

  func connect(to address: SocketAddress) throws(ClientError) -> Channel {
    try Channel.connect(
      to: address, timeoutNanoseconds: TargetOptions.connectTimeoutNanoseconds)
  }
}
