"""The ten vector fields of the statistical benchmark, with their tensors, exact algebras and draws.

Tensors hold the coefficients of DF xi and D xi F for every pair (generator, model coefficient) in the monomials of
the residual, times the Cholesky factor of their exact Gram matrix over the box: norms of rows are norms in L2(nu).
Generators are ordered as those of `erlangen.actions.affine`, model coefficients channel by channel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import product

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy.optimize import brentq

from erlangen.linalg.null import rational_null_space
from erlangen.linalg.polynomials import exponents, monomials, row_index

SIZES = (100, 200, 400, 800, 1600, 3200)
LEVELS = (0.01, 0.03, 0.1, 0.3)
DELTA = ALPHA = 0.05

Number = Fraction | int | float
Terms = Mapping[tuple[int, ...], Number]


@dataclass(frozen=True, eq=False)
class System:
    """A polynomial vector field on a cube, the class in which it is fitted and the size of its affine algebra.

    Attributes
    ----------
    name : str
        What rows call it.
    terms : tuple of dict
        One a component: coefficients by exponents.
    degree : int
        Degree of the fitted class.
    half : float
        The states are uniform on [-half, half]^d.
    dim : int
        Dimension of the algebra of exact affine symmetries.
    """

    name: str
    terms: tuple[Terms, ...]
    degree: int
    half: float
    dim: int

    @property
    def d(self) -> int:
        """Number of coordinates."""
        return len(self.terms)

    @property
    def table(self) -> NDArray:
        """Exponents ``(r, d)`` of the monomials of the class, and of the residual."""
        return exponents(self.d, self.degree)

    @cached_property
    def theta(self) -> NDArray:
        """The true coefficients ``(q,)``, channel by channel."""
        rows = row_index(self.table)
        out = np.zeros((self.d, len(rows)))
        for i, terms in enumerate(self.terms):
            for power, c in terms.items():
                out[i, rows[power]] = float(c)
        return out.ravel()

    @cached_property
    def brackets(self) -> tuple[NDArray, NDArray]:
        """Integer coefficients ``(d, r, p, q)`` of DF xi and of D xi F in the monomials of the residual."""
        r, d = len(self.table), self.d
        moved, turned = (np.zeros((d, r, d * (d + 1), d * r), dtype=np.int64) for _ in range(2))
        for i, j, c, a in product(range(d), range(d), range(d + 1), range(r)):
            # the generator x^e d/dx_j acts on the field x^f d/dx_i
            e, f = exponents(d, 1)[c], self.table[a]
            _add(moved[i, :, j * (d + 1) + c, i * r + a], self.table, f, e, j)
            _add(turned[j, :, j * (d + 1) + c, i * r + a], self.table, e, f, i)
        return moved, turned

    @cached_property
    def root(self) -> NDArray:
        """Upper triangular G^{1/2} ``(r, r)``: |G^{1/2} c| is the norm in L2(nu) of the polynomial c."""
        total = self.table[:, None, :] + self.table[None, :, :]
        gram = np.prod(np.where(total % 2 == 0, 1.0 / (total + 1.0), 0.0), axis=2)
        return np.linalg.cholesky(gram).T * self.half ** self.table.sum(axis=1).astype(float)

    @cached_property
    def blocks(self) -> tuple[NDArray, NDArray]:
        """DF xi and D xi F ``(k, p, q)`` each, as linear maps into L2(nu)."""
        first, second = (np.einsum("sr,irpq->ispq", self.root, part) for part in self.brackets)
        return first.reshape(-1, *first.shape[2:]), second.reshape(-1, *second.shape[2:])

    @cached_property
    def lie(self) -> NDArray:
        """[xi, F] ``(k, p, q)``."""
        return self.blocks[0] - self.blocks[1]

    @cached_property
    def bracket_size(self) -> NDArray:
        """Denominator of the published numbers: |DF xi|^2 + |D xi F|^2."""
        return np.concatenate(self.blocks)

    @cached_property
    def product_size(self) -> NDArray:
        """The library's denominator: |DF|_F^2 |xi|^2 / d + |D xi F|^2 at each point."""
        r, d = len(self.table), self.d
        out = np.zeros((d, d, d, r, d * (d + 1), d * r), dtype=np.int64)
        for i, k, j, c, a in product(range(d), range(d), range(d), range(d + 1), range(r)):
            _add(out[i, k, j, :, j * (d + 1) + c, i * r + a], self.table, self.table[a], exponents(d, 1)[c], k)
        rows = np.einsum("sr,ikjrpq->ikjspq", self.root, out).reshape(-1, d * (d + 1), d * r)
        return np.concatenate([rows / np.sqrt(d), self.blocks[1]])

    @cached_property
    def algebra(self) -> NDArray:
        """Orthonormal columns ``(p, dim)`` of the exact algebra, from a rational null space."""
        exact = [Fraction(c) for c in self._exact]
        rows = [
            [sum((int(t) * c for t, c in zip(line, exact, strict=True) if t), Fraction(0)) for line in lines]
            for lines in (self.brackets[0] - self.brackets[1]).reshape(-1, self.d * (self.d + 1), len(exact))
        ]
        found = rational_null_space([row for row in rows if any(row)], self.d * (self.d + 1))
        return np.linalg.qr(found.sparse_basis())[0] if found.dim else np.zeros((self.d * (self.d + 1), 0))

    @property
    def _exact(self) -> list[Fraction]:
        return [Fraction(terms.get(tuple(e), 0)) for terms in self.terms for e in self.table.tolist()]

    @cached_property
    def forms(self) -> dict[str, tuple[NDArray, NDArray]]:
        """True forms ``(p, p)`` of the squared bracket and of its size, by the name of the defect."""
        top = self.lie @ self.theta
        sizes = {"bracket": self.bracket_size @ self.theta, "product": self.product_size @ self.theta}
        return {name: (top.T @ top, size.T @ size) for name, size in sizes.items()}

    def worst(self, span: NDArray, defect: str = "bracket") -> float:
        """The largest true relative defect in a span ``(p, k)``."""
        top, size = (span.T @ form @ span for form in self.forms[defect])
        return float(np.sqrt(max(scipy.linalg.eigh(top, size, eigvals_only=True)[-1], 0.0)))

    def defects(self, defect: str = "bracket") -> NDArray:
        """The true relative defects, ascending ``(p,)``."""
        return np.sqrt(np.maximum(scipy.linalg.eigh(*self.forms[defect], eigvals_only=True), 0.0))

    def angle(self, span: NDArray) -> float:
        """The largest angle in degrees between a span ``(p, dim)`` and the exact algebra."""
        return float(np.degrees(scipy.linalg.subspace_angles(span, self.algebra)[0]))

    @cached_property
    def size(self) -> float:
        """Root mean square of |F| over 200,000 uniform points, seed 0: the unit of the noise."""
        x = np.random.default_rng(0).uniform(-self.half, self.half, size=(200_000, self.d))
        return float(np.sqrt(np.mean(np.sum(self.values(x) ** 2, axis=1))))

    def values(self, x: NDArray) -> NDArray:
        """F at points ``x (n, d)``."""
        return monomials(x, self.table) @ self.theta.reshape(self.d, -1).T

    def draw(self, n: int, level: float, rng: np.random.Generator) -> tuple[NDArray, NDArray]:
        """States ``(n, d)`` and noisy values ``(n, d)``."""
        x = rng.uniform(-self.half, self.half, size=(n, self.d))
        return x, self.values(x) + level * self.size * rng.standard_normal((n, self.d))


