import Core
import Engine
import Models
import Signals

/// What `snapshot inspect` shows.
struct SnapshotReport {
  private let serving: Serving
  private var manifest: Manifest { serving.snapshot.manifest }

  init(_ serving: Serving) {
    self.serving = serving
  }

  private var tables: [(name: String, table: SignalTable)] {
    let items = [(name: "items", table: serving.snapshot.items)]
    return items + (serving.snapshot.users.map { [(name: "users", table: $0)] } ?? [])
  }

  // MARK: For people

  func table() -> String {
    var lines = [
      "snapshot    \(manifest.version)",
      "created     \(printable(manifest.created)), data of \(printable(manifest.dataTime))",
      "producer    \(printable(manifest.producer.name)), run \(printable(manifest.producer.run))",
    ]
    for (name, table) in tables {
      lines.append("\(padded(name))\(table.rowCount) rows\(table.hasURIs ? ", with URIs" : "")")
      let columns = table.columns.map { "\(printable($0.name)) \($0.type.rawValue)" }
      let vectors = table.embeddings.map {
        "\(printable($0.name)) \($0.type.rawValue)[\($0.dimension)]"
      }
      lines += wrapped(columns + vectors)
    }
    if !manifest.requestColumns.isEmpty {
      lines.append(padded("request") + "columns that a request may send for its candidates")
      lines += wrapped(manifest.requestColumns.map(printable))
    }
    for (name, values) in manifest.categories.sorted(by: { $0.key < $1.key }) {
      lines.append("category    \(printable(name)): \(values.count) values")
    }
    for blueprint in serving.blueprints { lines += modelLines(blueprint) }
    return lines.joined(separator: "\n")
  }

  private func modelLines(_ blueprint: Blueprint) -> [String] {
    let (model, forest) = (blueprint.declaration, blueprint.forest)
    let statistics = forest.statistics
    let isDefault = model.name == manifest.defaultModel
    var lines = [
      "model       \(printable(model.name))\(isDefault ? " (default)" : ""): "
        + "\(model.kind.rawValue), \(printable(forest.objective)), output \(model.output.rawValue)",
      "            \(forest.treeCount) trees, \(statistics.leaves) leaves, at most "
        + "\(statistics.largestTreeLeaves) in a tree, depth \(statistics.depth), "
        + "\(statistics.categoricalSplits) categorical splits; evaluated by the walker",
      "            sha256 \(blueprint.modelSHA256)",
    ]
    let sources = Dictionary(
      model.features.map { ($0.name, $0.source) }, uniquingKeysWith: { first, _ in first })
    for (index, name) in forest.featureNames.enumerated() {
      let source = sources[name].map { "\($0)" } ?? ""
      lines.append(
        "            \(printable(name)) = \(printable(source)), "
          + "\(statistics.splitsByFeature[index]) splits")
    }
    return lines
  }

  private func padded(_ name: String) -> String {
    name + String(repeating: " ", count: max(12 - name.count, 1))
  }

  private func wrapped(_ words: [String]) -> [String] {
    let indent = String(repeating: " ", count: 12)
    var lines: [String] = []
    var line = ""
    for word in words {
      if !line.isEmpty, line.count + word.count + 2 > 76 {
        lines.append(indent + line + ",")
        line = ""
      }
      line += line.isEmpty ? word : ", " + word
    }
    return line.isEmpty ? lines : lines + [indent + line]
  }

  // MARK: For programs

  func json() -> String {
    JSONText.object([
      ("snapshot", JSONText.string(manifest.version)),
      ("created", JSONText.string(manifest.created)),
      ("data_time", JSONText.string(manifest.dataTime)),
      (
        "tables",
        JSONText.array(tables.map { SnapshotReport.json(name: $0.name, $0.table) })
      ),
      ("request_columns", JSONText.array(manifest.requestColumns.map(JSONText.string))),
      (
        "categories",
        JSONText.object(
          manifest.categories.sorted { $0.key < $1.key }
            .map { ($0.key, JSONText.array($0.value.map(JSONText.string))) })
      ),
      ("default_model", JSONText.string(manifest.defaultModel)),
      ("models", JSONText.array(serving.blueprints.map(SnapshotReport.json))),
    ])
  }

  private static func json(name: String, _ table: SignalTable) -> String {
    JSONText.object([
      ("name", JSONText.string(name)), ("rows", "\(table.rowCount)"),
      ("uris", "\(table.hasURIs)"),
      (
        "columns",
        JSONText.array(
          table.columns.map {
            JSONText.object([
              ("name", JSONText.string($0.name)), ("type", JSONText.string($0.type.rawValue)),
            ])
          })
      ),
      (
        "vectors",
        JSONText.array(
          table.embeddings.map {
            JSONText.object([
              ("name", JSONText.string($0.name)), ("type", JSONText.string($0.type.rawValue)),
              ("dimension", "\($0.dimension)"),
            ])
          })
      ),
    ])
  }

  private static func json(_ blueprint: Blueprint) -> String {
    let (model, forest) = (blueprint.declaration, blueprint.forest)
    let statistics = forest.statistics
    return JSONText.object([
      ("name", JSONText.string(model.name)), ("kind", JSONText.string(model.kind.rawValue)),
      ("file", JSONText.string(model.file)), ("sha256", JSONText.string(blueprint.modelSHA256)),
      ("objective", JSONText.string(forest.objective)),
      ("output", JSONText.string(model.output.rawValue)),
      ("evaluation", JSONText.string("walker")), ("trees", "\(forest.treeCount)"),
      ("leaves", "\(statistics.leaves)"),
      ("leaves_max", "\(statistics.largestTreeLeaves)"), ("depth", "\(statistics.depth)"),
      ("categorical_splits", "\(statistics.categoricalSplits)"),
      ("mean_raw", JSONText.number(forest.meanRaw)),
      (
        "features",
        JSONText.array(
          model.features.map {
            JSONText.object([
              ("name", JSONText.string($0.name)), ("from", JSONText.string("\($0.source)")),
            ])
          })
      ),
    ])
  }
}
