"""What a regressor chooses from: functions, how its outputs transform, and the equivariant coefficients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from erlangen._errors import InputError, explain
from erlangen._render import polynomial_text
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction
from erlangen.algebra import Group, Representation, rep
from erlangen.algebra.representation import LinearMaps
from erlangen.fields import AbstractLinearField, PolynomialField
from erlangen.fields.bases import AbstractBasis, BasisField, Joined, Monomials
from erlangen.fields.libraries import AbstractLibrary
from erlangen.fields.wrappers import KINDS
from erlangen.linalg.polynomials import exponents
from erlangen.verbs import Symmetry


@dataclass(frozen=True, eq=False)
class Functions:
    """The q scalar functions that are combined.

    Attributes
    ----------
    basis : AbstractBasis
        The functions with exact gradients.
    texts : tuple of str
        How each is printed; empty for the constant.
    """

    basis: AbstractBasis
    texts: tuple[str, ...]

    def field(self, channels: int, kind: str) -> AbstractLinearField:
        """The combinations with several channels, all coefficients zero."""
        zero = np.zeros((channels, self.basis.size))
        if isinstance(self.basis, Monomials):
            return PolynomialField(self.basis.table, zero, kind)
        return BasisField(self.basis, zero, kind)

    def constant(self, x: NDArray) -> NDArray:
        """Whether each function is a constant ``(q,)``: its gradient is exactly zero at points ``x (n, d)``."""
        return np.logical_not(np.any(self.basis.gradients(x), axis=(0, 2)))


def functions_of(degree: int, library: AbstractLibrary | AbstractBasis | None, names: Sequence[str]) -> Functions:
    """The functions of d named coordinates: monomials up to a degree, or a library with the constant."""
    if library is None:
        if isinstance(degree, bool) or not isinstance(degree, (int, np.integer)) or degree < 0:
            raise InputError(
                explain(
                    "The degree of the polynomials must be a whole number.",
                    given=f"degree={degree!r}",
                    expected="0, 1, 2, ...",
                    fix="EquivariantRegressor(action, degree=2)",
                )
            )
        table = exponents(len(names), int(degree))
        return Functions(Monomials(table), tuple(_monomial(row, names) for row in table))
    if isinstance(library, AbstractLibrary):
        bound = library.bind(names)
        one = Monomials(np.zeros((1, len(names)), dtype=np.int64))
        return Functions(Joined((one, bound.basis)), ("", *bound.texts))
    if not isinstance(library, AbstractBasis) or library.point_dim != len(names):
        is_basis = isinstance(library, AbstractBasis)
        raise InputError(
            explain(
                "The library does not fit the columns.",
                given=f"a basis on R^{library.point_dim}"
                if is_basis
                else f"an object of type {type(library).__name__}",
                expected=f"a library, or a basis of functions on R^{len(names)}",
                fix='library=er.fields.Expressions("cos(x)", "sin(x)")',
            )
        )
    columns = ", ".join(names)
    return Functions(library, tuple(f"phi{j + 1}({columns})" for j in range(library.size)))


def _monomial(row: NDArray, names: Sequence[str]) -> str:
    return polynomial_text([row], [1], names) if row.any() else ""


@dataclass(frozen=True, eq=False)
class Transformation:
    """How inputs and outputs transform.

    Attributes
    ----------
    acting : AbstractAction, Symmetry, Group, LinearMaps or None
        What acts, as ``enforce`` takes it; None where nothing does.
    kind : str
        How values follow points where nothing else says it: ``"invariant"``, ``"vector"`` or ``"map"``.
    invariant : bool
        Whether the outputs stay as they are: each is then fitted on its own.
    """

    acting: AbstractAction | Symmetry | Group | LinearMaps | None
    kind: str
    invariant: bool


def transformation(action: Any, rep_in: Any, rep_out: Any, kind: str | None, d: int, c: int) -> Transformation:
    """Read what the caller says about d inputs and c outputs.

    Raises
    ------
    InputError
        Where sizes do not fit, or it is not said whether as many outputs as inputs are scalars or a vector.
    """
    if isinstance(action, Group) and rep_in is None and _moves_affinely(action, d):
        return _of_affine_group(action, rep_out, kind, d, c)
    if isinstance(action, Group):
        _refuse(kind is not None, f"kind={kind!r} with a group", "rep_out", 'rep_out="V"')
        return _of_group(action, rep_in, rep_out, d, c)
    given = ", ".join(f"{k}={v!r}" for k, v in (("rep_in", rep_in), ("rep_out", rep_out)) if v is not None)
    _refuse(bool(given), f"{given} without a group", "representations of a Group", "action=symmetry.group")
    if action is None:
        _refuse(kind is not None, f"kind={kind!r} without an action", "an action", "action=er.actions.rotation(3)")
        return Transformation(None, "invariant", True)
    if isinstance(action, Symmetry):
        return _of_action(action, action.candidates, action.kind if kind is None else kind, d, c)
    if isinstance(action, AbstractAction):
        return _of_action(action, action, kind, d, c)
    _refuse(
        True,
        f"an object of type {type(action).__name__}",
        "an action, a Symmetry or a Group",
        "action=er.actions.rotation(3)",
    )
    raise AssertionError


def _refuse(condition: bool, given: str, expected: str, fix: str) -> None:
    if condition:
        raise InputError(explain("It is not clear how the data transform.", given=given, expected=expected, fix=fix))


def _of_action(
    acting: AbstractAction | Symmetry, action: AbstractAction, kind: str | None, d: int, c: int
) -> Transformation:
    moved = action.value_dim
    _refuse(
        action.point_dim != d,
        f"an action on R^{action.point_dim}, {d} columns",
        f"an action on R^{d}",
        f"X[:, :{action.point_dim}]",
    )
    kind = _kind(kind, d, c, said=moved is not None)
    _refuse(moved not in (None, c), f"{c} outputs, an action on {moved}", f"{moved} outputs", f"y[:, :{moved}]")
    return Transformation(acting, kind, moved is None and kind == "invariant")


def _kind(kind: str | None, d: int, c: int, *, said: bool = False) -> str:
    """How c outputs follow d inputs: as it was asked for, else invariant, unless they might as well be a vector."""
    unsaid = kind is None and not said and c == d
    _refuse(unsaid, f"{c} outputs over R^{d}", f"one of kind={', '.join(KINDS)}", 'kind="vector"')
    kind = kind or "invariant"
    _refuse(kind not in KINDS, f"kind={kind!r}", f"one of {', '.join(KINDS)}", 'kind="invariant"')
    _refuse(kind != "invariant" and c != d, f"{c} outputs over R^{d}, kind={kind!r}", f"{d} outputs", f"y[:, :{d}]")
    return kind


def _moves_affinely(group: Group, d: int) -> bool:
    """Whether matrices of size d + 1 move the points of R^d, as for SE(d)."""
    last = np.eye(d + 1)[-1]
    return group.size == d + 1 and not np.any(group.lie_algebra[:, -1]) and bool(np.all(group.discrete[:, -1] == last))


def _of_affine_group(group: Group, rep_out: Any, kind: str | None, d: int, c: int) -> Transformation:
    if rep_out is not None:
        chosen = rep(rep_out, group) if isinstance(rep_out, str) else rep_out
        moved = isinstance(chosen, Representation) and any(word for word, _ in chosen.terms)
        _refuse(moved, f"rep_out={rep_out!r}, {group.name} on points of R^{d}", "kind, or scalars", 'kind="vector"')
        _representation(group, chosen, "rep_out", c, "outputs")
        both = f"kind={kind!r} and rep_out={rep_out!r}"
        _refuse(kind not in (None, "invariant"), both, "one of them", f"kind={kind!r}")
        kind = "invariant"
    kind = _kind(kind, d, c)
    return Transformation(group, kind, kind == "invariant")


def _of_group(group: Group, rep_in: Any, rep_out: Any, d: int, c: int) -> Transformation:
    source = _representation(group, "V" if rep_in is None else rep_in, "rep_in", d, "columns")
    if rep_out is None:
        choices = f'rep_out="{c}S" for invariant outputs, rep_out="V" for a vector'
        _refuse(c == d, f"{c} outputs over R^{d}, no rep_out", choices, 'rep_out="V"')
        rep_out = f"{c}S"
    target = _representation(group, rep_out, "rep_out", c, "outputs")
    scalars = not any(word for word, _ in target.terms)
    return Transformation(source >> (rep("S", group) if scalars else target), "invariant", scalars)


def _representation(group: Group, given: Any, name: str, size: int, what: str) -> Representation:
    chosen = rep(given, group) if isinstance(given, str) else given
    known = isinstance(chosen, Representation) and chosen.group == group
    expected = f"text such as '2V + S', or a representation of {group.name}"
    _refuse(not known, f"{name}={given!r}", expected, f'{name}=er.rep("V", group)')
    if chosen.size != size:
        given = f"{name} = {chosen} of size {chosen.size}, and {size} {what}"
        _refuse(True, given, f"a representation of size {size}", f'{name}="{_fitting(chosen, size)}"')
    return chosen


def _fitting(chosen: Representation, size: int) -> str:
    """A representation of a size, as one types it: copies of the chosen one, or of V, and scalars for the rest."""
    for text, unit in ((str(chosen), chosen.size), ("V", chosen.group.size)):
        count, rest = divmod(size, unit) if unit else (0, size)
        block = text if text.isidentifier() else f"({text})"
        parts = [block if count == 1 else f"{count}{block}"] * (count > 0) + ["S" if rest == 1 else f"{rest}S"] * (
            rest > 0
        )
        try:
            if count and rep(" + ".join(parts), chosen.group).size == size:
                return " + ".join(parts)
        except InputError:  # a representation with a name of its own, which cannot be read back
            continue
    return f"{size}S"
