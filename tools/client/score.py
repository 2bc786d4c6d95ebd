"""A stock Python gRPC client of Crescendo: what any team would write with grpcio alone.

usage: score.py HOST:PORT REQUEST.json [TOP]

REQUEST.json holds a ScoreRequest in protobuf's canonical JSON. Prints the best TOP candidates.
"""
import os
import sys
import tempfile

import grpc
from google.protobuf import json_format
from grpc_tools import protoc

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def stubs(folder):
    """The messages and the stub, generated from proto/ into `folder`."""
    proto = os.path.join(ROOT, "proto")
    code = protoc.main(["protoc", f"-I{proto}", f"--python_out={folder}",
                        f"--grpc_python_out={folder}", "crescendo/v1/score.proto"])
    if code != 0:
        sys.exit("protoc could not generate the stubs")
    sys.path.insert(0, folder)
    from crescendo.v1 import score_pb2, score_pb2_grpc
    return score_pb2, score_pb2_grpc


def column(answer, name, position):
    """A per-position value, or the one that all positions share."""
    values = getattr(answer, {"fidelity": "fidelities", "reason": "reasons"}[name])
    return values[position] if values else getattr(answer, f"all_{name}")


def main():
    if len(sys.argv) not in (3, 4) or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    target, path = sys.argv[1], sys.argv[2]
    top = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    with tempfile.TemporaryDirectory() as folder:
        messages, services = stubs(folder)
        with open(path) as file:
            request = json_format.Parse(file.read(), messages.ScoreRequest())
        with grpc.insecure_channel(target) as channel:
            stub = services.PromotionScoreServiceStub(channel)
            answer = stub.Score(request, timeout=1.0)
    order = sorted(range(len(answer.scores)), key=lambda at: (-answer.scores[at], at))
    for rank, at in enumerate(order[:top], 1):
        fidelity = messages.Fidelity.Name(column(answer, "fidelity", at))
        print(f"  {rank:>2}  {answer.scores[at]:.6f}  {request.item_uris[at]}  {fidelity}")
    origin = answer.provenance
    print(f"  from snapshot {origin.snapshot}, model {origin.model} "
          f"({origin.trees_used} of {origin.trees_total} trees), "
          f"sha256 {origin.model_sha256[:12]}…")


if __name__ == "__main__":
    main()
