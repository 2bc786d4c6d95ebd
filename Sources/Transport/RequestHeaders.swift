internal import Core
internal import Glibc
internal import Wire

/// What a request's headers say, as far as the transport needs it: filled header by header.
struct RequestHeaders: BitwiseCopyable {
  /// Index in the service table; −1 = no such method.
  var method: Int32 = -1
  var isPost = false
  var hasContentType = false
  var contentTypeIsGRPC = false
  var contentTypeIsSession = false
  var pathIsSession = false
  /// Of the messages; nil = one that we do not speak.
  var encoding: MessageEncoding? = .identity
  var acceptsGzip = false
  var timeoutIsMalformed = false
  /// `UInt64.max` = none given.
  var timeoutNanoseconds = UInt64.max
  /// `crescendo-priority: batch`.
  var isBatch = false
  /// `traceparent` as it came; 55 characters in the version that there is (W3C Trace Context).
  var traceParent = InlineArray<55, UInt8>(repeating: 0)
  var hasTraceParent = false
  /// A `-bin` header is not base64.
  var hasMalformedBinary = false

  /// Takes one header. Names are lower case (HTTP/2 sees to that).
  mutating func take(name: ByteSlice, value: ByteSlice, methods: MethodTable) {
    switch name.count {
    case 5 where name.matches(":path"):
      method = methods.index(of: value)
      pathIsSession = method < 0 && value.matches(WireNames.sessionPath)
    case 7 where name.matches(":method"):
      isPost = value.matches("POST")
    case 12 where name.matches("content-type"):
      hasContentType = true
      contentTypeIsGRPC = GRPCContentType.isGRPC(value)
      contentTypeIsSession = GRPCContentType.isSession(value)
    case 12 where name.matches("grpc-timeout"):
      if let timeout = GRPCTimeout.parse(value.trimmed) {
        timeoutNanoseconds = timeout
      } else {
        timeoutIsMalformed = true
      }
    case 13 where name.matches("grpc-encoding"):
      encoding = MessageEncoding(value)
    case 20 where name.matches("grpc-accept-encoding"):
      if MessageEncoding.gzip.isAccepted(by: value) { acceptsGzip = true }
    case 11 where name.matches("traceparent"):
      guard value.count == traceParent.count else { return }
      for index in traceParent.indices { traceParent[index] = value[index] }
      hasTraceParent = true
    case 18 where name.matches("crescendo-priority"):
      isBatch = value.trimmed.matches("batch")
    default:
      if name.count > 4, name.endsInBinary, !value.isBase64 { hasMalformedBinary = true }
    }
  }
}

extension ByteSlice {
  /// `equals` as one memcmp, for the per-header path.
  @inline(__always)
  func matches(_ literal: StaticString) -> Bool {
    guard count == literal.utf8CodeUnitCount else { return false }
    guard let base else { return true }
    return memcmp(base, literal.utf8Start, count) == 0
  }

  fileprivate var endsInBinary: Bool {
    self[count - 4] == UInt8(ascii: "-") && self[count - 3] == UInt8(ascii: "b")
      && self[count - 2] == UInt8(ascii: "i") && self[count - 1] == UInt8(ascii: "n")
  }

  /// Base64, padded or not, or several of it with commas between (gRPC's PROTOCOL-HTTP2.md).
  fileprivate var isBase64: Bool {
    bytes.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false).allSatisfy {
      let part = $0.drop { $0 == 0x20 }
      let digits = part.prefix { byte in
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
          || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
          || (UInt8(ascii: "/")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "+")
      }
      let rest = part[digits.endIndex...]
      let padding = rest.prefix { $0 == UInt8(ascii: "=") }
      return digits.count % 4 != 1 && rest.count == padding.count
        && padding.count <= 2 && (padding.isEmpty || (digits.count + padding.count) % 4 == 0)
    }
  }

  /// Without blanks at both ends.
  var trimmed: ByteSlice {
    var (start, end) = (0, count)
    while start < end, self[start] == 0x20 || self[start] == 0x09 { start += 1 }
    while end > start, self[end - 1] == 0x20 || self[end - 1] == 0x09 { end -= 1 }
    guard let base else { return self }
    return ByteSlice(base + start, count: end - start)
  }
}

/// The methods of a service table, flat: what every request looks up.
struct MethodTable {
  private let paths: UnsafeMutablePointer<ByteSlice>
  private let methods: UnsafeMutablePointer<ServiceMethod>
  let count: Int

  init(_ methods: [ServiceMethod]) {
    count = methods.count
    paths = .allocate(capacity: max(count, 1))
    self.methods = .allocate(capacity: max(count, 1))
    for (index, method) in methods.enumerated() {
      (paths + index).initialize(to: ByteSlice(method.path))
      (self.methods + index).initialize(to: method)
    }
  }

  func destroy() {
    methods.deinitialize(count: count)
    methods.deallocate()
    paths.deallocate()
  }

  subscript(index: Int32) -> UnsafePointer<ServiceMethod> {
    precondition(index >= 0 && index < count)
    return UnsafePointer(methods + Int(index))
  }

  /// −1 = not there. A dozen of methods: comparing lengths, then bytes, beats hashing.
  func index(of path: ByteSlice) -> Int32 {
    guard let base = path.base else { return -1 }
    for index in 0..<count where paths[index].count == path.count {
      if let known = paths[index].base, memcmp(known, base, path.count) == 0 {
        return Int32(index)
      }
    }
    return -1
  }
}
