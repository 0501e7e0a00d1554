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

import numpy as np

from erlangen._errors import ErlangenError
from erlangen._typing import NDArray
from erlangen.algebra.equivariant._elements import HALF, AbstractCombination, Draw, Exponentials, Generators
from erlangen.algebra.equivariant._sides import Side
from erlangen.linalg.qr import rounding
from erlangen.linalg.structured import IsotypicBlock

_CLEAR = 1e3  # a gap between eigenvalues is told from rounding by three digits

_TYPES = {1: "real", 2: "complex", 4: "quaternionic"}

# Left multiplication tables: unit p times unit q is sign * unit r.
_PRODUCTS = {
    (1, 2): (3, 1.0), (2, 3): (1, 1.0), (3, 1): (2, 1.0),
    (2, 1): (3, -1.0), (3, 2): (1, -1.0), (1, 3): (2, -1.0),
}  # fmt: skip


_KINDS = Generators, Generators, Exponentials, Exponentials  # in the order of their price


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

    draw: Draw
    spaces: list[list[NDArray]]
    gap: float
    kind: type[AbstractCombination]


def _spectra(sides: tuple[Side, ...], rng: np.random.Generator, digits_lost: float) -> Iterator[_Spectrum]:
    """Draw elements until eigenvalues are well apart; then all that were drawn, the best one first."""
    drawn = []
    for kind in _KINDS:
        draw = Draw(sides, rng, kind)
        found = [np.linalg.eigh((e + e.T) / 2) for e in draw.elements]
        labels, gap = _clusters([values for values, _ in found], digits_lost)
        count = max((int(x.max(initial=-1)) + 1 for x in labels), default=0)
        spaces = [[vectors[:, x == c] for c in range(count)] for (_, vectors), x in zip(found, labels)]
        drawn.append(_Spectrum(draw, spaces, gap, kind))
        # The least of K^2 / 2 distances is of the size of 1 / K^2: one draw in ten has none so small.
        if gap * count**2 > 0.1:
            break
    yield from sorted(drawn, key=lambda s: -s.gap)


def _split(spectrum: _Spectrum, sides: tuple[Side, ...], rng: np.random.Generator) -> tuple[Component, ...]:
    if spectrum.gap <= 0:
        raise NotSplitError("eigenvalues of a random element are too close to be told apart or taken for equal")
    draw, spaces = spectrum.draw, spectrum.spaces
    # The rest of the element links the eigenspaces of its symmetric part.
    strength = np.max([_links(e, s) for e, s in zip(draw.elements, spaces)], axis=0)
    transports = [
        _transports(draw, [[s[c] for c in members] for s in spaces], strength[np.ix_(members, members)])
        for members in _classes(strength)
    ]
    second = None
    out = []
    for along in transports:
        corners = _corners(draw, along)
        if _skew_size(corners) > HALF:
            # Not real: a second element tells the complex type from the quaternionic one.
            second = second or Draw(sides, rng, spectrum.kind)
            out.append(_component(along, _units(corners, _corners(second, along))))
        else:
            out.append(_component(along, [[np.eye(len(c)) for c in corners]]))
    return tuple(sorted(out, key=lambda c: c.size))


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


def _classes(strength: NDArray) -> list[list[int]]:
    """Group the eigenspaces by irreducible type, each group along its strongest links from a first one."""
    # Blocks between different types are rounding; between equal ones they are of the size of the element.
    left, groups = np.ones(len(strength), dtype=bool), []
    while left.any():
        group = [int(np.argmax(left))]
        left[group] = False
        reach = strength[group[0]].copy()
        while (near := left & (reach > HALF)).any():
            group.append(int(np.argmax(np.where(near, reach, -1.0))))
            left[group[-1]] = False
            reach = np.maximum(reach, strength[group[-1]])
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


def _corners(draw: Draw, transports: list[list[NDArray]]) -> list[NDArray]:
    """The element within the first eigenspace, on every side."""
    return [along[0].T @ (element @ along[0]) for along, element in zip(transports, draw.elements)]


def _skew_size(corners: list[NDArray]) -> float:
    """Root mean square of the skew part, in units of the element's."""
    return float(np.sqrt(sum(np.sum((c - c.T) ** 2) for c in corners) / (4 * sum(len(c) for c in corners))))


def _transports(draw: Draw, spaces: list[list[NDArray]], links: NDArray) -> list[list[NDArray]]:
    """Isometries of the first eigenspace onto the others, by the same element on every side.

    Parameters
    ----------
    draw : Draw
        The element.
    spaces : list of list of ndarray (N, m)
        Eigenspaces of one type on each side, in an order in which each is linked to an earlier one.
    links : ndarray (K, K)
        How strongly the element links them.
    """
    out = [[side[0]] for side in spaces]
    for new in range(1, len(spaces[0])):
        old = int(np.argmax(links[new, :new]))
        blocks = [side[new].T @ (e @ t[old]) for side, e, t in zip(spaces, draw.elements, out)]
        size = float(np.sqrt(sum(np.sum(b**2) for b in blocks) / sum(b.shape[1] for b in blocks)))
        for side, block, t in zip(spaces, blocks, out):
            unit = block / size if size else block
            if unit.shape[0] != unit.shape[1] or np.abs(unit.T @ unit - np.eye(len(unit))).max(initial=0.0) > HALF:
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
    if _skew_size(j) > HALF:
        j = [b / _skew_size(j) for b in j]
        units += [j, [a @ b for a, b in zip(i, j)]]
    for blocks in units[1:]:
        if any(np.abs(b @ b + np.eye(len(b))).max(initial=0.0) > HALF for b in blocks):
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
