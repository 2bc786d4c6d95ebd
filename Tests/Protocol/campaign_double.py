"""A server of campaigns that keeps everything in memory, by stock grpcio: what the command line and
the example client are tried against. It is simple, and not right about money: it settles each token
once and knows nothing of budgets."""

import hashlib
import threading
from concurrent import futures

import grpc
import pytest

NOW = 1_796_083_200_000
DAY = 86_400_000


def key(campaign):
    """As answers name a campaign."""
    return int.from_bytes(hashlib.sha256(campaign.encode()).digest()[:8], "little")


class CampaignDouble:
    """`breaks`: how many report streams end after their first acknowledgement with UNAVAILABLE."""

    def __init__(self, generated):
        from crescendo.v1 import (allocation_pb2, allocation_pb2_grpc, campaign_pb2,
                                  campaign_pb2_grpc, delivery_pb2, delivery_pb2_grpc)
        self.score = generated.score
        self.allocation, self.campaign, self.delivery = allocation_pb2, campaign_pb2, delivery_pb2
        self.campaigns, self.documents = {}, []
        self.settled, self.sequences, self.breaks, self.lists = set(), [], 0, True
        self.released, self.releases = set(), []
        # Applying takes so long, or until the event.
        self.held, self.held_seconds = threading.Event(), 0
        # Listing, too.
        self.listing, self.listing_seconds = threading.Event(), 0
        self.server = grpc.server(futures.ThreadPoolExecutor(8))
        scorer = generated.score_rpc.PromotionScoreServiceServicer()
        allocator = allocation_pb2_grpc.PromotionAllocationServiceServicer()
        scorer.Score, allocator.Allocate = self.Score, self.Allocate
        allocator.Release = self.Release
        generated.score_rpc.add_PromotionScoreServiceServicer_to_server(scorer, self.server)
        allocation_pb2_grpc.add_PromotionAllocationServiceServicer_to_server(
            allocator, self.server)
        campaign_pb2_grpc.add_CampaignServiceServicer_to_server(self, self.server)
        delivery_pb2_grpc.add_PromotionDeliveryServiceServicer_to_server(self, self.server)
        self.target = f"127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        self.server.start()

    def close(self):
        self.held.set()
        self.listing.set()
        self.server.stop(0)

    # Scores

    def provenance(self):
        return self.score.Provenance(
            snapshot="20261123T080000Z-3f2a9c", model="default", model_sha256="ab" * 32,
            time_unix_ms=NOW, arm="holdout:treated", trees_used=30, trees_total=30,
            boost_scale="micros:1000")

    def Score(self, request, context):
        count = len(request.item_ids)
        answer = self.score.ScoreResponse(
            request_id=request.request_id or "made", provenance=self.provenance(),
            scores=[0.5 - at / 100 for at in range(count)], all_fidelity=4, all_reason=1)
        if request.want_boosts:
            answer.boosts.extend(at / 10 for at in range(count))
            answer.campaign_keys.extend(0 if at == 0 else key("summer-drop" if at == 1 else "gone")
                                        for at in range(count))
            answer.boost_reasons.extend([10] + [1] * (count - 1))
        if request.want_explanations:
            answer.explanations.add(position=1).terms.extend(
                [self.score.Term(name="worth", value=400.0), self.score.Term(name="cap", value=1)])
        return answer

    # Allocation

    def Allocate(self, request, context):
        asked = request.request
        answer = self.allocation.AllocateResponse(
            request_id=request.request_id, provenance=self.provenance(), unfilled_reason=17)
        for slot, at in enumerate(range(min(request.slots, len(asked.item_ids), 2))):
            answer.placements.add(
                slot=slot, position=at, item_id=asked.item_ids[at], campaign_id="summer-drop",
                campaign_key=key("summer-drop"), score=0.25, boost=0.125, propensity=0.5,
                token=b"token" + request.request_id + bytes([slot]), cost_micros=15_000,
                expires_unix_ms=NOW + 1_800_000)
        return answer

    def Release(self, request, context):
        self.releases.append(len(request.tokens))
        answer = self.allocation.ReleaseResponse()
        for token in request.tokens:
            if not token.startswith(b"token"):
                answer.outcomes.append(self.allocation.RELEASE_OUTCOME_FORGED)
            elif token in self.settled:
                answer.outcomes.append(self.allocation.RELEASE_OUTCOME_SETTLED)
            elif token in self.released:
                answer.outcomes.append(self.allocation.RELEASE_OUTCOME_ALREADY_RELEASED)
            else:
                self.released.add(token)
                answer.outcomes.append(self.allocation.RELEASE_OUTCOME_RELEASED)
        return answer

    # Delivery

    def outcome(self, exposure):
        if not exposure.token.startswith(b"token"):
            return self.delivery.EXPOSURE_OUTCOME_FORGED
        if exposure.token in self.settled:
            return self.delivery.EXPOSURE_OUTCOME_DUPLICATE
        self.settled.add(exposure.token)
        return self.delivery.EXPOSURE_OUTCOME_SETTLED

    def ReportExposures(self, requests, context):
        last = None
        for request in requests:
            if last is not None and request.sequence != last + 1:
                context.abort(grpc.StatusCode.OUT_OF_RANGE, f"{request.sequence} after {last}")
            last = request.sequence
            self.sequences.append(last)
            answer = self.delivery.ReportExposuresResponse(acked_through=last)
            for index, exposure in enumerate(request.exposures):
                outcome = self.outcome(exposure)
                if outcome == self.delivery.EXPOSURE_OUTCOME_SETTLED:
                    answer.settled += 1
                else:
                    answer.exceptions.add(sequence=last, index=index, outcome=outcome)
            yield answer
            if self.breaks:
                self.breaks -= 1
                context.abort(grpc.StatusCode.UNAVAILABLE, "going away")

    # Campaigns

    def add(self, name, **values):
        self.campaigns[name] = self.campaign.CampaignState(
            id=name, key=key(name), **{**dict(
                status=2, currency="USD", budget_micros=2_500_000_000, settled_micros=15_000,
                planned_micros=30_000, exposures=1, price=0.25, start_unix_ms=NOW,
                end_unix_ms=NOW + 30 * DAY, items=2, items_known=1), **values})

    def state(self, name, context):
        if name not in self.campaigns:
            context.abort(grpc.StatusCode.NOT_FOUND, f"there is no campaign {name}")
        return self.campaigns[name]

    def ApplyCampaigns(self, request, context):
        self.documents.append(request.document)
        if "away" in request.document:
            context.abort(grpc.StatusCode.UNAVAILABLE, "going away")
        self.held.wait(self.held_seconds)
        answer = self.campaign.ApplyCampaignsResponse(applied=not request.dry_run)
        if "taken" in request.document:
            answer.applied = False
            answer.faults.add(line=5, field="campaigns[0].budget.amount", reason="is below 9.00")
            return answer
        change = answer.changes.add(campaign_id="summer-drop", kind=2)
        change.fields.add(field="budget.amount", before="1.00", after="2500.00")
        answer.changes.add(campaign_id="other", kind=1)
        if "warned" in request.document:
            answer.changes_left_out, answer.added = 3, 4
            answer.warnings.add(line=4, field="campaigns[0].items", reason="1 of 2 is not known")
        return answer

    def GetCampaign(self, request, context):
        return self.campaign.GetCampaignResponse(
            state=self.state(request.id, context), document="campaigns:\n  - id: summer-drop\n",
            spent_series_micros=[0, 10, 80, 0], planned_series_micros=[20, 20, 20, 20])

    def ListCampaigns(self, request, context):
        self.listing.wait(self.listing_seconds)
        if not self.lists:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "campaigns are off: serve --data")
        names = sorted(name for name in self.campaigns if name > request.after_id)
        page = names[:100]
        return self.campaign.ListCampaignsResponse(
            campaigns=[self.campaigns[name] for name in page], has_more=len(names) > len(page))

    def PauseCampaign(self, request, context):
        state = self.state(request.id, context)
        state.status = 2 if request.resume else 3
        return self.campaign.PauseCampaignResponse(state=state)

    def DiagnoseCampaign(self, request, context):
        answer = self.campaign.DiagnoseCampaignResponse(
            state=self.state(request.id, context), cause=8, candidates=30, boosted=20, placed=10,
            summary="caps kept 8 of 30 candidates away")
        answer.reasons.add(reason=12, count=2)
        answer.reasons.add(reason=17, count=8)
        return answer


@pytest.fixture
def double(generated):
    made = CampaignDouble(generated)
    made.add("summer-drop")
    yield made
    made.close()
