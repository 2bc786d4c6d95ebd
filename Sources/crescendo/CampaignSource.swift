import Campaigns
import Core
import Glibc
import Syscalls
import Wire

/// A campaign file: checked here as far as that goes without a server, and as it goes to one.
struct CampaignSource {
  /// What faults name.
  let name: String
  /// What the server reads: the file itself, or, when items stand in other files, the same
  /// campaigns with their items in place.
  private(set) var document = ""
  /// Not empty: nothing is to be sent.
  private(set) var faults: [CampaignFaultMessage] = []
  private(set) var faultsLeftOut: UInt32 = 0
  /// Of the file's campaigns, where the document is not the file.
  private var places: [CampaignDocument.Place]?

  init(_ path: String) throws(CommandFailure) {
    let bytes: [UInt8]
    do throws(UsageError) {
      // One more than is taken: the parser says what is too long.
      bytes = try TextFile.bytes(path, atMost: Limits.campaignFileBytes + 1)
    } catch {
      throw CommandFailure(.usage, error.description)
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      self.init(name: path, fault: CampaignSource.notUTF8(bytes))
      return
    }
    self.init(name: path, text: text, nowUnixMilliseconds: Clock.system.unixMilliseconds()) {
      path throws(UsageError) in try TextFile.read(path)
    }
  }

  private init(name: String, fault: CampaignFaultMessage) {
    self.name = name
    faults = [fault]
  }

  /// The line is the first that is not UTF-8 by itself: a line end is never within a character.
  static func notUTF8(_ bytes: [UInt8]) -> CampaignFaultMessage {
    let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    let bad = lines.firstIndex { String(validating: $0, as: UTF8.self) == nil } ?? 0
    return CampaignFaultMessage(
      line: UInt32(clamping: bad + 1), field: "", reason: "it is not UTF-8")
  }

  /// `readFile` is given paths of `items_file`s as seen from here.
  init(
    name: String, text: String, nowUnixMilliseconds: Int64,
    readFile: @escaping (String) throws(UsageError) -> String
  ) {
    self.name = name
    if CampaignSource.goesUnread(text) {
      document = text
      return
    }
    var hasItemFiles = false
    let folder = name.lastIndex(of: "/").map { String(name[...$0]) } ?? ""
    do throws(FileFaults) {
      let parsed = try CampaignFile.parse(
        text, catalog: .unknown, now: nowUnixMilliseconds
      ) { path throws(CampaignFile.ItemFileFailure) in
        hasItemFiles = true
        do throws(UsageError) {
          return try readFile(path.hasPrefix("/") ? path : folder + path)
        } catch {
          throw CampaignFile.ItemFileFailure(reason: error.description)
        }
      }
      guard hasItemFiles else {
        document = text
        return
      }
      document = CampaignFile.text(policy: parsed.policy, campaigns: parsed.campaigns)
      places = parsed.places
    } catch {
      faults = error.kept.map {
        CampaignFaultMessage(line: UInt32(clamping: $0.line), field: $0.field, reason: $0.reason)
      }
      faultsLeftOut = UInt32(clamping: error.leftOut)
    }
  }

  /// Longer than a server takes unless it is told to: it says so before it reads any of it, and
  /// reading it here would take many seconds. Where it takes it, faults are the server's to find.
  /// Not where items have to be put in place, nor what no server takes.
  static func goesUnread(
    _ text: String, from least: Int = ServingLimits().campaignMessageBytes
  ) -> Bool {
    guard (least...Limits.campaignFileBytes).contains(text.utf8.count) else { return false }
    var text = text
    return !text.withUTF8(CampaignSource.hasItemsFile)
  }

  private static func hasItemsFile(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
    let key = Array("items_file".utf8)
    guard let start = text.baseAddress else { return false }
    // From one underscore to the next: there are few.
    var next = 0
    while let found = memchr(start + next, Int32(key[5]), text.count - next) {
      let at = UnsafeRawPointer(found) - UnsafeRawPointer(start)
      if at >= 5, text[(at - 5)...].starts(with: key) { return true }
      next = at + 1
    }
    return false
  }

  /// The line of the file that a fault is about; 0 = none is known. Of a document that is not the
  /// file, it is the line of the campaign, or of its id or budget.
  func line(of fault: CampaignFaultMessage) -> UInt32 {
    guard let places else { return fault.line }
    guard let match = fault.field.firstMatch(of: /^campaigns\[(\d+)\](?:\.(\w+))?/),
      let index = Int(match.1), places.indices.contains(index)
    else { return 0 }
    let place = places[index]
    switch match.2 {
    case "id"?: return UInt32(clamping: place.idLine)
    case "budget"?: return UInt32(clamping: place.budgetLine)
    default: return UInt32(clamping: place.line)
    }
  }
}
