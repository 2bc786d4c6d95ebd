"""Answers that are coarser, never late: DESIGN 7, score.proto, scoring.md 1.

Which level an answer has depends on the machine; that it is one level, told as it is, and that its
scores are those of the trees that it names, bit for bit, does not. Models here are so large, or
deadlines so short, that a level below FULL is what must come.
"""

import pytest

import flow
import heavy
import process
import wire
from cancelling import headers
from levels import BATCH, Caller, Levels
from scrape import Metrics, eventually

# × 10 trees; where each costs ten times as much, as much work with fewer.
COPIES = 8 if process.SANITIZER == "thread" else 80


@pytest.fixture(scope="module")
def costly(tmp_path_factory, seed):
    """Two models of 800 trees, about half a second's work each, with priors for some items."""
    folder = tmp_path_factory.mktemp("costly")
    return heavy.snapshot(folder, seed, COPIES, with_holes=True,
                          outputs={"default": "probability", "plain": "raw"})


@pytest.fixture(scope="module")
def priorless(tmp_path_factory, seed):
    return heavy.snapshot(tmp_path_factory.mktemp("priorless"), seed, COPIES, prior=None)


ARGUMENTS = ("--loops", 2, "--shards", 2, "--admin", "127.0.0.1:0",
             "--limit", "shardQueueNanoseconds=1m", "--limit", "queueDelayTargetNanoseconds=20s",
             "--limit", "queueDelayIntervalNanoseconds=1m")


@pytest.fixture
def slow(costly, servers):
    made = servers.get(costly, *ARGUMENTS)
    yield made
    made.check()


@pytest.fixture
def caller(stubs, costly, slow, seed):
    made = Caller(stubs, costly, slow, seed)
    with made.connection:
        yield made


def sweep(caller, levels, fidelity, timeouts, **fields):
    """Calls with these timeouts until an answer has `fidelity`; each answer is checked."""
    told = []
    for timeout in timeouts:
        request = caller.request(unknown=len(told) % 2 == 1, **fields)
        got = caller.call(request, timeout)
        if got.code == "DEADLINE_EXCEEDED":  # the machine was elsewhere
            told.append(got.code)
            continue
        level = levels.check(caller.stubs, request, caller.answer(got))
        told.append(level)
        if level == fidelity:
            return request, got
    raise AssertionError(f"no answer of fidelity {fidelity}: {told}")


# Of half a second's work: what a machine of any speed meets somewhere.
MIDDLING = [f"{milliseconds}m" for milliseconds in (
    200, 100, 300, 60, 150, 400, 30, 80, 15, 600, 10, 800, 8, 1_200, 1_600)] * 2
SHORT = [f"{process.patience(microseconds)}u" for microseconds in (
    2_000, 1_500, 3_000, 4_000, 1_000)] * 6


@pytest.mark.parametrize("model", ["default", "plain"])
def test_partial_is_a_prefix_with_its_level_corrected(caller, costly, model):
    caller.teach(model)
    levels = Levels(costly, model)
    sweep(caller, levels, caller.stubs.FIDELITY_PARTIAL, MIDDLING, model=model)


@pytest.mark.parametrize("model", ["default", "plain"])
def test_prior_touches_no_tree(caller, costly, model):
    """Two milliseconds for half a second's work: no prefix of it fits either."""
    caller.teach(model)
    levels = Levels(costly, model)
    sweep(caller, levels, caller.stubs.FIDELITY_PRIOR, SHORT, model=model)


def test_the_prior_of_a_model_without_one(stubs, priorless, servers, seed):
    """The output of the mean of its trees, the same for every item."""
    server = servers.get(priorless, *ARGUMENTS)
    caller = Caller(stubs, priorless, server, seed)
    with caller.connection:
        caller.teach()
        _, got = sweep(caller, Levels(priorless), stubs.FIDELITY_PRIOR, SHORT)
        assert len(set(caller.answer(got).scores)) <= 2  # and 0, of unknown items


def test_every_level_is_told_as_it_is(caller, costly, seed):
    """Timeouts drawn at random: whatever comes is consistent, and two levels do come."""
    caller.teach()
    levels, seen = Levels(costly), set()
    for _ in range(40):
        size = int(caller.random.choice([64, 1_000, 10_000]))
        microseconds = int(10 ** caller.random.uniform(3.2, 5.8))
        request = caller.request(size, unknown=bool(caller.random.random() < 0.3))
        got = caller.call(request, f"{microseconds}u")
        if got.code != "DEADLINE_EXCEEDED":
            seen.add(levels.check(caller.stubs, request, caller.answer(got)))
    assert len(seen) >= 2, f"seed {seed}: always {seen}"


def test_metrics_count_candidates_by_fidelity(caller, costly, slow):
    caller.teach()
    before = Metrics(slow)
    request, got = sweep(caller, Levels(costly), caller.stubs.FIDELITY_PRIOR, SHORT)
    assert got.code == "OK", got

    def counted(metrics):
        return metrics.sum("crescendo_candidates_total", fidelity="prior")

    known = sum(int(key) in costly.items.row_of for key in request.item_ids)
    eventually(slow, lambda one: counted(one) >= counted(before) + known)


