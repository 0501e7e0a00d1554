"""Lack of fit: a class too small is more symmetric than the truth, so it is tested inside larger ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from erlangen._errors import InputError, explain
from erlangen._render import number
from erlangen.evidence.certificate import Gate
from erlangen.evidence.estimate import features_of
from erlangen.fields import AbstractLinearField, PolynomialField
from erlangen.fields._orthonormal import OrthonormalColumns
from erlangen.fields._path import SKETCH, sketch
from erlangen.fields.bases import BasisField, Monomials
from erlangen.linalg.polynomials import exponents, monomials
from erlangen.linalg.qr import rounding

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

RUNS = ("grouped", "blocks")
"""Kinds of noise that depend on each other within runs."""


@dataclass(frozen=True, eq=False)
class _Rows:
    """What is fitted, one row for each independent value: features ``(m, q)``, values ``(m, c)`` and their units."""

    features: NDArray
    values: NDArray
    points: NDArray
    root: NDArray
    labels: NDArray
    stacked: int

    @classmethod
    def build(
        cls, family: AbstractLinearField, x: NDArray, y: NDArray, weights: ArrayLike | None, labels: NDArray
    ) -> _Rows:
        phi = features_of(family, x)
        root = np.ones(len(x)) if weights is None else np.sqrt(np.asarray(weights, dtype=np.float64))
        if phi.ndim == 2 and root.ndim == 1:
            kept = root > 0
            phi, y, x, root, labels = phi[kept], y[kept], x[kept], root[kept], labels[kept]
            return cls(phi * root[:, None], y * root[:, None], x, root, labels, 1)
        c = y.shape[1]
        if phi.ndim == 2:
            phi = np.einsum("ab,nr->nabr", np.eye(c), phi).reshape(len(x), c, -1)
        root = np.broadcast_to(root if root.ndim == 2 else root[:, None], y.shape)
        rows, values = phi * root[:, :, None], y * root
        return cls(rows.reshape(-1, phi.shape[2]), values.reshape(-1, 1), x, root.ravel(), np.repeat(labels, c), c)

    def extend(self, extra: NDArray) -> NDArray:
        """Functions ``(n, k)`` of the points as rows of this problem; each channel gets its own where stacked."""
        if self.stacked > 1:
            c = self.stacked
            extra = np.einsum("ab,nk->nabk", np.eye(c), extra).reshape(c * len(extra), -1)
        return extra * self.root[:, None]


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
    noise, weights, groups
        As for `erlangen.evidence.estimate.estimate`.
    rng : int or Generator
        Draws ridge functions and signs.

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
    tests = list(_tests(rows, _alternatives(family, x, larger, rng), rng if wild else None))
    return _gate(_name(family), tests, alpha)


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


def _tests(
    rows: _Rows, alternatives: Iterator[tuple[str, NDArray]], rng: np.random.Generator | None
) -> Iterator[tuple[str, float, int]]:
    """Name, p-value and number of channels of each test; the larger classes grow."""
    m, c = rows.values.shape
    columns, spare = None, 0
    for name, extra in alternatives:
        if columns is None:
            columns = OrthonormalColumns(m, m)
            columns.append(rows.features)
            spare = m - columns.rank
            q = columns.q
            base, left = columns.rank, rows.values - q @ (q.T @ rows.values / m)
            left -= q @ (q.T @ left / m)
            exact = rounding((m, base)) ** 2 * np.sum(rows.values**2, axis=0)
            if np.all(np.sum(left**2, axis=0) <= exact):
                yield name, 1.0, c  # nothing is left to explain
                return
        if spare < 2:
            return
        before = columns.rank
        wide = rows.extend(extra)
        if wide.shape[1] >= m - before:  # room for the noise must remain
            continue
        columns.append(wide)
        new = columns.q[:, base:] / np.sqrt(m)
        if columns.rank == before:
            continue
        if rng is None:
            yield name, float(_f_test(new, left, m - columns.rank, exact / m).min()), c
        else:
            yield name, _sign_test(new, left, rows.labels, rng), 1


def _f_test(new: NDArray, left: NDArray, free: int, floor: NDArray) -> NDArray:
    """P-values ``(c,)`` of so large a reduction of the residuals ``left (m, c)`` by orthonormal columns ``(m, k)``."""
    explained = np.sum((new.T @ left) ** 2, axis=0)
    rest = np.maximum(np.sum(left**2, axis=0) - explained, 0.0) / free
    return special.fdtrc(new.shape[1], free, explained / new.shape[1] / np.maximum(rest, floor))


def _sign_test(new: NDArray, left: NDArray, labels: NDArray, rng: np.random.Generator) -> float:
    """The same by random signs of whole groups, which keep any variance and any dependence within them."""
    size = np.sqrt(np.mean(left**2, axis=0))
    scores = new[:, :, None] * (left / np.where(size > 0, size, 1.0))[:, None, :]
    flat = scores.reshape(len(new), -1)
    sums = np.zeros((labels.max() + 1, flat.shape[1]))
    np.add.at(sums, labels, flat)
    signs = 2.0 * rng.integers(0, 2, size=(DRAWS, len(sums)), dtype=np.int8) - 1.0
    observed = np.sum(sums.sum(axis=0) ** 2)
    return float((1 + np.sum(np.sum((signs @ sums) ** 2, axis=1) >= observed)) / (1 + DRAWS))


def _alternatives(
    family: AbstractLinearField, x: NDArray, larger: AbstractLinearField | None, rng: np.random.Generator
) -> Iterator[tuple[str, NDArray]]:
    """Names of larger classes and the functions ``(n, k)`` that each adds to the one before."""
    if larger is not None:
        phi = features_of(larger, x)
        if phi.ndim == 3:
            phi = phi.transpose(0, 2, 1).reshape(len(x), -1)[:, :: phi.shape[1]]
        yield _name(larger), phi
        return
    centre, spread = x.mean(axis=0), x.std(axis=0)
    z = (x - centre) / np.where(spread > 0, spread, 1.0)
    d, table = x.shape[1], _exponent_table(family)
    degree = 0 if table is None else int(table.sum(axis=1).max(initial=0))
    if table is not None:
        if len(table) < len(exponents(d, degree)):
            yield f"all terms of degree {degree}", monomials(z, exponents(d, degree))
        for higher in range(degree + 1, degree + 1 + HIGHER):
            new = exponents(d, higher, lowest=higher)
            if len(new) > MOST_TERMS:
                break
            yield f"polynomials of degree {higher}", monomials(z, new)
    size = max(1, min(SKETCH // 2, (len(x) - family.n_params // family.value_dim) // 8))
    yield "ridge functions", sketch(d, degree + HIGHER, size, rng).evaluate(z)


def _exponent_table(family: AbstractLinearField) -> NDArray | None:
    if isinstance(family, PolynomialField):
        return family.table
    return family.basis.table if isinstance(family, BasisField) and isinstance(family.basis, Monomials) else None


def _name(family: AbstractLinearField) -> str:
    table = _exponent_table(family)
    if table is None:
        return f"a class of {family.n_params} parameters"
    degree = int(table.sum(axis=1).max(initial=0))
    whole = len(exponents(table.shape[1], degree)) == len(table)
    return f"{'polynomials' if whole else f'{len(table)} monomials'} of degree {degree}"


def _table(a: ArrayLike) -> NDArray:
    out = np.asarray(a, dtype=np.float64)
    return out[:, None] if out.ndim == 1 else out
