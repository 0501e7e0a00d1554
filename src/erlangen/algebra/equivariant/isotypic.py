"""Isotypic components by two random elements of the algebra that a group spans.

Let A be a random element of the associative algebra of the matrices rho(g), where that algebra is
closed under transposes. On an irreducible component of type W the eigenspaces of its symmetric part
are copies of one multiplicity space, and its skew part maps them onto each other isometrically up
to a factor. That is all one needs: O(N^3) for a side of size N, and no theory of weights.

Over the reals, the matrices that commute with an irreducible action form R, C or H. The corner
of the algebra at one eigenspace shows which, and gives the units i, j, k.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from erlangen._errors import ErlangenError
from erlangen.algebra.equivariant._sides import Side
from erlangen.linalg.qr import rounding
from erlangen.linalg.structured import IsotypicBlock

_DRAWS = 4  # a draw fails only where two eigenvalues meet by chance
_WORDS = 3  # random group elements in each of the combinations that are multiplied
_LONGEST = 12
_DEGREE = 4
_CLEAR = 1e3  # a gap between eigenvalues is told from rounding by three digits

_TYPES = {1: "real", 2: "complex", 4: "quaternionic"}

# Left multiplication tables: unit p times unit q is sign * unit r.
_PRODUCTS = {
    (1, 2): (3, 1.0), (2, 3): (1, 1.0), (3, 1): (2, 1.0),
    (2, 1): (3, -1.0), (3, 2): (1, -1.0), (1, 3): (2, -1.0),
}  # fmt: skip


_LOOSE = float(np.finfo(np.float64).eps ** 0.5)
"""Half of the digits: what separates an isometry up to rounding from a chance agreement."""


class NotSplitError(ErlangenError):
    """The action did not split: it is not completely reducible in these coordinates."""


@dataclass(frozen=True, eq=False)
class Component:
    """One irreducible type and its copies on each side.

    Attributes
    ----------
    bases : tuple of ndarray (N, m, k)
        Orthonormal copies on each side, in which the group acts by the same k x k matrices.
    commutant : ndarray (t, k, k)
        Orthogonal matrices that commute with the irreducible: t = 1, 2 or 4 for the types R, C and H.
    label : str
        What the type is called.
    """

    bases: tuple[NDArray, ...]
    commutant: NDArray
    label: str = ""

    @property
    def size(self) -> int:
        """Real dimension k of the irreducible."""
        return self.bases[0].shape[2]

    @property
    def copies(self) -> tuple[int, ...]:
        """Number m of copies on each side."""
        return tuple(basis.shape[1] for basis in self.bases)

    @property
    def units(self) -> int:
        """Dimension t of the commutant: 1, 2 or 4."""
        return len(self.commutant)

    def block(self, target: int = 0, source: int = 1) -> IsotypicBlock:
        """The maps from one side to another."""
        return IsotypicBlock(self.bases[target], self.bases[source], self.commutant)


def components(
    sides: tuple[Side, ...], rng: int | np.random.Generator = 0, digits_lost: float = 1.0
) -> tuple[Component, ...]:
    """Split all sides into irreducible components at once.

    Parameters
    ----------
    sides : tuple of Side
        Representations of one group whose matrices span an algebra closed under transposes.
    rng : int or Generator
        For the random elements; the answer does not depend on it.
    digits_lost : float
        Factor by which the generators are less exact than rounding.

    Raises
    ------
    NotSplitError
        Where the eigenspaces of a random element are not copies of each other, in several draws.
    """
    rng = np.random.default_rng(rng)
    reason = ""
    for spectrum in _spectra(sides, rng, digits_lost):
        try:
            return _split(spectrum, sides, rng)
        except NotSplitError as error:
            reason = str(error)
    raise NotSplitError(reason)


@dataclass(frozen=True, eq=False)
class _Spectrum:
    """Eigenspaces of the symmetric part of a random element, numbered alike on every side."""

    draw: _Draw
    spaces: list[list[NDArray]]
    gap: float


def _spectra(sides: tuple[Side, ...], rng: np.random.Generator, digits_lost: float) -> Iterator[_Spectrum]:
    """Draw elements until eigenvalues are well apart; then all that were drawn, the best one first."""
    drawn = []
    for _ in range(_DRAWS):
        draw = _Draw(sides, rng)
        found = [np.linalg.eigh((e + e.T) / 2) for e in draw.elements]
        labels, gap = _clusters([values for values, _ in found], digits_lost)
        count = max((int(x.max(initial=-1)) + 1 for x in labels), default=0)
        spaces = [[vectors[:, x == c] for c in range(count)] for (_, vectors), x in zip(found, labels)]
        drawn.append(_Spectrum(draw, spaces, gap))
        # The least of K^2 / 2 distances is of the size of 1 / K^2: one draw in ten has none so small.
        if gap * count**2 > 0.1:
            break
    yield from sorted(drawn, key=lambda s: -s.gap)


def _split(spectrum: _Spectrum, sides: tuple[Side, ...], rng: np.random.Generator) -> tuple[Component, ...]:
    if spectrum.gap <= 0:
        raise NotSplitError("eigenvalues of a random element are too close to be told apart or taken for equal")
    draw, spaces = spectrum.draw, spectrum.spaces
    # The rest of the element links the eigenspaces of its symmetric part.
    transports = [_transports(draw, [[s[c] for c in members] for s in spaces]) for members in _classes(draw, spaces)]
    second = None
    out = []
    for along in transports:
        corners = _corners(draw, along)
        if _skew_size(corners) > _LOOSE:
            # Not real: a second element tells the complex type from the quaternionic one.
            second = second or _Draw(sides, rng)
            out.append(_component(along, _units(corners, _corners(second, along))))
        else:
            out.append(_component(along, [[np.eye(len(c)) for c in corners]]))
    return tuple(sorted(out, key=lambda c: c.size))


class _Draw:
    """One random element of the associative algebra, as a matrix on each side.

    It is a sum of products of up to four combinations of 1, the generators and random group elements.
    Products of two would not do: quadratic elements of so(3) confuse spins. High ones alone would
    not do either: what a boost stretches by 1e6 would hide all that it does not.
    """

    def __init__(self, sides: tuple[Side, ...], rng: np.random.Generator) -> None:
        elements, powers = [np.zeros((s.size, s.size)) for s in sides], [np.eye(s.size) for s in sides]
        for _ in range(_DEGREE):
            combination, weight = _Combination(sides, rng), rng.standard_normal()
            powers = [combination.apply(side, p) for side, p in zip(sides, powers)]
            # One scale on all sides: eigenvalues are compared between them.
            scale = max((float(np.linalg.norm(p)) / len(p) ** 0.5 for p in powers if p.size), default=1.0)
            powers = [p / scale for p in powers]
            elements = [e + weight * p for e, p in zip(elements, powers)]
        self.elements = elements


class _Combination:
    """A random combination of 1, the generators in units of their own, and random words in the discrete elements."""

    def __init__(self, sides: tuple[Side, ...], rng: np.random.Generator) -> None:
        factors = list({id(f): f for side in sides for f in side.factors}.values())
        p, m = (len(factors[0].lie), len(factors[0].discrete)) if factors else (0, 0)
        sizes = np.sqrt(sum((np.sum(f.lie**2, axis=(1, 2)) for f in factors), np.zeros(p)))
        self.shift, self.lie = rng.standard_normal(), rng.standard_normal(p) / np.where(sizes > 0, sizes, 1.0)
        # Words of orthogonal elements may be long; others would outgrow everything else.
        bounded = all(np.abs(f.discrete).max(initial=0.0) <= 1 + _LOOSE for f in factors)
        longest = _LONGEST if bounded else 1
        words = [rng.integers(0, m, rng.integers(1, longest + 1)) for _ in range(_WORDS)] if m else []
        self.weights = rng.standard_normal(len(words))
        self.elements = [{id(f): reduce(np.matmul, f.discrete[word]) for f in factors} for word in words]

    def apply(self, side: Side, x: NDArray) -> NDArray:
        out = self.shift * x
        if len(self.lie):
            out += side.lie_apply(self.lie, x)
        for weight, element in zip(self.weights, self.elements):
            out += weight * side.kronecker(lambda f, g=element: g[id(f)], x)
        return out


def _clusters(spectra: list[NDArray], digits_lost: float) -> tuple[list[NDArray], float]:
    """Number the eigenvalues so that equal ones, on any side, share a number; and the least gap between others.

    The gap is relative to the largest eigenvalue, and 0 where one is too small to be a gap and too large to
    be rounding.
    """
    values = np.concatenate(spectra)
    order = np.argsort(values)
    size = max((len(s) for s in spectra), default=1)
    top = float(np.abs(values).max(initial=0.0)) or 1.0
    # An eigenvalue is as exact as the generators, to a digit or two that the products cost.
    tol = 100 * digits_lost * rounding((size, size))
    steps = np.diff(values[order]) / top
    labels = np.empty(len(values), dtype=int)
    labels[order[:1]], labels[order[1:]] = 0, np.cumsum(steps > tol)
    gap = float(steps[steps > tol].min(initial=2.0))
    return np.split(labels, np.cumsum([len(s) for s in spectra])[:-1]), gap if gap > _CLEAR * tol else 0.0


def _classes(draw: _Draw, spaces: list[list[NDArray]]) -> list[list[int]]:
    """Group the eigenspaces by irreducible type, each group along its strongest links from a first one."""
    strength = np.zeros((len(spaces[0]), len(spaces[0])))
    for element, side in zip(draw.elements, spaces):
        strength = np.maximum(strength, _links(element, side))
    # Blocks between different types are rounding; between equal ones they are of the size of the element.
    strong = (strength > _LOOSE) | (strength > _LOOSE).T
    left, groups = set(range(len(strength))), []
    while left:
        group = [min(left)]
        left.remove(group[0])
        while reach := {c for c in left if strong[c, group].any()}:
            group.append(max(reach, key=lambda c: strength[c, group].max()))
            left.remove(group[-1])
        groups.append(group)
    return groups


def _links(element: NDArray, spaces: list[NDArray]) -> NDArray:
    """Root mean square of the element between eigenspaces of one side, ``(spaces, spaces)``."""
    sizes = np.array([s.shape[1] for s in spaces])
    out = np.zeros((len(spaces), len(spaces)))
    present = np.flatnonzero(sizes)
    if len(present):
        q = np.hstack(spaces)
        squares = (q.T @ (element @ q)) ** 2
        sums = np.add.reduceat(np.add.reduceat(squares, _starts(sizes), axis=0), _starts(sizes), axis=1)
        out[np.ix_(present, present)] = np.sqrt(sums / np.sqrt(np.outer(sizes[present], sizes[present])))
    return out


def _starts(sizes: NDArray) -> NDArray:
    kept = sizes[sizes > 0]
    return np.concatenate([[0], np.cumsum(kept)[:-1]])


def _component(transports: list[list[NDArray]], units: list[list[NDArray]]) -> Component:
    """Turn the eigenspaces of one type into copies of one irreducible."""
    bases = []
    for i, along in enumerate(transports):
        frame = _frame([u[i] for u in units], along[0].shape[1])
        # e_i moved by every unit and along every transport: (N, m, eigenspaces, units).
        copies = [np.stack([t @ f for f in frame], axis=-1) for t in along]
        stacked = np.stack(copies, axis=2)
        bases.append(stacked.reshape(*stacked.shape[:2], stacked.shape[2] * stacked.shape[3]))
    size, t = bases[0].shape[2], len(units)
    commutant = np.stack([np.kron(np.eye(size // t), _right(q, t)) for q in range(t)])
    return Component(tuple(bases), commutant, f"{_TYPES[t]} of size {size}")


def _corners(draw: _Draw, transports: list[list[NDArray]]) -> list[NDArray]:
    """The element within the first eigenspace, on every side."""
    return [along[0].T @ (element @ along[0]) for along, element in zip(transports, draw.elements)]


def _skew_size(corners: list[NDArray]) -> float:
    """Root mean square of the skew part, in units of the element's."""
    return float(np.sqrt(sum(np.sum((c - c.T) ** 2) for c in corners) / (4 * sum(len(c) for c in corners))))


