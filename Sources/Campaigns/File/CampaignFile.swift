internal import Core
internal import Yams

/// The campaign file (`formats.md` §3): YAML, or JSON, which is YAML.
package enum CampaignFile {
  /// Why a file of items could not be read.
  package struct ItemFileFailure: Error, Sendable {
    package var reason: String

    package init(reason: String) {
      self.reason = reason
    }
  }

  /// The text of an `items_file`, whose path is relative to the campaign file.
  package typealias ItemFile = (_ path: String) throws(ItemFileFailure) -> String

  struct Context {
    var catalog: CampaignVocabulary
    var now: Int64
    var itemFile: ItemFile?
  }

  /// All of a document, checked, or all that is wrong with it.
  ///
  /// - Parameters:
  ///   - now: milliseconds since 1970; a flight that has ended by then is a fault.
  ///   - itemFile: reads an `items_file`; without it, as on a server, such a key is a fault.
  package static func parse(
    _ text: String, catalog: CampaignVocabulary, now: Int64, itemFile: ItemFile? = nil
  ) throws(FileFaults) -> CampaignDocument {
    guard text.utf8.count <= Limits.campaignFileBytes else {
      let reason = "\(text.utf8.count) bytes, and at most \(Limits.campaignFileBytes) are taken"
      let fault = FileFault(line: 1, field: "", reason: reason)
      throw FileFaults(kept: [fault], leftOut: 0)
    }
    let context = Context(catalog: catalog, now: now, itemFile: itemFile)
    var reading = DocumentReading(context: context)
    reading.read(DocumentText(text))
    if let faults = reading.reader.log.faults { throw faults }
    guard reading.document.campaigns.count > 0 || reading.document.policy != DocumentPolicy() else {
      throw FileFaults(
        kept: [FileFault(line: 1, field: "", reason: "there is nothing in it")], leftOut: 0)
    }
    return reading.document
  }
}

/// A document on its way from text to values.
struct DocumentReading {
  let context: CampaignFile.Context
  var reader = NodeReader()
  private(set) var document = CampaignDocument(
    policy: DocumentPolicy(), campaigns: [], places: [], currencyLine: nil)
  /// The number of the next campaign, and of all items before it.
  private var next = 0
  private var items = 0
  /// The line of each id.
  private var lines: [String: Int] = [:]

  init(context: CampaignFile.Context) {
    self.context = context
  }

  mutating func read(_ text: DocumentText) {
    text.badCharacters { reader.log.add(FileFault(line: $0, field: "", reason: $1)) }
    if reader.log.count > 0 { return }
    guard let block = text.block else { return whole(text) }
    reader.shiftAfter = block.keyLine
    reader.shift = block.endLine - block.keyLine - 1
    let before = reader.log.count
    let root = compose(text.head(without: block))
    if let root {
      guard isBlockKey(root, line: block.keyLine) else { return whole(text) }
      head(root)
    } else if reader.log.count == before {
      return whole(text)
    }
    entries(text, block)
  }

  /// In one piece: `campaigns` is no block sequence, or is not there.
  private mutating func whole(_ text: DocumentText) {
    (reader.shiftAfter, reader.shift) = (0, 0)
    guard let root = compose(text.text(0..<text.bytes.count)), let fields = head(root),
      let list = fields["campaigns"]
    else { return }
    reader.path = [.key("campaigns")]
    guard let nodes = reader.elements(list) else { return }
    if nodes.isEmpty { reader.fault(list, "it is empty; leave the key out") }
    for node in nodes where !isFull(reader.line(node)) { campaign(node) }
  }

  /// The line `campaigns:` is a key of the document, and no line within a text.
  private func isBlockKey(_ root: Node, line: Int) -> Bool {
    guard case .mapping(let mapping) = root, let first = mapping.first?.key.mark,
      let start = mapping.mark, (first.line, first.column) == (start.line, start.column)
    else { return false }
    return mapping.contains {
      $0.key.scalar?.string == "campaigns" && $0.key.mark?.line == line
        && $0.key.mark?.column == 1 && $0.value.sequence?.isEmpty == true
    }
  }

