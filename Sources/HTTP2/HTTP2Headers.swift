internal import CNghttp2
package import Core

/// One header to send. Names are lower case.
package struct HTTP2Header: BitwiseCopyable {
  package var name: ByteSlice
  package var value: ByteSlice
  /// Kept out of the peer's compression table: for values that change with each message.
  package var isVolatile: Bool

  @inlinable
  package init(_ name: ByteSlice, _ value: ByteSlice, isVolatile: Bool = false) {
    self.name = name
    self.value = value
    self.isVolatile = isVolatile
  }

  @inlinable
  package init(_ name: StaticString, _ value: StaticString) {
    self.init(ByteSlice(name), ByteSlice(value))
  }

  func native(flags: nghttp2_nv_flag.RawValue) -> nghttp2_nv {
    var pair = nghttp2_nv()
    // nghttp2 takes mutable pointers and only reads them.
    pair.name = UnsafeMutablePointer(
      mutating: name.base?.assumingMemoryBound(to: UInt8.self))
    pair.value = UnsafeMutablePointer(
      mutating: value.base?.assumingMemoryBound(to: UInt8.self))
    pair.namelen = name.count
    pair.valuelen = value.count
    pair.flags = UInt8(flags) | (isVolatile ? UInt8(NGHTTP2_NV_FLAG_NO_INDEX.rawValue) : 0)
    return pair
  }
}

/// Headers that never change, made once and mostly kept for the life of the process: sending them
/// copies and allocates nothing of ours.
package struct HTTP2HeaderBlock: @unchecked Sendable {
  // Unchecked: written in `init`, read only afterwards, freed by nobody but its one owner.
  let pairs: UnsafeMutablePointer<nghttp2_nv>
  let count: Int

  /// Names and values must live as long as the block is used: string literals, if for ever.
  package init(permanent headers: [HTTP2Header]) {
    count = headers.count
    pairs = .allocate(capacity: headers.count)
    let flags = NGHTTP2_NV_FLAG_NO_COPY_NAME.rawValue | NGHTTP2_NV_FLAG_NO_COPY_VALUE.rawValue
    for (index, header) in headers.enumerated() {
      (pairs + index).initialize(to: header.native(flags: flags))
    }
  }

  /// Of a block that does not live for ever, after the last session that was given it.
  package func destroy() {
    pairs.deallocate()
  }
}
