import Core
import EventLoop
import Foundation
import Syscalls
import Transport
import Wire

/// The peers' work on our own transport and codec: N packed ids in, N packed floats out, one
/// multiply-shift hash per item.
enum HashServer {
  static func run(port: UInt16, isBusy: Bool) throws {
    StopSignals.hold()
    let arena = UnsafeMutablePointer<Arena>.allocate(capacity: 1)
    arena.initialize(
      to: Arena(
        firstChunkBytes: Limits.serving.arenaFirstChunkBytes, limitBytes: Limits.serving.arenaBytes)
    )
    var listening = TransportConfiguration(
      address: SocketAddress(host: "127.0.0.1", port: port), loops: 1, cores: [], clock: .system)
    listening.isBusy = isBusy
    let server = try TransportServer(listening) { _ in
      ServiceTable(
        methods: [
          ServiceMethod(path: WireNames.scorePath, handle: hashItems, cancelled: { _, _ in })
        ],
        context: arena)
    }
    print("listening on \(server.address)")
    fflush(nil)
    _ = StopSignals.wait()
    server.stop {}
  }
}

private func hashItems(_ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer) {
  let call = ServerCall(pointer)
  guard let arena = context?.assumingMemoryBound(to: Arena.self) else { return }
  arena.pointee.reset()
  var view = ScoreRequestView()
  if let failure = ScoreRequestDecoder.decode(
    call.message, into: &view, arena: arena, candidatesMax: Limits.serving.candidates)
  {
    return call.fail(failure)
  }
  let count = view.itemIDCount
  let capacity = ScoreResponseLayout.capacity(
    count: count, wantRaw: false, requestIDBytes: 0, provenance: nil)
  let buffer: UnsafeMutableRawPointer
  do throws(CallFailure) {
    buffer = try call.takeBuffer(capacity)
  } catch {
    return call.fail(error)
  }
  let layout = ScoreResponseLayout(buffer, count: count, wantRaw: false)
  if let ids = view.itemIDs {
    var (next, score) = (ids, layout.scores)
    let end = ids + 8 * count
    while next < end {
      let hash = (next.loadUnaligned(as: UInt64.self) &* 0x9E37_79B9_7F4A_7C15) >> 40
      // 24 bits: what an Int32 converts in one instruction.
      score.storeBytes(of: Float(Int32(truncatingIfNeeded: hash)) * 0x1p-24, as: Float.self)
      next += 8
      score += 4
    }
  }
  call.respond(buffer, count: layout.finishScoresOnly())
}
