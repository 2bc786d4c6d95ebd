import Core
import Foundation
import Syscalls
import Testing

@testable import Server

@Suite struct TokenKeysTests {
  private static let (first, second) = (key(1), key(2))

  private static func key(_ byte: UInt8) -> [UInt8] {
    [UInt8](repeating: byte, count: TokenKeys.byteCount)
  }

  private func withFolder(_ body: (DataFolder, _ key: String) throws -> Void) throws {
    let path = NSTemporaryDirectory() + "crescendo-keys-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try body(try DataFolder(path: path), path + "/token.key")
  }

  private func change(
    _ folder: DataFolder, _ fresh: [UInt8], isUsed: Bool, after seconds: Int64 = 0
  ) throws -> TokenKeys.Change {
    let now = Int64(Date().timeIntervalSince1970) + seconds
    return try TokenKeys.signer(folder, fresh: fresh, nowSeconds: now, isUsed: isUsed).change
  }

  @Test func aLostKeyIsNotMadeAnew() throws {
    try withFolder { folder, path in
      #expect(try change(folder, Self.first, isUsed: false) == .made)
      #expect(try change(folder, Self.second, isUsed: true) == .kept)
      try FileManager.default.removeItem(atPath: path)
      let error = #expect(throws: TokenKeyError.missing(path: path)) {
        try change(folder, Self.second, isUsed: true)
      }
      #expect(!FileManager.default.fileExists(atPath: path))
      let said = "\(path) is missing, and the ledger has been used"
      #expect(error?.description.hasPrefix(said) == true)
      // As the message says.
      let shell = Process()
      shell.executableURL = URL(filePath: "/bin/sh")
      shell.arguments = ["-c", "(umask 077; head -c 32 /dev/urandom > '\(path)')"]
      try shell.run()
      shell.waitUntilExit()
      #expect(try change(folder, Self.second, isUsed: true) == .kept)
    }
  }

  private func refusal(_ folder: DataFolder) -> String? {
    let error = #expect(throws: TokenKeyError.self) {
      try change(folder, Self.first, isUsed: true)
    }
    return error?.description
  }

  @Test func aFileThatIsNoKeyIsNamed() throws {
    try withFolder { folder, path in
      _ = try change(folder, Self.first, isUsed: false)
      try folder.writeSecret("token.key", [1, 2, 3])
      #expect(
        refusal(folder)
          == "the key that placements are signed with: \(path) has 3 bytes, wanted 32")
      try folder.writeSecret("token.key", Self.first + [0])
      #expect(refusal(folder)?.hasSuffix("has more than 32 bytes, wanted 32") == true)
      try folder.writeSecret("token.key", Self.first)
      try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
      #expect(refusal(folder)?.contains("by others (mode 644): `chmod 600 \(path)`") == true)
    }
  }

  /// At no moment is the folder without a key.
  @Test func anOldKeyIsReplacedAndTakenForAWhile() throws {
    try withFolder { folder, path in
      _ = try change(folder, Self.first, isUsed: false)
      let old = Limits.tokenKeySeconds + 1
      #expect(try change(folder, Self.second, isUsed: true, after: old) == .replaced)
      #expect(try folder.secret("token.key", byteCount: 32) == Self.second)
      #expect(try folder.secret("token-previous.key", byteCount: 32) == Self.first)
      // Ended between the two writes: the same again.
      try folder.writeSecret("token.key", Self.first)
      #expect(try change(folder, Self.second, isUsed: true, after: old) == .replaced)
      #expect(try folder.secret("token-previous.key", byteCount: 32) == Self.first)
      #expect(try change(folder, Self.first, isUsed: true) == .kept)
    }
  }
}
