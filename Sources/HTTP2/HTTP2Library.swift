internal import CNghttp2

/// The nghttp2 that this process runs on.
package enum HTTP2Library {
  /// As the library itself says it at run time, for example `1.52.0`.
  package static var version: String {
    guard let version = nghttp2_version(0) else { return "unknown" }
    return String(cString: version.pointee.version_str)
  }
}
