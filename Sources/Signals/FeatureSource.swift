/// Where the value of one feature comes from; its text form is that of `from` in the manifest.
package indirect enum FeatureSource: Sendable, Equatable, CustomStringConvertible {
  /// A column of the candidate, by name.
  case item(String)
  /// A column of the user.
  case user(String)
  /// A column that the request brings, one value per candidate.
  case request(String)
  case context(ContextField)
  /// The dot product of two embeddings.
  case dot(user: String, item: String)
  /// 1 when both values are equal, 0 when not, missing when either is.
  case equal(FeatureSource, FeatureSource)
  /// The same finite value always.
  case constant(Double)

  package var description: String {
    switch self {
    case .item(let name): "item.\(name)"
    case .user(let name): "user.\(name)"
    case .request(let name): "request.\(name)"
    case .context(let field): "context.\(field.rawValue)"
    case .dot(let user, let item): "dot(user.\(user), item.\(item))"
    case .equal(let first, let second): "equal(\(first), \(second))"
    case .constant(let value): "constant(\(value))"
    }
  }
}

/// What of a request's context a feature can use.
package enum ContextField: String, Sendable, CaseIterable {
  case market, surface, tier
  /// 0–23, in the request's local time.
  case hour
  /// 0–6, Monday is 0, in the request's local time.
  case weekday

  /// Whether the value is an index in the manifest's `categories` of the same name.
  package var isCategory: Bool {
    switch self {
    case .market, .surface, .tier: true
    case .hour, .weekday: false
    }
  }
}
