internal import CCrescendoProto
internal import CProtobufC
package import Core

/// Decodes `crescendo.v1.ScoreRequest`.
///
/// One linear pre-scan checks the whole message, drops unknown fields and notes where the packed
/// columns lie: those are read in place. What is left goes to protobuf-c, in the request's arena.
/// A column that comes split or unpacked is left to protobuf-c, too.
package enum ScoreRequestDecoder {
  package static let messageName: StaticString = "crescendo.v1.ScoreRequest"

  /// Fills `view`. Its pointers live as long as `message` and what is in `arena`.
  ///
  /// Undecodable bytes: INTERNAL with message name and byte offset. A NUL in a string:
  /// INVALID_ARGUMENT. Too many candidates, or more
  /// memory than the arena may take: RESOURCE_EXHAUSTED, not to be retried.
  package static func decode(
    _ message: ByteSlice, into view: inout ScoreRequestView, arena: UnsafeMutablePointer<Arena>,
    candidatesMax: Int
  ) -> CallFailure? {
    if PlainScoreRequest.read(message, into: &view) {
      return view.itemIDCount > candidatesMax
        ? tooMany(view.itemIDCount, candidatesMax) : nil
    }
    return decodeAny(message, into: &view, arena: arena, candidatesMax: candidatesMax)
  }

  private static func decodeAny(
    _ message: ByteSlice, into view: inout ScoreRequestView, arena: UnsafeMutablePointer<Arena>,
    candidatesMax: Int
  ) -> CallFailure? {
    guard let base = message.base, message.count > 0 else { return nil }
    let reader = WireReader(base, from: 0, to: message.count)
    do throws(WireError) {
      var scan = RequestScan()
      try scan.run(reader)
      if scan.candidates > candidatesMax {
        return tooMany(scan.candidates, candidatesMax)
      }
      guard try scan.readInPlace(reader, into: &view, arena),
        try unpackRest(reader, scan, into: &view, arena)
      else {
        return tooLarge(
          "decoding the request takes more than \(arena.pointee.limitBytes) bytes of memory")
      }
      return nil
    } catch {
      let place = "\(messageName): byte \(error.offset): \(error.reason)"
      return error.isDecodable
        ? CallFailure(.invalidArgument, place, field: reader.fieldPath(at: error.offset))
        : CallFailure(.internalError, "cannot decode \(place)")
    }
  }

  private static func tooMany(_ candidates: Int, _ limit: Int) -> CallFailure {
    tooLarge("the batch has \(candidates) candidates; the limit is \(limit)")
  }

  /// False when the arena is full.
  private static func unpackRest(
    _ reader: WireReader, _ scan: RequestScan, into view: inout ScoreRequestView,
    _ arena: UnsafeMutablePointer<Arena>
  ) throws(WireError) -> Bool {
    let count = scan.bytesForProtobufC
    guard count > 0 else { return true }
    guard let compact = arena.pointee.allocate(byteCount: count, alignment: 8) else { return false }
    var writer = WireWriter(compact)
    try writer.copyKnown(reader, .scoreRequest, isDropped: scan.isCopiedElsewhere)
    if scan.hasContext { try writer.copyContexts(reader, bytes: scan.contextBytes) }
    precondition(writer.cursor == compact + count, "the pre-scan counts what the copy writes")
    var allocator = ProtobufCAllocator(
      alloc: arenaAllocate, free: arenaFree, allocator_data: UnsafeMutableRawPointer(arena))
    guard
      let unpacked = crescendo__v1__score_request__unpack(
        &allocator, count, compact.assumingMemoryBound(to: UInt8.self))
    else {
      // The pre-scan has accepted every byte: what is left to go wrong is memory.
      return false
    }
    return view.take(unpacked, scan, arena)
  }
}

private func arenaAllocate(_ context: UnsafeMutableRawPointer?, _ count: Int)
  -> UnsafeMutableRawPointer?
{
  context?.assumingMemoryBound(to: Arena.self).pointee.allocate(byteCount: count)
}

/// The arena forgets everything at once, when its request has ended.
private func arenaFree(_ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer?) {}

/// What the pre-scan finds: counts, extents, and what is left for protobuf-c.
struct RequestScan {
  private(set) var candidates = 0
  private var itemIDFields = 0
  private var itemIDsArePacked = true
  private var itemIDs: (start: Int, count: Int) = (0, 0)
  private var columns: (candidate: Columns, user: Columns) = (Columns(), Columns())
  /// Bytes of known fields: of the id column, of each kind of columns, of all others.
  private var itemIDBytes = 0
  private var otherBytes = 0
  private var contexts = 0
  /// Known bytes within all contexts.
  private(set) var contextBytes = 0

  private struct Columns {
    var count = 0
    var bytes = 0
    var areInPlace = true
  }

