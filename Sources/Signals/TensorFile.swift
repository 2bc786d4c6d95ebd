internal import Core

/// One tensor of a safetensors file: its bytes are exactly those of its shape.
struct Tensor {
  let name: String
  let type: ElementType
  let shape: [Int]
  let base: UnsafeRawPointer
  let byteCount: Int

  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: byteCount) }
}

/// The safetensors layout: header length (u64, little-endian), JSON header, raw tensors.
///
/// What the format's own reference reader demands: the header is an object that starts at its
/// first byte, `data_offsets` agree with dtype and shape, and the tensors cover the data without
/// overlap or hole. Any alignment is accepted.
struct TensorFile {
  private(set) var tensors: [String: Tensor] = [:]

  init(parsing bytes: UnsafeRawBufferPointer, file: String) throws(SnapshotError) {
    let header = try TensorFile.header(of: bytes, file: file)
    guard let start = bytes.baseAddress else { return }
    let data = start + 8 + header.count
    let dataBytes = bytes.count - 8 - header.count
    let document = try StrictJSON.decode(
      HeaderDocument.self, from: header, file: file, prefix: "tensor ")
    guard document.tensors.count <= Limits.tensors else {
      throw SnapshotError(
        file: file, reason: "has \(document.tensors.count) tensors; at most \(Limits.tensors)")
    }
    // In the order of their names, so that of several faults always the same one is reported.
    var extents: [(name: String, begin: Int, end: Int)] = []
    for (name, entry) in document.tensors.sorted(by: { $0.key < $1.key }) {
      let field = "tensor \(clipped(name))"
      if let reason = nameFault(name) {
        throw SnapshotError(file: file, field: field, reason: "the name " + reason)
      }
      let (type, begin, end) = try TensorFile.checked(
        entry, dataBytes: dataBytes, file: file, field: field)
      tensors[name] = Tensor(
        name: name, type: type, shape: entry.shape, base: data + begin,
        byteCount: end - begin)
      extents.append((name, begin, end))
    }
    try TensorFile.checkCoverage(extents, dataBytes: dataBytes, file: file)
  }

  private static func header(of bytes: UnsafeRawBufferPointer, file: String)
    throws(SnapshotError) -> UnsafeRawBufferPointer
  {
    func fault(_ reason: String) -> SnapshotError {
      SnapshotError(file: file, field: "header", reason: reason)
    }
    guard bytes.count >= 8 else {
      throw fault("the file has \(bytes.count) bytes; 8 hold the header's length")
    }
    let length = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
    guard length <= UInt64(Limits.tensorHeaderBytes) else {
      throw fault("says it is \(length) bytes long; at most \(Limits.tensorHeaderBytes)")
    }
    guard length <= UInt64(bytes.count - 8) else {
      throw fault("says it is \(length) bytes long, in a file of \(bytes.count)")
    }
    let header = UnsafeRawBufferPointer(rebasing: bytes[8..<(8 + Int(length))])
    guard header.first == UInt8(ascii: "{") else { throw fault("does not start with '{'") }
    return header
  }

  private static func checked(
    _ entry: TensorDocument, dataBytes: Int, file: String, field: String
  ) throws(SnapshotError) -> (ElementType, begin: Int, end: Int) {
    func fault(_ reason: String) -> SnapshotError {
      SnapshotError(file: file, field: field, reason: reason)
    }
    guard let type = ElementType(rawValue: entry.dtype) else {
      throw fault("the dtype \(clipped(entry.dtype)) is not supported")
    }
    guard entry.data_offsets.count == 2 else {
      throw fault("data_offsets has \(entry.data_offsets.count) numbers, not 2")
    }
    let (begin, end) = (entry.data_offsets[0], entry.data_offsets[1])
    guard begin >= 0, end >= begin, end <= dataBytes else {
      throw fault("data_offsets [\(begin), \(end)] are not within \(dataBytes) bytes of data")
    }
    // A dimension of zero would hide an overflow behind it: checked without regard to order.
    var byteCount = type.byteCount
    for size in entry.shape where size != 0 {
      let (product, overflow) = byteCount.multipliedReportingOverflow(by: size)
      guard size > 0, !overflow else { throw fault("the shape is too large or negative") }
      byteCount = product
    }
    if entry.shape.contains(0) { byteCount = 0 }
    guard byteCount == end - begin else {
      throw fault(
        "\(type.rawValue) \(clipped("\(entry.shape)")) takes \(byteCount) bytes, "
          + "but data_offsets [\(begin), \(end)] hold \(end - begin)")
    }
    return (type, begin, end)
  }

  private static func checkCoverage(
    _ extents: [(name: String, begin: Int, end: Int)], dataBytes: Int, file: String
  ) throws(SnapshotError) {
    var covered = 0
    for extent in extents.sorted(by: { ($0.begin, $0.end) < ($1.begin, $1.end) }) {
      guard extent.begin == covered else {
        throw SnapshotError(
          file: file, field: "tensor \(clipped(extent.name))",
          reason: extent.begin < covered
            ? "starts at \(extent.begin), inside another tensor that ends at \(covered)"
            : "starts at \(extent.begin), after a hole from \(covered)")
      }
      covered = extent.end
    }
    guard covered == dataBytes else {
      throw SnapshotError(
        file: file, reason: "\(dataBytes - covered) bytes after the last tensor belong to none")
    }
  }
}

private struct TensorDocument: Decodable {
  var dtype: String
  var shape: [Int]
  var data_offsets: [Int]

  private enum CodingKeys: CodingKey {
    case dtype, shape, data_offsets
  }

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    dtype = try container.decode(String.self, forKey: .dtype)
    shape = try container.decode([WholeNumber].self, forKey: .shape).map(\.value)
    data_offsets = try container.decode([WholeNumber].self, forKey: .data_offsets).map(\.value)
  }
}

private struct HeaderDocument: Decodable {
  var tensors: [String: TensorDocument] = [:]

  private struct Key: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) {
      self.stringValue = stringValue
    }

    init?(intValue: Int) { nil }
  }

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    for key in container.allKeys {
      if key.stringValue == "__metadata__" {
        _ = try container.decode([String: String].self, forKey: key)
      } else {
        tensors[key.stringValue] = try container.decode(TensorDocument.self, forKey: key)
      }
    }
  }
}
