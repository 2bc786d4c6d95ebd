import Campaigns
import Core
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
    do throws(UsageError) {
      self.init(
        name: path, text: try TextFile.read(path, limitBytes: Limits.campaignFileBytes),
        nowUnixMilliseconds: Clock.system.unixMilliseconds()
      ) { path throws(UsageError) in try TextFile.read(path) }
    } catch {
      throw CommandFailure(.usage, error.description)
    }
  }

  /// `readFile` is given paths of `items_file`s as seen from here.
  init(
    name: String, text: String, nowUnixMilliseconds: Int64,
    readFile: @escaping (String) throws(UsageError) -> String
  ) {
    self.name = name
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
