"""Methods to compare with, written from their formulas: what each declares for one data set.

All fit by least squares with one variance for all components. `symcert` is the certified dimension by a simultaneous
ellipsoid (Kendiukhov, certified-symmetry-discovery 1.0.0): exact extrema over the ellipsoid for one direction, an
unwhitened bound for more. The others declare directions whose plug-in defect is small (`threshold`), stands apart
(`eigengap`), is small beyond a perturbation bound (`weyl`), or is not significantly above zero (`rank`, `split`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import brentq

from benchmarks._evidence_systems import ALPHA, DELTA, System
from erlangen.linalg.polynomials import monomials

TAU = 0.05
LOOSE = 0.1


@dataclass(frozen=True, eq=False)
class Fit:
    """Least squares of one data set, and the directions that it suggests.

    Attributes
    ----------
    theta : ndarray (q,)
        Coefficients, channel by channel.
    root : ndarray (r, r)
        The covariance of each channel is root @ root.T.
    dof : int
        Degrees of freedom of the variance.
    """

    system: System
    theta: NDArray
    root: NDArray
    dof: int

    @cached_property
    def top(self) -> NDArray:
        """The bracket of each generator ``(k, p)``."""
        return self.system.lie @ self.theta

    @cached_property
    def size(self) -> NDArray:
        """The blocks of the denominator ``(j, p)``."""
        return self.system.bracket_size @ self.theta

    @cached_property
    def directions(self) -> tuple[NDArray, NDArray]:
        """Plug-in defects, ascending ``(p,)``, and directions ``(p, p)``."""
        values, vectors = scipy.linalg.eigh(self.top.T @ self.top, self.size.T @ self.size)
        return np.sqrt(np.maximum(values, 0.0)), vectors

    @cached_property
    def nested(self) -> NDArray:
        """An orthonormal basis ``(p, p)`` whose first d columns span the first d directions."""
        return np.linalg.qr(self.directions[1])[0]

    @cached_property
    def radius(self) -> float:
        """Radius of the simultaneous ellipsoid of level 1 - alpha."""
        q = len(self.theta)
        return float(np.sqrt(q * stats.f.isf(ALPHA, q, self.dof)))

    def spread(self, tensor: NDArray, span: NDArray) -> NDArray:
        """The map ``(k * a, q)`` from a standard normal to the error of a tensor ``(k, p, q)`` on a span ``(p, a)``."""
        small = np.tensordot(tensor, span, axes=(1, 0)).transpose(0, 2, 1)
        channels = small.reshape(-1, self.system.d, len(self.root)) @ self.root
        return channels.reshape(-1, len(self.theta))


def fit(system: System, x: NDArray, y: NDArray) -> Fit:
    """Fit the class of the system; the pooled variance scales the root."""
    features = monomials(x, system.table)
    q, r = np.linalg.qr(features)
    projected = q.T @ y
    inverse = scipy.linalg.solve_triangular(r, np.eye(len(r)))
    dof = system.d * (len(x) - len(r))
    left = np.sum(y**2) - np.sum(projected**2)
    return Fit(system, (inverse @ projected).T.ravel(), np.sqrt(left / dof) * inverse, dof)


def extrema(a: NDArray, b: NDArray, radius: float) -> tuple[float, float]:
    """Least and greatest ``|a + b u|`` over ``|u| <= radius``, by the secular equation."""
    values, vectors = np.linalg.eigh(b.T @ b)
    values, c = np.maximum(values, 0.0), vectors.T @ (b.T @ a)
    return _least(a, values, c, radius), _greatest(a, values, c, radius)


def _greatest(a: NDArray, values: NDArray, c: NDArray, radius: float) -> float:
    top = values[-1]
    if top == 0.0:
        return float(np.linalg.norm(a))
    low, high = top * (1 + 1e-12), top + np.linalg.norm(c) / radius + top * 1e-9
    excess = lambda m: float(np.sum((c / (m - values)) ** 2)) - radius**2  # noqa: E731
    if excess(low) <= 0.0:  # the hard case: the rest of the radius goes along the greatest eigenvector
        u = c / (low - values)
        rest = radius**2 - float(u @ u)
        return float(np.sqrt(a @ a + 2 * c @ u + values @ u**2 + top * rest))
    u = c / (brentq(excess, low, high) - values)
    return float(np.sqrt(a @ a + 2 * c @ u + values @ u**2))


def _least(a: NDArray, values: NDArray, c: NDArray, radius: float) -> float:
    kept = values > values[-1] * 1e-13
    values, c = values[kept], c[kept]
    u = -c / values
    if float(u @ u) > radius**2:
        excess = lambda m: float(np.sum((c / (values + m)) ** 2)) - radius**2  # noqa: E731
        u = -c / (values + brentq(excess, 0.0, np.linalg.norm(c) / radius))
    return float(np.sqrt(max(a @ a + 2 * c @ u + values @ u**2, 0.0)))


def norm(matrix: NDArray) -> float:
    """Spectral norm, from the smaller Gram matrix."""
    small = matrix.T @ matrix if matrix.shape[0] > matrix.shape[1] else matrix @ matrix.T
    return float(np.sqrt(max(np.linalg.eigvalsh(small)[-1], 0.0)))


def direction_bounds(found: Fit, xi: NDArray) -> tuple[float, float]:
    """Lower and upper bound on the defect of one direction ``(p,)``, simultaneous over all directions."""
    span = xi[:, None] / np.linalg.norm(xi)
    system, half = found.system, len(found.size) // 2
    tensors = (system.lie, *system.blocks)
    parts = (found.top @ span[:, 0], *np.split(found.size @ span[:, 0], [half]))
    least, most = zip(
        *(extrema(a, found.spread(t, span), found.radius) for a, t in zip(parts, tensors, strict=True)), strict=True
    )
    below = np.hypot(least[1], least[2])
    return least[0] / np.hypot(most[1], most[2]), most[0] / below if below > 0 else np.inf


def span_bound(found: Fit, span: NDArray) -> float:
    """Upper bound on the worst defect of an orthonormal span ``(p, a)``."""
    top, size = found.top @ span, found.size @ span
    error = found.radius * norm(found.spread(found.system.lie, span))
    below = np.linalg.svd(size, compute_uv=False)[-1] - found.radius * norm(
        found.spread(found.system.bracket_size, span)
    )
    return (norm(top) + error) / below if below > 0 else np.inf


def symcert(found: Fit) -> NDArray:
    """Raise the dimension while the bound of the first directions is at most delta."""
    dim, p = 0, len(found.nested)
    while dim < p:
        span = found.nested[:, : dim + 1]
        bound = direction_bounds(found, span[:, 0])[1] if dim == 0 else span_bound(found, span)
        if bound > DELTA:
            break
        dim += 1
    return found.nested[:, :dim]


def refutation(found: Fit) -> float:
    """Lower bound on the defect of every direction, unwhitened."""
    eye = np.eye(len(found.nested))
    top, size = (np.linalg.svd(part, compute_uv=False) for part in (found.top, found.size))
    down, up = (found.radius * norm(found.spread(t, eye)) for t in (found.system.lie, found.system.bracket_size))
    return max(top[-1] - down, 0.0) / (size[0] + up)


def threshold(found: Fit, tau: float) -> NDArray:
    """Every direction with a plug-in defect of at most tau."""
    return found.nested[:, : int(np.sum(found.directions[0] <= tau))]


def eigengap(found: Fit) -> NDArray:
    """Cut at the greatest ratio of neighbouring defects."""
    values = np.maximum(found.directions[0], np.finfo(float).tiny)
    return found.nested[:, : int(np.argmax(values[1:] / values[:-1])) + 1]


def weyl(found: Fit) -> NDArray:
    """Raise the dimension while a perturbation bound of the generalised eigenvalues is at most delta."""
    eye = np.eye(len(found.nested))
    down, up = (found.radius * norm(found.spread(t, eye)) for t in (found.system.lie, found.system.bracket_size))
    top, size = (np.linalg.svd(part, compute_uv=False) for part in (found.top, found.size))
    below = size[-1] ** 2 - 2 * size[0] * up - up**2
    if below <= 0:
        return eye[:, :0]
    bounds = np.sqrt((top[::-1] ** 2 + 2 * top[0] * down + down**2) / below)
    return found.nested[:, : int(np.sum(bounds <= DELTA))]


def compatible(found: Fit, span: NDArray) -> bool:
    """Whether the squared bracket on a span ``(p, a)`` is not significantly above zero."""
    b = found.spread(found.system.lie, span)
    gram = b.T @ b
    total, square = float(np.trace(gram)), float(np.sum(gram**2))
    statistic = float(np.sum((found.top @ span) ** 2))
    return bool(stats.chi2.sf(statistic * total / square, total**2 / square) > ALPHA)


def rank(found: Fit) -> NDArray:
    """Raise the dimension while the hypothesis of an exact symmetry is not rejected."""
    dim, p = 0, len(found.nested)
    while dim < p and compatible(found, found.nested[:, : dim + 1]):
        dim += 1
    return found.nested[:, :dim]


def split(system: System, x: NDArray, y: NDArray) -> NDArray:
    """One direction chosen on the first half of the rows, declared if the second half does not reject it."""
    half = len(x) // 2
    first = fit(system, x[:half], y[:half]).nested[:, :1]
    return first if compatible(fit(system, x[half:], y[half:]), first) else first[:, :0]


RULES: dict[str, Callable[[Fit], NDArray]] = {
    "symcert": symcert,
    "threshold .05": lambda found: threshold(found, TAU),
    "threshold .1": lambda found: threshold(found, LOOSE),
    "eigengap": eigengap,
    "weyl": weyl,
    "rank": rank,
}


def declared(system: System, x: NDArray, y: NDArray) -> dict[str, NDArray]:
    """What each method declares: orthonormal columns ``(p, dim)`` by its name."""
    found = fit(system, x, y)
    return {name: rule(found) for name, rule in RULES.items()} | {"split": split(system, x, y)}
