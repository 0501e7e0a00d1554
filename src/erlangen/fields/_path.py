"""A path of classes that are linear in their parameters: fits, held-out errors, lack of fit, derivative errors.

All of it comes from one orthonormalisation of the largest class; see :mod:`erlangen.fields._orthonormal`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import special

from erlangen._progress import track
from erlangen._typing import NDArray
from erlangen.fields._base import AbstractField
from erlangen.fields._orthonormal import OrthonormalColumns
from erlangen.fields.bases import AbstractBasis, BasisField, Joined, Monomials, RidgeFunctions
from erlangen.linalg.polynomials import exponents
from erlangen.linalg.qr import rounding

SIGNIFICANT = 0.01
"""Level of the lack-of-fit test: one class in a hundred that holds the truth is passed over for the next."""

SKETCH = 64
"""Ridge functions that stand for all that the largest class leaves out."""

MAX_FEATURES = 500
"""Size at which the path of polynomial degrees ends unless a degree is named: about a second for 20,000 rows."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Points in coordinates of their span, standardised values, and a few probes for derivatives.

    Attributes
    ----------
    z : ndarray (n, s)
        Points.
    y : ndarray (n, c)
        Values with mean zero and spread one.
    probes : ndarray (m,)
        Rows at which derivatives are compared.
    metric : ndarray (s, d)
        Takes derivatives by z to derivatives by the scaled columns.
    floor : float
        Size of rounding in y.
    """

    z: NDArray
    y: NDArray
    probes: NDArray
    metric: NDArray
    floor: float


@dataclass(frozen=True, eq=False)
class Level:
    """One class of a path and its fit.

    Attributes
    ----------
    name : str
        The class.
    model : AbstractField
        The fit of the standardised values over z.
    n_params : int
        Parameters that the data determine, per channel.
    held_out : ndarray (n,)
        Squared error of each row when it is left out, averaged over channels.
    rss : ndarray (c,)
        Residual sums of squares.
    slopes : ndarray (m, c, d)
        Derivatives at the probes, by scaled columns.
    slope_variance : float
        Expected mean square of the error of the slopes from noise alone.
    slope_scatter : float
        Relative standard deviation of that mean square from one draw of the noise to the next, for the derivative
        along the coordinate where it is largest.
    root : ndarray (q, r) or None
        Coefficient errors are ``root @ (r independent units)``, times the noise; None where there are no coefficients.
    noise : ndarray (c, c)
        Covariance of the noise of the standardised values.
    lack_of_fit : float
        Probability of so large an improvement by larger classes, were this class true (nan: not tested).
    rows : ndarray or None
        The rows that ``held_out`` refers to; None for all.
    flips : float
        Labels only: the estimated fraction of flipped ones.
    """

    name: str
    model: AbstractField
    n_params: int
    held_out: NDArray
    rss: NDArray
    slopes: NDArray
    slope_variance: float
    slope_scatter: float
    root: NDArray | None
    noise: NDArray
    lack_of_fit: float = float("nan")
    rows: NDArray | None = None
    flips: float = 0.0


@dataclass
class PathFit:
    """Accumulates a chain of nested classes, each given by the functions that it adds."""

    data: Rows
    capacity: int
    levels: list[Level] = field(default_factory=list)

    def __post_init__(self):
        n, c = self.data.y.shape
        self._columns = OrthonormalColumns(n, self.capacity)
        self._parts: list[AbstractBasis] = []
        self._residual = self.data.y.copy()
        self._leverage = np.zeros(n)
        self._coordinates = np.zeros((0, c))
        m, d = len(self.data.probes), self.data.metric.shape[1]
        self._gradients = np.zeros((m * d, 0))
        self._slopes = np.zeros((m * d, c))
        self._slopes_of_columns = np.zeros((m * d, 0))

    def add(self, name: str, part: AbstractBasis) -> Level:
        """Fit the class with the functions of ``part`` added and append it to the levels."""
        before = self._columns.rank
        self._columns.append(part.evaluate(self.data.z))
        self._parts.append(part)
        new = self._columns.q[:, before:]
        n, c = self.data.y.shape
        found = new.T @ self._residual / n
        self._residual -= new @ found
        self._leverage += np.einsum("ij,ij->i", new, new) / n
        self._coordinates = np.vstack([self._coordinates, found])
        self._follow_derivatives(part, before, found)
        level = self._level(name, n, c)
        self.levels.append(level)
        return level

    def _follow_derivatives(self, part: AbstractBasis, before: int, found: NDArray) -> None:
        points = self.data.z[self.data.probes]
        gradients = np.einsum("mqs,sd->mdq", part.gradients(points), self.data.metric)
        self._gradients = np.hstack([self._gradients, gradients.reshape(-1, part.size)])
        slopes = self._gradients @ self._columns.transform[:, before:]
        self._slopes = self._slopes + slopes @ found
        self._slopes_of_columns = np.hstack([self._slopes_of_columns, slopes])

    def _level(self, name: str, n: int, c: int) -> Level:
        rank, transform = self._columns.rank, self._columns.transform
        left_out = self._residual / np.maximum(1.0 - self._leverage, 1.0 / n)[:, None]
        noise = self._residual.T @ self._residual / max(n - rank, 1)
        errors = self._slopes_of_columns.reshape(len(self.data.probes), -1, rank)
        return Level(
            name=name,
            model=BasisField(merge(self._parts), (transform @ self._coordinates).T),
            n_params=rank,
            held_out=(left_out**2).mean(axis=1),
            rss=(self._residual**2).sum(axis=0),
            slopes=self._slopes.reshape(len(self.data.probes), -1, c).transpose(0, 2, 1),
            slope_variance=float(np.trace(noise)) * mean_square(errors) / n,
            slope_scatter=scatter(errors),
            root=transform.copy() / np.sqrt(n),
            noise=noise,
        )


def merge(parts: Sequence[AbstractBasis]) -> AbstractBasis:
    """Join bases; monomials become one table, so that their derivatives are collected together."""
    tables = [p.table for p in parts if isinstance(p, Monomials)]
    rest = [p for p in parts if not isinstance(p, Monomials)]
    head = [Monomials(np.vstack(tables))] if tables else []
    return head[0] if head and not rest else Joined((*head, *rest))


def polynomial_chain(dim: int, n: int, degree: int | None = None) -> list[tuple[str, AbstractBasis]]:
    """Degrees 0, 1, 2, ... as far as a third of the rows and :data:`MAX_FEATURES` allow, or up to ``degree``."""
    chain: list[tuple[str, AbstractBasis]] = []
    total = 0
    k = 0
    while True:
        table = exponents(dim, k, lowest=k)
        total += len(table)
        too_many = total > max(min(n / 3, MAX_FEATURES), dim + 1) if degree is None else k > degree
        if too_many or (degree is None and k > 12):
            return chain
        chain.append((f"polynomial {k}", Monomials(table)))
        k += 1


def sketch(dim: int, degree: int, size: int, rng: np.random.Generator) -> RidgeFunctions:
    """Random ridge functions: half powers ``degree + 1`` and ``degree + 2``, half waves of one to four radians."""
    directions = rng.standard_normal((size, dim))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    powers = np.zeros(size, dtype=np.int64)
    powers[: size // 4] = degree + 1
    powers[size // 4 : size // 2] = degree + 2
    waves = powers == 0
    directions[waves] *= rng.uniform(1.0, 4.0, waves.sum())[:, None]
    return RidgeFunctions(directions, powers, rng.uniform(0.0, 2.0 * np.pi, size))


def fit_chain(
    data: Rows, chain: Sequence[tuple[str, AbstractBasis]], rng: np.random.Generator, tolerance: float
) -> tuple[list[Level], Level]:
    """Fit nested classes; return them with their lack of fit, and the largest one joined with a sketch.

    The chain ends early where the derivatives of the last two classes agree with those of the one before them.
    """
    n, _ = data.y.shape
    capacity = sum(part.size for _, part in chain) + SKETCH
    path = PathFit(data, capacity)
    for name, part in track(chain, "classes of functions"):
        path.add(name, part)
        if len(path.levels) > 2 and converged(path.levels[-3], path.levels[-2:], tolerance):
            break
    top = path.levels[-1]
    spare = n - top.n_params
    extra = sketch(data.z.shape[1], degree_of([part for _, part in chain]), max(1, min(SKETCH, spare // 4)), rng)
    larger = path.add(f"{top.name} with ridge functions", extra)
    levels = path.levels[:-1]
    tested = [_with_lack_of_fit(level, [*levels[i + 1 :], larger], data) for i, level in enumerate(levels)]
    return tested, larger


def degree_of(parts: Sequence[AbstractBasis]) -> int:
    """Highest degree of the monomials among some bases."""
    return max((int(p.table.sum(axis=1).max()) for p in parts if isinstance(p, Monomials)), default=0)


def converged(level: Level, larger: Sequence[Level], tolerance: float) -> bool:
    """Whether the derivatives of all larger classes agree with this one's to a relative tolerance."""
    size = mean_square(level.slopes)
    return size > 0 and all(mean_square(level.slopes - other.slopes) <= tolerance**2 * size for other in larger)


