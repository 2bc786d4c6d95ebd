import Core
import Foundation
import Yams

/// The file of `serve --config`: YAML whose keys are the names of `serve`'s flags, and `limits`,
/// a mapping of limits.
enum ConfigFile {
  /// A configuration is some dozens of lines; what is longer is another file.
  private static let bytesMax = 1 << 20

  /// What the file gives, in its order; errors name file and line.
  static func read(_ path: String) throws(CommandFailure) -> [GivenSetting] {
    let data: Data
    do {
      let handle = try FileHandle(forReadingFrom: URL(filePath: path))
      defer { try? handle.close() }
      data = try handle.read(upToCount: bytesMax + 1) ?? Data()
    } catch {
      throw CommandFailure(.usage, "--config \(path): \(error.localizedDescription)")
    }
    guard data.count <= bytesMax else {
      throw CommandFailure(.usage, "--config \(path): it is over \(bytesMax) bytes")
    }
    guard let text = String(data: data, encoding: .utf8) else {
      throw CommandFailure(.usage, "--config \(path): it is not UTF-8")
    }
    do throws(UsageError) {
      return try parse(text, file: path)
    } catch {
      throw CommandFailure(.usage, "--config \(path)\(error)")
    }
  }

  /// The reasons start with `:LINE: ` or `: `.
  static func parse(_ text: String, file: String) throws(UsageError) -> [GivenSetting] {
    let root: Node?
    do {
      root = try Yams.compose(yaml: text)
    } catch {
      throw UsageError(": \(reason(error))")
    }
    // Nothing but comments.
    guard let root else { return [] }
    if case .scalar(let scalar) = root, scalar.string.isEmpty { return [] }
    var given: [GivenSetting] = []
    for (key, value) in try mapping(root, "the file") {
      let name = try scalar(key, "a key")
      let line = key.mark?.line ?? 0
      let origin = "\(file):\(line): \(name)"
      guard name == "limits" else {
        guard ServeSettings.names.contains(name) else {
          throw UsageError(
            ":\(line): there is no key \(name); there are "
              + (ServeSettings.names + ["limits"]).joined(separator: ", "))
        }
        given.append(GivenSetting(name: name, text: try scalar(value, name), origin: origin))
        continue
      }
      for (limit, value) in try mapping(value, "limits") {
        let limitName = try scalar(limit, "the name of a limit")
        given.append(
          GivenSetting(
            name: GivenSetting.limitPrefix + limitName, text: try scalar(value, limitName),
            origin: "\(file):\(limit.mark?.line ?? 0): limits.\(limitName)"))
      }
    }
    return given
  }

  private static func mapping(_ node: Node, _ what: String) throws(UsageError) -> Node.Mapping {
    guard case .mapping(let mapping) = node else {
      throw UsageError(":\(node.mark?.line ?? 0): \(what) has to be a mapping, `key: value`")
    }
    return mapping
  }

  private static func scalar(_ node: Node, _ what: String) throws(UsageError) -> String {
    guard case .scalar(let scalar) = node else {
      throw UsageError(":\(node.mark?.line ?? 0): \(what) has to be a single value")
    }
    return scalar.string
  }

  private static func reason(_ error: any Error) -> String {
    // Its description quotes the line with a mark under the column.
    (error as? YamlError).map(\.description) ?? error.localizedDescription
  }
}
