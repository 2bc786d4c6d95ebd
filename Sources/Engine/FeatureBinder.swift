internal import Core
internal import Models
internal import Signals

/// Resolves the sources of a model's features against the tables of its snapshot.
struct FeatureBinder {
  private let declaration: ModelDeclaration
  private let forest: Forest
  private let snapshot: Snapshot
  private(set) var fixed: [Blueprint.Placed<Blueprint.FixedFeature>] = []
  private(set) var candidate: [Blueprint.Placed<CandidateFeature>] = []
  private(set) var userVectors: [Blueprint.UserVector] = []
  private(set) var rowCount: Int

  private enum Operand {
    case fixed(FixedOperand)
    case candidate(CandidateOperand)
  }

  init(_ declaration: ModelDeclaration, _ forest: Forest, _ snapshot: Snapshot) {
    self.declaration = declaration
    self.forest = forest
    self.snapshot = snapshot
    rowCount = forest.featureNames.count
  }

  mutating func bindAll() throws(BlueprintError) {
    var sources: [String: FeatureSource] = [:]
    for binding in declaration.features { sources[binding.name] = binding.source }
    let known = Set(forest.featureNames)
    for binding in declaration.features where !known.contains(binding.name) {
      throw error(binding.name, "the model has no such feature")
    }
    for (index, name) in forest.featureNames.enumerated() {
      guard let source = sources[name] else {
        throw error(name, "the manifest binds it to nothing")
      }
      try bind(index, name, source)
    }
    try checkCategories(sources)
  }

  private func error(_ feature: String, _ reason: String) -> BlueprintError {
    BlueprintError(
      file: Manifest.fileName, model: declaration.name, feature: feature, reason: reason)
  }

  private mutating func bind(_ index: Int, _ name: String, _ source: FeatureSource)
    throws(BlueprintError)
  {
    switch source {
    case .dot(let userName, let itemName):
      guard let item = snapshot.items.embedding(named: itemName) else {
        throw error(name, "the items have no vectors called \(itemName)")
      }
      guard let users = snapshot.users else {
        // Without users everybody's vector is zero.
        fixed.append(Blueprint.Placed(index: index, feature: .scalar(.constant(0))))
        return
      }
      guard let user = users.embedding(named: userName) else {
        throw error(name, "the users have no vectors called \(userName)")
      }
      guard user.type == item.type, user.dimension == item.dimension else {
        throw error(name, "the two vectors of a dot product differ in type or dimension")
      }
      candidate.append(
        Blueprint.Placed(
          index: index, feature: .dot(pair: userVectors.count, item: VectorReader(item))))
      userVectors.append(
        Blueprint.UserVector(
          reader: VectorReader(user), slot: snapshot.userSlot(named: userName) ?? -1))
    case .equal(let first, let second):
      let (first, second) = (try operand(name, first), try operand(name, second))
      if case .fixed(let first) = first, case .fixed(let second) = second {
        fixed.append(Blueprint.Placed(index: index, feature: .equal(first, second)))
      } else {
        let pair = CandidateFeature.equal(perCandidate(first), perCandidate(second))
        candidate.append(Blueprint.Placed(index: index, feature: pair))
      }
    default:
      switch try operand(name, source) {
      case .fixed(let operand):
        fixed.append(Blueprint.Placed(index: index, feature: .scalar(operand)))
      case .candidate(let operand):
        candidate.append(Blueprint.Placed(index: index, feature: .scalar(operand)))
      }
    }
  }

  /// A fixed number gets a place behind the features, where it is filled in once per request.
  private mutating func perCandidate(_ operand: Operand) -> CandidateOperand {
    switch operand {
    case .candidate(let operand): return operand
    case .fixed(let operand):
      fixed.append(Blueprint.Placed(index: rowCount, feature: .scalar(operand)))
      rowCount += 1
      return .fixed(place: rowCount - 1)
    }
  }

  private func operand(_ feature: String, _ source: FeatureSource) throws(BlueprintError)
    -> Operand
  {
    switch source {
    case .item(let name):
      guard let column = snapshot.items.column(named: name) else {
        throw error(feature, "the items have no column \(name)")
      }
      return .candidate(.item(column.values))
    case .user(let name):
      guard let users = snapshot.users else { return .fixed(.missing) }
      guard let column = users.column(named: name) else {
        throw error(feature, "the users have no column \(name)")
      }
      return .fixed(.user(column.values, slot: snapshot.userSlot(named: name) ?? -1))
    case .request(let name):
      guard let index = snapshot.manifest.requestColumns.firstIndex(of: name) else {
        throw error(feature, "request_columns does not declare \(name)")
      }
      return .candidate(.request(index))
    case .context(let field):
      return .fixed(.context(field.index))
    case .constant(let value):
      return .fixed(.constant(value))
    case .dot, .equal:
      throw error(feature, "a pair within equal() is not supported")
    }
  }

  /// A model of a pandas frame was trained on codes of its categories: they must be the codes
  /// that the snapshot gives.
  private func checkCategories(_ sources: [String: FeatureSource]) throws(BlueprintError) {
    for levels in forest.categoricalLevels {
      let name = forest.featureNames[levels.feature]
      let column: String
      switch sources[name] {
      case .item(let name), .user(let name), .request(let name): column = name
      case .context(let field) where field.isCategory: column = field.rawValue
      default: throw error(name, "a pandas category bound to a source without categories")
      }
      guard let categories = snapshot.manifest.categories[column] else {
        throw error(name, "the manifest's categories have no \(column)")
      }
      guard categories == levels.levels else {
        throw error(name, "the categories of \(column) differ from the levels it was trained on")
      }
    }
  }
}

extension ContextField {
  /// Its place among the cases.
  var index: Int {
    switch self {
    case .market: 0
    case .surface: 1
    case .tier: 2
    case .hour: 3
    case .weekday: 4
    }
  }
}

extension Snapshot {
  /// A number for each column and each matrix of the users, columns first: what a request's
  /// overrides are found by.
  func userSlot(named name: String) -> Int? {
    guard let users else { return nil }
    if let index = users.columns.firstIndex(where: { $0.name == name }) { return index }
    if let index = users.embeddings.firstIndex(where: { $0.name == name }) {
      return users.columns.count + index
    }
    return nil
  }
}
