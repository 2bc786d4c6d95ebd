internal import CProtobufC

/// The protobuf-c that this process runs on.
package enum ClientMessageLibrary {
  /// As the library itself says it at run time, for example `1.4.1`.
  package static var version: String {
    guard let version = protobuf_c_version() else { return "unknown" }
    return String(cString: version)
  }
}
