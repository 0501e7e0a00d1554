"""Representations given by matrices: the images of the generators, checked and extended to the group."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import scipy.linalg
from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.algebra._elements import enumerate_elements
from erlangen.algebra._extension import closed_pairs, half_of_the_digits, real_logarithm
from erlangen.algebra.atoms import AbstractAtom
from erlangen.algebra.group import Group, check_group, first_singular, real_stacks
from erlangen.algebra.permutation_groups import permutation_matrices
from erlangen.algebra.representation import Representation
from erlangen.algebra.representation_text import check_name
from erlangen.linalg.qr import rounding

_LISTED = 2_000  # finite groups up to this order are checked, and extended, element by element
_COMPONENTS = 200  # beside a Lie algebra, that many products of discrete elements are tried
_FACTORS = 6  # and, where they are more, products of each of this many


@dataclass(frozen=True, eq=False)
class Given(AbstractAtom):
    """An atom known by the images of the generators of its group.

    Parameters
    ----------
    name : str
        What it prints as.
    home : Group
        The group whose generators these are the images of.
    lie_given : ndarray (p, s, s)
        Images of its Lie algebra's generators.
    discrete_given : ndarray (m, s, s)
        Images of its discrete elements.
    """

    name: str
    home: Group
    lie_given: NDArray = field(repr=False)
    discrete_given: NDArray = field(repr=False)

    @property
    def size(self) -> int:
        return self.lie_given.shape[1]

    @property
    def text(self) -> str:
        return self.name

    def lie_images(self, group: Group) -> NDArray:
        return self.lie_given if group == self.home else super().lie_images(group)

    def discrete_images(self, group: Group) -> NDArray:
        return self.discrete_given if group == self.home else super().discrete_images(group)

    def lie(self, a: NDArray) -> NDArray:
        image = self._image_in_span(a)
        if image is None:
            raise self._unknown(f"a matrix {a.shape} outside the Lie algebra of {self.home.name}")
        return image

    def element(self, g: NDArray) -> NDArray:
        """Image of g = exp(A) d with A in the Lie algebra and d a product of discrete elements."""
        image = self._image_near(g)
        if image is None and len(self.lie_given):
            # Half turns have no principal logarithm: they are moved off by a known element.
            basis, images = self._pairs
            step = np.cos(np.arange(1, len(basis) + 1)) / len(basis)
            moved = self._image_near(g @ scipy.linalg.expm((step @ basis).reshape(g.shape)))
            back = scipy.linalg.expm(-(step @ images).reshape(self.size, self.size))
            image = None if moved is None else moved @ back
        if image is None:
            tried = f"d one of {len(self._representatives[0])} elements"
            raise self._unknown(f"a matrix {g.shape} not found as exp(A) d, {tried}")
        return image

    def _image_near(self, g: NDArray) -> NDArray | None:
        for element, image in zip(*self._representatives):
            if np.allclose(g, element, rtol=0, atol=half_of_the_digits(len(g))):
                return image
            root = real_logarithm(g @ np.linalg.inv(element)) if len(self.lie_given) else None
            image_of_root = None if root is None else self._image_in_span(root)
            if image_of_root is not None:
                return scipy.linalg.expm(image_of_root) @ image
        return None

    @cached_property
    def _pairs(self) -> tuple[NDArray, NDArray]:
        """The Lie algebra closed together with its image: orthonormal ``(r, k*k)``, and ``(r, s*s)``."""
        return closed_pairs(self.home, self.lie_given, self.discrete_given)[:2]

    @cached_property
    def _representatives(self) -> tuple[NDArray, NDArray]:
        """Products of the discrete elements, and their images."""
        most = _LISTED if self.home.is_finite else _COMPONENTS
        try:
            listed = enumerate_elements(self.home.discrete, most, self.home.name)
        except InputError:
            if self.home.is_finite:
                raise
        else:
            return listed.matrices, listed.images(self.discrete_given)
        # An infinite group of components: products of each discrete element at most once.
        elements, images = [np.eye(self.home.size)], [np.eye(self.size)]
        for g, r in zip(self.home.discrete[:_FACTORS], self.discrete_given):
            elements += [e @ g for e in elements]
            images += [e @ r for e in images]
        return np.stack(elements), np.stack(images)

    def _image_in_span(self, a: NDArray) -> NDArray | None:
        basis, images = self._pairs
        weights = basis @ a.ravel()
        if np.linalg.norm(a.ravel() - weights @ basis) > half_of_the_digits(len(a)) * max(1.0, np.linalg.norm(a)):
            return None
        return (weights @ images).reshape(self.size, self.size)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Given):
            return NotImplemented
        return self is other or (
            self.name == other.name
            and self.home == other.home
            and np.array_equal(self.lie_given, other.lie_given)
            and np.array_equal(self.discrete_given, other.discrete_given)
        )

    def __hash__(self) -> int:
        return hash((self.name, self.home, self.size))

    def _unknown(self, given: str) -> InputError:
        return InputError(
            explain(
                f"{self.name} is known by the images of the generators of {self.home.name} only.",
                given=given,
                expected=f"a matrix that follows from the generators of {self.home.name}",
                fix="representation.matrix(group.lie_algebra[0]), representation.group_matrix(group.discrete[0])",
            )
        )


def rep_from_matrices(
    group: Group,
    lie: ArrayLike | None = None,
    discrete: ArrayLike | None = None,
    *,
    name: str = "W",
    tolerance: float | None = None,
) -> Representation:
    """Build a representation from the images of a group's generators.

    Complex images of size s are written as real ones of size 2s, ``[[Re, -Im], [Im, Re]]``, as `from_matrices` does.

    Parameters
    ----------
    group : Group
        With p generators of the Lie algebra and m discrete elements.
    lie : array_like (p, s, s), optional
        Images of ``group.lie_algebra``; default: zero.
    discrete : array_like (m, s, s), optional
        Images of ``group.discrete``; default: the identity.
    name : str
        What the representation prints as, a name as in Python. To read it back:
        ``rep("2W + V", group, names={"W": W})``.
    tolerance : float, optional
        How far the images may be from a homomorphism, relative to their size. Default: half of the
        digits of float64.

    Returns
    -------
    Representation
        Of size s (2 s where images are complex).

    Raises
    ------
    InputError
        If the numbers or sizes of the matrices do not fit, a matrix is not finite, the image of a
        discrete element is singular, or the map is not a homomorphism: brackets that agree must
        have images that agree, conjugation by discrete elements must commute with the map, and
        equal products of the generators of a finite group (up to order 2,000) must have equal
        images. Not checked are relations between discrete elements of larger groups, and whether the
        images of a Lie algebra come from the group rather than from a covering: half-integer spins
        pass for SO(3), with two-valued `group_matrix`.

    Examples
    --------
    >>> from erlangen.algebra import groups
    >>> sign = rep_from_matrices(groups.S(3), discrete=[[[-1.0]], [[1.0]]], name="sign")
    >>> print(sign * sign, sign.size)
    sign**2 1
    """
    check_name(name)
    check_group(group, "A representation")
    images = _checked_images(group, *real_stacks(("lie", lie), ("discrete", discrete)))
    allowed = float(np.sqrt(rounding(images[0].shape[1:]))) if tolerance is None else tolerance
    _check_homomorphism(group, *images, allowed)
    return Representation(group, (((Given(name, group, *images),), 1),))


def rep_from_permutations(group: Group, permutations: ArrayLike, *, name: str = "P") -> Representation:
    """Build a permutation representation: one permutation of s points for each discrete element of a group.

    Parameters
    ----------
    group : Group
        A group without a Lie algebra, with m discrete elements.
    permutations : array_like (m, s) of int
        Row g sends point i to ``permutations[g, i]``.
    name : str
        What the representation prints as.

    Returns
    -------
    Representation
        Of size s.

    Raises
    ------
    InputError
        When a row is no permutation, the group has a Lie algebra, or the map is not a homomorphism.

    Examples
    --------
    >>> from erlangen.algebra import groups
    >>> print(rep_from_permutations(groups.Cube(), groups.CubeFaces().permutations, name="faces").size)
    6
    """
    return rep_from_matrices(group, discrete=permutation_matrices(permutations), name=name)


def _checked_images(group: Group, lie: NDArray | None, discrete: NDArray | None) -> tuple[NDArray, NDArray]:
    known = lie if lie is not None else discrete
    if known is None:
        raise _refused(group, "no matrices at all", "images of the generators")
    size = known.shape[-1]
    lie = np.zeros((len(group.lie_algebra), size, size)) if lie is None else lie
    discrete = np.tile(np.eye(size), (len(group.discrete), 1, 1)) if discrete is None else discrete
    for what, images, count in (("lie", lie, len(group.lie_algebra)), ("discrete", discrete, len(group.discrete))):
        if images.shape != (count, size, size) or not size:
            raise _refused(group, f"{what} of shape {images.shape}", f"shape ({count}, {size}, {size})")
        if not np.isfinite(images).all():
            raise _refused(group, f"{int((~np.isfinite(images)).sum())} entries NaN or infinite in {what}", "numbers")
        images.setflags(write=False)
    singular = first_singular(discrete)
    if singular is not None:
        raise _refused(group, f"a singular matrix, discrete[{singular}]", "invertible images of group elements")
    return lie, discrete


def _check_homomorphism(group: Group, lie: NDArray, discrete: NDArray, tolerance: float) -> None:
    scale = max(1.0, float(np.abs(lie).max(initial=0.0)))
    defect = closed_pairs(group, lie, discrete)[2]
    if defect > tolerance * scale:
        given = f"images whose brackets or conjugates are off by {defect:.2g}"
        raise _refused(group, given, f"a homomorphism, to {tolerance * scale:.2g}")
    if not group.is_finite or not len(group.discrete):
        return
    try:
        listed = enumerate_elements(group.discrete, _LISTED, group.name)
    except InputError:
        return  # an infinite or large group: its relations are not known
    images = listed.images(discrete)
    for g, r in zip(group.discrete, discrete):
        for i, h in enumerate(listed.matrices):
            place = listed.index(g @ h)
            defect = np.inf if place is None else np.abs(images[place] - r @ images[i]).max()
            if defect > tolerance * max(1.0, np.abs(images).max()):
                given = f"two products of generators that are equal, with images {defect:.2g} apart"
                raise _refused(group, given, "a homomorphism")


def _refused(group: Group, given: str, expected: str) -> InputError:
    return InputError(
        explain(
            f"A representation of {group.name} cannot be built from these matrices.",
            given=given,
            expected=expected,
            fix="rep_from_matrices(groups.SO(3), lie=-groups.SO(3).lie_algebra.transpose(0, 2, 1))",
        )
    )
