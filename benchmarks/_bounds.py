"""What data can say at best: the Cramer-Rao bound of the coefficients of known terms, with unknown initial states."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from benchmarks._truth import true_terms
from erlangen._formula import Formula
from erlangen.systems import System
from erlangen.systems._rates import rate

ACCURACY = 1e-8


class Sensitivities:
    """A true system as a sum of terms, with the derivatives of its solutions by coefficients and initial states.

    Parameters
    ----------
    system : System
        The truth; its normal form says what the k terms are.
    """

    def __init__(self, system: System) -> None:
        self.system = system
        forms = true_terms(system)
        self.terms = [(a, key, value) for a, form in enumerate(forms) for key, value in form.items()]
        self.d, self.k = system.dim, len(self.terms)

    @cached_property
    def _functions(self) -> list:
        return [rate(_readable(key, self.system.names)) for _, key, _ in self.terms]

    @cached_property
    def _slopes(self) -> list:
        formulas = [self.system.formula(text) for text in self.system.formulas]
        return [[rate(formula.derivative(name)) for name in self.system.names] for formula in formulas]

    def _change(self, _: float, z: NDArray) -> NDArray:
        """Variational equations: S' = J S + Theta for coefficients, and S' = J S for initial states."""
        d, k = self.d, self.k
        x, s = z[:d], z[d:].reshape(d, k + d)
        jacobian = np.array([[float(slope(x)) for slope in row] for row in self._slopes])
        out = jacobian @ s
        for j, ((a, _, _), function) in enumerate(zip(self.terms, self._functions, strict=True)):
            out[a, j] += float(function(x))
        return np.concatenate([self.system.rhs(x), out.ravel()])

    def along(self, x0: NDArray, times: NDArray) -> tuple[NDArray, NDArray]:
        """States ``(n, d)`` and their derivatives ``(n, d, k + d)``."""
        d, k = self.d, self.k
        s0 = np.concatenate([np.zeros((d, k)), np.eye(d)], axis=1)
        with np.errstate(all="ignore"):
            run = solve_ivp(
                self._change, (times[0], times[-1]), np.concatenate([x0, s0.ravel()]),
                method="LSODA", t_eval=times, rtol=ACCURACY, atol=ACCURACY * max(np.abs(x0).max(), 1e-3),
            )  # fmt: skip
        return run.y[:d].T, run.y[d:].T.reshape(-1, d, k + d)


def _readable(key: str, names: Sequence[str]) -> Formula:
    return Formula(key.replace("Abs(", "abs("), tuple(names))


def multiplicative(system: System, times: NDArray, noise: float) -> float:
    """Relative standard deviation of the worst coefficient, for noise that multiplies each number.

    Two sources of information: the mean, and the size of the noise, which follows the mean.
    """
    assert system.initial is not None
    exact = Sensitivities(system)
    blocks = []
    for i, x0 in enumerate(system.initial):
        states, slopes = exact.along(x0, times)
        floor = np.finfo(float).eps * np.abs(states).max()
        size = np.maximum(np.abs(states), floor)[..., None]
        weighted = np.sqrt(1 / noise**2 + 2) * slopes / size
        others = np.zeros((*weighted.shape[:2], len(system.initial) * exact.d))
        others[..., i * exact.d : (i + 1) * exact.d] = weighted[..., exact.k :]
        both = np.concatenate([weighted[..., : exact.k], others], axis=2)
        blocks.append(both.reshape(-1, both.shape[2]))
    return _worst(np.concatenate(blocks), np.array([value for _, _, value in exact.terms]))


def _worst(rows: NDArray, values: NDArray) -> float:
    """Largest standard deviation over its coefficient, from weighted sensitivities; columns are scaled first."""
    if not np.isfinite(rows).all():
        return float("inf")
    k = len(values)
    scale = np.linalg.norm(rows, axis=0)
    if np.any(scale[:k] == 0):
        return float("inf")
    scale[scale == 0] = 1.0
    r = np.linalg.qr(rows / scale, mode="r")
    _, s, v = np.linalg.svd(r)
    if s[-1] <= len(s) * np.finfo(float).eps * s[0]:
        return float("inf")
    deviations = np.linalg.norm(v.T / s, axis=1)[:k] / scale[:k]
    return float(np.max(deviations / np.abs(values)))


def undecidable(bound: float, close: float) -> bool:
    """Whether even the best estimate is off by more than allowed, in more than one draw of twenty."""
    return bound > close / 2
