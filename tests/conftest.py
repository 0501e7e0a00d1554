"""What every test shares: thread limits, seeds that are local, and no state left behind."""

from __future__ import annotations

import os

# Before NumPy is first imported: two test processes with two BLAS threads each would fight for the cores.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import sys
from collections.abc import Iterator

import hypothesis
import numpy as np
import pytest

# Derandomized: a test that failed yesterday fails today. No deadline: a busy machine is not a bug.
hypothesis.settings.register_profile(
    "erlangen", derandomize=True, deadline=None, database=None, max_examples=25, print_blob=False
)
hypothesis.settings.load_profile("erlangen")


@pytest.fixture(autouse=True)
def _torch_as_found() -> Iterator[None]:
    """Seed torch, where a test has loaded it, and put its default type back afterwards."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    kept = torch.get_default_dtype()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    yield
    torch.set_default_dtype(kept)


@pytest.fixture(autouse=True)
def _numpy_global_stream_untouched() -> Iterator[None]:
    """Fail whatever seeds or draws from NumPy's global stream: randomness comes by `rng` only."""
    before = _global_stream()
    yield
    assert _global_stream() == before, "NumPy's global random stream was seeded or drawn from: pass rng instead"


def _global_stream() -> tuple[bytes, int]:
    _, keys, position, *_ = np.random.get_state(legacy=True)  # noqa: NPY002 (read only, to see that nobody else does)
    return np.asarray(keys).tobytes(), int(position)
