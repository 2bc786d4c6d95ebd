"""What tests of ReportExposures share: tokens that may be reported, and a call sent by batches."""

import queue

import pytest

import process
from promoting import campaign

REPORT = "/crescendo.v1.PromotionDeliveryService/ReportExposures"


@pytest.fixture
def heard(promote):
    """A server with a campaign, and `heard.tokens(n)`."""
    promoter = promote()
    promoter.apply(campaign("one", promoter.items, budget="100000.00"))

    def tokens(count):
        made = []
        while len(made) < count:
            user = promoter.users[len(made) % 64]
            made += [one.token for one in promoter.allocate(user, slots=100).placements]
        return made[:count]

    promoter.tokens = tokens
    return promoter


class Talk:
    """A report whose batches are sent one by one."""

    def __init__(self, promoter):
        self.promoter, self.waiting = promoter, queue.SimpleQueue()
        self.call = promoter.deliveries.ReportExposures(
            iter(self.waiting.get, None), timeout=process.patience(60))

    def send(self, sequence, tokens, **options):
        self.waiting.put(self.promoter.batch(sequence, tokens, **options))

    def end(self):
        self.waiting.put(None)


def outcomes(answers):
    return {(one.sequence, one.index): one.outcome for answer in answers
            for one in answer.exceptions}
