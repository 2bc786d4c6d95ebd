/// The flag byte and the length, big-endian, before each message.
package enum MessagePrefix {
  /// Writes `MessageAssembler.prefixBytes` bytes. `length`: of the message as it goes out, below
  /// 2³².
  package static func write(
    to start: UnsafeMutableRawPointer, length: Int, isCompressed: Bool = false
  ) {
    start.storeBytes(of: isCompressed ? 1 : 0, as: UInt8.self)
    (start + 1).storeBytes(of: UInt32(length).bigEndian, as: UInt32.self)
  }
}
