/// Why a snapshot is refused: which file, what in it, and the reason. Nothing of it is served.
package struct SnapshotError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The path inside the folder, for example `items.safetensors`.
  package var file: String
  /// What in the file, for example `tensor plays_log` or `models[0].features[2].from`; empty when
  /// it is about the file as a whole.
  package var field: String
  package var reason: String

  package init(file: String, field: String = "", reason: String) {
    self.file = file
    self.field = field
    self.reason = reason
  }

  package var description: String {
    field.isEmpty ? "\(file): \(reason)" : "\(file): \(field): \(reason)"
  }
}

/// Text of a file as part of an error: what a hostile file says must not flood or garble a log.
func clipped(_ text: String, limit: Int = 80) -> String {
  var result = ""
  for (count, scalar) in text.unicodeScalars.enumerated() {
    if count == limit { return result + "…" }
    let isControl = scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
    result.unicodeScalars.append(isControl ? "\u{FFFD}" : scalar)
  }
  return result
}
