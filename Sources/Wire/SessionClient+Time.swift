internal import Core

/// What the client's end does when nothing comes: rows C10, C30 to C34 and C37 (§13).
extension SessionClient {
  /// How long END_STREAM waits for the server's trailers, nanoseconds.
  private static let endNanoseconds: UInt64 = 10_000_000_000

  /// When `tick` has something to do, if nothing comes before; the distant future when it has not.
  package var nextDue: UInt64 {
    switch state {
    case .closed: return distantFutureNanoseconds
    case .failed: return changedNanoseconds + Limits.sessionErrorNanoseconds
    case .ending: return changedNanoseconds + SessionClient.endNanoseconds
    case .opening: return frameBegunNanoseconds + bounds.frameNanoseconds
    case .open, .draining:
      let silent = receivedNanoseconds + bounds.silenceNanoseconds
      let quiet = min(quietUntil, silent)
      let begun = frameBegunNanoseconds
      return begun == 0 ? quiet : min(quiet, begun + bounds.frameNanoseconds)
    }
  }

  private var quietUntil: UInt64 {
    max(min(sentNanoseconds, receivedNanoseconds), pingedNanoseconds)
      + bounds.heartbeatNanoseconds
  }

  /// Does what is due. Steps may follow, and output.
  package mutating func tick(now: UInt64) {
    guard now >= nextDue else { return }
    switch state {
    case .closed: break
    case .failed: state = .closed
    case .ending: end(SessionFailure(.unavailable, "the server did not end the session"))
    case .opening: fail(.noHello(bounds.frameNanoseconds / 1_000_000_000), now)
    case .open, .draining:
      let begun = frameBegunNanoseconds
      if begun > 0, now >= begun + bounds.frameNanoseconds {
        fail(.incomplete(bounds.frameNanoseconds / 1_000_000_000), now)
      } else if now >= receivedNanoseconds + bounds.silenceNanoseconds {
        fail(.silence(bounds.silenceNanoseconds / 1_000_000_000), now)
      } else {
        pingedNanoseconds = now
        queuePing(now, flags: 0)
      }
    }
  }
}
