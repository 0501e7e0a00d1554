"""Held-out certificates: generators from one part of the data, tested on the other. Exact in finite samples.

H_d: some unit c has |L_{Vc} f| >= delta |M_{Vc} f|. By Cauchy-Schwarz the denominator is at least its
projection on that of the first part, s_c . theta, which is linear in theta. So under H_d there are unit
vectors (c, e) with (L_c^T e - delta s_c) . theta >= 0, and one t test of that contrast has level alpha.
H_d is rejected where all of them are (intersection-union); no dimension enters the quantile.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.linalg import qr

from erlangen._typing import NDArray
from erlangen.evidence.bilinear import Bilinear, spectrum_of
from erlangen.evidence.ellipsoid import ratio_upper, unfolding_norm
from erlangen.evidence.estimate import Estimate
from erlangen.evidence.simultaneous import Nested, unseen

FAR = 4.0
"""Times delta, in the few rows that choose: beyond, a span is not worth a test."""

SNAP = 0.2
"""Entries of a reduced basis that are closer to a multiple of 1/2 are rounded: less than half of the spacing."""


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What the second part of the data says of spans that the first part chose.

    Attributes
    ----------
    path : Nested
        The spans of the smallest defects in the first part, bounds from the second: each at half of alpha.
    rounded : tuple of (ndarray (p, d), float)
        Rounded spans and their bounds, at the other half, ascending in dimension.
    delta : float
        Tolerance at which the level was fixed.
    """

    path: Nested
    rounded: tuple[tuple[NDArray, float], ...]
    delta: float

    @property
    def span(self) -> NDArray:
        """Certified span ``(p, dim)``: the larger of the two answers, the rounded one where they are as large."""
        plain = self.path.basis[:, : self.path.dim(self.delta)]
        best = plain[:, :0]
        for basis, bound in self.rounded:
            if bound > self.delta:
                break
            best = basis
        return best if best.shape[1] >= plain.shape[1] else plain

    @property
    def dim(self) -> int:
        """Certified dimension."""
        return self.span.shape[1]

    @property
    def plain(self) -> bool:
        """Whether the span is as the first part found it, with the noise of that part, and not rounded."""
        return not any(self.span is basis for basis, _ in self.rounded)


def held_out(
    both: Bilinear, first: Estimate, second: Estimate, delta: float, alpha: float, units: NDArray | None = None
) -> HeldOut:
    """Certify spans that one part of the data chose by the other part.

    Spans of ascending dimension are tested at a fixed level until one fails (a fixed sequence needs no correction);
    the spans themselves at alpha / 2, and those with rounded coefficients at alpha / 2.

    Parameters
    ----------
    both : Bilinear
        Tensors of the family over p generators.
    first, second : Estimate
        Estimates from disjoint rows: what to test, and the test.
    delta : float
        Relative defect up to which a generator counts.
    alpha : float
        Probability of certifying anything false.
    units : ndarray (p,), optional
        Coefficients are rounded in these units: those of generators in coordinates of size one.

    References
    ----------
    Intersection-union tests: Berger, Technometrics 24, 1982. Equivalence tests: Schuirmann, J. Pharmacokinet.
    Biopharm. 15, 1987.
    """
    found = spectrum_of(both, first.theta)
    spans = [found.basis[:, :d] for d in range(1, len(found.values) + 1)]
    t = second.quantile(alpha / 2)
    upper = np.full(len(spans), np.inf)
    likely = int(np.sum(found.values <= FAR * delta))
    fast = _nested_bounds(both, first, second, found.basis[:, :likely], t) if likely > 2 else iter(())
    for d, span in enumerate(spans):
        quick = next(fast, None) if d else None  # one direction has a sharper bound of its own
        upper[d] = span_bound(both, first, second, span, t) if quick is None else quick
        if upper[d] > delta:
            break
    rounded = []
    for span in _rounded(both, first, spans, delta, np.ones(both.n_generators) if units is None else units):
        rounded.append((span, span_bound(both, first, second, span, t)))
        if rounded[-1][1] > delta:
            break
    path = Nested(found.basis, found.values, np.zeros(len(upper)), np.maximum.accumulate(upper), found.silent)
    return HeldOut(path, tuple(rounded), delta)


