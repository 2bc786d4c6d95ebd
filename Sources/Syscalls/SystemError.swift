internal import CLinux
internal import Glibc

/// A system call that failed: which, with what error number, and on what.
package struct SystemError: Error, Sendable, Equatable, CustomStringConvertible {
  package var call: String
  /// `errno` after the call.
  package var number: Int32
  /// The path or address that it was about; may be empty.
  package var subject: String

  package init(call: String, number: Int32, subject: String = "") {
    self.call = call
    self.number = number
    self.subject = subject
  }

  /// The text of the error number, for example `connection refused`.
  package var reason: String {
    guard let text = strerror(number) else { return "error \(number)" }
    return String(cString: text).lowercased()
  }

  package var description: String {
    subject.isEmpty ? "\(call): \(reason)" : "\(call) \(subject): \(reason)"
  }

  package var isConnectionRefused: Bool { number == ECONNREFUSED }
  package var isAddressInUse: Bool { number == EADDRINUSE }
  package var isOutOfDescriptors: Bool { number == EMFILE || number == ENFILE }
}

/// The one helper that every system call goes through.
///
/// EINTR is retried; EAGAIN and EWOULDBLOCK are a value (nil), for that is how a non-blocking
/// descriptor says "not now"; EBADF and EFAULT are our own bugs and trap; everything else throws.
@inline(__always)
func systemCall(
  _ name: StaticString, subject: @autoclosure () -> String = "", _ body: () -> Int
) throws(SystemError) -> Int? {
  while true {
    let result = body()
    if result >= 0 { return result }
    let number = errno
    if number == EINTR { continue }
    if number == EAGAIN || number == EWOULDBLOCK { return nil }
    precondition(number != EBADF && number != EFAULT, "a descriptor or address of ours is wrong")
    throw SystemError(call: "\(name)", number: number, subject: subject())
  }
}

/// As `systemCall`, for calls on blocking descriptors that have no "not now".
@inline(__always)
func blockingSystemCall(
  _ name: StaticString, subject: @autoclosure () -> String = "", _ body: () -> Int
) throws(SystemError) -> Int {
  guard let result = try systemCall(name, subject: subject(), body) else {
    throw SystemError(call: "\(name)", number: EAGAIN, subject: subject())
  }
  return result
}
