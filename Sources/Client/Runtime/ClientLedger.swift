internal import Wire

/// The credit and the calls of one open session, at one moment of its loop.
package struct SessionLedger: Sendable, Equatable {
  /// Credit that is left, candidates; below 0 by less than one message.
  package var balance: Int64
  /// What the server's HELLO gave, candidates.
  package var initialCredit: Int64
  /// Calls whose end the server has not told, cancelled ones too.
  package var openCalls: Int

  /// Whether nothing is open and all credit is back.
  package var isWhole: Bool { openCalls == 0 && balance == initialCredit }
}

/// What a client holds at one moment of its loop.
package struct ClientLedger: Sendable, Equatable {
  /// Of every session that takes calls.
  package var sessions: [SessionLedger]
  /// Calls that have begun and not ended, cancelled ones not.
  package var openCalls: Int
  /// Attempts that wait for room.
  package var waitingAttempts: Int
  package var connections: Int
}

extension PromotionScoreClient {
  /// For measurements of our own; nil once the client is closed.
  package func ledger() async -> ClientLedger? {
    let runtime = runtime
    return await withCheckedContinuation { continuation in
      let isPosted = runtime.post { continuation.resume(returning: runtime.ledger) }
      if !isPosted { continuation.resume(returning: nil) }
    }
  }
}

extension SessionCarrier {
  var ledger: SessionLedger {
    SessionLedger(
      balance: session.balance, initialCredit: Int64(session.hello.initialCredit),
      openCalls: session.openCalls)
  }
}
