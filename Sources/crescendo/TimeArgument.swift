import Core

/// An instant on the command line, and as text: RFC 3339 or milliseconds since 1970.
struct TimeArgument: Equatable {
  var unixMilliseconds: Int64

  init(unixMilliseconds: Int64) {
    self.unixMilliseconds = unixMilliseconds
  }

  init(parsing text: String) throws(UsageError) {
    if let number = Int64(text) {
      unixMilliseconds = number
      return
    }
    do throws(RFC3339.Fault) {
      unixMilliseconds = try RFC3339.unixMilliseconds(text, rounding: true)
    } catch {
      throw UsageError(
        "a time is RFC 3339, for example 2026-11-23T08:00:00Z, or milliseconds since 1970")
    }
  }

  /// RFC 3339 in UTC; the bare number outside the years 0 to 9999.
  var text: String { RFC3339.text(unixMilliseconds) }
}
