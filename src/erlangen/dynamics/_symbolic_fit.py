"""Expressions for one coordinate: constants fitted, parts dropped that the data do not ask for.

Expressions are compared by the length of a message that tells the data: residuals, constants and symbols.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import least_squares

from erlangen._typing import NDArray
from erlangen.dynamics import _symbolic_terms as terms
from erlangen.dynamics._symbolic_terms import Sum, Term

FLOOR = float(np.finfo(np.float64).eps)
"""Mean squared error, relative to the variance, to which constants inside functions are found: an accuracy of half
the digits in their values."""

STEPS = 30
"""Evaluations in a fit of constants inside functions, beside those for its derivatives."""

TOLERANCES: dict[str, float] = {"ftol": FLOOR**0.75, "xtol": FLOOR**0.75, "gtol": FLOOR}
"""Of such a fit: those of SciPy are for data with noise."""

CLOSEST = 3
"""Changes of an expression in which constants inside functions are fitted again."""

WHOLE = 10
"""Size of a constant from which on a whole number near it is chance."""

POOL = 24
"""Terms from which expressions are recombined."""


@dataclass(frozen=True, eq=False)
class Target:
    """The values of one coordinate's derivative.

    Attributes
    ----------
    columns : dict
        Coordinates, by name.
    y : ndarray (n,)
        Values, of mean square one.
    weights : ndarray (n,)
        Roots of the weights of rows, of mean square one.
    effective : float
        Independent residuals: rows that follow each other within the smoothing tell the same.
    symbols : int
        Size of the alphabet.
    floor : float
        Mean squared error that the values have by their own account: below it, less error means little.
    """

    columns: dict[str, NDArray]
    y: NDArray
    weights: NDArray
    effective: float
    symbols: int
    floor: float = FLOOR

    def length(self, error: float, n_constants: int, size: int) -> float:
        """Length of the message in natural units: residuals, constants to their accuracy, and symbols."""
        rows = self.effective / 2 * np.log(error + self.floor)
        return float(rows + n_constants / 2 * np.log(self.effective) + size * np.log(self.symbols))

    def design(self, chosen: Iterable[Term]) -> NDArray:
        """Weighted values ``(n, r)`` of terms; those that are not finite somewhere are NaN everywhere."""
        with np.errstate(all="ignore"):
            columns = [np.broadcast_to(terms.values(term, self.columns), self.y.shape) for term in chosen]
        out = np.stack(columns, axis=1) if columns else np.zeros((len(self.y), 0))
        out = out * self.weights[:, None]
        out[:, ~np.isfinite(out).all(axis=0)] = np.nan
        return out


@dataclass(frozen=True, eq=False)
class Component:
    """An expression for one coordinate.

    Attributes
    ----------
    terms : tuple of Term
    coefficients : ndarray (r,)
        Of the values as they were scaled.
    error : float
        Mean squared error, relative to the mean square of the values.
    length : float
        Length of the message.
    """

    terms: tuple[Term, ...]
    coefficients: NDArray
    error: float
    length: float

    @property
    def n_constants(self) -> int:
        """Fitted constants, in front of terms and inside."""
        return len(self.terms) + len(terms.constants(self.terms))

    @property
    def size(self) -> int:
        """Number of symbols."""
        return sum(terms.size(term) + 1 for term in self.terms)

    @property
    def shape(self) -> frozenset:
        """What it looks like, without values of constants."""
        return frozenset(terms.shape(term) for term in self.terms)


def fitted(target: Target, chosen: Sequence[Term], inside: bool = True) -> Component | None:
    """The expression with its constants fitted; None where a term is not finite on the data.

    Constants in front are solved for at each step of those inside.
    """
    chosen = tuple(chosen)
    start = np.array(terms.constants(chosen))
    if inside and len(start):
        found = _inner_fit(target, chosen, start)
        chosen = chosen if found is None else found
    solved = _solve(target, chosen)
    if solved is None:
        return None
    coefficients, residual = solved
    out = Component(chosen, coefficients, float(np.mean(residual**2)), 0.0)
    length = target.length(out.error, out.n_constants, out.size)
    return Component(chosen, coefficients, out.error, length)


def _solve(target: Target, chosen: Sequence[Term]) -> tuple[NDArray, NDArray] | None:
    rows = target.design(chosen)
    if not np.isfinite(rows).all():
        return None
    with np.errstate(over="ignore"):
        sizes = np.linalg.norm(rows, axis=0)
    if not sizes.all() or not np.isfinite(sizes).all():
        return None
    y = target.y * target.weights
    z = np.linalg.lstsq(rows / sizes, y, rcond=len(y) * FLOOR)[0]
    return z / sizes, y - rows @ (z / sizes)


def _inner_fit(target: Target, chosen: tuple[Term, ...], start: NDArray) -> tuple[Term, ...] | None:
    bad = np.full(len(target.y), np.sqrt(np.finfo(np.float64).max) / len(target.y))

    def residual(values: NDArray) -> NDArray:
        solved = _solve(target, terms.with_constants(chosen, values))
        return bad if solved is None else solved[1]

    if residual(start) is bad:
        return None
    with np.errstate(all="ignore"):
        scale = np.maximum(np.abs(start), np.sqrt(FLOOR))
        found: Any = least_squares(residual, start, x_scale=scale, max_nfev=STEPS, method="trf", **TOLERANCES)
    return terms.with_constants(chosen, found.x) if np.isfinite(found.x).all() else None


def pruned(target: Target, start: Component, inside: bool = True) -> Component:
    """The expression after all single changes that shorten the message: terms left out, constants made exact."""
    best = start
    while True:
        better = _shorter(target, best, inside)
        if better is None:
            return best
        best = better


def _shorter(target: Target, at: Component, inside: bool) -> Component | None:
    """The best of the changes, or None where none shortens the message."""
    trials = []
    for k in range(len(at.terms) if len(at.terms) > 1 else 0):
        trials.append((*at.terms[:k], *at.terms[k + 1 :]))
    for j, c in enumerate(terms.constants(at.terms)) if inside else ():
        for value in {0, round(c)} if abs(c) < WHOLE else {0}:
            changed = terms.exact(at.terms, j, value)
            trials += [changed] if changed is not None else []
    quick = [fit for trial in trials if (fit := fitted(target, trial, inside=False)) is not None]
    for fit in sorted(quick, key=lambda fit: fit.length)[:CLOSEST]:
        refit = fitted(target, fit.terms) if inside and terms.constants(fit.terms) else None
        best = fit if refit is None or refit.length > fit.length else refit
        if best.length < at.length:
            return best
    return None


def candidates(target: Target, found: Sequence[Sum], keep: int) -> list[Component]:
    """The best expressions, fitted and pruned, each shape once, the shortest message first."""
    starts: dict[frozenset, Component] = {}
    for a in found:
        fit = fitted(target, [term for _, term in a], inside=False)
        if fit is not None and fit.shape not in starts:
            starts[fit.shape] = fit
    ranked = sorted(starts.values(), key=lambda fit: fit.length)[: 3 * keep]
    return best_shapes([refined(target, fit) for fit in ranked], keep)


def refined(target: Target, start: Component) -> Component:
    """The expression with all constants fitted, and pruned."""
    fit = fitted(target, start.terms)
    return pruned(target, start if fit is None or fit.length > start.length else fit)


def best_shapes(found: Iterable[Component], keep: int) -> list[Component]:
    """The shortest messages, each shape once."""
    out: dict[frozenset, Component] = {}
    for fit in sorted(found, key=lambda fit: fit.length):
        out.setdefault(fit.shape, fit)
    return list(out.values())[:keep]


def recombined(target: Target, pool: Sequence[Term]) -> Component | None:
    """An expression from terms of others, taken one by one while the message gets shorter; refitted and pruned."""
    chosen: Component | None = None
    for _ in range(len(pool)):
        held = () if chosen is None else chosen.terms
        trials = [fitted(target, (*held, term), inside=False) for term in pool if term not in held]
        fits = [fit for fit in trials if fit is not None]
        if not fits:
            break
        best = min(fits, key=lambda fit: fit.length)
        if chosen is not None and best.length >= chosen.length:
            break
        chosen = best
    return None if chosen is None else refined(target, chosen)


def pool_of(found: Iterable[Component]) -> list[Term]:
    """Terms of the best expressions, each shape once."""
    out: dict[tuple, Term] = {}
    for fit in sorted(found, key=lambda fit: fit.length):
        for term in fit.terms:
            out.setdefault(terms.shape(term), term)
    return list(out.values())[:POOL]


def correlation_time(residual: NDArray) -> float:
    """Samples that tell one thing: the integrated autocorrelation of a series, until it first turns negative."""
    r = residual - residual.mean()
    n = len(r)
    power = np.abs(np.fft.rfft(r, 2 * n)) ** 2
    rho = np.fft.irfft(power)[:n]
    if rho[0] <= 0:
        return 1.0
    rho = rho / rho[0]
    end = int(np.argmax(rho < 0)) or n
    return float(max(1.0, 2 * rho[:end].sum() - 1))
