internal import Core

extension SignalTable {
  /// Checks the tensors of a safetensors file and builds the indexes; `name` is for errors.
  static func load(_ file: FileBytes, name: String, indexSeed: UInt64)
    throws(SnapshotError) -> SignalTable
  {
    let tensors = try TensorFile(parsing: file.bytes, file: name).tensors
    let loader = TableLoader(file: name, tensors: tensors)
    let ids = try loader.ids()
    let (columns, embeddings) = try loader.signals(rowCount: ids.rowCount)
    return SignalTable(
      file: file, rowCount: ids.rowCount, ids: ids.base,
      idIndex: try loader.idIndex(ids.base, count: ids.rowCount, seed: indexSeed),
      uriIndex: try loader.uriIndex(rowCount: ids.rowCount, seed: indexSeed),
      columns: columns, embeddings: embeddings)
  }
}

/// One table while it is checked.
private struct TableLoader {
  let file: String
  let tensors: [String: Tensor]

  private func fault(_ tensor: String, _ reason: String) -> SnapshotError {
    SnapshotError(file: file, field: "tensor \(clipped(tensor))", reason: reason)
  }

  func ids() throws(SnapshotError) -> (base: UnsafeRawPointer, rowCount: Int) {
    guard let ids = tensors["id"] else { throw fault("id", "is missing") }
    guard ids.type == .u64, ids.shape.count == 1 else {
      throw fault("id", "is \(describe(ids)); it must be U64 [n]")
    }
    guard ids.shape[0] <= Limits.tableRows else {
      throw fault("id", "has \(ids.shape[0]) rows; at most \(Limits.tableRows)")
    }
    return (ids.base, ids.shape[0])
  }

  func idIndex(_ ids: UnsafeRawPointer, count: Int, seed: UInt64)
    throws(SnapshotError) -> IDIndex
  {
    do {
      return try IDIndex(ids: ids, count: count, seed: seed)
    } catch {
      switch error {
      case .zero(let row): throw fault("id", "row \(row) is 0, which means no id")
      case .duplicate(let id, let rows):
        throw fault("id", "rows \(rows.0) and \(rows.1) are both \(id)")
      case .collisions(let id): throw fault("id", "too many ids collide with \(id)")
      }
    }
  }

  func uriIndex(rowCount: Int, seed: UInt64) throws(SnapshotError) -> URIIndex? {
    guard let texts = tensors["uri"] else {
      guard tensors["uri.offsets"] == nil else {
        throw fault("uri", "is missing, but there is uri.offsets")
      }
      return nil
    }
    guard let offsets = tensors["uri.offsets"] else {
      throw fault("uri.offsets", "is missing, but there is uri")
    }
    guard texts.type == .u8, texts.shape.count == 1 else {
      throw fault("uri", "is \(describe(texts)); it must be U8 [bytes]")
    }
    guard offsets.type == .u64, offsets.shape == [rowCount + 1] else {
      throw fault("uri.offsets", "is \(describe(offsets)); it must be U64 [\(rowCount + 1)]")
    }
    try checkURIs(texts, offsets, rowCount: rowCount)
    do {
      return try URIIndex(
        texts: texts.bytes, offsets: offsets.base, count: rowCount, seed: seed)
    } catch {
      switch error {
      case .duplicate(let rows):
        throw fault("uri", "rows \(rows.0) and \(rows.1) have the same URI")
      case .collisions(let row):
        throw fault("uri", "too many URIs collide with that of row \(row)")
      }
    }
  }

