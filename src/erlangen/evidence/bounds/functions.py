"""Functions of one variable with what bounds need: derivatives, their largest size and their range on an interval.

Values of NumPy and SciPy are trusted to `ULPS` units in the last place; everything computed from them carries its own
rounding.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import final

import numpy as np
from numpy.polynomial import Polynomial
from scipy import special

from erlangen._typing import NDArray

EPS = float(np.finfo(np.float64).eps)

ULPS = 8.0
"""Trusted accuracy of tanh, exp, log, sin, arctan, ... in units in the last place (NumPy states at most 4)."""

WIDER = 1.0 + 2.0**-30
"""Constants found by a search for roots are second order in its error, far below this."""


class AbstractFunction(ABC):
    """A smooth function f of one variable. The number k counts derivatives; p is the exponent of a power."""

    @abstractmethod
    def jet(self, z: NDArray, highest: int, p: float) -> list[NDArray]:
        """Derivatives f, f', ... of order 0 .. highest."""

    @abstractmethod
    def error(self, k: int, value: NDArray, p: float) -> NDArray | float:
        """Largest rounding error of a derivative that `jet` computed."""

    @abstractmethod
    def size(self, k: int, jet: list[NDArray], low: NDArray, high: NDArray, reach: NDArray, p: float) -> NDArray:
        """Bound of ``|f^(k)|`` on ``[low, high]``, all of it within ``reach`` of the point of the jet."""

    @abstractmethod
    def range(self, k: int, low: NDArray, high: NDArray, p: float) -> tuple[NDArray, NDArray]:
        """Smallest and largest value of ``f^(k)`` on ``[low, high]``, rounded outwards."""


class AbstractBounded(AbstractFunction):
    """A function whose derivatives are bounded on the line and turn at known points.

    A subclass says values, turning points and rounding.
    """

    @abstractmethod
    def at(self, k: int, z: NDArray) -> NDArray:
        """Derivative of order k."""

    @abstractmethod
    def turns(self, k: int) -> NDArray:
        """Points at which the derivative of order k turns: all roots of the next."""

    @abstractmethod
    def rounding(self, k: int) -> float:
        """Largest rounding error of the derivative of order k >= 1, of values of moderate size."""

    @abstractmethod
    def ceiling(self, k: int) -> float:
        """Bound of the derivative of order k on the line."""

    def error(self, k: int, value: NDArray, p: float) -> NDArray | float:
        """Rounding, as of values near the ceiling: tails of SciPy's functions have larger relative errors."""
        return ULPS * EPS * self.ceiling(0) if k == 0 else self.rounding(k)

    def size(self, k: int, jet: list[NDArray], low: NDArray, high: NDArray, reach: NDArray, p: float) -> NDArray:
        """The smaller of the ceiling on the line and of what one more derivative allows."""
        near = np.abs(jet[k]) + (self.ceiling(k + 1) * WIDER) * reach
        return np.minimum(near * WIDER + self.rounding(k), self.ceiling(k))

    def range(self, k: int, low: NDArray, high: NDArray, p: float) -> tuple[NDArray, NDArray]:
        """Values at the ends and at turning points between them."""
        first, last = self.at(k, low), self.at(k, high)
        smallest, largest = np.minimum(first, last), np.maximum(first, last)
        for turn in self.turns(k):
            peak = float(self.at(k, np.array([turn]))[0])
            slack = WIDER - 1.0
            inside = (low <= turn + slack * (1 + abs(turn))) & (high >= turn - slack * (1 + abs(turn)))
            smallest = np.where(inside, np.minimum(smallest, peak), smallest)
            largest = np.where(inside, np.maximum(largest, peak), largest)
        # A peak that is missed by rounding of its place is missed by the square of that: the ceiling's slack covers it.
        margin = self.error(k, np.maximum(np.abs(smallest), np.abs(largest)), p)
        return smallest - margin, largest + margin


