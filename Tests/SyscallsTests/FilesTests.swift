import Foundation
import Glibc
import Testing

@testable import Syscalls

/// A folder on disk that goes with its owner.
private final class TemporaryFolder {
  let path: String

  init() throws {
    var template = Array("/tmp/crescendo-files-XXXXXX".utf8CString)
    path = try #require(mkdtemp(&template).map { String(cString: $0) })
  }

  deinit {
    try? FileManager.default.removeItem(atPath: path)
  }

  func write(_ name: String, _ bytes: [UInt8]) throws {
    let file = try #require(fopen("\(path)/\(name)", "w"))
    #expect(fwrite(bytes, 1, bytes.count, file) == bytes.count)
    #expect(fclose(file) == 0)
  }

  func folder(_ name: String) throws { try #require(mkdir("\(path)/\(name)", 0o755) == 0) }

  func link(_ name: String, to target: String) throws {
    try #require(symlink(target, "\(path)/\(name)") == 0)
  }
}

extension Folder {
  fileprivate func bytes(_ name: String, limitBytes: Int = 1 << 20, mapped: Bool = false) throws
    -> [UInt8]
  {
    let contents = try read(name, limitBytes: limitBytes, mapped: mapped)
    return Array(contents.bytes)
  }

  fileprivate func refusal(_ name: String, limitBytes: Int = 1 << 20, mapped: Bool = false)
    -> Int32?
  {
    do throws(SystemError) {
      _ = try read(name, limitBytes: limitBytes, mapped: mapped)
      return nil
    } catch {
      #expect(error.subject == name)
      return error.number
    }
  }
}

/// Where the descriptors of this process point to, as far as that is in `folder`.
private func openDescriptors(under folder: String) -> [String] {
  var found: [String] = []
  for descriptor in 0..<4_096 {
    var target = [CChar](repeating: 0, count: 4_096)
    let count = readlink("/proc/self/fd/\(descriptor)", &target, target.count - 1)
    guard count > 0 else { continue }
    let path = String(decoding: target[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    if path.hasPrefix(folder) { found.append(path) }
  }
  return found
}

struct FilesTests {
  private let disk: TemporaryFolder
  private let folder: Folder

  init() throws {
    disk = try TemporaryFolder()
    folder = try Folder(path: disk.path)
  }

  @Test(arguments: [false, true])
  func readsWholeFiles(mapped: Bool) throws {
    let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    try disk.write("items", bytes)
    try disk.write("empty", [])
    try disk.folder("models")
    try disk.folder("models/v1")
    try disk.write("models/v1/forest.txt", [1, 2, 3])
    #expect(try folder.bytes("items", mapped: mapped) == bytes)
    #expect(try folder.bytes("empty", mapped: mapped) == [])
    #expect(try folder.bytes("models/v1/forest.txt", mapped: mapped) == [1, 2, 3])
  }

  @Test(arguments: [false, true])
  func memoryThatWasHandedOverLivesUntilItIsFreed(mapped: Bool) throws {
    try disk.write("items", [5, 6, 7])
    let contents = try folder.read("items", limitBytes: 3, mapped: mapped)
    let (bytes, free) = contents.release()
    #expect(Array(bytes) == [5, 6, 7])
    free()
  }

  @Test(arguments: [false, true])
  func theLimitIsTheLastByteThatIsTaken(mapped: Bool) throws {
    try disk.write("items", [UInt8](repeating: 1, count: 1_000))
    #expect(try folder.bytes("items", limitBytes: 1_000, mapped: mapped).count == 1_000)
    #expect(folder.refusal("items", limitBytes: 999, mapped: mapped) == EFBIG)
    #expect(folder.refusal("items", limitBytes: 0, mapped: mapped) == EFBIG)
  }

  @Test func whatIsNotThereIsSaidSo() throws {
    #expect(folder.refusal("items") == ENOENT)
    #expect(folder.refusal("models/items") == ENOENT)
    try disk.write("items", [1])
    #expect(folder.refusal("items/deeper") == ENOTDIR)
    #expect(throws: SystemError.self) { try Folder(path: "\(disk.path)/absent") }
    #expect(throws: SystemError.self) { try Folder(path: "\(disk.path)/items") }
  }

  @Test func linksAreRefusedWhereverTheyPoint() throws {
    try disk.write("items", [1])
    try disk.folder("models")
    try disk.write("models/forest.txt", [2])
    try disk.link("link", to: "items")
    try disk.link("dangling", to: "nowhere")
    try disk.link("outside", to: "/etc/passwd")
    try disk.link("linked-models", to: "models")
    try disk.link("models/self", to: "self")
    for name in ["link", "dangling", "outside", "models/self"] {
      #expect(folder.refusal(name) == ELOOP, "\(name)")
    }
    // O_DIRECTORY and O_NOFOLLOW together: Linux says that a link is no directory.
    for name in ["linked-models/forest.txt", "link/deeper"] {
      #expect([ELOOP, ENOTDIR].contains(folder.refusal(name)), "\(name)")
    }
    // A link to the folder itself is resolved, once.
    try disk.link("current", to: ".")
    #expect(try Folder(path: "\(disk.path)/current").bytes("items") == [1])
  }

  @Test(arguments: [
    "", "/", "..", ".", "../secret", "inner/../../secret", "inner/..", "inner/.", "./secret",
    "inner//file", "/etc/passwd", "inner/", "//", "/secret", "inner/../inner/file",
  ])
  func pathsThatLeaveOrWanderAreRefused(path: String) throws {
    try disk.write("secret", [1])
    try disk.folder("snapshot")
    try disk.folder("snapshot/inner")
    try disk.write("snapshot/inner/file", [2])
    let snapshot = try Folder(path: "\(disk.path)/snapshot")
    #expect(try snapshot.bytes("inner/file") == [2])
    #expect(snapshot.refusal(path) == EINVAL)
  }

  /// A C string ends at NUL: what follows it must not hide what it is.
  @Test(arguments: [
    "..\0/secret", "..\0x/secret", "inner/..\0/..\0/secret", "file\0", "file\0.txt",
  ])
  func aNULHidesNothing(path: String) throws {
    try disk.write("secret", [1])
    try disk.folder("snapshot")
    try disk.folder("snapshot/inner")
    try disk.write("snapshot/file", [2])
    let snapshot = try Folder(path: "\(disk.path)/snapshot")
    #expect(snapshot.refusal(path) == EINVAL)
  }

  @Test func whatIsNoFileIsRefusedWithoutWaiting() throws {
    try disk.folder("models")
    try #require(mkfifo("\(disk.path)/pipe", 0o644) == 0)
    try disk.link("device", to: "/dev/zero")
    for mapped in [false, true] {
      #expect(folder.refusal("models", mapped: mapped) == EINVAL)
      #expect(folder.refusal("pipe", mapped: mapped) == EINVAL)
      #expect(folder.refusal("device", mapped: mapped) == ELOOP)
    }
    #expect(folder.refusal("pipe/deeper") == ENOTDIR)
    let devices = try Folder(path: "/dev")
    #expect(devices.refusal("null") == EINVAL)
    #expect(devices.refusal("zero") == EINVAL)
  }

  @Test func aNameThatIsTooLongIsAnError() {
    #expect(folder.refusal(String(repeating: "n", count: 5_000)) == ENAMETOOLONG)
    let deep = Array(repeating: "d", count: 3_000).joined(separator: "/")
    #expect(folder.refusal(deep) == ENOENT)
  }

  @Test func namesThatExistAsAnything() throws {
    try disk.write("items", [1])
    try disk.folder("models")
    try disk.link("dangling", to: "nowhere")
    #expect(folder.contains("items") && folder.contains("models"))
    #expect(folder.contains("dangling"))
    #expect(!folder.contains("nowhere"))
  }

  /// The folder is the one that was opened, whatever its name points to since.
  @Test func aFolderThatWasReplacedIsStillTheOneThatWasOpened() throws {
    try disk.folder("v1")
    try disk.write("v1/items", [1])
    let opened = try Folder(path: "\(disk.path)/v1")
    try #require(rename("\(disk.path)/v1", "\(disk.path)/old") == 0)
    try disk.folder("v1")
    try disk.write("v1/items", [2])
    #expect(try opened.bytes("items") == [1])
    #expect(try Folder(path: "\(disk.path)/v1").bytes("items") == [2])
  }

  @Test(arguments: [false, true])
  func aFileThatIsReplacedKeepsWhatWasRead(mapped: Bool) throws {
    try disk.write("items", [1, 1, 1])
    let contents = try folder.read("items", limitBytes: 10, mapped: mapped)
    try disk.write("new", [2, 2, 2])
    try #require(rename("\(disk.path)/new", "\(disk.path)/items") == 0)
    let held = Array(contents.bytes)
    #expect(held == [1, 1, 1])
    #expect(try folder.bytes("items") == [2, 2, 2])
  }

  /// The kernel's own files say 4,096 bytes and give fewer: what a file looks like that becomes
  /// shorter while it is read.
  @Test(.enabled(if: access("/sys/kernel/mm/transparent_hugepage/enabled", R_OK) == 0))
  func aFileThatIsShorterThanItSaysIsRefused() throws {
    let kernel = try Folder(path: "/sys/kernel/mm/transparent_hugepage")
    #expect(kernel.refusal("enabled") == ESTALE)
  }

  @Test func descriptorsAreClosedOnEveryWay() throws {
    try disk.folder("models")
    try disk.folder("models/v1")
    try disk.write("models/v1/forest.txt", [1, 2, 3])
    try disk.link("models/link", to: "v1")
    for _ in 0..<2_000 {
      _ = try folder.bytes("models/v1/forest.txt")
      _ = folder.refusal("models/v1/absent")
      _ = folder.refusal("models/link/forest.txt")
      _ = folder.refusal("models/v1")
      _ = folder.refusal("models/v1/forest.txt", limitBytes: 1)
    }
    #expect(openDescriptors(under: disk.path) == [disk.path])
  }
}
