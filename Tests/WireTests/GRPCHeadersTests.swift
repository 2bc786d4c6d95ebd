import Core
import Testing
import Wire

@Suite struct GRPCHeadersTests {
  private func with<R>(_ text: String, _ body: (ByteSlice) -> R) -> R {
    Array(text.utf8).withUnsafeBytes { body(ByteSlice($0)) }
  }

  @Test func knowsItsContentTypes() {
    for type in [
      "application/grpc", "application/grpc+proto", "application/grpc;charset=x",
      "application/grpc+proto;x",
    ] {
      #expect(with(type, GRPCContentType.isGRPC), "\(type)")
    }
    for type in [
      "", "application/grp", "application/grpcx", "application/grpc-web",
      "application/grpc-web+proto", "application/grpc+json", "application/grpc+protox",
      "application/json",
    ] {
      #expect(!with(type, GRPCContentType.isGRPC), "\(type)")
    }
  }

  @Test func readsTimeouts() {
    let good: [(String, UInt64)] = [
      ("1n", 1), ("0S", 0), ("20m", 20_000_000), ("5u", 5_000), ("3S", 3_000_000_000),
      ("2M", 120_000_000_000), ("1H", 3_600_000_000_000), ("99999999H", UInt64(Int64.max)),
    ]
    for (text, nanoseconds) in good {
      #expect(with(text, GRPCTimeout.parse) == nanoseconds, "\(text)")
    }
    for text in ["", "1", "S", "123456789S", "-1S", "1X", "1 S", "+1S", "1.5S", "１S"] {
      #expect(with(text, GRPCTimeout.parse) == nil, "\(text)")
    }
  }

  @Test func encodesMessages() {
    #expect(GRPCMessage.percentEncode("plain ~!") == Array("plain ~!".utf8))
    #expect(GRPCMessage.percentEncode("50% ø\n") == Array("50%25 %C3%B8%0A".utf8))
  }

  @Test func statusTextIsItsNumber() {
    for code in StatusCode.allCases {
      #expect("\(GRPCStatus.text(code))" == "\(code.rawValue)")
    }
  }
}
