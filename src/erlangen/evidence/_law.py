"""The law of an estimate: parameters of a linear field, a root of their covariance, and what makes it true."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from scipy import special

from erlangen._errors import InputError, UndecidedError, explain
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray

IN_CLASS = "the true function lies in the class that was fitted"
EXACT_POINTS = "points are known without error: all noise is in the values"


@dataclass(frozen=True, eq=False)
class Estimate(AbstractShown):
    """Parameters theta-hat of a linear field and the law of their error, theta-hat ~ N(theta, root root^T).

    Attributes
    ----------
    theta : ndarray (q,)
        The estimate; of least norm where the design leaves directions free.
    root : ndarray (q, r)
        Square root of the covariance: ``root @ root.T``.
    dof : float
        Degrees of freedom behind ``root``; infinite where the noise is known.
    exact : bool
        Whether sets and quantiles hold in finite samples, under the assumptions.
    sigma : ndarray (c,)
        Standard deviation of the noise of each channel (with weights: of a row of weight one).
    assumptions : tuple of str
        What must be true, most binding first.
    null : ndarray (q, r0)
        Orthonormal directions of the parameters that no row sees: anything may be there.
    set_dof, stretch : float
        The simultaneous set is ``|u|^2 <= stretch r F(r, set_dof)``.
    """

    theta: NDArray
    root: NDArray
    dof: float
    exact: bool
    sigma: NDArray
    assumptions: tuple[str, ...]
    null: NDArray
    set_dof: float = field(default=np.nan)
    stretch: float = 1.0

    @property
    def rank(self) -> int:
        """Number r of directions with an error."""
        return self.root.shape[1]

    @cached_property
    def covariance(self) -> NDArray:
        """Covariance ``(q, q)`` of theta."""
        return self.root @ self.root.T

    def radius(self, alpha: float) -> float:
        """R of the set ``{theta + root u : |u| <= R}`` that holds the true parameters with probability 1 - alpha.

        Parameters
        ----------
        alpha : float
            Probability that the set misses the true parameters, between 0 and 1.

        Returns
        -------
        float
            R, without unit.

        Raises
        ------
        UndecidedError
            When fewer groups than parameters gave the covariance: it has no simultaneous set.
        InputError
            When alpha is not between 0 and 1.
        """
        share = _checked(alpha)
        dof = self.dof if np.isnan(self.set_dof) else self.set_dof
        if self.rank == 0:
            return 0.0
        if dof <= 0:
            raise UndecidedError(
                explain(
                    "So few groups give no confidence set for all parameters at once.",
                    given=f"{self.dof + 1:g} groups for {len(self.theta)} parameters",
                    expected="more groups than parameters, or one contrast at a time",
                    fix='mode="held-out", or noise="blocks"',
                )
            )
        if np.isinf(dof):
            return float(np.sqrt(special.chdtri(self.rank, share)))
        return float(np.sqrt(self.stretch * self.rank * special.fdtri(self.rank, dof, 1.0 - share)))

    def quantile(self, alpha: float) -> float:
        """One-sided quantile t(1 - alpha) for one contrast of the parameters chosen beforehand.

        Parameters
        ----------
        alpha : float
            Error probability of one side, between 0 and 1.

        Returns
        -------
        float
            The quantile, in standard errors.

        Raises
        ------
        InputError
            When alpha is not between 0 and 1.
        """
        share = _checked(alpha)
        return float(-special.ndtri(share) if np.isinf(self.dof) else -special.stdtrit(self.dof, share))

    def draws(self, count: int, rng: int | np.random.Generator = 0) -> NDArray:
        """Random parameters ``(count, q)`` of the law N(theta-hat, root root^T).

        Parameters
        ----------
        count : int
            How many.
        rng : int or numpy.random.Generator
            Draws them.

        Returns
        -------
        ndarray (count, q)
            One set of parameters a row.
        """
        rng = np.random.default_rng(rng)
        return self.theta + rng.standard_normal((count, self.rank)) @ self.root.T

    def thinned(self, tau: float, rng: int | np.random.Generator = 0) -> tuple[Estimate, Estimate]:
        """Two estimates that are independent where ``root`` is known, and nearly so for many degrees of freedom.

        ``theta + tau e`` and ``theta - e / tau`` with e ~ N(0, root root^T): a split of the information, a share
        ``1 / (1 + tau^2)`` to the first, that leaves every row in both. What it gives is not exact.

        Parameters
        ----------
        tau : float
            Positive; 1 gives both halves the same information.
        rng : int or numpy.random.Generator
            Draws the noise that is added.

        Returns
        -------
        tuple of two Estimate
            The first with a share ``1 / (1 + tau^2)`` of the information, the second with the rest.

        Raises
        ------
        InputError
            When tau is not positive.

        References
        ----------
        Leiner, Duan, Wasserman and Ramdas, J. American Statistical Association 120 (2025) 135 (data fission).
        """
        if not tau > 0.0:
            raise InputError(
                explain("Thinning needs a positive ratio.", given=f"tau = {tau}", expected="tau > 0", fix="tau=1.0")
            )
        error = self.root @ np.random.default_rng(rng).standard_normal(self.rank)
        told = (*self.assumptions, "thinned parts are independent up to the error of the variance")
        first, second = (
            replace(
                self,
                theta=self.theta + step * error,
                root=np.hypot(1.0, step) * self.root,
                exact=False,
                assumptions=told,
            )
            for step in (tau, -1.0 / tau)
        )
        return first, second


def _checked(alpha: float) -> float:
    if not 0.0 < alpha < 1.0:
        raise InputError(
            explain(
                "A level lies between 0 and 1.", given=f"alpha = {alpha}", expected="0 < alpha < 1", fix="alpha=0.05"
            )
        )
    return float(alpha)
