"""Readable generators: sparse in coordinates of unit spread about the samples, rounded in the user's units.

Which entries of a generator are zero can only be told in coordinates in which all entries have
comparable errors: centred on the samples and divided by their spread. Which entries are simple numbers
can only be told in the units in which the generator is written. So the basis is chosen in the first
and rounded in the second, and a rounding that costs anything is dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
from scipy import sparse

from erlangen._typing import NDArray
from erlangen.actions import AbstractAction, PolynomialAction, UnknownOutput, behind
from erlangen.algebra.field_order import order_fields
from erlangen.algebra.readable import readable_basis
from erlangen.fields.table import substitute
from erlangen.linalg.polynomials import row_index
from erlangen.linalg.qr import rounding

WITHIN = 3.0
"""Standard errors within which a simpler number is as good."""

DENSE_ENTRIES = 1_000_000
"""Entries of the unit map up to which single generators are taken back by least squares (8 MB)."""

LARGEST_DENOMINATOR = 12
"""Fractions that a person writes."""

CHANCE = 0.25
"""A fraction is believed where at most this share of all numbers would be as close to one of its kind."""


def readable_generators(
    action: AbstractAction, basis: NDArray, noise: float, centre: NDArray, scale: NDArray, cost: Callable
) -> list[NDArray]:
    """Sparse, rounded combinations of the columns of ``basis (p, r)``, in the order of a person's list.

    Parameters
    ----------
    noise : float
        Error of a generator of unit size.
    centre, scale : ndarray (d,)
        Mean and spread of the samples.
    cost : callable
        Relative defect of a generator ``(p,)``, and the defect that a rounding of it may have.
    """
    if basis.shape[1] == 0:
        return []
    base = behind(action)
    if not isinstance(base, PolynomialAction):
        rows = readable_basis(np.linalg.qr(basis)[0].T, noise=min(max(noise, 8 * rounding(basis.shape)), 0.1))
        return list(rows.coefficients)
    units = _unit_map(action, base, centre[: base.point_dim], scale[: base.point_dim])
    sizes = np.sqrt(np.asarray(units.multiply(units).sum(axis=1)).ravel())
    q, _ = np.linalg.qr(basis * sizes[:, None])
    basis = q / sizes[:, None]
    rows = np.asarray((units.T @ basis).T)
    # Far from the origin entries cancel, once in the factors and once here: what is left is known less well.
    cancelled = float(np.linalg.norm(np.asarray((abs(units).T @ abs(basis)).T)) / np.linalg.norm(rows))
    noise = min(max(noise, 8 * rounding(basis.shape) * max(1.0, cancelled) ** 2), 0.1)
    chosen = readable_basis(rows, noise=noise)
    degree = np.concatenate([_degrees(base), np.zeros(len(sizes) - base.n_generators)])
    kept = []
    for row, xi in zip(chosen.coefficients, chosen.transform @ basis.T, strict=True):
        tries = [v for v in (_back(units, row), xi) if v is not None and np.any(v)]
        kept.append(_rounded(tries, sizes, degree, noise, cost, 8 * rounding(basis.shape) * cancelled))
    return _listed(action, base, np.array(kept))


def _degrees(base: PolynomialAction) -> NDArray:
    """Highest degree ``(p,)`` of a coefficient of each candidate."""
    of_column = np.tile(base.exponents.sum(axis=1), base.point_dim)
    coo = base.matrix.tocoo()
    out = np.zeros(base.n_generators)
    np.maximum.at(out, coo.coords[0], of_column[coo.coords[1]])
    return out


def _leading(xi: NDArray, sizes: NDArray, degree: NDArray) -> int:
    """The entry that is written as 1: the first large one among those of the highest degree that matter."""
    weight = np.abs(xi) * sizes
    top = degree == degree[weight > 0.01 * weight.max()].max()  # a hundredth: no more than shifts of the origin
    return int(np.flatnonzero(top & (weight > 0.5 * weight[top].max()))[0])


def _back(units: sparse.csr_array, row: NDArray) -> NDArray | None:
    """Coefficients over the candidates of a generator in unit coordinates, where it is one of theirs."""
    if units.shape[0] * units.shape[1] > DENSE_ENTRIES:
        return None
    xi, *_ = np.linalg.lstsq(units.toarray().T, row, rcond=None)
    return xi if np.linalg.norm(units.T @ xi - row) <= 1e-9 * np.linalg.norm(row) else None


def _listed(action: AbstractAction, base: PolynomialAction, rows: NDArray) -> list[NDArray]:
    if isinstance(action, UnknownOutput):  # pairs may move values only
        return list(rows)
    listing = order_fields(base.exponents, base.restrict(rows[:, : base.n_generators].T).coefficients)
    return list(listing.signs[:, None] * rows[listing.order])


def _unit_map(action: AbstractAction, base: PolynomialAction, centre: NDArray, scale: NDArray) -> sparse.csr_array:
    """Matrix ``(p, N)``: the generators as coefficients over monomials of ``(x - centre) / scale``."""
    d = base.point_dim
    shift = centre if closed_under_shifts(base.exponents) else np.zeros(d)
    _, powers = substitute(base.exponents, np.eye(len(base.exponents)), np.diag(scale), shift)
    change = sparse.kron(sparse.diags_array(1.0 / scale), sparse.csr_array(powers), format="csr")
    points = sparse.csr_array(base.matrix @ change)
    extra = action.n_generators - base.n_generators
    return points if extra == 0 else sparse.csr_array(sparse.block_diag([points, sparse.identity(extra)]))


def closed_under_shifts(table: NDArray) -> bool:
    """Whether a table holds every monomial that divides one of its own: then the origin can be moved."""
    known = row_index(table)
    for row in known:
        for j, e in enumerate(row):
            if e and (*row[:j], e - 1, *row[j + 1 :]) not in known:
                return False
    return True


def _rounded(
    tries: list[NDArray], sizes: NDArray, degree: NDArray, noise: float, cost: Callable, least: float
) -> NDArray:
    """Replace entries by simple numbers where that costs nothing; the last of the tries is the estimate itself.

    Of all acceptable forms the one with the fewest entries is taken; ``least`` is the defect that rounding
    alone may cause.
    """
    good = [tries[-1] / tries[-1][_leading(tries[-1], sizes, degree)]]
    for estimate in tries:
        plain = np.where(np.abs(estimate) * sizes > noise * np.linalg.norm(estimate * sizes), estimate, 0.0)
        if not np.any(plain):
            continue
        one = plain[_leading(plain, sizes, degree)]  # of what is left: an entry that is dropped must not lead
        xi, plain = estimate / one, plain / one
        tolerance = WITHIN * noise * np.linalg.norm(xi * sizes) / sizes
        simple = np.array([0.0 if v == 0 else _simple(v, t) for v, t in zip(plain, tolerance, strict=True)])
        for candidate in (plain, _whole(simple)):
            defect, allowed = cost(candidate, tries[-1])
            if defect <= max(allowed, least):
                good.append(candidate)
    return min(reversed(good), key=np.count_nonzero)  # reversed: of equals, the rounded one


def _simple(value: float, tolerance: float) -> float:
    """The simplest number within the tolerance: a fraction, a root of one, a short decimal, else the number."""
    for square in (False, True):
        target = value * abs(value) if square else value
        reach = 2 * abs(value) * tolerance if square else tolerance
        for q in range(1, LARGEST_DENOMINATOR + 1):
            near = round(target * q)
            chance = 2 * reach * q if not (q == 1 and not square) else reach
            if near and abs(target - near / q) <= reach and chance <= CHANCE:
                return float(np.sign(near) * np.sqrt(abs(near / q))) if square else near / q
    for digits in (1, 2, 3, 4):
        short = float(f"{value:.{digits}g}")
        if abs(short - value) <= tolerance and tolerance <= abs(value) * 10.0 ** (-digits) * CHANCE:
            return short
    return value


def _whole(xi: NDArray) -> NDArray:
    """Clear small denominators: x d/dx + 1/2 y d/dy reads 2 x d/dx + y d/dy."""
    fractions = [Fraction(float(v)).limit_denominator(LARGEST_DENOMINATOR) for v in xi if v]
    if any(abs(float(f) - v) > 4 * np.finfo(float).eps * abs(v) for f, v in zip(fractions, xi[xi != 0], strict=True)):
        return xi
    common = int(np.lcm.reduce([f.denominator for f in fractions])) if fractions else 1
    return xi * common if common <= LARGEST_DENOMINATOR else xi
