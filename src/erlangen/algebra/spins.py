"""Irreducible representations of so(3) and su(2) by spin, in real orthonormal bases.

Spin l has dimension 2l + 1 over the complex numbers. For an integer l it is real: R^(2l+1), with
the basis of real spherical harmonics m = -l .. l (for l = 1: y, z, x). For a half-integer l it is
quaternionic: the complex space is written as R^(2(2l+1)), and equivariant maps to itself form an
algebra of dimension 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import product

import numpy as np
import scipy.linalg
from scipy.spatial.transform import Rotation

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.algebra.atoms import AbstractAtom
from erlangen.algebra.group import Group
from erlangen.algebra.representation import Representation
from erlangen.linalg.qr import rounding

_LARGEST = 200  # images of spin l are dense matrices of size 2l + 1


@dataclass(frozen=True)
class Spin(AbstractAtom):
    """Spin l of a group whose identity component is SO(3) or SU(2).

    Parameters
    ----------
    spin : Fraction
        l, a multiple of 1/2.
    parity : int
        What the inversion -1 does where the group has it as an element of its own: 1 (even) or -1
        (odd); 0 for a connected group.
    home : Group
        The group, by matrices of size k.
    """

    spin: Fraction
    parity: int
    home: Group

    @property
    def size(self) -> int:
        return int(2 * self.spin + 1) * self.spin.denominator

    @property
    def text(self) -> str:
        return f"spin({self.spin})" + {0: "", 1: "e", -1: "o"}[self.parity]

    @property
    def dual(self) -> AbstractAtom:
        return self

    def lie(self, a: NDArray) -> NDArray:
        return np.tensordot(self._frame.coordinates(a), generators(self.spin), 1)

    def element(self, g: NDArray) -> NDArray:
        rotation, inverted = self._frame.rotation(g)
        image = scipy.linalg.expm(np.tensordot(rotation, generators(self.spin), 1))
        return -image if inverted and self.parity == -1 else image

    @cached_property
    def _frame(self) -> Frame:
        return frame_of(self.home)


@dataclass(frozen=True, eq=False)
class Frame:
    """Matrices ``j (3, k, k)`` with [J_x, J_y] = J_z and cyclic, that span a Lie algebra."""

    name: str
    j: NDArray

    def coordinates(self, a: NDArray) -> NDArray:
        """Coordinates ``(3,)`` of an element of the algebra."""
        flat = self.j.reshape(3, -1)
        c = np.linalg.lstsq(flat.T, a.ravel(), rcond=None)[0]
        if np.linalg.norm(c @ flat - a.ravel()) > self._tolerance * max(1.0, np.linalg.norm(a)):
            raise self._outside("a matrix outside the Lie algebra")
        return _snapped(c)

    def rotation(self, g: NDArray) -> tuple[NDArray, bool]:
        """Rotation vector ``(3,)`` of an element g = exp(v.J) or -exp(v.J), and whether it is the second."""
        inverse = np.linalg.inv(g)
        # Conjugation rotates the algebra; the angle is known from it up to a full turn, which
        # counts for half-integer spins: the element itself tells which.
        turned = np.stack([self.coordinates(g @ j @ inverse) for j in self.j], axis=1)
        vector = _rotation_vector(turned)
        angle = np.linalg.norm(vector)
        axis = vector / angle if angle else np.array([0.0, 0.0, 1.0])
        # -1 can itself be a full turn, as in SU(2): turns are tried before inversions.
        for sign, v in product((1, -1), (vector, vector + 2 * np.pi * axis)):
            element = scipy.linalg.expm(np.tensordot(v, self.j, 1))
            if np.linalg.norm(g - sign * element) <= self._tolerance * np.linalg.norm(g):
                return v, sign == -1
        raise self._outside("an element that is neither exp(A) nor -exp(A) with A in its Lie algebra")

    @property
    def _tolerance(self) -> float:
        return float(np.sqrt(rounding(self.j.shape)))

    def _outside(self, given: str) -> InputError:
        return InputError(
            explain(
                f"Spins represent the rotations of {self.name}, and its inversion.",
                given=given,
                expected=f"a matrix of {self.name}",
                fix="representation.group_matrix(group.sample(1)[0])",
            )
        )


def spin(group: Group, l: Fraction | float, parity: int = 0) -> Representation:
    """Return the irreducible representation of spin l, typed ``spin(2)`` or ``spin(1/2)``.

    Parameters
    ----------
    group : Group
        With the Lie algebra so(3) = su(2), such as SO(3), O(3), SU(2).
    l : Fraction or float
        0, 1/2, 1, ... Half-integer spins need a group in which a full turn is not the identity.
    parity : {0, 1, -1}
        For a group that contains -1 beside its rotations, as O(3) does: 1 is typed ``spin(1)e``
        (even, a pseudovector), -1 ``spin(1)o`` (odd, a vector).

    Returns
    -------
    Representation
        Of size 2 l + 1, or twice that in real numbers for half-integer l.

    Raises
    ------
    InputError
        If the Lie algebra is another one, or the group has no such spin.

    References
    ----------
    Biedenharn and Louck, Angular Momentum in Quantum Physics (1981), section 3.

    Examples
    --------
    >>> from erlangen.algebra import groups
    >>> print(spin(groups.SO(3), 2).size, spin(groups.SU(2), Fraction(1, 2)).size, spin(groups.O(3), 1, -1))
    5 4 spin(1)o
    """
    twice = 2 * Fraction(l)
    if twice.denominator != 1 or not 0 <= twice <= 2 * _LARGEST:
        raise _no_spin(group, f"spin({l})", f"a multiple of 1/2 from 0 to {_LARGEST}", "spin(3/2)")
    frame = frame_of(group)
    if twice % 2 and _full_turn_is_one(frame):
        raise _no_spin(group, f"spin({twice / 2})", "an integer: a full turn is the identity here", "spin(1)")
    inversion = any(frame.rotation(g)[1] for g in group.discrete)
    if bool(parity) != inversion:
        letters = "spin(1)e or spin(1)o: what the inversion does" if inversion else "spin(1): there is no inversion"
        raise _no_spin(group, f"spin({twice / 2})" + {0: "", 1: "e", -1: "o"}[parity], letters, letters[:8])
    return Representation(group, (((Spin(twice / 2, parity, group),), 1),))


def generators(l: Fraction) -> NDArray:
    """Antisymmetric images ``(3, s, s)`` of J_x, J_y, J_z in the real basis of spin l.

    Examples
    --------
    >>> generators(Fraction(1))[2].astype(int).tolist()  # J_z turns x into y, in the order y, z, x
    [[0, 0, 1], [0, 0, 0], [-1, 0, 0]]
    """
    return _generators(int(2 * l))


@lru_cache(maxsize=64)
def _generators(twice: int) -> NDArray:
    l, size = twice / 2, twice + 1
    m = np.arange(size) - l
    up = np.diag(np.sqrt((l - m[:-1]) * (l + m[:-1] + 1)), -1).astype(complex)
    j = np.stack([(up + up.T) / 2, (up - up.T) / 2j, np.diag(m)])
    if twice % 2:
        a = -1j * j
        out = np.block([[a.real, -a.imag], [a.imag, a.real]])
    else:
        change = _real_harmonics(twice // 2)
        out = (-1j * change @ j @ change.conj().T).real
    # The squares of all entries are multiples of 1/4: taking the root of the exact square makes
    # entries that are rational exact.
    out = np.copysign(np.sqrt(np.round(4 * out**2)) / 2, out) + 0.0
    out.setflags(write=False)
    return out


def _real_harmonics(l: int) -> NDArray:
    """Unitary change ``(2l+1, 2l+1)`` from the basis |m> to real harmonics, both in the order m = -l .. l."""
    out = np.zeros((2 * l + 1, 2 * l + 1), dtype=complex)
    out[l, l] = 1.0
    for m in range(1, l + 1):
        sign = (-1) ** m
        out[l + m, [l - m, l + m]] = np.array([1, sign]) / np.sqrt(2)
        out[l - m, [l - m, l + m]] = np.array([-1j, 1j * sign]) / np.sqrt(2)
    return out


def frame_of(group: Group) -> Frame:
    """Find J_x, J_y, J_z in the Lie algebra of a group, or say why it is not so(3).

    The basis is chosen so that the generators of SO(3), in their order, give the ordinary J.
    """
    # Half of the digits, so that generators that were typed or computed with few digits still close.
    closed = group.closure(float(np.sqrt(rounding((group.size**2, group.size)))))
    if closed.dim != 3:
        raise _not_rotations(group, f"a Lie algebra of dimension {closed.dim}")
    basis = group.lie_algebra if len(group.lie_algebra) == 3 else closed.basis
    flat = basis.reshape(3, -1)
    brackets = np.array([[a @ b - b @ a for b in basis] for a in basis])
    c = np.linalg.lstsq(flat.T, brackets.reshape(9, -1).T, rcond=None)[0].T.reshape(3, 3, 3)
    killing = np.einsum("iab,jba->ij", c, c)
    if np.linalg.eigvalsh(killing)[-1] > -rounding(c.shape) * np.abs(killing).max():
        raise _not_rotations(group, "a Lie algebra that is not compact and simple")
    # Unit vectors of -K/2 have structure constants +-epsilon.
    e = np.linalg.inv(np.linalg.cholesky(-killing / 2))
    orientation = np.sign(np.einsum("i,j,ijk,k->", e[0], e[1], c, -killing @ e[2]))
    e[2] *= orientation
    return Frame(group.name, _snapped(np.tensordot(np.stack([e[2], -e[1], e[0]]), basis, 1)))


def _rotation_vector(r: NDArray) -> NDArray:
    """Axis times angle in [0, pi] of a rotation ``(3, 3)``."""
    return Rotation.from_matrix(r).as_rotvec()


def _full_turn_is_one(frame: Frame) -> bool:
    turn = scipy.linalg.expm(2 * np.pi * frame.j[2])
    return bool(np.linalg.norm(turn - np.eye(len(turn))) < 1)


def _snapped(x: NDArray) -> NDArray:
    """Numbers that are multiples of 1/2 up to rounding, as such."""
    near = np.round(2 * x) / 2
    return np.where(np.abs(x - near) <= rounding(x.shape) * max(1.0, np.abs(x).max(initial=0.0)), near, x)


def _not_rotations(group: Group, given: str) -> InputError:
    return InputError(
        explain(
            "Spins belong to groups whose Lie algebra is so(3) = su(2).",
            given=f"{group.name}: {given}",
            expected="three generators of rotations",
            fix='rep("spin(2)", groups.SO(3)), rep("spin(1/2)", groups.SU(2))',
        )
    )


def _no_spin(group: Group, given: str, expected: str, fix: str) -> InputError:
    return InputError(explain(f"{group.name} has no such spin.", given=given, expected=expected, fix=fix))
