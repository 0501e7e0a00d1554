"""Known answers: generators, canonical name and invariants, shared by the tests of the algebra folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from erlangen.algebra import LieAlgebra, known


@dataclass(frozen=True)
class Case:
    """Generators (text of fields, or a builder of matrices) with the answer."""

    number: int
    generators: str | Callable[[], NDArray]
    name: str
    derived: tuple[int, ...]
    centre: int
    radical: int
    nilradical: int
    killing: tuple[int, int]
    index: int
    module: tuple[int, int, int]
    variables: str = "xyz"

    @property
    def dim(self) -> int:
        """Dimension of the algebra."""
        return self.derived[0]

    def matrices(self) -> NDArray | None:
        """Matrices, None for fields."""
        return None if isinstance(self.generators, str) else np.asarray(self.generators())

    def algebra(self) -> LieAlgebra:
        """The algebra as given."""
        if isinstance(self.generators, str):
            return LieAlgebra.from_fields(*known.fields_from_text(self.generators, self.variables))
        return LieAlgebra.from_matrices(self.generators())

    def __str__(self) -> str:
        return f"{self.number}:{self.name}"


def _row(number: int, generators, name: str, numbers: str, variables: str = "xyz") -> Case:
    """Read the invariants as they are usually tabulated: D; z; r/n; K; i; module."""
    derived, z, rn, k, index, m = (
        tuple(int(v) for v in part.replace("/", ",").split(",")) for part in numbers.split(";")
    )
    return Case(
        number, generators, name, derived, z[0], rn[0], rn[1], (k[0], k[1]), index[0], (m[0], m[1], m[2]), variables
    )


def _sum(*parts: NDArray) -> NDArray:
    return np.concatenate(parts)


CASES = [
    _row(1, "dx; dy; dz", "R^3", "3,0; 3; 3/3; 0,0; 3; 3,9,3"),
    _row(2, "dx; x*dx", "aff(1)", "2,1,0; 0; 2/1; 1,0; 0; 1,1,1", "x"),
    _row(3, "dx; dy+x*dz; dz", "h(3)", "3,1,0; 1; 3/3; 0,0; 1; 2,4,2"),
    _row(4, "dx; x*dx; dy", "aff(1)+R", "3,1,0; 1; 3/2; 1,0; 1; 2,4,2", "xy"),
    _row(5, "dx; dy; x*dx+y*dx+y*dy", "IV", "3,2,0; 0; 3/2; 1,0; 1; 2,4,2", "xy"),
    _row(6, "dx; dy; x*dx+y*dy", "V", "3,2,0; 0; 3/2; 1,0; 1; 2,4,2", "xy"),
    _row(7, "dt; dx; t*dx+x*dt", "e(1,1)", "3,2,0; 0; 3/2; 1,0; 1; 2,4,2", "tx"),
    _row(8, "dx; dy; x*dx+0.5*y*dy", "VI_h, h = -9", "3,2,0; 0; 3/2; 1,0; 1; 2,4,2", "xy"),
    _row(9, "dx; dy; x*dy-y*dx", "e(2)", "3,2,0; 0; 3/2; 0,1; 1; 2,4,2", "xy"),
    _row(10, "dx; dy; 0.5*x*dx+0.5*y*dy+x*dy-y*dx", "VII_h, h = 0.25", "3,2,0; 0; 3/2; 0,1; 1; 2,4,2", "xy"),
    _row(11, "x*dy-y*dx+2/3*dz; dx; dy", "e(2)", "3,2,0; 0; 3/2; 0,1; 1; 2,4,2"),
    _row(12, "dx; x*dx; x^2*dx", "sl(2,R)", "3; 0; 0/0; 2,1; 1; 0,0,0", "x"),
    _row(13, "x*dy-y*dx; t*dx+x*dt; t*dy+y*dt", "sl(2,R)", "3; 0; 0/0; 2,1; 1; 0,0,0", "txy"),
    _row(14, "x*dy-y*dx; y*dz-z*dy; z*dx-x*dz", "so(3)", "3; 0; 0/0; 0,3; 1; 0,0,0"),
    _row(15, lambda: known.spin(2), "so(3)", "3; 0; 0/0; 0,3; 1; 0,0,0"),
    _row(16, lambda: known.su(2), "so(3)", "3; 0; 0/0; 0,3; 1; 0,0,0"),
    _row(17, "dx; dy; x*dy-y*dx; x*dx+y*dy", "sim(2)", "4,2,0; 0; 4/2; 1,1; 0; 2,4,2", "xy"),
    _row(18, "dx; x*dx; dy; y*dy", "aff(1)+aff(1)", "4,2,0; 0; 4/2; 2,0; 0; 2,4,2", "xy"),
    _row(19, "x*dy-y*dx; dx; dy; dz", "e(2)+R", "4,2,0; 1; 4/3; 0,1; 2; 3,9,3"),
    _row(20, "x*dy-y*dx; dx-0.5*y*ds; dy+0.5*x*ds; ds", "osc", "4,3,1,0; 1; 4/3; 0,1; 2; 2,4,2", "xys"),
    _row(21, "x*dx-y*dy; dx; dy+x*ds; ds", "osc(1,1)", "4,3,1,0; 1; 4/3; 1,0; 2; 2,4,2", "xys"),
    _row(
        22,
        "dx; dt; t*dx+du; x*dx+3*t*dt-2*u*du",
        "sdil h(3), f = -1/6",
        "4,3,1,0; 0; 4/3; 1,0; 0; 2,4,2",
        "xtu",
    ),
    _row(23, "dx; dy; dz; x*dx+2*y*dy+3*z*dz", "R ⋉ R^3, weights 1 : 2 : 3", "4,3,0; 0; 4/3; 1,0; 2; 3,9,3"),
    _row(24, "x*dx; y*dx; x*dy; y*dy", "gl(2)", "4,3; 1; 1/1; 2,1; 2; 1,1,1", "xy"),
    _row(25, lambda: known.u(2), "so(3)+R", "4,3; 1; 1/1; 0,3; 2; 1,1,1"),
    _row(26, lambda: _sum(known.so(3), known.one(3)), "so(3)+R", "4,3; 1; 1/1; 0,3; 2; 1,1,1"),
    _row(27, "dx; dy; x*dy; y*dx; x*dx-y*dy", "saff(2)", "5; 0; 2/2; 2,1; 1; 2,1,0", "xy"),
    _row(
        28,
        "dx; dt; t*dx+du; x*dx+2*t*dt-u*du; t*x*dx+t^2*dt+x*du-t*u*du",
        "saff(2)",
        "5; 0; 2/2; 2,1; 1; 2,1,0",
        "xtu",
    ),
    _row(29, lambda: known.heisenberg(2), "h(5)", "5,1,0; 1; 5/5; 0,0; 1; 4,16,4"),
    _row(
        30,
        "dx; dt; u*du; x*dx+2*t*dt; 2*t*dx-x*u*du; 4*t*x*dx+4*t^2*dt-x^2*u*du-2*t*u*du",
        "jacobi(1)",
        "6; 1; 3/3; 2,1; 2; 2,1,0",
        "xtu",
    ),
    _row(31, lambda: known.semi(known.gl(2)), "aff(2)", "6,5; 0; 3/2; 3,1; 0; 2,1,0"),
    _row(
        32,
        "dx; dy; x*dy-y*dx; x*dx+y*dy; x^2*dx-y^2*dx+2*x*y*dy; y^2*dy-x^2*dy+2*x*y*dx",
        "so(3,1)",
        "6; 0; 0/0; 3,3; 2; 0,0,0",
        "xy",
    ),
    _row(33, lambda: known.so(4), "so(4)", "6; 0; 0/0; 0,6; 2; 0,0,0"),
    _row(34, lambda: known.so(2, 2), "so(2,2)", "6; 0; 0/0; 4,2; 2; 0,0,0"),
    _row(35, lambda: known.so_star(2), "so*(4)", "6; 0; 0/0; 2,4; 2; 0,0,0"),
    _row(36, lambda: known.iso(3), "e(3)", "6; 0; 3/3; 0,3; 2; 3,1,0"),
    _row(37, lambda: known.iso(2, 1), "iso(2,1)", "6; 0; 3/3; 2,1; 2; 3,1,0"),
    _row(38, lambda: known.galilei(2), "galilei(2)", "6,4,0; 0; 6/5; 0,1; 2; 3,9,3"),
    _row(39, lambda: known.carroll(2), "carroll(2)", "6,5,1,0; 1; 6/5; 0,1; 2; 4,16,4"),
    _row(40, lambda: _sum(known.iso(3), known.dil(3)), "sim(3)", "7,6; 0; 4/3; 1,3; 1; 3,1,0"),
    _row(41, lambda: _sum(known.so(3, 1), known.one(4)), "co(3,1)", "7,6; 1; 1/1; 3,3; 3; 1,1,1"),
    _row(
        42,
        "dx; dy; x*dx; y*dx; x*dy; y*dy; x^2*dx+x*y*dy; x*y*dx+y^2*dy",
        "sl(3,R)",
        "8; 0; 0/0; 5,3; 2; 0,0,0",
        "xy",
    ),
    _row(43, lambda: known.semi(known.spin(2)), "so(3) ⋉ R^5", "8; 0; 5/5; 0,3; 2; 5,1,0"),
    _row(44, lambda: known.iso(3, 1), "iso(3,1)", "10; 0; 4/4; 3,3; 2; 4,1,0"),
    _row(45, lambda: known.semi(known.sl_complex(2)), "sl(2,C) ⋉ C^2", "10; 0; 4/4; 3,3; 2; 4,2,0"),
    _row(46, lambda: known.galilei(3), "galilei(3)", "10,9; 0; 7/7; 0,3; 2; 4,2,1"),
    _row(47, lambda: known.carroll(3), "carroll(3)", "10; 1; 7/7; 0,3; 2; 6,4,0"),
    _row(48, lambda: known.bargmann(3), "bargmann(3)", "11,10; 1; 8/8; 0,3; 3; 4,2,1"),
    _row(49, lambda: _sum(known.iso(3, 1), known.dil(4)), "weyl(3,1)", "11,10; 0; 5/4; 4,3; 1; 4,1,0"),
    _row(50, lambda: known.schrodinger(3), "schrodinger(3)", "13; 1; 7/7; 2,4; 3; 6,1,0"),
]


def extended(action) -> NDArray:
    """Translations of R^m and one linear map: R ⋉ R^m."""
    a = np.asarray(action, dtype=float)
    return np.concatenate([known.translations(len(a)), np.pad(a, (0, 1))[None]])


def block(*parts: NDArray) -> NDArray:
    """Direct sum of matrix algebras on the sum of their spaces."""
    size, at, rows = sum(p.shape[1] for p in parts), 0, []
    for part in parts:
        end = at + part.shape[1]
        rows.append(np.pad(part, ((0, 0), (at, size - end), (at, size - end))))
        at = end
    return np.concatenate(rows)


# Algebras that noise turns into a neighbour of less structure, with the name that any noise must leave.
CONTRACTIONS = [
    (extended(np.eye(2)), "V"),
    (extended([[1, 1], [0, 1]]), "IV"),
    (extended(np.diag([1, 0.5])), "VI_h, h = -9"),
    (extended([[0.5, -1], [1, 0.5]]), "VII_h, h = 0.25"),
    (extended(np.diag([1, -1])), "e(1,1)"),
    (extended([[0, -1], [1, 0]]), "e(2)"),
    (extended(np.diag([1, 0])), "aff(1)+R"),
    (extended(np.eye(3)), "R ⋉ R^3, weights 1 : 1 : 1"),
    (extended(np.diag([1, 2, 3])), "R ⋉ R^3, weights 1 : 2 : 3"),
    (extended(np.diag([1, 1, 2])), "R ⋉ R^3, weights 1 : 1 : 2"),
    (extended([[1, 1, 0], [0, 1, 0], [0, 0, 2]]), "R ⋉ R^3, weights 1 (block 2) : 2"),
    (extended([[1, -1, 0], [1, 1, 0], [0, 0, 2]]), "R ⋉ R^3, weights 1±i : 2"),
    (block(extended(np.eye(2)), known.so(3)), "so(3)+V"),
    (block(extended([[1]]), known.iso(2)), "e(2)+aff(1)"),
    (block(extended([[1]]), known.heisenberg(1), known.so(3)), "so(3)+h(3)+aff(1)"),
    (block(known.one(1), known.sl(2), known.so(3)), "so(3)+sl(2,R)+R"),
    (block(known.iso(2), extended(np.diag([1, -1])), known.sl(2)), "sl(2,R)+e(1,1)+e(2)"),
]


def well_conditioned(rng: np.random.Generator, n: int, condition: float) -> NDArray:
    """Random matrix of a stated largest condition number."""
    u, _, vt = np.linalg.svd(rng.standard_normal((n, n)))
    return (u * np.exp(rng.uniform(0.0, np.log(condition), n))) @ vt


def conjugated(rng: np.random.Generator, matrices: NDArray, condition: float = 4.0) -> NDArray:
    """Conjugate matrices by a random one, affine maps (last rows zero) by a random affine one."""
    k = matrices.shape[1]
    if matrices[:, -1].any():
        s = well_conditioned(rng, k, condition)
    else:
        s = np.eye(k)
        s[:-1, :-1] = well_conditioned(rng, k - 1, condition)
        s[:-1, -1] = 0.5 * rng.standard_normal(k - 1)
    return s @ matrices @ np.linalg.inv(s)


def mixed(rng: np.random.Generator, generators: NDArray, condition: float = 2.7) -> NDArray:
    """Another basis of the same span."""
    return np.tensordot(well_conditioned(rng, len(generators), condition), generators, axes=1)
