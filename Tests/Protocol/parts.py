"""The parts of a StreamScores answer, put together to the answer that Score would have given."""

import oracle


def joined(stubs, request, parts):
    """One ScoreResponse; fails unless over all parts each position comes exactly once."""
    count = len(request.item_ids) or len(request.item_uris)
    whole = stubs.ScoreResponse()
    assert parts, "no parts at all"
    if not count:
        assert len(parts) == 1 and not parts[0].positions, parts
        return parts[0].part
    columns = {name: [None] * count for name in ("scores", "raw_scores", "fidelities", "reasons")}
    seen = [0] * count
    for part in parts:
        positions, answer = list(part.positions), part.part
        assert positions, "an empty part of a batch that is not empty"
        assert answer.provenance == parts[0].part.provenance, parts
        assert answer.request_id == parts[0].part.request_id, parts
        values = {
            "scores": list(answer.scores), "raw_scores": list(answer.raw_scores),
            "fidelities": oracle.column(
                answer, "fidelities", "all_fidelity", len(positions), "part"),
            "reasons": oracle.column(answer, "reasons", "all_reason", len(positions), "part")}
        for name, column in values.items():
            if name == "raw_scores" and not request.want_raw:
                assert not column
                continue
            assert len(column) == len(positions), (name, len(column), len(positions))
            for position, value in zip(positions, column):
                columns[name][position] = value
        for position in positions:
            assert position < count, f"position {position} of {count}"
            seen[position] += 1
    assert seen == [1] * count, [at for at in range(count) if seen[at] != 1][:10]
    whole.provenance.CopyFrom(parts[0].part.provenance)
    whole.request_id = parts[0].part.request_id
    for name, column in columns.items():
        if name != "raw_scores" or request.want_raw:
            getattr(whole, name).extend(column)
    return whole
