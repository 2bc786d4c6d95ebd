/// Whether everything that the manifest's models refer to exists, and has the right shape.
struct BindingCheck {
  let manifest: Manifest
  let items: SignalTable
  let users: SignalTable?

  func run() throws(SnapshotError) {
    let requestColumns = Set(manifest.requestColumns)
    for (index, model) in manifest.models.enumerated() {
      let field = "models[\(index)]"
      if let prior = model.prior { try checkPrior(prior, field: field + ".prior") }
      for (number, feature) in model.features.enumerated() {
        try check(
          feature.source, requestColumns: requestColumns,
          field: "\(field).features[\(number)].from")
      }
    }
  }

  private func checkPrior(_ name: String, field: String) throws(SnapshotError) {
    let column = try column(name, of: items, "item", Snapshot.itemsFileName, field: field)
    guard column.type != .bool else {
      throw Manifest.fault(field, "item.\(clipped(name)) is BOOL, not a number")
    }
  }

  private func check(_ source: FeatureSource, requestColumns: Set<String>, field: String)
    throws(SnapshotError)
  {
    switch source {
    case .item(let name):
      _ = try column(name, of: items, "item", Snapshot.itemsFileName, field: field)
    case .user(let name):
      // Without users every signal of theirs is missing, whatever its name.
      guard let users else { return }
      _ = try column(name, of: users, "user", Snapshot.usersFileName, field: field)
    case .request(let name):
      guard requestColumns.contains(name) else {
        throw Manifest.fault(field, "\(clipped(name)) is not one of request_columns")
      }
    case .context(let context):
      guard !context.isCategory || manifest.categories[context.rawValue] != nil else {
        throw Manifest.fault(field, "categories has no \(context.rawValue)")
      }
    case .dot(let user, let item):
      try checkDot(user: user, item: item, field: field)
    case .equal(let first, let second):
      try check(first, requestColumns: requestColumns, field: field)
      try check(second, requestColumns: requestColumns, field: field)
    case .constant:
      break
    }
  }

  private func checkDot(user: String, item: String, field: String) throws(SnapshotError) {
    let itemVectors = try embedding(item, of: items, "item", Snapshot.itemsFileName, field: field)
    guard let users else { return }
    let userVectors = try embedding(user, of: users, "user", Snapshot.usersFileName, field: field)
    guard userVectors.type == itemVectors.type, userVectors.dimension == itemVectors.dimension
    else {
      throw Manifest.fault(
        field,
        "user.\(clipped(user)) is \(describe(userVectors)), "
          + "item.\(clipped(item)) \(describe(itemVectors)): they must be the same")
    }
  }

  private func column(
    _ name: String, of table: SignalTable, _ prefix: String, _ file: String, field: String
  ) throws(SnapshotError) -> Column {
    if let column = table.column(named: name) { return column }
    guard table.embedding(named: name) == nil else {
      throw Manifest.fault(field, "\(prefix).\(clipped(name)) is an embedding: use dot")
    }
    throw Manifest.fault(field, "\(file) has no column \(clipped(name))")
  }

  private func embedding(
    _ name: String, of table: SignalTable, _ prefix: String, _ file: String, field: String
  ) throws(SnapshotError) -> Embedding {
    if let embedding = table.embedding(named: name) { return embedding }
    guard table.column(named: name) == nil else {
      throw Manifest.fault(field, "\(prefix).\(clipped(name)) is a column, not an embedding")
    }
    throw Manifest.fault(field, "\(file) has no embedding \(clipped(name))")
  }

  private func describe(_ embedding: Embedding) -> String {
    "\(embedding.type.rawValue) of dimension \(embedding.dimension)"
  }
}
