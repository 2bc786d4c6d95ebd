internal import Core
internal import HTTP2
internal import Wire

/// What arrives on a stream, and the memory and window that it holds until it is taken.
extension StreamPointer {
  private var loop: LoopPointer { pointee.connection.pointee.loop }

  /// Bytes of the body, inside the read that brought them.
  func receive(_ bytes: UnsafeRawPointer, count: Int) {
    pointee.call.receivedBytes += count
    switch pointee.phase {
    case .session:
      pointee.session?.receive(ByteSlice(bytes, count: count))
    case .message:
      // Window is given back at once: what may pile up is bounded by the message's own limit and
      // by the connection's.
      consume(count)
      feedOneMessage(ByteSlice(bytes, count: count))
    case .handling where pointee.isReadingPaused || pointee.heldCount > 0:
      hold(bytes, count)
    case .handling:
      let taken = deliver(ByteSlice(bytes, count: count))
      if taken < count { hold(bytes + taken, count - taken) }
    case .headers, .answered:
      // Dropped. The stream gets no window for more: its status may have to wait for answers that
      // the client does not read, and a client that only sends would do so for ever.
      pointee.connection.pointee.session.consumeConnection(count: count)
    }
  }

  /// The client has ended its half.
  func halfClose() {
    pointee.isHalfClosed = true
    switch pointee.phase {
    case .message:
      if let failure = pointee.assembler.finish() { return fail(failure) }
      pointee.isComplete = true
      loop.touch(self)
    case .handling where pointee.heldCount == 0:
      endInput()
    case .session:
      pointee.session?.endOfStream()
    case .headers, .handling, .answered:
      return
    }
  }

  private func consume(_ count: Int) {
    pointee.connection.pointee.session.consume(pointee.id, count: count)
  }

  // MARK: One message

  /// An error in the bytes ends the call at once. The message may point into them until the end of
  /// this read.
  private func feedOneMessage(_ bytes: ByteSlice) {
    let before = pointee.assembler.bufferedBytes
    do throws(CallFailure) {
      _ = try pointee.assembler.feed(bytes)
    } catch {
      countBuffered(since: before)
      return fail(error)
    }
    countBuffered(since: before)
    if checkBuffered() { loop.touch(self) }
  }

  private func countBuffered(since before: Int) {
    charge(pointee.assembler.bufferedBytes - before)
  }

  /// Bytes that wait to be taken, on the loop's account and the connection's; those of campaign
  /// files, which may be longer than all that a connection holds, on one of all connections.
  func charge(_ byteCount: Int) {
    if pointee.takesCampaigns {
      loop.pointee.campaignBytes += byteCount
    } else {
      pointee.connection.pointee.bufferedBytes += byteCount
    }
    loop.pointee.receivingBytes += byteCount
  }

  /// False when too much was held, which ended the call.
  private func checkBuffered() -> Bool {
    if pointee.takesCampaigns { return checkCampaigns() }
    guard pointee.connection.pointee.bufferedBytes > Limits.serving.connectionBufferedBytes else {
      return true
    }
    fail(
      CallFailure(
        .resourceExhausted,
        "this connection holds over \(Limits.serving.connectionBufferedBytes) bytes of "
          + "unfinished messages",
        refusal: .memory))
    return false
  }

  private func checkCampaigns() -> Bool {
    let most = Limits.serving.campaignBufferedBytes
    guard loop.pointee.campaignBytes > most else { return true }
    fail(
      CallFailure(
        .resourceExhausted,
        "over \(most) bytes of campaign files are on their way: retry later, or raise "
          + "`serve --limit campaignBufferedBytes=…`",
        retryPushbackMilliseconds: 1_000, refusal: .memory))
    return false
  }

  /// The bytes that were read are about to go: what is not whole is copied. False when that ended
  /// the call.
  func keepUnfinished() -> Bool {
    let before = pointee.assembler.bufferedBytes
    pointee.assembler.keep()
    countBuffered(since: before)
    return checkBuffered()
  }

  // MARK: Many messages

