import Client
import Core
import Foundation
import Testing
import Wire

@testable import crescendo

private func exposures(_ count: Int) -> [ExposureMessage] {
  (0..<count).map { ExposureMessage(token: [UInt8($0)]) }
}

private func answer(
  through sequence: UInt64, settled: UInt64,
  _ exceptions: [ReportExposuresResponseMessage.Exception] = [], leftOut: UInt64 = 0
) -> ReportExposuresResponseMessage {
  var answer = ReportExposuresResponseMessage()
  answer.ackedThrough = sequence
  answer.settled = settled
  answer.exceptions = exceptions
  answer.exceptionsLeftOut = leftOut
  return answer
}

@Suite struct ExposureReportTests {
  @Test func batchesArePendingUntilTheyAreAcknowledged() throws {
    var report = ExposureReport()
    #expect(report.add(exposures(2), lines: [1, 2]).message.sequence == 1)
    #expect(report.add(exposures(3), lines: [4, 5, 6]).message.sequence == 2)
    #expect(report.add(exposures(1), lines: [9]).message.sequence == 3)
    try report.take(
      answer(
        through: 2, settled: 2,
        [
          .init(sequence: 1, index: 1, outcome: 2), .init(sequence: 2, index: 0, outcome: 5),
          .init(sequence: 2, index: 2, outcome: 3),
        ]))
    #expect(report.pending.map(\.message.sequence) == [3])
    #expect(report.settled == 2 && report.count(.duplicate) == 1 && report.count(.forged) == 1)
    #expect(report.count(.settledLate) == 1 && !report.isPaid)
    #expect(report.exceptions == [.init(line: 4, outcome: "FORGED")])
    try report.take(answer(through: 2, settled: 0))
    try report.take(answer(through: 3, settled: 1))
    #expect(report.pending.isEmpty && report.exposureCount == 6)
  }

  @Test func duplicatesAndLateOnesArePaid() throws {
    var report = ExposureReport()
    _ = report.add(exposures(2), lines: [1, 2])
    try report.take(
      answer(
        through: 1, settled: 0,
        [.init(sequence: 1, index: 0, outcome: 2), .init(sequence: 1, index: 1, outcome: 3)]))
    #expect(report.isPaid && report.exceptions.isEmpty)
    _ = report.add(exposures(2), lines: [3, 4])
    try report.take(answer(through: 2, settled: 0, leftOut: 2))
    #expect(report.unnamed == 2 && !report.isPaid)
  }

  @Test func aGoalThatComesLaterIsNoLoss() throws {
    var report = ExposureReport()
    _ = report.add(exposures(1), lines: [1])
    try report.take(answer(through: 1, settled: 0, [.init(sequence: 1, index: 0, outcome: 9)]))
    #expect(report.isPaid && report.exceptions.isEmpty && report.count(.goalAdded) == 1)
    _ = report.add(exposures(1), lines: [2])
    try report.take(answer(through: 2, settled: 0, [.init(sequence: 2, index: 0, outcome: 8)]))
    #expect(!report.isPaid && report.exceptions == [.init(line: 2, outcome: "INVALID_TIME")])
  }

  @Test func answersThatCannotBeAreRefused() {
    let wrong = [
      answer(through: 2, settled: 2), answer(through: 1, settled: 1),
      answer(through: 1, settled: 3), answer(through: 0, settled: 1),
      answer(through: 1, settled: .max, [.init(sequence: 1, index: 0, outcome: 2)], leftOut: 3),
      answer(through: 1, settled: 1, [.init(sequence: 2, index: 0, outcome: 2)]),
      answer(through: 1, settled: 1, [.init(sequence: 1, index: 2, outcome: 2)]),
    ]
    for answer in wrong {
      var report = ExposureReport()
      _ = report.add(exposures(2), lines: [1, 2])
      let failure = #expect(throws: CallFailure.self) { try report.take(answer) }
      #expect(failure?.code == .internalError)
    }
  }

  @Test func jsonIsOneObject() throws {
    var report = ExposureReport()
    _ = report.add(exposures(2), lines: [1, 2])
    _ = report.add(exposures(1), lines: [3])
    try report.take(
      answer(through: 1, settled: 1, [.init(sequence: 1, index: 1, outcome: 4)]))
    #expect(
      report.json
        == #"{"exposures":3,"settled":1,"duplicate":0,"goal_added":0,"settled_late":0,"unpaid":1,"#
        + #""forged":0,"expired":0,"unknown_reservation":0,"invalid_time":0,"unnamed":0,"#
        + #""unacknowledged":1,"resent":0,"#
        + #""exceptions":[{"line":2,"outcome":"UNPAID"}]}"#)
    #expect(report.table(palette: .plain).hasSuffix("\n\nline 2: UNPAID"))
  }

