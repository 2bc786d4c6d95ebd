internal import Core
internal import Models
package import Signals

/// A snapshot ready to be served: every model of it parsed and bound. Immutable; nothing of it is
/// half there.
// Unchecked: everything is written before `init` returns and only read afterwards; the name
// tables point into memory that lives as long as this object.
package final class Serving: @unchecked Sendable {
  package let snapshot: Snapshot
  /// In the manifest's order.
  package let blueprints: [Blueprint]
  package let defaultBlueprint: Blueprint

  let modelNames: NameTable
  let requestColumns: NameTable
  /// Columns of the users, then their vectors: `Snapshot.userSlot`.
  let userNames: NameTable
  /// By `ContextField`: market, surface, tier.
  let categories: InlineArray<3, NameTable>

  /// Binds every model of the manifest, or says why one cannot be served.
  package init(_ snapshot: Snapshot) throws(BlueprintError) {
    self.snapshot = snapshot
    var blueprints: [Blueprint] = []
    for (index, declaration) in snapshot.manifest.models.enumerated() {
      blueprints.append(try Serving.blueprint(declaration, index, snapshot))
    }
    let manifest = snapshot.manifest
    guard
      let index = blueprints.firstIndex(where: { $0.declaration.name == manifest.defaultModel })
    else {
      throw BlueprintError(
        file: Manifest.fileName, model: manifest.defaultModel, feature: "",
        reason: "the default model is not declared")
    }
    self.blueprints = blueprints
    defaultBlueprint = blueprints[index]
    modelNames = NameTable(blueprints.map(\.declaration.name))
    requestColumns = NameTable(manifest.requestColumns)
    userNames = NameTable(
      snapshot.users.map { $0.columns.map(\.name) + $0.embeddings.map(\.name) } ?? [])
    categories = [
      NameTable(manifest.categories["market"] ?? []),
      NameTable(manifest.categories["surface"] ?? []),
      NameTable(manifest.categories["tier"] ?? []),
    ]
  }

  private static func blueprint(_ declaration: ModelDeclaration, _ index: Int, _ snapshot: Snapshot)
    throws(BlueprintError) -> Blueprint
  {
    guard declaration.kind == .lightGBM else {
      throw BlueprintError(
        file: Manifest.fileName, model: declaration.name, feature: "",
        reason: "kind \(declaration.kind.rawValue) is not supported yet; lightgbm is")
    }
    guard let file = snapshot.modelFiles[declaration.name] else {
      throw BlueprintError(
        file: declaration.file, model: declaration.name, feature: "", reason: "was not loaded")
    }
    let forest: Forest
    do throws(ModelError) {
      forest = try file.bytes.withBytes { (bytes) throws(ModelError) in try LightGBM.parse(bytes) }
    } catch {
      throw BlueprintError(
        file: declaration.file, model: declaration.name, feature: "", reason: "\(error)")
    }
    return try Blueprint(
      declaration, index: index, forest: forest, sha256: file.sha256, snapshot: snapshot)
  }
}