  private func checkURIs(_ texts: Tensor, _ offsets: Tensor, rowCount: Int)
    throws(SnapshotError)
  {
    func offset(_ index: Int) -> UInt64 {
      UInt64(littleEndian: offsets.bytes.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self))
    }
    guard offset(0) == 0 else { throw fault("uri.offsets", "starts at \(offset(0)), not 0") }
    guard offset(rowCount) == UInt64(texts.bytes.count) else {
      throw fault(
        "uri.offsets", "ends at \(offset(rowCount)), but uri has \(texts.bytes.count) bytes")
    }
    for row in 0..<rowCount {
      let (begin, end) = (offset(row), offset(row + 1))
      guard begin < end else {
        throw fault(
          "uri.offsets",
          begin == end ? "row \(row) has an empty URI" : "falls after row \(row), to \(end)")
      }
      guard end <= UInt64(texts.bytes.count) else {
        throw fault("uri.offsets", "row \(row) ends at \(end), after the end of uri")
      }
      let text = UnsafeRawBufferPointer(rebasing: texts.bytes[Int(begin)..<Int(end)])
      guard invalidUTF8Offset(in: text) == nil else {
        throw fault("uri", "row \(row) is not UTF-8")
      }
    }
  }

  func signals(rowCount: Int) throws(SnapshotError) -> ([Column], [Embedding]) {
    var columns: [Column] = []
    var embeddings: [Embedding] = []
    // The scales of I8 embeddings are no signals themselves.
    var scaleNames = Set<String>()
    for tensor in tensors.values where tensor.type == .i8 && tensor.shape.count == 2 {
      scaleNames.insert(tensor.name + ".scale")
    }
    for (name, tensor) in tensors.sorted(by: { $0.key < $1.key })
    where !["id", "uri", "uri.offsets"].contains(name) && !scaleNames.contains(name) {
      guard tensor.shape.first == rowCount else {
        throw fault(name, "is \(describe(tensor)); the table has \(rowCount) rows")
      }
      switch tensor.shape.count {
      case 1: columns.append(try column(tensor, rowCount: rowCount))
      case 2: embeddings.append(try embedding(tensor, rowCount: rowCount))
      default:
        throw fault(name, "is \(describe(tensor)); it must have one or two dimensions")
      }
    }
    return (columns, embeddings)
  }

  private func column(_ tensor: Tensor, rowCount: Int) throws(SnapshotError) -> Column {
    let values = ColumnValues(type: tensor.type, base: tensor.base, rowCount: rowCount)
    switch tensor.type {
    case .u64:
      throw fault(tensor.name, "is U64, which only id and uri.offsets can be")
    case .i64:
      for row in 0..<rowCount {
        let value = values.element(row, Int64.self)
        guard value.magnitude <= 1 << 53 else {
          throw fault(tensor.name, "row \(row) is \(value), beyond 2^53: not exact as a double")
        }
      }
    case .bool:
      for row in 0..<rowCount {
        let value = values.element(row, UInt8.self)
        guard value <= 1 else { throw fault(tensor.name, "row \(row) is \(value), not 0 or 1") }
      }
    default:
      break
    }
    return Column(name: tensor.name, values: values)
  }

  private func embedding(_ tensor: Tensor, rowCount: Int) throws(SnapshotError) -> Embedding {
    let dimension = tensor.shape[1]
    let limit: Int
    switch tensor.type {
    case .f32, .f16: limit = Limits.embeddingDimension
    case .i8: limit = Limits.int8EmbeddingDimension
    default:
      throw fault(
        tensor.name, "is \(describe(tensor)); an embedding is F32, F16 or I8")
    }
    guard (1...limit).contains(dimension) else {
      throw fault(
        tensor.name,
        "has vectors of dimension \(dimension); \(tensor.type.rawValue) takes 1 to \(limit)")
    }
    return Embedding(
      name: tensor.name, type: tensor.type, dimension: dimension, rowCount: rowCount,
      base: tensor.base,
      scales: tensor.type == .i8 ? try scales(of: tensor, rowCount: rowCount) : nil)
  }

  private func scales(of tensor: Tensor, rowCount: Int) throws(SnapshotError) -> UnsafeRawPointer {
    let name = tensor.name + ".scale"
    guard let scales = tensors[name] else {
      throw fault(name, "is missing: \(clipped(tensor.name)) is I8")
    }
    guard scales.type == .f32, scales.shape == [rowCount] else {
      throw fault(name, "is \(describe(scales)); it must be F32 [\(rowCount)]")
    }
    let values = ColumnValues(type: .f32, base: scales.base, rowCount: rowCount)
    for row in 0..<rowCount where !values.value(row).isFinite {
      throw fault(name, "row \(row) is not finite")
    }
    return scales.base
  }

  private func describe(_ tensor: Tensor) -> String {
    "\(tensor.type.rawValue) \(clipped("\(tensor.shape)"))"
  }
}
