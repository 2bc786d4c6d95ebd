/// What another package may use is documented where it is declared.
enum DocumentationRules {
  /// What says all by its name, or what a protocol of the standard library documents.
  private static let known = [
    "import ", "init() {}", "typealias Element", "typealias Failure", "func makeAsyncIterator()",
    "mutating func next(isolation",
  ]

  static func faces(_ file: RepositoryFile) -> [Violation] {
    guard file.isSwift, file.isSource, BanRules.publicFaces.contains(file.target ?? "") else {
      return []
    }
    let source = SourceText(file.text)
    return source.code.indices.compactMap { index in
      let line = source.code[index].drop { $0 == " " }
      guard line.hasPrefix("public "), !known.contains(where: { line.dropFirst(7).hasPrefix($0) })
      else { return nil }
      // Attributes stand between a declaration and its comment.
      let above = source.code[..<index].lastIndex { !$0.drop { $0 == " " }.hasPrefix("@") }
      if let above, source.isDocumentation(above) { return nil }
      return Violation(file.path, index + 1, "public without a `///`: shape, unit, range, errors")
    }
  }
}
