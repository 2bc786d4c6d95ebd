/// Words and constructs that are not to be there: "X is banned, use Y".
enum BanRules {
  /// Targets whose `public` is a face for other packages.
  static let publicFaces: Set<String> = ["Client"]
  static let executables: Set<String> = ["crescendo", "crescendo-bench"]

  // Put together, so that this file does not break its own rules.
  static let unfinished = ["FIX" + "ME", "TO" + "DO", "XX" + "X"]
  static let machinePaths = ["/wo" + "rk/", "/ho" + "me/", "/ro" + "ot/", "/tmp" + "/h/"]
  static let registries = [
    "py" + "pi.org", "python" + "hosted.org", "npm" + "js.org", "crates" + ".io", "deb.deb" + "ian",
    "archive.ub" + "untu", "proxy.gol" + "ang", "maven" + ".org", "ruby" + "gems.org",
    "docker" + ".io", "arti" + "factory",
  ]

  /// In every tracked file.
  static func everywhere(_ file: RepositoryFile) -> [Violation] {
    guard !file.isGenerated else { return [] }
    var found: [Violation] = []
    for (index, line) in file.lines.enumerated() {
      for word in unfinished where words(String(line)).contains(word) {
        found.append(Violation(file.path, index + 1, "\(word): finish it, or say why it is so"))
      }
      for path in machinePaths where mentions(String(line), path) {
        found.append(Violation(file.path, index + 1, "\(path) is a path of one machine"))
      }
      for host in registries where line.contains(host) {
        found.append(Violation(file.path, index + 1, "\(host) is the host of a package registry"))
      }
      if line.last == " " || line.last == "\t" || line.last == "\r" {
        found.append(Violation(file.path, index + 1, "white space at the end of the line"))
      }
    }
    if !file.text.isEmpty && !file.text.hasSuffix("\n") {
      found.append(Violation(file.path, 0, "no newline at the end"))
    }
    return found
  }

  /// A path that starts there, and is not the middle of another one such as `$out/…/`.
  private static func mentions(_ line: String, _ path: String) -> Bool {
    line.ranges(of: path).contains { range in
      guard range.lowerBound > line.startIndex else { return true }
      let before = line[line.index(before: range.lowerBound)]
      return !(before.isLetter || before.isNumber || "._-}/".contains(before))
    }
  }

  /// What the compiler takes our word for: each says why beside it.
  static let claims = ["@unchecked Sendable", "nonisolated(unsafe)"]

  /// Files that a ban holds for.
  enum Scope { case everywhere, sources, libraries, domain }

  struct Ban {
    var token: String
    var use: String
    var scope: Scope

    init(_ token: String, in scope: Scope, use: String) {
      self.token = token
      self.use = use
      self.scope = scope
    }

    func applies(_ file: RepositoryFile) -> Bool {
      let target = file.target ?? ""
      return switch scope {
      case .everywhere: true
      case .sources: file.isSource
      case .libraries: file.isSource && !executables.contains(target)
      case .domain: file.isSource && ImportRules.domain.contains(target)
      }
    }
  }

  static let bans: [Ban] = [
    Ban("try!", in: .sources, use: "a typed error, or `#require` in a test"),
    Ban("as!", in: .sources, use: "`as?` with an error"),
    Ban("print(", in: .libraries, use: "the logger, or an answer of the executable"),
    Ban("debugPrint(", in: .libraries, use: "the logger"),
    Ban("dump(", in: .libraries, use: "the logger"),
    Ban("DispatchSource", in: .everywhere, use: "EventLoop: own epoll"),
    Ban("exit(", in: .libraries, use: "an error that the executable turns into a code"),
    Ban("getenv(", in: .libraries, use: "a value from the executable"),
    Ban("ProcessInfo", in: .libraries, use: "a value from the executable"),
    Ban("CommandLine", in: .libraries, use: "a value from the executable"),
    Ban("Thread.sleep", in: .everywhere, use: "a timer of the loop, or a condition"),
    Ban("usleep(", in: .everywhere, use: "a timer of the loop, or a condition"),
    Ban("Task.sleep", in: .everywhere, use: "a condition"),
    Ban("clock_gettime", in: .domain, use: "a time passed in"),
    Ban("Date(", in: .domain, use: "a time passed in"),
    Ban("ContinuousClock", in: .domain, use: "a time passed in"),
    Ban("SystemRandomNumberGenerator", in: .domain, use: "a source passed in"),
    Ban(".random(in", in: .domain, use: "a source passed in"),
    Ban("FileManager", in: .domain, use: "bytes passed in"),
    Ban("FileHandle", in: .domain, use: "bytes passed in"),
    Ban("Thread(", in: .domain, use: "an executor passed in"),
  ]

