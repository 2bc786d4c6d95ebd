package import Core

/// The content types of gRPC over HTTP/2.
package enum GRPCContentType {
  /// `application/grpc`, then nothing, a codec that we speak (`+proto`) or parameters (`;…`).
  /// `application/grpc-web` and other codecs are other protocols.
  package static func isGRPC(_ value: ByteSlice) -> Bool {
    let prefix: StaticString = "application/grpc"
    let length = prefix.utf8CodeUnitCount
    guard value.count >= length, let base = value.base,
      ByteSlice(base, count: length).equals(prefix)
    else { return false }
    if value.count == length { return true }
    let rest = ByteSlice(base + length, count: value.count - length)
    if rest[0] == UInt8(ascii: ";") { return true }
    let codec: StaticString = "+proto"
    guard rest.count >= codec.utf8CodeUnitCount,
      ByteSlice(rest.base, count: codec.utf8CodeUnitCount).equals(codec)
    else { return false }
    return rest.count == codec.utf8CodeUnitCount
      || rest[codec.utf8CodeUnitCount] == UInt8(ascii: ";")
  }
}

/// `grpc-timeout`: 1 to 8 digits and a unit.
package enum GRPCTimeout {
  /// Nanoseconds; nil when it is malformed.
  package static func parse(_ value: ByteSlice) -> UInt64? {
    guard value.count >= 2, value.count <= 9 else { return nil }
    var number: UInt64 = 0
    for index in 0..<(value.count - 1) {
      let digit = value[index] &- UInt8(ascii: "0")
      guard digit <= 9 else { return nil }
      number = number * 10 + UInt64(digit)
    }
    let unit: UInt64
    switch value[value.count - 1] {
    case UInt8(ascii: "H"): unit = 3_600_000_000_000
    case UInt8(ascii: "M"): unit = 60_000_000_000
    case UInt8(ascii: "S"): unit = 1_000_000_000
    case UInt8(ascii: "m"): unit = 1_000_000
    case UInt8(ascii: "u"): unit = 1_000
    case UInt8(ascii: "n"): unit = 1
    default: return nil
    }
    // 99,999,999 hours are 11,400 years: over what 64 bits of nanoseconds hold.
    let (nanoseconds, overflow) = number.multipliedReportingOverflow(by: unit)
    return overflow ? UInt64(Int64.max) : nanoseconds
  }
}

/// `grpc-status` as text.
package enum GRPCStatus {
  package static func text(_ code: StatusCode) -> StaticString {
    switch code {
    case .ok: "0"
    case .cancelled: "1"
    case .unknown: "2"
    case .invalidArgument: "3"
    case .deadlineExceeded: "4"
    case .notFound: "5"
    case .alreadyExists: "6"
    case .permissionDenied: "7"
    case .resourceExhausted: "8"
    case .failedPrecondition: "9"
    case .aborted: "10"
    case .outOfRange: "11"
    case .unimplemented: "12"
    case .internalError: "13"
    case .unavailable: "14"
    case .dataLoss: "15"
    case .unauthenticated: "16"
    }
  }
}

/// `grpc-message`: UTF-8, with everything but printable ASCII and `%` itself as `%XX`.
package enum GRPCMessage {
  /// At most `Limits.statusMessageBytes` and one character: a longer text ends in "...".
  package static func percentEncode(_ text: String) -> [UInt8] {
    var encoded: [UInt8] = []
    encoded.reserveCapacity(min(text.utf8.count, Limits.statusMessageBytes))
    for byte in text.utf8 {
      let isWithinCharacter = byte & 0xC0 == 0x80
      if encoded.count >= Limits.statusMessageBytes, !isWithinCharacter {
        encoded.append(contentsOf: "...".utf8)
        break
      }
      if byte >= 0x20, byte <= 0x7E, byte != UInt8(ascii: "%") {
        encoded.append(byte)
      } else {
        encoded.append(UInt8(ascii: "%"))
        encoded.append(hexadecimal(byte >> 4))
        encoded.append(hexadecimal(byte & 15))
      }
    }
    return encoded
  }

  private static func hexadecimal(_ nibble: UInt8) -> UInt8 {
    nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "A") + nibble - 10
  }
}
