internal import Glibc

/// Connecting without waiting: for loops.
extension Sockets {
  /// Whether `host` is an IP address, so that nobody has to be asked for it.
  package static func isNumeric(_ address: SocketAddress) -> Bool {
    var (four, six) = (in_addr(), in6_addr())
    return inet_pton(AF_INET, address.host, &four) == 1
      || inet_pton(AF_INET6, address.host, &six) == 1
  }

  /// The addresses of a name, in the system's order, at least one. Blocks for as long as the
  /// system asks its name servers.
  package static func resolve(_ address: SocketAddress) throws(SystemError) -> [SocketAddress] {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    let failure = getaddrinfo(address.host, String(address.port), &hints, &list)
    defer { if let list { freeaddrinfo(list) } }
    var found: [SocketAddress] = []
    var next = failure == 0 ? list : nil
    while let info = next {
      var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
      let status = getnameinfo(
        info.pointee.ai_addr, info.pointee.ai_addrlen, &host, socklen_t(host.count), nil, 0,
        NI_NUMERICHOST)
      if status == 0 { found.append(SocketAddress(host: text(host), port: address.port)) }
      next = info.pointee.ai_next
    }
    guard !found.isEmpty else {
      throw SystemError(call: "getaddrinfo", number: EADDRNOTAVAIL, subject: address.description)
    }
    return found
  }

  /// Begins to connect to a numeric `address`. The descriptor becomes writable when it is decided:
  /// `connectionFailure` tells how.
  package static func beginConnecting(to address: SocketAddress) throws(SystemError) -> Int32 {
    try withResolved(address, passive: false) { info throws(SystemError) in
      let descriptor = try open(info, address)
      do throws(SystemError) {
        try setNoDelay(descriptor)
        if Glibc.connect(descriptor, info.pointee.ai_addr, info.pointee.ai_addrlen) != 0,
          errno != EINPROGRESS, errno != EINTR
        {
          throw SystemError(call: "connect", number: errno, subject: address.description)
        }
        return descriptor
      } catch {
        close(descriptor)
        throw error
      }
    }
  }

  /// Why a descriptor of `beginConnecting` that has become writable is not connected; nil = it is.
  package static func connectionFailure(_ descriptor: Int32, _ address: SocketAddress)
    -> SystemError?
  {
    var number: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    let status = getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &number, &length)
    if status != 0 { number = errno }
    return number == 0
      ? nil : SystemError(call: "connect", number: number, subject: address.description)
  }
}
