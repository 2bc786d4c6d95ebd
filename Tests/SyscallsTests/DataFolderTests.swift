import Foundation
import Syscalls
import Testing

@Suite struct DataFolderTests {
  private func withPath(_ body: (String) throws -> Void) rethrows {
    let path = NSTemporaryDirectory() + "crescendo-data-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try body(path)
  }

  @Test func aFolderIsMadeForUsAlone() throws {
    try withPath { path in
      let folder = try DataFolder(path: path)
      let attributes = try FileManager.default.attributesOfItem(atPath: path)
      #expect(attributes[.posixPermissions] as? Int == 0o700)
      #expect(folder.path == path)
      _ = try DataFolder(path: path)
      #expect(throws: SystemError.self) { try DataFolder(path: path + "/a/b") }
    }
  }

  @Test func aSecretIsReadAsItWasWrittenAndOnlyByUs() throws {
    try withPath { path in
      let folder = try DataFolder(path: path)
      #expect(try folder.secret("key", byteCount: 4) == nil)
      #expect(folder.lastWritten("key") == nil)
      try folder.writeSecret("key", [1, 2, 3, 4])
      try folder.writeSecret("key", [5, 6, 7, 8])
      #expect(try folder.secret("key", byteCount: 4) == [5, 6, 7, 8])
      let attributes = try FileManager.default.attributesOfItem(atPath: path + "/key")
      #expect(attributes[.posixPermissions] as? Int == 0o600)
      #expect(throws: SecretFileError.size(path: path + "/key", found: 4, wanted: 5)) {
        try folder.secret("key", byteCount: 5)
      }
      try FileManager.default.setAttributes(
        [.posixPermissions: 0o640], ofItemAtPath: path + "/key")
      #expect(throws: SecretFileError.open(path: path + "/key", mode: 0o640)) {
        try folder.secret("key", byteCount: 4)
      }
    }
  }

  @Test func aLinkIsNoSecret() throws {
    try withPath { path in
      let folder = try DataFolder(path: path)
      try folder.writeSecret("real", [1])
      try FileManager.default.createSymbolicLink(
        atPath: path + "/key", withDestinationPath: "real")
      #expect(throws: SecretFileError.notRegular(path: path + "/key")) {
        try folder.secret("key", byteCount: 1)
      }
    }
  }

  @Test func thisBootHasAName() throws {
    #expect(try bootID().count == 36)
    #expect(try bootID() == bootID())
    let before = boottimeMilliseconds()
    #expect(before > 0 && boottimeMilliseconds() >= before)
  }
}
