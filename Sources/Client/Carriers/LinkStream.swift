internal import Core
internal import HTTP2

/// One HTTP/2 stream of a link: what a carrier makes of it. Loop-confined; kept alive by its link
/// until `closed`.
class LinkStream {
  fileprivate(set) var id: Int32 = 0
  /// Nil once the stream is gone.
  fileprivate(set) weak var link: Link?

  /// One header or trailer; the bytes live until this returns.
  func header(_ name: ByteSlice, _ value: ByteSlice) {}
  /// `flags`: `HTTP2BlockFlags`.
  func headersEnded(_ flags: UInt32) {}
  /// Bytes of the body. The connection's window has been given back; the stream's is the
  /// receiver's to give (`consume`).
  func data(_ bytes: UnsafeRawBufferPointer) {}
  /// The server has ended its half.
  func ended() {}
  /// The stream is gone. `code` is nil when its connection is lost.
  func closed(_ end: StreamEnd) {}
  /// As `HTTP2Handlers.readBody`.
  func readBody(
    _ buffer: UnsafeMutableRawPointer, _ capacity: Int, _ end: UnsafeMutablePointer<UInt32>
  ) -> Int { HTTP2Body.failed }

  final func consume(_ count: Int) { link?.consume(id, count) }
  final func resume() { link?.resume(id) }
  final func reset(_ errorCode: UInt32) { link?.reset(id, errorCode) }

  final func opened(_ id: Int32, on link: Link) {
    self.id = id
    self.link = link
  }

  final func detach() { link = nil }
}

/// Why a stream is gone.
enum StreamEnd {
  /// By an HTTP/2 error code; NO_ERROR after a clean end.
  case code(UInt32)
  /// The server named a last stream below it (GOAWAY): it has not seen it.
  case notSeen(String)
  /// With its connection.
  case lost(String)
}
