import Foundation
import Wire

/// One line of what is released: `{"placements": [{"token": "…"}, …]}`, as `allocate` answers, or
/// `{"token": "…"}`. A token is base64; other keys are not looked at.
struct TokenLine: Decodable {
  private struct Placement: Decodable { var token: String }

  private var token: String?
  private var placements: [Placement]?

  /// The tokens of an answer of `allocate`; nil if the line is none.
  static func placements(_ text: String, number: Int) throws(UsageError) -> [PlacedToken]? {
    guard text.contains("\"placements\"") else { return nil }
    return try parse(text, number: number)
  }

  static func parse(_ text: String, number: Int) throws(UsageError) -> [PlacedToken] {
    let line: TokenLine
    do {
      line = try JSONDecoder().decode(TokenLine.self, from: Data(text.utf8))
    } catch DecodingError.keyNotFound(let key, _) {
      throw UsageError("\(key.stringValue) is missing")
    } catch DecodingError.typeMismatch(_, let context) {
      throw UsageError(
        context.codingPath.last { $0.intValue == nil }.map { "\($0.stringValue) has another type" }
          ?? form)
    } catch {
      throw UsageError(form)
    }
    let place = "line \(number)"
    switch (line.token, line.placements) {
    case (let token?, nil): return [try decoded(token, place)]
    case (nil, let placements?):
      var tokens: [PlacedToken] = []
      for (index, placement) in placements.enumerated() {
        tokens.append(try decoded(placement.token, "\(place), placement \(index)"))
      }
      return tokens
    case (nil, nil): throw UsageError("it has neither token nor placements")
    case (_?, _?): throw UsageError("it has a token and placements: one of them is expected")
    }
  }

  private static func decoded(_ text: String, _ place: String) throws(UsageError) -> PlacedToken {
    PlacedToken(bytes: try bytes(of: text), place: place)
  }

  static func bytes(of text: String) throws(UsageError) -> [UInt8] {
    guard !text.isEmpty else { throw UsageError("token is empty") }
    guard let bytes = Base64.decoded(Array(text.utf8)) else {
      throw UsageError("token is no base64")
    }
    return bytes
  }

  private static let form = "it is no JSON object like {\"token\": \"…\"} or {\"placements\": […]}"
}
