/// A piece of HTML or SVG. Text and attributes are escaped when they get in, so that words of a
/// server or of a file cannot become markup.
struct Markup: Sendable, Equatable {
  private(set) var source: String

  /// Text between tags.
  init(text: String) {
    source = Markup.escaped(text)
  }

  /// A constant of ours: style and script.
  init(verbatim: StaticString) {
    source = "\(verbatim)"
  }

  /// Several, one after the other.
  init(_ parts: [Markup]) {
    source = parts.map(\.source).joined()
  }

  init(
    _ name: StaticString, _ attributes: KeyValuePairs<StaticString, String> = [:],
    _ children: [Markup] = []
  ) {
    let values = attributes.map { " \($0.key)=\"\(Markup.escaped($0.value))\"" }.joined()
    source = "<\(name)\(values)>" + children.map(\.source).joined()
    if !Markup.voidElements.contains("\(name)") { source += "</\(name)>" }
  }

  init(
    _ name: StaticString, _ attributes: KeyValuePairs<StaticString, String> = [:], text: String
  ) {
    self.init(name, attributes, [Markup(text: text)])
  }

  private static let voidElements: Set<String> = ["meta", "link", "br"]

  /// Control characters are shown as U+FFFD, but for line ends.
  static func escaped(_ text: String) -> String {
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result.append(contentsOf: "&amp;".unicodeScalars)
      case "<": result.append(contentsOf: "&lt;".unicodeScalars)
      case ">": result.append(contentsOf: "&gt;".unicodeScalars)
      case "\"": result.append(contentsOf: "&quot;".unicodeScalars)
      case "'": result.append(contentsOf: "&#39;".unicodeScalars)
      case "\n": result.append(scalar)
      default:
        let isControl = scalar.value < 0x20 || (scalar.value >= 0x7F && scalar.value < 0xA0)
        // Marks that turn the direction of text around would change what the page seems to say.
        let turns =
          (0x202A...0x202E).contains(scalar.value)
          || (0x2066...0x2069).contains(scalar.value)
        result.append(isControl || turns ? "\u{FFFD}" : scalar)
      }
    }
    return String(result)
  }
}
