"""Named actions on R^d: each is a few lines of coefficients."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.actions.polynomial import PolynomialAction
from erlangen.linalg.polynomials import collect, exponents

MAX_DEGREE = 24
"""Highest power in a formula of a generator."""


def polynomial(d: int, degree: int, *, lowest: int = 0) -> PolynomialAction:
    """All polynomial vector fields on R^d of degree lowest .. degree, ordered by component, then monomial.

    Parameters
    ----------
    d : int
        Number of coordinates.
    degree : int
        Highest degree of the components.
    lowest : int
        Lowest degree.

    Returns
    -------
    PolynomialAction
        d r generators, for r monomials.

    Raises
    ------
    InputError
        When d is not at least 1.
    """
    _check_dim(d)
    table = exponents(d, degree, lowest=lowest)
    return PolynomialAction(table, sparse.csr_array(sparse.identity(d * len(table))))


def affine(d: int, mask: ArrayLike | None = None) -> PolynomialAction:
    """All affine fields A x + b on R^d: ``d * (d + 1)`` generators d/dx1, x1 d/dx1, ..., xd d/dxd.

    Parameters
    ----------
    d : int
        Number of coordinates.
    mask : array_like (d, d + 1) of bool, optional
        Which coefficients may differ from zero; columns are 1, x1 .. xd.

    Returns
    -------
    PolynomialAction
        The fields, ordered by component, then monomial.

    Raises
    ------
    InputError
        When d is not at least 1, or the mask has another shape.
    """
    full = polynomial(d, 1)
    return full if mask is None else full.masked(mask)


def gl(d: int, mask: ArrayLike | None = None) -> PolynomialAction:
    """All linear fields A x on R^d: ``d * d`` generators x1 d/dx1, x2 d/dx1, ...

    Parameters
    ----------
    d : int
        Number of coordinates.
    mask : array_like (d, d) of bool, optional
        Which entries of A may differ from zero.

    Returns
    -------
    PolynomialAction
        The fields, ordered by component, then coordinate.

    Raises
    ------
    InputError
        When d is not at least 1, or the mask has another shape.
    """
    full = polynomial(d, 1, lowest=1)
    return full if mask is None else full.masked(mask)


def translation(d: int) -> PolynomialAction:
    """The d translations d/dx1 .. d/dxd.

    Parameters
    ----------
    d : int
        Number of coordinates.

    Returns
    -------
    PolynomialAction
        d generators.

    Raises
    ------
    InputError
        When d is not at least 1.
    """
    return polynomial(d, 0)


def linear(matrices: ArrayLike) -> PolynomialAction:
    """Linear fields A_k x from matrices ``(p, d, d)``; a single matrix ``(d, d)`` is one generator.

    Parameters
    ----------
    matrices : array_like (p, d, d) or (d, d)
        They act on columns.

    Returns
    -------
    PolynomialAction
        p generators.

    Raises
    ------
    InputError
        When the matrices are not square and finite.
    """
    matrices = np.asarray(matrices, dtype=np.float64)
    if matrices.ndim == 2:
        matrices = matrices[None]
    if matrices.ndim != 3 or matrices.shape[1] != matrices.shape[2] or not np.all(np.isfinite(matrices)):
        raise InputError(
            explain(
                "Generators of a linear action are square finite matrices.",
                given=f"an array of shape {matrices.shape}"
                + ("" if np.all(np.isfinite(matrices)) else " with values that are not finite"),
                expected="shape (p, d, d)",
                fix="er.actions.linear(numpy.stack([A1, A2]))",
            )
        )
    p, d, _ = matrices.shape
    return PolynomialAction(exponents(d, 1, lowest=1), sparse.csr_array(matrices.reshape(p, d * d)))


def rotation(d: int) -> PolynomialAction:
    """The d (d - 1) / 2 rotations x_i d/dx_j - x_j d/dx_i, i < j.

    Parameters
    ----------
    d : int
        Number of coordinates.

    Returns
    -------
    PolynomialAction
        The generators in the order (1, 2), (1, 3), ..., (2, 3), ...

    Raises
    ------
    InputError
        When d is not at least 1.
    """
    _check_dim(d)
    pairs = list(combinations(range(d), 2))
    k = np.repeat(np.arange(len(pairs)), 2)
    columns = [entry for i, j in pairs for entry in (j * d + i, i * d + j)]
    values = np.tile([1.0, -1.0], len(pairs))
    matrix = sparse.csr_array((values, (k, columns)), shape=(len(pairs), d * d))
    return PolynomialAction(exponents(d, 1, lowest=1), matrix)


def pseudo_rotation(metric: Sequence[float]) -> PolynomialAction:
    """The linear fields that preserve the form diag(metric): rotations and boosts.

    Parameters
    ----------
    metric : sequence of float (d,)
        Diagonal of the form, such as ``[1, -1, -1, -1]``.

    Returns
    -------
    PolynomialAction
        d (d - 1) / 2 generators.
    """
    g = np.asarray(metric, dtype=np.float64)
    d = len(g)
    matrices = []
    for i, j in combinations(range(d), 2):
        a = np.zeros((d, d))
        a[j, i], a[i, j] = g[i], -g[j]
        matrices.append(a / max(abs(g[i]), abs(g[j])))
    return linear(np.array(matrices))


def scaling(d: int, weights: ArrayLike | None = None) -> PolynomialAction:
    """The d separate scalings x_i d/dx_i, or one scaling per row of weights ``(p, d)``.

    Parameters
    ----------
    d : int
        Number of coordinates.
    weights : array_like (p, d) or (d,), optional
        How fast each coordinate grows, one row a generator.

    Returns
    -------
    PolynomialAction
        p generators, d of them by default.

    Raises
    ------
    InputError
        When d is not at least 1.
    """
    _check_dim(d)
    rows = np.eye(d) if weights is None else np.atleast_2d(np.asarray(weights, dtype=np.float64))
    return linear(np.array([np.diag(w) for w in rows]))


def euclidean(d: int) -> PolynomialAction:
    """Rotations and translations of R^d, rotations first: the algebra se(d).

    Parameters
    ----------
    d : int
        Number of coordinates.

    Returns
    -------
    PolynomialAction
        d (d + 1) / 2 generators.

    Raises
    ------
    InputError
        When d is not at least 1.
    """
    from erlangen.actions.polynomial import stack

    return stack([rotation(d), translation(d)])


def fields(components: Sequence[Sequence[str]], names: Sequence[str]) -> PolynomialAction:
    """Polynomial fields written as formulas, one list of d components per generator.

    Parameters
    ----------
    components : sequence of sequences of str
        ``[["-y", "x"], ["1", "0"]]`` are a rotation and a translation.
    names : sequence of str
        The coordinates, in order.

    Returns
    -------
    PolynomialAction
        One generator per list.

    Raises
    ------
    InputError
        When a list has another length than names, or a formula is not a polynomial in them.
    """
    from erlangen._formula import Formula

    rows: list[tuple[int, int, tuple[int, ...], float]] = []
    for k, field in enumerate(components):
        if len(field) != len(names):
            raise InputError(
                explain(
                    "A vector field needs one component per coordinate.",
                    given=f"{len(field)} components for {len(names)} coordinates",
                    expected=f"{len(names)} formulas in {', '.join(names)}",
                    fix="er.actions.fields([['-y', 'x']], names=['x', 'y'])",
                )
            )
        for a, text in enumerate(field):
            rows += [(k, a, e, c) for e, c in _terms(Formula(text, tuple(names)), names)]
    table = np.array([e for _, _, e, _ in rows], dtype=np.int64).reshape(-1, len(names))
    dense = np.zeros((len(components), len(names), len(rows)))
    for i, (k, a, _, c) in enumerate(rows):
        dense[k, a, i] = c
    table, merged = collect(table, dense)
    return PolynomialAction(table, sparse.csr_array(merged.reshape(len(components), -1)))


def _terms(formula, names: Sequence[str]) -> list[tuple[tuple[int, ...], float]]:
    import sympy

    symbols = [sympy.Symbol(n, real=True) for n in names]
    expression = formula.to_sympy()
    highest = max((abs(int(p.exp)) for p in expression.atoms(sympy.Pow) if p.exp.is_Integer), default=1)
    if highest > MAX_DEGREE:
        raise InputError(
            explain(
                "The power is too high for a generator.",
                given=f"power {highest} in {formula}",
                expected=f"at most {MAX_DEGREE}: an expanded power of a sum has very many terms",
                fix="a polynomial of low degree",
            )
        )
    try:
        plain = {s: t for s in expression.free_symbols for t in symbols if s.name == t.name}
        terms = sympy.Poly(expression.subs(plain), *symbols).terms()
    except sympy.PolynomialError:
        raise InputError(
            explain(
                "The generator is not polynomial.",
                given=str(formula),
                expected=f"a polynomial in {', '.join(names)}",
                fix="er.actions.CallableAction(...)",
            )
        ) from None
    return [(tuple(int(e) for e in exponent), float(c)) for exponent, c in terms if c != 0]


def _check_dim(d: int) -> None:
    if not isinstance(d, (int, np.integer)) or d < 1:
        raise InputError(
            explain(
                "An action needs a number of coordinates.",
                given=f"d = {d!r}",
                expected="an integer of at least 1",
                fix="er.actions.rotation(3)",
            )
        )


def matrices_of(action: PolynomialAction) -> NDArray:
    """Matrices ``(p, d, d)`` of a linear action, ``(p, d + 1, d + 1)`` of an affine one.

    Parameters
    ----------
    action : PolynomialAction
        Linear or affine generators.

    Returns
    -------
    ndarray (p, d, d) or (p, d + 1, d + 1)
        They act on columns; in affine ones the last column is the shift, the last row zero.

    Raises
    ------
    InputError
        When the action has a degree above 1.
    """
    d = action.point_dim
    degree = action.exponents.sum(axis=1)
    if degree.max(initial=0) > 1:
        raise InputError(
            explain(
                "Only linear and affine actions have matrices.",
                given=f"an action of degree {action.degree}",
                expected="degree at most 1",
                fix="action.lie_algebra()",
            )
        )
    out = np.zeros((action.n_generators, d + 1, d + 1))
    for r, e in enumerate(action.exponents):
        column = int(np.argmax(e)) if e.any() else d
        out[:, :d, column] += action.coefficients[:, :, r]
    return out if np.any(degree == 0) else out[:, :d, :d]
