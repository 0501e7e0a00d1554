"""Lack of fit: a class too small is more symmetric than the truth, so it is tested inside larger ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from math import comb

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from erlangen._errors import InputError, explain
from erlangen._render import number
from erlangen._typing import NDArray
from erlangen.evidence.certificate import Gate
from erlangen.evidence.estimate import features_of
from erlangen.fields import AbstractLinearField, PolynomialField
from erlangen.fields._orthonormal import OrthonormalColumns
from erlangen.fields._path import SKETCH, sketch
from erlangen.fields.bases import BasisField, Monomials
from erlangen.linalg.polynomials import exponents, monomials
from erlangen.linalg.qr import rounding, triangular_factor
from erlangen.verbs._basis import closed_under_shifts

HIGHER = 2
"""Degrees above that of the class that are tried: one of either parity, since an odd term hides from even ones."""

MOST_TERMS = 500
"""Monomials up to which higher degrees are tried; beyond, ridge functions stand for them."""

LEVEL = 0.001
"""One class in a thousand that holds the truth is rejected; classes too small fail by hundreds of digits."""

DRAWS = 3999
"""Random signs of rows or groups, where the noise is not known to be equal: enough for that level thrice."""

BLOCKS = 32
"""Independent groups at least; fewer runs are cut into consecutive blocks, since signs of few give no small p."""

MOST_GROUPS = 256
"""Groups at most; more share signs."""

BLOCK = 2**21
"""Numbers in one block of rows (16 MB)."""

MOST_WORK = 1e10
"""Products that the test may take, about three seconds; of more rows some are drawn."""

ROWS_PER_COLUMN = 10
"""Rows for each column that are always kept."""

RUNS = ("grouped", "blocks")
"""Kinds of noise that depend on each other within runs."""


@dataclass(frozen=True, eq=False)
class _Rows:
    """What is fitted, in blocks of rows: one row for each independent value.

    Polynomials that hold every lower one span the same functions after a shift and a change of units, so they are
    written in centred coordinates of unit spread: far from the origin their raw powers are one function to rounding.
    """

    family: AbstractLinearField
    x: NDArray
    y: NDArray
    root: NDArray
    labels: NDArray
    centre: NDArray
    spread: NDArray
    stacked: bool
    extras: list[_Extra]

    @classmethod
    def build(
        cls, family: AbstractLinearField, x: NDArray, y: NDArray, weights: ArrayLike | None, labels: NDArray
    ) -> _Rows:
        root: NDArray = np.ones(len(x)) if weights is None else np.sqrt(np.asarray(weights, dtype=np.float64))
        root = root[:, 0] if root.ndim == 2 and root.shape[1] == 1 else root
        kept = root > 0 if root.ndim == 1 else (root > 0).any(axis=1)
        x, y, root, labels = x[kept], y[kept], root[kept], labels[kept]
        spread = x.std(axis=0)
        stacked = root.ndim == 2 or features_of(family, x[:1]).ndim == 3
        return cls(family, x, y, root, labels, x.mean(axis=0), np.where(spread > 0, spread, 1.0), stacked, [])

    @property
    def m(self) -> int:
        """Number of independent values."""
        return self.y.size if self.stacked else len(self.y)

    @property
    def copies(self) -> int:
        """Columns for each function: where rows are stacked, every channel gets its own."""
        return self.y.shape[1] if self.stacked else 1

    def features(self, x: NDArray) -> NDArray:
        """The class at points, ``(b, r)`` or ``(b, c, q)``."""
        table = _exponent_table(self.family)
        if table is None or not closed_under_shifts(table):
            return features_of(self.family, x)
        return monomials(self.centred(x), table)

    def centred(self, x: NDArray) -> NDArray:
        """Points in units of their spread."""
        return (x - self.centre) / self.spread

    def take(self, most: int, rng: np.random.Generator) -> _Rows:
        """At most so many of the rows, drawn at random."""
        if len(self.x) <= most:
            return self
        i = np.sort(rng.choice(len(self.x), most, replace=False))
        return replace(self, x=self.x[i], y=self.y[i], root=self.root[i], labels=self.labels[i])

    def blocks(self, width: int) -> Iterator[tuple[NDArray, NDArray, NDArray]]:
        """Columns ``(b, k)`` of the class and all extras, values ``(b, c)`` and labels, some rows at a time."""
        step = max(1, BLOCK // (width * (self.y.shape[1] if self.stacked else 1)))
        for start in range(0, len(self.x), step):
            yield self._block(slice(start, start + step))

    def _block(self, rows: slice) -> tuple[NDArray, NDArray, NDArray]:
        x, y, root, labels = self.x[rows], self.y[rows], self.root[rows], self.labels[rows]
        phi, extra = self.features(x), [e.evaluate(x if e.raw else self.centred(x)) for e in self.extras]
        if not self.stacked:
            return np.hstack([phi, *extra]) * root[:, None], y * root[:, None], labels
        c = y.shape[1]
        root = root if root.ndim == 2 else np.repeat(root[:, None], c, axis=1)
        parts = [part if part.ndim == 3 else _by_channel(part, c) for part in (phi, *extra)]
        wide = np.concatenate(parts, axis=2) * root[:, :, None]
        return wide.reshape(-1, wide.shape[2]), (y * root).reshape(-1, 1), np.repeat(labels, c)


@dataclass(frozen=True, eq=False)
class _Extra:
    """Functions that a larger class adds: of centred points in units of their spread, or of ``raw`` points."""

    name: str
    size: int
    evaluate: Callable[[NDArray], NDArray]
    raw: bool = False


def _by_channel(part: NDArray, c: int) -> NDArray:
    return np.einsum("ab,nr->nabr", np.eye(c), part).reshape(len(part), c, -1)


def lack_of_fit(
    family: AbstractLinearField,
    x: ArrayLike,
    y: ArrayLike,
    *,
    alpha: float = LEVEL,
    larger: AbstractLinearField | None = None,
    noise: str = "equal",
    weights: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    rng: int | np.random.Generator = 0,
) -> Gate:
    """Test a class of linear fields inside larger ones: what it leaves out may be what breaks the symmetry.

    Polynomial families are tested in the full class of their degree (where terms are missing) and in the next two
    degrees, every family also among random ridge functions. The smallest p-value counts, times their number and that
    of the channels. An exact F test per channel where noise is equal within channels; random signs of the scores of
    rows, runs or blocks of runs where it is not (a wild bootstrap, asymptotic).

    Parameters
    ----------
    family : AbstractLinearField
        The class; its own parameters play no part.
    x, y : array_like (n, d), (n, c)
        Observations.
    alpha : float
        Level: the probability that a class which holds the truth is rejected.
    larger : AbstractLinearField, optional
        The class to test in instead.
    noise : str
        As for `erlangen.evidence.estimate`.
    weights : array_like (n,) or (n, c), optional
        As for `erlangen.evidence.estimate`.
    groups : array_like (n,), optional
        As for `erlangen.evidence.estimate`.
    rng : int or Generator
        Draws ridge functions and signs.

    Returns
    -------
    Gate
        Whether the class passes, its p-value, and what speaks against it.

    Raises
    ------
    InputError
        When points and values do not fit the family.

    References
    ----------
    Seber and Lee, Linear Regression Analysis, 2003, section 4.3; Kline and Santos, J. Econometric Methods 1 (2012) 23.

    Examples
    --------
    >>> from erlangen.fields import polynomial_field
    >>> rng = np.random.default_rng(0)
    >>> x = rng.uniform(-1, 1, (200, 1))
    >>> y = x**3 + 0.01 * rng.standard_normal((200, 1))
    >>> lack_of_fit(polynomial_field(1, 1, [0, 0]), x, y).passed
    False
    >>> lack_of_fit(polynomial_field(1, 3, [0, 0, 0, 0]), x, y).passed
    True
    """
    x, y, rng = _table(x), _table(y), np.random.default_rng(rng)
    if x.shape != (len(y), family.point_dim):
        raise InputError(
            explain(
                "Points and values do not fit the family.",
                given=f"x of shape {x.shape}, y of shape {y.shape}",
                expected=f"x of shape (n, {family.point_dim}) and one row of y per point",
                fix="lack_of_fit(family, x, y)",
            )
        )
    wild = noise == "robust" or noise in RUNS or groups is not None
    rows = _Rows.build(family, x, y, weights, _labels(len(x), noise, groups))
    rows = replace(rows, extras=[e for e in _alternatives(rows, larger, rng) if e.size * rows.copies < rows.m])
    width = family.n_params + rows.copies * sum(e.size for e in rows.extras) + y.shape[1]
    part = rows.take(max(ROWS_PER_COLUMN * width, int(MOST_WORK / width**2)), rng)
    gate = _gate(_name(family), list(_tests(part, width, rng if wild else None)), alpha)
    if len(part.x) == len(rows.x):
        return gate
    return replace(gate, reason=f"{gate.reason}; on {len(part.x)} of {len(rows.x)} rows, drawn at random")


def _labels(n: int, noise: str, groups: ArrayLike | None) -> NDArray:
    """Rows with the same label ``(n,)`` keep their dependence: rows, runs, or blocks of runs."""
    if groups is None and noise not in RUNS:
        return np.arange(n) % MOST_GROUPS
    runs = (
        np.zeros(n, dtype=np.int64) if groups is None else np.unique(np.asarray(groups).ravel(), return_inverse=True)[1]
    )
    count = int(runs.max()) + 1
    if count < BLOCKS:
        blocks, each = np.zeros(n, dtype=np.int64), -(-BLOCKS // count)
        for run in range(count):
            own = np.flatnonzero(runs == run)
            blocks[own] = np.arange(len(own)) * each // len(own)
        runs = np.unique(runs * each + blocks, return_inverse=True)[1]
    return runs % MOST_GROUPS


def pruned(field: AbstractLinearField) -> Gate:
    """Whether a fitted field has terms that selection set to zero: a term that breaks a symmetry may be among them.

    Only for fields that come from data with their terms selected (thresholds, sparse regression). A certificate
    has to start from all terms of the class.

    Parameters
    ----------
    field : AbstractLinearField
        A fitted field.

    Returns
    -------
    Gate
        Whether all of its terms are in use.

    References
    ----------
    H. Leeb, B. M. Poetscher, Model selection and inference: facts and fiction, Econometric Theory 21 (2005) 21.

    Examples
    --------
    >>> from erlangen.fields import polynomial_field
    >>> pruned(polynomial_field(1, 2, [1.0, 0.0, 2.0])).passed
    False
    """
    zero = int(np.sum(field.theta == 0.0))
    chosen = 0 < zero < field.n_params
    if not chosen:
        return Gate("pruned terms", True, 0.0, 0.0, "no coefficient was set to zero")
    return Gate(
        "pruned terms",
        False,
        float(zero),
        0.0,
        f"{zero} of {field.n_params} coefficients are exactly zero: a term that breaks the symmetry may have been "
        "deleted as small; certify the fit of all terms instead, from the data",
    )


def _gate(name: str, tests: list[tuple[str, float, int]], alpha: float) -> Gate:
    if not tests:
        reason = "no observation is left to test the class with; use a smaller class or more observations"
        return Gate("lack of fit", False, float("nan"), alpha, reason)
    worst, _, _ = min(tests, key=lambda test: test[1])
    p = min(1.0, min(test[1] for test in tests) * sum(test[2] for test in tests))
    if p >= alpha:
        names = ", ".join(test[0] for test in tests)
        return Gate("lack of fit", True, p, alpha, f"{names} explain no more than {name} (p = {number(p, 2)})")
    return Gate(
        "lack of fit",
        False,
        p,
        alpha,
        f"{worst} explain{'s' if worst.startswith('a ') else ''} what {name} leave out "
        f"({f'p = {number(p, 1)}' if p > 0 else 'p < 1e-300'}): a class too small "
        "is more symmetric than the truth; take a larger class, or a certificate that needs none",
    )


def _tests(rows: _Rows, width: int, rng: np.random.Generator | None) -> Iterator[tuple[str, float, int]]:
    """Name, p-value and number of channels of each test; the larger classes grow.

    All is read off the triangular factor of class, extras and values, so that memory does not grow with rows.
    """
    m, c = rows.m, 1 if rows.stacked else rows.y.shape[1]
    if m == 0:
        return
    sizes = [rows.copies * e.size for e in rows.extras]
    k = rows.features(rows.x[:1]).shape[-1] * (rows.copies if rows.features(rows.x[:1]).ndim == 2 else 1)
    ends = np.cumsum([k, *sizes])
    total = int(ends[-1])
    factor = triangular_factor((np.hstack(block[:2]) for block in rows.blocks(width)), total + c)
    columns, values = OrthonormalColumns(len(factor), total), factor[:, total:]
    columns.append(factor[:, :k], least=rounding((m, k)))
    base, q = columns.rank, columns.q
    left = values - q @ (q.T @ values / len(q))
    left -= q @ (q.T @ left / len(q))
    if m - base < 2:
        return
    exact = rounding((m, base)) ** 2 * np.sum(values**2, axis=0)
    if np.all(np.sum(left**2, axis=0) <= exact):
        yield "larger classes", 1.0, c  # nothing is left to explain
        return
    chosen = np.arange(k)
    for extra, start, stop in zip(rows.extras, ends[:-1], ends[1:], strict=True):
        before = columns.rank
        if stop - start >= m - before:  # room for the noise must remain
            continue
        columns.append(factor[:, start:stop])
        chosen = np.r_[chosen, np.arange(start, stop)]
        if columns.rank == before:
            continue
        if rng is None:
            new = columns.q[:, base:] / np.sqrt(len(factor))
            yield extra.name, float(_f_test(new, left, m - columns.rank, exact / m).min()), c
        else:
            yield extra.name, _sign_test(_scores(rows, width, columns, chosen, base, values), rng), 1


def _scores(
    rows: _Rows, width: int, columns: OrthonormalColumns, chosen: NDArray, base: int, values: NDArray
) -> NDArray:
    """Sums ``(g, k c)`` by label of residuals times orthonormal columns beyond the first ``base``."""
    n, transform = len(columns.q), columns.transform
    fitted = transform[:, :base] @ (columns.q[:, :base].T @ values / n)
    own = columns.q[:, :base]
    size = np.linalg.norm(values - own @ (own.T @ values / n), axis=0) / np.sqrt(rows.m)
    size = np.where(size > 0, size, 1.0)
    sums = np.zeros((int(rows.labels.max()) + 1, (columns.rank - base) * values.shape[1]))
    for wide, y, labels in rows.blocks(width):
        wide = wide[:, chosen]
        left = (y - wide @ fitted) / size
        new = wide @ transform[:, base:] / np.sqrt(n)
        np.add.at(sums, labels, (new[:, :, None] * left[:, None, :]).reshape(len(new), -1))
    return sums


def _f_test(new: NDArray, left: NDArray, free: int, floor: NDArray) -> NDArray:
    """P-values ``(c,)`` of so large a reduction of the residuals ``left (m, c)`` by orthonormal columns ``(m, k)``."""
    explained = np.sum((new.T @ left) ** 2, axis=0)
    rest = np.maximum(np.sum(left**2, axis=0) - explained, 0.0) / free
    return special.fdtrc(new.shape[1], free, explained / new.shape[1] / np.maximum(rest, floor))


def _sign_test(sums: NDArray, rng: np.random.Generator) -> float:
    """The same by random signs of whole groups, which keep any variance and any dependence within them."""
    signs = 2.0 * rng.integers(0, 2, size=(DRAWS, len(sums)), dtype=np.int8) - 1.0
    observed = np.sum(sums.sum(axis=0) ** 2)
    return float((1 + np.sum(np.sum((signs @ sums) ** 2, axis=1) >= observed)) / (1 + DRAWS))


def _alternatives(rows: _Rows, larger: AbstractLinearField | None, rng: np.random.Generator) -> Iterator[_Extra]:
    """Larger classes: what each adds to the one before."""
    if larger is not None:
        phi = _shared(larger, rows.x[:1])
        yield _Extra(_name(larger), phi.shape[1], partial(_shared, larger), raw=True)
        return
    family, d = rows.family, rows.x.shape[1]
    table = _exponent_table(family)
    degree = 0 if table is None else int(table.sum(axis=1).max(initial=0))
    if table is not None:
        if len(table) < comb(d + degree, d):
            whole = exponents(d, degree)
            yield _Extra(f"all terms of degree {degree}", len(whole), partial(monomials, table=whole))
        for higher in range(degree + 1, degree + 1 + HIGHER):
            if comb(d + higher - 1, higher) > MOST_TERMS:
                break
            new = exponents(d, higher, lowest=higher)
            yield _Extra(f"polynomials of degree {higher}", len(new), partial(monomials, table=new))
    size = max(1, min(SKETCH // 2, (len(rows.x) - family.n_params // family.value_dim) // 8))
    yield _Extra("ridge functions", size, sketch(d, degree + HIGHER, size, rng).evaluate)


def _shared(family: AbstractLinearField, x: NDArray) -> NDArray:
    """Scalar features ``(b, k)`` of a family."""
    phi = features_of(family, x)
    return phi if phi.ndim == 2 else phi.transpose(0, 2, 1).reshape(len(x), -1)[:, :: phi.shape[1]]


def _exponent_table(family: AbstractLinearField) -> NDArray | None:
    if isinstance(family, PolynomialField):
        return family.table
    return family.basis.table if isinstance(family, BasisField) and isinstance(family.basis, Monomials) else None


def _name(family: AbstractLinearField) -> str:
    table = _exponent_table(family)
    if table is None:
        return f"a class of {family.n_params} parameters"
    degree = int(table.sum(axis=1).max(initial=0))
    whole = comb(table.shape[1] + degree, degree) == len(table)
    return f"{'polynomials' if whole else f'{len(table)} monomials'} of degree {degree}"


def _table(a: ArrayLike) -> NDArray:
    out = np.asarray(a, dtype=np.float64)
    return out[:, None] if out.ndim == 1 else out
