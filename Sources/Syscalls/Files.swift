internal import Glibc

/// A file's bytes in memory; freed or unmapped with the owner.
package struct FileContents: ~Copyable {
  package let bytes: UnsafeRawBufferPointer
  private let isMapped: Bool

  fileprivate init(bytes: UnsafeRawBufferPointer, isMapped: Bool) {
    self.bytes = bytes
    self.isMapped = isMapped
  }

  /// Hands the memory over: the closure frees it, and is called once.
  package consuming func release() -> (bytes: UnsafeRawBufferPointer, free: @Sendable () -> Void) {
    let (bytes, isMapped) = (bytes, isMapped)
    discard self
    // Unsafe: an address; the memory is its new owner's, who frees it once.
    nonisolated(unsafe) let held = bytes
    return (bytes, { FileContents.free(held, isMapped: isMapped) })
  }

  deinit {
    FileContents.free(bytes, isMapped: isMapped)
  }

  private static func free(_ bytes: UnsafeRawBufferPointer, isMapped: Bool) {
    guard let base = bytes.baseAddress else { return }
    if isMapped {
      munmap(UnsafeMutableRawPointer(mutating: base), bytes.count)
    } else {
      base.deallocate()
    }
  }
}

/// A folder that was opened once: everything in it is reached relative to that descriptor, so
/// that a rename or a changed link beside us cannot switch folders between two files.
package final class Folder: Sendable {
  private let descriptor: Int32
  package let path: String

  /// Opens `path`; links in it are resolved, here and only here.
  package init(path: String) throws(SystemError) {
    self.path = path
    self.descriptor = Int32(
      try blockingSystemCall("open", subject: path) {
        Int(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC))
      })
  }

  deinit {
    _ = close(descriptor)
  }

  /// Whether `name` exists in the folder, as anything.
  package func contains(_ name: String) -> Bool {
    faccessat(descriptor, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0
  }

  /// The regular file at a relative path; no component may be a link.
  ///
  /// Read into memory, or mapped with `mapped` (a mapped file that somebody truncates is a
  /// SIGBUS). Longer than `limitBytes`: EFBIG. Not a regular file: EINVAL. A link: ELOOP.
  package func read(_ relativePath: String, limitBytes: Int, mapped: Bool)
    throws(SystemError) -> FileContents
  {
    let file = try openWithoutLinks(relativePath)
    defer { _ = close(file) }
    var status = stat()
    _ = try blockingSystemCall("fstat", subject: relativePath) { Int(fstat(file, &status)) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw SystemError(call: "read", number: EINVAL, subject: relativePath)
    }
    let count = Int(status.st_size)
    guard count <= limitBytes else {
      throw SystemError(call: "read", number: EFBIG, subject: relativePath)
    }
    guard count > 0 else {
      return FileContents(bytes: UnsafeRawBufferPointer(start: nil, count: 0), isMapped: false)
    }
    return mapped
      ? try map(file, count: count, relativePath) : try readAll(file, count: count, relativePath)
  }

  /// A file of `/proc`, which has no size before it is read. Longer than `limitBytes`: EFBIG.
  package func readUnsized(_ relativePath: String, limitBytes: Int) throws(SystemError) -> [UInt8] {
    let file = try openWithoutLinks(relativePath)
    defer { _ = close(file) }
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: limitBytes + 1, alignment: 1)
    defer { room.deallocate() }
    var done = 0
    while done < room.count {
      let free = UnsafeMutableRawBufferPointer(rebasing: room[done...])
      let got = try blockingSystemCall("read", subject: relativePath) {
        Glibc.read(file, free.baseAddress, free.count)
      }
      if got == 0 { return Array(room[..<done]) }
      done += got
    }
    throw SystemError(call: "read", number: EFBIG, subject: relativePath)
  }

  private func openWithoutLinks(_ relativePath: String) throws(SystemError) -> Int32 {
    let components = relativePath.split(separator: "/", omittingEmptySubsequences: false)
    // A C string ends at NUL: "..\0x" would be taken for no "..", and then opened as one.
    guard !components.contains(where: { $0.isEmpty || $0 == "." || $0 == ".." }),
      !relativePath.utf8.contains(0)
    else {
      throw SystemError(call: "open", number: EINVAL, subject: relativePath)
    }
    var parent = descriptor
    defer { if parent != descriptor { _ = close(parent) } }
    for (index, component) in components.enumerated() {
      let isLast = index == components.count - 1
      // A pipe must not block us here: it is refused as not regular once it is open.
      let flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | (isLast ? 0 : O_DIRECTORY)
      let opened = Int32(
        try blockingSystemCall("open", subject: relativePath) {
          Int(openat(parent, String(component), flags))
        })
      if isLast { return opened }
      if parent != descriptor { _ = close(parent) }
      parent = opened
    }
    throw SystemError(call: "open", number: EINVAL, subject: relativePath)
  }

  private func map(_ file: Int32, count: Int, _ subject: String)
    throws(SystemError) -> FileContents
  {
    let address = mmap(nil, count, PROT_READ, MAP_PRIVATE, file, 0)
    guard let address, address != MAP_FAILED else {
      throw SystemError(call: "mmap", number: errno, subject: subject)
    }
    return FileContents(
      bytes: UnsafeRawBufferPointer(start: address, count: count), isMapped: true)
  }

  private func readAll(_ file: Int32, count: Int, _ subject: String)
    throws(SystemError) -> FileContents
  {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: count, alignment: 64)
    do throws(SystemError) {
      var done = 0
      while done < count {
        let got = try blockingSystemCall("read", subject: subject) {
          Glibc.read(file, memory + done, count - done)
        }
        // It has become shorter while we read: not the file that fstat described.
        guard got > 0 else { throw SystemError(call: "read", number: ESTALE, subject: subject) }
        done += got
      }
    } catch {
      memory.deallocate()
      throw error
    }
    return FileContents(bytes: UnsafeRawBufferPointer(start: memory, count: count), isMapped: false)
  }
}
