package import Core

/// `SessionHello` (proto/SESSION.md §4.1).
package struct SessionHello: Equatable, Sendable {
  /// The version that this code speaks.
  package static let version: UInt16 = 1
  /// Of `flags`: may go without checksums.
  package static let withoutChecksums: UInt32 = 1

  package var maxFrameBytes: UInt32 = 0
  package var initialCredit: UInt32 = 0
  package var maxCalls: UInt32 = 0
  package var flags: UInt32 = 0
  /// Paths as in gRPC; the id of one is its place + 1.
  package var methods: [String] = []
  /// Of a server's that was received: their ids.
  private var methodIDs: [UInt16] = []

  package init() {}

  /// A client's; what it says of credit and methods is not looked at.
  package init(fromClient payload: ByteSlice) throws(SessionFault) {
    guard let base = payload.base else {
      throw .malformedHello("max_frame_bytes is below \(Limits.sessionFrameBytesLeast)")
    }
    var reader = WireReader(base, from: 0, to: payload.count)
    do throws(WireError) {
      while !reader.isAtEnd {
        let field = try reader.next()
        guard [1, 3, 5].contains(field.number) else { continue }
        guard field.wireType == WireType.varint else {
          throw WireError(offset: field.start, reason: "a field of another wire type than declared")
        }
        let value = UInt32(truncatingIfNeeded: SessionHello.varint(base, field))
        switch field.number {
        case 1: maxFrameBytes = value
        case 3: maxCalls = value
        default: flags = value
        }
      }
    } catch {
      throw .malformedHello("byte \(error.offset): \(error.reason)")
    }
    guard maxFrameBytes >= Limits.sessionFrameBytesLeast else {
      throw .malformedHello("max_frame_bytes is below \(Limits.sessionFrameBytesLeast)")
    }
  }

  /// A server's: credit, calls and methods hold to what §4.1 says, or it is malformed.
  package init(fromServer payload: ByteSlice) throws(SessionFault) {
    let slice = payload.base ?? UnsafeRawPointer(ByteSlice("").base)
    guard let base = slice else { throw .malformedHello("it is empty") }
    var reader = WireReader(base, from: 0, to: payload.count)
    do throws(WireError) {
      while !reader.isAtEnd {
        let field = try reader.next()
        guard (1...5).contains(field.number) else { continue }
        let expected = field.number == 4 ? WireType.lengthDelimited : WireType.varint
        guard field.wireType == expected else {
          throw WireError(offset: field.start, reason: "a field of another wire type than declared")
        }
        if field.number == 4 {
          try takeMethod(reader.inside(field), at: field.start)
          continue
        }
        let value = UInt32(truncatingIfNeeded: SessionHello.varint(base, field))
        switch field.number {
        case 1: maxFrameBytes = value
        case 2: initialCredit = value
        case 3: maxCalls = value
        default: flags = value
        }
      }
    } catch {
      throw .malformedHello("byte \(error.offset): \(error.reason)")
    }
    guard maxFrameBytes >= Limits.sessionFrameBytesLeast else {
      throw .malformedHello("max_frame_bytes is below \(Limits.sessionFrameBytesLeast)")
    }
    guard initialCredit <= UInt32(Int32.max) else {
      throw .malformedHello("initial_credit is over \(Int32.max)")
    }
    guard maxCalls >= 1 else { throw .malformedHello("max_calls is 0") }
  }

  private mutating func takeMethod(_ fields: WireReader, at offset: Int) throws(WireError) {
    var (reader, id, path): (WireReader, UInt64, String?) = (fields, 0, "")
    while !reader.isAtEnd {
      let field = try reader.next()
      switch (field.number, field.wireType) {
      case (1, WireType.varint): id = SessionHello.varint(reader.base, field)
      case (2, WireType.lengthDelimited):
        path = String(
          validating: UnsafeRawBufferPointer(
            start: reader.base + field.valueStart, count: field.valueCount), as: UTF8.self)
      case (1, _), (2, _):
        throw WireError(offset: offset, reason: "a field of another wire type than declared")
      default: break
      }
    }
    guard let method = UInt16(exactly: id), method > 0, !methodIDs.contains(method) else {
      throw WireError(offset: offset, reason: "a method's id is 0, over 65,535 or there twice")
    }
    guard let path, !path.isEmpty, !methods.contains(path) else {
      throw WireError(offset: offset, reason: "a method's path is empty, no UTF-8 or there twice")
    }
    methodIDs.append(method)
    methods.append(path)
  }

  /// Nil: the server does not serve it.
  package func methodID(_ path: String) -> UInt16? {
    methods.firstIndex(of: path).map { methodIDs.isEmpty ? UInt16($0 + 1) : methodIDs[$0] }
  }

  private static func varint(_ base: UnsafeRawPointer, _ field: WireField) -> UInt64 {
    var (value, shift): (UInt64, UInt64) = (0, 0)
    for offset in field.valueStart..<field.end {
      value |= UInt64(base.load(fromByteOffset: offset, as: UInt8.self) & 0x7F) << shift
      shift += 7
    }
    return value
  }

  /// As its payload goes out.
  package var encoded: [UInt8] {
    var hello = FieldWriter()
    hello.number(1, UInt64(maxFrameBytes))
    hello.number(2, UInt64(initialCredit))
    hello.number(3, UInt64(maxCalls))
    for (index, path) in methods.enumerated() {
      var method = FieldWriter()
      method.number(1, UInt64(index + 1))
      method.text(2, path)
      hello.message(4, method)
    }
    hello.number(5, UInt64(flags))
    return hello.bytes
  }
}
