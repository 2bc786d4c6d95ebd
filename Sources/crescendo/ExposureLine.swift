import Foundation
import Wire

/// One line of a report: `{"token": "…", "time": "2026-12-01T08:00:00Z", "goal": false}`.
///
/// `token` is base64; `time` RFC 3339 or milliseconds since 1970, else it is now; `goal` is false
/// unless it is said. Another key is a fault.
struct ExposureLine: Decodable {
  var exposure: ExposureMessage

  /// All exposures of a line: one, or, of an answer of `allocate --output json`, one for each
  /// placement, heard now.
  static func exposures(_ text: String, number: Int) throws(UsageError) -> [ExposureMessage] {
    if let placements = try TokenLine.placements(text, number: number) {
      return placements.map { ExposureMessage(token: $0.bytes) }
    }
    return [try parse(text)]
  }

  static func parse(_ text: String) throws(UsageError) -> ExposureMessage {
    do {
      return try JSONDecoder().decode(ExposureLine.self, from: Data(text.utf8)).exposure
    } catch let error as UsageError {
      throw error
    } catch DecodingError.keyNotFound(let key, _) {
      throw UsageError("\(key.stringValue) is missing")
    } catch DecodingError.typeMismatch(_, let context) {
      throw UsageError(context.codingPath.last.map { "\($0.stringValue) has another type" } ?? form)
    } catch DecodingError.valueNotFound(_, let context) {
      throw UsageError(context.codingPath.last.map { "\($0.stringValue) is null" } ?? form)
    } catch {
      throw UsageError(form)
    }
  }

  private static let form =
    "it is no JSON object like {\"token\": \"…\", \"time\": \"2026-12-01T08:00:00Z\"}"

  private struct Key: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }

    static let token = Key(stringValue: "token")
    static let time = Key(stringValue: "time")
    static let goal = Key(stringValue: "goal")
  }

  init(from decoder: any Decoder) throws {
    let members = try decoder.container(keyedBy: Key.self)
    let known = [Key.token, .time, .goal].map(\.stringValue)
    for key in members.allKeys.map(\.stringValue).sorted() where !known.contains(key) {
      throw UsageError(
        "there is no key \(printable(key)); there are \(known.joined(separator: ", "))")
    }
    let text = try members.decode(String.self, forKey: .token)
    exposure = ExposureMessage(token: try TokenLine.bytes(of: text))
    if members.contains(.time) {
      if let milliseconds = try? members.decode(Int64.self, forKey: .time) {
        exposure.timeUnixMilliseconds = milliseconds
      } else {
        exposure.timeUnixMilliseconds =
          try TimeArgument(parsing: try members.decode(String.self, forKey: .time))
          .unixMilliseconds
      }
    }
    if members.contains(.goal) { exposure.goal = try members.decode(Bool.self, forKey: .goal) }
  }
}
