import Core
import EventLoop
import Transport
import Wire

/// What is open on the one loop, and when it is answered. Loop-confined, but for `postTick`.
final class StormService {
  private enum Kind { case whole, parts, many }

  private struct OpenCall {
    var serial: UInt64
    var kind: Kind
    var lateCount = 0
    var isHalfClosed: Bool
  }

  private struct LateAnswer {
    var call: UnsafeMutableRawPointer
    var serial: UInt64
    var items: ArraySlice<UInt64>
    var sequence: UInt64
    var credit: Int64
  }

  var loop: EventLoop?
  private var open: [UnsafeMutableRawPointer: OpenCall] = [:]
  private var lastSerial: UInt64 = 0
  private var tick = 0
  /// By tick, in turn.
  private var late: [[LateAnswer]] = Array(repeating: [], count: StormService.longestTicks)
  private var dice = SplitMix64(seed: 1)
  private let arena = UnsafeMutablePointer<Arena>.allocate(capacity: 1)

  /// Answers are at most so many milliseconds late.
  private static let longestTicks = 32

  init() {
    let limits = Limits.serving
    arena.initialize(
      to: Arena(firstChunkBytes: limits.arenaFirstChunkBytes, limitBytes: limits.arenaBytes))
  }

  deinit {
    arena.deinitialize(count: 1)
    arena.deallocate()
  }

  static var methods: [ServiceMethod] {
    let cancelled: @convention(c) (UnsafeMutableRawPointer?, UnsafeMutableRawPointer) -> Void = {
      StormService.at($0).open[$1] = nil
    }
    let score = ServiceMethod(
      path: WireNames.scorePath, handle: { StormService.at($0).handle($1, .whole) },
      cancelled: cancelled)
    let stream = ServiceMethod(
      path: WireNames.streamScoresPath, handle: { StormService.at($0).handle($1, .parts) },
      cancelled: cancelled)
    var many = ServiceMethod(
      path: WireNames.scoreManyPath, handle: { StormService.at($0).handleItem($1) },
      cancelled: cancelled)
    many.kind = .manyMessages
    many.started = { StormService.at($0).begin($1, .many, isHalfClosed: false) }
    many.halfClosed = { StormService.at($0).halfClose($1) }
    return [score, stream, many]
  }

  private static func at(_ context: UnsafeMutableRawPointer?) -> StormService {
    guard let context else { preconditionFailure("a loop without its service") }
    return Unmanaged<StormService>.fromOpaque(context).takeUnretainedValue()
  }

  // MARK: Calls

  private func begin(_ call: UnsafeMutableRawPointer, _ kind: Kind, isHalfClosed: Bool) {
    lastSerial += 1
    open[call] = OpenCall(serial: lastSerial, kind: kind, isHalfClosed: isHalfClosed)
  }

  private func handle(_ pointer: UnsafeMutableRawPointer, _ kind: Kind) {
    let call = ServerCall(pointer)
    do throws(CallFailure) {
      let items = try items(of: call.message, call)
      begin(pointer, kind, isHalfClosed: true)
      if kind == .parts, items.count > 1 {
        // Positions say which half is which.
        guard answer(pointer, items[..<(items.count / 2)], 0, 0, isLast: false) else { return }
        place(pointer, items[(items.count / 2)...], 0, 0)
      } else {
        place(pointer, items[...], 0, 0)
      }
    } catch {
      call.fail(error)
    }
  }

  private func handleItem(_ pointer: UnsafeMutableRawPointer) {
    let call = ServerCall(pointer)
    arena.pointee.reset()
    var item = ScoreManyRequestView()
    if let failure = ScoreManyRequestDecoder.decode(call.message, into: &item, arena: arena) {
      return end(pointer, failure)
    }
    do throws(CallFailure) {
      let items = try items(of: item.request, call)
      place(pointer, items[...], item.sequence, call.messageCredit)
    } catch {
      end(pointer, error)
    }
  }

  private func halfClose(_ pointer: UnsafeMutableRawPointer) {
    open[pointer]?.isHalfClosed = true
    finishIfDone(pointer)
  }

  private func end(_ pointer: UnsafeMutableRawPointer, _ failure: CallFailure) {
    open[pointer] = nil
    ServerCall(pointer).fail(failure)
  }

