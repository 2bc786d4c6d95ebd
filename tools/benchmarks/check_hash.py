"""Checks crescendo-bench's answers value by value with the stock client.

usage: check_hash.py PORT BATCH...
"""
import os
import struct
import sys
import tempfile

import grpc
from grpc_tools import protoc

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def expected(item):
    """One multiply-shift hash, as a float in [0, 1)."""
    return ((item * 0x9E3779B97F4A7C15 & (1 << 64) - 1) >> 40) * 2.0 ** -24


def main():
    port, batches = sys.argv[1], [int(batch) for batch in sys.argv[2:]]
    with tempfile.TemporaryDirectory() as stubs:
        proto = os.path.join(ROOT, "proto")
        protoc.main(["protoc", f"-I{proto}", f"--python_out={stubs}",
                     f"--grpc_python_out={stubs}", "crescendo/v1/score.proto"])
        sys.path.insert(0, stubs)
        from crescendo.v1 import score_pb2, score_pb2_grpc
        stub = score_pb2_grpc.PromotionScoreServiceStub(
            grpc.insecure_channel(f"127.0.0.1:{port}"))
        for batch in batches:
            items = [index * 0x1234567 + 99 for index in range(batch)]
            answer = stub.Score(score_pb2.ScoreRequest(item_ids=items), timeout=5)
            if list(answer.scores) != [expected(item) for item in items]:
                sys.exit(f"batch {batch}: the answer differs from the hash")
    print(f"checked value by value: batches of {', '.join(map(str, batches))}")


if __name__ == "__main__":
    main()
