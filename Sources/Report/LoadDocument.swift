internal import Core
internal import FoundationEssentials

/// Why a file is not what it is taken for.
package struct ReportError: Error, Sendable, Equatable, CustomStringConvertible {
  package var description: String

  package init(_ description: String) {
    self.description = description
  }
}

/// What `crescendo load --output json` has written: one run, or those of a sweep by rising rates.
package struct LoadDocument: Sendable, Equatable {
  /// What people call it: a file's name.
  package var name: String
  /// Not empty.
  package var runs: [RunRecord]
  package var isSweep: Bool
  /// Calls a second at which all objectives were just met; nil = it was not looked for.
  package var capacity: Double?

  /// Reads the text of `name`.
  package init(name: String, json: String) throws(ReportError) {
    let file: File
    do {
      file = try JSONDecoder().decode(File.self, from: Data(json.utf8))
    } catch let error as DecodingError {
      throw ReportError("\(name) is no report of crescendo load: \(LoadDocument.reason(error))")
    } catch {
      throw ReportError("\(name) is no report of crescendo load: \(error)")
    }
    guard !file.runs.isEmpty else {
      throw ReportError("\(name) is a sweep without a run")
    }
    self.name = name
    runs = file.isSweep ? file.runs.sorted { $0.rate < $1.rate } : file.runs
    isSweep = file.isSweep
    capacity = file.capacity
  }

  private struct File: Decodable {
    var runs: [RunRecord]
    var isSweep: Bool
    var capacity: Double?

    init(from decoder: any Decoder) throws {
      let fields = try JSONFields(decoder)
      isSweep = fields.has("sweep")
      capacity = try fields.object("capacity")?.optionalNumber("rps")
      runs =
        isSweep
        ? try fields.list(RunRecord.self, "sweep", atMost: Limits.sweepRates)
        : [try RunRecord(from: decoder)]
    }
  }

  private static func reason(_ error: DecodingError) -> String {
    func field(_ path: [any CodingKey]) -> String {
      path.map { $0.intValue.map { "[\($0)]" } ?? ".\($0.stringValue)" }.joined()
        .drop { $0 == "." }.prefix(200).description
    }
    switch error {
    case .keyNotFound(let key, let context):
      return "\(field(context.codingPath + [key])) is missing"
    case .typeMismatch(_, let context):
      return context.codingPath.isEmpty
        ? "it is no JSON object" : "\(field(context.codingPath)) is of another type"
    case .valueNotFound(_, let context):
      return "\(field(context.codingPath)) is null"
    case .dataCorrupted(let context):
      return context.codingPath.isEmpty
        ? "it is not JSON" : "\(field(context.codingPath)) \(context.debugDescription)"
    @unknown default:
      return "it cannot be read"
    }
  }
}
