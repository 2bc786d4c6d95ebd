internal import Core

private struct FormatDocument: Decodable {
  var format: String
}

private struct ManifestDocument: Decodable {
  struct Producer: Decodable {
    var name: String
    var run: String
  }

  struct File: Decodable {
    var bytes: WholeNumber
    var sha256: String
  }

  struct Model: Decodable {
    var name: String
    var kind: String
    var file: String
    var output: String
    var prior: String?
    var features: [Feature]
  }

  struct Feature: Decodable {
    var name: String
    var from: String
  }

  var version: String
  var created: String
  var data_time: String
  var producer: Producer
  var files: [String: File]
  var request_columns: [String]
  var categories: [String: [String]]
  var models: [Model]
  var default_model: String
}

extension Manifest {
  package static let fileName = "manifest.json"

  /// Parses and checks all that can be checked without the other files.
  init(parsing bytes: UnsafeRawBufferPointer) throws(SnapshotError) {
    // The format first: another one may well lack what this one requires.
    let format = try StrictJSON.decode(FormatDocument.self, from: bytes, file: Manifest.fileName)
    guard format.format == Manifest.format else {
      throw Manifest.fault(
        "format", "is \"\(clipped(format.format))\"; this reads \(Manifest.format)")
    }
    let document = try StrictJSON.decode(
      ManifestDocument.self, from: bytes, file: Manifest.fileName)
    version = try Manifest.checkedVersion(document.version)
    created = try Manifest.checkedTimestamp(document.created, "created")
    dataTime = try Manifest.checkedTimestamp(document.data_time, "data_time")
    producer = Producer(name: document.producer.name, run: document.producer.run)
    files = try Manifest.checkedFiles(document.files)
    requestColumns = document.request_columns
    try Manifest.checkNames(
      requestColumns, limit: Limits.requestColumns, field: "request_columns")
    categories = document.categories
    try Manifest.checkCategories(categories)
    models = try Manifest.checkedModels(document.models)
    defaultModel = document.default_model
    guard models.contains(where: { $0.name == document.default_model }) else {
      throw Manifest.fault(
        "default_model", "\"\(clipped(defaultModel))\" is not the name of one of the models")
    }
  }

  static func fault(_ field: String, _ reason: String) -> SnapshotError {
    SnapshotError(file: fileName, field: field, reason: reason)
  }

  private static func checkedVersion(_ version: String) throws(SnapshotError) -> String {
    let isAllowed = version.utf8.allSatisfy { isASCIIAlphanumeric($0) || "._-".utf8.contains($0) }
    guard isAllowed, (1...64).contains(version.utf8.count) else {
      throw fault("version", "\"\(clipped(version))\" does not match [A-Za-z0-9._-]{1,64}")
    }
    return version
  }

  private static func checkedTimestamp(_ text: String, _ field: String)
    throws(SnapshotError) -> String
  {
    guard isRFC3339(text) else {
      throw fault(field, "\"\(clipped(text))\" is not a time like 2026-11-23T08:00:00Z")
    }
    return text
  }

  private static func checkedFiles(_ listed: [String: ManifestDocument.File])
    throws(SnapshotError) -> [String: File]
  {
    guard listed.count <= Limits.snapshotFiles else {
      throw fault("files", "lists \(listed.count) files; at most \(Limits.snapshotFiles)")
    }
    var files: [String: File] = [:]
    for (path, file) in listed.sorted(by: { $0.key < $1.key }) {
      let field = "files.\(clipped(path))"
      if let reason = pathFault(path) { throw fault(field, reason) }
      guard file.bytes.value >= 0 else { throw fault(field + ".bytes", "is negative") }
      let digest = file.sha256.lowercased()
      guard digest.utf8.count == 64, digest.utf8.allSatisfy(isHexadecimal) else {
        throw fault(field + ".sha256", "is not 64 hexadecimal digits")
      }
      files[path] = File(bytes: file.bytes.value, sha256: digest)
    }
    return files
  }

  /// Names that are told apart: not empty, bounded, none twice.
  private static func checkNames(_ names: [String], limit: Int, field: String)
    throws(SnapshotError)
  {
    guard names.count <= limit else {
      throw fault(field, "has \(names.count) names; at most \(limit)")
    }
    for (index, name) in names.enumerated() {
      if let reason = nameFault(name) { throw fault("\(field)[\(index)]", reason) }
    }
    try checkDistinct(names, field: field)
  }

