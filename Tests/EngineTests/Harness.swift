import Core
import Dispatch
import Engine
import Signals
import Synchronization

/// A request as plain values.
struct PlainRequest {
  var requestID = ""
  var userID: UInt64 = 0
  var userURI = ""
  var market = ""
  var surface = ""
  var tier = ""
  var timeUnixMilliseconds: Int64 = 0
  var utcOffsetMinutes: Int32 = 0
  var itemIDs: [UInt64] = []
  var itemURIs: [String] = []
  var candidateColumns: [(String, [Float])] = []
  var userColumns: [(String, [Float])] = []
  var minFidelity: Int32 = 0
  var model = ""
  var wantBoosts = false
  var wantExplanations = false

  var count: Int { max(itemIDs.count, itemURIs.count) }
}

/// The bytes of one request, each piece at an odd address of its own, gone when told to.
final class RequestMemory {
  private var blocks: [UnsafeMutableRawBufferPointer] = []

  deinit { free() }

  /// Spoils and frees everything, as the transport does with a message.
  func free() {
    for block in blocks {
      block.initializeMemory(as: UInt8.self, repeating: 0xA5)
      block.deallocate()
    }
    blocks = []
  }

  private func odd(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawPointer? {
    let block = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count + 1, alignment: 16)
    blocks.append(block)
    let copy = UnsafeMutableRawBufferPointer(rebasing: block[1...])
    copy.copyMemory(from: bytes)
    return UnsafeRawPointer(copy.baseAddress)
  }

  func text(_ text: String) -> ByteSlice {
    let bytes = Array(text.utf8)
    return ByteSlice(bytes.withUnsafeBytes { odd($0) }, count: bytes.count)
  }

  private func columns(_ list: [(String, [Float])]) -> UnsafeBufferPointer<FloatColumnView> {
    let room = UnsafeMutableRawBufferPointer.allocate(
      byteCount: max(list.count, 1) * MemoryLayout<FloatColumnView>.stride, alignment: 16)
    blocks.append(room)
    let views = room.bindMemory(to: FloatColumnView.self)
    for (index, (name, values)) in list.enumerated() {
      views.initializeElement(
        at: index,
        to: FloatColumnView(
          name: text(name), values: values.withUnsafeBytes { odd($0) }, count: values.count))
    }
    return UnsafeBufferPointer(rebasing: views[..<list.count])
  }

  func view(_ plain: PlainRequest) -> ScoreRequestView {
    var view = ScoreRequestView()
    view.requestID = text(plain.requestID)
    view.userID = plain.userID
    view.userURI = text(plain.userURI)
    view.market = text(plain.market)
    view.surface = text(plain.surface)
    view.tier = text(plain.tier)
    view.timeUnixMilliseconds = plain.timeUnixMilliseconds
    view.utcOffsetMinutes = plain.utcOffsetMinutes
    if !plain.itemIDs.isEmpty {
      view.itemIDs = plain.itemIDs.withUnsafeBytes { odd($0) }
      view.itemIDCount = plain.itemIDs.count
    }
    let uris = UnsafeMutableRawBufferPointer.allocate(
      byteCount: max(plain.itemURIs.count, 1) * MemoryLayout<ByteSlice>.stride, alignment: 16)
    blocks.append(uris)
    let slices = uris.bindMemory(to: ByteSlice.self)
    for (index, uri) in plain.itemURIs.enumerated() {
      slices.initializeElement(at: index, to: text(uri))
    }
    view.itemURIs = UnsafeBufferPointer(rebasing: slices[..<plain.itemURIs.count])
    view.candidateColumns = columns(plain.candidateColumns)
    view.userColumns = columns(plain.userColumns)
    view.minFidelity = plain.minFidelity
    view.model = text(plain.model)
    view.wantBoosts = plain.wantBoosts
    view.wantExplanations = plain.wantExplanations
    return view
  }
}

/// Time that moves only when it is told to, or by `step` with each look at it.
final class FakeTime: Sendable {
  let nowNanoseconds = Atomic<UInt64>(1_000_000_000)
  let stepNanoseconds = Atomic<UInt64>(0)
  let looks = Atomic<Int>(0)

  func clock(unixMilliseconds: Int64 = 0) -> Clock {
    Clock(
      monotonicNanoseconds: {
        self.looks.add(1, ordering: .relaxed)
        let step = self.stepNanoseconds.load(ordering: .relaxed)
        return self.nowNanoseconds.add(step, ordering: .relaxed).oldValue
      },
      unixMilliseconds: { unixMilliseconds })
  }

  var now: UInt64 { nowNanoseconds.load(ordering: .relaxed) }
}

struct Answer: Equatable {
  var scores: [UInt32]
  var raw: [UInt64]
  var fidelities: [UInt8]
  var reasons: [UInt8]
  var unknown: Int

  func score(_ index: Int) -> Float { Float(bitPattern: scores[index]) }
  func rawScore(_ index: Int) -> Double { Double(bitPattern: raw[index]) }
}

/// Counts `completed`, and wakes who waits for it.
final class Completion: Sendable {
  private let calls = Atomic<Int>(0)
  private let semaphore = DispatchSemaphore(value: 0)
  private let ended = Mutex<[Int]>([])

  var count: Int { calls.load(ordering: .sequentiallyConsistent) }

