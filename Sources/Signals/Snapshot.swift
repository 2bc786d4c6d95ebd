internal import Core

/// A model's file as its trainer wrote it.
package struct ModelFile: Sendable {
  package let bytes: FileBytes
  /// 64 hexadecimal digits, lower case: that of the bytes, which is that of the manifest.
  package let sha256: String
}

/// A snapshot in memory: verified against its manifest, consistent in itself, immutable.
///
/// What a model's file says is not looked at here: whether it can be run, and whether its features
/// are those that the manifest binds, is for whoever builds the model.
package final class Snapshot: Sendable {
  static let itemsFileName = "items.safetensors"
  static let usersFileName = "users.safetensors"

  package let manifest: Manifest
  package let items: SignalTable
  /// Nil when the snapshot has none: every signal of a user is missing then.
  package let users: SignalTable?
  /// By the model's name; one for each model of the manifest.
  package let modelFiles: [String: ModelFile]

  private init(
    manifest: Manifest, items: SignalTable, users: SignalTable?, modelFiles: [String: ModelFile]
  ) {
    self.manifest = manifest
    self.items = items
    self.users = users
    self.modelFiles = modelFiles
  }

  /// Reads and checks a snapshot; each file is read once, and the bytes that were verified are
  /// those that are kept.
  ///
  /// `sha256` gives the digest of bytes, 32 bytes long. `indexSeed` should be random, so that
  /// nobody can write ids or URIs that collide in the indexes; answers do not depend on it.
  package static func load(
    files: SnapshotFiles, sha256: @Sendable (UnsafeRawBufferPointer) -> [UInt8], indexSeed: UInt64
  ) throws(SnapshotError) -> Snapshot {
    let manifestFile = try read(
      Manifest.fileName, files: files, limitBytes: Limits.manifestBytes)
    let manifest = try manifestFile.withBytes { (bytes) throws(SnapshotError) in
      try Manifest(parsing: bytes)
    }
    try checkListed(manifest, files: files)
    let kept = try verifiedFiles(manifest, files: files, sha256: sha256)
    guard let itemsFile = kept[itemsFileName] else {
      throw Manifest.fault("files", "does not list \(itemsFileName)")
    }
    let items = try SignalTable.load(itemsFile, name: itemsFileName, indexSeed: indexSeed)
    var users: SignalTable?
    if let usersFile = kept[usersFileName] {
      users = try SignalTable.load(usersFile, name: usersFileName, indexSeed: indexSeed)
    }
    try BindingCheck(manifest: manifest, items: items, users: users).run()
    var modelFiles: [String: ModelFile] = [:]
    for model in manifest.models {
      guard let bytes = kept[model.file], let file = manifest.files[model.file] else { continue }
      modelFiles[model.name] = ModelFile(bytes: bytes, sha256: file.sha256)
    }
    return Snapshot(manifest: manifest, items: items, users: users, modelFiles: modelFiles)
  }

  /// Everything that will be read is in `files`, where its length and digest are.
  private static func checkListed(_ manifest: Manifest, files: SnapshotFiles)
    throws(SnapshotError)
  {
    guard manifest.files[itemsFileName] != nil else {
      throw Manifest.fault("files", "does not list \(itemsFileName)")
    }
    if manifest.files[usersFileName] == nil, files.exists(usersFileName) {
      // Without it every user would be unknown, and nobody would notice.
      throw Manifest.fault("files", "does not list \(usersFileName), but the folder has it")
    }
    for (index, model) in manifest.models.enumerated() where manifest.files[model.file] == nil {
      throw Manifest.fault(
        "models[\(index)].file", "\"\(clipped(model.file))\" is not listed in files")
    }
  }

  /// The files that are used, by path; all that are listed have been verified.
  private static func verifiedFiles(
    _ manifest: Manifest, files: SnapshotFiles,
    sha256: @Sendable (UnsafeRawBufferPointer) -> [UInt8]
  ) throws(SnapshotError) -> [String: FileBytes] {
    var used = Set(manifest.models.map(\.file))
    used.formUnion([itemsFileName, usersFileName])
    var kept: [String: FileBytes] = [:]
    for (path, expected) in manifest.files.sorted(by: { $0.key < $1.key }) {
      let isTable = path == itemsFileName || path == usersFileName
      let limit = isTable ? Limits.tensorFileBytes : Limits.modelFileBytes
      guard expected.bytes <= limit else {
        throw Manifest.fault(
          "files.\(clipped(path)).bytes", "is \(expected.bytes); at most \(limit)")
      }
      let file = try read(path, files: files, limitBytes: expected.bytes)
      guard file.bytes.count == expected.bytes else {
        throw SnapshotError(
          file: clipped(path),
          reason: "has \(file.bytes.count) bytes; the manifest says \(expected.bytes)")
      }
      let digest = hexadecimal(file.withBytes(sha256))
      guard digest == expected.sha256 else {
        throw SnapshotError(
          file: clipped(path),
          reason: "its SHA-256 is \(digest); the manifest says \(expected.sha256)")
      }
      if used.contains(path) { kept[path] = file }
    }
    return kept
  }

  private static func read(_ path: String, files: SnapshotFiles, limitBytes: Int)
    throws(SnapshotError) -> FileBytes
  {
    do {
      return try files.read(path, limitBytes)
    } catch {
      throw SnapshotError(
        file: clipped(path),
        reason: "cannot be read as a file of at most \(limitBytes) bytes: \(error.reason)")
    }
  }

  private static func hexadecimal(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    for byte in bytes { text += [digits[Int(byte >> 4)], digits[Int(byte & 15)]] }
    return String(decoding: text, as: UTF8.self)
  }
}
