/// `manifest.json`: what a snapshot is, what belongs to it, and how its models are fed.
///
/// Everything that the format shows is required, but `prior` of a model. Unknown keys are ignored;
/// a key that comes twice refuses the snapshot.
package struct Manifest: Sendable, Equatable {
  /// The format that this reader knows.
  package static let format = "crescendo-snapshot/1"

  /// Who made the snapshot.
  package struct Producer: Sendable, Equatable {
    package var name: String
    package var run: String
  }

  /// A file of the folder, as it must be.
  package struct File: Sendable, Equatable {
    package var bytes: Int
    /// 64 hexadecimal digits, lower case.
    package var sha256: String
  }

  /// `[A-Za-z0-9._-]{1,64}`, never reused.
  package var version: String
  /// RFC 3339, as written.
  package var created: String
  /// Until when events are in the signals; RFC 3339, as written.
  package var dataTime: String
  package var producer: Producer
  /// By path relative to the folder.
  package var files: [String: File]
  /// Columns that a request may bring, one value per candidate.
  package var requestColumns: [String]
  /// Levels by name; a value is the index of its level.
  package var categories: [String: [String]]
  package var models: [ModelDeclaration]
  /// The name of one of `models`.
  package var defaultModel: String

  package func model(named name: String) -> ModelDeclaration? {
    models.first { $0.name == name }
  }
}

/// A model of the manifest: its file, and where each of its features comes from.
package struct ModelDeclaration: Sendable, Equatable {
  /// Who wrote the file. A kind that is known here may still be one that the server cannot run.
  package enum Kind: String, Sendable, CaseIterable {
    case lightGBM = "lightgbm"
    case xgboost
    case linear
  }

  /// What a score is: the raw sum, or the objective's transform of it.
  package enum Output: String, Sendable, CaseIterable {
    case raw, probability
  }

  package var name: String
  package var kind: Kind
  /// Path relative to the folder.
  package var file: String
  package var output: Output
  /// The item column that is the score at fidelity `prior`, in the units of `output`.
  package var prior: String?
  /// In the manifest's order; names are unique.
  package var features: [FeatureBinding]
}

package struct FeatureBinding: Sendable, Equatable {
  /// The feature's name in the model's own file.
  package var name: String
  package var source: FeatureSource

  package init(name: String, source: FeatureSource) {
    self.name = name
    self.source = source
  }
}
