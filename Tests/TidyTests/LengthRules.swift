/// Small files, small functions, narrow lines.
enum LengthRules {
  static let fileLines = 300
  static let fileLinesAtMost = 600
  static let functionLines = 70
  static let lineColumns = 100

  /// Files over `fileLines`, each with the length that it may not exceed any more. A ratchet:
  /// numbers only fall, and an entry goes when its file is short enough.
  static let longFiles: [String: Int] = [
    "Tests/Protocol/test_backpressure.py": 337,
    "Tests/Protocol/test_gzip.py": 326,
    "Tests/Protocol/test_streaming.py": 417,
  ]

  static func applies(_ file: RepositoryFile) -> Bool {
    file.isSwift || file.isC || file.isPython
  }

  static func file(_ file: RepositoryFile, long: [String: Int] = longFiles) -> [Violation] {
    guard applies(file) else { return [] }
    let count = file.lines.count
    if count > fileLinesAtMost {
      return [Violation(file.path, 0, "\(count) lines; \(fileLinesAtMost) at the very most")]
    }
    guard let allowed = long[file.path] else {
      return count > fileLines
        ? [Violation(file.path, 0, "\(count) lines; \(fileLines) wanted")] : []
    }
    if count > allowed {
      return [Violation(file.path, 0, "grew from \(allowed) to \(count) lines")]
    }
    return count <= fileLines
      ? [Violation(file.path, 0, "\(count) lines now: take it off LengthRules.longFiles")] : []
  }

  /// Entries of the ratchet whose file is gone.
  static func stale(_ files: [RepositoryFile], long: [String: Int] = longFiles) -> [Violation] {
    let paths = Set(files.map(\.path))
    return long.keys.filter { !paths.contains($0) }
      .map { Violation($0, 0, "is gone: take it off LengthRules.longFiles") }
  }

  /// Columns are characters, as `swift format` counts them.
  static func lines(_ file: RepositoryFile) -> [Violation] {
    guard file.isSwift || file.isC else { return [] }
    return file.lines.enumerated().compactMap { index, line in
      line.count > lineColumns
        ? Violation(file.path, index + 1, "\(line.count) columns; \(lineColumns) at most") : nil
    }
  }

  static func functions(_ file: RepositoryFile) -> [Violation] {
    let code = SourceText(file.text).code
    let found = file.isSwift ? swiftFunctions(code) : file.isC ? cFunctions(code) : []
    return found.filter { $0.count > functionLines }.map {
      Violation(file.path, $0.line, "a function of \($0.count) lines; \(functionLines) at most")
    }
  }

  struct Function: Equatable {
    var line: Int
    var count: Int
  }

  /// Functions, initializers, deinitializers and subscripts with a body, from the line of their
  /// keyword to that of their closing brace.
  static func swiftFunctions(_ code: [String]) -> [Function] {
    var found: [Function] = []
    for (index, line) in code.enumerated() where declaresFunction(line) {
      if let end = endOfBody(code, from: index) {
        found.append(Function(line: index + 1, count: end - index + 1))
      }
    }
    return found
  }

  private static let modifiers: Set<Substring> = [
    "public", "package", "internal", "private", "fileprivate", "static", "class", "final",
    "override", "mutating", "nonmutating", "consuming", "borrowing", "convenience", "required",
    "nonisolated", "async", "isolated", "@inlinable", "@inline(__always)", "@inline(never)",
    "@discardableResult", "@usableFromInline", "@Sendable", "@MainActor", "@Test", "indirect",
    "dynamic", "optional", "prefix", "postfix", "infix", "open", "@_transparent", "@_cdecl",
  ]

  private static func declaresFunction(_ line: String) -> Bool {
    var isInAttribute = false
    for word in line.split(whereSeparator: { $0 == " " || $0 == "\t" }) {
      if isInAttribute || word.hasPrefix("@") && word.contains("(") {
        isInAttribute = !word.hasSuffix(")")
        continue
      }
      if word == "func" || word == "deinit" { return true }
      for keyword in ["init(", "init?(", "init<", "init?<", "subscript(", "subscript<"]
      where word.hasPrefix(keyword) {
        return true
      }
      guard modifiers.contains(word) || word.hasPrefix("@") else { return false }
    }
    return false
  }

  /// The line of the brace that closes the body; nil for a declaration without one.
  private static func endOfBody(_ code: [String], from start: Int) -> Int? {
    var parentheses = 0
    var braces = 0
    for index in start..<code.count {
      if index > start && braces == 0 && parentheses == 0 {
        let trimmed = code[index].drop { $0 == " " }
        if declaresFunction(code[index]) || trimmed.isEmpty { return nil }
      }
      for letter in code[index] {
        switch letter {
        case "(", "[": parentheses += 1
        case ")", "]": parentheses -= 1
        case "{": braces += parentheses == 0 || braces > 0 ? 1 : 0
        case "}":
          if braces == 0 && parentheses == 0 { return nil }
          braces -= braces > 0 ? 1 : 0
          if braces == 0 && parentheses == 0 { return index }
        default: break
        }
      }
    }
    return nil
  }

  /// Blocks of braces at the top level with a parenthesis before them.
  static func cFunctions(_ code: [String]) -> [Function] {
    var found: [Function] = []
    var depth = 0
    var start = 0
    var header = ""
    for (index, line) in code.enumerated() where !line.hasPrefix("#") {
      for letter in line {
        if letter == "{" {
          if depth == 0 { start = index }
          depth += 1
        } else if letter == "}" {
          depth -= 1
          if depth == 0 {
            if header.contains("(") {
              found.append(Function(line: start + 1, count: index - start + 1))
            }
            header = ""
          }
        } else if depth == 0 {
          header = letter == ";" ? "" : header + String(letter)
        }
      }
    }
    return found
  }
}
