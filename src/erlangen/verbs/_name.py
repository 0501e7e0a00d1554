"""What is the group called, and what does it preserve?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from erlangen._errors import UndecidedError
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction, PolynomialAction, Rescaled, behind, matrices_of
from erlangen.algebra import LieAlgebra, Structure
from erlangen.algebra.forms import complex_structure, preserved_forms
from erlangen.fields.table import substitute
from erlangen.verbs._basis import closed_under_shifts
from erlangen.verbs._sort import Found

OUTSIDE = 0.3
"""Closure defect beyond which no noise is an excuse: a third of the brackets lies outside the span."""

NAMED_UP_TO = 160
"""Largest algebra that is named: structure constants grow with the cube of the dimension."""


@dataclass(frozen=True, eq=False)
class Named:
    """The name of the algebra with what its action preserves.

    Attributes
    ----------
    name : str
        Canonical name, such as ``so(3)``.
    preserves : str
        The bilinear form that the action preserves, in words; empty where there is none.
    structure : Structure or None
        Everything behind the name; None where the generators are not closed under brackets.
    algebra : LieAlgebra
        The generators as an algebra of vector fields.
    remark : str
        What the name leaves out, in words; empty where it says all.
    """

    name: str
    preserves: str
    structure: Structure | None
    algebra: LieAlgebra
    remark: str = ""


def name_of(action: AbstractAction, found: Found, centre: NDArray, scale: NDArray, noise: float) -> Named | None:
    """Name the algebra of all symmetries found; None for actions that are not polynomial, or where there is none.

    A threshold may cut through a group of nearly equal defects: two of three rotations span no algebra.
    """
    base = behind(action)
    if not isinstance(base, PolynomialAction):
        return None
    centre, scale = centre[: base.point_dim], scale[: base.point_dim]
    # Up to the choice of time, functions times F are symmetries of everything: the rest has the name.
    xi = found.matrix("generators") if isinstance(action, Rescaled) else found.matrix()
    if len(xi) > NAMED_UP_TO:
        return None
    xi = xi[:, : base.n_generators] if len(xi) else np.zeros((0, base.n_generators))
    restricted = base.restrict((xi if base is action else independent(xi)).T)
    algebra = LieAlgebra.from_fields(base.exponents, restricted.coefficients)
    whitened = LieAlgebra.from_fields(*_unit_fields(restricted, centre, scale))
    # On functions, generators are named by what they do to points; forms on values are many, and take long to find.
    matrices = _linear(restricted) if restricted.origin is None else None
    preserves = "" if matrices is None or len(matrices) < 2 else _preserved(matrices, noise)
    name, remark, structure = _named(whitened, matrices, noise)
    if len(xi) == 1 and turns(restricted, noise):
        name = "so(2)"
    return Named(name, preserves, structure, algebra, remark)


def _named(algebra: LieAlgebra, matrices: NDArray | None, noise: float) -> tuple[str, str, Structure | None]:
    """Name, remark and structure; generators that are not closed have a count instead of a name."""
    p = algebra.dim
    defect = algebra.closure_defect
    if p > 1 and defect > excused(noise):
        words = f"the {p} generators do not close under brackets (defect {defect:.2g}), so no algebra is named"
        return _count(p), words, None
    try:
        structure = algebra.identify(noise=min(noise, OUTSIDE))
    except UndecidedError as error:
        return _count(p), str(error).partition("\n")[0], None
    if structure.dim != p:
        return _count(p), f"the {p} generators are not closed; nearest algebra: {structure.name}", structure
    has_complex = matrices is not None and p > 0 and complex_structure(matrices) is not None
    name = structure.display(complex_structure=has_complex)
    return (_count(p), name, structure) if name.startswith("dim ") else (name, "", structure)


def excused(noise: float) -> float:
    """Closure defect that the error of unit generators explains.

    A closed span that is moved by noise has a defect below that noise; three times is beyond doubt.
    """
    return max(min(3.0 * noise, OUTSIDE), float(np.sqrt(np.finfo(float).eps)))


def turns(action: PolynomialAction, noise: float) -> bool:
    """Whether one affine generator is a rotation: imaginary eigenvalues of one size, and no drift."""
    if action.degree > 1:
        return False
    a = matrices_of(action)[0]
    values, vectors = np.linalg.eig(a)
    real, imaginary = np.real(values), np.imag(values)
    size = np.abs(values).max()
    zero = max(noise, np.sqrt(np.finfo(float).eps)) * size
    turning = np.abs(imaginary) > 0.5 * size
    still = np.abs(values) <= zero
    even = np.all(np.abs(np.abs(values[turning]) - size) <= zero) and np.all(np.abs(real) <= zero)
    # A translation along the axis leaves the eigenvalues alone but not the eigenvectors.
    whole = np.linalg.svd(vectors, compute_uv=False)[-1] > np.sqrt(np.finfo(float).eps)
    return bool(size > 0 and turning.any() and np.all(turning | still) and even and whole)


def _count(p: int) -> str:
    return f"{p}-dimensional"


def independent(rows: NDArray) -> NDArray:
    """Independent rows spanning the same space (projections of joint pairs may repeat)."""
    if len(rows) == 0:
        return rows
    _, sizes, vt = np.linalg.svd(rows, full_matrices=False)
    rank = int(np.sum(sizes > sizes[0] * np.sqrt(np.finfo(float).eps)))
    return rows if rank == len(rows) else vt[:rank]


def _unit_fields(action: PolynomialAction, centre: NDArray, scale: NDArray) -> tuple[NDArray, NDArray]:
    """Exponents and coefficients in ``(x - centre) / scale``, where generator errors are comparable."""
    shift = centre if closed_under_shifts(action.exponents) else np.zeros_like(centre)
    table, powers = substitute(action.exponents, np.eye(len(action.exponents)), np.diag(scale), shift)
    return table, (action.coefficients @ powers) / scale[:, None]


def _linear(action: PolynomialAction) -> NDArray | None:
    """Matrices of the generators where all of them are linear."""
    if action.degree > 1:
        return None
    matrices = matrices_of(action)
    d = action.point_dim
    size = np.abs(matrices).max(initial=0.0)
    if matrices.shape[1] > d and np.abs(matrices[:, :, d]).max(initial=0.0) > size * np.sqrt(np.finfo(float).eps):
        return None
    return matrices[:, :d, :d]


def _preserved(matrices: NDArray, noise: float) -> str:
    """The form that is preserved, where there is one on each block of coordinates that the generators mix."""
    tol = None if noise < np.sqrt(np.finfo(float).eps) else 4 * noise
    size = np.abs(matrices).max(axis=0)
    _, labels = connected_components(sparse.csr_array(size > size.max() * max(noise, 1e-12)), directed=False)
    blocks = [np.flatnonzero(labels == g) for g in range(labels.max() + 1)]
    moved = [b for b in blocks if size[np.ix_(b, b)].any()]
    forms = [preserved_forms(matrices[:, b[:, None], b], tol=tol) for b in moved]
    words = [form.describe() if form.signature is not None else "" for form in forms]
    if not all(words) or len(set(words)) > 1:
        return ""
    return words[0] if len(blocks) == 1 else f"{words[0]} on {_blocks(moved)}"


def _blocks(moved: list[NDArray]) -> str:
    if len(moved) == 1:
        return "coordinates " + ", ".join(str(j + 1) for j in moved[0])
    return f"each of {len(moved)} blocks of {len(moved[0])} coordinates"
