internal import HTTP2
internal import Wire

/// What this process is linked with, as the libraries themselves say it at run time.
package enum LinkedLibraries {
  package static var nghttp2: String { HTTP2Library.version }
  package static var protobufC: String { ClientMessageLibrary.version }
}
