import Core
import HTTP2
import Syscalls
import Testing

/// Calls that fail, each alone.
@Suite struct FailureTests {
  private func expect(
    _ exchange: Exchange, _ status: StatusCode, pushback: String? = nil, _ comment: Comment = ""
  ) {
    let block = exchange.trailersOnly
    #expect(block?[":status"] == "200", comment)
    #expect(block?["content-type"] == "application/grpc", comment)
    #expect(block?["grpc-status"] == "\(status.rawValue)", comment)
    #expect(block?["grpc-message"]?.isEmpty == false, comment)
    #expect(block?["grpc-retry-pushback-ms"] == pushback, comment)
  }

  private func asked(_ code: StatusCode, _ text: String, pushback: Int32 = 0) -> [UInt8] {
    [UInt8(code.rawValue)] + withUnsafeBytes(of: pushback.littleEndian) { Array($0) }
      + Array(text.utf8)
  }

  @Test func statusMessageAndPushback() throws {
    try withServer { server in
      let client = try RawClient(server)
      for code in StatusCode.allCases where code != .ok {
        let exchange = try client.call("Fail", asked(code, "no \u{1}: 100 % ä\n~", pushback: -1))
        expect(exchange, code, pushback: "-1")
        #expect(exchange.trailersOnly?["grpc-message"] == "no %01: 100 %25 %C3%A4%0A~")
        #expect(exchange.trailersOnly?.count == 5)
        expect(try client.call("Fail", asked(code, "x", pushback: 1_234)), code, pushback: "1234")
        expect(try client.call("Fail", asked(code, "x")), code)
      }
    }
  }

  /// What a client sent comes back in many messages: however long it is, the status arrives.
  @Test(arguments: [1_000, 5_000, 20_000, 100_000, 3_000_000]) func longMessages(_ count: Int)
    throws
  {
    try withServer { server in
      let client = try RawClient(server)
      for text in [String(repeating: "x", count: count), String(repeating: "ä", count: count / 2)] {
        let exchange = try client.call("Fail", asked(.invalidArgument, text))
        expect(exchange, .invalidArgument, "\(count) of \(text.first ?? " ")")
        let message = exchange.trailersOnly?["grpc-message"] ?? ""
        #expect(message.utf8.count <= Limits.serving.headerListBytes / 2)
        #expect(message.hasPrefix(text.first == "x" ? "xxx" : "%C3%A4%C3%A4"))
      }
      #expect(try client.call("Echo", [1]).message == [1])
    }
  }

  @Test func requestsThatAreNotGRPC() throws {
    try withServer { server in
      let client = try RawClient(server)
      func answer(_ change: (inout [(String, String)]) -> Void) throws -> [String: String]? {
        var headers = RawClient.headers("Echo")
        change(&headers)
        let exchange = try client.start(headers, frames: [framed([1])])
        try client.finish([exchange])
        return exchange.trailersOnly
      }
      for method in ["GET", "HEAD", "PUT", "post"] {
        let block = try answer { $0[0].1 = method }
        #expect(block == [":status": "405", "allow": "POST"], "\(method)")
      }
      let accepted = "application/grpc, application/x-crescendo-session"
      for type in ["", "application/json", "application/grpcx", "application/grpc-web", "text/x"] {
        let block = try answer { $0[5].1 = type }
        #expect(block == [":status": "415", "accept-post": accepted], "\(type)")
      }
      #expect(try answer { $0.remove(at: 5) }?[":status"] == "415")
      #expect(try client.state().handled == 1)
    }
  }

