package import Core

/// A method that this server answers, and who answers it.
package struct ServiceMethod {
  /// As in `:path`: `/package.Service/Method`.
  package var path: StaticString
  /// Called on the stream's loop when the one request message is there. It answers with
  /// `respond` or `fail`, now or later on the same loop; the message lives until it returns.
  package var handle:
    @convention(c) (_ service: UnsafeMutableRawPointer?, _ call: UnsafeMutableRawPointer) -> Void
  /// The client has gone, or no longer wants it, before it was answered: the call's pointer ends
  /// with this.
  package var cancelled:
    @convention(c) (_ service: UnsafeMutableRawPointer?, _ call: UnsafeMutableRawPointer) -> Void
  /// Why the method answers UNIMPLEMENTED as soon as its headers are there; nil = it is served.
  package var refusal: String?

  /// A method that the contract has and this server does not serve.
  package static func unserved(path: StaticString, because refusal: String) -> ServiceMethod {
    var method = ServiceMethod(path: path, handle: { _, _ in }, cancelled: { _, _ in })
    method.refusal = refusal
    return method
  }

  package init(
    path: StaticString,
    handle: @convention(c) (UnsafeMutableRawPointer?, UnsafeMutableRawPointer) -> Void,
    cancelled: @convention(c) (UnsafeMutableRawPointer?, UnsafeMutableRawPointer) -> Void
  ) {
    self.path = path
    self.handle = handle
    self.cancelled = cancelled
  }
}

/// What is told of a call when it has ended, for logs and counters.
package struct CallRecord {
  /// The method's index in the service table; −1 = no such method.
  package var method: Int
  package var status: StatusCode
  package var receivedBytes: Int
  package var sentBytes: Int
  package var durationNanoseconds: UInt64
}

/// The services of one loop: the methods, the loop's own state behind them, and who hears of
/// calls that ended.
package struct ServiceTable {
  package var methods: [ServiceMethod]
  package var context: UnsafeMutableRawPointer?
  /// `record` is the address of a `CallRecord`. Nil costs nothing.
  package var callEnded:
    (@convention(c) (_ service: UnsafeMutableRawPointer?, _ record: UnsafeRawPointer) -> Void)?

  package init(
    methods: [ServiceMethod], context: UnsafeMutableRawPointer?,
    callEnded: (@convention(c) (UnsafeMutableRawPointer?, UnsafeRawPointer) -> Void)? = nil
  ) {
    self.methods = methods
    self.context = context
    self.callEnded = callEnded
  }
}
