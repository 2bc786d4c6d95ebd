internal import Core
internal import EventLoop
internal import Transport
internal import Wire

/// `Watch`: the state now and after each change. An unknown service is told as SERVICE_UNKNOWN, and
/// the call stays open, for the service may come.
func handleWatch(_ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer) {
  let call = ServerCall(pointer)
  LoopServices.from(context)._withUnsafeGuaranteedRef { loop in
    do throws(CallFailure) {
      let service = try HealthCheck.service(of: call.message)
      if let fault = call.workFault(0) { throw fault }
      let isKnown = LoopServices.healthServices.contains(service)
      // Nobody would end it any more, and it would hold up the stop.
      guard loop.health.isServing else { return call.endWatch(isKnown: isKnown) }
      try call.send(
        isKnown
          ? HealthCheck.response(isServing: true)
          : HealthCheck.responseForUnknownService)
      loop.watchers[pointer] = isKnown
    } catch {
      call.fail(error)
    }
  }
}

func cancelWatch(_ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer) {
  LoopServices.from(context)._withUnsafeGuaranteedRef { loop in
    loop.watchers[pointer] = nil
  }
}

extension ServerCall {
  fileprivate func endWatch(isKnown: Bool) {
    do throws(CallFailure) {
      if isKnown { try send(HealthCheck.response(isServing: false)) }
      fail(.unavailable, "the server is stopping")
    } catch {
      fail(error)
    }
  }
}

extension LoopServices {
  /// The server stops: whoever watches hears of it, and its call ends.
  func endWatches() {
    let ended = watchers
    watchers = [:]
    for (pointer, isKnown) in ended {
      ServerCall(pointer).endWatch(isKnown: isKnown)
    }
  }

  /// From any thread.
  func postEndOfWatches() {
    let task = UnsafeMutablePointer<LoopTask>.allocate(capacity: 1)
    task.initialize(
      to: LoopTask(
        run: { task in
          let task = task.assumingMemoryBound(to: LoopTask.self)
          let context = task.pointee.context
          task.deallocate()
          LoopServices.from(context)._withUnsafeGuaranteedRef { $0.endWatches() }
        },
        context: Unmanaged.passUnretained(self).toOpaque()))
    eventLoop.post(task)
  }
}
