import Core
import Testing
import Wire

@Suite struct StatusDetailsTests {
  private func header(_ failure: CallFailure) -> String? {
    StatusDetails.header(failure).map { String(decoding: $0, as: UTF8.self) }
  }

  /// As Google's own Python classes (googleapis-common-protos) write the same.
  @Test func areWhatGooglesClassesWrite() {
    #expect(
      header(
        CallFailure(.invalidArgument, "min_fidelity 9 is no Fidelity", field: "min_fidelity"))
        == "CAMSHW1pbl9maWRlbGl0eSA5IGlzIG5vIEZpZGVsaXR5GlwKKXR5cGUuZ29vZ2xlYXBpcy5jb20vZ29vZ2xlLn"
        + "JwYy5CYWRSZXF1ZXN0Ei8KLQoMbWluX2ZpZGVsaXR5Eh1taW5fZmlkZWxpdHkgOSBpcyBubyBGaWRlbGl0eQ")
    #expect(
      header(
        CallFailure(
          .resourceExhausted, "the scoring queue is full: retry later",
          retryPushbackMilliseconds: 1_250))
        == "CAgSJnRoZSBzY29yaW5nIHF1ZXVlIGlzIGZ1bGw6IHJldHJ5IGxhdGVyGjUKKHR5cGUuZ29vZ2xlYXBpcy5jb2"
        + "0vZ29vZ2xlLnJwYy5SZXRyeUluZm8SCQoHCAEQgOWadw")
    #expect(
      header(CallFailure(.resourceExhausted, "full", retryPushbackMilliseconds: 0))
        == "CAgSBGZ1bGwaLgoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxICCgA")
    #expect(
      header(
        CallFailure(
          .invalidArgument, "pröva €", field: "user_columns[0].name",
          retryPushbackMilliseconds: .max))
        == "CAMSCnByw7Z2YSDigqwaUQopdHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLkJhZFJlcXVlc3QSJAoiCh"
        + "R1c2VyX2NvbHVtbnNbMF0ubmFtZRIKcHLDtnZhIOKCrBo5Cih0eXBlLmdvb2dsZWFwaXMuY29tL2dvb2dsZS5y"
        + "cGMuUmV0cnlJbmZvEg0KCwibiYMBEMDfwbQC")
  }

  @Test func saysNothingWhereThereIsNothingToSay() {
    #expect(header(CallFailure(.notFound, "no such service")) == nil)
    let never = CallFailure(.resourceExhausted, "too large", retryPushbackMilliseconds: -1)
    #expect(header(never) == nil)
  }

  /// RFC 4648 §10.
  @Test func base64IsTheStandardOneWithoutPadding() {
    let vectors = [
      ("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"),
      ("fooba", "Zm9vYmE"), ("foobar", "Zm9vYmFy"),
    ]
    for (plain, text) in vectors {
      #expect(Base64.unpadded(Array(plain.utf8)) == Array(text.utf8), "\(plain)")
    }
    #expect(Base64.unpadded([0xFB, 0xEF, 0xBE, 0xFF, 0xFF]) == Array("++++//8".utf8))
    #expect(Base64.unpadded([UInt8](repeating: 0xFF, count: 600)).count == 800)
  }

  /// A sentence may quote a name of megabytes: what goes out stays within 8 KiB of headers.
  @Test func longSentencesAreCut() {
    for text in ["ø", "€", "🎧", "%", "a"] {
      for pad in 0..<4 {
        let long = String(repeating: "b", count: pad) + String(repeating: text, count: 50_000)
        let failure = CallFailure(
          .invalidArgument, long, field: long, retryPushbackMilliseconds: .max)
        let details = StatusDetails.header(failure) ?? []
        #expect(GRPCMessage.percentEncode(long).count + details.count < 6_000, "\(text)")
        // Field 2 of a google.rpc.Status, behind its code.
        let status = StatusDetails.encoded(failure) ?? []
        let length = Int(status[3] & 0x7F) | Int(status[4]) << 7
        let message = String(validating: status[5..<(5 + length)], as: UTF8.self)
        #expect(length <= 1_024 && length > 1_024 - 4, "\(text)")
        #expect(message?.hasSuffix(text + "...") == true, "\(text)")
      }
    }
  }
}