def _transports(draw: _Draw, spaces: list[list[NDArray]]) -> list[list[NDArray]]:
    """Isometries of the first eigenspace onto the others, by the same element on every side."""
    out = [[side[0]] for side in spaces]
    for new in range(1, len(spaces[0])):
        best, norms = [], -1.0
        for old in range(new):
            blocks = [side[new].T @ (e @ t[old]) for side, e, t in zip(spaces, draw.elements, out)]
            size = np.sqrt(sum(np.sum(b**2) for b in blocks) / sum(b.shape[1] for b in blocks))
            if size > norms:
                best, norms = blocks, size
        for side, block, t in zip(spaces, best, out):
            unit = block / norms
            if unit.shape[0] != unit.shape[1] or np.abs(unit.T @ unit - np.eye(len(unit))).max(initial=0.0) > _LOOSE:
                raise NotSplitError(
                    "two eigenvalues of a random element met, or the action is not completely reducible"
                )
            t.append(side[new] @ unit)
    return out


def _units(corners: list[NDArray], others: list[NDArray]) -> list[list[NDArray]]:
    """Units 1, i or 1, i, j, k of the corner algebra, each as a matrix on every side."""
    total = sum(len(c) for c in corners)
    first, second = ([(c - c.T) / 2 for c in part] for part in (corners, others))
    i = [b / _skew_size(first) for b in first]
    inner = sum(np.sum(a * b) for a, b in zip(second, i)) / total
    j = [s - inner * a for s, a in zip(second, i)]
    units = [[np.eye(len(c)) for c in corners], i]
    if _skew_size(j) > _LOOSE:
        j = [b / _skew_size(j) for b in j]
        units += [j, [a @ b for a, b in zip(i, j)]]
    for blocks in units[1:]:
        if any(np.abs(b @ b + np.eye(len(b))).max(initial=0.0) > _LOOSE for b in blocks):
            raise NotSplitError("the commutant of a component is not R, C or H: the action is not completely reducible")
    return units


