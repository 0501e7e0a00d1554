"""A page for each known system, written by the command line: how long it takes, how large it is, what is on it.

Data are five runs of 200 samples with noise of one hundredth of the spread. The library is monomials up to degree 3
(2 from four coordinates on, 1 from seven on) and, where the right-hand side is no polynomial, its other terms. What is
asked of a page: the command ends well, all its parts are there, and it needs no other file.
"""

from __future__ import annotations

import contextlib
import io
import re
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import erlangen as er
from benchmarks._row import row
from erlangen._formula import Formula
from erlangen.cli import main

SYSTEMS = (
    "damped_oscillator", "growth", "lotka_volterra", "selkov", "seir", "pendulum", "two_body", "kepler",
    "rigid_body", "hopf", "lorenz",
)  # fmt: skip
"""The main rows; the full form takes all."""

BODIES = ("two_body", "three_body")

PARTS = ("data", "slopes", "rollout", "plane", "residuals")
LARGEST = 8.0
"""Megabytes: the script that draws has 4.8, the rest is data."""

RUNS, NOISE = 5, 0.01


def rows(full: bool) -> list[dict[str, Any]]:
    out = []
    with tempfile.TemporaryDirectory() as folder:
        for name in er.systems.names() if full else SYSTEMS:
            out += _page(name, Path(folder))
    return out


def _page(name: str, folder: Path) -> list[dict[str, Any]]:
    system, data, page = er.systems.get(name), folder / f"{name}.csv", folder / f"{name}.html"
    _table(_data(system)).to_csv(data, index=False)
    words = [
        "equations",
        str(data),
        "--time",
        "t",
        "--group",
        "run",
        "--report",
        str(page),
        "--quiet",
        *_library(system),
    ]
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as told:
        code = main(words)
    seconds = time.perf_counter() - start
    if code != 0:
        print(f"{name}: exit code {code}: {told.getvalue().strip()}", flush=True)
        return [row(f"page of {name}", "parts", 0, None, f"all {len(PARTS)}", False)]
    size, there = page.stat().st_size / 1e6, _parts(page.read_text(encoding="utf-8"))
    return [
        row(f"page of {name}", "parts", there, None, f"all {len(PARTS)}", there == len(PARTS)),
        row(f"page of {name}", "size [MB]", size, None, f"<= {LARGEST:g}", size <= LARGEST),
        row(f"page of {name}", "time [s]", seconds, None, None, None),
    ]


def _data(system: er.systems.System) -> er.fields.Trajectories:
    """Noisy runs; where bodies start at rest as a whole their momenta depend on each other, and runs are boosted."""
    if system.name not in BODIES:
        return system.trajectories(rng=0, n_runs=RUNS, noise=NOISE)
    rng, t = np.random.default_rng(0), np.linspace(0.0, system.span, 200)
    starts = system.draw(rng, RUNS)
    for j, name in enumerate(system.names):
        if name.startswith("p"):  # p1x: the first body, along x
            mass, along = system.parameters[f"m{name[1]}"], "xy".index(name[2])
            starts[:, j] += mass * np.random.default_rng([1, along]).normal(size=RUNS)
    runs = np.stack([system.simulate(start, t) for start in starts])
    noisy = runs + NOISE * runs.std(axis=(0, 1)) * rng.normal(size=runs.shape)
    return er.fields.Trajectories.from_arrays(list(noisy), t, system.names)


def _parts(page: str) -> int:
    """Figures that have a place and curves, on a page with equations and nothing from elsewhere."""
    body = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    if "<math" not in body or re.search(r"\b(src|href)=", body):
        return 0
    return sum(f"id='{part}'" in body and f'"{part}":{{"data":[{{' in page for part in PARTS)


def _library(system: er.systems.System) -> list[str]:
    truth = er.dynamics.Equations.from_text(system.equations())
    degree = 3 if system.dim < 4 else 2 if system.dim < 7 else 1
    points = np.random.default_rng(0).uniform(0.5, 1.5, (20, system.dim))
    columns: list[tuple[str, np.ndarray]] = []
    for text, powers in zip(truth.terms, truth.powers, strict=True):
        values = Formula(text, system.names).evaluate(dict(zip(system.names, points.T, strict=True)))
        # (a - b)**2 and (b - a)**2 are one function in two spellings
        if powers is None and not any(np.allclose(np.abs(values), np.abs(known)) for _, known in columns):
            columns.append((text, values))
    return ["--degree", str(degree), *(word for text, _ in columns for word in ("--feature", text))]


def _table(flow: er.fields.Trajectories) -> pd.DataFrame:
    frames = [
        pd.DataFrame({"run": run.label, "t": run.time} | dict(zip(flow.names, run.states.T, strict=True)))
        for run in flow.runs
    ]
    return pd.concat(frames, ignore_index=True)
