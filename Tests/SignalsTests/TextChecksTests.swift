import Testing

@testable import Signals

struct TextChecksTests {
  @Test(arguments: [
    "2026-11-23T08:00:00Z", "2026-11-23t08:00:00z", "2026-11-23 08:00:00Z",
    "2026-11-23T08:00:00.123456+00:00", "2024-02-29T23:59:60-23:59", "2000-02-29T00:00:00Z",
  ])
  func times(text: String) { #expect(isRFC3339(text)) }

  @Test(arguments: [
    "", "2026-11-23", "2026-11-23T08:00:00", "2026-11-23T08:00Z", "2026-13-01T00:00:00Z",
    "2026-00-01T00:00:00Z", "2026-04-31T00:00:00Z", "2026-02-29T00:00:00Z",
    "1900-02-29T00:00:00Z", "2026-11-00T00:00:00Z", "2026-11-23T24:00:00Z",
    "2026-11-23T08:60:00Z", "2026-11-23T08:00:61Z", "2026-11-23T08:00:00.Z",
    "2026-11-23T08:00:00+24:00", "2026-11-23T08:00:00+01", "2026-11-23T08:00:00Zx",
    "2026-11-23T08:00:00+01:00x", "+026-11-23T08:00:00Z", "２026-11-23T08:00:00Z",
    "2026-11-23T08:00:00." + String(repeating: "0", count: 60) + "Z",
  ])
  func otherTexts(text: String) { #expect(!isRFC3339(text)) }

  @Test(arguments: ["a", "models/default.txt", "a/b/c", "..a", "a..", ".a", "å/b c", "a\\b"])
  func paths(path: String) { #expect(pathFault(path) == nil) }
}