  private static func checkDistinct(_ names: [String], field: String) throws(SnapshotError) {
    var seen = Set<String>()
    for (index, name) in names.enumerated() where !seen.insert(name).inserted {
      throw fault("\(field)[\(index)]", "\"\(clipped(name))\" is there twice")
    }
  }

  private static func checkCategories(_ categories: [String: [String]]) throws(SnapshotError) {
    let names = categories.keys.sorted()
    try checkNames(names, limit: Limits.categories, field: "categories")
    let levelCount = categories.values.reduce(0) { $0 + $1.count }
    guard levelCount <= Limits.categoryLevels else {
      throw fault("categories", "has \(levelCount) levels; at most \(Limits.categoryLevels)")
    }
    for name in names {
      // A level may be empty: it is text of the data, not a name that something refers to.
      try checkDistinct(categories[name] ?? [], field: "categories.\(clipped(name))")
    }
  }

  private static func checkedModels(_ documents: [ManifestDocument.Model])
    throws(SnapshotError) -> [ModelDeclaration]
  {
    guard !documents.isEmpty else { throw fault("models", "is empty") }
    guard documents.count <= Limits.models else {
      throw fault("models", "has \(documents.count) models; at most \(Limits.models)")
    }
    var models: [ModelDeclaration] = []
    var seen = Set<String>()
    for (index, document) in documents.enumerated() {
      let model = try checkedModel(document, field: "models[\(index)]")
      guard seen.insert(model.name).inserted else {
        throw fault("models[\(index)].name", "\"\(clipped(model.name))\" is there twice")
      }
      models.append(model)
    }
    return models
  }

  private static func checkedModel(_ document: ManifestDocument.Model, field: String)
    throws(SnapshotError) -> ModelDeclaration
  {
    if let reason = nameFault(document.name) { throw fault(field + ".name", reason) }
    guard let kind = ModelDeclaration.Kind(rawValue: document.kind) else {
      throw fault(
        field + ".kind", "\"\(clipped(document.kind))\" is not lightgbm, xgboost or linear")
    }
    guard let output = ModelDeclaration.Output(rawValue: document.output) else {
      throw fault(field + ".output", "\"\(clipped(document.output))\" is not raw or probability")
    }
    if let reason = pathFault(document.file) { throw fault(field + ".file", reason) }
    var prior: String?
    if let text = document.prior {
      guard case .item(let column) = try checkedSource(text, field: field + ".prior") else {
        throw fault(field + ".prior", "\"\(clipped(text))\" is not item.COLUMN")
      }
      prior = column
    }
    return ModelDeclaration(
      name: document.name, kind: kind, file: document.file, output: output, prior: prior,
      features: try checkedFeatures(document.features, field: field + ".features"))
  }

  private static func checkedFeatures(_ documents: [ManifestDocument.Feature], field: String)
    throws(SnapshotError) -> [FeatureBinding]
  {
    guard documents.count <= Limits.features else {
      throw fault(field, "has \(documents.count) features; at most \(Limits.features)")
    }
    var features: [FeatureBinding] = []
    var seen = Set<String>()
    for (index, document) in documents.enumerated() {
      let place = "\(field)[\(index)]"
      if let reason = nameFault(document.name) { throw fault(place + ".name", reason) }
      guard seen.insert(document.name).inserted else {
        throw fault(place + ".name", "\"\(clipped(document.name))\" is there twice")
      }
      let source = try checkedSource(document.from, field: place + ".from")
      features.append(FeatureBinding(name: document.name, source: source))
    }
    return features
  }

  private static func checkedSource(_ text: String, field: String)
    throws(SnapshotError) -> FeatureSource
  {
    guard text.utf8.count <= 4 * Limits.nameBytes else {
      throw fault(field, "is longer than \(4 * Limits.nameBytes) bytes")
    }
    do {
      return try FeatureSource(parsing: text)
    } catch {
      throw fault(field, "byte \(error.offset) of \"\(clipped(text))\": \(error.reason)")
    }
  }
}
