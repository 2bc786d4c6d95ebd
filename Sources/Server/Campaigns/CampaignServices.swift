internal import Campaigns
internal import Core
internal import Transport
internal import Wire

/// `CampaignService`: everything is the desk's, which works on its own thread.
private func onDesk(
  _ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer,
  _ decode: (ByteSlice) throws(CallFailure) -> (CampaignDesk) throws(CallFailure) -> [UInt8]
) {
  LoopServices.from(context)._withUnsafeGuaranteedRef { loop in
    let call = ServerCall(pointer)
    do throws(CallFailure) {
      guard let runtime = loop.campaigns?.runtime else { throw CampaignRuntime.off }
      let work = try decode(call.message)
      let pending = PendingCall(call, pointer)
      let isTaken = runtime.onDesk { desk in
        do throws(CallFailure) {
          pending.answer(try work(desk))
        } catch {
          pending.fail(error)
        }
      }
      guard !isTaken else { return }
      pending.end {
        $0.fail(
          CallFailure(
            .resourceExhausted, "too many campaign calls wait: retry later",
            retryPushbackMilliseconds: 1_000))
      }
    } catch {
      call.fail(error)
    }
  }
}

func handleApplyCampaigns(
  _ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer
) {
  LoopServices.from(context)._withUnsafeGuaranteedRef { loop in
    let call = ServerCall(pointer)
    guard let runtime = loop.campaigns?.runtime else { return call.fail(CampaignRuntime.off) }
    guard runtime.documents.take(call.message.count) else {
      return call.fail(
        CallFailure(
          .resourceExhausted, "other campaign files are being applied: retry later",
          retryPushbackMilliseconds: 1_000))
    }
    // Read on the desk's thread: a long one would hold up this loop's other calls.
    let message = Array(call.message.bytes)
    onDesk(context, pointer) { _ throws(CallFailure) in
      return { desk throws(CallFailure) in
        defer { runtime.documents.giveBack(message.count) }
        return try apply(message, desk)
      }
    }
  }
}

private func apply(_ message: [UInt8], _ desk: CampaignDesk) throws(CallFailure) -> [UInt8] {
  let asked = try message.withUnsafeBufferPointer { bytes throws(CallFailure) in
    let view = try CampaignRequestDecoder.apply(ByteSlice(UnsafeRawBufferPointer(bytes)))
    return (document: view.document.text, isDryRun: view.dryRun)
  }
  return try desk.apply(asked.document, isDryRun: asked.isDryRun).encoded()
}

func handleGetCampaign(_ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer) {
  onDesk(context, pointer) { message throws(CallFailure) in
    let id = try CampaignRequestDecoder.get(message).text
    return { desk throws(CallFailure) in try desk.get(id).encoded() }
  }
}

func handleListCampaigns(_ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer) {
  onDesk(context, pointer) { message throws(CallFailure) in
    let view = try CampaignRequestDecoder.list(message)
    let (count, after) = (view.pageSize, view.afterID.text)
    return { desk throws(CallFailure) in try desk.list(after: after, count: count).encoded() }
  }
}

func handlePauseCampaign(_ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer) {
  onDesk(context, pointer) { message throws(CallFailure) in
    let view = try CampaignRequestDecoder.pause(message)
    let (id, resume) = (view.id.text, view.resume)
    return { desk throws(CallFailure) in
      var response = PauseCampaignResponseMessage()
      response.state = try desk.pause(id, resume: resume)
      return response.encoded()
    }
  }
}

func handleDiagnoseCampaign(
  _ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer
) {
  onDesk(context, pointer) { message throws(CallFailure) in
    let id = try CampaignRequestDecoder.diagnose(message).text
    return { desk throws(CallFailure) in try desk.diagnose(id).encoded() }
  }
}