def _add(row: NDArray, table: NDArray, differentiated: NDArray, other: NDArray, axis: int) -> None:
    """Add d x^differentiated / dx_axis times x^other to a row of coefficients."""
    if differentiated[axis]:
        power = differentiated + other
        power[axis] -= 1
        row[int(np.flatnonzero((table == power).all(axis=1))[0])] += differentiated[axis]


def _hopf(extra: dict[tuple[int, ...], Number]) -> tuple[Terms, ...]:
    first: dict[tuple[int, ...], Number] = {(1, 0): 1, (0, 1): -1, (3, 0): -1, (1, 2): -1}
    return first | extra, {(1, 0): 1, (0, 1): 1, (2, 1): -1, (0, 3): -1}


def _sphere(extra: dict[tuple[int, ...], Number]) -> tuple[Terms, ...]:
    rows: list[dict[tuple[int, ...], Number]] = []
    for i in range(3):
        radial: dict[tuple[int, ...], Number] = {(1, 0, 0)[3 - i :] + (1, 0, 0)[: 3 - i]: 1}
        rows.append(radial | {tuple(int(i == k) + 2 * int(j == k) for k in range(3)): -1 for j in range(3)})
    return rows[0] | extra, rows[1], rows[2]


SYMMETRIC = (
    System("hopf", _hopf({}), 3, 1.0, 1),
    System("lin_rot2", ({(0, 1): -1}, {(1, 0): 1}), 1, 1.0, 2),
    System("rigid_sym", ({(0, 1, 1): -1}, {(1, 0, 1): 1}, {}), 2, 1.0, 2),
    System("sphere_flow3", _sphere({}), 3, 1.0, 3),
)
ASYMMETRIC = (
    System("vanderpol", ({(0, 1): 1}, {(1, 0): -1, (0, 1): 1, (2, 1): -1}), 3, 1.0, 0),
    System("duffing", ({(0, 1): 1}, {(1, 0): 1, (3, 0): -1, (0, 1): Fraction(-1, 5)}), 3, 2.0, 0),
    System("lotka_volterra", ({(1, 0): 1, (1, 1): -1}, {(0, 1): -1, (1, 1): 1}), 2, 1.0, 0),
    System(
        "selkov",
        (
            {(0, 0): Fraction(1, 10), (1, 0): -1, (0, 1): Fraction(1, 2), (2, 1): 1},
            {(0, 1): Fraction(-1, 2), (2, 1): -1},
        ),
        3,
        2.0,
        0,
    ),
    System("rigid_asym", ({(0, 1, 1): -1}, {(1, 0, 1): 1}, {(1, 1, 0): Fraction(-1, 3)}), 2, 1.0, 0),
    System(
        "lorenz",
        (
            {(1, 0, 0): -10, (0, 1, 0): 10},
            {(1, 0, 0): 28, (0, 1, 0): -1, (1, 0, 1): -1},
            {(1, 1, 0): 1, (0, 0, 1): Fraction(-8, 3)},
        ),
        2,
        20.0,
        0,
    ),
)
SYSTEMS = SYMMETRIC + ASYMMETRIC
SHEAR = System("shear", ({(0, 1): 1, (0, 3): -1}, {(0, 1): -1}), 3, 1.0, 2)
"""x' = y - y^3, y' = -y: nothing depends on x."""


