internal import Core

/// One connection of the generator in one of the framings, without I/O and without a clock.
protocol LoadCarrier: AnyObject {
  /// Calls that were concluded since `forgetEnded`.
  var ended: [LoadConnection.Ended] { get }
  /// Why no new call can be started.
  var refusal: String? { get }
  /// Whether a call that is started now is sent now.
  var hasRoom: Bool { get }
  /// Whether nothing more can come of it.
  var isOver: Bool { get }

  /// Starts a call; nil when the connection takes no more, and then `refusal` says why.
  func start(
    intendedNanoseconds: UInt64, body: RequestMix.Body, userID: UInt64, nowNanoseconds: UInt64
  ) -> LoadConnection.Call?
  /// Whether `call` is one of this connection's slots.
  func owns(_ call: LoadConnection.Call) -> Bool
  /// The generator no longer waits for the call.
  func giveUp(_ call: LoadConnection.Call, nowNanoseconds: UInt64)
  /// Takes bytes of the server, all of them.
  func receive(_ bytes: UnsafeRawBufferPointer, nowNanoseconds: UInt64)
  /// Appends what there is for the server to `output`, up to about `limitBytes`.
  func collectOutput(into output: inout [UInt8], limitBytes: Int, nowNanoseconds: UInt64)
  /// The connection is over: its calls fail with UNAVAILABLE.
  func end(_ reason: String, nowNanoseconds: UInt64)
  func forgetEnded()
  /// Time has passed. True: there may be something to send, or calls have ended.
  func tick(nowNanoseconds: UInt64) -> Bool
}

extension LoadCarrier {
  var isOpen: Bool { refusal == nil }
}

/// How the generator's calls travel.
package enum LoadFraming: String, Sendable, CaseIterable {
  /// A stream for each call: any server of the proto.
  case grpc
  /// One session for each connection: proto/SESSION.md.
  case session
}
