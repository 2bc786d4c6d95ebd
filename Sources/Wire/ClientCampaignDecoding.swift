internal import CCrescendoProto
internal import CProtobufC
package import Core

extension ApplyCampaignsResponseMessage {
  /// INTERNAL when the bytes are no such message; so it is with its neighbours.
  package static func decoded(_ bytes: [UInt8]) throws(CallFailure)
    -> ApplyCampaignsResponseMessage
  {
    let name = "crescendo.v1.ApplyCampaignsResponse"
    return try withBoundedAllocator(messageBytes: bytes.count) { allocator throws(CallFailure) in
      guard
        let message = crescendo__v1__apply_campaigns_response__unpack(
          allocator, bytes.count, bytes)
      else { throw undecodable(name) }
      defer { crescendo__v1__apply_campaigns_response__free_unpacked(message, allocator) }
      let reader = TextReader(message: name)
      var response = ApplyCampaignsResponseMessage()
      for element in array(message.pointee.changes, message.pointee.n_changes) {
        guard let element else { continue }
        response.changes.append(try CampaignChangeMessage(element.pointee, reader))
      }
      for element in array(message.pointee.faults, message.pointee.n_faults) {
        guard let element else { continue }
        response.faults.append(try CampaignFaultMessage(element.pointee, reader, "faults"))
      }
      response.faultsLeftOut = message.pointee.faults_left_out
      for element in array(message.pointee.warnings, message.pointee.n_warnings) {
        guard let element else { continue }
        response.warnings.append(try CampaignFaultMessage(element.pointee, reader, "warnings"))
      }
      response.warningsLeftOut = message.pointee.warnings_left_out
      response.applied = message.pointee.applied != 0
      response.changesLeftOut = message.pointee.changes_left_out
      response.added = message.pointee.added
      response.changed = message.pointee.changed
      response.unchanged = message.pointee.unchanged
      return response
    }
  }
}

extension CampaignFaultMessage {
  fileprivate init(
    _ message: Crescendo__V1__CampaignFault, _ reader: TextReader, _ list: String
  ) throws(CallFailure) {
    self.init(
      line: message.line, field: try reader.text(message.field, "\(list).field"),
      reason: try reader.text(message.reason, "\(list).reason"))
  }
}

extension CampaignChangeMessage {
  fileprivate init(_ message: Crescendo__V1__CampaignChange, _ reader: TextReader)
    throws(CallFailure)
  {
    self.init(
      campaignID: try reader.text(message.campaign_id, "changes.campaign_id"),
      kind: Kind(rawValue: Int32(bitPattern: message.kind.rawValue)))
    for element in array(message.fields, message.n_fields) {
      guard let field = element?.pointee else { continue }
      fields.append(
        Field(
          field: try reader.text(field.field, "changes.fields.field"),
          before: try reader.text(field.before, "changes.fields.before"),
          after: try reader.text(field.after, "changes.fields.after")))
    }
  }
}

extension CampaignStateMessage {
  fileprivate init(
    _ state: UnsafeMutablePointer<Crescendo__V1__CampaignState>?, _ reader: TextReader
  ) throws(CallFailure) {
    guard let message = state?.pointee else {
      throw CallFailure(.internalError, "\(reader.message) has no state")
    }
    id = try reader.text(message.id, "state.id")
    key = message.key
    status = CampaignStatus(rawValue: Int32(bitPattern: message.status.rawValue))
    currency = try reader.text(message.currency, "state.currency")
    budgetMicros = message.budget_micros
    settledMicros = message.settled_micros
    reservedMicros = message.reserved_micros
    leasedMicros = message.leased_micros
    plannedMicros = message.planned_micros
    unpaidMicros = message.unpaid_micros
    exposures = message.exposures
    goals = message.goals
    price = message.price
    startUnixMilliseconds = message.start_unix_ms
    endUnixMilliseconds = message.end_unix_ms
    items = message.items
    itemsKnown = message.items_known
  }
}