def _frame(units: list[NDArray], size: int) -> list[NDArray]:
    """Vectors e_1 .. e_m whose images under all units are an orthonormal basis: one array ``(size, m)`` a unit."""
    if len(units) == 1:
        return [np.eye(size)]
    if len(units) == 2:
        values, vectors = np.linalg.eigh(1j * units[1])
        e = np.sqrt(2.0) * np.real(vectors[:, values > 0])
        return [e, units[1] @ e]
    left = np.eye(size)
    chosen = np.zeros((size, 0))
    while left.shape[1]:
        e = left[:, :1]
        chosen = np.hstack([chosen, e])
        taken = np.hstack([u @ e for u in units])
        left = left - taken @ (taken.T @ left)
        left = np.linalg.svd(left, full_matrices=False)[0][:, : left.shape[1] - 4]
    return [u @ chosen for u in units]


def _right(q: int, units: int) -> NDArray:
    """Right multiplication by unit q of R, C or H, as a matrix over the units."""
    out = np.zeros((units, units))
    for p in range(units):
        r, sign = _product_of_units(p, q)
        out[r, p] = sign
    return out


def _product_of_units(p: int, q: int) -> tuple[int, float]:
    if p == 0 or q == 0:
        return p + q, 1.0
    return (0, -1.0) if p == q else _PRODUCTS[p, q]
