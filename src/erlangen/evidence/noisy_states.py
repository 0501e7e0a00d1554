"""Errors in the states themselves: least squares of polynomials, corrected by Hermite polynomials.

Noise in the points biases least squares: E (x + e)^2 = x^2 + s^2. For Gaussian errors of standard deviation s the
polynomials h_a with E h_a(x + e) = x^a are known, and so the products x^a x^b of the normal equations are replaced by
h_{a+b}: what is solved is then, on average, what exact points would have given.
"""

from __future__ import annotations

from math import comb, factorial

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, UndecidedError, explain
from erlangen._typing import NDArray
from erlangen.evidence._blocks import block_law
from erlangen.evidence._design import compress
from erlangen.evidence._law import IN_CLASS, Estimate
from erlangen.fields import PolynomialField
from erlangen.fields.table import substitute
from erlangen.linalg.polynomials import row_index
from erlangen.linalg.qr import rounding

WORST_CONDITION = 1e6
"""Condition of the corrected Gram matrix, in standard units, beyond which the correction is mostly noise."""

ORDERS = range(2, 7)
"""Orders of differences that estimate the noise of states; a smooth curve leaves less in higher ones."""

BLOCK_ENTRIES = 2**23
"""Entries of one block of rows of products."""


def estimate_noisy_states(
    family: PolynomialField,
    x: ArrayLike,
    y: ArrayLike,
    *,
    state_noise: ArrayLike | None = None,
    noise: str = "robust",
    groups: ArrayLike | None = None,
) -> Estimate:
    """Fit polynomials to values over points that are known with Gaussian errors.

    Parameters
    ----------
    family : PolynomialField
        The class. Exponents must be closed under lowering, as those of all full tables are.
    x : array_like (n, d)
        Points with errors.
    y : array_like (n, c)
        Values, with noise that does not depend on the errors of the points.
    state_noise : float or array_like (d,), optional
        Standard deviation of the errors of each coordinate. By default from differences along the runs in ``groups``.
    noise : {"robust", "blocks"}
        Independent rows of any variance, or rows in order of time that remember.
    groups : array_like (n,), optional
        Run of each row.

    Returns
    -------
    Estimate
        Parameters, the root of their covariance, and degrees of freedom.

    Raises
    ------
    UndecidedError
        When the errors are too large beside the spread of the points: the corrected Gram matrix is then noise.
    InputError
        When rows, errors or groups do not fit, or exponents are not closed under lowering.

    References
    ----------
    Corrected score functions: Nakamura, Biometrika 77 (1990) 127; Hermite correction of polynomials: Stefanski,
    Communications in Statistics 18 (1989) 4335.

    Examples
    --------
    >>> from erlangen.fields import polynomial_field
    >>> rng = np.random.default_rng(0)
    >>> x = rng.uniform(-1, 1, (20000, 1))
    >>> seen = x + 0.3 * rng.standard_normal(x.shape)
    >>> fit = estimate_noisy_states(polynomial_field(1, 1, [0, 0]), seen, 2 * x, state_noise=0.3)
    >>> naive = np.polyfit(seen[:, 0], 2 * x[:, 0], 1)
    >>> bool(abs(fit.theta[1] - 2) < 0.05), bool(abs(naive[0] - 2) > 0.3)
    (True, True)
    """
    points, values = _read(family, x, y, noise)
    labels = None if groups is None else np.unique(np.asarray(groups).ravel(), return_inverse=True)[1]
    given = state_noise is not None
    spread = np.broadcast_to(state_noise if given else noise_of_states(points, labels), points.shape[1:])
    spread = np.asarray(spread, dtype=np.float64)
    centre, scale = points.mean(axis=0), points.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    z, s = (points - centre) / scale, spread / scale
    gram, target = _sums(z, s, family.table, values)
    solve = _inverse(gram, s)
    solution = solve @ target
    influence, residuals = _influence(z, s, family.table, values, solution, solve)
    back = _back(family.table, centre, scale)
    n, r = len(z), len(family.table)
    rows = (influence @ back).reshape(n, -1) * np.sqrt(n / max(n - r, 1))  # n (c, r) in plain coordinates
    root, dof, told = compress(rows), float(n - r), ("rows are independent, their noise of any variance",)
    if noise == "blocks":
        law = block_law(rows, residuals, labels)
        root, dof, told = law.root, law.dof, law.assumptions
    left = dof - root.shape[1] + 1.0
    return Estimate(
        theta=(solution.T @ back).ravel(),
        root=root,
        dof=dof,
        exact=False,
        sigma=np.sqrt(np.mean(residuals**2, axis=0)),
        assumptions=(
            IN_CLASS,
            f"errors of the points are Gaussian and independent of those of the values, of standard deviations "
            f"{np.round(spread, 6).tolist()}{'' if given else ' (from differences, whose own error is not counted)'}",
            *told,
        ),
        null=np.zeros((values.shape[1] * r, 0)),
        set_dof=max(left, 0.0) if noise == "blocks" else np.nan,
        stretch=dof / max(left, 1.0) if noise == "blocks" else 1.0,
    )