def mean_square(slopes: NDArray) -> float:
    """Mean over the probes of the squared Frobenius norm."""
    return float((slopes**2).sum() / len(slopes))


def scatter(errors: NDArray) -> float:
    """Relative standard deviation of sum |errors @ u|^2 over normal u, for the worst of the coordinates.

    Parameters
    ----------
    errors : ndarray (m, d, r)
        Slopes at the probes that the r independent errors give.
    """
    squares = (errors**2).sum(axis=(0, 2))
    products = [float((along @ along.T).ravel() @ (along @ along.T).ravel()) for along in errors.transpose(1, 0, 2)]
    known = squares > 0
    return float(np.sqrt(2.0 * np.array(products)[known] / squares[known] ** 2).max(initial=0.0))


def _with_lack_of_fit(level: Level, larger: Sequence[Level], data: Rows) -> Level:
    return replace(level, lack_of_fit=lack_of_fit(level, larger, data))


def lack_of_fit(level: Level, larger: Sequence[Level], data: Rows) -> float:
    """F test of a class inside the next two, the largest and its sketch: the smallest p times their number."""
    n, c = data.y.shape
    exact = n * (data.floor * 8.0 + rounding((n, level.n_params))) ** 2
    if np.all(level.rss <= exact):
        return 1.0
    alternatives = {id(a): a for a in (*larger[:2], *larger[-2:]) if a.n_params > level.n_params}
    smallest = 1.0
    for a in alternatives.values():
        free, added = n - a.n_params, a.n_params - level.n_params
        if free < 1:
            continue
        ratio = (level.rss - a.rss) / added / np.maximum(a.rss / free, exact / n)
        smallest = min(smallest, float(special.fdtrc(added, free, np.maximum(ratio, 0.0)).min()))
    return min(1.0, smallest * len(alternatives) * c)
