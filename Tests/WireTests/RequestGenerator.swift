import Core

/// Writes protobuf by hand, so that tests can say what no library would.
struct ByteWriter {
  var bytes: [UInt8] = []

  mutating func varint(_ value: UInt64) {
    var value = value
    while value >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
      value >>= 7
    }
    bytes.append(UInt8(value))
  }

  mutating func tag(_ number: Int, _ wireType: Int) {
    varint(UInt64(number << 3 | wireType))
  }

  mutating func varintField(_ number: Int, _ value: UInt64) {
    tag(number, 0)
    varint(value)
  }

  mutating func fixed64Field(_ number: Int, _ value: UInt64) {
    tag(number, 1)
    raw(value)
  }

  mutating func bytesField(_ number: Int, _ content: [UInt8]) {
    tag(number, 2)
    varint(UInt64(content.count))
    bytes += content
  }

  mutating func textField(_ number: Int, _ text: String) {
    bytesField(number, Array(text.utf8))
  }

  mutating func raw<T: FixedWidthInteger>(_ value: T) {
    withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
  }
}

/// Random `ScoreRequest`s: fields in any order, columns packed, split and unpacked, unknown fields
/// at every level.
struct RequestGenerator {
  var random: SplitMix64

  init(seed: UInt64) {
    random = SplitMix64(seed: seed)
  }

  private mutating func chance(_ percent: Int) -> Bool {
    Int.random(in: 0..<100, using: &random) < percent
  }

  private mutating func number(_ range: ClosedRange<Int>) -> Int {
    Int.random(in: range, using: &random)
  }

  private mutating func text() -> String {
    let alphabet = ["a", "Z", "7", "-", "ø", "音", "🎧", " "]
    return (0..<number(0...12)).map { _ in
      alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
    }.joined()
  }

  mutating func message() -> [UInt8] {
    var fields: [[UInt8]] = []
    for _ in 0..<number(0...3) { fields.append(unknownField()) }
    if chance(70) { fields.append(field { $0.textField(1, $1.text()) }) }
    if chance(70) { fields.append(field { $0.fixed64Field(2, $1.random.next()) }) }
    if chance(30) { fields.append(field { $0.textField(3, $1.text()) }) }
    if chance(70) { fields.append(context()) }
    fields += chance(80) ? itemIDs() : itemURIs()
    for _ in 0..<number(0...3) { fields.append(column(7)) }
    for _ in 0..<number(0...2) { fields.append(column(8)) }
    if chance(50) { fields.append(field { $0.varintField(9, UInt64($1.number(0...5))) }) }
    if chance(40) { fields.append(field { $0.textField(10, $1.text()) }) }
    for flag in 11...13 where chance(30) {
      fields.append(field { $0.varintField(flag, UInt64($1.number(0...1))) })
    }
    fields.shuffle(using: &random)
    return fields.flatMap { $0 }
  }

  private mutating func field(_ write: (inout ByteWriter, inout RequestGenerator) -> Void)
    -> [UInt8]
  {
    var writer = ByteWriter()
    write(&writer, &self)
    return writer.bytes
  }

  private mutating func unknownField() -> [UInt8] {
    field { writer, generator in
      let fieldNumber = generator.number(100...4_000)
      switch generator.number(0...3) {
      case 0: writer.varintField(fieldNumber, generator.random.next())
      case 1: writer.fixed64Field(fieldNumber, generator.random.next())
      case 2: writer.textField(fieldNumber, generator.text())
      default:
        writer.tag(fieldNumber, 5)
        writer.raw(UInt32(truncatingIfNeeded: generator.random.next()))
      }
    }
  }

  private mutating func context() -> [UInt8] {
    var inner: [[UInt8]] = []
    for name in 1...3 where chance(60) { inner.append(field { $0.textField(name, $1.text()) }) }
    if chance(50) { inner.append(field { $0.fixed64Field(4, $1.random.next()) }) }
    if chance(50) { inner.append(field { $0.varintField(5, UInt64($1.number(0...3_000))) }) }
    for _ in 0..<number(0...3) { inner.append(field { $0.textField(6, $1.text()) }) }
    for _ in 0..<number(0...2) { inner.append(unknownField()) }
    return field { $0.bytesField(4, inner.shuffled(using: &$1.random).flatMap { $0 }) }
  }

  private mutating func itemIDs() -> [[UInt8]] {
    let isPacked = chance(70)
    return (0..<(chance(60) ? 1 : number(0...4))).map { _ in
      field { writer, generator in
        if isPacked || generator.chance(50) {
          var packed = ByteWriter()
          for _ in 0..<generator.number(0...40) { packed.raw(generator.random.next()) }
          writer.bytesField(5, packed.bytes)
        } else {
          writer.fixed64Field(5, generator.random.next())
        }
      }
    }
  }

  private mutating func itemURIs() -> [[UInt8]] {
    (0..<number(0...6)).map { _ in field { $0.textField(6, $1.text()) } }
  }

  private mutating func column(_ fieldNumber: Int) -> [UInt8] {
    var inner: [[UInt8]] = []
    for _ in 0..<(chance(85) ? 1 : number(0...2)) {
      inner.append(field { $0.textField(1, $1.text()) })
    }
    for _ in 0..<(chance(70) ? 1 : number(0...3)) {
      inner.append(
        field { writer, generator in
          if generator.chance(80) {
            var packed = ByteWriter()
            for _ in 0..<generator.number(0...10) {
              packed.raw(UInt32(truncatingIfNeeded: generator.random.next()))
            }
            writer.bytesField(2, packed.bytes)
          } else {
            writer.tag(2, 5)
            writer.raw(UInt32(truncatingIfNeeded: generator.random.next()))
          }
        })
    }
    for _ in 0..<number(0...1) { inner.append(unknownField()) }
    return field { writer, _ in writer.bytesField(fieldNumber, inner.flatMap { $0 }) }
  }
}
