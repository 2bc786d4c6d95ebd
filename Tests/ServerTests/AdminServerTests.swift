import Dispatch
import Syscalls
import Testing

@testable import Server

@Suite struct AdminServerTests {
  /// Held by what an admin port answers with; tells when nothing holds it any more.
  private final class Token: Sendable {
    let gone: DispatchSemaphore

    init(_ gone: DispatchSemaphore) { self.gone = gone }

    deinit { gone.signal() }
  }

  private func serve(_ address: SocketAddress, _ gone: DispatchSemaphore) throws(AdminError)
    -> AdminServer
  {
    let token = Token(gone)
    return try AdminServer(
      address,
      AdminServer.Answers(metrics: { withExtendedLifetime(token) { "" } }, isReady: { true }))
  }

  /// A port that is taken is an error at once, and what would have been answered with is given up:
  /// it is not held until a waiter for the port has lost its patience, 5 s later.
  @Test func aTakenPortHoldsNothing() throws {
    let first = try serve(SocketAddress(host: "127.0.0.1", port: 0), DispatchSemaphore(value: 0))
    defer { first.stop() }
    let gone = DispatchSemaphore(value: 0)
    let error = #expect(throws: AdminError.self) { _ = try serve(first.address, gone) }
    #expect(error?.description.hasPrefix("address already in use") == true)
    #expect(gone.wait(timeout: .now() + 4) == .success)
  }
}
