internal import Glibc

/// The signals that ask a server to stop, taken by one thread instead of a handler.
package enum StopSignals {
  private static func set() -> sigset_t {
    var set = sigset_t()
    sigemptyset(&set)
    sigaddset(&set, SIGTERM)
    sigaddset(&set, SIGINT)
    return set
  }

  /// Holds SIGTERM and SIGINT back in this thread and in those that it starts from now on. A
  /// reader of our log or output that goes away is an error of that write, not a signal that ends
  /// the process.
  package static func hold() {
    signal(SIGPIPE, SIG_IGN)
    var set = set()
    pthread_sigmask(SIG_BLOCK, &set, nil)
  }

  /// Waits for one of them; answers its name. Then lets them through again, so that a second one
  /// ends the process at once.
  package static func wait() -> String {
    var set = set()
    var number: Int32 = 0
    // EINVAL is its only error, and the set is valid.
    while sigwait(&set, &number) != 0 {}
    pthread_sigmask(SIG_UNBLOCK, &set, nil)
    return number == SIGINT ? "SIGINT" : "SIGTERM"
  }
}
