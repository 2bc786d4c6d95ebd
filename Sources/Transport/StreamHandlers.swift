internal import Core
internal import HTTP2

/// What nghttp2 reports of a server's connection, turned into steps of its streams.
let serverHandlers = HTTP2Handlers(
  streamOpened: streamOpened, header: headerReceived, headersEnded: headersEnded,
  data: dataReceived, streamEnded: streamEnded, streamClosed: streamClosed, readBody: readBody,
  goAway: goAwayReceived)

private func connection(_ context: UnsafeMutableRawPointer?) -> ConnectionPointer {
  guard let context else { preconditionFailure("a session without its connection") }
  return context.assumingMemoryBound(to: Connection.self)
}

private func stream(_ pointer: UnsafeMutableRawPointer) -> StreamPointer {
  pointer.assumingMemoryBound(to: ServerStream.self)
}

private func streamOpened(_ context: UnsafeMutableRawPointer?, _ id: Int32)
  -> UnsafeMutableRawPointer?
{
  let connection = connection(context)
  let loop = connection.pointee.loop
  let stream = loop.pointee.slab.take {
    ServerStream(call: CallState(framing: .grpc, generation: $0, note: $1), connection: connection)
  }
  stream.pointee.id = id
  stream.pointee.call.startedNanoseconds = loop.pointee.nowNanoseconds
  stream.pointee.next = connection.pointee.streams
  connection.pointee.streams?.pointee.previous = stream
  connection.pointee.streams = stream
  connection.pointee.streamCount += 1
  loop.pointee.counters.callsStarted += 1
  return UnsafeMutableRawPointer(stream)
}

private func headerReceived(
  _ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer,
  _ name: UnsafeRawPointer, _ nameCount: Int, _ value: UnsafeRawPointer, _ valueCount: Int
) {
  let stream = stream(pointer)
  guard stream.pointee.phase == .headers else { return }
  stream.pointee.headers.take(
    name: ByteSlice(name, count: nameCount), value: ByteSlice(value, count: valueCount),
    methods: stream.pointee.connection.pointee.loop.pointee.methods)
}

private func headersEnded(
  _ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer, _ flags: UInt32
) {
  let stream = stream(pointer)
  guard stream.pointee.phase == .headers else { return }
  stream.begin(headersAreTooLarge: flags & HTTP2BlockFlags.tooLarge != 0)
}

private func dataReceived(
  _ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer,
  _ bytes: UnsafeRawPointer, _ count: Int
) {
  stream(pointer).receive(bytes, count: count)
}

private func streamEnded(
  _ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer
) {
  stream(pointer).halfClose()
}

private func streamClosed(
  _ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer, _ errorCode: UInt32
) {
  stream(pointer).ended(.reset)
}

private func readBody(
  _ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer,
  _ buffer: UnsafeMutableRawPointer, _ capacity: Int, _ end: UnsafeMutablePointer<UInt32>
) -> Int {
  stream(pointer).read(into: buffer, capacity: capacity, end: end)
}

/// A client that goes away closes its streams first; there is nothing to do before that.
private func goAwayReceived(
  _ context: UnsafeMutableRawPointer?, _ lastStream: Int32, _ errorCode: UInt32
) {}
