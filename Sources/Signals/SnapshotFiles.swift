/// A file's bytes in memory, freed with their last owner.
// Unchecked: nobody writes to the bytes.
package final class FileBytes: @unchecked Sendable {
  /// Valid as long as this object is held: a temporary is not.
  /// They live as long as this object.
  package let bytes: UnsafeRawBufferPointer
  private let free: @Sendable () -> Void

  /// Takes over `bytes`; `free` is called once, when nobody holds the object any more.
  package init(_ bytes: UnsafeRawBufferPointer, free: @escaping @Sendable () -> Void) {
    self.bytes = bytes
    self.free = free
  }

  deinit {
    free()
  }

  /// Calls `body` with the bytes, holding them meanwhile.
  package func withBytes<Result, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    defer { withExtendedLifetime(self) {} }
    return try body(bytes)
  }
}

/// Why a file of a snapshot could not be had.
package struct SnapshotFileFailure: Error, Sendable, Equatable {
  package var reason: String

  package init(reason: String) {
    self.reason = reason
  }
}

/// A snapshot's folder, as the two questions that loading asks. Paths are relative, checked to be
/// free of empty, `.` and `..` components.
package struct SnapshotFiles: Sendable {
  /// The regular file at `path`, whole; fails when it is longer than `limitBytes`, or when the
  /// file or a folder on the way to it is a link.
  package let read:
    @Sendable (_ path: String, _ limitBytes: Int) throws(SnapshotFileFailure) -> FileBytes
  /// Whether the folder holds `path`, as anything.
  package let exists: @Sendable (_ path: String) -> Bool

  package init(
    read:
      @escaping @Sendable (_ path: String, _ limitBytes: Int) throws(SnapshotFileFailure) ->
      FileBytes,
    exists: @escaping @Sendable (_ path: String) -> Bool
  ) {
    self.read = read
    self.exists = exists
  }
}
