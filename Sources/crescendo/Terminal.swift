import Glibc

enum StandardError {
  static func write(_ text: String) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(2, $0.baseAddress, $0.count) }
      // Nobody can be told that standard error is gone.
      guard count > 0 || errno == EINTR else { return }
      rest = rest.dropFirst(max(count, 0))
    }
  }
}

enum Environment {
  static func value(_ name: String) -> String? {
    guard let value = getenv(name) else { return nil }
    return String(cString: value)
  }
}

enum Terminal {
  static var isStandardOutput: Bool { isatty(1) == 1 }
}

/// Colours of a table: none unless somebody looks at it (https://no-color.org).
struct Palette {
  var isColoured: Bool

  static let plain = Palette(isColoured: false)

  static var standardOutput: Palette {
    let isWanted = (Environment.value("NO_COLOR") ?? "").isEmpty
    return Palette(
      isColoured: isWanted && Terminal.isStandardOutput && Environment.value("TERM") != "dumb")
  }

  enum Colour: String {
    case red = "31"
    case green = "32"
    case yellow = "33"
    case dim = "2"
  }

  func paint(_ text: String, _ colour: Colour) -> String {
    isColoured ? "\u{1B}[\(colour.rawValue)m\(text)\u{1B}[0m" : text
  }
}

/// `text` with U+FFFD for control characters, which a server must not send to a terminal.
func printable(_ text: String) -> String {
  var result = String.UnicodeScalarView()
  for scalar in text.unicodeScalars {
    let isControl = scalar.value < 0x20 || (scalar.value >= 0x7F && scalar.value < 0xA0)
    result.append(isControl ? "\u{FFFD}" : scalar)
  }
  return String(result)
}