  /// Hands over message after message; answers how many bytes were taken, and gives their window
  /// back. Stops when the service pauses or the call ends.
  private func deliver(_ bytes: ByteSlice) -> Int {
    guard let base = bytes.base else { return 0 }
    var taken = 0
    while pointee.phase == .handling, !pointee.isReadingPaused, taken < bytes.count {
      let before = pointee.assembler.bufferedBytes
      do throws(CallFailure) {
        taken += try pointee.assembler.feed(ByteSlice(base + taken, count: bytes.count - taken))
      } catch {
        countBuffered(since: before)
        taken = bytes.count
        failWhileHandling(error)
        break
      }
      if pointee.assembler.isComplete {
        pointee.call.receivedMessages += 1
        handleMessage()
        if pointee.phase == .handling { pointee.assembler.next() }
      }
      if pointee.phase == .handling { countBuffered(since: before) }
    }
    // What comes after the end is dropped, but its window is not.
    if pointee.phase == .answered { taken = bytes.count }
    consume(taken)
    if pointee.phase == .handling { loop.touch(self) }
    return taken
  }

  /// Hands the complete message to the service, inflated if it is compressed.
  func handleMessage() {
    do throws(CallFailure) {
      if pointee.assembler.isCompressed {
        try loop.inflate(self)
        defer { loop.dropInflated() }
        method.pointee.handle(loop.pointee.serviceContext, self)
      } else {
        method.pointee.handle(loop.pointee.serviceContext, self)
      }
    } catch {
      failWhileHandling(error)
    }
  }

  /// A fault in the bytes of a call that its service has already.
  private func failWhileHandling(_ failure: CallFailure) {
    method.pointee.cancelled(loop.pointee.serviceContext, self)
    fail(failure)
  }

  /// Bytes that wait until the service takes messages again. Their window is not given back, so
  /// that there are never more than the stream's window.
  private func hold(_ bytes: UnsafeRawPointer, _ count: Int) {
    let needed = pointee.heldCount + count
    if needed > pointee.heldCapacity {
      let capacity = Swift.max(needed, 2 * pointee.heldCapacity)
      let grown = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
      if let held = pointee.held {
        grown.copyMemory(from: held, byteCount: pointee.heldCount)
        held.deallocate()
      }
      charge(capacity - pointee.heldCapacity)
      pointee.held = grown
      pointee.heldCapacity = capacity
    }
    pointee.held?.advanced(by: pointee.heldCount).copyMemory(from: bytes, byteCount: count)
    pointee.heldCount = needed
  }

  func resumeReading() {
    guard pointee.isReadingPaused else { return }
    pointee.isReadingPaused = false
    if let held = pointee.held, pointee.heldCount > 0 {
      let taken = deliver(ByteSlice(held, count: pointee.heldCount))
      // The call may have ended meanwhile, and everything that it held with it.
      guard pointee.phase == .handling else { return }
      let left = pointee.heldCount - taken
      (held).copyMemory(from: held + taken, byteCount: left)
      pointee.heldCount = left
      _ = keepUnfinished()
      // The windows that were given back go out.
      pointee.connection.markDirty()
    }
    if pointee.phase == .handling, pointee.heldCount == 0 {
      freeHeld()
      if pointee.isHalfClosed { endInput() }
    }
  }

  /// There will be no more messages.
  private func endInput() {
    guard !pointee.isReadingPaused else { return }
    if let failure = pointee.assembler.finish() { return failWhileHandling(failure) }
    method.pointee.halfClosed(loop.pointee.serviceContext, self)
  }

  private func freeHeld() {
    pointee.held?.deallocate()
    pointee.held = nil
    charge(-pointee.heldCapacity)
    pointee.heldCapacity = 0
    pointee.heldCount = 0
  }

  // MARK: The end

  /// What arrived is no longer needed; what still arrives will be dropped. Window that bytes on
  /// hold have kept is given back, to the connection if the stream has gone.
  func dropInput() {
    if pointee.heldCount > 0 { consume(pointee.heldCount) }
    freeHeld()
    charge(-pointee.assembler.bufferedBytes)
    pointee.assembler.dispose()
  }
}
