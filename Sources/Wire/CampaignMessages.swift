/// A campaign's state as `CampaignService` tells it: `crescendo.v1.CampaignState`. Amounts are
/// micros, times milliseconds since 1970.
package struct CampaignStateMessage: Sendable, Equatable {
  package var id = ""
  package var key: UInt64 = 0
  package var status = CampaignStatus(rawValue: 0)
  package var currency = ""
  package var budgetMicros: Int64 = 0
  package var settledMicros: Int64 = 0
  package var reservedMicros: Int64 = 0
  package var leasedMicros: Int64 = 0
  package var plannedMicros: Int64 = 0
  package var unpaidMicros: Int64 = 0
  package var exposures: UInt64 = 0
  package var goals: UInt64 = 0
  package var price: Double = 0
  package var startUnixMilliseconds: Int64 = 0
  package var endUnixMilliseconds: Int64 = 0
  package var items: UInt32 = 0
  package var itemsKnown: UInt32 = 0

  package init() {}
}

/// `crescendo.v1.CampaignState.Status`: an open enum, number for number.
package struct CampaignStatus: RawRepresentable, Hashable, Sendable {
  package var rawValue: Int32

  package init(rawValue: Int32) {
    self.rawValue = rawValue
  }

  package static let scheduled = CampaignStatus(rawValue: 1)
  package static let running = CampaignStatus(rawValue: 2)
  package static let paused = CampaignStatus(rawValue: 3)
  package static let spent = CampaignStatus(rawValue: 4)
  package static let ended = CampaignStatus(rawValue: 5)
  package static let reserved = CampaignStatus(rawValue: 6)
}

/// `crescendo.v1.CampaignFault`.
package struct CampaignFaultMessage: Sendable, Equatable {
  /// From 1; 0 = no place in the document.
  package var line: UInt32
  package var field: String
  package var reason: String

  package init(line: UInt32, field: String, reason: String) {
    self.line = line
    self.field = field
    self.reason = reason
  }
}

/// `crescendo.v1.CampaignChange`.
package struct CampaignChangeMessage: Sendable, Equatable {
  /// An open enum, number for number.
  package struct Kind: RawRepresentable, Hashable, Sendable {
    package var rawValue: Int32

    package init(rawValue: Int32) {
      self.rawValue = rawValue
    }

    package static let added = Kind(rawValue: 1)
    package static let changed = Kind(rawValue: 2)
    package static let unchanged = Kind(rawValue: 3)
    package static let policy = Kind(rawValue: 4)
  }

  package struct Field: Sendable, Equatable {
    package var field: String
    package var before: String
    package var after: String

    package init(field: String, before: String, after: String) {
      self.field = field
      self.before = before
      self.after = after
    }
  }

  package var campaignID: String
  package var kind: Kind
  package var fields: [Field]

  package init(campaignID: String, kind: Kind, fields: [Field] = []) {
    self.campaignID = campaignID
    self.kind = kind
    self.fields = fields
  }
}

/// `crescendo.v1.ApplyCampaignsResponse`.
package struct ApplyCampaignsResponseMessage: Sendable, Equatable {
  /// `encoded` names them up to `Limits.campaignAnswerBytes`.
  package var changes: [CampaignChangeMessage] = []
  package var changesLeftOut: UInt32 = 0
  /// Campaigns of the document, those that are left out too.
  package var added: UInt32 = 0
  package var changed: UInt32 = 0
  package var unchanged: UInt32 = 0
  /// What is surely not meant, and is applied all the same. `encoded` names the first
  /// `Limits.campaignFaults`.
  package var warnings: [CampaignFaultMessage] = []
  package var warningsLeftOut: UInt32 = 0
  /// Not empty = nothing was applied. `encoded` names the first `Limits.campaignFaults`.
  package var faults: [CampaignFaultMessage] = []
  package var faultsLeftOut: UInt32 = 0
  package var applied = false

  package init() {}

  /// Of the campaigns that `changes` names.
  package func count(_ kind: CampaignChangeMessage.Kind) -> UInt32 {
    UInt32(clamping: changes.count { $0.kind == kind })
  }
}

/// `crescendo.v1.GetCampaignResponse`.
package struct GetCampaignResponseMessage: Sendable, Equatable {
  package var state = CampaignStateMessage()
  /// As a campaign file holds it.
  package var document = ""
  /// By equal parts of the flight, oldest first; both of one length.
  package var spentSeriesMicros: [Int64] = []
  package var plannedSeriesMicros: [Int64] = []

  package init() {}
}

/// `crescendo.v1.ListCampaignsResponse`.
package struct ListCampaignsResponseMessage: Sendable, Equatable {
  /// By id.
  package var campaigns: [CampaignStateMessage] = []
  package var hasMore = false

  package init() {}
}

/// `crescendo.v1.PauseCampaignResponse`.
package struct PauseCampaignResponseMessage: Sendable, Equatable {
  package var state = CampaignStateMessage()

  package init() {}
}

/// `crescendo.v1.DiagnoseCampaignResponse.Cause`: an open enum, number for number.
package struct DiagnosisCause: RawRepresentable, Hashable, Sendable {
  package var rawValue: Int32

  package init(rawValue: Int32) {
    self.rawValue = rawValue
  }

  /// It spends as planned.
  package static let none = DiagnosisCause(rawValue: 1)
  package static let notInFlight = DiagnosisCause(rawValue: 2)
  package static let paused = DiagnosisCause(rawValue: 3)
  package static let budgetSpent = DiagnosisCause(rawValue: 4)
  package static let noItems = DiagnosisCause(rawValue: 5)
  package static let noDemand = DiagnosisCause(rawValue: 6)
  package static let eligibility = DiagnosisCause(rawValue: 7)
  package static let caps = DiagnosisCause(rawValue: 8)
  package static let score = DiagnosisCause(rawValue: 9)
  package static let price = DiagnosisCause(rawValue: 10)
  package static let notReported = DiagnosisCause(rawValue: 11)
  /// The ledger waits for its storage, or has stopped.
  package static let ledger = DiagnosisCause(rawValue: 12)
}

/// `crescendo.v1.DiagnoseCampaignResponse`.
package struct DiagnoseCampaignResponseMessage: Sendable, Equatable {
  package struct ReasonCount: Sendable, Equatable {
    /// The wire's number of a `BoostReason`.
    package var reason: Int32
    package var count: UInt64

    package init(reason: Int32, count: UInt64) {
      self.reason = reason
      self.count = count
    }
  }

  package var state = CampaignStateMessage()
  package var cause = DiagnosisCause(rawValue: 0)
  package var summary = ""
  package var reasons: [ReasonCount] = []
  package var candidates: UInt64 = 0
  package var boosted: UInt64 = 0
  package var placed: UInt64 = 0
  /// One batch in so many was counted.
  package var sampledOneIn: UInt32 = 0

  package init() {}
}