  mutating func run(_ reader: WireReader) throws(WireError) {
    var (reader, itemURIs, itemIDCount) = (reader, 0, 0)
    while !reader.isAtEnd {
      let field = try reader.next()
      let known = try reader.knownBytes(of: field, RequestSchema.scoreRequest.rule(field.number))
      switch field.number {
      case 5:
        itemIDFields += 1
        itemIDBytes += known
        if field.wireType == WireType.lengthDelimited {
          itemIDs = (field.valueStart, field.valueCount / 8)
          itemIDCount += field.valueCount / 8
        } else {
          itemIDsArePacked = false
          itemIDCount += 1
        }
      case 7:
        try note(field, known, reader, &columns.candidate)
      case 8:
        try note(field, known, reader, &columns.user)
      case 4:
        contexts += 1
        contextBytes += try reader.inside(field).knownBytes(.context)
      default:
        if field.number == 6 { itemURIs += 1 }
        otherBytes += known
      }
    }
    candidates = max(itemURIs, itemIDCount)
  }

  private func note(
    _ field: WireField, _ known: Int, _ reader: WireReader, _ columns: inout Columns
  ) throws(WireError) {
    columns.count += 1
    columns.bytes += known
    if columns.areInPlace { columns.areInPlace = try columnView(field, reader) != nil }
  }

  /// The column as it lies in the message; nil when its name or values come in several fields.
  private func columnView(_ field: WireField, _ reader: WireReader) throws(WireError)
    -> FloatColumnView?
  {
    var inner = reader.inside(field)
    var view = FloatColumnView(name: .empty, values: nil, count: 0)
    var (names, values) = (0, 0)
    while !inner.isAtEnd {
      let part = try inner.next()
      if part.number == 1 {
        names += 1
        view.name = ByteSlice(reader.base + part.valueStart, count: part.valueCount)
      } else if part.number == 2 {
        values += part.wireType == WireType.lengthDelimited ? 1 : 2
        view.values = reader.base + part.valueStart
        view.count = part.valueCount / 4
      }
    }
    return names <= 1 && values <= 1 ? view : nil
  }

  var itemIDsAreInPlace: Bool { itemIDFields == 1 && itemIDsArePacked }
  var candidateColumnsAreInPlace: Bool { columns.candidate.areInPlace }
  var userColumnsAreInPlace: Bool { columns.user.areInPlace }

  /// A context that comes in parts is its parts joined (encoding specification, "Last One Wins"):
  /// it is copied as one, because protobuf-c 1.4.1 forgets the numbers of the earlier parts.
  var hasContext: Bool { contexts > 0 }

  /// Whether a field of the request is no part of what protobuf-c gets as it stands.
  func isCopiedElsewhere(_ number: UInt32) -> Bool {
    switch number {
    case 4: true
    case 5: itemIDsAreInPlace
    case 7: candidateColumnsAreInPlace
    case 8: userColumnsAreInPlace
    default: false
    }
  }

  var bytesForProtobufC: Int {
    otherBytes + (contexts > 0 ? WireWriter.fieldBytes(contextBytes) : 0)
      + (itemIDsAreInPlace ? 0 : itemIDBytes)
      + (candidateColumnsAreInPlace ? 0 : columns.candidate.bytes)
      + (userColumnsAreInPlace ? 0 : columns.user.bytes)
  }

  /// False when the arena is full.
  func readInPlace(
    _ reader: WireReader, into view: inout ScoreRequestView, _ arena: UnsafeMutablePointer<Arena>
  ) throws(WireError) -> Bool {
    if itemIDsAreInPlace {
      view.itemIDs = reader.base + itemIDs.start
      view.itemIDCount = itemIDs.count
    }
    if candidateColumnsAreInPlace, columns.candidate.count > 0 {
      guard let views = try columnViews(7, columns.candidate.count, reader, arena) else {
        return false
      }
      view.candidateColumns = views
    }
    if userColumnsAreInPlace, columns.user.count > 0 {
      guard let views = try columnViews(8, columns.user.count, reader, arena) else { return false }
      view.userColumns = views
    }
    return true
  }

  private func columnViews(
    _ number: UInt32, _ count: Int, _ reader: WireReader, _ arena: UnsafeMutablePointer<Arena>
  ) throws(WireError) -> UnsafeBufferPointer<FloatColumnView>? {
    guard let views = arena.pointee.allocate(FloatColumnView.self, count: count) else { return nil }
    var (reader, index) = (reader, 0)
    while !reader.isAtEnd {
      let field = try reader.next()
      guard field.number == number, let view = try columnView(field, reader) else { continue }
      (views + index).initialize(to: view)
      index += 1
    }
    return UnsafeBufferPointer(start: views, count: index)
  }
}
