"""Optimal designs: measurements that most reduce a mean square error, by greedy choice and exchange."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from erlangen._typing import NDArray

PASSES = 3
"""Rounds in which each chosen point may be exchanged; later ones change next to nothing."""

BETTER = 1e-6
"""Relative gain below which an exchange is rounding."""


@dataclass(frozen=True, eq=False)
class Design:
    """What is known, what is asked, and what may be measured.

    Attributes
    ----------
    covariance : ndarray (q, q)
        Of the parameters before anything is measured.
    target : ndarray (q, q)
        T, where the mean square error of what is asked is trace(T C) for the covariance C.
    features : ndarray (N, c, q)
        How the c values at each of N points depend on the parameters.
    noise : ndarray (c,)
        Variance of each value.
    """

    covariance: NDArray
    target: NDArray
    features: NDArray
    noise: NDArray

    def error(self, covariance: NDArray) -> float:
        """Root mean square error of what is asked."""
        return float(np.sqrt(max(np.trace(self.target @ covariance), 0.0)))

    def after(self, rows: NDArray) -> NDArray:
        """Covariance once the points in ``rows`` are measured."""
        covariance = self.covariance
        for row in rows:
            covariance = self.measured(covariance, int(row))
        return covariance

    def measured(self, covariance: NDArray, row: int, sign: float = 1.0) -> NDArray:
        """Covariance with one more point measured; with ``sign=-1`` one less."""
        f = self.features[row]
        g = covariance @ f.T
        return covariance - sign * g @ np.linalg.solve(np.diag(self.noise) + sign * f @ g, g.T)

    def gains(self, covariance: NDArray) -> NDArray:
        """How much each point would take off trace(T C), ``(N,)``."""
        gf = self.features @ covariance
        spread = np.einsum("ncq,nbq->ncb", gf, self.features, optimize=True) + np.diag(self.noise)
        taken = np.einsum("ncq,nbq->ncb", gf @ self.target, gf, optimize=True)
        return np.trace(np.linalg.solve(spread, taken), axis1=1, axis2=2)

    def best(self, n: int) -> NDArray:
        """Positions ``(n,)`` of points to measure: the best one at a time, then exchanged while that helps.

        References
        ----------
        Fedorov, Theory of Optimal Experiments, 1972, chapter 3; Cook and Nachtsheim, Technometrics 22, 1980.
        """
        rows, covariance = np.zeros(0, dtype=np.int64), self.covariance
        for _ in range(n):
            row = int(np.argmax(self.gains(covariance)))
            rows, covariance = np.append(rows, row), self.measured(covariance, row)
        for _ in range(PASSES):
            before = self.error(covariance)
            for k in range(n):
                without = self.measured(covariance, int(rows[k]), -1.0)
                gains = self.gains(without)
                row = int(np.argmax(gains))
                if gains[row] > gains[rows[k]] * (1.0 + BETTER):
                    rows[k] = row
                covariance = self.measured(without, int(rows[k]))
            covariance = self.after(rows)  # sums of many updates lose digits
            if self.error(covariance) >= before * (1.0 - BETTER):
                break
        return rows
