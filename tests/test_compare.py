"""The comparison with other libraries runs, whichever of them are here; times are not judged."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
CASES = r"^(BinaryCrossEntropy float32 32|Pinball float64 1k|CrossEntropy float32 32x10)$"


def compare(*arguments: str) -> str:
    command = [sys.executable, str(BENCHMARKS / "compare.py"), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout


@pytest.mark.skipif(not BENCHMARKS.is_dir(), reason="an installation without benchmarks")
def test_compare(tmp_path: Path) -> None:
    file, table = tmp_path / "compare.csv", tmp_path / "compare.md"
    peers = ["NumPy", "NumPy reference", "scikit-learn"]
    said = compare(
        *("--quick", "--cases", CASES, "--peers", *peers),
        *("--csv", str(file), "--table", str(table), "--threads", "1"),
    )
    with file.open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert len({row["case"] for row in rows}) == 3
    missing = {peer for peer in peers if f"missing  {peer}" in said}
    assert {row["peer"] for row in rows} == {"fastloss", *peers} - missing
    assert missing <= {"scikit-learn"}
    for row in rows:
        assert not row["problem"], row
        assert float(row["error"]) <= 1
        times = [float(row[name]) for name in ("lower_quartile", "median", "upper_quartile")]
        assert 0 < times[0] <= times[1] <= times[2] < 1
        assert int(row["bytes"]) > 0
        assert row["threads"] == "1"
    outputs = {row["output"] for row in rows if row["peer"] == "fastloss"}
    assert outputs == {"allocated", "reused"}
    assert table.read_text() == compare("--read", str(file))[:-1]
