/// What the kernel says of a process: the text of its `/proc` files, read.
package struct ServerUsage: Sendable, Equatable {
  /// In user and kernel mode, of all threads, since its start.
  package var cpuNanoseconds: UInt64
  package var residentBytes: UInt64

  /// `stat` and `statm` as proc(5) describes them; nil when they are not that.
  package init?(stat: String, statm: String, ticksPerSecond: Int, pageBytes: Int) {
    // The name stands in parentheses and may hold both blanks and parentheses.
    guard let close = stat.lastIndex(of: ")"), ticksPerSecond > 0, pageBytes > 0 else { return nil }
    let fields = stat[stat.index(after: close)...].split(separator: " ")
    let memory = statm.split(separator: " ")
    // utime and stime are fields 14 and 15; the state, field 3, is the first after the name.
    guard fields.count > 12, memory.count > 1, let user = UInt64(fields[11]),
      let system = UInt64(fields[12]), let pages = UInt64(memory[1])
    else { return nil }
    let (ticks, overflow) = user.addingReportingOverflow(system)
    let nanoseconds = Double(ticks) * (1e9 / Double(ticksPerSecond))
    let (bytes, isTooMuch) = pages.multipliedReportingOverflow(by: UInt64(pageBytes))
    guard !overflow, !isTooMuch, nanoseconds < 1.8e19 else { return nil }
    cpuNanoseconds = UInt64(nanoseconds)
    residentBytes = bytes
  }
}