  @discardableResult
  private mutating func head(_ root: Node) -> NodeReader.Fields? {
    reader.path = []
    guard let fields = reader.fields(root, CampaignKeys.document) else { return nil }
    document.policy = reader.policy(fields, context.catalog)
    document.currencyLine = fields["currency"].map(reader.line)
    return fields
  }

  private mutating func entries(_ text: DocumentText, _ block: DocumentText.Block) {
    var part: DocumentText.Part?
    var batch: DocumentText.Part?
    reader.shiftAfter = 0
    while let entry = text.entry(block, after: part) {
      part = entry
      guard let open = batch else {
        batch = entry
        continue
      }
      if entry.bytes.upperBound - open.bytes.lowerBound <= Limits.campaignPartBytes {
        batch?.bytes = open.bytes.lowerBound..<entry.bytes.upperBound
      } else {
        guard self.batch(text, block, open) else { return }
        batch = entry
      }
    }
    if let batch { _ = self.batch(text, block, batch) }
  }

  /// Campaigns that are composed together, or one by one if that fails, so that each one's own
  /// fault is found; false if there are too many.
  private mutating func batch(
    _ text: DocumentText, _ block: DocumentText.Block, _ batch: DocumentText.Part
  ) -> Bool {
    if let root = try? YAMLPart.compose(text.text(batch.bytes)) { return campaigns(root, batch) }
    var part = DocumentText.Part(
      bytes: batch.bytes.lowerBound..<batch.bytes.lowerBound, line: batch.line)
    while let entry = text.entry(block, after: part),
      entry.bytes.upperBound <= batch.bytes.upperBound
    {
      part = entry
      reader.shift = entry.line - 1
      reader.path = [.key("campaigns"), .index(next)]
      if let root = compose(text.text(entry.bytes)) {
        guard campaigns(root, entry) else { return false }
      } else {
        if isFull(entry.line) { return false }
        next += 1
      }
    }
    return true
  }

  private mutating func campaigns(_ root: Node, _ part: DocumentText.Part) -> Bool {
    reader.shift = part.line - 1
    reader.path = [.key("campaigns")]
    guard let nodes = reader.elements(root) else { return true }
    for node in nodes {
      if isFull(reader.line(node)) { return false }
      campaign(node)
    }
    return true
  }

  /// nil for a fault, which is noted, and for a text without a value.
  private mutating func compose(_ text: String) -> Node? {
    do throws(YAMLPart.Refusal) {
      return try YAMLPart.compose(text)
    } catch {
      let other = error.other.map { " \(reader.line($0))" } ?? ""
      reader.fault(line: reader.line(error.line), error.reason + other)
      return nil
    }
  }

  /// There is no room for the campaign that starts in `line`; said once.
  private mutating func isFull(_ line: Int) -> Bool {
    if next < Limits.campaigns { return false }
    guard next == Limits.campaigns else { return true }
    next += 1
    reader.path = [.key("campaigns")]
    reader.fault(line: line, "there are more than \(Limits.campaigns) campaigns")
    return true
  }

  private mutating func campaign(_ node: Node) {
    reader.path = [.key("campaigns"), .index(next)]
    next += 1
    guard let (campaign, place) = reader.campaign(node, context) else { return }
    let before = items
    items += campaign.items.count
    if before <= Limits.campaignItems, items > Limits.campaignItems {
      let reason = "with these the campaigns have more than \(Limits.campaignItems) items"
      reader.within(.key("items")) { $0.fault(line: place.line, reason) }
    }
    if let line = lines.updateValue(place.idLine, forKey: campaign.id) {
      let reason = "\(quoted(campaign.id)) is the id of the campaign in line \(line) already"
      reader.within(.key("id")) { $0.fault(line: place.idLine, reason) }
    }
    // After a fault nobody asks for the document, and it would only take memory.
    guard reader.log.count == 0 else { return }
    document.campaigns.append(campaign)
    document.places.append(place)
  }
}
