internal import Core
internal import Synchronization
internal import Transport
internal import Wire

/// Whether this server takes calls, as `grpc.health.v1` tells it. While the ledger does not serve,
/// the services that are nothing without it are NOT_SERVING; the server as a whole, which scores
/// on, is not.
final class ServingState: Sendable {
  private let serving = Atomic<Bool>(true)
  /// Nil without campaigns.
  private let ledger: LedgerCondition?

  init(ledger: LedgerCondition?) {
    self.ledger = ledger
  }

  var isServing: Bool { serving.load(ordering: .relaxed) }

  func isServing(_ service: String) -> Bool {
    guard isServing, let ledger, !ledger.isServing else { return isServing }
    return !LoopServices.ledgerServices.contains(service)
  }

  /// What does not serve though the server does, and why.
  var notice: String? {
    ledger?.notice.map { notice in
      "\(notice); NOT_SERVING: \(LoopServices.ledgerServices.sorted().joined(separator: ", "))"
    }
  }

  func stopServing() {
    serving.store(false, ordering: .relaxed)
  }
}

/// `Check`: the whole server ("") and each service that it has; another name is NOT_FOUND.
func handleHealthCheck(_ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer) {
  let call = ServerCall(pointer)
  let services = LoopServices.from(context)
  services._withUnsafeGuaranteedRef { services in
    let service: String
    do throws(CallFailure) {
      service = try HealthCheck.service(of: call.message)
      if let fault = call.workFault(0) { throw fault }
    } catch {
      return call.fail(error)
    }
    guard LoopServices.healthServices.contains(service) else {
      return call.fail(.notFound, "this server has no service \(service)")
    }
    call.respond(HealthCheck.response(isServing: services.health.isServing(service)))
  }
}
