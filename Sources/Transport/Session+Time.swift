internal import Core
internal import EventLoop
internal import HTTP2
internal import Wire

/// What a session does when nothing comes: heartbeats, and the ends of silence, of frames that stay
/// incomplete and of an ERROR that does not go (proto/SESSION.md §13).
extension SessionPointer {
  func setTimer() {
    let stream = pointee.stream
    guard !stream.pointee.call.hasTimer else { return }
    stream.pointee.call.hasTimer = true
    loop.pointee.eventLoop.schedule(
      TimerEntry(
        deadlineNanoseconds: nextDue, token: stream, generation: stream.pointee.call.generation))
  }

  /// When something may be due next.
  var nextDue: UInt64 {
    if pointee.failedNanoseconds > 0 {
      return pointee.failedNanoseconds + Limits.sessionErrorNanoseconds
    }
    let silent = pointee.receivedNanoseconds + Limits.serving.silenceNanoseconds
    // A frame may begin at any time, and is looked for at least this often.
    let frame = pointee.frameBegunNanoseconds
    let begun = frame > 0 ? frame : loop.pointee.nowNanoseconds
    return Swift.min(quietUntil, silent, begun + Limits.serving.frameNanoseconds)
  }

  func timerDue() {
    let now = loop.pointee.nowNanoseconds
    defer { pointee.stream.pointee.connection.markDirty() }
    if pointee.machine.state == .failed {
      if now >= pointee.failedNanoseconds + Limits.sessionErrorNanoseconds {
        return reset(HTTP2ErrorCode.internalError)
      }
      return setTimer()
    }
    guard takesFrames else { return }
    let frame = pointee.frameBegunNanoseconds
    if frame > 0, now >= frame + Limits.serving.frameNanoseconds {
      let seconds = Limits.serving.frameNanoseconds / 1_000_000_000
      fail(isOpening ? .noHello(seconds) : .incomplete(seconds))
    } else if now >= pointee.receivedNanoseconds + Limits.serving.silenceNanoseconds {
      fail(.silence(Limits.serving.silenceNanoseconds / 1_000_000_000), .connection)
    } else if pointee.machine.isLive, now >= quietUntil {
      pointee.pingedNanoseconds = now
      queuePing(now, flags: 0)
    }
    setTimer()
  }

  /// Row S28.
  var quietUntil: UInt64 {
    let last = Swift.min(pointee.sentNanoseconds, pointee.receivedNanoseconds)
    return Swift.max(last, pointee.pingedNanoseconds) + Limits.serving.heartbeatNanoseconds
  }
}
