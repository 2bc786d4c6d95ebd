internal import Core
internal import HTTP2
internal import Wire

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
  let stream = loop.pointee.slab.take(connection)
  stream.pointee.id = id
  stream.pointee.startedNanoseconds = loop.pointee.nowNanoseconds
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
  stream.pointee.phase = .message
  stream.setDeadline()
  if flags & HTTP2BlockFlags.tooLarge != 0 {
    stream.fail(
      .resourceExhausted,
      "request headers are over \(Limits.headerListBytes) bytes or \(Limits.headerCount) fields")
    return
  }
  stream.checkHeaders()
  stream.pointee.connection.pointee.loop.touch(stream)
}

private func dataReceived(
  _ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer,
  _ bytes: UnsafeRawPointer, _ count: Int
) {
  let (connection, stream) = (connection(context), stream(pointer))
  // Window is given back at once: what may pile up is bounded by the message's own limit and by
  // the connection's.
  connection.pointee.session.consume(stream.pointee.id, count: count)
  guard stream.pointee.phase == .message else { return }
  stream.pointee.receivedBytes += count
  stream.feed(ByteSlice(bytes, count: count))
}

private func streamEnded(
  _ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer
) {
  let stream = stream(pointer)
  guard stream.pointee.phase == .message else { return }
  stream.finishMessage()
}

private func streamClosed(
  _ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer, _ errorCode: UInt32
) {
  stream(pointer).ended()
}

private func readBody(
  _ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer,
  _ buffer: UnsafeMutableRawPointer, _ capacity: Int, _ end: UnsafeMutablePointer<UInt32>
) -> Int {
  let stream = stream(pointer)
  guard let body = stream.pointee.body else { return HTTP2Body.failed }
  let count = min(capacity, stream.pointee.bodyCount - stream.pointee.bodySent)
  buffer.copyMemory(from: body + stream.pointee.bodySent, byteCount: count)
  stream.pointee.bodySent += count
  if stream.pointee.bodySent == stream.pointee.bodyCount {
    end.pointee = HTTP2Body.trailersFollow
    connection(context).pointee.session.submitTrailers(stream.pointee.id, okTrailers)
  }
  return count
}

/// A client that goes away closes its streams first; there is nothing to do before that.
private func goAwayReceived(
  _ context: UnsafeMutableRawPointer?, _ lastStream: Int32, _ errorCode: UInt32
) {}
