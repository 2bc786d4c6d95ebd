internal import Glibc

/// How many descriptors this process may have.
package enum Descriptors {
  // RLIMIT_NOFILE; Glibc's own name has a type that its own function does not take.
  private static let resource = __rlimit_resource_t(7)

  /// Raises the soft limit to the hard one, as a server may; what it is then.
  package static func raiseLimit() throws(SystemError) -> Int {
    var limit = rlimit()
    _ = try blockingSystemCall("getrlimit") { Int(getrlimit(resource, &limit)) }
    if limit.rlim_cur < limit.rlim_max {
      limit.rlim_cur = limit.rlim_max
      _ = try blockingSystemCall("setrlimit") { Int(setrlimit(resource, &limit)) }
    }
    return Int(clamping: limit.rlim_cur)
  }
}
