"""Coverage: what the data say about the region where a symmetry is claimed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from erlangen._render import number, polynomial_text
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction, AbstractLift, PolynomialAction, behind, coordinate_names
from erlangen.derivative import LieDerivative, Samples
from erlangen.derivative.measures import AbstractMeasure, orthonormal_change
from erlangen.evidence.certificate import Gate
from erlangen.fields import AbstractLinearField, PolynomialField, lift
from erlangen.fields.bases import BasisField, Monomials
from erlangen.linalg.polynomials import derivative_table, exponents, monomials
from erlangen.linalg.qr import rounding, triangular_factor
from erlangen.linalg.svd import svd

RESOLVED = float(1.0 / np.sqrt(np.finfo(np.float64).eps))
"""Factor beyond which data say nothing: half of the digits of a difference along them are then lost."""

POINTS = 2048
"""Points of the region at which functions are compared where they cannot be integrated."""

BEYOND = 0.25
"""Part of the range of the data by which a region may reach beyond it; further out it rests on the class alone."""

TAIL = 0.01
"""Share of the region at either end of a coordinate that does not count: laws have tails that few data reach."""

SHOWN = 1e-6
"""Coefficients below this part of the largest are rounding and not written."""


@dataclass(frozen=True, eq=False)
class Extrapolation(AbstractShown):
    """How sizes of residual functions on the data compare with those on the region.

    Attributes
    ----------
    up, down : float
        sqrt(kappa) and sqrt(kappa'): largest ratio of a size on the region to that on the data, and the reverse.
    vanishing : int
        Number of residual functions that vanish on the data, to rounding, but not on the region.
    example : str
        One of them as a formula; empty where there is none or it has no formula.
    """

    up: float
    down: float
    vanishing: int
    example: str

    @property
    def factor(self) -> float:
        """sqrt(kappa kappa'): a defect on the region is at most this many times the defect on the data."""
        return self.up * self.down


def extrapolation(
    family: AbstractLinearField,
    action: AbstractAction,
    x: ArrayLike,
    samples: Samples,
    weights: ArrayLike | None = None,
) -> Extrapolation:
    """Compare the data's measure with that of the region on all residual functions L_xi f of a class.

    With functions orthonormal on the region as columns, at the data, as a matrix: its singular values lie between
    1/sqrt(kappa) and sqrt(kappa'). No Gram matrix is formed, so a function that vanishes on the data is told from
    one that is small.

    Parameters
    ----------
    family : AbstractLinearField
        The class of f.
    action : AbstractAction
        The candidates.
    x : array_like (n, d)
        Where the data are.
    samples : Samples
        Where the symmetry is claimed.
    weights : array_like (n,), optional
        Weights of the data.

    Returns
    -------
    Extrapolation
        How much larger a defect may be on the region than at the data, and the other way round.

    References
    ----------
    Cohen, Davenport and Leviatan, Foundations of Computational Mathematics 13 (2013) 819 (norms on data and on a
    region).

    Examples
    --------
    >>> from erlangen.actions import affine
    >>> from erlangen.fields import polynomial_field
    >>> region = Samples.box(-1, 1, dim=1)
    >>> f = polynomial_field(1, 2, [0, 0, 0])
    >>> wide, narrow = region.points, region.points / 4
    >>> [round(extrapolation(f, affine(1), x, region).factor, 1) for x in (wide, narrow)]
    [1.0, 33.6]
    """
    data = np.atleast_2d(np.asarray(x, dtype=np.float64))
    w = np.ones(len(data)) if weights is None else np.asarray(weights, dtype=np.float64).reshape(len(data), -1).mean(1)
    root = np.sqrt(w / w.sum())[:, None]
    table = residual_table(family, action)
    if table is None:
        few = few_of(samples, POINTS)
        on_region, on_data = (_functions(family, action, points) for points in (few.points, data))
        whiten = _whiten(on_region * np.repeat(np.sqrt(few.weights), len(on_region) // len(few))[:, None], False)
        values = on_data * np.repeat(root, len(on_data) // len(data), axis=0)
    else:
        whiten, values = _orthonormal(table, samples), monomials(data, table) * root
    if whiten.shape[1] == 0:
        return Extrapolation(1.0, 1.0, 0, "")
    there = values @ whiten
    there = triangular_factor([there], there.shape[1]) if len(there) > there.shape[1] else there
    _, sizes, right = np.linalg.svd(there, full_matrices=True)
    sizes = np.r_[sizes, np.zeros(whiten.shape[1] - len(sizes))]
    gone = sizes * RESOLVED <= sizes[0]
    example = "" if table is None or not gone.any() else _simplest(table, whiten @ right[gone].T)
    least = 0.0 if gone.any() else float(sizes[-1])
    return Extrapolation(1.0 / least if least > 0 else np.inf, float(sizes[0]), int(gone.sum()), example)


def coverage(
    family: AbstractLinearField,
    action: AbstractAction,
    x: ArrayLike,
    samples: Samples,
    *,
    delta: float = 0.05,
    weights: ArrayLike | None = None,
) -> Gate:
    """Whether data determine the residual functions on the region where a symmetry is claimed.

    The value is the extrapolation factor sqrt(kappa kappa'), see :func:`extrapolation`; infinite where a residual
    function vanishes on the data, which fails. Where it is finite, bounds that are taken on the region account for
    it by being wide; the words say what a defect measured on the data alone would be worth.
    """
    found = extrapolation(family, action, x, samples, weights)
    if np.isinf(found.factor):
        such = f", such as {found.example}," if found.example else ""
        return Gate(
            "coverage",
            False,
            found.factor,
            RESOLVED,
            f"{found.vanishing} independent residual function{'s' if found.vanishing > 1 else ''}{such} vanish"
            f"{'' if found.vanishing > 1 else 'es'} on the data but not on the region: any symmetry may be broken "
            "there; claim it where the data are (samples = the data), or measure elsewhere",
        )
    words = f"sizes on the region and on the data differ by up to {number(found.factor, 3)} times"
    if found.factor * delta >= 1.0:
        words += f": a defect measured on the data alone could hide a broken symmetry (1 / delta = {1 / delta:g})"
    return Gate("coverage", True, found.factor, RESOLVED, words)


def span(x: ArrayLike, samples: Samples, names: tuple[str, ...] | None = None) -> Gate:
    """Whether data vary in every direction in which the region reaches.

    The value is the least spread of the data beside that of the region, over all directions.
    """
    data = np.atleast_2d(np.asarray(x, dtype=np.float64))
    scale = np.where(samples.std > 0, samples.std, 1.0)
    region = np.eye(len(scale))
    if samples.measure is None:
        region = np.linalg.qr((samples.points - samples.mean) * np.sqrt(samples.weights)[:, None] / scale, mode="r")
    centred = (data - data.mean(axis=0)) / scale / np.sqrt(len(data))
    _, s, vt = np.linalg.svd(region, full_matrices=False)
    keep = s * RESOLVED > s[0]
    frame = vt[keep].T / s[keep]
    _, sizes, right = np.linalg.svd(centred @ frame, full_matrices=len(centred) < frame.shape[1])  # right is square
    sizes = np.r_[sizes, np.zeros(frame.shape[1] - len(sizes))]
    least, limit = float(sizes.min()), float(max(sizes[0], 1.0) / RESOLVED)
    if least > limit:
        return Gate("span of the data", True, least, limit, "the data vary in every direction of the region")
    flat = int(np.sum(sizes <= limit))
    normal = np.linalg.pinv(frame).T @ right[-1] / scale
    normal *= np.sign(normal[np.argmax(np.abs(normal))])
    text = polynomial_text(exponents(len(normal), 1)[1:], _rounded(normal), names or coordinate_names(len(normal)))
    return Gate(
        "span of the data",
        False,
        least,
        limit,
        f"the region reaches in {flat} direction{'s' if flat > 1 else ''} in which the data do not vary ({text} is "
        "constant on them): generators that leave their span are not decided; claim the symmetry on the data's span",
    )


def reach(x: ArrayLike, samples: Samples, names: tuple[str, ...] | None = None) -> Gate:
    """Whether the region lies within the range of the data, coordinate by coordinate.

    A class of functions can be tested where data are, and nowhere else: |z| and z are one function of points z > 0.
    The value is the largest part of a coordinate's range by which the region reaches beyond it.
    """
    data = np.atleast_2d(np.asarray(x, dtype=np.float64))
    low, high = data.min(axis=0), data.max(axis=0)
    ends = np.array([_quantiles(column, samples.weights) for column in samples.points.T]).T
    slack = RESOLVED**-1 * np.maximum(np.abs(low), np.abs(high))
    over = np.maximum(low - ends[0], ends[1] - high)
    width = np.where(high > low, high - low, np.finfo(np.float64).tiny)
    parts = np.where(over > slack, over, 0.0) / width
    worst = int(np.argmax(parts))
    value = float(parts[worst])
    if value <= BEYOND:
        words = f"the region reaches beyond it by at most {value:.0%}" if value > 0 else "it holds all of the region"
        return Gate("range of the data", True, value, BEYOND, words)
    name = (names or coordinate_names(data.shape[1]))[worst]
    return Gate(
        "range of the data",
        False,
        value,
        BEYOND,
        f"the region, {number(ends[0, worst], 2)} to {number(ends[1, worst], 2)} in {name}, reaches far beyond the "
        f"data, {number(low[worst], 2)} to {number(high[worst], 2)}: what the function does there is assumed, not "
        "tested; measure there, or claim the symmetry where the data are",
    )


def _quantiles(column: NDArray, weights: NDArray) -> tuple[float, float]:
    """Both ends ``TAIL`` and ``1 - TAIL`` of one coordinate of the region."""
    order = np.argsort(column)
    below = np.cumsum(weights[order])
    first, last = np.searchsorted(below, [TAIL * below[-1], (1.0 - TAIL) * below[-1]])
    return float(column[order[first]]), float(column[order[min(last, len(order) - 1)]])


def residual_table(family: AbstractLinearField, action: AbstractAction) -> NDArray | None:
    """Exponents of the monomials of all L_xi f, f in the class; None where these are not polynomials."""
    if isinstance(family, PolynomialField):
        own = family.table
    elif isinstance(family, BasisField) and isinstance(family.basis, Monomials):
        own = family.basis.table
    else:
        return None
    lifted = lift(family, action)
    base: Any = behind(lifted)
    carried = isinstance(base, AbstractLift)
    base = base.base if carried else base
    if not isinstance(base, PolynomialAction):
        return None
    psi, d = base.exponents, family.point_dim
    used = np.asarray(abs(base.matrix).sum(axis=0)).reshape(d, len(psi)) > 0
    parts = [own] if base.output is not None or behind(lifted) is not lifted else []
    for j in range(d):
        factors, lowered = derivative_table(own, j)
        parts.append((lowered[factors > 0][:, None] + psi[used[j]]).reshape(-1, d))
        if carried:
            factors, lowered = derivative_table(psi[used.any(axis=0)], j)
            parts.append((own[:, None] + lowered[factors > 0]).reshape(-1, d))
    return np.unique(np.vstack(parts), axis=0)


def _orthonormal(table: NDArray, samples: Samples) -> NDArray:
    """Coefficients ``(r, k)`` of polynomials over a table that are orthonormal on the region."""
    if samples.measure is not None:
        return _on_measure(samples.measure, np.ascontiguousarray(table, dtype=np.int64).tobytes(), table.shape[1])
    rows = monomials(samples.points, table) * np.sqrt(samples.weights)[:, None]
    return _whiten(triangular_factor([rows], len(table)), False)


@lru_cache(maxsize=16)
def _on_measure(measure: AbstractMeasure, content: bytes, d: int) -> NDArray:
    table = np.frombuffer(content, dtype=np.int64).reshape(-1, d)
    return _whiten(orthonormal_change(measure, table).toarray(), True)


def _whiten(rows: NDArray, exact: bool) -> NDArray:
    """Combinations ``(r, k)`` of columns that are orthonormal; those that vanish do not matter and are left out.

    On points rounding hides them from half of the digits on; integrated exactly, from the last one.
    """
    norms = np.linalg.norm(rows, axis=0)
    norms = np.where(norms > 0, norms, 1.0)
    _, s, vt = svd(rows / norms)
    keep = s > (rounding(rows.shape) if exact else 1.0 / RESOLVED) * s.max(initial=0.0)
    return (vt[keep].T / s[keep]) / norms[:, None]


def few_of(samples: Samples, n: int) -> Samples:
    """Some points of the region; of a known measure fresh ones, since every second of a sequence is not like all."""
    return samples.subset(n) if samples.measure is None else Samples.from_data(samples.measure.draw(n, 0))


def _functions(family: AbstractLinearField, action: AbstractAction, x: NDArray) -> NDArray:
    """Residual functions at points, one column each: scalar ones where the class is one basis for all channels."""
    base: Any = behind(lift(family, action))
    base = base.base if isinstance(base, AbstractLift) else base
    if isinstance(family, BasisField) and isinstance(base, PolynomialAction):
        slopes, psi = family.basis.gradients(x), monomials(x, base.exponents)
        moved = np.einsum("nqa,nr->nqar", slopes, psi).reshape(len(x), -1)
        return np.hstack([moved, family.basis.evaluate(x)])
    lie = LieDerivative(family, action, Samples.from_data(x))
    return (lie.tensor() * np.sqrt(len(x))).reshape(len(x) * family.value_dim, -1)


def _simplest(table: NDArray, c: NDArray) -> str:
    """The polynomial of lowest degree among combinations of the columns of ``c (r, k)`` over a table ``(r, d)``."""
    order = np.argsort(-table.sum(axis=1), kind="stable")
    reduced = c[order].copy()
    for k in range(c.shape[1] - 1):  # eliminate the highest monomials, one column at a time
        rest = np.abs(reduced[:, k:]).max(axis=1)
        row = int(np.flatnonzero(rest > SHOWN * rest.max())[0])
        pivot = k + int(np.argmax(np.abs(reduced[row, k:])))
        reduced[:, [k, pivot]] = reduced[:, [pivot, k]]
        reduced[:, k + 1 :] -= np.outer(reduced[:, k], reduced[row, k + 1 :] / reduced[row, k])
    lead = reduced[np.flatnonzero(np.abs(reduced[:, -1]) > SHOWN * np.abs(reduced[:, -1]).max())[0], -1]
    return polynomial_text(table[order], _rounded(reduced[:, -1] * np.sign(lead)), coordinate_names(table.shape[1]))


def _rounded(c: NDArray) -> list[float]:
    """Coefficients over the largest, without what is rounding."""
    c = c / np.abs(c).max()
    return [float(v) for v in np.round(np.where(np.abs(c) > SHOWN, c, 0.0), 6)]
