internal import Core
internal import EventLoop
internal import Transport
internal import Wire

/// What somebody watches.
struct Watched {
  let service: String
  /// What was told last; nil: it is no service of ours.
  var isServing: Bool?
}

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
      guard loop.health.isServing else { return call.endWatch(isTold: isKnown) }
      let isServing = loop.health.isServing(service)
      try call.send(
        isKnown
          ? HealthCheck.response(isServing: isServing)
          : HealthCheck.responseForUnknownService)
      loop.watchers[pointer] = Watched(service: service, isServing: isKnown ? isServing : nil)
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
  fileprivate func endWatch(isTold: Bool) {
    do throws(CallFailure) {
      if isTold { try send(HealthCheck.response(isServing: false)) }
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
    for (pointer, watched) in ended {
      ServerCall(pointer).endWatch(isTold: watched.isServing == true)
    }
  }

  /// A service may have ceased to serve, or serve again: whoever watches it hears of it.
  func tellWatches() {
    for (pointer, watched) in watchers {
      let isServing = health.isServing(watched.service)
      guard let told = watched.isServing, told != isServing else { continue }
      watchers[pointer]?.isServing = isServing
      do throws(CallFailure) {
        try ServerCall(pointer).send(HealthCheck.response(isServing: isServing))
      } catch {
        watchers[pointer] = nil
        ServerCall(pointer).fail(error)
      }
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
