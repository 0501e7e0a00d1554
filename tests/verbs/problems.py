"""The shared table of discovery problems with known answers; a new row is tested by every law."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from erlangen import Samples
from erlangen import actions as act
from erlangen.actions import AbstractAction, UnknownOutput
from erlangen.fields import AbstractField, PolynomialField
from erlangen.linalg.polynomials import exponents


@dataclass(frozen=True)
class Problem:
    """A field, candidates, samples and what discovery must answer."""

    build: Callable[[], tuple[AbstractField, AbstractAction, Samples]]
    dim: int
    name: str
    own: int = 0
    preserves: str | None = None


def quadratic(form: np.ndarray) -> PolynomialField:
    """The field x^T form x."""
    d = len(form)
    table = exponents(d, 2, lowest=2)
    row = [
        form[i, i] if i == j else 2 * form[i, j]
        for i, j in (np.flatnonzero(e).repeat(3 - (e > 0).sum()) for e in table)
    ]
    return PolynomialField(table, np.array(row)[None])


def linear_field(a: np.ndarray, kind: str = "vector") -> PolynomialField:
    """The field A x."""
    return PolynomialField(exponents(len(a), 1, lowest=1), np.asarray(a, dtype=float), kind)


def from_terms(d: int, channels: list[dict[tuple[int, ...], float]], kind: str = "invariant") -> PolynomialField:
    """A polynomial field from {exponent: coefficient} per channel."""
    table = np.array(sorted({e for c in channels for e in c}))
    return PolynomialField(table, np.array([[c.get(tuple(e), 0.0) for e in table] for c in channels]), kind)


def hopf() -> PolynomialField:
    """x - y - x r^2, x + y - y r^2."""
    return from_terms(
        2,
        [{(1, 0): 1, (0, 1): -1, (3, 0): -1, (1, 2): -1}, {(1, 0): 1, (0, 1): 1, (2, 1): -1, (0, 3): -1}],
        "vector",
    )


def lorenz() -> PolynomialField:
    """The Lorenz system: no continuous affine symmetry."""
    return from_terms(
        3,
        [
            {(1, 0, 0): -10, (0, 1, 0): 10},
            {(1, 0, 0): 28, (0, 1, 0): -1, (1, 0, 1): -1},
            {(1, 1, 0): 1, (0, 0, 1): -8 / 3},
        ],
        "vector",
    )


def symplectic(n: int) -> AbstractAction:
    """All linear Hamiltonian fields J S x on R^2n, S symmetric: the algebra sp(2n, R)."""
    j = np.block([[np.zeros((n, n)), np.eye(n)], [-np.eye(n), np.zeros((n, n))]])
    basis = []
    for a in range(2 * n):
        for b in range(a, 2 * n):
            s = np.zeros((2 * n, 2 * n))
            s[a, b] = s[b, a] = 1.0
            basis.append(j @ s)
    return act.linear(np.array(basis))


def centraliser_dimension(a: np.ndarray) -> int:
    """Dimension of the matrices that commute with A, by exact rank of the commutator map."""
    import sympy

    m = sympy.Matrix(a.astype(int))
    eye = sympy.eye(len(a))
    return len(a) ** 2 - (sympy.kronecker_product(m, eye) - sympy.kronecker_product(eye, m.T)).rank()


BOX = Samples.box
EUCLID4 = "preserving diag(1,1,1,1) up to scale"

PROBLEMS: dict[str, Problem] = {
    "|x|^2 in R^2": Problem(lambda: (quadratic(np.eye(2)), act.affine(2), BOX(-1, 1, dim=2)), 1, "so(2)"),
    "|x|^2 in R^3": Problem(lambda: (quadratic(np.eye(3)), act.affine(3), BOX(-1, 1, dim=3)), 3, "so(3)"),
    "|x|^2 in R^4": Problem(lambda: (quadratic(np.eye(4)), act.affine(4), BOX(-1, 1, dim=4)), 6, "so(4)"),
    "|x|^2 in R^5": Problem(lambda: (quadratic(np.eye(5)), act.affine(5), BOX(-1, 1, dim=5)), 10, "so(5)"),
    "|x|^2 under a Gaussian": Problem(
        lambda: (quadratic(np.eye(3)), act.affine(3), Samples.gaussian(0, 1, dim=3)), 3, "so(3)"
    ),
    "|x|^2 at points": Problem(
        lambda: (quadratic(np.eye(3)), act.affine(3), BOX(-1, 1, dim=3, n=500).pointwise()), 3, "so(3)"
    ),
    "|x - centre|^2 off centre": Problem(
        lambda: (
            from_terms(3, [{(2, 0, 0): 1, (0, 2, 0): 1, (0, 0, 2): 1, (1, 0, 0): -2, (0, 1, 0): 4, (0, 0, 1): -1}]),
            act.affine(3),
            BOX(-1, 1, dim=3),
        ),
        3,
        "so(3)",
    ),
    "ellipsoid": Problem(lambda: (quadratic(np.diag([1.0, 4.0, 9.0])), act.gl(3), BOX(-1, 1, dim=3)), 3, "so(3)"),
    "Minkowski form": Problem(
        lambda: (quadratic(np.diag([1.0, -1, -1, -1])), act.gl(4), BOX(-1, 1, dim=4)),
        6,
        "so(3,1)",
        preserves="diag(1,-1,-1,-1)",
    ),
    "split form": Problem(lambda: (quadratic(np.diag([1.0, 1, -1, -1])), act.gl(4), BOX(-1, 1, dim=4)), 6, "so(2,2)"),
    "cylinder x^2 + y^2": Problem(
        lambda: (from_terms(3, [{(2, 0, 0): 1, (0, 2, 0): 1}]), act.euclidean(3), BOX(-1, 1, dim=3)), 2, "R^2"
    ),
    "plane wave x + y": Problem(
        lambda: (from_terms(2, [{(1, 0): 1, (0, 1): 1}]), act.translation(2), BOX(-1, 1, dim=2)), 1, "R"
    ),
    "determinant": Problem(
        lambda: (from_terms(4, [{(1, 0, 0, 1): 1, (0, 1, 1, 0): -1}]), act.gl(4), BOX(-1, 1, dim=4)), 6, "so(2,2)"
    ),
    "isotropic oscillator in sp(4)": Problem(
        lambda: (quadratic(np.eye(4)), symplectic(2), BOX(-1, 1, dim=4)), 4, "u(2)"
    ),
    "Hopf normal form": Problem(lambda: (hopf(), act.affine(2), BOX(-1, 1, dim=2)), 1, "so(2)"),
    "sphere flow": Problem(
        lambda: (
            from_terms(
                3,
                [
                    {
                        tuple(np.eye(3, dtype=int)[i]): 1.0,
                        **{tuple(np.eye(3, dtype=int)[i] + 2 * np.eye(3, dtype=int)[j]): -1.0 for j in range(3)},
                    }
                    for i in range(3)
                ],
                "vector",
            ),
            act.affine(3),
            BOX(-1, 1, dim=3),
        ),
        3,
        "so(3)",
    ),
    "Lorenz": Problem(lambda: (lorenz(), act.affine(3), BOX(-20, 20, dim=3)), 0, "0"),
    "nilpotent Jordan block": Problem(
        lambda: (linear_field(np.array([[0.0, 1], [0, 0]])), act.gl(2), BOX(-1, 1, dim=2)), 1, "R^2", own=1
    ),
    "identity map of R^3": Problem(lambda: (linear_field(np.eye(3)), act.gl(3), BOX(-1, 1, dim=3)), 8, "gl(3)", own=1),
    "distinct eigenvalues": Problem(
        lambda: (linear_field(np.diag([1.0, 2, 3])), act.gl(3), BOX(-1, 1, dim=3)), 0, "R^3", own=3
    ),
    "repeated eigenvalue": Problem(
        lambda: (linear_field(np.diag([1.0, 1, 2])), act.gl(3), BOX(-1, 1, dim=3)), 3, "sl(2,R)+R^2", own=2
    ),
    "linear map as increments": Problem(
        lambda: (linear_field(np.diag([0.1, 0.1, 0.3]), "map"), act.gl(3), BOX(-1, 1, dim=3)), 3, "sl(2,R)+R^2", own=2
    ),
    "equivariant with known output": Problem(
        lambda: (
            linear_field(np.eye(3), "invariant"),
            act.rotation(3).with_output(act.matrices_of(act.rotation(3))),
            BOX(-1, 1, dim=3),
        ),
        3,
        "so(3)",
    ),
    "equivariant with unknown output": Problem(
        lambda: (linear_field(np.eye(3), "invariant"), UnknownOutput(act.rotation(3), 3), BOX(-1, 1, dim=3)),
        3,
        "so(3)",
    ),
    "tied rotations": Problem(
        lambda: (
            quadratic(np.kron(np.array([[1.0, 0.3], [0.3, 2.0]]), np.eye(2))),
            act.rotation(2).tied([(0, 1), (2, 3)]),
            BOX(-1, 1, dim=4),
        ),
        1,
        "so(2)",
    ),
    "free rotations": Problem(
        lambda: (
            quadratic(np.diag([1.0, 1, 2, 2])),
            act.product(act.rotation(2), act.rotation(2)),
            BOX(-1, 1, dim=4),
        ),
        2,
        "R^2",
    ),
}
