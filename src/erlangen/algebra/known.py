"""Reference algebras: explicit matrices of the families, and polynomial fields written as text.

These are the known answers of the tests and the references that mixed algebras are compared with.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import lru_cache

import numpy as np

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray

_TERM = re.compile(r"([+-])((?:[^+-])+)")
_FACTOR = re.compile(
    r"(?:(?P<number>\d+(?:\.\d+)?(?:/\d+)?)|d(?P<field>[a-z]\w*)|(?P<var>[a-z])(?:\^(?P<power>\d+))?)$"
)


def fields_from_text(text: str, variables: Sequence[str]) -> tuple[NDArray, NDArray]:
    """Read polynomial vector fields such as ``"dx; x*dy-y*dx"``.

    Parameters
    ----------
    text : str
        Fields separated by semicolons; terms are products of numbers, powers of one-letter variables and
        one ``d`` followed by a variable.
    variables : sequence of str
        The coordinates in order.

    Returns
    -------
    exponents : ndarray (r, d)
        Monomials that occur.
    coefficients : ndarray (p, d, r)
        One field per piece of text.

    Raises
    ------
    InputError
        If a factor is none of these.

    Examples
    --------
    >>> exponents, coefficients = fields_from_text("dx; x*dy-y*dx", "xy")
    >>> exponents.tolist(), coefficients.shape
    ([[0, 0], [1, 0], [0, 1]], (2, 2, 3))
    """
    names = list(variables)
    terms = []
    pieces = [piece.replace(" ", "") for piece in text.split(";")]
    for k, piece in enumerate(pieces):
        for sign, body in _TERM.findall(piece if piece[:1] in "+-" else "+" + piece):
            terms.append((k, *_read_term(sign, body, names)))
    table = sorted({term[3] for term in terms}, key=lambda e: (sum(e), [-v for v in e]))
    index = {e: i for i, e in enumerate(table)}
    coefficients = np.zeros((len(pieces), len(names), len(table)))
    for k, value, axis, exponents in terms:
        coefficients[k, axis, index[exponents]] += value
    return np.array(table, dtype=np.int64), coefficients


def _read_term(sign: str, body: str, names: list[str]) -> tuple[float, int, tuple[int, ...]]:
    value, axis, powers = Fraction(-1 if sign == "-" else 1), None, [0] * len(names)
    for factor in body.split("*"):
        found = _FACTOR.match(factor)
        if found and found["number"]:
            value *= Fraction(found["number"]) if "/" not in found["number"] else _ratio(found["number"])
        elif found and found["field"] in names and axis is None:
            axis = names.index(found["field"])
        elif found and found["var"] in names:
            powers[names.index(found["var"])] += int(found["power"] or 1)
        else:
            raise _unreadable(body, factor, names)
    if axis is None:
        raise _unreadable(body, body, names)
    return float(value), axis, tuple(powers)


def _ratio(text: str) -> Fraction:
    above, below = text.split("/")
    return Fraction(above) / Fraction(below)


def _unreadable(body: str, factor: str, names: list[str]) -> InputError:
    given = f"{factor!r} in the term {body!r}"
    expected = f"numbers, powers of {', '.join(names)}, and one d{names[0]}-like factor"
    return InputError(explain("a vector field cannot be read", given=given, expected=expected, fix="write x*dy-y*dx"))


def unit(k: int, i: int, j: int) -> NDArray:
    """Matrix unit with a one in row i, column j, counted from zero."""
    out = np.zeros((k, k))
    out[i, j] = 1.0
    return out


def gl(n: int) -> NDArray:
    """All ``n x n`` matrices."""
    return np.eye(n * n).reshape(-1, n, n)


def sl(n: int) -> NDArray:
    """Traceless matrices."""
    off = [unit(n, i, j) for i in range(n) for j in range(n) if i != j]
    return np.array(off + [unit(n, i, i) - unit(n, i + 1, i + 1) for i in range(n - 1)])


def so(p: int, q: int = 0) -> NDArray:
    """Matrices that preserve the form with p plus signs and q minus signs."""
    n = p + q
    eta = [1.0] * p + [-1.0] * q
    rows = [eta[j] * unit(n, i, j) - eta[i] * unit(n, j, i) for i in range(n) for j in range(i + 1, n)]
    return np.array(rows).reshape(-1, n, n)


def lin(b: NDArray) -> NDArray:
    """Linear maps as affine ones: a zero row and column more."""
    return np.pad(b, ((0, 0), (0, 1), (0, 1)))


def translations(d: int) -> NDArray:
    """Translations of R^d as affine maps."""
    return np.array([unit(d + 1, i, d) for i in range(d)])


def semi(b: NDArray) -> NDArray:
    """Linear maps and all translations."""
    return np.concatenate([lin(b), translations(b.shape[1])])


def one(k: int) -> NDArray:
    """The identity matrix."""
    return np.eye(k)[None]


def dil(d: int) -> NDArray:
    """The dilation of R^d as an affine map."""
    return lin(one(d))


def iso(p: int, q: int = 0) -> NDArray:
    """Pseudo-Euclidean motions of R^(p+q)."""
    return semi(so(p, q))


def _solutions(k: int, conditions: Callable[[NDArray], list[NDArray]]) -> NDArray:
    """Orthonormal basis of the matrices for which some linear expressions vanish."""
    columns = [np.concatenate([c.ravel() for c in conditions(e)]) for e in gl(k)]
    _, s, vt = np.linalg.svd(np.array(columns).T, full_matrices=True)
    rank = int((s > 1e-9 * s.max(initial=1.0)).sum())
    return vt[rank:].reshape(-1, k, k)


def realify(x: NDArray) -> NDArray:
    """Complex matrices ``(..., k, k)`` as real ones ``(..., 2k, 2k)``: ``[[Re, -Im], [Im, Re]]``."""
    return np.block([[np.real(x), -np.imag(x)], [np.imag(x), np.real(x)]])


def _complex_solutions(n: int, conditions: Callable[[NDArray], list[NDArray]]) -> NDArray:
    """Real basis of the complex matrices for which some real-linear expressions vanish."""
    basis = [*gl(n).astype(complex), *(1j * gl(n))]
    columns = []
    for e in basis:
        values = np.concatenate([np.asarray(c, dtype=complex).ravel() for c in conditions(e)])
        columns.append(np.concatenate([np.real(values), np.imag(values)]))
    _, s, vt = np.linalg.svd(np.array(columns).T, full_matrices=True)
    rank = int((s > 1e-9 * s.max(initial=1.0)).sum())
    return np.array([realify(np.tensordot(row, np.array(basis), axes=1)) for row in vt[rank:]])


def _signs(p: int, q: int) -> NDArray:
    return np.diag([1.0] * p + [-1.0] * q)


def _symplectic_unit(n: int) -> NDArray:
    return np.kron(np.array([[0.0, 1.0], [-1.0, 0.0]]), np.eye(n))


def u(p: int, q: int = 0) -> NDArray:
    """Complex matrices that preserve a Hermitian form."""
    form = _signs(p, q)
    return _complex_solutions(p + q, lambda x: [x.conj().T @ form + form @ x])


def su(p: int, q: int = 0) -> NDArray:
    """The traceless part of u(p, q)."""
    form = _signs(p, q)
    return _complex_solutions(p + q, lambda x: [x.conj().T @ form + form @ x, np.atleast_1d(np.trace(x))])


def sl_complex(n: int) -> NDArray:
    """Traceless complex matrices."""
    return _complex_solutions(n, lambda x: [np.atleast_1d(np.trace(x))])


def so_complex(n: int) -> NDArray:
    """Complex antisymmetric matrices."""
    return _complex_solutions(n, lambda x: [x + x.T])


def sp_complex(n: int) -> NDArray:
    """Complex matrices of size 2n that preserve a symplectic form."""
    j = _symplectic_unit(n)
    return _complex_solutions(2 * n, lambda x: [x.T @ j + j @ x])


def so_star(n: int) -> NDArray:
    """so*(2n): complex antisymmetric matrices of size 2n that preserve a skew-Hermitian form."""
    j = _symplectic_unit(n)
    return _complex_solutions(2 * n, lambda x: [x.T + x, x.conj().T @ j + j @ x])


def su_star(n: int) -> NDArray:
    """su*(2n): traceless quaternionic matrices of size n."""
    j = _symplectic_unit(n)
    return _complex_solutions(2 * n, lambda x: [x @ j - j @ x.conj(), np.atleast_1d(np.trace(x))])


def sp(p: int, q: int = 0) -> NDArray:
    """Quaternionic matrices that preserve a Hermitian form of signature (p, q)."""
    j, form = _symplectic_unit(p + q), np.kron(np.eye(2), _signs(p, q))
    return _complex_solutions(2 * (p + q), lambda x: [x @ j - j @ x.conj(), x.conj().T @ form + form @ x])


def sp_real(n: int) -> NDArray:
    """sp(2n, R): real matrices of size 2n that preserve a symplectic form."""
    j = _symplectic_unit(n)
    return _solutions(2 * n, lambda x: [x.T @ j + j @ x])


def _octonions(split: bool) -> NDArray:
    """Multiplication ``m[i, j, k]``: e_i e_j = sum_k m e_k, by Cayley-Dickson doubling of the quaternions."""
    table = np.ones((1, 1, 1))
    for last in (False, False, True):
        n = len(table)
        conj = np.diag([1.0] + [-1.0] * (n - 1))
        gamma = 1.0 if split and last else -1.0
        bigger = np.zeros((2 * n, 2 * n, 2 * n))
        # (a, b)(c, d) = (a c + gamma conj(d) b, d a + b conj(c))
        bigger[:n, :n, :n] = table
        bigger[n:, n:, :n] = gamma * np.einsum("dx,xbk->bdk", conj, table)
        bigger[:n, n:, n:] = np.einsum("dak->adk", table)
        bigger[n:, :n, n:] = np.einsum("cx,bxk->bck", conj, table)
        table = bigger
    return table


def g2(split: bool = False) -> NDArray:
    """Derivations of the octonions (or split octonions), 8 x 8."""
    m = _octonions(split)

    def conditions(d: NDArray) -> list[NDArray]:
        # d(e_i e_j) - d(e_i) e_j - e_i d(e_j)
        whole = np.einsum("ijk,lk->ijl", m, d)
        return [whole - np.einsum("ai,ajl->ijl", d, m) - np.einsum("aj,ial->ijl", d, m)]

    return _solutions(8, conditions)


def spin(spin_number: int) -> NDArray:
    """The irreducible real representation of so(3) on R^(2l+1), antisymmetric matrices."""
    size = 2 * spin_number + 1
    m = np.arange(spin_number, -spin_number - 1, -1.0)
    jz = np.diag(m).astype(complex)
    up = np.diag(np.sqrt(spin_number * (spin_number + 1) - m[1:] * (m[1:] + 1)), 1).astype(complex)
    jx, jy = (up + up.T) / 2, (up - up.T) / 2j
    change = np.zeros((size, size), dtype=complex)
    for row, value in enumerate(range(-spin_number, spin_number + 1)):
        a = spin_number - value
        b = spin_number + value
        if value == 0:
            change[row, a] = 1.0
        elif value > 0:
            change[row, b], change[row, a] = 1 / np.sqrt(2), (-1) ** value / np.sqrt(2)
        else:
            change[row, a], change[row, b] = 1j / np.sqrt(2), -1j * (-1) ** value / np.sqrt(2)
    return np.array([(-1j * change @ j @ change.conj().T).real for j in (jx, jy, jz)])


def heisenberg(n: int) -> NDArray:
    """h(2n+1) as strictly upper triangular matrices of size n + 2."""
    k = n + 2
    rows = [unit(k, 0, i) for i in range(1, n + 1)] + [unit(k, i, n + 1) for i in range(1, n + 1)]
    return np.array([*rows, unit(k, 0, n + 1)])


def _space_rotations(n: int, size: int, offset: int) -> list[NDArray]:
    rows = []
    for i in range(n):
        for j in range(i + 1, n):
            rows.append(unit(size, offset + i, offset + j) - unit(size, offset + j, offset + i))
    return rows


def galilei(n: int) -> NDArray:
    """Rotations, boosts t d_i and all translations of (t, x), size n + 2."""
    boosts = [unit(n + 2, i + 1, 0) for i in range(n)]
    return np.array([*_space_rotations(n, n + 2, 1), *boosts, *translations(n + 1)])


def carroll(n: int) -> NDArray:
    """Rotations, boosts x_i d_t and all translations of (t, x), size n + 2."""
    boosts = [unit(n + 2, 0, i + 1) for i in range(n)]
    return np.array([*_space_rotations(n, n + 2, 1), *boosts, *translations(n + 1)])


def bargmann(n: int) -> NDArray:
    """Central extension of galilei(n) on columns (s, x, t, 1), size n + 3."""
    k = n + 3
    boosts = [unit(k, i, n + 1) + unit(k, 0, i) for i in range(1, n + 1)]
    shifts = [unit(k, i, n + 2) for i in range(1, n + 1)]
    return np.array([*_space_rotations(n, k, 1), *boosts, *shifts, unit(k, n + 1, n + 2), unit(k, 0, n + 2)])


def _heisenberg_over(middle: list[NDArray], n: int) -> NDArray:
    """Maps of R^2n that preserve the symplectic form, with h(2n+1), size 2n + 2."""
    k, j = 2 * n + 2, _symplectic_unit(n)
    rows = [np.pad(a, 1) for a in middle]
    for i in range(2 * n):
        shift = unit(k, i + 1, k - 1)
        shift[0, 1:-1] = -j[i]
        rows.append(shift)
    return np.array([*rows, unit(k, 0, k - 1)])


def schrodinger(n: int) -> NDArray:
    """(sl(2,R) + so(n)) with h(2n+1): the symmetries of the free Schrodinger equation, size 2n + 2."""
    middle = [np.kron(a, np.eye(n)) for a in sl(2)] + [np.kron(np.eye(2), a) for a in so(n)]
    return _heisenberg_over(middle, n)


def jacobi(n: int) -> NDArray:
    """sp(2n,R) with h(2n+1), size 2n + 2."""
    return _heisenberg_over(list(sp_real(n)), n)


def triangular(n: int) -> NDArray:
    """Traceless upper triangular matrices."""
    off = [unit(n, i, j) for i in range(n) for j in range(i + 1, n)]
    return np.array(off + [unit(n, i, i) - unit(n, i + 1, i + 1) for i in range(n - 1)])


def engel() -> NDArray:
    """The filiform nilpotent algebra of dimension 4: [e1,e2] = e3, [e1,e3] = e4."""
    return np.array([unit(4, 0, 1) + unit(4, 1, 2), unit(4, 2, 3), unit(4, 1, 3), unit(4, 0, 3)])


def oscillator(split: bool = False) -> NDArray:
    """Heisenberg algebra with a rotation (or, split, a squeeze) of its plane, size 4."""
    inner = np.zeros((4, 4))
    inner[1, 2], inner[2, 1] = 1.0, 1.0 if split else -1.0
    return _heisenberg_over([inner[1:3, 1:3]], 1)


Builder = Callable[[], NDArray]


@lru_cache(maxsize=1)
def references() -> tuple[tuple[str, tuple[str, ...], int, Builder], ...]:
    """Rows (name, aliases, dimension, matrices) of mixed algebras that are recognised by their invariants."""
    rows: list[tuple[str, tuple[str, ...], int, Builder]] = [
        ("osc", ("Nappi-Witten", "centrally extended e(2)", "diamond, weights +-i"), 4, oscillator),
        ("osc(1,1)", ("centrally extended e(1,1)", "diamond, weights +-1"), 4, lambda: oscillator(split=True)),
        ("n4", ("Engel", "bargmann(1)", "filiform(4)"), 4, engel),
        ("sim(2)", ("aff(1,C)",), 4, lambda: np.concatenate([iso(2), dil(2)])),
        ("t(3)", ("upper triangular sl(3,R)",), 5, lambda: triangular(3)),
    ]
    for n in range(2, 6):
        rotations = n * (n - 1) // 2
        rows.append((f"galilei({n})", (), rotations + 2 * n + 1, lambda n=n: galilei(n)))
        rows.append((f"carroll({n})", (), rotations + 2 * n + 1, lambda n=n: carroll(n)))
        rows.append((f"bargmann({n})", (), rotations + 2 * n + 2, lambda n=n: bargmann(n)))
        rows.append((f"schrodinger({n})", (), rotations + 2 * n + 4, lambda n=n: schrodinger(n)))
    for n in range(1, 4):
        names = ("symmetries of the heat equation", "schrodinger(1)") if n == 1 else ()
        rows.append((f"jacobi({n})", names, n * (2 * n + 1) + 2 * n + 1, lambda n=n: jacobi(n)))
    return tuple(rows)
