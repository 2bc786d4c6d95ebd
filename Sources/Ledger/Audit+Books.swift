package import Core

/// What lies beside the journal, against it.
extension Audit {
  /// What the end of an audit is checked by; nil = it is not known, and not checked.
  package struct Books: Sendable {
    /// What the storage keeps beside its rows.
    package var kept: StoredSums?
    /// The same of the rows that were read.
    package var found: StoredSums?
    /// What each definition says, by key.
    package var budgets: [UInt64: Micros]?

    package init(
      kept: StoredSums? = nil, found: StoredSums? = nil, budgets: [UInt64: Micros]? = nil
    ) {
      (self.kept, self.found, self.budgets) = (kept, found, budgets)
    }
  }

  /// What is no entry, before any entry.
  /// - Parameter isAsWritten: whether it has the seal that it was written with.
  package mutating func add(_ record: StoredRecord, isAsWritten: Bool = true) {
    switch record {
    case .allocation(let allocation) where !isAsWritten:
      note("\(allocation.name): it is not as it was written: its seal is another one")
    case .campaign(let campaign) where campaign.id.isEmpty: hasPolicy = true
    case .campaign(let campaign):
      if let other = definitions.updateValue(campaign.id, forKey: campaign.key), finding == nil {
        finding = Finding("the campaigns \(other) and \(campaign.id) have one key")
      }
    case .note(let key, let value): notes[key] = value
    case .allocation, .entry: break
    }
  }

  /// After the last entry: what is about no single one.
  package mutating func finish(_ books: Books) {
    guard finding == nil else { return }
    let reason =
      missingEnd(books.kept) ?? wrongDefinitions(books.budgets) ?? wrongNotes()
      ?? wrongSums(books)
    finding = reason.map { Finding($0) }
  }

  /// For what is found elsewhere, if nothing was found before.
  package mutating func note(_ reason: String) {
    if finding == nil { finding = Finding(reason) }
  }

  private func missingEnd(_ kept: StoredSums?) -> String? {
    let last = max(lastSequence, compactedThrough ?? 0)
    guard let kept, kept.sequence > last else { return nil }
    return "the journal ends with entry \(last), and \(kept.sequence) was written"
  }

  private func wrongDefinitions(_ budgets: [UInt64: Micros]?) -> String? {
    guard let budgets else { return nil }
    if !definitions.isEmpty, !hasPolicy { return "campaigns are stored without their policy" }
    for total in totals {
      guard let id = definitions[total.campaign] else {
        return "the campaign with key 0x\(String(total.campaign, radix: 16)) has money in the "
          + "journal, and no definition"
      }
      guard let budget = budgets[total.campaign] else { continue }
      if budget != total.funded {
        return "campaign \(id): its definition has a budget of \(budget), and the journal "
          + "funded it with \(total.funded)"
      }
    }
    let unfunded = definitions.filter { totalsOf[$0.key] == nil }.values.min()
    return unfunded.map { "campaign \($0): it has a definition, and no account in the journal" }
  }

  /// Every start writes its notes before its first entry.
  private func wrongNotes() -> String? {
    guard hasPolicy || !definitions.isEmpty else { return nil }
    let wanted = [Recovery.startNote, Recovery.clockNote, Recovery.timesNote]
    if let key = wanted.first(where: { notes[$0] == nil }) { return "the note \(key) is missing" }
    guard let start = NoteWords.decode(notes[Recovery.startNote] ?? [], count: 1)?.first else {
      return "the note \(Recovery.startNote) is damaged"
    }
    if start < lastStart {
      return "the note \(Recovery.startNote) tells of \(start) starts, and the journal has ids of "
        + "start \(lastStart)"
    }
    return nil
  }

  private func wrongSums(_ books: Books) -> String? {
    guard let kept = books.kept, let found = books.found else { return nil }
    return found.difference(from: kept)
  }
}
