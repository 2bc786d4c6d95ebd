internal import CLinux
internal import Glibc

/// An IP address and a port, as text: `127.0.0.1:7001`, `[::1]:7001`.
package struct SocketAddress: Sendable, Equatable, CustomStringConvertible {
  package var host: String
  package var port: UInt16

  package init(host: String, port: UInt16) {
    self.host = host
    self.port = port
  }

  /// Parses `HOST:PORT`; an IPv6 host stands in brackets. Nil when it is neither.
  package init?(_ text: String) {
    guard let colon = text.lastIndex(of: ":") else { return nil }
    let digits = text[text.index(after: colon)...]
    // UInt16 alone would also take a sign.
    guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(digits) else {
      return nil
    }
    var host = text[..<colon]
    let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
    if isBracketed { host = host.dropFirst().dropLast() }
    guard !host.isEmpty, isBracketed == host.contains(":"),
      !host.contains(where: { $0 == "[" || $0 == "]" || $0 == "\0" })
    else { return nil }
    self.init(host: String(host), port: port)
  }

  package var description: String {
    host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
  }

  /// Whether only this machine can reach it.
  package var isLoopback: Bool {
    var address = in_addr()
    // A name may begin with "127." and be anywhere: only a whole address counts.
    return host == "localhost" || host == "::1"
      || (host.hasPrefix("127.") && inet_pton(AF_INET, host, &address) == 1)
  }
}

/// What a non-blocking read or write came to.
package enum TransferResult: Sendable {
  case bytes(Int)
  /// The descriptor is not ready: wait for its event.
  case notReady
  /// The peer has closed its side (reads only).
  case endOfStream
}

