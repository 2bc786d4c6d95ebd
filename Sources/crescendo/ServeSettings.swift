import ArgumentParser
import Core
import Engine
import Logging
import Syscalls

/// One setting as text, and where it was said.
struct GivenSetting: Equatable {
  /// The name of `serve`'s flag without dashes, or `limitPrefix` and a limit's name.
  var name: String
  var text: String
  /// `--loops`, `CRESCENDO_LOOPS` or `FILE:LINE: loops`.
  var origin: String

  static let limitPrefix = "limits."
}

/// What `serve` runs by. Each setting is the first that is given: by flag, by environment
/// (`CRESCENDO_LOOPS`, …, `CRESCENDO_LIMITS`), by config file, by default.
struct ServeSettings {
  private(set) var listen = SocketAddress(host: "127.0.0.1", port: 7_001)
  private(set) var admin: SocketAddress?
  private(set) var snapshot = ""
  private(set) var mapped = false
  /// Empty: no campaigns.
  private(set) var data = ""
  private(set) var loops: Int?
  private(set) var shards: Int?
  private(set) var fanOut = FanOut.auto
  private(set) var plaintext = false
  private(set) var busyPoll = false
  private(set) var logLevel = Logger.Level.info
  private(set) var limits = ServingLimits()
  /// Of what was given: by its name, who said it.
  private(set) var origins: [String: String] = [:]

  static let names = [
    "listen", "admin", "snapshot", "data", "mmap", "loops", "shards", "fanout", "plaintext",
    "busy-poll",
    "log-level",
  ]
  static let threadsMax = 256

  /// The layers one after the other, the strongest first. Everything that is given is checked,
  /// also what a stronger layer hides.
  init(layers: [[GivenSetting]]) throws(UsageError) {
    var limits: [String: UInt64] = [:]
    for given in layers.reversed().joined() {
      do throws(UsageError) {
        if given.name.hasPrefix(GivenSetting.limitPrefix) {
          let name = String(given.name.dropFirst(GivenSetting.limitPrefix.count))
          let value = try LimitArgument.value(given.text, of: name)
          try ServeSettings.check(name, value)
          limits[name] = value
        } else {
          try take(given.name, given.text)
        }
      } catch {
        throw UsageError("\(given.origin): \(error)")
      }
      origins[given.name] = given.origin
    }
    do throws(LimitError) {
      self.limits = try ServingLimits(replacing: limits)
    } catch {
      throw UsageError("limits: \(error)")
    }
    try checkAddresses()
  }

  /// One limit by itself, so that its error names who said it; how it goes with others is known
  /// when all of them are.
  private static func check(_ name: String, _ value: UInt64) throws(UsageError) {
    do throws(LimitError) {
      try ServingLimits.check(name, value)
    } catch {
      throw UsageError("\(error)")
    }
  }

  private mutating func take(_ name: String, _ text: String) throws(UsageError) {
    switch name {
    case "listen": listen = try ServeSettings.address(text, example: "127.0.0.1:7001")
    case "admin": admin = try ServeSettings.address(text, example: "127.0.0.1:9090")
    case "snapshot":
      guard !text.isEmpty else { throw UsageError("a folder is expected") }
      snapshot = text
    case "data":
      guard !text.isEmpty else { throw UsageError("a folder is expected") }
      data = text
    case "mmap": mapped = try ServeSettings.flag(text)
    case "loops": loops = try ServeSettings.threads(text)
    case "shards": shards = try ServeSettings.threads(text)
    case "fanout":
      guard let value = FanOut(rawValue: text) else {
        throw UsageError("auto, always or never are possible, not \"\(text)\"")
      }
      fanOut = value
    case "plaintext": plaintext = try ServeSettings.flag(text)
    case "busy-poll": busyPoll = try ServeSettings.flag(text)
    case "log-level":
      guard let value = Logger.Level(rawValue: text) else {
        throw UsageError("\"\(text)\" is no log level")
      }
      logLevel = value
    default: throw UsageError("there is no such setting")
    }
  }

  private static func address(_ text: String, example: String) throws(UsageError)
    -> SocketAddress
  {
    guard let address = SocketAddress(text) else {
      throw UsageError("HOST:PORT is expected, for example \(example), not \"\(text)\"")
    }
    return address
  }

  private static func flag(_ text: String) throws(UsageError) -> Bool {
    switch text {
    case "true", "1": return true
    case "false", "0": return false
    default: throw UsageError("true or false are possible, not \"\(text)\"")
    }
  }

  private static func threads(_ text: String) throws(UsageError) -> Int {
    guard let count = Int(text), (1...threadsMax).contains(count) else {
      throw UsageError("1 to \(threadsMax) are possible, not \"\(text)\"")
    }
    return count
  }

  private func checkAddresses() throws(UsageError) {
    for (name, address) in [("listen", listen), ("admin", admin)] {
      guard let address, !address.isLoopback, !plaintext else { continue }
      throw UsageError(
        "\(origins[name] ?? "--\(name)") \(address) can be reached from other machines, "
          + "and TLS is not served yet: listen on 127.0.0.1, or say --plaintext")
    }
  }
}

extension ServeSettings {
  /// The layer of the environment: `CRESCENDO_` and a flag's name, and `CRESCENDO_LIMITS`
  /// (`NAME=VALUE,NAME=VALUE`). An empty one is none.
  static func environment(_ value: (String) -> String?) throws(UsageError) -> [GivenSetting] {
    var given: [GivenSetting] = []
    for name in names {
      let variable =
        "CRESCENDO_" + name.uppercased().split(separator: "-").joined(separator: "_")
      if let text = value(variable), !text.isEmpty {
        given.append(GivenSetting(name: name, text: text, origin: variable))
      }
    }
    for limit in (value("CRESCENDO_LIMITS") ?? "").split(separator: ",") {
      given.append(try self.limit(String(limit), origin: "CRESCENDO_LIMITS"))
    }
    return given
  }

  /// `NAME=VALUE` as its setting.
  static func limit(_ text: String, origin: String) throws(UsageError) -> GivenSetting {
    do throws(UsageError) {
      let (name, value) = try LimitArgument.split(text)
      return GivenSetting(
        name: GivenSetting.limitPrefix + name, text: value, origin: "\(origin) \(name)")
    } catch {
      throw UsageError("\(origin) \(text): \(error)")
    }
  }

  /// The whole of it as a config file, with the origin of each line.
  var yaml: String {
    var lines: [String] = []
    func add(_ name: String, _ text: String?, indent: String = "", key: String? = nil) {
      let line = indent + (text.map { "\(name): \($0)" } ?? "# \(name):")
      lines.append("\(line)  # \(origins[key ?? name] ?? "default")")
    }
    add("listen", "\"\(listen)\"")
    add("admin", admin.map { "\"\($0)\"" })
    add("snapshot", snapshot.isEmpty ? nil : JSONText.string(snapshot))
    add("data", data.isEmpty ? nil : JSONText.string(data))
    add("mmap", "\(mapped)")
    add("loops", loops.map(String.init))
    add("shards", shards.map(String.init))
    add("fanout", fanOut.rawValue)
    add("plaintext", "\(plaintext)")
    add("busy-poll", "\(busyPoll)")
    add("log-level", logLevel.rawValue)
    lines.append("limits:")
    for setting in ServingLimits.settings {
      add(
        setting.name, LimitArgument.text(setting.read(limits), of: setting.name), indent: "  ",
        key: GivenSetting.limitPrefix + setting.name)
    }
    return lines.joined(separator: "\n")
  }
}
