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
  onDesk(context, pointer) { message throws(CallFailure) in
    let view = try CampaignRequestDecoder.apply(message)
    let (document, isDryRun) = (view.document.text, view.dryRun)
    return { desk throws(CallFailure) in
      try desk.apply(document, isDryRun: isDryRun).encoded()
    }
  }
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
