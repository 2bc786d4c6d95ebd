internal import Core
internal import HTTP2
internal import Wire

/// The headers of one request, kept in one buffer for as long as they are submitted.
struct RequestHeaders {
  private var bytes: [UInt8] = []
  private var extents: [(name: Range<Int>, value: Range<Int>, isVolatile: Bool)] = []

  /// A timeout or metadata changes from call to call and stays out of the compression table.
  mutating func append(_ name: String, _ value: String, isVolatile: Bool = false) {
    extents.append((keep(name), keep(value), isVolatile))
  }

  private mutating func keep(_ text: String) -> Range<Int> {
    let start = bytes.count
    bytes.append(contentsOf: text.utf8)
    return start..<bytes.count
  }

  /// Calls `body` with headers that live until it returns.
  func withHeaders<Result, Failure: Error>(_ body: ([HTTP2Header]) throws(Failure) -> Result)
    throws(Failure) -> Result
  {
    try bytes.withUnsafeBufferPointer { typed throws(Failure) in
      let buffer = UnsafeRawBufferPointer(typed)
      var headers: [HTTP2Header] = []
      for extent in extents {
        headers.append(
          HTTP2Header(
            ByteSlice(UnsafeRawBufferPointer(rebasing: buffer[extent.name])),
            ByteSlice(UnsafeRawBufferPointer(rebasing: buffer[extent.value])),
            isVolatile: extent.isVolatile))
      }
      return try body(headers)
    }
  }

  /// Why these cannot be the metadata of a session's call, or nil.
  static func problem(ofSessionCall entries: [MetadataEntry]) -> String? {
    guard let longest = entries.max(by: { $0.value.utf8.count < $1.value.utf8.count }) else {
      return nil
    }
    let count = SessionMetadata.encoded(entries.map { ($0.name, $0.value) }).count
    guard count > Limits.sessionMetadataBytes else { return nil }
    let most = longest.value.utf8.count
    return "the call's metadata has \(count) bytes, \"\(longest.name)\" \(most) of "
      + "them: at most \(Limits.sessionMetadataBytes) are taken"
  }

  /// Why `entry` cannot be sent as metadata, or nil (PROTOCOL-HTTP2.md, "Custom-Metadata").
  static func problem(_ entry: MetadataEntry) -> String? {
    let isNameByte: (UInt8) -> Bool = { byte in
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
        UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
        true
      default: false
      }
    }
    if entry.name.isEmpty || !entry.name.utf8.allSatisfy(isNameByte) {
      return "metadata name \"\(entry.name)\" has other characters than 0-9 a-z _ - ."
    }
    // What one byte can count: an entry of a session (proto/SESSION.md §4.2).
    if entry.name.utf8.count > 255 {
      let shown = entry.name.prefix(32)
      return "metadata name \"\(shown)…\" has \(entry.name.utf8.count) bytes: at most 255 are taken"
    }
    let reserved = ["te", "content-type", "user-agent", "connection", "host"]
    if entry.name.hasPrefix("grpc-") || reserved.contains(entry.name) {
      return "metadata name \"\(entry.name)\" is reserved"
    }
    if !entry.value.utf8.allSatisfy({ $0 >= 0x20 && $0 <= 0x7E }) {
      return "metadata \"\(entry.name)\" has a value that is not printable ASCII"
    }
    return nil
  }
}
