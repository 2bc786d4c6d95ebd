internal import Core

/// The lines of a text model, read in place: a file may have 200 MB, and a `String` per line
/// would double that.
struct LineReader {
  struct Line {
    var bytes: ByteSlice
    /// Of its first byte in the file.
    var offset: Int
    /// From 1.
    var number: Int
  }

  private let file: UnsafeRawBufferPointer
  private var position = 0
  private var number = 0

  init(_ file: UnsafeRawBufferPointer) { self.file = file }

  var end: Int { file.count }

  /// The next line without its end (LF or CR LF), or nil after the last.
  mutating func next() -> Line? {
    guard position < file.count else { return nil }
    let start = position
    var stop = start
    while stop < file.count, file[stop] != UInt8(ascii: "\n") { stop += 1 }
    position = min(stop + 1, file.count)
    number += 1
    if stop > start, file[stop - 1] == UInt8(ascii: "\r") { stop -= 1 }
    return Line(
      bytes: ByteSlice(UnsafeRawBufferPointer(rebasing: file[start..<stop])), offset: start,
      number: number)
  }

  /// The next line that is not empty.
  mutating func nextFilled() -> Line? {
    while let line = next() {
      if !line.bytes.isEmpty { return line }
    }
    return nil
  }
}

extension ByteSlice {
  func hasPrefix(_ literal: StaticString) -> Bool {
    let prefix = ByteSlice(literal)
    return count >= prefix.count && self[0..<prefix.count].equals(prefix)
  }

  subscript(range: Range<Int>) -> ByteSlice {
    ByteSlice(UnsafeRawBufferPointer(rebasing: bytes[range]))
  }

  /// The parts before and after the first `=`; nil if there is none.
  var keyAndValue: (key: ByteSlice, value: ByteSlice)? {
    guard let equals = bytes.firstIndex(of: UInt8(ascii: "=")) else { return nil }
    return (self[0..<equals], self[equals + 1..<count])
  }

  /// The words between spaces.
  var words: Words { Words(text: self) }

  struct Words: Sequence, IteratorProtocol {
    let text: ByteSlice
    private var position = 0

    init(text: ByteSlice) { self.text = text }

    mutating func next() -> ByteSlice? {
      let space = UInt8(ascii: " ")
      while position < text.count, text[position] == space { position += 1 }
      guard position < text.count else { return nil }
      let start = position
      while position < text.count, text[position] != space { position += 1 }
      return text[start..<position]
    }
  }

  /// A decimal integer with an optional minus; nil if it is anything else or does not fit.
  var integer: Int64? {
    let negative = count > 0 && self[0] == UInt8(ascii: "-")
    guard count > (negative ? 1 : 0) else { return nil }
    var value: Int64 = 0
    for index in (negative ? 1 : 0)..<count {
      let digit = self[index] &- UInt8(ascii: "0")
      guard digit < 10 else { return nil }
      let (tens, lost) = value.multipliedReportingOverflow(by: 10)
      let (next, lostToo) =
        negative
        ? tens.subtractingReportingOverflow(Int64(digit))
        : tens.addingReportingOverflow(Int64(digit))
      guard !lost, !lostToo else { return nil }
      value = next
    }
    return value
  }

  /// A decimal number as JSON spells it.
  var isDecimal: Bool {
    var position = 0
    func isAt(_ character: Unicode.Scalar) -> Bool {
      position < count && self[position] == UInt8(ascii: character)
    }
    func skipDigits() -> Bool {
      let start = position
      while position < count, self[position] &- UInt8(ascii: "0") < 10 { position += 1 }
      return position > start
    }
    if isAt("-") { position += 1 }
    guard skipDigits() else { return false }
    if isAt(".") {
      position += 1
      guard skipDigits() else { return false }
    }
    if isAt("e") || isAt("E") {
      position += 1
      if isAt("-") || isAt("+") { position += 1 }
      guard skipDigits() else { return false }
    }
    return position == count
  }

  /// The double nearest to a decimal number, or one of `inf`, `-inf`, `nan`, `-nan`, which
  /// LightGBM prints: the bits of its own reader, which rounds correctly too. It prints 17 digits;
  /// what is longer than any honest spelling is refused, lest rounding it take long.
  var double: Double? {
    guard count <= 128 else { return nil }
    if isDecimal { return Double(text) }
    if equals("inf") { return .infinity }
    if equals("-inf") { return -.infinity }
    if equals("nan") || equals("-nan") { return .nan }
    return nil
  }
}
