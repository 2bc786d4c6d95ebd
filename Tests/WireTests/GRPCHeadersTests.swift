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
      "application/grpc+proto;x", "Application/GRPC+Proto",
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
    for type in ["application/x-crescendo-session", "Application/X-Crescendo-SESSION;v=1"] {
      #expect(with(type, GRPCContentType.isSession), "\(type)")
    }
    for type in ["application/x-crescendo-sessions", "application/x\u{0D}crescendo-session"] {
      #expect(!with(type, GRPCContentType.isSession), "\(type)")
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

  @Test func readsCodings() {
    let good: [(String, MessageEncoding)] = [
      ("identity", .identity), ("gzip", .gzip), (" gzip", .gzip), ("gzip\t ", .gzip),
      ("GZip", .gzip), ("Identity", .identity),
    ]
    for (text, coding) in good {
      #expect(with(text, MessageEncoding.init) == coding, "\(text)")
    }
    for text in [
      "", " ", "deflate", "snappy", "gzip,identity", "gzi", "gzipp", "g zip", "\u{7}zip",
    ] {
      #expect(with(text, MessageEncoding.init) == nil, "\(text)")
    }
    for coding in MessageEncoding.allCases {
      #expect(with("\(coding.name)", MessageEncoding.init) == coding)
      #expect(with("\(MessageEncoding.acceptedByUs)", coding.isAccepted))
    }
  }

  @Test func readsListsOfCodings() {
    for text in [
      "gzip", "identity,gzip", "identity, deflate, gzip", "gzip ,x", ",,gzip,", " \tGZIP\t ",
      "x-gzip,gzip",
    ] {
      #expect(with(text, MessageEncoding.gzip.isAccepted), "\(text)")
    }
    for text in ["", ",", " , ", "identity", "deflate", "x-gzip", "gzip;q=1", "g,zip", "gzip x"] {
      #expect(!with(text, MessageEncoding.gzip.isAccepted), "\(text)")
      #expect(with(text, MessageEncoding.identity.isAccepted), "\(text)")
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
