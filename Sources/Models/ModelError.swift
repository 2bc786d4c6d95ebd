internal import Core

/// Why a model file is refused: a model is either understood whole or not at all.
package struct ModelError: Error, Sendable, Equatable, CustomStringConvertible {
  /// Where in the file: "header", "line 12", "tree 3, node 5". May be empty.
  package var location: String
  package var reason: String

  package init(location: String = "", reason: String) {
    self.location = location
    self.reason = reason
  }

  package var description: String {
    location.isEmpty ? reason : "\(location): \(reason)"
  }
}

extension ByteSlice {
  /// The first bytes as text that is safe to print, for error messages: the file is hostile, so
  /// it is cut and its control characters are escaped.
  var quoted: String {
    let bound = 40
    if count <= bound { return text.debugDescription }
    return ByteSlice(base, count: bound).text.debugDescription + "…"
  }
}
