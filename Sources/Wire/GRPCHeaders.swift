package import Core

/// The content types of gRPC over HTTP/2, in upper or lower case (RFC 9110 §8.3.1).
package enum GRPCContentType {
  /// A session's (proto/SESSION.md §2), with or without parameters.
  package static func isSession(_ value: ByteSlice) -> Bool {
    let name: StaticString = "application/x-crescendo-session"
    let length = name.utf8CodeUnitCount
    guard value.count >= length, HeaderList.begins(value, with: name) else { return false }
    return value.count == length || value[length] == UInt8(ascii: ";")
  }

  /// `application/grpc`, then nothing, a codec that we speak (`+proto`) or parameters (`;…`).
  /// `application/grpc-web` and other codecs are other protocols.
  package static func isGRPC(_ value: ByteSlice) -> Bool {
    let prefix: StaticString = "application/grpc"
    let length = prefix.utf8CodeUnitCount
    guard value.count >= length, let base = value.base, HeaderList.begins(value, with: prefix)
    else { return false }
    if value.count == length { return true }
    let rest = ByteSlice(base + length, count: value.count - length)
    if rest[0] == UInt8(ascii: ";") { return true }
    let codec: StaticString = "+proto"
    guard rest.count >= codec.utf8CodeUnitCount, HeaderList.begins(rest, with: codec) else {
      return false
    }
    return rest.count == codec.utf8CodeUnitCount
      || rest[codec.utf8CodeUnitCount] == UInt8(ascii: ";")
  }
}

/// The codings of messages that we speak (`grpc-encoding`, `grpc-accept-encoding`).
package enum MessageEncoding: UInt8, Sendable, CaseIterable, BitwiseCopyable {
  case identity
  case gzip

  /// What we send as `grpc-accept-encoding`.
  package static let acceptedByUs: StaticString = "identity,gzip"

  /// As `grpc-encoding` names it.
  package var name: StaticString {
    switch self {
    case .identity: "identity"
    case .gzip: "gzip"
    }
  }

  /// The one coding that a `grpc-encoding` names, with blanks around it; nil when we do not speak
  /// it. Names of codings are the same in upper and lower case (RFC 9110 §8.4.1).
  package init?(_ value: ByteSlice) {
    let name = HeaderList.trimmed(value.bytes[...])
    guard let coding = MessageEncoding.allCases.first(where: { $0.isNamed(name) }) else {
      return nil
    }
    self = coding
  }

  /// Whether a `grpc-accept-encoding` lists this coding: names and commas, blanks and empty
  /// elements between them (RFC 9110 §5.6.1). A client that sends several such headers accepts
  /// what any of them lists. Identity needs no listing.
  package func isAccepted(by value: ByteSlice) -> Bool {
    if self == .identity { return true }
    var rest = value.bytes[...]
    while !rest.isEmpty {
      let end = rest.firstIndex(of: UInt8(ascii: ",")) ?? rest.endIndex
      if isNamed(HeaderList.trimmed(rest[..<end])) { return true }
      rest = end == rest.endIndex ? rest[end...] : rest[(end + 1)...]
    }
    return false
  }

  private func isNamed(_ text: Slice<UnsafeRawBufferPointer>) -> Bool {
    let name = ByteSlice(name)
    guard text.count == name.count else { return false }
    // Letters only: the bit that makes them lower case.
    return zip(text, name.bytes).allSatisfy { $0 | 0x20 == $1 }
  }
}

/// Elements of a header's value.
private enum HeaderList {
  /// `name` has small letters and stops only; the value is long enough.
  static func begins(_ value: ByteSlice, with name: StaticString) -> Bool {
    // As nearly everybody writes it.
    if ByteSlice(value.base, count: name.utf8CodeUnitCount).equals(name) { return true }
    return zip(value.bytes, ByteSlice(name).bytes).allSatisfy { byte, wanted in
      let isLetter = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
      return (isLetter ? byte | 0x20 : byte) == wanted
    }
  }

  /// Without spaces and tabs at both ends.
  static func trimmed(_ text: Slice<UnsafeRawBufferPointer>) -> Slice<UnsafeRawBufferPointer> {
    let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
    guard let start = text.firstIndex(where: { !isBlank($0) }),
      let last = text.lastIndex(where: { !isBlank($0) })
    else { return text[text.endIndex...] }
    return text[start...last]
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
