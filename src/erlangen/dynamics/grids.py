"""Equations of fields on a periodic line: differential monomials, model error, and a solver."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain, nearest
from erlangen._render import _signed_sum, number, number_latex
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.dynamics._grid_windows import Monomial, norm_of

REFLECTIONS = ("x", "u", "xu")
"""x to -x, u to -u, and both at once."""

CONTOUR = 32
"""Points on the circle by which functions of small numbers are averaged (Kassam and Trefethen)."""


@dataclass(frozen=True)
class DifferentialTerms(AbstractShown):
    """Differential monomials of a field u(x) on a periodic line: derivatives of powers of u.

    u^p for p up to ``degree``, ``u^(p-1) u_x``, and ``(u^p)_xx`` and so on up to ``order`` derivatives: those that
    integrate by parts, so that a weak form takes no derivative of data.

    Parameters
    ----------
    degree : int
        Highest power of u.
    order : int
        Highest number of derivatives by x.
    length : float
        Period.

    Raises
    ------
    InputError
        When the degree is not at least 1, the order not between 0 and 6, or the period not positive.

    Examples
    --------
    >>> DifferentialTerms(degree=2, order=2, length=10.0).texts
    ('1', 'u', 'u^2', 'u_x', 'u u_x', 'u_xx', '(u^2)_xx')
    """

    degree: int
    order: int
    length: float

    def __post_init__(self) -> None:
        whole = all(isinstance(n, (int, np.integer)) for n in (self.degree, self.order))
        if not whole or self.degree < 1 or not 0 <= self.order <= 6 or not 0 < self.length < np.inf:
            raise InputError(
                explain(
                    "These are no differential monomials.",
                    given=f"degree={self.degree!r}, order={self.order!r}, length={self.length!r}",
                    expected="a degree from 1 on, at most 6 derivatives, and the period of the line",
                    fix="DifferentialTerms(degree=3, order=4, length=2 * numpy.pi)",
                )
            )

    @property
    def monomials(self) -> tuple[Monomial, ...]:
        """Powers and derivatives of each term."""
        rest = ((p, k) for k in range(self.order + 1) for p in range(1, self.degree + 1))
        return ((0, 0), *rest)

    @property
    def texts(self) -> tuple[str, ...]:
        """How the terms are printed."""
        return tuple(text_of(term) for term in self.monomials)

    def symmetric(self, reflections: Sequence[str]) -> NDArray:
        """Which terms ``(r,)`` commute with reflections ``"x"`` (x to -x), ``"u"`` (u to -u), ``"xu"`` (both).

        Parameters
        ----------
        reflections : sequence of {"x", "u", "xu"}
            Those that must hold.

        Returns
        -------
        ndarray (r,) of bool
            True where a term commutes with all of them.

        Raises
        ------
        InputError
            When there is no such reflection.
        """
        signs = {"x": lambda p, k: (-1) ** k, "u": lambda p, k: (-1) ** (p + 1), "xu": lambda p, k: (-1) ** (p + k + 1)}
        for name in reflections:
            if name not in signs:
                raise InputError(
                    explain(
                        "There is no such reflection.",
                        given=repr(name),
                        expected=", ".join(map(repr, REFLECTIONS)),
                        fix=f'symmetry=("{nearest(str(name), REFLECTIONS) or "xu"}",)',
                    )
                )
        return np.array([all(signs[name](p, k) == 1 for name in reflections) for p, k in self.monomials])


@dataclass(frozen=True, eq=False)
class GridEquation(AbstractShown):
    """u_t = a sum of differential monomials, on a periodic line.

    Parameters
    ----------
    terms : mapping of str to float
        Coefficients of terms as they are printed, ``{"u u_x": -1, "u_xx": -1, "u_xxxx": -1}``.
    length : float
        Period.
    errors : mapping of str to float, optional
        Standard errors.

    Examples
    --------
    >>> burgers = GridEquation({"u u_x": -1.0, "u_xx": 0.1}, length=2 * np.pi)
    >>> print(burgers)
    u_t = -u u_x + 0.1 u_xx
    >>> x = np.arange(64) * 2 * np.pi / 64
    >>> bool(np.allclose(burgers.value(np.sin(x)), -np.sin(x) * np.cos(x) - 0.1 * np.sin(x)))
    True
    """

    terms: Mapping[str, float]
    length: float
    errors: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        read = {text_of(monomial_of(text)): float(c) for text, c in self.terms.items()}
        object.__setattr__(self, "terms", read)

    @property
    def monomials(self) -> dict[Monomial, float]:
        """Coefficients by powers and derivatives."""
        return {monomial_of(text): c for text, c in self.terms.items()}

    def value(self, u: ArrayLike) -> NDArray:
        """u_t ``(..., n)`` of fields on n grid points, by Fourier series.

        Parameters
        ----------
        u : array_like (..., n)
            Fields on n equally spaced points of one period.

        Returns
        -------
        ndarray (..., n)
            Their time derivatives.
        """
        field = np.asarray(u, dtype=np.float64)
        wave = self._waves(field.shape[-1])
        total = np.zeros(np.fft.rfft(field).shape, dtype=complex)
        for (p, k), c in self.monomials.items():
            total += c / norm_of((p, k)) * (1j * wave) ** k * np.fft.rfft(field**p)
        return np.fft.irfft(total, field.shape[-1])

    def simulate(self, u0: ArrayLike, t: ArrayLike, substeps: int = 20) -> NDArray:
        """Fields ``(T, n)`` at times ``t (T,)``, equal steps, from ``u0 (n,)`` at the first.

        Linear terms are solved exactly, the others by a fourth-order exponential Runge-Kutta method with ``substeps``
        steps between two times; products are dealiased.

        Parameters
        ----------
        u0 : array_like (n,)
            The field at the first time.
        t : array_like (T,)
            The T times, equally spaced.
        substeps : int
            Steps of the solver between two times.

        Returns
        -------
        ndarray (T, n)
            The field at each time.

        References
        ----------
        Kassam, Trefethen, SIAM J. Sci. Comput. 26, 2005, 1214-1233.
        """
        field, times = np.asarray(u0, dtype=np.float64), np.asarray(t, dtype=np.float64)
        n, wave = len(field), self._waves(len(field))
        linear = sum((c * (1j * wave) ** k for (p, k), c in self.monomials.items() if p == 1), np.zeros(len(wave)) * 1j)
        rest = [((p, k), c) for (p, k), c in self.monomials.items() if p != 1]
        most = max((p for (p, _), _ in rest), default=1)
        kept = np.arange(len(wave)) <= n // (most + 1)

        def push(v: NDArray) -> NDArray:
            w = np.fft.irfft(v * kept, n)
            total = np.zeros(len(wave), dtype=complex)
            for (p, k), c in rest:
                total += c / norm_of((p, k)) * (1j * wave) ** k * np.fft.rfft(w**p)
            return total * kept

        v, out = np.fft.rfft(field), [field]
        step = _exponential_step(linear, (times[-1] - times[0]) / ((len(times) - 1) * substeps), push)
        for _ in times[1:]:
            for _ in range(substeps):
                v = step(v)
            out.append(np.fft.irfft(v, n))
        return np.array(out)

    def _waves(self, n: int) -> NDArray:
        wave = 2 * np.pi / self.length * np.arange(n // 2 + 1)
        if n % 2 == 0:
            wave[-1] = 0.0  # the highest wave of an even grid has no derivative on it
        return wave

    def _repr_latex_(self) -> str:
        terms = ((c, "" if text == "1" else re.sub(r"_(\w+)", r"_{\1}", text)) for text, c in self.terms.items())
        return f"$\\displaystyle u_t = {_signed_sum(terms, number_latex, ' ')}$"

    def __str__(self) -> str:
        pairs = ((c, "" if text == "1" else text) for text, c in self.terms.items())
        return f"u_t = {_signed_sum(pairs, lambda c: number(c, 4), ' ')}"


def _exponential_step(linear: NDArray, h: float, push: Any) -> Any:
    """One step of the exponential Runge-Kutta method of order four."""
    circle = np.exp(1j * np.pi * (np.arange(CONTOUR) + 0.5) / CONTOUR)
    z = h * linear[:, None] + np.concatenate([circle, circle.conj()])
    e, half = np.exp(h * linear), np.exp(h * linear / 2)
    q = h * np.mean((np.exp(z / 2) - 1) / z, axis=1)
    a = h * np.mean((-4 - z + np.exp(z) * (4 - 3 * z + z**2)) / z**3, axis=1)
    b = h * np.mean((2 + z + np.exp(z) * (z - 2)) / z**3, axis=1)
    c = h * np.mean((-4 - 3 * z - z**2 + np.exp(z) * (4 - z)) / z**3, axis=1)

    def step(v: NDArray) -> NDArray:
        first = push(v)
        at_a = half * v + q * first
        second = push(at_a)
        third = push(half * v + q * second)
        fourth = push(half * at_a + q * (2 * third - first))
        return e * v + a * first + 2 * b * (second + third) + c * fourth

    return step


def text_of(term: Monomial) -> str:
    """How a term is printed."""
    p, k = term
    if p == 0:
        return "1"
    power = "u" if p == 1 else f"u^{p}"
    if k == 0:
        return power
    if p == 1:
        return "u_" + "x" * k
    if k == 1:
        return ("u" if p == 2 else f"u^{p - 1}") + " u_x"
    return f"({power})_" + "x" * k


def monomial_of(text: str) -> Monomial:
    """Read a printed term.

    Examples
    --------
    >>> monomial_of("u^2 u_x"), monomial_of("u_xxxx"), monomial_of("(u^2)_xx"), monomial_of("u")
    ((3, 1), (1, 4), (2, 2), (1, 0))
    """
    plain = text.replace(" ", "").replace("*", "")
    for pattern, read in _PATTERNS:
        found = re.fullmatch(pattern, plain)
        if found:
            return read(found)
    raise InputError(
        explain(
            "This is no differential monomial of this library.",
            given=repr(text),
            expected="1, u, u^2, .., u_x, u u_x, u^2 u_x, .., u_xx, (u^2)_xx, ..",
            fix='"u^2 u_x" is a third of "(u^3)_x"; "u u_xx" is not a derivative of a power',
        )
    )


_PATTERNS: tuple[tuple[str, Any], ...] = (
    (r"1", lambda m: (0, 0)),
    (r"u(?:\^(\d+))?", lambda m: (int(m[1] or 1), 0)),
    (r"u_(x+)", lambda m: (1, len(m[1]))),
    (r"u(?:\^(\d+))?u_x", lambda m: (int(m[1] or 1) + 1, 1)),
    (r"\(u\^(\d+)\)_(xx+)", lambda m: (int(m[1]), len(m[2]))),
)
