package import Client
internal import Core
internal import HTTP2
internal import Wire

/// The headers of every request of a run: the same ones, so that HPACK makes a byte of each.
///
/// Sessions read them where they lie: whoever owns a session that was given them holds them.
package final class LoadHeaders {
  let block: HTTP2HeaderBlock
  /// What the block was made from: a session says it once.
  let authority: String
  /// From when a call is sent, as the server is told.
  let timeoutNanoseconds: UInt64
  let metadata: [MetadataEntry]
  private let bytes: UnsafeMutableRawPointer

  /// `authority` is what the server is called by; the timeout goes out as `grpc-timeout`;
  /// `metadata` is such as gRPC allows.
  package init(authority: String, timeoutNanoseconds: UInt64, metadata: [MetadataEntry]) {
    self.authority = authority
    self.timeoutNanoseconds = timeoutNanoseconds
    self.metadata = metadata
    let headers = [
      (":method", "POST"), (":scheme", "http"), (":path", "\(WireNames.scorePath)"),
      (":authority", authority), ("te", "trailers"), ("content-type", "application/grpc"),
      ("user-agent", "crescendo-load/\(Version.text)"),
      ("grpc-timeout", CallTimeout.headerValue(nanoseconds: timeoutNanoseconds)),
    ]
    let texts = (headers + metadata.map { ($0.name, $0.value) }).flatMap { [$0.0, $0.1] }
    let bytes = UnsafeMutableRawPointer.allocate(
      byteCount: texts.reduce(1) { $0 + $1.utf8.count }, alignment: 1)
    var next = bytes
    let slices = texts.map { text in
      let count = text.utf8.count
      UnsafeMutableRawBufferPointer(start: next, count: count).copyBytes(from: text.utf8)
      defer { next += count }
      return ByteSlice(next, count: count)
    }
    self.bytes = bytes
    block = HTTP2HeaderBlock(
      permanent: stride(from: 0, to: slices.count, by: 2).map {
        HTTP2Header(slices[$0], slices[$0 + 1])
      })
  }

  deinit {
    block.destroy()
    bytes.deallocate()
  }
}