  private func items(of message: ByteSlice, _ call: ServerCall) throws(CallFailure) -> [UInt64] {
    arena.pointee.reset()
    var view = ScoreRequestView()
    if let failure = ScoreRequestDecoder.decode(
      message, into: &view, arena: arena, candidatesMax: Limits.serving.candidates)
    {
      throw failure
    }
    if let fault = call.workFault(view.itemIDCount + view.itemURIs.count) { throw fault }
    guard let ids = view.itemIDs else { return [] }
    return (0..<view.itemIDCount).map {
      ids.loadUnaligned(fromByteOffset: 8 * $0, as: UInt64.self)
    }
  }

  // MARK: Answers

  /// A fifth is answered at once.
  private func place(
    _ call: UnsafeMutableRawPointer, _ items: ArraySlice<UInt64>, _ sequence: UInt64,
    _ credit: Int64
  ) {
    guard let serial = open[call]?.serial else { return }
    open[call]?.lateCount += 1
    let random = dice.next()
    guard random % 5 > 0 else { return complete(call, items, sequence, credit) }
    let due = (tick + 1 + Int(random >> 32) % (StormService.longestTicks - 1))
    late[due % StormService.longestTicks].append(
      LateAnswer(call: call, serial: serial, items: items, sequence: sequence, credit: credit))
  }

  private func complete(
    _ call: UnsafeMutableRawPointer, _ items: ArraySlice<UInt64>, _ sequence: UInt64,
    _ credit: Int64
  ) {
    open[call]?.lateCount -= 1
    guard answer(call, items, sequence, credit, isLast: true) else { return }
    finishIfDone(call)
  }

  /// False when the call has ended by that.
  private func answer(
    _ pointer: UnsafeMutableRawPointer, _ items: ArraySlice<UInt64>, _ sequence: UInt64,
    _ credit: Int64, isLast: Bool
  ) -> Bool {
    guard let kind = open[pointer]?.kind else { return false }
    let call = ServerCall(pointer)
    let envelope: ScoreEnvelope =
      switch kind {
      case .whole: .response
      case .parts: .part
      case .many: .item(sequence: sequence)
      }
    do throws(CallFailure) {
      let buffer = try call.takeBuffer(
        ScoreResponseLayout.capacity(
          in: envelope, count: items.count, wantRaw: false, requestIDBytes: 0, provenance: nil))
      let layout = ScoreResponseLayout(buffer, in: envelope, count: items.count, wantRaw: false)
      for (index, item) in items.enumerated() {
        layout.scores.storeBytes(
          of: StormHash.score(item), toByteOffset: 4 * index, as: Float.self)
        layout.positions?.storeBytes(
          of: UInt32(items.startIndex + index), toByteOffset: 4 * index, as: UInt32.self)
      }
      let count = layout.finishScoresOnly()
      guard kind == .whole else {
        call.send(buffer, count: count, answering: credit)
        return true
      }
      open[pointer] = nil
      call.respond(buffer, count: count)
    } catch {
      end(pointer, error)
    }
    return false
  }

  private func finishIfDone(_ pointer: UnsafeMutableRawPointer) {
    guard let call = open[pointer], call.isHalfClosed, call.lateCount == 0 else { return }
    open[pointer] = nil
    ServerCall(pointer).finish()
  }

  // MARK: Time

  /// From any thread.
  func postTick() {
    let task = UnsafeMutablePointer<LoopTask>.allocate(capacity: 1)
    task.initialize(
      to: LoopTask(
        run: { address in
          let task = address.assumingMemoryBound(to: LoopTask.self)
          let service = StormService.at(task.pointee.context)
          task.deinitialize(count: 1)
          task.deallocate()
          service.ticked()
        }, context: Unmanaged.passUnretained(self).toOpaque()))
    loop?.post(task)
  }

  private func ticked() {
    tick += 1
    let due = late[tick % StormService.longestTicks]
    late[tick % StormService.longestTicks].removeAll(keepingCapacity: true)
    for answer in due where open[answer.call]?.serial == answer.serial {
      complete(answer.call, answer.items, answer.sequence, answer.credit)
    }
  }
}
