import Core
import Crypto
import Engine
import Signals
import Syscalls

/// Opens snapshots on disk: binds the pure loader to files, SHA-256 and random bytes.
enum SnapshotFolder {
  /// The snapshot, verified, with every model of it bound: what a server would serve. `path` is a
  /// folder with a `manifest.json`, or a store of such folders with a link `current`. `mapped`:
  /// files are mapped instead of read.
  static func load(_ path: String, mapped: Bool) throws(CommandFailure) -> Serving {
    do {
      let folder = try open(path)
      let snapshot = try Snapshot.load(
        files: files(folder, mapped: mapped), sha256: { SHA256.digest(of: $0) },
        indexSeed: try RandomBytes.uint64())
      return try Serving(snapshot)
    } catch let error as SystemError {
      throw CommandFailure(.negative, "cannot open snapshot \(path): \(error.reason)")
    } catch {
      throw CommandFailure(.negative, "snapshot \(path) is refused: \(printable("\(error)"))")
    }
  }

  /// Links are resolved once, here.
  private static func open(_ path: String) throws(SystemError) -> Folder {
    let folder = try Folder(path: path)
    if folder.contains("manifest.json") || !folder.contains("current") { return folder }
    return try Folder(path: path + "/current")
  }

  private static func files(_ folder: Folder, mapped: Bool) -> SnapshotFiles {
    SnapshotFiles(
      read: { path, limitBytes throws(SnapshotFileFailure) in
        do throws(SystemError) {
          let file = try folder.read(path, limitBytes: limitBytes, mapped: mapped)
          let (bytes, free) = file.release()
          return FileBytes(bytes, free: free)
        } catch {
          throw SnapshotFileFailure(reason: error.reason)
        }
      },
      exists: { folder.contains($0) })
  }
}