@pytest.mark.parametrize("kind", ["unary", "streamed"])
@pytest.mark.parametrize("least", ["FULL", "PARTIAL"])
def test_below_the_least_time_was_short(caller, kind, least):
    """Two milliseconds, and nothing else to do: DEADLINE_EXCEEDED, with a sentence."""
    caller.teach()
    fidelity = caller.stubs.Fidelity.Value(f"FIDELITY_{least}")
    for timeout in ("2000u", "1000u", "3m"):
        request = caller.request(min_fidelity=fidelity)
        got = caller.call(request, timeout, kind)
        assert got.code == "DEADLINE_EXCEEDED" and got.text, got
        assert len(got.headers) == 1 and not got.body, f"not Trailers-Only: {got}"
        caller.answer(caller.call(caller.request(3)))


def test_an_item_below_its_least_fails_alone(caller, costly):
    """ScoreMany: its own timeout, its own status; the item beside it is answered."""
    caller.teach()
    stubs = caller.stubs
    hasty = stubs.ScoreManyRequest(
        sequence=1, timeout_us=2_000, request=caller.request(min_fidelity=stubs.FIDELITY_FULL))
    coarse = stubs.ScoreManyRequest(sequence=2, timeout_us=3_000, request=caller.request())
    calm = stubs.ScoreManyRequest(sequence=3, request=caller.request(50))
    connection = caller.connection
    stream = connection.open(headers("many"))
    for item in (hasty, coarse, calm):
        connection.data(stream, wire.message(item.SerializeToString()))
    connection.data(stream, b"", end=True)
    got = connection.wait(stream)
    assert got.code == "OK", got
    made = {one.sequence: one for one in map(
        stubs.ScoreManyResponse.FromString, flow.messages(got.body))}
    assert sorted(made) == [1, 2, 3]
    # The work of the one before may be why there is no time for the other.
    assert wire.STATUS[made[1].status_code] in ("DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED")
    assert made[1].status_message and not made[1].HasField("response")
    levels = Levels(costly)
    if made[2].status_code == 0:
        level = levels.check(stubs, coarse.request, made[2].response)
        assert level < stubs.FIDELITY_FULL, "half a second's work in three milliseconds"
    assert made[3].status_code == 0, made[3].status_message
    levels.check(stubs, calm.request, made[3].response)


def test_a_long_queue_is_overload(caller, costly):
    """Seconds of work wait. Alone a call would have the time; so the queue is why it is coarser."""
    caller.teach()
    stubs, levels = caller.stubs, Levels(costly)
    waiting = caller.request(min_fidelity=stubs.FIDELITY_FULL)
    streams = [caller.start(waiting, "60S") for _ in range(24)]
    caller.connection.ping()
    # Few enough that their prior is no work for a shard.
    request = caller.request(2_000)
    answer = caller.answer(caller.call(request, "1S"))
    level = levels.check(stubs, request, answer)
    assert level < stubs.FIDELITY_FULL, "six seconds of work were waited for in one"
    assert answer.all_reason == stubs.REASON_OVERLOAD, answer.all_reason
    for kind in ("unary", "streamed"):
        request.min_fidelity = stubs.FIDELITY_FULL
        got = caller.call(request, "1S", kind)
        assert got.code == "RESOURCE_EXHAUSTED" and got.text, got
        assert int(got.trailers["grpc-retry-pushback-ms"]) > 0, got
    for stream in streams:
        caller.connection.reset(stream)
    assert caller.answer(caller.call(request, "60S")).all_fidelity == stubs.FIDELITY_FULL


def test_streamed_parts_have_one_level(caller, costly):
    """Each position once; what misses the level is NONE for its deadline, nothing in between."""
    caller.teach()
    stubs, levels = caller.stubs, Levels(costly)
    for timeout in ("200m", "50m", "15m", "4m", "10S"):
        request = caller.request()
        got = caller.call(request, timeout, "streamed")
        if got.code == "DEADLINE_EXCEEDED":
            continue
        assert got.code == "OK", got
        parts = [stubs.StreamScoresResponse.FromString(one) for one in flow.messages(got.body)]
        positions = [at for part in parts for at in part.positions]
        assert sorted(positions) == list(range(BATCH)), timeout
        used = set()
        for part in parts:
            if part.part.all_fidelity == stubs.FIDELITY_NONE:
                assert part.part.all_reason in (stubs.REASON_DEADLINE, stubs.REASON_OVERLOAD)
                assert not any(part.part.scores), timeout
                continue
            used.add(part.part.provenance.trees_used)
            levels.check(stubs, narrowed(request, part.positions), part.part)
        assert len(used) <= 1, f"parts of several levels: {used}"
    assert used == {levels.total}, "ten seconds were not enough"


def narrowed(request, positions):
    """The request of these candidates alone."""
    made = type(request)()
    made.CopyFrom(request)
    made.ClearField("item_ids")
    made.item_ids.extend(request.item_ids[at] for at in positions)
    values = list(made.candidate_columns[0].values)
    del made.candidate_columns[0].values[:]
    made.candidate_columns[0].values.extend(values[at] for at in positions)
    return made
