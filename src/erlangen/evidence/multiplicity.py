"""Many tests at once: Holm's and closed testing for p-values, e-BH for e-values. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from itertools import combinations
from math import comb
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain
from erlangen._progress import track
from erlangen._typing import NDArray

Name = TypeVar("Name", bound=Hashable)

MOST_CLOSED = 16
"""Hypotheses up to which all their intersections are tested."""


def holm(p: ArrayLike) -> NDArray:
    """Adjusted p-values ``(m,)``: rejecting where they are at most alpha errs anywhere with probability alpha.

    Valid however the p-values depend on each other.

    Parameters
    ----------
    p : array_like (m,)
        P-values.

    Returns
    -------
    ndarray (m,)
        Adjusted p-values, in the order given.

    Raises
    ------
    InputError
        When a number is not between 0 and 1.

    References
    ----------
    Holm, Scandinavian Journal of Statistics 6 (1979) 65.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p = _probabilities(p)
    order = np.argsort(p, kind="stable")
    scaled = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    out = np.empty(len(p))
    out[order] = np.minimum(scaled, 1.0)
    return out


def closed_testing(names: Iterable[Name], test: Callable[[frozenset[Name]], float]) -> dict[Name, float]:
    """Adjusted p-values of hypotheses whose intersections have tests of their own.

    Each hypothesis takes the largest p-value of all intersections that contain it, so that rejecting where it is at
    most alpha errs anywhere with probability alpha.

    Parameters
    ----------
    names : iterable
        The hypotheses.
    test : callable
        P-value of the intersection of a set of hypotheses. Where two sets have the same intersection, as on the
        lattice of subgroups, it may say so by the same value.

    Returns
    -------
    dict
        Adjusted p-value of each hypothesis.

    Raises
    ------
    InputError
        When there are too many hypotheses for all their intersections to be listed.

    References
    ----------
    Marcus, Peritz and Gabriel, Biometrika 63 (1976) 655.

    Examples
    --------
    >>> p = {"a": 0.01, "b": 0.04}
    >>> closed_testing(p, lambda s: min(1.0, len(s) * min(p[i] for i in s)))  # Bonferroni within sets: Holm
    {'a': 0.02, 'b': 0.04}
    """
    names = list(dict.fromkeys(names))
    if len(names) > MOST_CLOSED:
        raise InputError(
            explain(
                "Closed testing looks at all intersections of the hypotheses.",
                given=f"{len(names)} hypotheses, {2.0 ** len(names):.3g} intersections",
                expected=f"at most {MOST_CLOSED} hypotheses",
                fix="holm(p)",
            )
        )
    worst = dict.fromkeys(names, 0.0)
    for size in range(1, len(names) + 1):
        for members in track(combinations(names, size), f"intersections of {size}", comb(len(names), size)):
            value = float(test(frozenset(members)))
            for name in members:
                worst[name] = max(worst[name], value)
    return worst


def e_bh(e: ArrayLike, alpha: float) -> NDArray:
    """Which hypotheses to reject from e-values, with a false discovery rate of at most alpha.

    The k largest are rejected, k as large as it can be with ``e_(k) >= m / (alpha k)``. Valid however the e-values
    depend on each other.

    Parameters
    ----------
    e : array_like (m,)
        E-values.
    alpha : float
        False discovery rate.

    Returns
    -------
    ndarray (m,) of bool
        True where a hypothesis is rejected, in the order given.

    Raises
    ------
    InputError
        When a number is negative or NaN.

    References
    ----------
    Wang and Ramdas, JRSS B 84 (2022) 822.

    Examples
    --------
    >>> e_bh([100.0, 25.0, 1.0], 0.1).tolist()
    [True, True, False]
    """
    e = np.asarray(e, dtype=np.float64).ravel()
    if np.isnan(e).any() or np.any(e < 0):
        raise InputError(
            explain("E-values are not negative.", given=f"{e.tolist()}", expected="numbers >= 0", fix="np.exp(log_e)")
        )
    m = len(e)
    order = np.argsort(-e, kind="stable")
    enough = np.flatnonzero(e[order] * np.arange(1, m + 1) >= m / alpha)
    out = np.zeros(m, dtype=bool)
    out[order[: enough[-1] + 1 if len(enough) else 0]] = True
    return out


def discoveries(log_e: Mapping[Name, float], alpha: float) -> list[Name]:
    """Names that :func:`e_bh` rejects, given the logarithms of their e-values, the strongest first.

    Examples
    --------
    >>> discoveries({"rotation": 9.0, "boost": 0.3}, 0.05)
    ['rotation']
    """
    with np.errstate(over="ignore"):
        kept = e_bh(np.exp(np.array(list(log_e.values()))), alpha)
    return sorted((name for name, keep in zip(log_e, kept) if keep), key=lambda name: -log_e[name])


def _probabilities(p: ArrayLike) -> NDArray:
    p = np.asarray(p, dtype=np.float64).ravel()
    if np.isnan(p).any() or np.any((p < 0) | (p > 1)):
        raise InputError(
            explain("P-values lie between 0 and 1.", given=f"{p.tolist()}", expected="numbers in [0, 1]", fix="holm(p)")
        )
    return p
