"""How a matrix algebra acts: commutant, irreducible blocks, fixed points, trace ratio.

The commutant {X : A_i X = X A_i} of a completely reducible action is a sum of matrix algebras
over R, C or H, one for each kind of irreducible block. Which ones is read off the signature of
its trace form tr(XY): M_n(R) gives (n(n+1)/2, n(n-1)/2), M_n(C) gives (n^2, n^2) and M_n(H)
gives (n(2n-1), n(2n+1)).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.algebra._intertwiners import as_generators, default_tolerance, intertwiners

_DIVISION = {(1, 0): "real", (1, 1): "complex", (1, 3): "quaternionic"}
_DRAWS = 24  # a random element of M_2(R) splits it with probability above .7, of M_3(R) above .3


@dataclass(frozen=True)
class Commutant:
    """The matrices that commute with every generator.

    Parameters
    ----------
    basis : ndarray (m, k, k)
        Orthonormal in the Frobenius product.
    signature : tuple of int
        Positive and negative eigenvalues of the trace form tr(XY).
    kind : str
        ``real``, ``complex`` or ``quaternionic`` where it is R, C or H, as it is for every
        irreducible action; ``mixed`` for several blocks; ``not semisimple`` where the trace form
        is degenerate (the action is then not completely reducible).
    """

    basis: NDArray
    signature: tuple[int, int]
    kind: str

    def __len__(self) -> int:
        return len(self.basis)

    def describe(self) -> str:
        """Say in words what the commutant means."""
        if self.kind == "not semisimple":
            return f"commutant of dimension {len(self)}, not semisimple: the action is not completely reducible"
        if self.kind == "mixed":
            return f"commutant of dimension {len(self)}: several blocks"
        return f"commutant of {self.kind} type"


@dataclass(frozen=True)
class Blocks:
    """A splitting of R^k into invariant subspaces that split no further.

    Parameters
    ----------
    bases : tuple of ndarray (k, s_i)
        Orthonormal columns of each block, smallest block first.
    kinds : tuple of str
        ``real``, ``complex`` or ``quaternionic`` for irreducible blocks, ``indecomposable``
        for a block that may hold invariant subspaces without an invariant complement.
    classes : tuple of int
        Blocks with the same number carry equivalent actions.
    """

    bases: tuple[NDArray, ...]
    kinds: tuple[str, ...]
    classes: tuple[int, ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        """The sizes s_i."""
        return tuple(basis.shape[1] for basis in self.bases)

    def describe(self) -> str:
        """Sizes and types, such as ``1 + 3``, ``2 x 3`` (equivalent blocks) or ``4 quaternionic``."""
        parts = []
        for label, copies in Counter(self.classes).items():
            first = self.classes.index(label)
            kind = "" if self.kinds[first] == "real" else f" {self.kinds[first]}"
            parts.append((f"{copies} x " if copies > 1 else "") + f"{self.sizes[first]}{kind}")
        return " + ".join(parts)


@dataclass(frozen=True)
class FixedPoint:
    """The point that affine fields A_i x + b_i leave in place, as far as there is one.

    Parameters
    ----------
    point : ndarray (d,)
        The least-squares solution of A_i x = -b_i of least norm.
    residual : float
        Root-mean-square of abs(A_i x + b_i) for fields of unit norm.
    found : bool
        Whether the residual is within the stated noise.
    """

    point: NDArray
    residual: float
    found: bool


def commutant(matrices: NDArray, tol: float | None = None) -> Commutant:
    """Find all matrices that commute with the generators.

    Parameters
    ----------
    matrices : ndarray (p, k, k)
        Generators; each is scaled to Frobenius norm 1.
    tol : float, optional
        Root-mean-square norm of the commutator with a unit matrix up to which it commutes;
        about three times the noise of a unit generator.

    Returns
    -------
    Commutant
        A basis of the matrices, and the spectrum behind it.

    References
    ----------
    K. Murota, Y. Kanno, M. Kojima and S. Kojima, Japan J. Indust. Appl. Math. 27 (2010) 125.

    Examples
    --------
    >>> from erlangen.algebra import catalogue
    >>> commutant(catalogue.su(2).matrices).describe()
    'commutant of quaternionic type'
    """
    a = as_generators(matrices)
    tol = default_tolerance(a.shape[1]) if tol is None else float(tol)
    basis = intertwiners(a, a, tol).basis
    e = np.linalg.eigvalsh(np.einsum("aij,bji->ab", basis, basis))
    # A unit X and Y have abs(tr XY) <= 1, of order 1 where the action is completely reducible.
    zero = min(10 * tol, 0.1)
    signature = int(np.sum(e > zero)), int(np.sum(e < -zero))
    kind = "not semisimple" if sum(signature) < len(basis) else _DIVISION.get(signature, "mixed")
    return Commutant(basis, signature, kind)


def irreducible_blocks(matrices: NDArray, tol: float | None = None, rng: int | np.random.Generator = 0) -> Blocks:
    """Split R^k into invariant subspaces that split no further.

    The eigenspaces of an element of the commutant are invariant (those of a complex pair taken
    together); random elements are drawn until none of them splits a block.

    Parameters
    ----------
    matrices : ndarray (p, k, k)
        Generators.
    tol : float, optional
        As for `commutant`.
    rng : int or numpy Generator
        Source of the random elements.

    Returns
    -------
    Blocks
        Orthonormal bases of the subspaces.

    References
    ----------
    K. Murota, Y. Kanno, M. Kojima and S. Kojima, Japan J. Indust. Appl. Math. 27 (2010) 125 (random elements of the
    commutant).

    Examples
    --------
    >>> from scipy.linalg import block_diag
    >>> turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    >>> irreducible_blocks(block_diag(turn, 2 * turn)[None]).sizes
    (2, 2)
    """
    a = as_generators(matrices)
    tol = default_tolerance(a.shape[1]) if tol is None else float(tol)
    found = _split(a, np.eye(a.shape[1]), tol, np.random.default_rng(rng))
    found.sort(key=lambda block: (block[0].shape[1], block[1]))
    bases = tuple(basis for basis, _ in found)
    return Blocks(bases, tuple(kind for _, kind in found), _classes(a, bases, tol))


def invariant_flag(matrices: NDArray, tol: float | None = None) -> tuple[NDArray, NDArray]:
    """Common null space and sum of images, the invariant subspaces of any action.

    Where the action is not completely reducible (affine, Galilei), the commutant does not show
    them. Returned as orthonormal columns ``(k, a)`` and ``(k, b)``.

    Parameters
    ----------
    matrices : ndarray (p, k, k)
        Generators.
    tol : float, optional
        As for `commutant`.

    Returns
    -------
    tuple of ndarray (k, a), (k, b)
        Null space and sum of images, as orthonormal columns.
    tuple of ndarray (k, a), (k, b)
        Null space of dimension a and sum of images of dimension b, as orthonormal columns.

    Examples
    --------
    >>> shear = np.array([[[0.0, 1.0], [0.0, 0.0]]])
    >>> null, image = invariant_flag(shear)
    >>> null.shape, image.shape
    ((2, 1), (2, 1))
    """
    a = as_generators(matrices)
    tol = default_tolerance(a.shape[1]) if tol is None else float(tol)
    p, k = a.shape[:2]
    scale = tol * np.sqrt(max(p, 1))
    _, s, vt = np.linalg.svd(a.reshape(p * k, k))
    null = vt[int(np.sum(s > scale)) :].T
    u, s, _ = np.linalg.svd(a.transpose(1, 0, 2).reshape(k, p * k), full_matrices=False)
    return null, u[:, s > scale]


def fixed_point(linear: NDArray, shift: NDArray, noise: float | None = None) -> FixedPoint:
    """Find the common fixed point of affine fields A_i x + b_i.

    Parameters
    ----------
    linear : ndarray (p, d, d)
        The linear parts.
    shift : ndarray (p, d)
        The constant parts.
    noise : float, optional
        Norm of the error of a field of unit norm. Directions in which all linear parts are
        within it are not solved for, and the point counts as found up to five times it.

    Returns
    -------
    FixedPoint
        The point, how far it is from fixed, and whether it counts as found.

    Raises
    ------
    InputError
        When linear and constant parts do not fit together.

    Examples
    --------
    >>> turn = np.array([[[0.0, -1.0], [1.0, 0.0]]])
    >>> fixed_point(turn, np.array([[2.0, -1.0]])).point.round(12).tolist()
    [1.0, 2.0]
    """
    linear, shift = np.asarray(linear, dtype=np.float64), np.asarray(shift, dtype=np.float64)
    if linear.ndim != 3 or linear.shape[1] != linear.shape[2] or shift.shape != linear.shape[:2]:
        raise InputError(
            explain(
                "Linear and constant parts do not fit together.",
                given=f"linear {linear.shape}, shift {shift.shape}",
                expected="linear (p, d, d), shift (p, d)",
                fix="fixed_point(fields[:, :d, :d], fields[:, :d, d])",
            )
        )
    p, d = shift.shape
    noise = default_tolerance(d) if noise is None else float(noise)
    norms = np.sqrt(np.sum(linear**2, axis=(1, 2)) + np.sum(shift**2, axis=1))
    norms[norms == 0] = 1.0
    a, b = linear / norms[:, None, None], shift / norms[:, None]
    u, s, vt = np.linalg.svd(a.reshape(p * d, d), full_matrices=False)
    firm = s > 3 * noise * np.sqrt(p)
    point = -vt[firm].T @ ((u[:, firm].T @ b.ravel()) / s[firm])
    residual = float(np.sqrt(np.sum((a @ point + b) ** 2) / max(p, 1)))
    return FixedPoint(point, residual, residual <= 5 * noise * np.sqrt(1 + point @ point))


def trace_ratio(matrices: NDArray, killing: NDArray, tol: float | None = None) -> float | None:
    """Return r where tr(A_i A_j) = r K_ij, or None where the two forms are not proportional.

    On a simple algebra they always are, and r tells actions apart: so(3) of spin l gives
    l (l+1) (2l+1) / 6.

    Parameters
    ----------
    matrices : ndarray (p, k, k)
        Generators.
    killing : ndarray (p, p)
        Killing form in the same basis.
    tol : float, optional
        Noise of a unit generator.

    Returns
    -------
    float or None
        The ratio r; None where there is none.

    References
    ----------
    E. B. Dynkin, Semisimple subalgebras of semisimple Lie algebras, AMS Translations 6 (1957) 111 (the index of a
    representation).

    Examples
    --------
    >>> from erlangen.algebra import LieAlgebra, catalogue
    >>> so3 = catalogue.so(3).matrices
    >>> round(trace_ratio(so3, LieAlgebra.from_matrices(so3).killing_form), 12)
    1.0
    """
    matrices = np.asarray(matrices, dtype=np.float64)
    tol = default_tolerance(matrices.shape[1]) if tol is None else float(tol)
    trace = np.einsum("aij,bji->ab", matrices, matrices)
    size, length = np.linalg.norm(trace), np.linalg.norm(killing)
    if length <= tol * max(1.0, size) or size <= tol:
        return None
    ratio = float(np.sum(trace * killing) / length**2)
    # Both forms are quadratic in the generators: each moves by about 2 noise, and so 10 is generous.
    return ratio if np.linalg.norm(trace - ratio * killing) <= 10 * tol * size else None


def _split(a: NDArray, basis: NDArray, tol: float, rng: np.random.Generator) -> list[tuple[NDArray, str]]:
    """Blocks of the action restricted to the orthonormal columns of a basis ``(k, s)``."""
    restricted = basis.T @ a @ basis
    # The norm of the restriction differs from 1: an absolute tolerance needs unit generators again.
    scale = np.sqrt(np.mean(np.sum(restricted**2, axis=(1, 2))))
    if scale <= tol:
        return [(basis[:, [j]], "real") for j in range(basis.shape[1])]
    here = commutant(restricted / scale, tol)
    if here.kind in _DIVISION.values():
        return [(basis, here.kind if _is_irreducible(restricted / scale, tol, rng) else "indecomposable")]
    parts = _eigenspaces(here.basis, rng)
    if len(parts) < 2:
        return [(basis, "indecomposable")]
    return [block for part in parts for block in _split(a, basis @ part, tol, rng)]


def _is_irreducible(a: NDArray, tol: float, rng: np.random.Generator) -> bool:
    """Decide irreducibility of an action whose commutant is R, C or H.

    Norton's criterion: for an element x of the associative algebra that the generators span, an
    eigenvector of x and one of its transpose, at an eigenvalue that is simple up to the commutant,
    must each generate the whole space. (A trivial commutant alone proves nothing: e(2) has one.)
    """
    one, two, three = np.tensordot(rng.standard_normal((3, len(a))), a, 1)
    x = one + two @ three / max(np.linalg.norm(three), tol)
    for side, generators in ((x, a), (x.T, a.transpose(0, 2, 1))):
        values, vectors = (np.asarray(out, dtype=np.complex128) for out in np.linalg.eig(side))
        # The same eigenvalue on both sides: the largest one, the upper one of a complex pair.
        v = vectors[:, np.lexsort([-values.imag, -np.round(np.abs(values), 8)])[0]]
        if _generated(generators, _real_span(v[:, None]), tol) < a.shape[1]:
            return False
    return True


def _generated(a: NDArray, start: NDArray, tol: float) -> int:
    """Dimension of the smallest invariant subspace that holds the columns of an orthonormal start."""
    w, k = start, a.shape[1]
    while w.shape[1] < k:
        images = (a @ w).transpose(1, 0, 2).reshape(k, -1)
        images -= w @ (w.T @ images)
        u, s, _ = np.linalg.svd(images, full_matrices=False)
        # Noise of norm tol in each generator, and its few times larger effect on the start.
        fresh = s > tol * (10 + 3 * np.sqrt(images.shape[1]) / k)
        if not fresh.any():
            break
        w = np.linalg.qr(np.hstack([w, u[:, fresh]]))[0]
    return w.shape[1]


def _eigenspaces(basis: NDArray, rng: np.random.Generator) -> list[NDArray]:
    """Eigenspaces of the random commutant element that splits the space most clearly."""
    best: tuple[float, list[NDArray]] = (0.0, [])
    for _ in range(_DRAWS):
        x = np.tensordot(rng.standard_normal(len(basis)), basis, 1)
        values, vectors = (np.asarray(out, dtype=np.complex128) for out in np.linalg.eig(x / np.linalg.norm(x)))
        values = values.real + 1j * np.abs(values.imag)
        groups, gap = _two_clusters(values)
        if gap > best[0]:
            best = (gap, [_real_span(vectors[:, group])[:, : len(group)] for group in groups])
    # Eigenvalues of one irreducible block coincide up to rounding or noise, which clusters of
    # one block would exceed only by chance: a clear gap is a tenth of the element's norm.
    return best[1] if best[0] > 0.1 / np.sqrt(basis.shape[1]) else []


def _two_clusters(values: NDArray) -> tuple[list[NDArray], float]:
    """Cut the eigenvalues in two at the longest edge of their minimum spanning tree."""
    distance = np.abs(values[:, None] - values[None, :])
    inside, edges = [0], []
    while len(inside) < len(values):
        outside = np.setdiff1d(np.arange(len(values)), inside)
        block = distance[inside][:, outside]
        i, j = np.unravel_index(np.argmin(block), block.shape)
        edges.append((float(block[i, j]), len(inside)))
        inside.append(int(outside[j]))
    gap, cut = max(edges, default=(0.0, 1))
    return [np.array(inside[:cut]), np.array(inside[cut:])], gap


def _real_span(vectors: NDArray) -> NDArray:
    u, s, _ = np.linalg.svd(np.hstack([np.real(vectors), np.imag(vectors)]), full_matrices=False)
    return u if vectors.shape[1] > 1 else u[:, s > np.sqrt(np.finfo(np.float64).eps) * s[0]]


def _classes(a: NDArray, bases: tuple[NDArray, ...], tol: float) -> tuple[int, ...]:
    """Number the blocks so that equivalent ones share a number."""
    labels: list[int] = []
    for i, basis in enumerate(bases):
        mine = basis.T @ a @ basis
        same = [
            labels[j]
            for j in range(i)
            if bases[j].shape == basis.shape and len(intertwiners(mine, bases[j].T @ a @ bases[j], tol).basis)
        ]
        labels.append(same[0] if same else max(labels, default=-1) + 1)
    return tuple(labels)