  /// In the code of Swift files, not in comments and literals.
  static func code(_ file: RepositoryFile) -> [Violation] {
    guard file.isSwift, file.target != nil else { return [] }
    let source = SourceText(file.text)
    var found = file.isSource && file.target != "Client" ? crossingGenerics(file, source) : []
    for (index, line) in source.code.enumerated() {
      for ban in bans where ban.applies(file) && has(line, ban.token) {
        found.append(Violation(file.path, index + 1, "\(ban.token) is banned, use \(ban.use)"))
      }
      if file.isSource && forcesUnwrap(line) {
        found.append(Violation(file.path, index + 1, "a force unwrap: use `guard let`"))
      }
      if file.isSource && words(line).contains("public")
        && !publicFaces.contains(file.target ?? "")
      {
        found.append(Violation(file.path, index + 1, "public is banned, use package"))
      }
      for claim in file.isSource ? claims : ["@unchecked Sendable"]
      where line.contains(claim) && !hasReason(source, index) {
        found.append(Violation(file.path, index + 1, "\(claim) without its reason beside it"))
      }
    }
    return found
  }

  /// Sequences of any kind that another module hands over: the runtime makes their types while
  /// threads run. "Nothing generic crosses modules on threads", in `Sources/README.md`.
  private static func crossingGenerics(
    _ file: RepositoryFile, _ source: SourceText
  ) -> [Violation] {
    var isCrossing = false
    var found: [Violation] = []
    for (index, line) in source.code.enumerated() {
      let here = words(line)
      if !here.isDisjoint(with: ["func", "init", "subscript", "var"]) {
        isCrossing = !here.isDisjoint(with: ["package", "public"])
      }
      guard isCrossing else { continue }
      for kind in ["some Sequence", "some Collection", "some RandomAccessCollection"]
      where has(line, kind) {
        found.append(Violation(file.path, index + 1, "\(kind) of another module: use an array"))
      }
    }
    return found
  }

  /// A comment on the line above or below the attribute. What documents the type is no reason.
  private static func hasReason(_ source: SourceText, _ index: Int) -> Bool {
    [index - 1, index + 1].contains { near in
      source.hasComment.indices.contains(near) && source.hasComment[near]
        && source.code[near].allSatisfy { $0 == " " } && !source.isDocumentation(near)
    }
  }

  /// The token, not as the tail of a longer name: `print(` but not `fingerprint(`.
  static func has(_ line: String, _ token: String) -> Bool {
    line.ranges(of: token).contains { range in
      guard range.lowerBound > line.startIndex, token.first?.isLetter == true else { return true }
      let before = line[line.index(before: range.lowerBound)]
      if token == "exit(" || token == "print(" || token == "dump(" {
        return !isWord(before) && before != "."
      }
      return !isWord(before)
    }
  }

  /// `value!`, `call()!`, `Type!`: an exclamation mark behind a word or a closing bracket that is
  /// not the start of `!=`. Those of `try!` and `as!` are bans of their own.
  static func forcesUnwrap(_ line: String) -> Bool {
    let letters = Array(line)
    return letters.indices.contains { index in
      guard letters[index] == "!", index > 0 else { return false }
      let before = letters[index - 1]
      let after = index + 1 < letters.count ? letters[index + 1] : " "
      guard isWord(before) || ")]}\"?`".contains(before), after != "=" else { return false }
      let word = String(letters[..<index].reversed().prefix { isWord($0) }.reversed())
      return word != "try" && word != "as"
    }
  }

  private static func isWord(_ letter: Character) -> Bool {
    letter.isLetter || letter.isNumber || letter == "_"
  }

  private static func words(_ line: String) -> Set<String> {
    Set(line.split { !isWord($0) }.map(String.init))
  }
}
