import Glibc

/// The lines of a file or of standard input, one after the other: of however long a file, one piece
/// is held.
struct LineReader: ~Copyable {
  private let path: String
  private let descriptor: Int32
  private var bytes: [UInt8] = []
  private var start = 0
  private var isAtEnd = false
  /// Of the line that `next` gave last, from 1.
  private(set) var number = 0

  /// One line, bytes: a token of 100 and words around it, hundreds of times over.
  static let lineBytes = 64 << 10

  /// `-` is standard input.
  init(_ path: String) throws(UsageError) {
    self.path = path
    descriptor = path == "-" ? 0 : open(path, O_RDONLY | O_CLOEXEC)
    if descriptor < 0 { throw TextFile.failure(path, errno) }
  }

  deinit {
    if descriptor > 0 { close(descriptor) }
  }

  /// The next line without its end; nil after the last.
  mutating func next() throws(UsageError) -> String? {
    var searched = start
    while true {
      if let end = bytes[searched...].firstIndex(of: UInt8(ascii: "\n")) {
        defer { start = end + 1 }
        return try line(upTo: end)
      }
      if isAtEnd {
        guard start < bytes.count else { return nil }
        defer { start = bytes.count }
        return try line(upTo: bytes.count)
      }
      guard bytes.count - start <= LineReader.lineBytes else {
        throw UsageError("line \(number + 1) is over \(LineReader.lineBytes) bytes")
      }
      bytes.removeFirst(start)
      start = 0
      searched = bytes.count
      try read()
    }
  }

  private mutating func line(upTo end: Int) throws(UsageError) -> String {
    number += 1
    guard let text = String(validating: bytes[start..<end], as: UTF8.self) else {
      throw UsageError("line \(number) is not UTF-8")
    }
    return text
  }

  private mutating func read() throws(UsageError) {
    var piece = [UInt8](repeating: 0, count: LineReader.lineBytes)
    while true {
      let count = Glibc.read(descriptor, &piece, piece.count)
      if count < 0 {
        if errno == EINTR { continue }
        throw TextFile.failure(path, errno)
      }
      isAtEnd = count == 0
      bytes.append(contentsOf: piece[..<count])
      return
    }
  }
}
