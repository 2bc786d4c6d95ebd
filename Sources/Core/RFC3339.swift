/// Instants as text: RFC 3339 §5.6, `YYYY-MM-DDTHH:MM:SS[.fraction](Z|±HH:MM)`, to the millisecond.
package enum RFC3339 {
  package enum Fault: Error, Equatable {
    case form
    case noZone
    /// A month, day, hour, minute or offset that there is not.
    case noSuchTime
    case leapSecond
    case finerThanMilliseconds
  }

  /// Milliseconds of the years 0 to 9999, UTC.
  package static let range: ClosedRange<Int64> = -62_167_219_200_000...253_402_300_799_999

  /// Milliseconds since 1970, within `range`.
  /// - Parameter rounding: what Unix time cannot tell is no fault: the second 60 is the next
  ///   minute's first, and what is finer than a millisecond is cut.
  package static func unixMilliseconds(
    _ text: String, rounding: Bool = false
  ) throws(Fault) -> Int64 {
    var reader = Reader(rest: Array(text.utf8)[...])
    guard let year = reader.number(4), reader.skip("-"), let month = reader.number(2),
      reader.skip("-"), let day = reader.number(2)
    else { throw .form }
    if reader.rest.isEmpty { throw .noZone }
    guard reader.skip("T") || reader.skip("t") || reader.skip(" "),
      let hour = reader.number(2), reader.skip(":"), let minute = reader.number(2),
      reader.skip(":"), let second = reader.number(2)
    else { throw .form }
    let milliseconds = reader.skip(".") ? try reader.fraction(cutting: rounding) : 0
    if reader.rest.isEmpty { throw .noZone }
    guard let offset = reader.offset(), reader.rest.isEmpty else { throw .form }
    if second == 60, minute < 60, !rounding { throw .leapSecond }
    guard (1...12).contains(month), (1...daysInMonth(year, month)).contains(day), hour < 24,
      minute < 60, second <= 60, offset.hours < 24, offset.minutes < 60
    else { throw .noSuchTime }
    let offsetMinutes = offset.sign * (offset.hours * 60 + offset.minutes)
    let minutes = (daysSince1970(year, month, day) * 24 + hour) * 60 + minute - offsetMinutes
    let instant = (minutes * 60 + second) * 1_000 + milliseconds
    guard range.contains(instant) else { throw .noSuchTime }
    return instant
  }

  /// In UTC, with a fraction only where there is one; the bare number outside `range`.
  package static func text(_ unixMilliseconds: Int64) -> String {
    guard range.contains(unixMilliseconds) else { return "\(unixMilliseconds)" }
    let inDay = ((unixMilliseconds % 86_400_000) + 86_400_000) % 86_400_000
    let date = civil((unixMilliseconds - inDay) / 86_400_000)
    let fraction = inDay % 1_000 == 0 ? "" : ".\(padded(inDay % 1_000, 3))"
    let time = [inDay / 3_600_000, inDay / 60_000 % 60, inDay / 1_000 % 60]
    return "\(padded(date.year, 4))-\(padded(date.month, 2))-\(padded(date.day, 2))T"
      + time.map { padded($0, 2) }.joined(separator: ":") + "\(fraction)Z"
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

    /// Milliseconds; at least one digit.
    mutating func fraction(cutting: Bool) throws(Fault) -> Int64 {
      var (value, place): (Int64, Int64) = (0, 100)
      guard let first = number(1) else { throw .form }
      value = first * place
      while let digit = number(1) {
        place /= 10
        if place == 0, digit != 0, !cutting { throw .finerThanMilliseconds }
        value += digit * place
      }
      return value
    }

    mutating func offset() -> (sign: Int64, hours: Int64, minutes: Int64)? {
      if skip("Z") || skip("z") { return (1, 0, 0) }
      let isNegative = skip("-")
      guard isNegative || skip("+"), let hours = number(2), skip(":"), let minutes = number(2)
      else { return nil }
      return (isNegative ? -1 : 1, hours, minutes)
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

  /// `civil_from_days` of the same source.
  private static func civil(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra =
      (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let month = shiftedMonth + (shiftedMonth < 10 ? 3 : -9)
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    return (year, month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
  }

  private static func padded(_ value: Int64, _ width: Int) -> String {
    let digits = "\(value)"
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}
