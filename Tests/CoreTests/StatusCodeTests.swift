import Testing

@testable import Core

struct StatusCodeTests {
  /// gRPC's `statuscodes.md`, number by number.
  private static let published = [
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
    "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED",
    "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
  ]

  @Test func numbersAndNamesAreGRPCs() {
    #expect(StatusCode.allCases.count == StatusCodeTests.published.count)
    for (number, name) in StatusCodeTests.published.enumerated() {
      #expect(StatusCode(rawValue: Int32(number))?.name == name)
    }
  }

  @Test func otherNumbersAreNoCodes() {
    #expect(StatusCode(rawValue: -1) == nil)
    #expect(StatusCode(rawValue: 17) == nil)
  }

  @Test func failuresAreValues() {
    let failure = CallFailure(.notFound, "no such model")
    #expect(failure.retryPushbackMilliseconds == nil)
    #expect(failure == CallFailure(.notFound, "no such model"))
    #expect(failure != CallFailure(.notFound, "no such model", retryPushbackMilliseconds: -1))
    #expect(failure != CallFailure(.internalError, "no such model"))
  }
}
