package import Core

/// `grpc-status-details-bin`: what a failed call has to say beyond its code and its sentence, as
/// a `google.rpc.Status` (google/rpc/status.proto, google/rpc/error_details.proto).
package enum StatusDetails {
  /// The header's value, unpadded base64; nil when there is nothing to say.
  package static func header(_ failure: CallFailure) -> [UInt8]? {
    encoded(failure).map { Base64.unpadded($0) }
  }

  /// A `google.rpc.Status` with a `BadRequest` for the failure's field and a `RetryInfo` for a
  /// pushback that is not negative; nil with neither. Message and field are cut at
  /// `Limits.statusDetailBytes` and `Limits.fieldPathBytes`.
  package static func encoded(_ failure: CallFailure) -> [UInt8]? {
    let pushback = failure.retryPushbackMilliseconds.flatMap { $0 >= 0 ? $0 : nil }
    guard failure.field != nil || pushback != nil else { return nil }
    let message = StatusText.bounded(failure.message)
    var status = FieldWriter()
    status.number(1, UInt64(failure.code.rawValue))
    status.text(2, message)
    if let field = failure.field {
      var violation = FieldWriter()
      violation.text(1, StatusText.bounded(field, limitBytes: Limits.fieldPathBytes))
      violation.text(2, message)
      var badRequest = FieldWriter()
      badRequest.message(1, violation)
      status.message(3, any("google.rpc.BadRequest", badRequest))
    }
    if let pushback {
      var delay = FieldWriter()
      delay.number(1, UInt64(pushback / 1_000))
      delay.number(2, UInt64(pushback % 1_000) * 1_000_000)
      var retryInfo = FieldWriter()
      retryInfo.message(1, delay)
      status.message(3, any("google.rpc.RetryInfo", retryInfo))
    }
    return status.bytes
  }

  private static func any(_ name: String, _ value: FieldWriter) -> FieldWriter {
    var any = FieldWriter()
    any.text(1, "type.googleapis.com/" + name)
    any.message(2, value)
    return any
  }
}

/// Sentences within messages: they may quote what a peer has sent, however long.
package enum StatusText {
  /// As `bounded`, in bytes.
  package static func bytes(_ text: String) -> [UInt8] {
    Array(bounded(text).utf8)
  }

  /// The text, or as many whole characters of it as fit with "..." behind them.
  static func bounded(_ text: String, limitBytes: Int = Limits.statusDetailBytes) -> String {
    let utf8 = text.utf8
    guard utf8.count > limitBytes else { return text }
    let ellipsis = "..."
    var end = utf8.index(utf8.startIndex, offsetBy: limitBytes - ellipsis.utf8.count)
    while end > utf8.startIndex, utf8[end] & 0xC0 == 0x80 { end = utf8.index(before: end) }
    return String(text[..<end]) + ellipsis
  }
}

/// Base64 with the standard alphabet (RFC 4648 §4), as gRPC writes `-bin` headers: no padding.
package enum Base64 {
  private static let alphabet: StaticString =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

  package static func unpadded(_ bytes: [UInt8]) -> [UInt8] {
    let letters = ByteSlice(alphabet)
    // Three bytes are four letters; one byte more is two, two are three.
    let count = bytes.count / 3 * 4 + (bytes.count % 3 == 0 ? 0 : bytes.count % 3 + 1)
    var text: [UInt8] = []
    text.reserveCapacity(count)
    var (bits, bitCount): (UInt32, UInt32) = (0, 0)
    for byte in bytes {
      bits = bits << 8 | UInt32(byte)
      bitCount += 8
      while bitCount >= 6 {
        bitCount -= 6
        text.append(letters[Int(bits >> bitCount & 63)])
      }
    }
    if bitCount > 0 { text.append(letters[Int(bits << (6 - bitCount) & 63)]) }
    return text
  }

  /// As text, padded to fours.
  package static func padded(_ bytes: [UInt8]) -> String {
    let letters = unpadded(bytes)
    let padding = String(repeating: "=", count: (4 - letters.count % 4) % 4)
    return String(decoding: letters, as: UTF8.self) + padding
  }

  /// The bytes of base64 with or without padding; nil when it is none. Bits that a last letter has
  /// too many are not looked at.
  package static func decoded(_ text: [UInt8]) -> [UInt8]? {
    let letters = ByteSlice(alphabet)
    let digits = text.prefix { $0 != UInt8(ascii: "=") }
    let padding = text.count - digits.count
    guard digits.count % 4 != 1, text.suffix(padding).allSatisfy({ $0 == UInt8(ascii: "=") }),
      padding == 0 || (padding <= 2 && text.count % 4 == 0)
    else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(digits.count * 3 / 4)
    var (bits, bitCount): (UInt32, UInt32) = (0, 0)
    for letter in digits {
      guard let value = letters.bytes.firstIndex(of: letter) else { return nil }
      bits = bits << 6 | UInt32(value)
      bitCount += 6
      guard bitCount >= 8 else { continue }
      bitCount -= 8
      bytes.append(UInt8(truncatingIfNeeded: bits >> bitCount))
    }
    return bytes
  }
}
