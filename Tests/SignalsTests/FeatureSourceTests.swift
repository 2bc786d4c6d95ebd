import Testing

@testable import Signals

struct FeatureSourceTests {
  @Test(arguments: [
    ("item.plays_log", FeatureSource.item("plays_log")),
    ("item.mood.x-1/é", .item("mood.x-1/é")), ("user.a", .user("a")),
    ("request.recent_plays_7d", .request("recent_plays_7d")),
    ("context.market", .context(.market)), ("context.surface", .context(.surface)),
    ("context.tier", .context(.tier)), ("context.hour", .context(.hour)),
    ("context.weekday", .context(.weekday)),
    ("dot(user.taste, item.taste)", .dot(user: "taste", item: "taste")),
    ("  dot ( user.a,item.b )  ", .dot(user: "a", item: "b")),
    (
      "equal(item.market, context.market)", .equal(.item("market"), .context(.market))
    ),
    (
      "equal(equal(user.a,constant(2)), dot(user.x, item.y))",
      .equal(.equal(.user("a"), .constant(2)), .dot(user: "x", item: "y"))
    ),
    ("constant(1.0)", .constant(1)), ("constant( -2.5e-3 )", .constant(-0.0025)),
    ("constant(0.1)", .constant(0.1)), ("constant(1e308)", .constant(1e308)),
    ("constant(4.9e-324)", .constant(.leastNonzeroMagnitude)),
  ])
  func parses(text: String, expected: FeatureSource) throws {
    let source = try FeatureSource(parsing: text)
    #expect(source == expected)
    // The text of a source is a source's text.
    #expect(try FeatureSource(parsing: source.description) == expected)
  }

  private static let start = "expected item., user., request., context., dot(, equal( or constant("

  @Test(arguments: [
    ("", 0, start), ("   ", 3, start), ("Item.a", 0, start), ("items.a", 0, start),
    ("sum(item.a)", 0, start), ("item", 4, "expected '.'"), ("item .a", 4, "expected '.'"),
    ("item.", 5, "expected a name"), ("item. a", 5, "expected a name"),
    ("item.a b", 7, "expected the end"), ("item.a)", 6, "expected the end"),
    ("item.a\tb", 6, "expected the end"), ("item.a\u{0}", 6, "expected the end"),
    ("context.country", 8, "expected market, surface, tier, hour or weekday"),
    ("dot(item.a, user.b)", 4, "expected user."), ("dot(user.a, user.b)", 12, "expected item."),
    ("dot(user.a)", 10, "expected ','"), ("dot(user.a, item.b", 18, "expected ')'"),
    ("dot user.a", 4, "expected '('"), ("dot(user.a, item.b))", 19, "expected the end"),
    ("equal(item.a)", 12, "expected ','"), ("equal(item.a, )", 14, start),
    ("equal(item.a, item.b, item.c)", 20, "expected ')'"),
    ("constant()", 9, "expected a finite decimal number"),
    ("constant(nan)", 9, "expected a finite decimal number"),
    ("constant(inf)", 9, "expected a finite decimal number"),
    ("constant(0x1p3)", 9, "expected a finite decimal number"),
    ("constant(1e999)", 9, "expected a finite decimal number"),
    ("constant(1 2)", 11, "expected ')'"), ("constant(--1)", 9, "expected a finite decimal number"),
  ])
  func refuses(text: String, offset: Int, reason: String) {
    #expect(throws: FeatureSourceError(offset: offset, reason: reason)) {
      try FeatureSource(parsing: text)
    }
  }

  @Test func nestingIsBounded() throws {
    func nested(_ depth: Int) -> String {
      String(repeating: "equal(constant(1), ", count: depth - 1) + "item.a"
        + String(repeating: ")", count: depth - 1)
    }
    _ = try FeatureSource(parsing: nested(8))
    #expect(throws: FeatureSourceError(offset: 7 * 19 + 6, reason: "is nested deeper than 8")) {
      try FeatureSource(parsing: nested(9))
    }
    #expect(throws: FeatureSourceError.self) { try FeatureSource(parsing: nested(100_000)) }
  }
}
