import CCrescendoProto
import CProtobufC
import Core
import Testing
import Wire

private func decode(
  _ bytes: [UInt8], arenaBytes: Int = 1 << 20,
  _ body: (ReportExposuresRequestView, CallFailure?) -> Void
) {
  inArena(bytes, arenaBytes: arenaBytes) { slice, arena in
    var view = ReportExposuresRequestView()
    let failure = ReportExposuresRequestDecoder.decode(slice, into: &view, arena: arena)
    body(view, failure)
  }
}

private func plain(_ view: ReportExposuresRequestView) -> ReportExposuresRequestMessage {
  ReportExposuresRequestMessage(
    sequence: view.sequence,
    exposures: view.exposures.map {
      ExposureMessage(
        token: $0.token.array, timeUnixMilliseconds: $0.timeUnixMilliseconds, goal: $0.goal)
    })
}

/// As protobuf-c reads it; nil when it refuses.
private func oracle(_ bytes: [UInt8]) -> ReportExposuresRequestMessage? {
  guard let message = crescendo__v1__report_exposures_request__unpack(nil, bytes.count, bytes)
  else { return nil }
  defer { crescendo__v1__report_exposures_request__free_unpacked(message, nil) }
  return ReportExposuresRequestMessage(
    sequence: message.pointee.sequence,
    exposures: (0..<message.pointee.n_exposures).map {
      let exposure = message.pointee.exposures[$0]!.pointee
      return ExposureMessage(
        token: Array(UnsafeBufferPointer(start: exposure.token.data, count: exposure.token.len)),
        timeUnixMilliseconds: exposure.time_unix_ms, goal: exposure.goal != 0)
    })
}

/// Random reports: fields in any order and more than once, unknown ones between them.
private struct ReportGenerator {
  var random: SplitMix64

  private mutating func exposure() -> [UInt8] {
    var fields: [[UInt8]] = []
    for _ in 0..<Int.random(in: 0...2, using: &random) {
      let token = (0..<Int.random(in: 0...140, using: &random)).map { _ in
        UInt8.random(in: 0...255, using: &random)
      }
      fields.append(WireTests.message { $0.bytesField(1, token) })
    }
    for _ in 0..<Int.random(in: 0...2, using: &random) {
      let time = random.next()
      fields.append(WireTests.message { $0.fixed64Field(2, time) })
    }
    // Beyond one byte, too: any number but 0 is true.
    let goal = [0, 1, 2, 128, 1 << 35].randomElement(using: &random)! as UInt64
    if Bool.random(using: &random) {
      fields.append(WireTests.message { $0.varintField(3, goal) })
    }
    if Bool.random(using: &random) {
      fields.append(WireTests.message { $0.textField(20, "new") })
    }
    return fields.shuffled(using: &random).flatMap { $0 }
  }

  mutating func message() -> [UInt8] {
    var fields: [[UInt8]] = []
    for _ in 0..<Int.random(in: 0...2, using: &random) {
      let sequence = random.next()
      fields.append(WireTests.message { $0.fixed64Field(1, sequence) })
    }
    for _ in 0..<Int.random(in: 0...20, using: &random) {
      let inner = exposure()
      fields.append(WireTests.message { $0.bytesField(2, inner) })
    }
    fields.append(WireTests.message { $0.varintField(9, 3) })
    return fields.shuffled(using: &random).flatMap { $0 }
  }
}

@Suite struct ReportExposuresRequestTests {
  @Test func agreesWithProtobufC() {
    let seed: UInt64 = 61
    var generator = ReportGenerator(random: SplitMix64(seed: seed))
    var exposures = 0
    for number in 0..<3_000 {
      let bytes = generator.message()
      let expected = oracle(bytes)
      decode(bytes) { view, failure in
        #expect(failure == nil && plain(view) == expected, "seed \(seed), message \(number)")
        exposures += view.exposures.count
      }
    }
    #expect(exposures > 20_000, "the generator makes what it is for")
  }

