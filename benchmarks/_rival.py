"""Ask `benchmarks._emlp` for cases one by one; what takes longer than the limit is stopped and counted as the limit."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._emlp_groups import Case, dimension_over_c, in_our_coordinates

CUT_OFF = 60.0
_STARTING = 120.0


@dataclass(frozen=True)
class Answer:
    """What the rival gave: seconds, dimension and basis in our coordinates; -1 and None where it was stopped.

    ``over_c`` is the dimension of complex linear maps between words in V alone, for groups that act on C^n.
    """

    cold: float
    warm: float
    dim: int = -1
    basis: NDArray | None = None
    error: str = ""
    over_c: int = -1

    def __str__(self) -> str:
        return self.error or f"emlp {self.dim}" + (f"; over C without V*: {self.over_c}" if self.over_c >= 0 else "")


class Rival:
    """One worker at a time, started when needed; with ``fresh``, a new one for every case."""

    def __init__(self, fresh: bool) -> None:
        self.fresh = fresh
        self._worker: subprocess.Popen[bytes] | None = None
        self._folder = tempfile.TemporaryDirectory()
        self._buffer = b""

    def __enter__(self) -> Rival:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._folder.cleanup()

    def solve(self, case: Case) -> Answer:
        """Time one case, cold and warm."""
        if self.fresh:
            self._stop()
        basis = Path(self._folder.name) / "basis.npz"
        question = {"group": case.pair.theirs, "complex": case.pair.is_complex, "source": case.source}
        worker = self._started()
        worker.stdin.write(json.dumps({**question, "target": case.target, "basis": str(basis)}).encode() + b"\n")
        worker.stdin.flush()
        first = self._line(CUT_OFF)
        second = {} if "cold" not in first else self._line(CUT_OFF)
        cold, warm = float(first.get("cold", CUT_OFF)), float(second.get("warm", CUT_OFF))
        if "dim" not in second:
            self._stop()  # after an error, too: the next case shall not pay for this one
            return Answer(cold, warm, error=first.get("error", second.get("error", f"stopped after {CUT_OFF:g} s")))
        with np.load(basis) as stored:
            found = stored["basis"].astype(np.complex128)
        over_c = dimension_over_c(case, found) if case.pair.is_complex else -1
        return Answer(cold, warm, second["dim"], in_our_coordinates(case, found), over_c=over_c)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._worker is None:
            command = [sys.executable, "-W", "ignore", "-m", "benchmarks._emlp"]
            environment = {**os.environ, "TQDM_DISABLE": "1", "JAX_PLATFORMS": "cpu"}
            pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
            self._worker = subprocess.Popen(command, env=environment, **pipes)
            self._buffer = b""
            if "ready" not in self._line(_STARTING):
                raise RuntimeError("emlp does not start: pip install 'erlangen[bench]'")
        return self._worker

    def _line(self, limit: float) -> dict[str, Any]:
        """Read the next line within a limit in seconds; nothing where it did not come."""
        end = time.monotonic() + limit
        out = self._worker.stdout
        with selectors.DefaultSelector() as waiting:
            waiting.register(out, selectors.EVENT_READ)
            while b"\n" not in self._buffer:
                if not waiting.select(max(end - time.monotonic(), 0.0)):
                    return {}
                piece = os.read(out.fileno(), 65536)
                if not piece:
                    return {"error": "the process ended"}
                self._buffer += piece
        line, _, self._buffer = self._buffer.partition(b"\n")
        return json.loads(line)

    def _stop(self) -> None:
        if self._worker is not None:
            self._worker.kill()
            self._worker.communicate()
            self._worker = None
