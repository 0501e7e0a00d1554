"""Generators of the classical matrix algebras, a few lines each.

Matrices act on columns and ``E(i, j)`` is the matrix unit, whose linear field is ``x_j d/dx_i``.
All entries are integers, so that what follows from them is exact. A complex matrix X is
written as the real matrix ``[[Re X, -Im X], [Im X, Re X]]``; an affine field A x + b as
``[[A, b], [0, 0]]``. Names say the size where books disagree: ``sp(4)`` acts on R^4.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import scipy.sparse

from erlangen._errors import InputError, explain
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.algebra._arguments import check_room, whole

Entry = tuple[int, int, int]
"""Row, column and integer value of one matrix entry."""


@dataclass(frozen=True)
class MatrixGenerators(AbstractShown):
    """A basis of a matrix algebra, stored by its nonzero entries.

    Parameters
    ----------
    name : str
        The canonical name, such as ``so(3,1)``.
    size : int
        The matrix size k.
    entries : tuple of tuples of (row, column, value)
        One tuple of entries for each of the p generators.
    names : tuple of str
        One name for each generator.
    """

    name: str
    size: int
    entries: tuple[tuple[Entry, ...], ...] = field(repr=False)
    names: tuple[str, ...] = field(repr=False)

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def matrices(self) -> NDArray:
        """The generators ``(p, k, k)`` as a dense float64 array."""
        check_room(self.name, len(self), self.size)
        return self.sparse().toarray().reshape(len(self), self.size, self.size)

    def sparse(self) -> scipy.sparse.csr_array:
        """Return the generators flattened row by row as a sparse matrix ``(p, k*k)``."""
        flat = [(g, i * self.size + j, v) for g, rows in enumerate(self.entries) for i, j, v in rows]
        g, column, value = np.array(flat, dtype=np.int64).reshape(-1, 3).T
        shape = (len(self), self.size**2)
        return scipy.sparse.csr_array((value.astype(np.float64), (g, column)), shape=shape)


def gl(n: int) -> MatrixGenerators:
    """All n x n matrices: the matrix units E(i, j), row by row.

    Parameters
    ----------
    n : int
        Number of coordinates, at least 1.

    Returns
    -------
    MatrixGenerators
        The generators, with their names.

    Raises
    ------
    InputError
        When a number is not whole or not in range, or there would be too many generators to list.
    """
    n = _size("gl", n, 1)
    pairs = [(i, j) for i in range(n) for j in range(n)]
    return _build(f"gl({n})", n, [(_label("E", i, j), [(i, j, 1)]) for i, j in pairs])


def sl(n: int) -> MatrixGenerators:
    """All n x n matrices of trace zero: E(i, j) for i != j, then E(i, i) - E(i+1, i+1).

    Parameters
    ----------
    n : int
        Number of coordinates, at least 1.

    Returns
    -------
    MatrixGenerators
        The generators, with their names.

    Raises
    ------
    InputError
        When a number is not whole or not in range, or there would be too many generators to list.
    """
    n = _size("sl", n, 2)
    units = [(_label("E", i, j), [(i, j, 1)]) for i in range(n) for j in range(n) if i != j]
    return _build(f"sl({n},R)", n, units + [(f"H_{i + 1}", [(i, i, 1), (i + 1, i + 1, -1)]) for i in range(n - 1)])


def so(p: int, q: int = 0) -> MatrixGenerators:
    """Matrices A with A^T G + G A = 0 for G = diag(1 (p times), -1 (q times)).

    The fields are ``x_i d_j - x_j d_i`` (rotations) and ``x_i d_j + x_j d_i`` (boosts), i < j.

    Parameters
    ----------
    p, q : int
        Numbers of positive and of negative squares.

    Returns
    -------
    MatrixGenerators
        The generators, with their names.

    Raises
    ------
    InputError
        When a number is not whole or not in range, or there would be too many generators to list.
    """
    n = _signature("so", p, q)
    return _build(f"so({p},{q})" if q else f"so({p})", n, _rotations(p, q))


def u(p: int, q: int = 0) -> MatrixGenerators:
    """Complex X with X^* I + I X = 0 for I = diag(1 (p times), -1 (q times)); matrix size 2(p+q).

    Parameters
    ----------
    p, q : int
        Numbers of positive and of negative squares.

    Returns
    -------
    MatrixGenerators
        The generators, with their names.

    Raises
    ------
    InputError
        When a number is not whole or not in range, or there would be too many generators to list.
    """
    n = _signature("u", p, q)
    phases = [(f"D_{i + 1}", _imaginary([(i, i, 1)], n)) for i in range(n)]
    return _build(f"u({p},{q})" if q else f"u({p})", 2 * n, _unitary_pairs(p, q) + phases)


def su(p: int, q: int = 0) -> MatrixGenerators:
    """The elements of u(p, q) of complex trace zero; matrix size 2(p+q).

    Parameters
    ----------
    p, q : int
        Numbers of positive and of negative squares.

    Returns
    -------
    MatrixGenerators
        The generators, with their names.

    Raises
    ------
    InputError
        When a number is not whole or not in range, or there would be too many generators to list.
    """
    n = _signature("su", p, q)
    phases = [(f"D_{i + 1}", _imaginary([(i, i, 1), (i + 1, i + 1, -1)], n)) for i in range(n - 1)]
    return _build(f"su({p},{q})" if q else f"su({p})", 2 * n, _unitary_pairs(p, q) + phases)


def sp(size: int) -> MatrixGenerators:
    """Real matrices with X^T J + J X = 0, J = [[0, 1], [-1, 0]]: ``sp(4)`` are 4 x 4 matrices.

    The blocks are [[a, b], [c, -a^T]] with b and c symmetric.

    Parameters
    ----------
    size : int
        Matrix size, even.

    Returns
    -------
    MatrixGenerators
        The generators, with their names.

    Raises
    ------
    InputError
        When a number is not whole or not in range, or there would be too many generators to list.
    """
    size = _size("sp", size, 2)
    if size % 2:
        raise InputError(
            explain(
                "A symplectic form needs an even number of coordinates.",
                given=f"sp({size})",
                expected="an even matrix size",
                fix=f"sp({size + 1}) for {size + 1} x {size + 1} matrices",
            )
        )
    n = size // 2
    rows = [(_label("A", i, j), [(i, j, 1), (n + j, n + i, -1)]) for i in range(n) for j in range(n)]
    for name, row, column in (("B", 0, n), ("C", n, 0)):
        for i in range(n):
            for j in range(i, n):
                cells = {(row + i, column + j), (row + j, column + i)}
                rows.append((_label(name, i, j), [(a, b, 1) for a, b in sorted(cells)]))
    return _build(f"sp({size},R)", size, rows)


def translations(n: int) -> MatrixGenerators:
    """Return the n shifts of R^n; matrix size n + 1.

    Parameters
    ----------
    n : int
        Number of coordinates, at least 1.

    Returns
    -------
    MatrixGenerators
        The generators, with their names.

    Raises
    ------
    InputError
        When a number is not whole or not in range, or there would be too many generators to list.
    """
    n = _size("translations", n, 1)
    return _build("R" if n == 1 else f"R^{n}", n + 1, _shifts(n))


def scalings(n: int) -> MatrixGenerators:
    """Return the scalings of each of n coordinates, ``x_i d_i``; matrix size n.

    Parameters
    ----------
    n : int
        Number of coordinates, at least 1.

    Returns
    -------
    MatrixGenerators
        The generators, with their names.

    Raises
    ------
    InputError
        When a number is not whole or not in range, or there would be too many generators to list.
    """
    n = _size("scalings", n, 1)
    return _build("R" if n == 1 else f"R^{n}", n, [(f"D_{i + 1}", [(i, i, 1)]) for i in range(n)])


def aff(n: int) -> MatrixGenerators:
    """All affine fields A x + b; matrix size n + 1.

    Parameters
    ----------
    n : int
        Number of coordinates, at least 1.

    Returns
    -------
    MatrixGenerators
        The generators, with their names.

    Raises
    ------
    InputError
        When a number is not whole or not in range, or there would be too many generators to list.
    """
    n = _size("aff", n, 1)
    return _build(f"aff({n})", n + 1, _rows(gl(n)) + _shifts(n))


def saff(n: int) -> MatrixGenerators:
    """Affine fields of divergence zero; matrix size n + 1.

    Parameters
    ----------
    n : int
        Number of coordinates, at least 1.

    Returns
    -------
    MatrixGenerators
        The generators, with their names.

    Raises
    ------
    InputError
        When a number is not whole or not in range, or there would be too many generators to list.
    """
    n = _size("saff", n, 2)
    return _build(f"saff({n})", n + 1, _rows(sl(n)) + _shifts(n))


def iso(p: int, q: int = 0) -> MatrixGenerators:
    """Isometries of flat space with metric diag(1 (p times), -1 (q times)); matrix size p+q+1.

    Parameters
    ----------
    p, q : int
        Numbers of positive and of negative squares.

    Returns
    -------
    MatrixGenerators
        The generators, with their names.

    Raises
    ------
    InputError
        When a number is not whole or not in range, or there would be too many generators to list.
    """
    n = _signature("iso", p, q)
    return _build(f"iso({p},{q})" if q else f"e({p})", n + 1, _rotations(p, q) + _shifts(n))


def e(n: int) -> MatrixGenerators:
    """Rotations and translations of R^n; matrix size n + 1.

    Parameters
    ----------
    n : int
        Number of coordinates, at least 1.

    Returns
    -------
    MatrixGenerators
        The generators, with their names.

    Raises
    ------
    InputError
        When a number is not whole or not in range, or there would be too many generators to list.
    """
    return iso(n)


se = e


def poincare(p: int = 3, q: int = 1) -> MatrixGenerators:
    """Lorentz transformations and translations, ``iso(p, q)``; matrix size p+q+1.

    Parameters
    ----------
    p, q : int
        Numbers of positive and of negative squares.

    Returns
    -------
    MatrixGenerators
        The generators, with their names.

    Raises
    ------
    InputError
        When a number is not whole or not in range, or there would be too many generators to list.
    """
    return iso(p, q)


def sim(n: int) -> MatrixGenerators:
    """Rotations, translations and the dilation of R^n; matrix size n + 1.

    Parameters
    ----------
    n : int
        Number of coordinates, at least 1.

    Returns
    -------
    MatrixGenerators
        The generators, with their names.

    Raises
    ------
    InputError
        When a number is not whole or not in range, or there would be too many generators to list.
    """
    n = _size("sim", n, 1)
    dilation = ("D", [(i, i, 1) for i in range(n)])
    return _build(f"sim({n})", n + 1, [*_rotations(n, 0), *_shifts(n), dilation])


def heisenberg(n: int = 1) -> MatrixGenerators:
    """Positions, momenta and their central bracket, dimension 2n + 1; matrix size n + 2.

    Parameters
    ----------
    n : int
        Number of positions, at least 1.

    Returns
    -------
    MatrixGenerators
        The generators, with their names.

    Raises
    ------
    InputError
        When a number is not whole or not in range, or there would be too many generators to list.
    """
    n = _size("heisenberg", n, 1)
    rows = [(f"Q_{i}", [(0, i, 1)]) for i in range(1, n + 1)]
    rows += [(f"P_{i}", [(i, n + 1, 1)]) for i in range(1, n + 1)]
    return _build(f"h({2 * n + 1})", n + 2, [*rows, ("Z", [(0, n + 1, 1)])])


def galilei(n: int) -> MatrixGenerators:
    """Rotations, boosts ``t d_i`` and translations of (t, x_1 .. x_n); matrix size n + 2.

    Parameters
    ----------
    n : int
        Number of coordinates of space, at least 1.

    Returns
    -------
    MatrixGenerators
        The generators, with their names.

    Raises
    ------
    InputError
        When a number is not whole or not in range, or there would be too many generators to list.
    """
    n = _size("galilei", n, 1)
    rotations = [(name, [(i + 1, j + 1, v) for i, j, v in cells]) for name, cells in _rotations(n, 0)]
    boosts = [(f"B_{i}", [(i, 0, 1)]) for i in range(1, n + 1)]
    return _build(f"galilei({n})", n + 2, [*rotations, *boosts, *_shifts(n + 1)])


_LARGEST = 1_000
"""Size of the families: half a million generators are listed in seconds, and no larger ones are of use as a list."""


def _size(name: str, n: int, lowest: int) -> int:
    if whole(name, n, lowest) <= _LARGEST:
        return int(n)
    raise InputError(
        explain(
            f"{name}({n}) has too many generators to list.",
            given=f"n = {n}",
            expected=f"an integer of at most {_LARGEST}",
            fix=f"{name}(3), and as many copies as are needed: rep('1000V', groups.SO(3))",
        )
    )


_Rows = list[tuple[str, list[Entry]]]


def _build(name: str, size: int, rows: Iterable[tuple[str, Iterable[Entry]]]) -> MatrixGenerators:
    rows = list(rows)
    return MatrixGenerators(name, size, tuple(tuple(cells) for _, cells in rows), tuple(label for label, _ in rows))


def _rows(generators: MatrixGenerators) -> _Rows:
    return [(name, list(cells)) for name, cells in zip(generators.names, generators.entries, strict=True)]


def _label(letter: str, i: int, j: int) -> str:
    return f"{letter}_{i + 1}{j + 1}" if max(i, j) < 9 else f"{letter}_{i + 1}_{j + 1}"


def _rotations(p: int, q: int) -> _Rows:
    # E(j,i) - s E(i,j) with s = G_ii G_jj is the field x_i d_j - s x_j d_i.
    rows = []
    for i in range(p + q):
        for j in range(i + 1, p + q):
            mixed = i < p <= j
            rows.append((_label("K" if mixed else "J", i, j), [(j, i, 1), (i, j, 1 if mixed else -1)]))
    return rows


def _shifts(n: int) -> _Rows:
    return [(f"P_{i + 1}", [(i, n, 1)]) for i in range(n)]


def _real(cells: Iterable[Entry], n: int) -> list[Entry]:
    return [entry for i, j, v in cells for entry in ((i, j, v), (n + i, n + j, v))]


def _imaginary(cells: Iterable[Entry], n: int) -> list[Entry]:
    return [entry for i, j, v in cells for entry in ((i, n + j, -v), (n + i, j, v))]


def _unitary_pairs(p: int, q: int) -> _Rows:
    n, rows = p + q, []
    for name, cells in _rotations(p, q):
        (j, i, _), (_, _, s) = cells
        rows.append((name, _real(cells, n)))
        rows.append((_label("S", i, j), _imaginary([(j, i, 1), (i, j, -s)], n)))
    return rows


def _signature(name: str, p: int, q: int) -> int:
    return _size(name, p, 0) + _size(name, q, 0) if p or q else _size(name, p, 1)