def noise_of_states(x: ArrayLike, groups: ArrayLike | None = None) -> NDArray:
    """Standard deviation ``(d,)`` of the errors of states along runs, from their differences of high order.

    A difference of order k multiplies white noise by the root of C(2k, k) and nearly removes what is smooth. What is
    left of it can only add, so the smallest over orders 2 to 6 is taken. No difference reaches from one run into the
    next.

    Parameters
    ----------
    x : array_like (n, d)
        States in order of time.
    groups : array_like (n,), optional
        Run of each row.

    Returns
    -------
    ndarray (d,)
        Standard deviations, in the units of the states.

    Raises
    ------
    UndecidedError
        When runs are too short for differences.

    References
    ----------
    T. Gasser, L. Sroka, C. Jennen-Steinmetz, Biometrika 73 (1986) 625; P. Hall, J. W. Kay, D. M. Titterington,
    Biometrika 77 (1990) 521.

    Examples
    --------
    >>> t = np.linspace(0, 10, 2000)[:, None]
    >>> x = np.sin(t) + 0.01 * np.random.default_rng(0).standard_normal(t.shape)
    >>> bool(abs(noise_of_states(x)[0] - 0.01) < 0.001)
    True
    """
    x = np.asarray(x, dtype=np.float64)
    labels = np.zeros(len(x), dtype=int) if groups is None else np.asarray(groups).ravel()
    runs = [x[labels == g] for g in np.unique(labels)]
    best = np.full(x.shape[1], np.inf)
    for order in ORDERS:
        parts = [np.diff(run, order, axis=0) for run in runs if len(run) > order]
        if parts:
            best = np.minimum(best, np.mean(np.concatenate(parts) ** 2, axis=0) / comb(2 * order, order))
    if not np.isfinite(best).all():
        raise UndecidedError(
            explain(
                "Runs are too short for differences.",
                given=f"{len(x)} rows in {len(runs)} runs",
                expected=f"runs of more than {min(ORDERS)} rows in order of time",
                fix="state_noise=0.01",
            )
        )
    return np.sqrt(best)


