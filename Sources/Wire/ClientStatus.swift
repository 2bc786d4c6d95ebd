package import Core

/// `grpc-status` and `grpc-message` as a client reads them: no bytes of a peer make this fail.
package enum ClientStatus {
  /// The code that `grpc-status` names; nil when it is not a decimal number of a known code.
  package static func code(_ value: [UInt8]) -> StatusCode? {
    value.withUnsafeBytes { code(ByteSlice($0)) }
  }

  /// As above, of bytes where they lie.
  package static func code(_ value: ByteSlice) -> StatusCode? {
    guard !value.isEmpty, value.count <= 2 else { return nil }
    var number: Int32 = 0
    for byte in value.bytes {
      guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
      number = number * 10 + Int32(byte - UInt8(ascii: "0"))
    }
    return StatusCode(rawValue: number)
  }

  /// The text of a percent-encoded `grpc-message`. A `%` that two hexadecimal digits do not follow
  /// stays as it is, and what is not UTF-8 becomes U+FFFD.
  package static func message(_ value: [UInt8]) -> String {
    var decoded: [UInt8] = []
    decoded.reserveCapacity(value.count)
    var index = 0
    while index < value.count {
      if value[index] == UInt8(ascii: "%"), index + 2 < value.count,
        let high = hexadecimal(value[index + 1]), let low = hexadecimal(value[index + 2])
      {
        decoded.append(high << 4 | low)
        index += 3
      } else {
        decoded.append(value[index])
        index += 1
      }
    }
    return String(decoding: decoded, as: UTF8.self)
  }

  private static func hexadecimal(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