def broken(name: str, rho: float, defect: str = "bracket") -> System:
    """The hopf or sphere_flow3 field plus e x^2 d/dx, with e such that the smallest defect above zero is rho."""

    def excess(e: float) -> float:
        system = _perturbed(name, e)
        return float(system.defects(defect)[system.dim]) - rho

    return _perturbed(name, float(brentq(excess, 0.0, 2.0, xtol=1e-12)))


ROTATION = np.array([[0.0], [0.0], [-1.0], [0.0], [1.0], [0.0]])
"""-y d/dx + x d/dy over the affine generators of the plane."""


def turned_off(rho: float) -> System:
    """The hopf field plus e x^2 d/dx, with e such that the defect of the rotation is rho."""
    return _perturbed("hopf", float(brentq(lambda e: _perturbed("hopf", e).worst(ROTATION) - rho, 0.0, 2.0)))


def _perturbed(name: str, e: float) -> System:
    """The broken system; about one axis the sphere stays symmetric."""
    if name == "hopf":
        return System("hopf broken", _hopf({(2, 0): e}), 3, 1.0, 0)
    return System("sphere broken", _sphere({(2, 0, 0): e}), 3, 1.0, 1)


def seed(system: System, n: int, level: float) -> int:
    """The seed of a cell of the main experiment: its place in the order system, size, level."""
    at = ([s.name for s in SYSTEMS].index(system.name) * len(SIZES) + SIZES.index(n)) * len(LEVELS)
    return 1000 + 7919 * (at + LEVELS.index(level))


def named(name: str, systems: Sequence[System] = SYSTEMS) -> System:
    """One of the systems by its name."""
    return next(system for system in systems if system.name == name)
