"""`python -m benchmarks`: names, table, JSON and exit code, on a benchmark made for the test."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

TOY = """
import os
import numpy as np

def run(full):
    asked = dict(case="threads", metric="count", value=int(os.environ["OMP_NUM_THREADS"]), asked="== 2", met=True)
    slow = dict(case="time", metric="s", value=np.float64(3), rival=2.0, ratio=np.inf, asked="1", met=np.bool_(full))
    return [asked, slow]
"""


def run_toy(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "toy.py").write_text(TOY)
    code = (
        f"import sys, benchmarks; benchmarks.__path__.append({str(folder)!r}); "
        "import benchmarks.__main__ as m; m.UNIT_SIZE = 20; sys.exit(m.main())"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_rows_are_printed_and_written(tmp_path: Path):
    done = run_toy(tmp_path, "toy", "--full", "--json", str(tmp_path / "rows.json"))
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "rows.json").read_text())
    assert [row["value"] for row in record["rows"]] == [2, 3.0]
    assert record["rows"][1]["ratio"] == "inf" and record["rows"][1]["met"] is True
    assert record["rows"][0]["rival"] is None
    assert "2 rows, 0 short of what was asked" in done.stdout


def test_a_missed_bound_is_an_exit_code(tmp_path: Path):
    done = run_toy(tmp_path, "toy")
    assert done.returncode == 1
    assert "1 short of what was asked" in done.stdout


def test_a_misspelt_name_is_answered_with_the_names(tmp_path: Path):
    done = run_toy(tmp_path, "tyo")
    assert done.returncode == 2
    assert "did you mean toy?" in done.stderr and "available: " in done.stderr
