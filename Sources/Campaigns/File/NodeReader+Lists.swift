internal import Core
internal import Yams

extension NodeReader {
  /// Names of which each may stand once; all of `known`, if that is known.
  mutating func names(_ node: Node, _ known: Set<String>?, isMarket: Bool = false) -> [String]? {
    guard let nodes = elements(node) else { return nil }
    if nodes.isEmpty {
      fault(node, "an empty list is for nobody; for all, leave the key out")
      return nil
    }
    if nodes.count > Limits.campaignNames {
      fault(node, "\(nodes.count) names, and at most \(Limits.campaignNames) are taken")
      return nil
    }
    var names: [String] = []
    var lines: [String: Int] = [:]
    for (index, node) in nodes.enumerated() {
      within(.index(index)) { reader in
        guard let name = reader.name(node) else { return }
        if isMarket, !TextRules.isCode(name, 2) {
          reader.fault(node, "\(quoted(name)) is not a market's two upper-case letters")
        } else if let known, !known.contains(name) {
          reader.unknown(node, name, known)
        } else if let line = lines.updateValue(reader.line(node), forKey: name) {
          reader.fault(node, "\(quoted(name)) stands twice, first in line \(line)")
        } else {
          names.append(name)
        }
      }
    }
    return names.count == nodes.count ? names : nil
  }

  mutating func unknown(_ node: Node, _ name: String, _ known: Set<String>) {
    let names = known.sorted()
    let hint = TextRules.nearest(name, names).map { "; did you mean \($0)?" } ?? ""
    let list = names.isEmpty ? "it knows none" : "it knows \(listed(names))"
    fault(node, "the snapshot does not know \(quoted(name)): \(list)\(hint)")
  }

  /// Items that stand in the file.
  mutating func items(_ node: Node) -> [String]? {
    guard let nodes = elements(node) else { return nil }
    if nodes.isEmpty {
      fault(node, "a campaign without items promotes nothing")
      return nil
    }
    var items = ItemCollector()
    for (index, node) in nodes.enumerated() {
      within(.index(index)) { reader in
        guard let text = reader.text(node) else { return }
        if let reason = items.add(text, line: reader.line(node)) { reader.fault(node, reason) }
      }
    }
    return items.items.count == nodes.count ? items.items : nil
  }

  /// Items that stand in a file of their own.
  mutating func items(fileOf node: Node, _ read: CampaignFile.ItemFile?) -> [String]? {
    guard let path = name(node) else { return nil }
    guard let read else {
      fault(node, "a server reads no files: `campaign apply` puts the items in their place")
      return nil
    }
    let steps = path.split(separator: "/", omittingEmptySubsequences: false)
    guard steps.first != "", !steps.contains("..") else {
      fault(node, "\(quoted(path)) does not lie beside the campaign file or below")
      return nil
    }
    let text: String
    do throws(CampaignFile.ItemFileFailure) {
      text = try read(path)
    } catch {
      fault(node, "\(quoted(path)): \(error.reason)")
      return nil
    }
    var items = ItemCollector()
    var isWhole = true
    for (line, item) in ItemCollector.lines(text) {
      guard let reason = items.add(item, line: line) else { continue }
      fault(node, "\(path):\(line): \(reason)")
      isWhole = false
    }
    if isWhole, items.items.isEmpty { fault(node, "\(path) has no item in it") }
    return isWhole && !items.items.isEmpty ? items.items : nil
  }
}

/// The items of one campaign.
struct ItemCollector {
  private(set) var items: [String] = []
  private var lines: [String: Int] = [:]

  /// Why `text` is not one more item; nil if it is.
  mutating func add(_ text: String, line: Int) -> String? {
    if let reason = TextRules.fault(inItem: text) { return reason }
    if let first = lines.updateValue(line, forKey: text) {
      return "\(quoted(text)) stands twice, first in line \(first)"
    }
    items.append(text)
    return nil
  }

  /// One item a line; empty lines, and from a `#` at the start or after a blank to the end of a
  /// line, are comments.
  static func lines(_ text: String) -> [(line: Int, item: String)] {
    var found: [(Int, String)] = []
    let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    for (index, line) in lines.enumerated() {
      var item = line
      var previous: Character = " "
      for index in line.indices {
        if line[index] == "#", previous.isWhitespace {
          item = line[..<index]
          break
        }
        previous = line[index]
      }
      while item.first?.isWhitespace == true { item.removeFirst() }
      while item.last?.isWhitespace == true { item.removeLast() }
      if !item.isEmpty { found.append((index + 1, String(item))) }
    }
    return found
  }
}
