import ArgumentParser
import Client
import Core
import Crypto
import Wire

struct AllocateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "allocate",
    abstract: "Have promoted items chosen for slots, and what they may cost reserved.",
    discussion: """
      The same --request-id from the same user gets the same answer until the reservations expire. \
      Tokens, in base64, go back with `crescendo report`.
      """)

  @OptionGroup var target: TargetOptions

  @OptionGroup var about: RequestOptions

  @Option(help: "How many slots there are, 1 to \(Limits.allocationSlots).")
  var slots: Int

  @Option(
    help: ArgumentHelp("32 hexadecimal digits. Else random ones.", valueName: "hex"),
    transform: AllocationID.init(parsing:))
  var requestId: AllocationID?

  @Option(help: "How the answer is shown.")
  var output = OutputFormat.table

  func run() throws {
    let items = try about.itemList(readFile: TextFile.read)
    let request = try request(for: items, id: requestId ?? AllocationID.random())
    let response = try target.call { channel, timeout throws(ClientError) in
      try channel.allocate(request, timeoutNanoseconds: timeout)
    }
    let report = AllocationReport(response, items: items, slots: slots)
    switch output {
    case .table: print(report.table(palette: .standardOutput))
    case .json: print(report.json)
    }
  }

  func request(for items: ItemList, id: AllocationID) throws(CommandFailure)
    -> AllocateRequestMessage
  {
    guard (1...Limits.allocationSlots).contains(slots) else {
      throw CommandFailure(.usage, "--slots is 1 to \(Limits.allocationSlots)")
    }
    var request = AllocateRequestMessage()
    request.requestID = id.bytes
    request.slots = UInt32(slots)
    request.request = try about.request(for: items)
    return request
  }
}

/// An allocation's name: as many bytes as the contract says.
struct AllocationID: Equatable {
  var bytes: [UInt8]

  init(bytes: [UInt8]) {
    self.bytes = bytes
  }

  init(parsing text: String) throws(UsageError) {
    let digits = Array(text.utf8)
    var bytes: [UInt8] = []
    for start in stride(from: 0, to: digits.count - 1, by: 2) {
      let pair = String(decoding: digits[start..<start + 2], as: UTF8.self)
      guard pair.utf8.first != UInt8(ascii: "+"), let byte = UInt8(pair, radix: 16) else { break }
      bytes.append(byte)
    }
    guard bytes.count == Limits.allocationIDBytes, digits.count == 2 * bytes.count else {
      throw UsageError("a request id is \(2 * Limits.allocationIDBytes) hexadecimal digits")
    }
    self.bytes = bytes
  }

  static func random() throws(CommandFailure) -> AllocationID {
    do throws(RandomBytesError) {
      let halves = [try RandomBytes.uint64(), try RandomBytes.uint64()]
      return AllocationID(
        bytes: halves.flatMap { half in (0..<8).map { UInt8(truncatingIfNeeded: half >> (8 * $0)) }
        })
    } catch {
      throw CommandFailure(.usage, error.description)
    }
  }

  static func text(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}
