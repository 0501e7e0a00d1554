"""Discovery on data that are never in memory: one reduction over blocks, on two Dask workers of one thread.

Eight coordinates, 72 affine generators and 8.7e7 samples make 50 GB of rows; they are generated block by block, each
block from a seed of its own. The default run takes a tenth of them. The ceiling is measured in the same run: two plain
processes that do the same two passes, each over its half of the blocks, with no scheduler between them.
"""

from __future__ import annotations

import multiprocessing as mp
import os
import resource
import signal
import threading
import time
from typing import Any

import numpy as np
from scipy.linalg import subspace_angles

import erlangen as er
from benchmarks._row import row
from erlangen.blocks import DaskEngine, SerialEngine, generated, local_cluster

DIM, BLOCK = 8, 100_000
BLOCKS, FULL = 87, 870
FIT = 6
"""Blocks that fit into memory, for the comparison with the path in memory."""
WORKERS = 2
GB = 1e9


def points(i: int) -> np.ndarray:
    """Block i of the samples, ``(BLOCK, DIM)``, from its own seed."""
    return np.random.default_rng([1872, i]).uniform(-1.0, 1.0, (BLOCK, DIM))


def radial(x: np.ndarray) -> np.ndarray:
    """exp(-|x|^2 / 8): left alone by so(8), 28 of the 72 affine generators."""
    return np.exp(-np.einsum("na,na->n", x, x) / 8.0)


def slope(x: np.ndarray) -> np.ndarray:
    return -x / 4.0 * radial(x)[:, None]


def table(blocks: int) -> Any:
    return generated(points, blocks, dim=DIM)


def field() -> Any:
    return er.as_field(radial, dim=DIM, jacobian=slope)


def passes(blocks: Any) -> Any:
    """The two passes of discovery over the blocks: where the samples are, and the triangular factors."""
    samples = er.Samples.from_blocks(blocks)
    return er.LieDerivative(field(), er.actions.affine(DIM), samples).factors()


def _half(blocks: int, first: int, ready: Any, go: Any, done: Any) -> None:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # as a worker has it
        passes(generated(points, 2, dim=DIM))  # imports are no part of the work
        ready.put(os.getpid())
        go.wait()
        passes(generated(_From(first), blocks, dim=DIM))
    done.put(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


class _From:
    """Blocks from a first one on."""

    def __init__(self, first: int) -> None:
        self.first = first

    def __call__(self, i: int) -> np.ndarray:
        return points(self.first + i)


def ceiling(blocks: int) -> float:
    """Seconds of two processes that know nothing of each other, each with half of the blocks."""
    context = mp.get_context("spawn")
    ready, done, go = context.Queue(), context.Queue(), context.Event()
    half = blocks // 2
    parts = [(half, 0), (blocks - half, half)]
    workers = [context.Process(target=_half, args=(*part, ready, go, done)) for part in parts]
    for worker in workers:
        worker.start()
    for _ in workers:
        ready.get()
    start = time.perf_counter()
    go.set()
    for _ in workers:
        done.get()
    seconds = time.perf_counter() - start
    for worker in workers:
        worker.join()
    return seconds


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _threads() -> int:
    from threadpoolctl import threadpool_info

    return max((pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"), default=1)


def _angle(a: Any, b: Any) -> float:
    return float(subspace_angles(a.generators.T, b.generators.T).max())


def _same_answer(engine: DaskEngine) -> list[dict[str, Any]]:
    """Samples that fit into memory, by all three ways."""
    blocks = table(FIT)
    memory = er.discover(field(), er.actions.affine(DIM), np.vstack([points(i) for i in range(FIT)]))
    rows = [row("in memory", "generators found, of so(8)", memory.dim, 28, "28", memory.dim == 28)]
    for name, other in (("one process", SerialEngine()), ("two workers", engine)):
        found = er.discover(field(), er.actions.affine(DIM), blocks.on(other))
        angle = _angle(memory, found)
        rows.append(
            row(
                f"{FIT * BLOCK:.0e} samples, {name}",
                "principal angle to the path in memory",
                angle,
                None,
                "<= 1e-8",
                angle <= 1e-8,
            )
        )
    return rows


def _killed(engine: DaskEngine, blocks: int) -> list[dict[str, Any]]:
    """End one worker by its process number in the middle of the second pass."""
    whole = table(blocks)
    samples = er.Samples.from_blocks(whole.on(engine))
    lie = er.LieDerivative(field(), er.actions.affine(DIM), samples)
    start = time.perf_counter()
    untouched = lie.factors().rows
    seconds = time.perf_counter() - start
    victim = next(iter(engine.client.run(os.getpid).values()))
    timer = threading.Timer(seconds / 2, os.kill, (victim, signal.SIGKILL))
    timer.start()
    again = lie.factors().rows
    timer.join()
    alive = list(engine.client.run(os.getpid).values())
    gap = float(np.abs(np.abs(again) - np.abs(untouched)).max() / np.abs(untouched).max())
    return [
        row("a worker killed in the middle", "largest change of R, relative", gap, None, "no change", gap == 0.0),
        row(
            "a worker killed in the middle",
            "the same process works on",
            float(victim in alive),
            None,
            "0",
            victim not in alive,
        ),
    ]


def run(full: bool) -> list[dict[str, Any]]:
    """Rows of the table; ``full`` takes all 8.7e7 samples."""
    count = FULL if full else BLOCKS
    n = count * BLOCK
    gigabytes = n * DIM * (DIM + 1) * 8 / GB
    with local_cluster(WORKERS, memory="1.5GB") as engine:
        rows = _same_answer(engine)
        passes(table(8).on(engine))  # imports on the workers are no part of the work
        first = ceiling(count)
        start = time.perf_counter()
        passes(table(count).on(engine))
        dask = time.perf_counter() - start
        second = ceiling(count)
        least = min(first, second)
        threads = max(engine.client.run(_threads).values())
        peak = max(engine.client.run(_peak).values()) / GB
        start = time.perf_counter()
        found = er.discover(field(), er.actions.affine(DIM), table(count).on(engine))
        whole = time.perf_counter() - start
        case = f"{n:.2g} samples, {gigabytes:.3g} GB of rows"
        rows += [
            row(case, "generators found, of so(8)", found.dim, 28, "28", found.dim == 28 and found.name == "so(8)"),
            row(
                case,
                "two passes on two workers [s], beside two plain processes",
                dask,
                least,
                "ceiling / time >= 0.85",
                least / dask >= 0.85,
            ),
            row(case, "whole of discover [s], beside two plain processes' passes", whole, least, None),
            row(case, "peak memory of a worker [GB]", peak, None, "<= 1.5", peak <= 1.5),
            row(case, "BLAS threads of a worker", threads, None, "1", threads == 1),
        ]
        return rows + _killed(engine, count // 2)
