/// An instant on the command line, and as text: RFC 3339 or milliseconds since 1970.
struct TimeArgument: Equatable {
  var unixMilliseconds: Int64

  init(unixMilliseconds: Int64) {
    self.unixMilliseconds = unixMilliseconds
  }

  init(parsing text: String) throws(UsageError) {
    if let number = Int64(text) {
      unixMilliseconds = number
    } else if let instant = TimeArgument.rfc3339(Array(text.utf8)) {
      unixMilliseconds = instant
    } else {
      throw UsageError(
        "a time is RFC 3339, for example 2026-11-23T08:00:00Z, or milliseconds since 1970")
    }
  }

  /// `YYYY-MM-DDTHH:MM:SS[.fraction](Z|±HH:MM)` (RFC 3339 §5.6); finer than a millisecond is cut.
  private static func rfc3339(_ text: [UInt8]) -> Int64? {
    var reader = Reader(rest: text[...])
    guard let year = reader.number(4), reader.skip("-"),
      let month = reader.number(2), reader.skip("-"),
      let day = reader.number(2), reader.skip("T") || reader.skip("t") || reader.skip(" "),
      let hour = reader.number(2), reader.skip(":"),
      let minute = reader.number(2), reader.skip(":"),
      let second = reader.number(2)
    else { return nil }
    let milliseconds = reader.skip(".") ? reader.fraction() : 0
    guard let milliseconds, let offsetMinutes = reader.offset(), reader.rest.isEmpty,
      (1...12).contains(month), (1...daysInMonth(year, month)).contains(day), hour < 24,
      minute < 60, second <= 60
    else { return nil }
    let days = daysSince1970(year, month, day)
    let seconds = ((days * 24 + hour) * 60 + minute - offsetMinutes) * 60 + second
    return seconds * 1_000 + milliseconds
  }

  private struct Reader {
    var rest: ArraySlice<UInt8>

    mutating func skip(_ character: Unicode.Scalar) -> Bool {
      guard rest.first == UInt8(ascii: character) else { return false }
      rest.removeFirst()
      return true
    }

    mutating func number(_ digits: Int) -> Int64? {
      guard rest.count >= digits else { return nil }
      var value: Int64 = 0
      for byte in rest.prefix(digits) {
        guard byte >= 0x30, byte <= 0x39 else { return nil }
        value = value * 10 + Int64(byte - 0x30)
      }
      rest.removeFirst(digits)
      return value
    }

    /// Milliseconds of a fraction of a second, at least one digit.
    mutating func fraction() -> Int64? {
      var (value, place): (Int64, Int64) = (0, 100)
      guard let first = number(1) else { return nil }
      value = first * place
      while let digit = number(1) {
        place /= 10
        value += digit * place
      }
      return value
    }

    mutating func offset() -> Int64? {
      if skip("Z") || skip("z") { return 0 }
      let isNegative = skip("-")
      guard isNegative || skip("+"), let hours = number(2), skip(":"), let minutes = number(2),
        hours < 24, minutes < 60
      else { return nil }
      return (isNegative ? -1 : 1) * (hours * 60 + minutes)
    }
  }

  private static func daysInMonth(_ year: Int64, _ month: Int64) -> Int64 {
    let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    switch month {
    case 2: return isLeap ? 29 : 28
    case 4, 6, 9, 11: return 30
    default: return 31
    }
  }

  /// Days of the proleptic Gregorian calendar (Hinnant, "chrono-Compatible Low-Level Date
  /// Algorithms", `days_from_civil`); years from 0.
  private static func daysSince1970(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
    let shifted = month <= 2 ? year - 1 : year
    let era = (shifted >= 0 ? shifted : shifted - 399) / 400
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }

  /// RFC 3339 in UTC, to the millisecond; the bare number outside the years 0 to 9999.
  var text: String {
    let day = 86_400_000 as Int64
    let days = Int64((Double(unixMilliseconds) / Double(day)).rounded(.down))
    guard days >= -719_528, days <= 2_932_896 else { return "\(unixMilliseconds)" }
    let inDay = unixMilliseconds - days * day
    // `civil_from_days` of the same source.
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra =
      (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let month = shiftedMonth + (shiftedMonth < 10 ? 3 : -9)
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    let date = [
      padded(year, 4), padded(month, 2), padded(dayOfYear - (153 * shiftedMonth + 2) / 5 + 1, 2),
    ]
    let time = [inDay / 3_600_000, inDay / 60_000 % 60, inDay / 1_000 % 60].map { padded($0, 2) }
    return date.joined(separator: "-") + "T" + time.joined(separator: ":")
      + ".\(padded(inDay % 1_000, 3))Z"
  }

  private func padded(_ value: Int64, _ width: Int) -> String {
    let digits = "\(value)"
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}
