import Foundation
import Testing

@testable import Signals

/// One way to spoil a good snapshot, and what must be said about it.
struct Refusal: Sendable, CustomTestStringConvertible {
  var file: String
  var field: String
  /// Part of the reason.
  var reason: String
  /// Before lengths and digests are listed.
  var spoil: @Sendable (inout SnapshotFixture) -> Void = { _ in }
  /// After.
  var spoilFolder: @Sendable (inout [String: [UInt8]]) -> Void = { _ in }

  var testDescription: String { "\(file): \(field): \(reason)" }

  func check(_ sourceLocation: SourceLocation = #_sourceLocation) throws {
    var fixture = SnapshotFixture()
    spoil(&fixture)
    var folder = try fixture.folder()
    spoilFolder(&folder)
    do {
      _ = try loadFolder(folder)
      Issue.record("was loaded", sourceLocation: sourceLocation)
    } catch let error as SnapshotError {
      #expect(error.file == file, sourceLocation: sourceLocation)
      #expect(error.field == field, sourceLocation: sourceLocation)
      #expect(
        error.reason.contains(reason), "\(error.reason)", sourceLocation: sourceLocation)
    }
  }

  static func manifest(
    _ field: String, _ reason: String, _ spoil: @escaping @Sendable (inout SnapshotFixture) -> Void
  ) -> Refusal {
    Refusal(file: "manifest.json", field: field, reason: reason, spoil: spoil)
  }

  static func source(_ text: String, _ reason: String) -> Refusal {
    manifest("models[0].features[0].from", reason) { $0.setFeature(from: text) }
  }

  static func items(_ tensor: String, _ reason: String, _ replacement: TensorSpec) -> Refusal {
    Refusal(
      file: "items.safetensors", field: "tensor \(tensor)", reason: reason,
      spoil: { $0.replaceItem(replacement) })
  }
}

extension Refusal {
  /// A fault in what the manifest's `files` says.
  static func listed(
    _ field: String, _ reason: String,
    _ spoil: @escaping @Sendable (inout [String: [String: Any]]) -> Void
  ) -> Refusal {
    Refusal(
      file: "manifest.json", field: field, reason: reason,
      spoilFolder: { folder in
        let bytes = Data(folder["manifest.json"] ?? [])
        guard
          var manifest = try? JSONSerialization.jsonObject(with: bytes) as? [String: Any],
          var files = manifest["files"] as? [String: [String: Any]]
        else { return }
        spoil(&files)
        manifest["files"] = files
        folder["manifest.json"] = (try? JSONSerialization.data(withJSONObject: manifest)).map {
          Array($0)
        }
      })
  }
}

/// The id that `splitmix64` maps to `hash`: each of its steps undone, the last first.
func inverseOfSplitmix64(_ hash: UInt64) -> UInt64 {
  func unshifted(_ value: UInt64, _ shift: UInt64) -> UInt64 {
    value ^ (value >> shift) ^ (shift * 2 < 64 ? value >> (shift * 2) : 0)
  }
  func inverse(_ odd: UInt64) -> UInt64 {
    // Newton's iteration doubles the correct low bits each time, from 3.
    var result = odd
    for _ in 0..<6 { result = result &* (2 &- odd &* result) }
    return result
  }
  var z = unshifted(hash, 31)
  z = unshifted(z &* inverse(0x94D0_49BB_1331_11EB), 27)
  z = unshifted(z &* inverse(0xBF58_476D_1CE4_E5B9), 30)
  return z &- 0x9E37_79B9_7F4A_7C15
}
