"""The catalogue of matrix groups: rotations, pseudo-rotations, linear, unitary, symplectic and Euclidean groups.

Sizes are matrix sizes where books disagree: ``Sp(4)`` acts on R^4. A complex matrix X is
written as ``[[Re X, -Im X], [Im X, Re X]]``, so that U(n) and SU(n) act on R^(2n). The product
``G * H`` acts on the direct sum of the two spaces, so that its elements are the pairs (g, h).

For an indefinite form three groups share one Lie algebra. ``O(p, q)`` are all matrices that
preserve it, in four components; ``SO(p, q)`` those of determinant 1, in two; ``SO0(p, q)`` the
component of the identity: for (1, 3) the proper orthochronous Lorentz group.
"""

from __future__ import annotations

import numpy as np

from erlangen._typing import NDArray
from erlangen.algebra import catalogue
from erlangen.algebra._arguments import check_room, whole
from erlangen.algebra.catalogue import MatrixGenerators
from erlangen.algebra.group import Group, from_matrices
from erlangen.algebra.permutation_groups import (
    C,
    Cube,
    CubeFaces,
    D,
    RotoTranslations,
    RubiksCube,
    S,
    Z,
    from_permutations,
    wreath,
)

__all__ = [
    "C",
    "Cube",
    "CubeFaces",
    "D",
    "E",
    "GL",
    "Group",
    "O",
    "RotoTranslations",
    "RubiksCube",
    "S",
    "SE",
    "SL",
    "SO",
    "SO0",
    "SU",
    "Scaling",
    "Sp",
    "U",
    "Z",
    "from_matrices",
    "from_permutations",
    "trivial",
    "wreath",
]


def trivial(k: int) -> Group:
    """Return the group of the identity alone on R^k.

    Parameters
    ----------
    k : int
        Matrix size.

    Returns
    -------
    Group
        The group, without generators.
    """
    return _group(f"trivial({whole('trivial', k, 1)})", np.zeros((0, k, k)))


def SO(p: int, q: int = 0) -> Group:
    """Matrices of determinant 1 that preserve diag(1 (p times), -1 (q times)).

    For p, q > 0 it has two components: its one discrete element reverses the first axis of either
    sign (for (1, 3): time and one axis of space). `SO0` is the component of the identity.

    Parameters
    ----------
    p, q : int
        Numbers of positive and of negative squares.

    Returns
    -------
    Group
        The group, by generators and discrete elements.
    """
    generators = catalogue.so(p, q)
    both = _reflections(p, q, [(0, p)]) if p and q else None
    return _group(_signed("SO", p, q), generators, both)


def SO0(p: int, q: int) -> Group:
    """Identity component of SO(p, q): for (1, 3) the proper orthochronous Lorentz group.

    Parameters
    ----------
    p, q : int
        Numbers of positive and of negative squares.

    Returns
    -------
    Group
        The group, by generators and discrete elements.
    """
    return _group(_signed("SO0", p, q), catalogue.so(p, q))


def O(p: int, q: int = 0) -> Group:  # noqa: E743
    """All matrices that preserve diag(1 (p times), -1 (q times)), reflections included.

    Its discrete elements reverse the first axis of each sign: for (1, 3) time, and one axis of
    space. With the rotations and boosts they reach all four components.

    Parameters
    ----------
    p, q : int
        Numbers of positive and of negative squares.

    Returns
    -------
    Group
        The group, by generators and discrete elements.
    """
    generators = catalogue.so(p, q)
    return _group(_signed("O", p, q), generators, _reflections(p, q, [(i,) for i, n in ((0, p), (p, q)) if n]))


def U(p: int, q: int = 0) -> Group:
    """Complex matrices that preserve the Hermitian form diag(1 (p times), -1 (q times)), on R^(2p+2q).

    Parameters
    ----------
    p, q : int
        Numbers of positive and of negative squares.

    Returns
    -------
    Group
        The group, by generators and discrete elements.
    """
    return _group(_signed("U", p, q), catalogue.u(p, q))


def SU(p: int, q: int = 0) -> Group:
    """Return the subgroup of U(p, q) of complex determinant 1, on R^(2p+2q).

    Parameters
    ----------
    p, q : int
        Numbers of positive and of negative squares.

    Returns
    -------
    Group
        The group, by generators and discrete elements.
    """
    return _group(_signed("SU", p, q), catalogue.su(p, q))


def SL(n: int) -> Group:
    """All n x n matrices of determinant 1.

    Parameters
    ----------
    n : int
        Number of coordinates, at least 1.

    Returns
    -------
    Group
        The group, by generators and discrete elements.
    """
    return _group(f"SL({n})", catalogue.sl(n))


def GL(n: int) -> Group:
    """All invertible n x n matrices: two components, told apart by the sign of the determinant.

    Parameters
    ----------
    n : int
        Number of coordinates, at least 1.

    Returns
    -------
    Group
        The group, by generators and discrete elements.
    """
    return _group(f"GL({n})", catalogue.gl(n), _reflections(n, 0, [(0,)]))


def Sp(size: int) -> Group:
    """Real matrices of the stated size that preserve J = [[0, 1], [-1, 0]].

    Parameters
    ----------
    size : int
        Matrix size, even.

    Returns
    -------
    Group
        The group, by generators.
    """
    return _group(f"Sp({size})", catalogue.sp(size))


def Scaling(n: int) -> Group:
    """Multiples of the identity by positive numbers.

    Parameters
    ----------
    n : int
        Number of coordinates, at least 1.

    Returns
    -------
    Group
        The group, by generators and discrete elements.
    """
    check_room(f"Scaling({n})", 1, whole("Scaling", n, 1))
    return _group(f"Scaling({n})", np.eye(n)[None])


def SE(n: int) -> Group:
    """Rotations and translations of R^n, as matrices of size n + 1.

    Parameters
    ----------
    n : int
        Number of coordinates, at least 1.

    Returns
    -------
    Group
        The group, by generators and discrete elements.
    """
    return _group(f"SE({n})", catalogue.e(n))


def E(n: int) -> Group:
    """Rotations, reflections and translations of R^n, as matrices of size n + 1.

    Parameters
    ----------
    n : int
        Number of coordinates, at least 1.

    Returns
    -------
    Group
        The group, by generators and discrete elements.
    """
    return _group(f"E({n})", catalogue.e(n), _reflections(n + 1, 0, [(0,)]))


def _group(name: str, generators: MatrixGenerators | NDArray, discrete: NDArray | None = None) -> Group:
    matrices = generators.matrices if isinstance(generators, MatrixGenerators) else generators
    return Group(name, matrices, np.zeros((0, *matrices.shape[1:])) if discrete is None else discrete)


def _signed(name: str, p: int, q: int) -> str:
    return f"{name}({p},{q})" if q else f"{name}({p})"


def _reflections(p: int, q: int, axes: list[tuple[int, ...]]) -> NDArray:
    out = np.tile(np.eye(p + q), (len(axes), 1, 1))
    for m, which in enumerate(axes):
        out[m, which, which] = -1.0
    return out
