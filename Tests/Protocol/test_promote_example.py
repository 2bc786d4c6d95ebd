"""The example client of a personalization service, against a server of stock grpcio."""

import json
import subprocess
import sys

import process
from campaign_double import double  # noqa: F401


def test_the_example_of_a_personalization_service(double, tmp_path):
    request = tmp_path / "request.json"
    request.write_text(json.dumps({"userId": "5", "itemIds": ["7", "8", "9"]}))
    done = subprocess.run(
        [sys.executable, process.ROOT / "tools/client/promote.py", double.target, request, "3"],
        capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "   1  0.480000 + 0.200000  9" in done.stdout, done.stdout
    assert "1 slots stay empty: REASON_CAPPED" in done.stdout
    assert "reported: 2 SETTLED" in done.stdout
