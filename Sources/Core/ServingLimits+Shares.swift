/// Parts of bounds that have a meaning of their own.
extension ServingLimits {
  /// Bytes of answers of one connection from which its producers wait: half of the bound is left
  /// to answers that are under way.
  @inlinable package var connectionOutboundMarkBytes: Int { connectionOutboundBytes / 2 }

  /// A connection that holds no more than this holds little, bytes.
  @inlinable package var littleOutboundBytes: Int { connectionOutboundBytes / 16 }

  /// Of what the process may hold, bytes: kept for connections that hold little, so that clients
  /// that do not read leave room for those that do.
  @inlinable package var keptOutboundBytes: Int { processOutboundBytes / 8 }

  /// The ledger's times, milliseconds: at least 1.
  package var reservationMilliseconds: Int64 { Int64(reservationNanoseconds / 1_000_000) }
  package var leaseMilliseconds: Int64 { Int64(leaseNanoseconds / 1_000_000) }
  package var reportMilliseconds: Int64 { Int64(reportNanoseconds / 1_000_000) }
}
