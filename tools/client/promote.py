"""What a personalization service does with Crescendo, by grpcio alone: score its shelf with boosts,
re-rank it, have promoted items allocated to slots, and report what was heard.

usage: promote.py HOST:PORT REQUEST.json [SLOTS]

REQUEST.json holds a ScoreRequest in protobuf's canonical JSON, with a user_id.
"""
import collections
import importlib
import os
import sys
import tempfile
import time

import grpc
from google.protobuf import json_format
from grpc_tools import protoc

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NAMES = ("score", "allocation", "delivery")


def stubs(folder):
    """Messages and stubs of each file of NAMES, generated from proto/ into `folder`."""
    proto = os.path.join(ROOT, "proto")
    code = protoc.main(["protoc", f"-I{proto}", f"--python_out={folder}",
                        f"--grpc_python_out={folder}",
                        *(f"crescendo/v1/{name}.proto" for name in NAMES)])
    if code != 0:
        sys.exit("protoc could not generate the stubs")
    sys.path.insert(0, folder)
    both = (collections.ChainMap(*(vars(importlib.import_module(f"crescendo.v1.{name}_pb2{kind}"))
                                   for name in NAMES)) for kind in ("", "_grpc"))
    return tuple(both)


def score(messages, services, channel, request):
    """The answer to the whole shelf. Scoring changes nothing, so that it may be retried freely."""
    asked = messages["ScoreRequest"]()
    asked.CopyFrom(request)
    asked.want_boosts = True
    return services["PromotionScoreServiceStub"](channel).Score(asked, timeout=1.0)


def reranked(answer):
    """Positions, the best first: the organic score and the boost are on one scale."""
    worth = [score + boost for score, boost in zip(answer.scores, answer.boosts)]
    return sorted(range(len(worth)), key=lambda at: (-worth[at], at))


def allocate(messages, services, channel, request, slots):
    """Placements for the slots. The same id is sent again, so that a retry reserves nothing twice."""
    asked = messages["AllocateRequest"](request_id=os.urandom(16), slots=slots, request=request)
    stub = services["PromotionAllocationServiceStub"](channel)
    for attempt in range(3):
        try:
            return stub.Allocate(asked, timeout=1.0)
        except grpc.RpcError as error:
            may_help = error.code() in (grpc.StatusCode.UNAVAILABLE,
                                        grpc.StatusCode.DEADLINE_EXCEEDED)
            if not may_help or attempt == 2:
                raise


def report(messages, services, channel, exposures, batch=1_000):
    """Reports until everything is acknowledged: how often each outcome was told.

    After a break what was not acknowledged goes again; a repeated exposure changes nothing.
    """
    starts = range(0, len(exposures), batch)
    pending = {number: exposures[start:start + batch] for number, start in enumerate(starts, 1)}
    stub = services["PromotionDeliveryServiceStub"](channel)
    told, breaks = collections.Counter(), 0
    while pending and breaks <= 3:
        requests = [messages["ReportExposuresRequest"](sequence=number, exposures=part)
                    for number, part in sorted(pending.items())]
        try:
            for answer in stub.ReportExposures(iter(requests), timeout=30.0):
                told["SETTLED"] += answer.settled
                for exception in answer.exceptions:
                    name = messages["ExposureOutcome"].Name(exception.outcome)
                    told[name.removeprefix("EXPOSURE_OUTCOME_")] += 1
                for number in [one for one in pending if one <= answer.acked_through]:
                    del pending[number]
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.UNAVAILABLE or breaks == 3:
                raise
            time.sleep(0.2 * 2 ** breaks)
        breaks += 1
    if pending:
        sys.exit(f"{sum(map(len, pending.values()))} exposures were never acknowledged")
    return told


def main():
    if len(sys.argv) not in (3, 4) or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    target, path = sys.argv[1], sys.argv[2]
    slots = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    with tempfile.TemporaryDirectory() as folder, grpc.insecure_channel(target) as channel:
        messages, services = stubs(folder)
        with open(path, encoding="utf-8") as file:
            request = json_format.Parse(file.read(), messages["ScoreRequest"]())
        names = list(request.item_uris) or list(request.item_ids)

        answer = score(messages, services, channel, request)
        print("  re-ranked: score + boost")
        for rank, at in enumerate(reranked(answer)[:5], 1):
            print(f"  {rank:>2}  {answer.scores[at]:.6f} + {answer.boosts[at]:.6f}  {names[at]}")

        allocation = allocate(messages, services, channel, request, slots)
        for placed in allocation.placements:
            print(f"  slot {placed.slot}: {names[placed.position]} for {placed.campaign_id}, "
                  f"boost {placed.boost:.6f}, cost {placed.cost_micros / 1e6:.6f}")
        if len(allocation.placements) < slots:
            reason = messages["Reason"].Name(allocation.unfilled_reason)
            print(f"  {slots - len(allocation.placements)} slots stay empty: {reason}")

        now = int(time.time() * 1_000)
        heard = [messages["Exposure"](token=placed.token, time_unix_ms=now)
                 for placed in allocation.placements]
        told = report(messages, services, channel, heard)
        print("  reported:", ", ".join(f"{count} {name}" for name, count in sorted(told.items())
                                       if count) or "nothing")


if __name__ == "__main__":
    main()