  @Test func headersThatAreRefused() throws {
    try withServer { server in
      let client = try RawClient(server)
      func exchange(_ path: String, _ more: [(String, String)]) throws -> Exchange {
        try client.call(path, [1], more: more)
      }
      for timeout in ["1", "S", "123456789S", "-1S", "1X", "", "1.5S", "1 S", "٣S"] {
        expect(try exchange("Echo", [("grpc-timeout", timeout)]), .internalError, "\(timeout)")
      }
      for path in ["echo", "Echo/", "", "Echo?", "\u{c3}"] {
        expect(try exchange(path, []), .unimplemented, "\(path)")
      }
      let coded = try exchange("Echo", [("grpc-encoding", "snappy")])
      expect(coded, .unimplemented)
      #expect(coded.trailersOnly?["grpc-accept-encoding"] == "identity,gzip")
      let long = String(repeating: "v", count: 9_000)
      expect(try exchange("Echo", [("x-long", long)]), .resourceExhausted, pushback: "-1")
      let many = (0..<120).map { ("x-\($0)", "v") }
      expect(try exchange("Echo", many), .resourceExhausted, pushback: "-1")
      let flood = Array(repeating: ("x", "y"), count: 2_000)
      #expect(try exchange("Echo", flood).closeCode == HTTP2ErrorCode.internalError)
      // Over 64 KiB nghttp2 sends none of it, and the stream ends here.
      let unsent = (0..<40).map { ("x-\($0)", String(repeating: "f", count: 4_000)) }
      let code = try exchange("Echo", unsent).closeCode
      #expect(code == HTTP2ErrorCode.refusedStream)
      // The connection has taken no harm.
      #expect(try exchange("Echo", [("x-last", "v")]).message == [1])
      #expect(try client.state().streams == 1)
    }
  }

  @Test func bodiesThatAreNotOneMessage() throws {
    try withServer { server in
      let client = try RawClient(server)
      func exchange(_ body: [UInt8]) throws -> Exchange {
        let exchange = try client.start(
          RawClient.headers("Echo"), frames: body.isEmpty ? [] : [body])
        try client.finish([exchange])
        return exchange
      }
      expect(try exchange([]), .unimplemented, "no message")
      expect(try exchange(framed([1]) + framed([2])), .unimplemented, "two messages")
      expect(try exchange(framed([1]) + [0]), .unimplemented, "a byte too many")
      expect(try exchange(framed([]) + [0]), .unimplemented, "a byte after an empty message")
      expect(try exchange(framed([1], flag: 1)), .internalError, "compressed")
      for flag: UInt8 in [2, 0x80, 0xFF] {
        expect(try exchange(framed([1], flag: flag)), .internalError, "flag \(flag)")
      }
      for count in 1...5 {
        expect(
          try exchange(Array(framed([1])[..<count])), .internalError, "\(count) bytes of six")
      }
      for length in [Limits.serving.messageBytes + 1, Int(UInt32.max)] {
        expect(
          try exchange(framed([1], length: length)), .resourceExhausted, pushback: "-1",
          "\(length) bytes")
      }
      let longest = TestLoop.pattern(Limits.serving.messageBytes)
      let whole = try client.call("Count", longest)
      #expect(whole.message.map(TestLoop.number) == Limits.serving.messageBytes)
      #expect(try client.state().bufferedBytes == 0)
    }
  }

  /// A client that goes on sending what nobody wants uses up no window that others need.
  @Test func refusedUploadsCostNoWindow() throws {
    try withServer { server in
      let client = try RawClient(server)
      let upload = framed(TestLoop.pattern(200_000))
      for round in 0..<60 {
        let exchange = try client.start(
          RawClient.headers(round % 2 == 0 ? "Nothing" : "Echo"),
          frames: [round % 2 == 0 ? upload : framed(TestLoop.pattern(200_000), flag: 7)])
        // All of it at once, before the refusal is read.
        try client.flush()
        try client.finish([exchange])
        #expect(exchange.trailersOnly?["grpc-status"] == (round % 2 == 0 ? "12" : "13"))
      }
      let whole = try client.call("Count", TestLoop.pattern(4_000_000))
      #expect(whole.message.map(TestLoop.number) == 4_000_000)
    }
  }
}
