internal import CCrescendoProto
internal import CProtobufC

/// The contract's own names of open enums, without their prefixes; an unknown number as the number.
package enum ScoreVocabulary {
  /// For example `FULL`.
  package static func fidelityName(_ number: Int32) -> String {
    withUnsafePointer(to: crescendo__v1__fidelity__descriptor) {
      name(number, $0, prefix: "FIDELITY_")
    }
  }

  /// For example `UNKNOWN_ITEM`; also of boosts.
  package static func reasonName(_ number: Int32) -> String {
    withUnsafePointer(to: crescendo__v1__reason__descriptor) {
      name(number, $0, prefix: "REASON_")
    }
  }

  /// For example `SETTLED_LATE`.
  package static func exposureOutcomeName(_ number: Int32) -> String {
    withUnsafePointer(to: crescendo__v1__exposure_outcome__descriptor) {
      name(number, $0, prefix: "EXPOSURE_OUTCOME_")
    }
  }

  /// For example `ALREADY_RELEASED`.
  package static func releaseOutcomeName(_ number: Int32) -> String {
    withUnsafePointer(to: crescendo__v1__release_outcome__descriptor) {
      name(number, $0, prefix: "RELEASE_OUTCOME_")
    }
  }

  fileprivate static func name(
    _ number: Int32, _ descriptor: UnsafePointer<ProtobufCEnumDescriptor>, prefix: String
  ) -> String {
    guard let value = protobuf_c_enum_descriptor_get_value(descriptor, number) else {
      return "\(number)"
    }
    let name = String(cString: value.pointee.name)
    return name.hasPrefix(prefix) ? String(name.dropFirst(prefix.count)) : name
  }
}

extension CampaignStatus {
  /// For example `RUNNING`.
  package var name: String {
    withUnsafePointer(to: crescendo__v1__campaign_state__status__descriptor) {
      ScoreVocabulary.name(rawValue, $0, prefix: "STATUS_")
    }
  }
}

extension CampaignChangeMessage.Kind {
  /// For example `ADDED`.
  package var name: String {
    withUnsafePointer(to: crescendo__v1__campaign_change__kind__descriptor) {
      ScoreVocabulary.name(rawValue, $0, prefix: "KIND_")
    }
  }
}

extension DiagnosisCause {
  /// For example `NO_DEMAND`.
  package var name: String {
    withUnsafePointer(to: crescendo__v1__diagnose_campaign_response__cause__descriptor) {
      ScoreVocabulary.name(rawValue, $0, prefix: "CAUSE_")
    }
  }
}
