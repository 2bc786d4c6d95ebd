internal import Core
internal import Yams

/// A part of a campaign file, composed.
enum YAMLPart {
  typealias Refusal = YAMLSubset.Refusal

  /// nil for a text without a value.
  static func compose(_ text: String) throws(Refusal) -> Node? {
    var text = text
    let values = text.withUTF8 { bytes in
      Result { () throws(YAMLSubset.Refusal) in try YAMLSubset.values(bytes) }
    }
    switch values {
    case .failure(let refusal): throw refusal
    case .success(let count):
      guard count <= Limits.campaignPartValues else {
        throw Refusal(
          line: 1,
          reason: "over \(Limits.campaignPartValues) values in one piece; write `campaigns:` on a "
            + "line of its own and below it a `- ` for each campaign, which are read one by one")
      }
    }
    do {
      return try Parser(yaml: text, resolver: .basic, encoding: .utf8).singleRoot()
    } catch let error as YamlError {
      throw refusal(error)
    } catch {
      throw Refusal(line: 1, reason: "\(error)")
    }
  }

  private static func refusal(_ error: YamlError) -> Refusal {
    switch error {
    case .scanner(let context, let problem, let mark, _),
      .parser(let context, let problem, let mark, _),
      .composer(let context, let problem, let mark, _):
      guard let context else {
        return Refusal(line: mark.line, reason: "it is no YAML: \(problem)")
      }
      return Refusal(
        line: mark.line, reason: "it is no YAML: \(problem), \(context.text) from line",
        other: context.mark.line)
    case .duplicatedKeysInMapping(let duplicates, let context):
      let names = duplicates.prefix(20).map { quoted($0) }
      return Refusal(
        line: context.mark.line, reason: "\(listed(names)) stands twice in one mapping")
    case .reader(let problem, let offset, _, let yaml):
      let line = yaml.prefix(offset ?? 0).count { $0.isNewline } + 1
      return Refusal(line: line, reason: "it is no YAML: \(problem)")
    case .no, .memory, .writer, .emitter, .representer, .dataCouldNotBeDecoded:
      return Refusal(line: 1, reason: "it cannot be read as YAML: \(error)")
    }
  }
}
