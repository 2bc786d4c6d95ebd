package import Core

/// The server's half of `grpc.health.v1.Health/Check`.
package enum HealthCheck {
  package static let messageName: StaticString = "grpc.health.v1.HealthCheckRequest"

  /// The service that a request asks about. Undecodable bytes: INTERNAL with the byte offset.
  package static func service(of message: ByteSlice) throws(CallFailure) -> String {
    var service = ""
    guard let base = message.base else { return service }
    var reader = WireReader(base, from: 0, to: message.count)
    do throws(WireError) {
      while !reader.isAtEnd {
        let field = try reader.next()
        guard field.number == 1 else { continue }
        let bytes = UnsafeRawBufferPointer(
          start: base + field.valueStart, count: field.valueCount)
        guard field.wireType == WireType.lengthDelimited, isUTF8(bytes) else {
          throw WireError(offset: field.start, reason: "a service name that is not a UTF-8 string")
        }
        service = String(decoding: bytes, as: UTF8.self)
      }
    } catch {
      throw CallFailure(
        .internalError, "cannot decode \(messageName): byte \(error.offset): \(error.reason)")
    }
    return service
  }

  /// A `HealthCheckResponse`: SERVING or NOT_SERVING.
  package static func response(isServing: Bool) -> [UInt8] {
    [0x08, isServing ? 1 : 2]
  }

  /// SERVICE_UNKNOWN, as `Watch` alone says it.
  package static let responseForUnknownService: [UInt8] = [0x08, 3]
}