extension GetCampaignResponseMessage {
  package static func decoded(_ bytes: [UInt8]) throws(CallFailure) -> GetCampaignResponseMessage {
    let name = "crescendo.v1.GetCampaignResponse"
    return try withBoundedAllocator(messageBytes: bytes.count) { allocator throws(CallFailure) in
      guard
        let message = crescendo__v1__get_campaign_response__unpack(allocator, bytes.count, bytes)
      else { throw undecodable(name) }
      defer { crescendo__v1__get_campaign_response__free_unpacked(message, allocator) }
      let reader = TextReader(message: name)
      var response = GetCampaignResponseMessage()
      response.state = try CampaignStateMessage(message.pointee.state, reader)
      response.document = try reader.text(message.pointee.document, "document")
      response.spentSeriesMicros = array(
        message.pointee.spent_series_micros, message.pointee.n_spent_series_micros)
      response.plannedSeriesMicros = array(
        message.pointee.planned_series_micros, message.pointee.n_planned_series_micros)
      return response
    }
  }
}

extension ListCampaignsResponseMessage {
  package static func decoded(_ bytes: [UInt8]) throws(CallFailure)
    -> ListCampaignsResponseMessage
  {
    let name = "crescendo.v1.ListCampaignsResponse"
    return try withBoundedAllocator(messageBytes: bytes.count) { allocator throws(CallFailure) in
      guard
        let message = crescendo__v1__list_campaigns_response__unpack(allocator, bytes.count, bytes)
      else { throw undecodable(name) }
      defer { crescendo__v1__list_campaigns_response__free_unpacked(message, allocator) }
      let reader = TextReader(message: name)
      var response = ListCampaignsResponseMessage()
      for element in array(message.pointee.campaigns, message.pointee.n_campaigns) {
        response.campaigns.append(try CampaignStateMessage(element, reader))
      }
      response.hasMore = message.pointee.has_more != 0
      return response
    }
  }
}

extension PauseCampaignResponseMessage {
  package static func decoded(_ bytes: [UInt8]) throws(CallFailure)
    -> PauseCampaignResponseMessage
  {
    let name = "crescendo.v1.PauseCampaignResponse"
    return try withBoundedAllocator(messageBytes: bytes.count) { allocator throws(CallFailure) in
      guard
        let message = crescendo__v1__pause_campaign_response__unpack(allocator, bytes.count, bytes)
      else { throw undecodable(name) }
      defer { crescendo__v1__pause_campaign_response__free_unpacked(message, allocator) }
      var response = PauseCampaignResponseMessage()
      response.state = try CampaignStateMessage(
        message.pointee.state, TextReader(message: name))
      return response
    }
  }
}

extension DiagnoseCampaignResponseMessage {
  package static func decoded(_ bytes: [UInt8]) throws(CallFailure)
    -> DiagnoseCampaignResponseMessage
  {
    let name = "crescendo.v1.DiagnoseCampaignResponse"
    return try withBoundedAllocator(messageBytes: bytes.count) { allocator throws(CallFailure) in
      guard
        let message = crescendo__v1__diagnose_campaign_response__unpack(
          allocator, bytes.count, bytes)
      else { throw undecodable(name) }
      defer { crescendo__v1__diagnose_campaign_response__free_unpacked(message, allocator) }
      let reader = TextReader(message: name)
      var response = DiagnoseCampaignResponseMessage()
      response.state = try CampaignStateMessage(message.pointee.state, reader)
      response.cause = DiagnosisCause(
        rawValue: Int32(bitPattern: message.pointee.cause.rawValue))
      response.summary = try reader.text(message.pointee.summary, "summary")
      for element in array(message.pointee.reasons, message.pointee.n_reasons) {
        guard let reason = element?.pointee else { continue }
        response.reasons.append(
          ReasonCount(reason: Int32(bitPattern: reason.reason.rawValue), count: reason.count))
      }
      response.candidates = message.pointee.candidates
      response.boosted = message.pointee.boosted
      response.placed = message.pointee.placed
      response.sampledOneIn = message.pointee.sampled_one_in
      return response
    }
  }
}
