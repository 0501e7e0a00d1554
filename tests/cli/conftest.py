"""The command line as a user calls it, and a folder of small files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from cli_schema import check_document
from cli_tables import ROTATIONS, ball, sphere, turns

from erlangen.cli import main


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def call(capsys) -> Callable[..., Outcome]:
    """Run `erlangen WORDS` in this process: exit code, stdout and stderr."""

    def run(*words: object) -> Outcome:
        code = main([str(word) for word in words])
        outcome = Outcome(code, *capsys.readouterr())
        assert "--debug" in words or "Traceback" not in outcome.err
        if "--json" in words:
            check_document(outcome.out)
        return outcome

    return run


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Return a folder with one good file for each command."""
    ball().to_csv(tmp_path / "ball.csv", index=False)
    turns().to_csv(tmp_path / "turns.csv", index=False)
    sphere().to_csv(tmp_path / "sphere.csv", index=False)
    np.savez(tmp_path / "so3.npz", generators=ROTATIONS)
    return tmp_path
