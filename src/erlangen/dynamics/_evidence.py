"""What constants found on data amount to: laws, functions of laws, relations, or accidents of the runs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from erlangen._typing import NDArray
from erlangen.dynamics._change import Forms, block_scales
from erlangen.dynamics._law import Law
from erlangen.fields.libraries import Features
from erlangen.fields.trajectories import Trajectories
from erlangen.linalg.polynomials import exponents, monomials

_POINTS = 1000
_HIGHEST_POWER = 3
_NAMED = 12
"""Functions without coverage that are named."""
_LONG = 60
"""Longer formulas are cut there."""


@dataclass(frozen=True, eq=False)
class Ground:
    """What is needed to judge constants beside the forms.

    Attributes
    ----------
    flow : Trajectories
    features : Features
    blocks : tuple of tuple of int
        Coordinates that share a unit.
    limit : float
        Relative defect up to which a function counts as constant.
    """

    flow: Trajectories
    features: Features
    blocks: tuple[tuple[int, ...], ...]
    limit: float

    @property
    def scales(self) -> NDArray:
        """Size ``(d,)`` of the coordinates over all runs, one for each unit."""
        x = self.flow.points
        return block_scales(np.atleast_2d(np.cov(x.T)), self.blocks)

    def points(self) -> NDArray:
        """At most 1,000 samples ``(n, d)``, spread over the runs."""
        x = self.flow.points
        return x[np.unique(np.linspace(0, len(x) - 1, min(_POINTS, len(x))).astype(int))]

    def mixed_points(self) -> NDArray:
        """States ``(n, d)`` off the runs: a block of coordinates is a sample's plus half the difference of two others.

        On the runs themselves a constant has as many values as there are runs, so that everything would be a
        function of everything. The points stay in the affine span of the data.
        """
        given = self.points()
        out = given.copy()
        rng = np.random.default_rng(0)
        for block in map(list, self.blocks):
            i, j, k = (rng.permutation(len(given)) for _ in range(3))
            out[:, block] = given[i][:, block] + (given[j][:, block] - given[k][:, block]) / 2
        inside = self.features.defined(out)
        return out[inside] if 2 * inside.sum() >= len(out) else given


def independent_count(ground: Ground, laws: list[Law], tolerance: float) -> int:
    """Number of functionally independent laws: the rank of their gradients at most points."""
    return _rank(laws, ground.mixed_points(), np.diag(ground.scales), tolerance)


def _rank(laws: list[Law], x: NDArray, directions: NDArray, tolerance: float) -> int:
    """Median rank of the gradients at points ``x (n, d)`` along directions ``(d, k)``."""
    if not laws or not directions.shape[1]:
        return 0
    gradients = np.stack([law.gradient(x) for law in laws], axis=1) @ directions
    lengths = np.linalg.norm(gradients, axis=2, keepdims=True)
    s = np.linalg.svd(gradients / np.where(lengths > 0, lengths, 1.0), compute_uv=False)
    return int(np.median(np.sum(s > tolerance * np.sqrt(len(laws)), axis=1)))


def freedom(ground: Ground, laws: list[Law], tolerance: float) -> tuple[int, int]:
    """Directions in which a run moves by more than the limit, and independent laws along them.

    Of all runs, the one that the laws leave least freedom.
    """
    found = []
    for run in ground.flow.runs:
        spread = np.atleast_2d(np.cov(run.states.T))
        scales = block_scales(spread, ground.blocks)
        safe = np.where(scales > 0, scales, 1.0)
        size, vectors = np.linalg.eigh(spread / np.outer(safe, safe))
        moving = np.sqrt(np.maximum(size, 0.0)) > ground.limit * np.sqrt(max(float(size[-1]), 0.0))
        x = run.states[:: 1 + len(run.states) // _POINTS]
        directions = scales[:, None] * vectors[:, moving]
        found.append((directions.shape[1], _rank(laws, x, directions, tolerance)))
    return min(found, key=lambda pair: pair[0] - pair[1])


def split_products(ground: Ground, laws: list[Law], tolerance: float) -> tuple[list[Law], list[Law]]:
    """Set apart laws that are polynomials in simpler ones, such as the square of the energy."""
    x = ground.mixed_points()
    kept: list[Law] = []
    dependent: list[Law] = []
    for law in laws:
        if kept and _is_polynomial_of(law.values(x), np.stack([one.values(x) for one in kept], axis=1), tolerance):
            dependent.append(replace(law, verdict="a polynomial in the laws above"))
        else:
            kept.append(law)
    return kept, dependent


def _is_polynomial_of(y: NDArray, values: NDArray, tolerance: float) -> bool:
    z = (values - values.mean(axis=0)) / np.where(values.std(axis=0) > 0, values.std(axis=0), 1.0)
    degree = max(k for k in range(1, _HIGHEST_POWER + 1) if k == 1 or len(exponents(z.shape[1], k)) < len(y) // 2)
    table = exponents(z.shape[1], degree)
    terms = monomials(z, table)
    terms = terms / np.linalg.norm(terms, axis=0)
    left = y - terms @ np.linalg.lstsq(terms, y, rcond=None)[0]
    size = float(np.linalg.norm(y - y.mean()))
    return bool(size > tolerance * np.linalg.norm(y) and np.linalg.norm(left) <= tolerance * size)


def separable(forms: Forms, law: Law, laws: list[Law], limit: float) -> tuple[str, float] | None:
    """Return a term of a law that is constant by itself within the limit, as the rest of the law is, and its defect.

    On circular orbits distance and speed are constant, so that energy cannot be told from either.
    """
    support = law.formulation.support
    known = [set(one.formulation.support.tolist()) for one in laws if one is not law]
    for k in support if len(support) > 1 else []:
        alone, rest = np.zeros(len(law.function)), law.function.copy()
        alone[k], rest[k] = 1.0, 0.0
        defects = forms.defect(alone), forms.defect(rest)
        if max(defects) <= limit and {int(k)} not in known:
            return law.features.texts[k], max(defects)
    return None


def drifting(forms: Forms, vectors: NDArray, limit: float) -> tuple[NDArray, NDArray]:
    """Split constants into those whose increments over whole runs are small too, and those that drift.

    A slow decay has a small derivative everywhere and still ends far from where it began.
    """
    if not vectors.shape[1]:
        return vectors, vectors
    part = forms.restrict(vectors)
    _, s, vt = np.linalg.svd(part.scale, full_matrices=True)
    keep = s > s[0] * np.sqrt(np.finfo(np.float64).eps) if s[0] > 0 else np.zeros(len(s), dtype=bool)
    if not keep.any():
        return vectors, vectors[:, :0]
    _, defects, wt = np.linalg.svd(part.change @ (vt[keep].T / s[keep]))
    basis = (vt[keep].T / s[keep]) @ wt.T
    defects = np.r_[defects, np.zeros(basis.shape[1] - len(defects))]
    still = np.column_stack([basis[:, defects <= limit], vt[~keep].T])
    return vectors @ still, vectors @ basis[:, defects > limit]


def words_on_coverage(ground: Ground, silent: list[str]) -> list[str]:
    """What the data cannot speak about, in words; ``silent`` are formulas that nothing confirms."""
    out = []
    constant = ground.flow.constant_columns()
    if constant:
        out.append(f"{_list(constant)} never change{'s' if len(constant) == 1 else ''}: nothing is learned from them")
    held = ground.flow.parameters()
    if held:
        words = "a column that never changes within a run: a parameter or a momentum"
        if len(held) > 1:
            words = "columns that never change within a run: parameters or momenta"
        out.append(f"{_list(held)} change{'s' if len(held) == 1 else ''} from run to run but within none: {words}")
    if silent:
        out.append(
            f"no coverage: {len(silent)} of {ground.features.size} directions of the library have gradients that leave "
            "the directions in which the runs move; their constancy would say nothing, and they are not counted: "
            + "; ".join(_clipped(text) for text in silent[:_NAMED])
            + (f"; and {len(silent) - _NAMED} more" if len(silent) > _NAMED else "")
        )
    return out


def _clipped(text: str) -> str:
    return text if len(text) <= _LONG else text[: _LONG - 4].rsplit(" ", 1)[0] + " ..."


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(names[:8]) + (" ..." if len(names) > 8 else "")