/// TCP sockets, all non-blocking and close-on-exec. Descriptors are plain numbers; whoever got
/// one closes it once.
package enum Sockets {
  /// A listening socket on `address`; port 0 takes a free one (`localAddress` tells which).
  package static func listen(on address: SocketAddress, backlog: Int32 = 1_024)
    throws(SystemError) -> Int32
  {
    try withResolved(address, passive: true) { info throws(SystemError) in
      let descriptor = try open(info, address)
      do throws(SystemError) {
        var yes: Int32 = 1
        _ = try blockingSystemCall("setsockopt", subject: address.description) {
          Int(setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, 4))
        }
        _ = try blockingSystemCall("bind", subject: address.description) {
          Int(bind(descriptor, info.pointee.ai_addr, info.pointee.ai_addrlen))
        }
        _ = try blockingSystemCall("listen", subject: address.description) {
          Int(Glibc.listen(descriptor, backlog))
        }
        return descriptor
      } catch {
        close(descriptor)
        throw error
      }
    }
  }

  /// Connects to `address`, waiting at most `timeoutMilliseconds` for each of a name's addresses.
  package static func connect(to address: SocketAddress, timeoutMilliseconds: Int32)
    throws(SystemError) -> Int32
  {
    try withResolved(address, passive: false) { info throws(SystemError) in
      let descriptor = try open(info, address)
      do throws(SystemError) {
        try finishConnecting(descriptor, info, address, timeoutMilliseconds)
        try setNoDelay(descriptor)
        return descriptor
      } catch {
        close(descriptor)
        throw error
      }
    }
  }

  private static func finishConnecting(
    _ descriptor: Int32, _ info: UnsafeMutablePointer<addrinfo>, _ address: SocketAddress,
    _ timeoutMilliseconds: Int32
  ) throws(SystemError) {
    let started = Glibc.connect(descriptor, info.pointee.ai_addr, info.pointee.ai_addrlen)
    if started == 0 { return }
    guard errno == EINPROGRESS || errno == EINTR else {
      throw SystemError(call: "connect", number: errno, subject: address.description)
    }
    guard try waitUntilReady(descriptor, .writing, timeoutMilliseconds: timeoutMilliseconds) else {
      throw SystemError(call: "connect", number: ETIMEDOUT, subject: address.description)
    }
    var number: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    _ = try blockingSystemCall("getsockopt", subject: address.description) {
      Int(getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &number, &length))
    }
    guard number == 0 else {
      throw SystemError(call: "connect", number: number, subject: address.description)
    }
  }

  /// The next connection that waits, or nil. It is non-blocking and has TCP_NODELAY.
  package static func accept(_ listener: Int32) throws(SystemError) -> Int32? {
    guard let accepted = try systemCall("accept4", { Int(crescendo_accept(listener)) }) else {
      return nil
    }
    let descriptor = Int32(accepted)
    do throws(SystemError) {
      try setNoDelay(descriptor)
    } catch {
      close(descriptor)
      throw error
    }
    return descriptor
  }

  /// A descriptor to hold back for when there are no others; nil when there are none already.
  package static func spare() -> Int32? {
    let descriptor = Glibc.open("/dev/null", O_RDONLY | O_CLOEXEC)
    return descriptor < 0 ? nil : descriptor
  }

  package static func setNoDelay(_ descriptor: Int32) throws(SystemError) {
    var yes: Int32 = 1
    _ = try blockingSystemCall("setsockopt") {
      Int(setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, 4))
    }
  }

  /// Where a socket is bound.
  package static func localAddress(of descriptor: Int32) throws(SystemError) -> SocketAddress {
    try address("getsockname") { getsockname(descriptor, $0, &$1) }
  }

  /// Who is at the other end; nil when it has gone.
  package static func peerAddress(of descriptor: Int32) -> SocketAddress? {
    try? address("getpeername") { getpeername(descriptor, $0, &$1) }
  }

  private static func address(
    _ call: StaticString, _ read: (UnsafeMutablePointer<sockaddr>, inout socklen_t) -> Int32
  ) throws(SystemError) -> SocketAddress {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return try withUnsafeMutablePointer(to: &storage) { storage throws(SystemError) in
      try storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { bare throws(SystemError) in
        _ = try blockingSystemCall(call) { Int(read(bare, &length)) }
        var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        var service = [CChar](repeating: 0, count: 32)
        let failure = getnameinfo(
          bare, length, &host, socklen_t(host.count), &service, socklen_t(service.count),
          NI_NUMERICHOST | NI_NUMERICSERV)
        guard failure == 0, let port = UInt16(text(service)) else {
          throw SystemError(call: "getnameinfo", number: EINVAL)
        }
        return SocketAddress(host: text(host), port: port)
      }
    }
  }

  static func text(_ characters: [CChar]) -> String {
    String(decoding: characters.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  package static func read(
    _ descriptor: Int32, into buffer: UnsafeMutableRawPointer, capacity: Int
  ) throws(SystemError) -> TransferResult {
    guard let count = try systemCall("recv", { recv(descriptor, buffer, capacity, 0) }) else {
      return .notReady
    }
    return count == 0 ? .endOfStream : .bytes(count)
  }

  /// Writes what the socket takes; a peer that is gone is an error, never a signal.
  package static func write(
    _ descriptor: Int32, from buffer: UnsafeRawPointer, count: Int
  ) throws(SystemError) -> TransferResult {
    let flags = Int32(MSG_NOSIGNAL)
    guard let sent = try systemCall("send", { send(descriptor, buffer, count, flags) }) else {
      return .notReady
    }
    return .bytes(sent)
  }

  package enum Direction: Sendable { case reading, writing }

  /// Waits for one descriptor; false on timeout. For clients that have nothing else to do.
  package static func waitUntilReady(
    _ descriptor: Int32, _ direction: Direction, timeoutMilliseconds: Int32
  ) throws(SystemError) -> Bool {
    let events = Int16(direction == .reading ? POLLIN : POLLOUT)
    var entry = pollfd(fd: descriptor, events: events, revents: 0)
    return try blockingSystemCall("poll") { Int(poll(&entry, 1, timeoutMilliseconds)) } > 0
  }

  package static func close(_ descriptor: Int32) {
    // Linux frees the descriptor whatever close answers; retrying could close another's.
    _ = Glibc.close(descriptor)
  }

  /// No more bytes will be sent; what was sent before still arrives.
  package static func shutdownWriting(_ descriptor: Int32) {
    // ENOTCONN is the only error left, and means that it has happened already.
    _ = shutdown(descriptor, Int32(SHUT_WR))
  }

  static func open(_ info: UnsafeMutablePointer<addrinfo>, _ address: SocketAddress)
    throws(SystemError) -> Int32
  {
    let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
    return Int32(
      try blockingSystemCall("socket", subject: address.description) {
        Int(socket(info.pointee.ai_family, kind, 0))
      })
  }

  static func withResolved(
    _ address: SocketAddress, passive: Bool,
    _ body: (UnsafeMutablePointer<addrinfo>) throws(SystemError) -> Int32
  ) throws(SystemError) -> Int32 {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = passive ? AI_PASSIVE : 0
    var list: UnsafeMutablePointer<addrinfo>?
    let failure = getaddrinfo(address.host, String(address.port), &hints, &list)
    defer { if let list { freeaddrinfo(list) } }
    guard failure == 0, let list else {
      throw SystemError(call: "getaddrinfo", number: EADDRNOTAVAIL, subject: address.description)
    }
    // A name may stand for several addresses, of which `localhost` is the most usual: the first
    // that works is taken.
    var next: UnsafeMutablePointer<addrinfo>? = list
    var last = SystemError(call: "getaddrinfo", number: EADDRNOTAVAIL, subject: address.description)
    while let info = next {
      do throws(SystemError) {
        return try body(info)
      } catch {
        last = error
        next = info.pointee.ai_next
      }
    }
    throw last
  }
}
