extension WireReader {
  /// The path of the field whose value begins at `offset`, as in `user_columns[0].name`; nil when
  /// no known field does. The pre-scan has come that far, so that what lies before is sound.
  func fieldPath(at offset: Int, _ schema: RequestSchema = .scoreRequest) -> String? {
    var reader = self
    var repeats: [UInt32: Int] = [:]
    while !reader.isAtEnd, let field = try? reader.next() {
      guard let declared = schema.declaration(field.number) else { continue }
      let index = repeats[field.number, default: 0]
      repeats[field.number] = index + 1
      guard field.valueStart <= offset, offset <= field.end else { continue }
      let path = declared.isRepeated ? "\(declared.name)[\(index)]" : "\(declared.name)"
      if case .message(let inner) = schema.rule(field.number) {
        if let within = reader.inside(field).fieldPath(at: offset, inner) {
          return "\(path).\(within)"
        }
      } else if field.valueStart == offset {
        return path
      }
    }
    return nil
  }
}

extension RequestSchema {
  /// A field's name in proto/crescendo/v1/score.proto, and whether a message has several of it.
  fileprivate func declaration(_ number: UInt32) -> (name: StaticString, isRepeated: Bool)? {
    switch (self, number) {
    case (.scoreRequest, 1): ("request_id", false)
    case (.scoreRequest, 3): ("user_uri", false)
    case (.scoreRequest, 4): ("context", false)
    case (.scoreRequest, 6): ("item_uris", true)
    case (.scoreRequest, 7): ("candidate_columns", true)
    case (.scoreRequest, 8): ("user_columns", true)
    case (.scoreRequest, 10): ("model", false)
    case (.context, 1): ("market", false)
    case (.context, 2): ("surface", false)
    case (.context, 3): ("tier", false)
    case (.context, 6): ("segments", true)
    case (.column, 1): ("name", false)
    default: nil
    }
  }
}
