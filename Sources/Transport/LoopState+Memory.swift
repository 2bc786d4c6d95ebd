internal import Core
internal import Wire

/// Buffers of answers and of inflated messages, and their accounts.
extension UnsafeMutablePointer where Pointee == LoopState {
  /// Nil when the process holds as many bytes of answers as it may.
  func takeBuffer(_ byteCount: Int, holdsLittle: Bool) -> UnsafeMutableRawPointer? {
    let buffer = pointee.buffers.take(byteCount)
    let capacity = BufferHeader.of(buffer).pointee.capacity
    if pointee.budget.take(capacity, holdsLittle: holdsLittle) { return buffer }
    pointee.buffers.giveBack(buffer)
    return nil
  }

  func giveBack(_ buffer: UnsafeMutableRawPointer) {
    pointee.budget.giveBack(BufferHeader.of(buffer).pointee.capacity)
    pointee.buffers.giveBack(buffer)
  }

  var deflater: GzipDeflater {
    if let deflater = pointee.madeDeflater { return deflater }
    let deflater = GzipDeflater()
    pointee.madeDeflater = deflater
    return deflater
  }

  /// Inflates the complete message of a stream, for as long as it is handled.
  func inflate(_ stream: UnsafeMutablePointer<ServerStream>) throws(CallFailure) {
    let compressed = stream.pointee.assembler.message
    let inflater = pointee.inflater ?? GzipInflater()
    pointee.inflater = inflater
    let limit = stream.pointee.assembler.limit
    let capacity = GzipInflater.capacity(compressed, limitBytes: limit)
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 16)
    do throws(CallFailure) {
      pointee.inflatedCount = try inflater.inflate(compressed, into: room, limitBytes: limit)
      pointee.inflated = room
    } catch {
      room.deallocate()
      throw error
    }
  }

  func dropInflated() {
    pointee.inflated?.deallocate()
    pointee.inflated = nil
  }

  /// For a frame that has to go, however much is held: a few bytes.
  func takeNeededBuffer(_ byteCount: Int) -> UnsafeMutableRawPointer {
    let buffer = pointee.buffers.take(byteCount)
    pointee.budget.takeNeeded(BufferHeader.of(buffer).pointee.capacity)
    return buffer
  }
}