def hermite(z: NDArray, s: NDArray, table: NDArray) -> NDArray:
    """Polynomials ``(n, r)`` with mean ``x^a`` over ``z = x + N(0, s^2)``, for the exponents of a table.

    In one variable h_k(z) = sum_j k! / (j! (k - 2j)!) (-s^2 / 2)^j z^{k - 2j}.
    """
    out = np.ones((len(z), len(table)))
    for a in range(z.shape[1]):
        highest = int(table[:, a].max(initial=0))
        powers = z[:, a, None] ** np.arange(highest + 1)
        one = np.zeros((len(z), highest + 1))
        for k in range(highest + 1):
            for j in range(k // 2 + 1):
                weight = factorial(k) / (factorial(j) * factorial(k - 2 * j)) * (-0.5 * s[a] ** 2) ** j
                one[:, k] += weight * powers[:, k - 2 * j]
        out *= one[:, table[:, a]]
    return out


def _products(table: NDArray) -> tuple[NDArray, NDArray]:
    """Table of all sums of two exponents, and where the sum of each pair ``(r, r)`` stands in it."""
    sums = (table[:, None] + table[None]).reshape(-1, table.shape[1])
    distinct, where = np.unique(sums, axis=0, return_inverse=True)
    return distinct, np.ravel(where).reshape(len(table), len(table))


def _sums(z: NDArray, s: NDArray, table: NDArray, y: NDArray) -> tuple[NDArray, NDArray]:
    """Corrected Gram matrix ``(r, r)`` and right-hand sides ``(r, c)``."""
    products, where = _products(table)
    return hermite(z, s, products).sum(axis=0)[where], hermite(z, s, table).T @ y


def _inverse(gram: NDArray, s: NDArray) -> NDArray:
    values, vectors = np.linalg.eigh(gram)
    if values[0] * WORST_CONDITION < values[-1]:
        raise UndecidedError(
            explain(
                "The errors of the points are too large for a correction.",
                given=f"errors of {np.round(s, 3).tolist()} standard deviations of the points; corrected Gram matrix "
                f"with eigenvalues from {values[0]:.2g} to {values[-1]:.2g}",
                expected=f"a condition below {WORST_CONDITION:g}",
                fix="a lower degree, more rows, or smoother states: er.dynamics.smooth(flow)",
            )
        )
    return (vectors / values) @ vectors.T


def _influence(
    z: NDArray, s: NDArray, table: NDArray, y: NDArray, solution: NDArray, solve: NDArray
) -> tuple[NDArray, NDArray]:
    """What each row adds to the error, ``(n, c, r)``, and the residuals ``(n, c)``."""
    products, where = _products(table)
    n, r, c = len(z), len(table), y.shape[1]
    scores = np.empty((n, c, r))
    size = max(1, BLOCK_ENTRIES // (r * r))
    for start in range(0, n, size):
        rows = slice(start, start + size)
        h, pairs = hermite(z[rows], s, table), hermite(z[rows], s, products)[:, where]
        scores[rows] = np.einsum("nr,nc->ncr", h, y[rows]) - np.einsum("nrs,sc->ncr", pairs, solution)
    return scores @ solve, y - hermite(z, s, table) @ solution


def _back(table: NDArray, centre: NDArray, scale: NDArray) -> NDArray:
    """Matrix ``(r, r)`` from coefficients over ((x - centre) / scale)^a to coefficients over x^a."""
    plain, coefficients = substitute(table, np.eye(len(table)), np.diag(1.0 / scale), -centre / scale)
    index = row_index(table)
    out = np.zeros((len(table), len(table)))
    for column, exponent in zip(coefficients.T, plain.tolist()):
        where = index.get(tuple(exponent))
        if where is not None:
            out[:, where] += column
        elif np.abs(column).max() > rounding(out.shape):
            raise InputError(
                explain(
                    "The exponents of the family must be closed under lowering, to be moved to the middle of the data.",
                    given=f"no monomial with exponents {exponent}",
                    expected="with each monomial all that divide it",
                    fix="erlangen.fields.polynomial_field(d, degree, coefficients)",
                )
            )
    return out


def _read(family: PolynomialField, x: ArrayLike, y: ArrayLike, noise: str) -> tuple[NDArray, NDArray]:
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    y = y[:, None] if y.ndim == 1 else y
    fits = x.ndim == 2 and y.ndim == 2 and len(x) == len(y) and np.isfinite(x).all() and np.isfinite(y).all()
    if not isinstance(family, PolynomialField) or not fits or x.shape[1] != family.point_dim:
        raise InputError(
            explain(
                "Noisy states need a polynomial family and tables of finite numbers.",
                given=f"{type(family).__name__}, x {x.shape}, y {y.shape}",
                expected="a PolynomialField, x (n, d) and y (n, c)",
                fix="estimate_noisy_states(polynomial_field(2, 3, ...), x, y, state_noise=0.01)",
            )
        )
    if noise not in ("robust", "blocks"):
        raise InputError(
            explain(
                "Unknown kind of noise.", given=f"noise = {noise!r}", expected="robust, blocks", fix='noise="robust"'
            )
        )
    return x, y
