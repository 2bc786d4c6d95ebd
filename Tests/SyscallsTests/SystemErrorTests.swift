import Glibc
import Testing

@testable import Syscalls

struct SystemErrorTests {
  @Test func saysWhatFailedOnWhat() {
    let error = SystemError(call: "open", number: ENOENT, subject: "items.safetensors")
    #expect(error.description == "open items.safetensors: no such file or directory")
    #expect(SystemError(call: "fstat", number: EIO).description == "fstat: input/output error")
  }

  @Test func kindsAreByNumber() {
    #expect(SystemError(call: "connect", number: ECONNREFUSED).isConnectionRefused)
    #expect(!SystemError(call: "connect", number: ETIMEDOUT).isConnectionRefused)
    #expect(SystemError(call: "bind", number: EADDRINUSE).isAddressInUse)
    #expect(SystemError(call: "accept4", number: EMFILE).isOutOfDescriptors)
    #expect(SystemError(call: "accept4", number: ENFILE).isOutOfDescriptors)
    #expect(!SystemError(call: "accept4", number: ECONNABORTED).isOutOfDescriptors)
  }

  @Test func anInterruptedCallIsMadeAgain() throws {
    var calls = 0
    let result = try systemCall("test") {
      calls += 1
      errno = EINTR
      return calls < 4 ? -1 : 42
    }
    #expect(result == 42 && calls == 4)
  }

  @Test(arguments: [EAGAIN, EWOULDBLOCK])
  func notNowIsAValueOrForBlockingDescriptorsAnError(number: Int32) throws {
    let result = try systemCall("test") {
      errno = number
      return -1
    }
    #expect(result == nil)
    let error = #expect(throws: SystemError.self) {
      try blockingSystemCall("test", subject: "it") {
        errno = number
        return -1
      }
    }
    #expect(error == SystemError(call: "test", number: EAGAIN, subject: "it"))
  }

  @Test func everythingElseIsThrown() {
    let error = #expect(throws: SystemError.self) {
      try systemCall("test", subject: "it") {
        errno = ENOSPC
        return -1
      }
    }
    #expect(error == SystemError(call: "test", number: ENOSPC, subject: "it"))
  }
}