  @Test func readsWhatTheClientWrites() {
    let request = ReportExposuresRequestMessage(
      sequence: 7,
      exposures: (0..<500).map {
        ExposureMessage(
          token: Array(repeating: UInt8($0 & 255), count: $0 % 130),
          timeUnixMilliseconds: Int64($0) - 3, goal: $0 % 3 == 0)
      })
    #expect(oracle(request.encoded()) == request)
    decode(request.encoded()) { view, failure in
      #expect(failure == nil && plain(view) == request)
    }
    decode([]) { view, failure in #expect(failure == nil && view.exposures.isEmpty) }
  }

  @Test func survivesDamage() {
    let seed: UInt64 = 9
    var generator = ReportGenerator(random: SplitMix64(seed: seed))
    var refused = 0
    for _ in 0..<2_000 {
      var bytes = generator.message()
      for _ in 0..<Int.random(in: 1...4, using: &generator.random) {
        bytes[Int.random(in: 0..<bytes.count, using: &generator.random)] = UInt8.random(
          in: 0...255, using: &generator.random)
      }
      bytes.removeLast(Int.random(in: 0...min(3, bytes.count), using: &generator.random))
      decode(bytes) { view, failure in
        if failure != nil { refused += 1 } else { _ = plain(view) }
      }
    }
    #expect(refused > 200, "seed \(seed): damage is noticed")
  }

  @Test func refusesTooManyAndWhatIsNone() {
    let most = Array(repeating: [0x12, 0] as [UInt8], count: 10_000).flatMap { $0 }
    decode(most) { view, failure in #expect(failure == nil && view.exposures.count == 10_000) }
    decode(most + [0x12, 0]) { _, failure in
      #expect(failure?.code == .resourceExhausted && failure?.retryPushbackMilliseconds == -1)
      #expect(failure?.message == "the report has 10001 exposures; the limit is 10000")
    }
    decode(most, arenaBytes: 100_000) { _, failure in
      #expect(failure?.code == .resourceExhausted)
    }
    let cases: [([UInt8], Int)] = [
      (message { $0.varintField(1, 3) }, 0), (message { $0.varintField(2, 3) }, 0),
      (message { $0.bytesField(2, [0x08, 1]) }, 2),
      (
        message {
          $0.fixed64Field(1, 1); $0.bytesField(2, [0x0A, 9])
        }, 12
      ),
      (message { $0.bytesField(2, [0x10, 1]) }, 2), (message { $0.bytesField(2, [0x1A, 0]) }, 2),
    ]
    for (bytes, offset) in cases {
      decode(bytes) { _, failure in
        #expect(failure?.code == .internalError)
        let start = "cannot decode crescendo.v1.ReportExposuresRequest: byte \(offset): "
        #expect(failure?.message.hasPrefix(start) == true, "\(failure?.message ?? "")")
      }
    }
  }
}

@Suite struct ReportExposuresResponseTests {
  @Test func theClientReadsWhatTheServerWrites() throws {
    let exceptions = (0..<200).map {
      ExposureException(
        sequence: .max - UInt64($0), index: UInt32($0 * 50),
        outcome: ExposureOutcome.allCases[$0 % 9])
    }
    let bytes = ReportExposuresResponseEncoder.encode(
      ackedThrough: 12, settled: 1 << 40, exceptions: exceptions, leftOut: 3)
    let response = try ReportExposuresResponseMessage.decoded(bytes)
    #expect(response.ackedThrough == 12 && response.settled == 1 << 40)
    #expect(response.exceptionsLeftOut == 3)
    let expected = exceptions.map {
      ReportExposuresResponseMessage.Exception(
        sequence: $0.sequence, index: $0.index, outcome: Int32($0.outcome.rawValue))
    }
    #expect(response.exceptions == expected)
    #expect(
      ExposureOutcome.allCases.map { ScoreVocabulary.exposureOutcomeName(Int32($0.rawValue)) } == [
        "SETTLED", "DUPLICATE", "SETTLED_LATE", "UNPAID", "FORGED", "EXPIRED",
        "UNKNOWN_RESERVATION", "INVALID_TIME", "GOAL_ADDED",
      ])
  }

  @Test func countsWhatItDoesNotName() throws {
    let one = ExposureException(sequence: 1, index: 2, outcome: .duplicate)
    let bytes = ReportExposuresResponseEncoder.encode(
      ackedThrough: 1, settled: 0, exceptions: Array(repeating: one, count: 10_020), leftOut: 5)
    let response = try ReportExposuresResponseMessage.decoded(bytes)
    #expect(response.exceptions.count == 10_000 && response.exceptionsLeftOut == 25)
  }
}