def span_bound(both: Bilinear, first: Estimate, second: Estimate, span: NDArray, t: float) -> float:
    """Upper bound of the worst true defect in a span ``(p, d)`` that was chosen without the second estimate."""
    if span.shape[1] == 0:
        return 0.0
    if unseen(both, span, second.null):
        return float("inf")
    part = both.restrict(span)
    frame, triangle = np.linalg.qr(part.denominator(first.theta))
    if np.abs(np.diag(triangle)).min() == 0.0:
        return float("inf")
    unit = np.linalg.inv(triangle)  # columns orthonormal in the denominator of the first part
    lie = np.einsum("kaq,ab->kbq", part.lie, unit)
    seen = np.einsum("jaq,ab->jbq", part.size, unit)
    projected = np.einsum("ja,jbq->abq", frame, seen, optimize=True)
    if span.shape[1] == 1:
        a, b = lie[:, 0] @ second.theta, lie[:, 0] @ second.root
        e, f = projected[:, 0] @ second.theta, projected[:, 0] @ second.root
        return ratio_upper(a, b, e, f, t) if e[0] > 0 else float("inf")
    symmetric = 0.5 * (projected + projected.transpose(1, 0, 2))
    left = np.linalg.eigvalsh(symmetric @ second.theta)[0]
    d = span.shape[1]
    left -= t * np.linalg.norm((symmetric @ second.root).reshape(d * d, -1), 2)
    top = np.linalg.norm(lie @ second.theta, 2) + t * unfolding_norm(lie @ second.root)
    return float(top / left) if left > 0 else float("inf")


def _nested_bounds(both: Bilinear, first: Estimate, second: Estimate, basis: NDArray, t: float) -> Iterator[float]:
    """The bounds of :func:`span_bound` for the first two, three, ... columns of ``basis (p, r)``, from running sums."""
    if unseen(both, basis, second.null):
        return
    part = both.restrict(basis)
    frame, triangle = np.linalg.qr(part.denominator(first.theta))
    if np.abs(np.diag(triangle)).min() == 0.0:
        return
    part = part.restrict(np.linalg.inv(triangle))  # triangular: leading columns span what they did
    projected = np.tensordot(frame, part.size, (0, 0))
    symmetric = 0.5 * (projected + projected.transpose(1, 0, 2))
    centre, moved = symmetric @ second.theta, symmetric @ second.root
    lie, spread = part.lie @ second.theta, part.lie @ second.root
    k, r, s = spread.shape
    inner = np.tensordot(spread, spread, ((0, 2), (0, 2)))
    by_error, by_row, by_size = np.zeros((s, s)), np.zeros((k, k)), np.zeros((s, s))
    for d in range(1, r + 1):
        own = spread[:, d - 1]
        by_error += own.T @ own
        by_row += own @ own.T
        new = np.concatenate([moved[d - 1, :d], moved[: d - 1, d - 1]])
        by_size += new.T @ new
        if d == 1:
            continue
        left = np.linalg.eigvalsh(centre[:d, :d])[0] - t * np.sqrt(_top(by_size))
        top = np.linalg.norm(lie[:, :d], 2) + t * np.sqrt(min(_top(g) for g in (by_error, by_row, inner[:d, :d])))
        yield float(top / left) if left > 0 else float("inf")


def _top(gram: NDArray) -> float:
    return max(float(np.linalg.eigvalsh(gram)[-1]), 0.0)


def _rounded(both: Bilinear, first: Estimate, spans: list[NDArray], delta: float, units: NDArray) -> list[NDArray]:
    """Rounded spans that the first part allows: those that it does not find far from symmetric.

    It has few rows, and the plain spans fit its noise: what rounding adds to their defect says nothing.
    """
    out = []
    for span in spans:
        if both.worst(span, first.theta) > FAR * delta:
            break
        simple = snapped(span * units[:, None])
        simple = None if simple is None else simple / units[:, None]
        if simple is not None and both.worst(simple, first.theta) <= FAR * delta:
            out.append(simple)
    return out


def snapped(span: NDArray) -> NDArray | None:
    """The span ``(p, d)`` with the coefficients of its reduced basis rounded to multiples of 1/2; None where far.

    Pivots are chosen by size, so that a basis (e_i + small multiples of others) is read off.

    Examples
    --------
    >>> snapped(np.array([[0.99], [-1.02], [0.03]])).ravel().round(3)
    array([-1.,  1., -0.])
    """
    p, d = span.shape
    unit = np.linalg.qr(span)[0]
    pivots = qr(unit.T, pivoting=True, mode="r")[1][:d]
    reduced = np.linalg.solve(unit[pivots].T, unit.T).T
    rounded = np.round(2 * reduced) / 2
    return rounded if np.abs(rounded - reduced).max() <= SNAP else None