@final
@dataclass(frozen=True, eq=False)
class Riccati(AbstractBounded):
    """A bounded function with f' = P(f): tanh (P = 1 - f^2), the logistic function (P = f - f^2).

    Parameters
    ----------
    value : callable
        The function.
    inverse : callable
        Its inverse.
    rule : Polynomial
        P.
    lowest : float
        Lower end of its values; the upper end is 1.
    """

    value: Callable[[NDArray], NDArray]
    inverse: Callable[[NDArray], NDArray]
    rule: Polynomial
    lowest: float

    @cache  # noqa: B019 - two instances in all
    def polynomial(self, k: int) -> Polynomial:
        """The derivative of order k as a polynomial in f."""
        return Polynomial([0.0, 1.0]) if k == 0 else self.polynomial(k - 1).deriv() * self.rule

    @cache  # noqa: B019 - two instances in all
    def quotient(self, k: int) -> tuple[float, ...]:
        """Coefficients of the derivative of order k over P, lowest first."""
        return tuple(float(c) for c in np.round((self.polynomial(k) // self.rule).coef, 6))

    def jet(self, z: NDArray, highest: int, p: float) -> list[NDArray]:
        """Derivatives."""
        return self._jet(self.value(z), highest)

    def _jet(self, f: NDArray, highest: int) -> list[NDArray]:
        first = _horner(tuple(self.rule.coef), f)
        higher = [first * _horner(self.quotient(k), f) for k in range(2, highest + 1)]
        return [f, first, *higher][: highest + 1]

    def at(self, k: int, z: NDArray) -> NDArray:
        """Derivative of order k."""
        f = self.value(z)
        return f if k == 0 else self._jet(f, 1)[1] if k == 1 else self._jet(f, k)[k]

    @cache  # noqa: B019 - two instances in all
    def turns(self, k: int) -> NDArray:
        """All roots of a polynomial."""
        roots = self.polynomial(k + 1).roots()
        real = roots[np.abs(roots.imag) < 1e-6].real  # simple roots: a real one has no imaginary part beyond rounding
        inside = (real > self.lowest + 1e-6) & (real < 1 - 1e-6)
        return np.array([]) if k == 0 else self.inverse(real[inside])

    @cache  # noqa: B019 - two instances in all
    def ceiling(self, k: int) -> float:
        """Largest value at a turning point."""
        if k == 0:
            return 1.0 + ULPS * EPS
        return float(np.abs(self.at(k, self.turns(k))).max()) * WIDER

    @cache  # noqa: B019 - two instances in all
    def rounding(self, k: int) -> float:
        """Sum of the sizes of the terms times the number of operations behind each, and the error of f itself."""
        return EPS * (ULPS * k + 8.0) * 2.0 * float(np.abs(self.polynomial(k).coef).sum())


def _horner(coefficients: tuple[float, ...], x: NDArray) -> NDArray:
    """Value of a polynomial; one that is even or odd is evaluated in x^2."""
    used = [k for k, c in enumerate(coefficients) if c]
    if not used:
        return np.zeros_like(x)
    parity = {k % 2 for k in used}
    if len(parity) == 1 and used[-1] > 1:
        odd = parity.pop()
        inner = _horner(tuple(coefficients[odd::2]), x * x)
        return inner * x if odd else inner
    out = np.full_like(x, coefficients[used[-1]])
    for c in coefficients[: used[-1]][::-1]:
        out *= x
        if c:
            out += c
    return out


@final
@dataclass(frozen=True, eq=False)
class NormalCdf(AbstractBounded):
    """Phi(x), the distribution function of the standard normal law; its derivatives are Hermite functions."""

    @cache  # noqa: B019 - one instance
    def polynomial(self, k: int) -> Polynomial:
        """The derivative of order k >= 1 over the normal density."""
        last = None if k == 1 else self.polynomial(k - 1)
        return Polynomial([1.0]) if last is None else last.deriv() - last * Polynomial([0.0, 1.0])

    def jet(self, z: NDArray, highest: int, p: float) -> list[NDArray]:
        """Derivatives."""
        density = np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
        return [special.ndtr(z), *(density * _horner(self._coefficients(k), z) for k in range(1, highest + 1))]

    def at(self, k: int, z: NDArray) -> NDArray:
        """Derivative of order k."""
        return special.ndtr(z) if k == 0 else self.jet(z, k, 0.0)[k]

    def _coefficients(self, k: int) -> tuple[float, ...]:
        return tuple(self.polynomial(k).coef.tolist())

    @cache  # noqa: B019 - one instance
    def turns(self, k: int) -> NDArray:
        """All roots of a Hermite polynomial, which are real."""
        return np.array([]) if k == 0 else self.polynomial(k + 1).roots().real

    @cache  # noqa: B019 - one instance
    def ceiling(self, k: int) -> float:
        """Largest value at a turning point."""
        return 1.0 + ULPS * EPS if k == 0 else float(np.abs(self.at(k, self.turns(k))).max()) * WIDER

    @cache  # noqa: B019 - one instance
    def rounding(self, k: int) -> float:
        """Rounding of each term, and of the exponent x^2/2; the peak of x^j exp(-x^2/2) is at sqrt(j)."""
        x = np.linspace(0.0, 12.0, 2401)
        terms = sum(abs(c) * x**j for j, c in enumerate(self._coefficients(k)))
        return 2.0 * EPS * float((terms * (ULPS + 2 * k + 8 + x * x) * np.exp(-0.5 * x * x)).max())


@final
@dataclass(frozen=True, eq=False)
class Wave(AbstractFunction):
    """sin (shift 0) or cos (shift 1): each derivative is the next of sin, cos, -sin, -cos."""

    shift: int

    def jet(self, z: NDArray, highest: int, p: float) -> list[NDArray]:
        """Derivatives."""
        sine, cosine = np.sin(z), np.cos(z)
        cycle = [sine, cosine, -sine, -cosine]
        return [cycle[(k + self.shift) % 4] for k in range(highest + 1)]

    def error(self, k: int, value: NDArray, p: float) -> NDArray | float:
        """Rounding."""
        return ULPS * EPS

    def size(self, k: int, jet: list[NDArray], low: NDArray, high: NDArray, reach: NDArray, p: float) -> NDArray:
        """At most 1, and at most the value moved by the distance."""
        return np.minimum(np.abs(jet[k]) * WIDER + reach + ULPS * EPS, 1.0)

    def range(self, k: int, low: NDArray, high: NDArray, p: float) -> tuple[NDArray, NDArray]:
        """Values at the ends, and +-1 where a peak lies between."""
        quarter = (k + self.shift) % 4  # sin(x + quarter * pi / 2)
        first, last = (self.jet(z, k, p)[k] for z in (low, high))
        smallest, largest = np.minimum(first, last), np.maximum(first, last)
        slack = (WIDER - 1.0) * (1.0 + np.maximum(np.abs(low), np.abs(high)))

        def between(place: float) -> NDArray:
            return np.floor((high + slack - place) / (2 * np.pi)) >= np.ceil((low - slack - place) / (2 * np.pi))

        top = np.pi / 2 - quarter * np.pi / 2
        largest = np.where(between(top), 1.0, largest + ULPS * EPS)
        return np.where(between(top + np.pi), -1.0, smallest - ULPS * EPS), largest


@final
@dataclass(frozen=True, eq=False)
class Arctan(AbstractBounded):
    """arctan; its derivative of order k is (k-1)! cos(t)^k sin(k (t + pi/2)) at t = arctan(x)."""

    def jet(self, z: NDArray, highest: int, p: float) -> list[NDArray]:
        """Derivatives."""
        return [self.at(k, z) for k in range(highest + 1)]

    def at(self, k: int, z: NDArray) -> NDArray:
        """Derivative of order k."""
        angle = np.arctan(z)
        if k == 0:
            return angle
        return math.factorial(k - 1) * (1.0 + z * z) ** (-0.5 * k) * np.sin(k * (angle + np.pi / 2))

    def turns(self, k: int) -> NDArray:
        """Where sin((k+1)(t + pi/2)) vanishes."""
        return np.array([]) if k == 0 else np.tan(np.arange(1, k + 1) * np.pi / (k + 1) - np.pi / 2)

    def ceiling(self, k: int) -> float:
        """Largest value at a turning point."""
        return np.pi / 2 * WIDER if k == 0 else float(np.abs(self.at(k, self.turns(k))).max()) * WIDER

    def rounding(self, k: int) -> float:
        """Angles of size up to k pi, and a power."""
        return EPS * math.factorial(max(k - 1, 0)) * (4 * ULPS + 8 * k)


@final
@dataclass(frozen=True, eq=False)
class Exponential(AbstractFunction):
    """exp."""

    def jet(self, z: NDArray, highest: int, p: float) -> list[NDArray]:
        """Derivatives."""
        return [np.exp(z)] * (highest + 1)

    def error(self, k: int, value: NDArray, p: float) -> NDArray | float:
        """Rounding."""
        return ULPS * EPS * value

    def size(self, k: int, jet: list[NDArray], low: NDArray, high: NDArray, reach: NDArray, p: float) -> NDArray:
        """The value at the upper end."""
        return np.exp(high) * WIDER

    def range(self, k: int, low: NDArray, high: NDArray, p: float) -> tuple[NDArray, NDArray]:
        """Values at the ends."""
        return np.exp(low) * (1 - ULPS * EPS), np.exp(high) * (1 + ULPS * EPS)


@final
@dataclass(frozen=True, eq=False)
class Power(AbstractFunction):
    """x^p; where p is no natural number it is defined for x > 0 (p a negative integer: x != 0)."""

    def jet(self, z: NDArray, highest: int, p: float) -> list[NDArray]:
        """Derivatives."""
        return [_falling(p, k) * _powered(z, p - k) if _falling(p, k) else np.zeros_like(z) for k in range(highest + 1)]

    def error(self, k: int, value: NDArray, p: float) -> NDArray | float:
        """Rounding of each multiplication."""
        return (ULPS + 2 * abs(p - k) + 2 * k) * EPS * np.abs(value)

    def size(self, k: int, jet: list[NDArray], low: NDArray, high: NDArray, reach: NDArray, p: float) -> NDArray:
        """The value at the end that is farthest from zero, or nearest where the exponent is negative."""
        low_end, high_end = self.range(k, low, high, p)
        return np.maximum(np.abs(low_end), np.abs(high_end))

    def range(self, k: int, low: NDArray, high: NDArray, p: float) -> tuple[NDArray, NDArray]:
        """Values at the ends, and zero where an even power has it between them; nothing is known outside the domain."""
        factor, q = _falling(p, k), p - k
        if not factor:
            return np.zeros_like(low), np.zeros_like(low)
        first, last = factor * _powered(low, q), factor * _powered(high, q)
        smallest, largest = np.minimum(first, last), np.maximum(first, last)
        if q > 0 and q == int(q) and int(q) % 2 == 0:
            across = (low < 0) & (high > 0)
            smallest = np.where(across, np.minimum(smallest, 0.0), smallest)
            largest = np.where(across, np.maximum(largest, 0.0), largest)
        margin = self.error(k, np.maximum(np.abs(smallest), np.abs(largest)), p)
        outside = _outside(low, high, q)
        return np.where(outside, -np.inf, smallest - margin), np.where(outside, np.inf, largest + margin)


def _outside(low: NDArray, high: NDArray, q: float) -> NDArray:
    """Where a power with this exponent is not finite on the whole interval."""
    if q == int(q):
        return (low <= 0) & (high >= 0) if q < 0 else np.zeros(low.shape, dtype=bool)
    return low <= 0 if q < 0 else low < 0


def _falling(p: float, k: int) -> float:
    return math.prod(p - j for j in range(k))


def _powered(z: NDArray, q: float) -> NDArray:
    if q < 0:
        return 1.0 / _powered(z, -q)
    if q == int(q) and q <= 16:  # products are faster than pow, and their rounding is known
        out = np.ones_like(z)
        for _ in range(int(q)):
            out = out * z
        return out
    return np.sqrt(z) * _powered(z, q - 0.5) if q - 0.5 == int(q - 0.5) and q < 16 else np.power(z, q)


@final
@dataclass(frozen=True, eq=False)
class Primitive(AbstractFunction):
    """A monotone function whose derivative is another of these: log (1/x), softplus (the logistic function).

    Parameters
    ----------
    value : callable
        The function.
    slope : AbstractFunction
        Its derivative.
    exponent : float
        The exponent, where the derivative is a power.
    """

    value: Callable[[NDArray], NDArray]
    slope: AbstractFunction
    exponent: float = 0.0

    def jet(self, z: NDArray, highest: int, p: float) -> list[NDArray]:
        """Derivatives."""
        return [self.value(z), *self.slope.jet(z, highest - 1, self.exponent)]

    def error(self, k: int, value: NDArray, p: float) -> NDArray | float:
        """Rounding."""
        return 2 * ULPS * EPS * (np.abs(value) + EPS) if k == 0 else self.slope.error(k - 1, value, self.exponent)

    def size(self, k: int, jet: list[NDArray], low: NDArray, high: NDArray, reach: NDArray, p: float) -> NDArray:
        """That of the derivative."""
        return self.slope.size(k - 1, jet[1:], low, high, reach, self.exponent)

    def range(self, k: int, low: NDArray, high: NDArray, p: float) -> tuple[NDArray, NDArray]:
        """Values at the ends."""
        if k:
            return self.slope.range(k - 1, low, high, self.exponent)
        first, last = self.value(low), self.value(high)
        return first - self.error(0, first, p), last + self.error(0, last, p)


_LOGISTIC = Riccati(special.expit, special.logit, Polynomial([0.0, 1.0, -1.0]), 0.0)

SMOOTH: dict[str, AbstractFunction] = {
    "tanh": Riccati(np.tanh, np.arctanh, Polynomial([1.0, 0.0, -1.0]), -1.0),
    "sigmoid": _LOGISTIC,
    "softplus": Primitive(lambda z: np.logaddexp(0.0, z), _LOGISTIC),
    "normal cdf": NormalCdf(),
    "sin": Wave(0),
    "cos": Wave(1),
    "arctan": Arctan(),
    "exp": Exponential(),
    "log": Primitive(np.log, Power(), -1.0),
    "power": Power(),
}
"""The smooth functions; ``relu`` and its slope are treated where bounds are made."""