  @Test func onlyABreakIsWorthAnotherAttempt() {
    let failed: (StatusCode, FailedCall.Origin) -> ClientError = {
      .failed(FailedCall(CallFailure($0, "x"), origin: $1))
    }
    #expect(ReportCommand.isWorthAnother(failed(.unavailable, .server)))
    #expect(ReportCommand.isWorthAnother(failed(.unavailable, .connection)))
    #expect(ReportCommand.isWorthAnother(failed(.deadlineExceeded, .client)))
    #expect(!ReportCommand.isWorthAnother(failed(.deadlineExceeded, .server)))
    #expect(!ReportCommand.isWorthAnother(failed(.outOfRange, .server)))
    #expect(!ReportCommand.isWorthAnother(.invalidRequest("x")))
  }
}

@Suite struct ExposureLineTests {
  @Test(
    arguments: [
      (#"{"token":"AQID"}"#, 0, false), (#"{"token":"AQID","time":5,"goal":true}"#, 5, true),
      (#" {"goal":false, "time":"1970-01-01T00:00:01Z", "token":"AQID"} "#, 1_000, false),
      (#"{"token":"AQID","time":"-7"}"#, -7, false),
    ] as [(String, Int64, Bool)]) func good(text: String, time: Int64, goal: Bool) throws
  {
    #expect(
      try ExposureLine.parse(text)
        == ExposureMessage(token: [1, 2, 3], timeUnixMilliseconds: time, goal: goal))
  }

  @Test func anAllocationIsALineOfItsPlacements() throws {
    let text = #"{"request_id":"00","placements":[{"slot":0,"token":"AQID"},{"token":"AAAA"}]}"#
    #expect(
      try ExposureLine.exposures(text, number: 1)
        == [ExposureMessage(token: [1, 2, 3]), ExposureMessage(token: [0, 0, 0])])
    let path = try file(Array("\(text)\n{\"placements\":[]}\n{\"token\":\"AQID\"}\n\(text)".utf8))
    defer { try? FileManager.default.removeItem(atPath: path) }
    var source = try ExposureSource(path, batch: 2)
    var batches: [[Int]] = []
    while let next = source.next() { batches.append(next.lines) }
    #expect(batches == [[1, 1], [3, 4], [4]] && source.fault == nil)
  }

  private func file(_ bytes: [UInt8]) throws -> String {
    let path = NSTemporaryDirectory() + "lines-\(UUID().uuidString)"
    try Data(bytes).write(to: URL(filePath: path))
    return path
  }

  @Test func linesAreReadHoweverTheyEnd() throws {
    let long = String(repeating: "x", count: LineReader.lineBytes)
    let texts = ["a", "", long, "ø", String(repeating: "y", count: 1_000)]
    for ending in ["", "\n"] {
      let path = try file(Array((texts.joined(separator: "\n") + ending).utf8))
      defer { try? FileManager.default.removeItem(atPath: path) }
      var reader = try LineReader(path)
      for (index, text) in texts.enumerated() {
        #expect(try reader.next() == text)
        #expect(reader.number == index + 1)
      }
      #expect(try reader.next() == nil)
      #expect(try reader.next() == nil)
    }
  }

  @Test func lineFaultsAreNamed() throws {
    let cases: [([UInt8], String)] = [
      (Array("a\n".utf8) + [0xFF], "line 2 is not UTF-8"),
      (Array(repeating: 0x61, count: 3 * LineReader.lineBytes), "line 1 is over 65536 bytes"),
    ]
    for (bytes, text) in cases {
      let path = try file(bytes)
      defer { try? FileManager.default.removeItem(atPath: path) }
      var reader = try LineReader(path)
      var fault: UsageError?
      do throws(UsageError) { while try reader.next() != nil {} } catch { fault = error }
      #expect(fault?.description == text)
    }
  }

  @Test func aSourceEndsAtItsFirstFault() throws {
    let good = #"{"token":"AQID"}"#
    let path = try file(Array("\(good)\n\n\(good)\n\(good)\nbad\n\(good)\n".utf8))
    defer { try? FileManager.default.removeItem(atPath: path) }
    var source = try ExposureSource(path, batch: 2)
    #expect(source.next()?.lines == [1, 3])
    #expect(source.next()?.lines == [4])
    #expect(source.next() == nil)
    #expect(source.fault?.hasPrefix("line 5: it is no JSON object") == true)
  }
}
