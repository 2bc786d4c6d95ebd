internal import Core

extension CampaignStateMessage {
  fileprivate func write(_ writer: inout FieldWriter) {
    writer.text(1, id)
    writer.fixed64(2, key)
    writer.signed(3, status.rawValue)
    writer.text(4, currency)
    writer.signed(5, budgetMicros)
    writer.signed(6, settledMicros)
    writer.signed(7, reservedMicros)
    writer.signed(8, leasedMicros)
    writer.signed(9, plannedMicros)
    writer.signed(10, unpaidMicros)
    writer.number(11, exposures)
    writer.number(12, goals)
    writer.double(13, price)
    writer.fixed64(14, UInt64(bitPattern: startUnixMilliseconds))
    writer.fixed64(15, UInt64(bitPattern: endUnixMilliseconds))
    writer.number(16, UInt64(items))
    writer.number(17, UInt64(itemsKnown))
  }
}

extension ApplyCampaignsResponseMessage {
  package func encoded() -> [UInt8] {
    var writer = FieldWriter()
    var told = ApplyCampaignsResponseMessage.write(changes, &writer)
    if told < changes.count {
      writer = FieldWriter()
      told = ApplyCampaignsResponseMessage.write(
        changes.filter { $0.kind != .unchanged }, &writer)
    }
    let named = faults.prefix(Limits.campaignFaults)
    for fault in named { writer.message(2) { fault.write(&$0) } }
    writer.number(3, UInt64(faultsLeftOut) + UInt64(faults.count - named.count))
    writer.flag(4, applied)
    writer.number(5, UInt64(changesLeftOut) + UInt64(changes.count - told))
    writer.number(6, UInt64(added))
    writer.number(7, UInt64(changed))
    writer.number(8, UInt64(unchanged))
    let warned = warnings.prefix(Limits.campaignFaults)
    for warning in warned { writer.message(9) { warning.write(&$0) } }
    writer.number(10, UInt64(warningsLeftOut) + UInt64(warnings.count - warned.count))
    return writer.bytes
  }

  /// As many as there is room for.
  private static func write(_ changes: [CampaignChangeMessage], _ writer: inout FieldWriter)
    -> Int
  {
    for (index, change) in changes.enumerated() {
      var one = FieldWriter()
      one.message(1) { change.write(&$0) }
      guard writer.bytes.count + one.bytes.count <= Limits.campaignAnswerBytes else {
        return index
      }
      writer.bytes += one.bytes
    }
    return changes.count
  }
}

extension CampaignChangeMessage {
  fileprivate func write(_ writer: inout FieldWriter) {
    writer.text(1, campaignID)
    writer.signed(2, kind.rawValue)
    for field in fields {
      writer.message(3) { inner in
        inner.text(1, field.field)
        inner.text(2, field.before)
        inner.text(3, field.after)
      }
    }
  }
}

extension CampaignFaultMessage {
  fileprivate func write(_ writer: inout FieldWriter) {
    writer.number(1, UInt64(line))
    writer.text(2, field)
    writer.text(3, reason)
  }
}

extension GetCampaignResponseMessage {
  package func encoded() -> [UInt8] {
    var writer = FieldWriter()
    writer.message(1) { state.write(&$0) }
    writer.text(2, document)
    writer.numbers(3, spentSeriesMicros.lazy.map { UInt64(bitPattern: $0) })
    writer.numbers(4, plannedSeriesMicros.lazy.map { UInt64(bitPattern: $0) })
    return writer.bytes
  }
}

extension ListCampaignsResponseMessage {
  package func encoded() -> [UInt8] {
    var writer = FieldWriter()
    for campaign in campaigns {
      writer.message(1) { campaign.write(&$0) }
    }
    writer.flag(2, hasMore)
    return writer.bytes
  }
}

extension PauseCampaignResponseMessage {
  package func encoded() -> [UInt8] {
    var writer = FieldWriter()
    writer.message(1) { state.write(&$0) }
    return writer.bytes
  }
}

extension DiagnoseCampaignResponseMessage {
  package func encoded() -> [UInt8] {
    var writer = FieldWriter()
    writer.message(1) { state.write(&$0) }
    writer.signed(2, cause.rawValue)
    writer.text(3, summary)
    for reason in reasons {
      writer.message(4) { inner in
        inner.signed(1, reason.reason)
        inner.number(2, reason.count)
      }
    }
    writer.number(5, candidates)
    writer.number(6, boosted)
    writer.number(7, placed)
    writer.number(8, UInt64(sampledOneIn))
    return writer.bytes
  }
}