  func note() {
    calls.add(1, ordering: .sequentiallyConsistent)
    semaphore.signal()
  }

  func wait() { semaphore.wait() }

  /// Slices of a streamed call, in the order in which they ended.
  var slices: [Int] { ended.withLock { $0 } }

  func note(slice: Int) { ended.withLock { $0.append(slice) } }
}

private func completed(_ owner: UnsafeMutableRawPointer?) {
  guard let owner else { return }
  Unmanaged<Completion>.fromOpaque(owner).takeUnretainedValue().note()
}

func sliceCompleted(_ owner: UnsafeMutableRawPointer?, _ slice: Int) {
  guard let owner else { return }
  Unmanaged<Completion>.fromOpaque(owner).takeUnretainedValue().note(slice: slice)
}

/// A call with its memory, used again and again as a server does.
final class TestCall {
  let call = UnsafeMutablePointer<ScoreCall>.allocate(capacity: 1)
  let arena = UnsafeMutablePointer<Arena>.allocate(capacity: 1)
  let completion = Completion()
  private var columns: UnsafeMutableRawPointer?
  private(set) var count = 0
  /// What a position holds before anything is written to it.
  static let untouched: UInt8 = 0xEE

  init(arenaBytes: Int = Limits.serving.arenaBytes) {
    call.initialize(to: ScoreCall(completed: completed))
    arena.initialize(to: Arena(firstChunkBytes: 64, limitBytes: arenaBytes))
  }

  deinit {
    call.pointee.destroy()
    call.deinitialize(count: 1)
    call.deallocate()
    arena.deinitialize(count: 1)
    arena.deallocate()
    columns?.deallocate()
  }

  /// True: finished in place. The request's bytes are gone when this returns. `scheduled` is called
  /// once the call is cut, before any of it runs.
  func start(
    _ engine: Engine, _ request: PlainRequest, deadlineNanoseconds: UInt64 = .max,
    clientDeadlineNanoseconds: UInt64? = nil, isBatch: Bool = false,
    inPlaceNanoseconds: UInt64 = Limits.serving.inPlaceNanoseconds,
    scheduled: (UnsafeMutablePointer<ScoreCall>) -> Void = { _ in }
  ) throws(CallFailure) -> Bool {
    let memory = RequestMemory()
    let view = memory.view(request)
    defer { memory.free() }
    arena.pointee.reset()
    count = request.count
    columns?.deallocate()
    let room = UnsafeMutableRawPointer.allocate(byteCount: 14 * count + 1, alignment: 16)
    room.initializeMemory(as: UInt8.self, repeating: TestCall.untouched, count: 14 * count + 1)
    columns = room
    call.pointee.owner = Unmanaged.passUnretained(completion).toOpaque()
    call.pointee.deadlineNanoseconds = deadlineNanoseconds
    call.pointee.clientDeadlineNanoseconds = clientDeadlineNanoseconds ?? deadlineNanoseconds
    call.pointee.isBatch = isBatch
    let blueprint = try engine.blueprint(for: view)
    try engine.plan(call, blueprint, view, arena: arena)
    let lowest = Fidelity(rawValue: UInt8(request.minFidelity)) ?? .unspecified
    try engine.schedule(
      call, lowest: lowest, arena: arena, inPlaceNanoseconds: inPlaceNanoseconds)
    call.pointee.setColumns(
      ScoreColumns(
        scores: room + 1, rawScores: room + 1 + 4 * count,
        fidelities: (room + 1 + 12 * count).assumingMemoryBound(to: UInt8.self),
        reasons: (room + 1 + 13 * count).assumingMemoryBound(to: UInt8.self)))
    scheduled(call)
    return engine.run(call)
  }

  /// Positions that something was written to.
  var written: Int {
    guard let columns else { return 0 }
    return (0..<count).count {
      (columns + 1 + 13 * count + $0).load(as: UInt8.self) != TestCall.untouched
    }
  }

  /// What every position says, and what the engine says of them.
  func outcome(_ engine: Engine) throws(CallFailure) -> Answer {
    answer(try engine.outcome(call))
  }

  func answer(_ outcome: ScoreOutcome) -> Answer {
    guard let columns else { preconditionFailure("started before it has an outcome") }
    let scores = columns + 1
    return Answer(
      scores: (0..<count).map { scores.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self) },
      raw: (0..<count).map {
        scores.loadUnaligned(fromByteOffset: 4 * count + 8 * $0, as: UInt64.self)
      },
      fidelities: (0..<count).map { (scores + 12 * count + $0).load(as: UInt8.self) },
      reasons: (0..<count).map { (scores + 13 * count + $0).load(as: UInt8.self) },
      unknown: outcome.unknown)
  }

  /// Starts, waits if shards have it, and tells the outcome.
  func run(_ engine: Engine, _ request: PlainRequest, deadlineNanoseconds: UInt64 = .max)
    throws(CallFailure) -> Answer
  {
    if try !start(engine, request, deadlineNanoseconds: deadlineNanoseconds) {
      completion.wait()
    }
    return try outcome(engine)
  }
}

/// Why a call fails, as text; "OK" when it does not.
func failure(_ body: () throws(CallFailure) -> Void) -> String {
  do throws(CallFailure) {
    try body()
    return "OK"
  } catch {
    return "\(error.code.name): \(error.message)"
  }
}
