r"""Equivalence tests of a quadratic form: evidence *for* a norm being small, as p-values and as e-values.

Let m_hat ~ N(m, V) with eigenvalues l_1 >= l_2 >= ... of V, and T = |m_hat|^2. Under the null |m| >= mu, for every
s > 0 and whatever the direction of m,

    E_s = exp(-s T + s mu^2 / (1 + 2 s l_1) + 1/2 sum_i log(1 + 2 s l_i))     has     E[E_s] <= 1,

for E exp(-s T) = prod (1 + 2 s l_i)^{-1/2} exp(-s sum m_i^2 / (1 + 2 s l_i)), which is largest where all of m lies
along l_1. Hence P(T <= t) <= inf_s 1 / E_s(t): a p-value without asymptotics. The noise in T, about tr V, is taken out
by the sum of logarithms instead of being paid for. And |m_hat| is at least its part along m, which is N(|m|, at most
l_1), so that P(T <= t) <= Phi((sqrt(t) - mu) / sqrt(l_1)), too; the smaller of two such bounds is one, and this one is
the better in few dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from erlangen._errors import InputError, explain
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray

VARIANCE_SHARE = 0.05
"""Share of a level that is spent on not knowing the variance of the noise."""

CELLS = 16
"""Parts of the interval of the variance, in each of which the worst value is bounded from both its ends."""

CAP = 1e3
"""Largest e-value with an estimated variance: what a failing interval may cost stays below CAP times its risk."""

RISK = 1e-6
"""Probability with which the interval of the variance may fail, for an e-value."""

GRID = 2.0 ** np.arange(-6, 11)
"""Values of s l_1 over which an e-value is averaged: from less than one to many standard deviations."""

HALVINGS = 32
"""Halvings of the logarithm of s; nine digits of its range, far more than a p-value has."""


def p_value(m: ArrayLike, root: NDArray, mu: float, *, dof: float = np.inf) -> float:
    """P-value of the null ``|m| >= mu`` for an estimate ``m (k,)`` with covariance ``root @ root.T``: small if m is.

    Parameters
    ----------
    m : array_like (k,)
        Estimate.
    root : ndarray (k, r)
        Root of its covariance.
    mu : float
        Norm from which on m counts as large.
    dof : float
        Degrees of freedom behind the scale of ``root``; infinite where it is known. A test of level a then takes the
        worst p-value over an interval of the variance that fails with probability ``VARIANCE_SHARE a``.

    References
    ----------
    Berger and Boos, J. American Statistical Association 89 (1994) 1012 (nuisance parameters by an interval).

    Examples
    --------
    >>> p_value([0.1, 0.0], 0.1 * np.eye(2), 1.0) < 1e-6
    True
    >>> p_value([1.0, 0.0], 0.1 * np.eye(2), 1.0) > 0.9
    True
    """
    form = Quadratic.of(m, root, dof)
    if np.isinf(dof):
        return float(np.exp(-form.exponent(mu)))
    return smallest_level(lambda a: form.exponent(mu, VARIANCE_SHARE * a) >= -np.log((1.0 - VARIANCE_SHARE) * a))


def smallest_level(rejects: Callable[[float], bool]) -> float:
    """The p-value of a family of tests: the smallest level that rejects; the tests of larger levels must reject, too.

    Examples
    --------
    >>> round(smallest_level(lambda a: a >= 0.03), 4)
    0.03
    """
    if not rejects(1.0):
        return 1.0
    low, high = float(np.log(np.finfo(np.float64).eps)), 0.0
    for _ in range(HALVINGS // 2):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if rejects(float(np.exp(middle))) else (middle, high)
    return float(np.exp(high))


def upper_bound(m: ArrayLike, root: NDArray, alpha: float, *, dof: float = np.inf) -> float:
    """Upper bound of ``|m|`` with confidence ``1 - alpha``: the smallest mu whose null is rejected.

    Examples
    --------
    >>> round(upper_bound([0.5], np.eye(1), 0.05), 2)  # 0.5 + 1.645
    2.14
    """
    share = VARIANCE_SHARE * alpha if np.isfinite(dof) else 0.0
    return Quadratic.of(m, root, dof).bound(alpha - share, share)


def log_e_value(m: ArrayLike, root: NDArray, mu: float, *, dof: float = np.inf, risk: float = 0.0) -> float:
    """Logarithm of an e-value against ``|m| >= mu``: its mean is at most 1 under that null.

    The average of E_s over a fixed grid of s, so that nothing is chosen by looking. Where the scale of the noise is
    estimated, or ``mu`` itself is a bound that fails with probability ``risk``, the value is capped and divided by one
    plus what failing could add.

    References
    ----------
    Vovk and Wang, Annals of Statistics 49 (2021) 1736; Gruenwald, de Heide and Koolen, JRSS B 86 (2024) 1091.
    """
    share = RISK if np.isfinite(dof) else 0.0
    value = Quadratic.of(m, root, dof).log_average(mu, share)
    failing = share + risk
    return float(min(value, np.log(CAP)) - np.log1p(CAP * failing)) if failing > 0 else float(value)


@dataclass(frozen=True, eq=False)
class Quadratic(AbstractShown):
    """A squared norm and the eigenvalues of its noise, whose common scale may have been estimated.

    Attributes
    ----------
    statistic : float
        T = |m_hat|^2.
    eigenvalues : ndarray (k,)
        Of the estimated covariance, descending.
    dof : float
        Degrees of freedom of its scale.
    """

    statistic: float
    eigenvalues: NDArray
    dof: float = np.inf

    @classmethod
    def of(cls, m: ArrayLike, root: NDArray, dof: float = np.inf) -> Quadratic:
        """The form of an estimate ``m (k,)`` with ``root (k, r)``."""
        m = np.asarray(m, dtype=np.float64).ravel()
        if root.ndim != 2 or len(root) != len(m) or not (np.isfinite(m).all() and np.isfinite(root).all()):
            raise InputError(
                explain(
                    "An estimate and the root of its covariance must fit.",
                    given=f"m of shape {m.shape}, root of shape {root.shape}",
                    expected="m (k,) and root (k, r), finite",
                    fix="p_value(m, np.linalg.cholesky(V), mu)",
                )
            )
        eigenvalues = np.linalg.svd(root, compute_uv=False) ** 2 if root.size else np.zeros(0)
        return cls(float(m @ m), eigenvalues, dof)

    @property
    def certain(self) -> bool:
        """Whether there is no noise at all."""
        return not self.eigenvalues.any()

    @property
    def luck(self) -> float:
        """About the median of T where m = 0 (Wilson, Hilferty 1931): less is luck, must not make a bound of zero."""
        trace = float(self.eigenvalues.sum())
        return trace * (1.0 - 2.0 / 9.0 * float(np.sum(self.eigenvalues**2)) / trace**2) ** 3 if trace > 0 else 0.0

    def exponent(self, mu: float, share: float = 0.0) -> float:
        """Minus the logarithm of the p-value of ``|m| >= mu``, the least over the interval of the variance."""
        if self.certain:
            return np.inf if self.statistic < mu**2 else 0.0
        low, high = self._cells(share)
        distance = (np.sqrt(self.statistic) - mu) / np.sqrt(high[:, 0])
        along = np.where(distance < 0.0, -special.log_ndtr(np.minimum(distance, 0.0)), 0.0)
        usual = max(self.statistic, self.luck)
        return float(np.min(np.maximum(_supremum(usual, mu, low, high), along)))

    def bound(self, level: float, share: float = 0.0) -> float:
        """Smallest mu whose null has a p-value of at most ``level``."""
        wanted, top = -np.log(level), self._cells(share)[1][-1] if not self.certain else np.zeros(1)
        low, high = 0.0, float(np.sqrt(self.statistic) + np.sqrt(2.0 * wanted * top[0]))  # Phi(-z) <= exp(-z^2 / 2)
        for _ in range(HALVINGS):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if self.exponent(middle, share) < wanted else (low, middle)
            if high - low <= 1e-6 * high:
                break
        return high

    def log_average(self, mu: float, share: float = 0.0) -> float:
        """Logarithm of the mean of E_s over the grid of s, the least over the interval of the variance."""
        if self.certain:
            return np.inf if self.statistic < mu**2 else -np.inf
        low, high = self._cells(share)
        grid = GRID / self.eigenvalues[0]
        values = [_log_e(np.full(len(low), s), self.statistic, mu, low, high).min() for s in grid]
        return float(special.logsumexp(values) - np.log(len(grid)))

    def _cells(self, share: float) -> tuple[NDArray, NDArray]:
        """Eigenvalues ``(cells, k)`` at both ends of each cell of the interval of the variance."""
        ends = variance_interval(self.dof, share)[:, None]
        return ends[:-1] * self.eigenvalues, ends[1:] * self.eigenvalues


def variance_interval(dof: float, share: float) -> NDArray:
    """Ends ``(cells + 1,)`` of the cells of an interval of sigma^2 / sigma_hat^2, failing with probability share."""
    if not np.isfinite(dof) or share == 0.0:
        return np.ones(2)
    low, high = dof / special.chdtri(dof, share / 2.0), 0.5 * dof / special.gammaincinv(0.5 * dof, share / 2.0)
    return np.geomspace(low, max(high, low), CELLS + 1)


def _log_e(s: NDArray, statistic: float, mu: float, low: NDArray, high: NDArray) -> NDArray:
    """``log E_s (cells,)`` bounded from below over eigenvalues between ``low`` and ``high (cells, k)``."""
    logs = 0.5 * np.log1p(2.0 * s[:, None] * low).sum(axis=1)
    return -s * statistic + s * mu**2 / (1.0 + 2.0 * s * high[:, 0]) + logs


def _supremum(statistic: float, mu: float, low: NDArray, high: NDArray) -> NDArray:
    """``sup_{s > 0} log E_s (cells,)``: concave in s, so a sign change of its slope, by bisection of log s."""
    largest = max(mu**2, float(high.sum(axis=1).max()))
    a = np.full(len(low), np.log(np.finfo(np.float64).eps / largest))
    b = np.log(1.0 / np.finfo(np.float64).eps / high[:, 0])
    for _ in range(HALVINGS):
        middle = 0.5 * (a + b)
        s = np.exp(middle)
        slope = (mu / (1.0 + 2.0 * s * high[:, 0])) ** 2 + (low / (1.0 + 2.0 * s[:, None] * low)).sum(axis=1)
        rises = slope > statistic
        a, b = np.where(rises, middle, a), np.where(rises, b, middle)
    return np.maximum(_log_e(np.exp(a), statistic, mu, low, high), 0.0)  # any s is valid


@dataclass(frozen=True)
class EProcess(AbstractShown):
    """Evidence that grows with batches of data and may be looked at at any time.

    Each batch adds an e-value for a claim that was fixed, or chosen from earlier batches, before it was seen. Under the
    null the product stays below ``1 / alpha`` for ever with probability ``1 - alpha``.

    Attributes
    ----------
    steps : tuple of float
        Logarithms of the e-values so far.

    References
    ----------
    Ville's inequality; Ramdas, Gruenwald, Vovk and Shafer, Statistical Science 38 (2023) 576.

    Examples
    --------
    >>> process = EProcess().update(2.0).update(1.5)
    >>> process.rejects(0.05), round(process.p_value, 3)
    (True, 0.03)
    """

    steps: tuple[float, ...] = ()

    def update(self, log_e: float) -> EProcess:
        """The process with one more batch.

        Parameters
        ----------
        log_e : float
            Natural logarithm of the e-value of the batch.

        Returns
        -------
        EProcess
            With one more entry.
        """
        return EProcess((*self.steps, float(log_e)))

    @property
    def path(self) -> NDArray:
        """Logarithm of the product after each batch ``(k,)``."""
        return np.cumsum(self.steps)

    @property
    def p_value(self) -> float:
        """One over the largest product so far: valid at any time."""
        return float(np.exp(-max(0.0, self.path.max(initial=0.0))))

    def rejects(self, alpha: float) -> bool:
        """Whether the product has ever reached ``1 / alpha``.

        Parameters
        ----------
        alpha : float
            Level.

        Returns
        -------
        bool
            Whether the claim is refuted at this level.
        """
        return self.p_value <= alpha


def average(log_e: Sequence[float]) -> float:
    """Logarithm of the mean of e-values of one null that depend on each other in any way, as from many splits.

    For splits that choose different generators, the null is "no span of this dimension has so small a defect": what is
    found is that there is one, not where.
    """
    return float(special.logsumexp(np.asarray(log_e, dtype=np.float64)) - np.log(len(log_e)))
