package import Client
internal import Core
internal import HTTP2
internal import Wire

/// The headers of every request of a run: the same ones, so that HPACK makes a byte of each.
package struct LoadHeaders: Sendable {
  let block: HTTP2HeaderBlock

  /// `authority` is what the server is called by; the timeout goes out as `grpc-timeout`;
  /// `metadata` has no `problem`. Made once in a process: its bytes are never freed, for sessions
  /// point at them.
  package init(authority: String, timeoutNanoseconds: UInt64, metadata: [MetadataEntry]) {
    let headers = [
      (":method", "POST"), (":scheme", "http"), (":path", "\(WireNames.scorePath)"),
      (":authority", authority), ("te", "trailers"), ("content-type", "application/grpc"),
      ("user-agent", "crescendo-load/\(Version.text)"),
      ("grpc-timeout", CallTimeout.headerValue(nanoseconds: timeoutNanoseconds)),
    ]
    let all = headers + metadata.map { ($0.name, $0.value) }
    block = HTTP2HeaderBlock(
      permanent: all.map { HTTP2Header(permanent($0.0), permanent($0.1)) })
  }
}

private func permanent(_ text: String) -> ByteSlice {
  let bytes = Array(text.utf8)
  let kept = UnsafeMutableRawBufferPointer.allocate(byteCount: max(bytes.count, 1), alignment: 1)
  kept.copyBytes(from: bytes)
  return ByteSlice(kept.baseAddress, count: bytes.count)
}
