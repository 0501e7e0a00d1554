"""Two seconds of work with known answers: does this installation compute what it should?"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

ROUNDING = 1e-12
"""Defects of an exact symmetry in float64, with room: they are a few units of 1e-16."""


@dataclass(frozen=True)
class Check:
    """One question with a known answer.

    Attributes
    ----------
    name, detail : str
        What was asked, and what came out.
    passed : bool
        Whether it is what should come out.
    seconds : float
        Time that it took.
    """

    name: str
    passed: bool
    detail: str
    seconds: float

    def __str__(self) -> str:
        return f"{'passed' if self.passed else 'FAILED'}: {self.name}: {self.detail}"


def rotations() -> tuple[bool, str]:
    """Discover the rotations that leave x^2 + y^2 + z^2 alone."""
    import erlangen as er

    sphere = er.Samples.box(-1, 1, dim=3)
    found = er.discover(lambda x: (x**2).sum(axis=1), er.actions.affine(3), sphere)
    worst = float(found.defects.max(initial=0.0))
    good = found.name == "so(3)" and found.dim == 3 and worst <= ROUNDING
    return good, f"{found.name}, {found.dim} generators, defects up to {worst:.1e}"


def cubics() -> tuple[bool, str]:
    """Enforce rotations on the cubic fields of the plane: four of twenty are left."""
    import erlangen as er

    family = er.fields.Polynomial(degree=3, dim=2).as_vector_field()
    basis = er.enforce(family, er.actions.rotation(2))
    return basis.dim == 4 and basis.residual == 0, f"{basis.dim} of {family.n_params} dimensions, {basis.method}"


def streams() -> tuple[bool, str]:
    """Factor a tall matrix block by block, and at once: singular values agree to rounding."""
    import numpy as np

    from erlangen.linalg.qr import StreamedQR, rounding

    tall = np.random.default_rng(0).normal(size=(6000, 24)) * np.logspace(0, -8, 24)
    stream = StreamedQR(tall.shape[1])
    for block in np.array_split(tall, 7):
        stream.update(block)
    apart, direct = (np.linalg.svd(a, compute_uv=False) for a in (stream.factor(), tall))
    error = float(np.abs(apart - direct).max() / direct[0])
    return error <= rounding(tall.shape), f"singular values differ by {error:.1e}"


def layer() -> tuple[bool, str]:
    """Move the input of an equivariant layer: the output moves along."""
    import erlangen as er
    from erlangen.algebra.groups import SO

    vectors, both = er.rep("2V + S", SO(3)), er.rep("V + V*V", SO(3))
    report = er.testing.equivariance_error(er.nn.EquivariantLinear(vectors, both), vectors >> both)
    return report.passed, f"{len(report.rows)} moves, errors up to {report.error:.1e}"


CHECKS: dict[str, Callable[[], tuple[bool, str]]] = {
    "discover so(3) to 1e-12": rotations,
    "enforce rotations on cubic fields": cubics,
    "QR in blocks against QR at once": streams,
}
WITH_TORCH: dict[str, Callable[[], tuple[bool, str]]] = {"an equivariant torch layer": layer}


def run(name: str, work: Callable[[], tuple[bool, str]]) -> Check:
    """Run one check; what it raises is a failure with a name."""
    start = time.perf_counter()
    try:
        passed, detail = work()
    except Exception as error:
        passed, detail = False, f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return Check(name, passed, detail, round(time.perf_counter() - start, 3))
