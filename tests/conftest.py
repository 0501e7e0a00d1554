"""What every test shares: thread limits, seeds that are local, and no state left behind."""

from __future__ import annotations

import os

# Before NumPy is first imported: two test processes with two BLAS threads each would fight for the cores.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import re
import sys
from collections.abc import Generator, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest

# Derandomized: a test that failed yesterday fails today. No deadline: a busy machine is not a bug.
hypothesis.settings.register_profile(
    "erlangen", derandomize=True, deadline=None, database=None, max_examples=25, print_blob=False
)
hypothesis.settings.load_profile("erlangen")

OPTIONAL = ("torch", "onnxruntime", "matplotlib", "plotly", "h5py", "h5netcdf", "xarray", "dask", "zarr", "pyoperon")
"""What a user may not have installed: its tests are skipped, with words, where it is absent."""

ABSENT = tuple(name for name in OPTIONAL if find_spec(name) is None)
_NEEDED = re.compile(rf"^(?:import|from) (?:{'|'.join(ABSENT)})\b", re.MULTILINE) if ABSENT else None


def pytest_report_header() -> list[str]:
    """Say what is absent."""
    return [f"not installed, so tests that need it are skipped: {', '.join(ABSENT)}"] if ABSENT else []


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out files that import something absent when they are read."""
    if _NEEDED is None or collection_path.suffix != ".py":
        return None
    return True if _NEEDED.search(collection_path.read_text(encoding="utf-8")) else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, Any, Any]:
    """Skip a test that meets something absent on its way."""
    try:
        return (yield)
    except ImportError as error:
        cause = error.__cause__ or error
        name = (getattr(cause, "name", None) or "").partition(".")[0]
        if name not in ABSENT:
            raise
        pytest.skip(f"{name} is not installed")


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
