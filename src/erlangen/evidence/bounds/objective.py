"""What is bounded: the size of the Lie derivative ``Df(x) xi(x) - tau_xi f(x)``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np

from erlangen._errors import InputError, explain
from erlangen._formula import Formula
from erlangen._lazy import comes_from
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction, IncrementLift, PolynomialAction, TangentLift, linear
from erlangen.algebra import Group
from erlangen.evidence._arguments import as_action as read_action
from erlangen.evidence.bounds.expand import expand
from erlangen.evidence.bounds.formula_graph import Build, formulas, polynomials, sympy_expressions, unsupported
from erlangen.evidence.bounds.graph import Tape
from erlangen.evidence.bounds.interval import Enclosed, Enclosure
from erlangen.evidence.bounds.quadratic import extremes
from erlangen.fields import AbstractField
from erlangen.fields.polynomial import PolynomialField
from erlangen.fields.wrappers import KINDS, MapField, VectorField


@final
@dataclass(frozen=True, eq=False)
class Model:
    """A function that can be written on a tape.

    Attributes
    ----------
    build : callable
        Adds its steps.
    kind : str or None
        How values follow points; None where nobody said.
    """

    build: Build
    kind: str | None


def as_model(obj: Any, dim: int, kind: str | None, variables: Sequence[str] | None) -> Model:
    """Read formulas, SymPy expressions, polynomial fields and torch modules.

    Raises
    ------
    InputError
        Where nothing is known about how the values are computed.
    """
    if isinstance(obj, VectorField | MapField):
        inner = as_model(obj.base, dim, "invariant", variables)
        return Model(_increments(inner.build) if isinstance(obj, MapField) else inner.build, obj.kind)
    if isinstance(obj, PolynomialField):
        if kind is None or obj.kind != "invariant" or kind == "invariant":
            return Model(polynomials(obj.table, obj.coefficients), obj.kind)
        return _of_kind(polynomials(obj.table, obj.coefficients), kind)
    module: Any = getattr(obj, "module", obj) if isinstance(obj, AbstractField) else obj
    if comes_from(module, "torch"):
        from erlangen.evidence.bounds.torch_graph import module_steps

        return _of_kind(module_steps(module), kind)
    return _of_kind(_expressions(obj, dim, variables), kind)


def _expressions(obj: Any, dim: int, variables: Sequence[str] | None) -> Build:
    many = isinstance(obj, list | tuple) or comes_from(obj, "sympy") and hasattr(obj, "tolist")
    parts: list[Any] = list(obj) if many else [obj]
    if parts and all(isinstance(part, str | Formula) for part in parts):
        read = [Formula(part) if isinstance(part, str) else part for part in parts]
        used = list(dict.fromkeys(name for part in read for name in part.used))
        return formulas(read, _names(used, dim, variables))
    if parts and all(comes_from(part, "sympy") for part in parts):
        used = sorted({str(s) for part in parts for s in part.free_symbols})
        return sympy_expressions(parts, _names(used, dim, variables))
    raise InputError(
        explain(
            "A bound on a box needs to see how the values are computed.",
            given=f"{type(obj).__module__}.{type(obj).__name__}",
            expected="a formula, SymPy expressions, a PolynomialField or a torch module",
            fix="er.evidence.certify(...) judges any model from samples",
        )
    )


def _names(used: Sequence[str], dim: int, variables: Sequence[str] | None) -> list[str]:
    from erlangen.actions import coordinate_names

    names = [str(v) for v in variables] if variables is not None else list(coordinate_names(dim))
    if variables is None and set(used) - set(names) and len(used) == dim:
        names = sorted(used)
    if len(names) != dim or set(used) - set(names):
        raise InputError(
            explain(
                "The variables of the expressions are not the coordinates of the box.",
                given=f"variables {', '.join(used) or '(none)'}; a box with {dim} sides",
                expected="one side of the box per coordinate, in order",
                fix='variables=["x", "y"]',
            )
        )
    return names


def _of_kind(build: Build, kind: str | None) -> Model:
    if kind is not None and kind not in KINDS:
        raise InputError(
            explain(
                "There is no such kind of values.",
                given=f"kind={kind!r}",
                expected='"invariant", "vector" or "map"',
                fix='kind="invariant" for values that do not move with the points',
            )
        )
    return Model(_increments(build) if kind == "map" else build, kind)


def _increments(build: Build) -> Build:
    return lambda tape, x: tape.plus(build(tape, x), x, -1.0)


# --- actions


def as_action(action: Any, dim: int) -> AbstractAction:
    """Read an action, a group, a `Symmetry` (its generators) or matrices ``(d, d)`` or ``(p, d, d)``."""
    if hasattr(action, "candidates") and hasattr(action, "generators"):
        action = action.candidates.restrict(np.asarray(action.generators).T)
    if isinstance(action, (Group, str)) or action is None:
        action = read_action(action)
    if not isinstance(action, AbstractAction):
        action = linear(action)
    if action.point_dim != dim or action.n_generators == 0:
        raise InputError(
            explain(
                "The generators do not fit the box.",
                given=f"{action.n_generators} generators on R^{action.point_dim}, a box with {dim} sides",
                expected="at least one generator, and one side per coordinate",
                fix=f"er.actions.rotation({dim})",
            )
        )
    return action


@final
@dataclass(frozen=True, eq=False)
class Moves:
    """Polynomial generators, and how they move values.

    Attributes
    ----------
    base : PolynomialAction
        The generators.
    values : str
        ``"none"``, ``"matrices"`` (of the base), ``"tangent"`` or ``"increments"``.
    """

    base: PolynomialAction
    values: str

    def velocity(self, k: int) -> Build:
        """xi_k as steps."""
        return polynomials(self.base.exponents, self.base.coefficients[k])

    def carried(self, tape: Tape, k: int, x: int, f: int) -> int | None:
        """tau_k(x) f(x) as a step; None where it is zero."""
        if self.values == "none":
            return None
        if self.values == "matrices":
            matrix = self.base.output[k]  # pyright: ignore[reportOptionalSubscript]
            return tape.linear([(f, matrix)]) if matrix.any() else None
        if self.values == "tangent":
            at = tape.linear([(x, 1.0)])
            return tape.push(self.velocity(k)(tape, at), {at: f})
        return tape.plus(self.velocity(k)(tape, tape.plus(x, f)), self.velocity(k)(tape, x), -1.0)


def moves(action: AbstractAction, model: Model, channels: int) -> Moves:
    """Find what moves points and values.

    Raises
    ------
    InputError
        Where the generators are no polynomials, do not fit the values, or the kind of the values must be said.
    """
    base = action.base if isinstance(action, TangentLift | IncrementLift) else action
    if not isinstance(base, PolynomialAction):
        raise InputError(unsupported(f"generators given as {type(action).__name__}: polynomial vector fields are"))
    if isinstance(action, TangentLift | IncrementLift):
        return _fitting(Moves(base, "tangent" if isinstance(action, TangentLift) else "increments"), channels)
    if base.output is not None:
        return _fitting(Moves(base, "matrices"), channels)
    if model.kind is None and channels == base.point_dim:
        raise InputError(
            explain(
                "As many values as coordinates: are they scalars, the components of a vector field, or an image point?",
                given=f"{channels} value{'s' if channels > 1 else ''} over points in R^{channels}, without a kind",
                expected='one of kind="invariant", kind="vector", kind="map"',
                fix='kind="vector" for a right-hand side dx/dt = f(x), kind="map" for x -> x\', else kind="invariant"',
            )
        )
    return _fitting(Moves(base, {"vector": "tangent", "map": "increments"}.get(model.kind or "", "none")), channels)


def _fitting(found: Moves, channels: int) -> Moves:
    wanted = {"none": channels, "matrices": found.base.value_dim}.get(found.values, found.base.point_dim)
    if wanted != channels:
        raise InputError(
            explain(
                "The values do not fit the action on values.",
                given=f"{channels} values",
                expected=f"{wanted} values",
                fix='kind="invariant" for values that do not move, or action.with_output(matrices)',
            )
        )
    return found


# --- the objective


@final
@dataclass(frozen=True, eq=False)
class Sizes:
    """Bounds of the size on B boxes, and where to look for large values.

    Attributes
    ----------
    low, high : ndarray (B,)
        The size lies between these.
    slope : ndarray (d, B)
        Derivatives of the size at the centre times the half widths, up to a positive factor.
    shares : ndarray (K, B)
        How much each kink adds to the bound.
    rest : ndarray (B,)
        How much all remainders add, those of kinks included.
    """

    low: NDArray
    high: NDArray
    slope: NDArray
    shares: NDArray
    rest: NDArray


@final
@dataclass(frozen=True, eq=False)
class Objective(AbstractShown):
    """The size of the Lie derivatives of f under p generators, as a function of x.

    With several generators it is the root of the sum of their squares: at least the size for every combination of
    generators with coefficients of norm 1.

    Attributes
    ----------
    model : Model
        f.
    action : Moves
        The generators.
    dim, channels : int
        Numbers d of coordinates and c of values.
    """

    model: Model
    action: Moves
    dim: int
    channels: int

    @cached_property
    def enclosure(self) -> Enclosure | None:
        """Bounds of the p * c numbers; None where all are zero, by exact arithmetic."""
        tape = Tape(self.dim)
        f = self.model.build(tape, 0)
        parts = []
        for k in range(self.action.base.n_generators):
            pushed = tape.push(f, {0: self.action.velocity(k)(tape, 0)})
            carried = self.action.carried(tape, k, 0, f)
            both = [(part, sign) for part, sign in ((pushed, 1.0), (carried, -1.0)) if part is not None]
            if both:
                parts.append(both[0][0] if len(both) == 1 and both[0][1] == 1 else tape.linear(both))
        if not parts:
            return None
        expanded = expand(tape, parts)
        if expanded is not None:
            return _of_polynomials(*expanded)
        pruned, steps = tape.pruned(parts)
        return Enclosure(pruned, tuple((step, entry) for step in steps for entry in range(self.channels)))

    def sizes(self, low: NDArray, high: NDArray, sides: NDArray | None = None) -> Sizes:
        """Bound the size on boxes with corners ``low, high (d, B)``, on some sides of kinks ``(K, B)``."""
        with np.errstate(all="ignore"):
            parts = self.enclosure.bounds(low, high, sides)  # pyright: ignore[reportOptionalMemberAccess]
            if len(parts) == 1:
                return _one(parts[0])
            return _root_of_squares(parts)

    @cached_property
    def scale(self) -> Enclosure:
        """The square of the size that an unrelated direction gives: ``|Df|^2/d |xi|^2 + |tau f|^2``, all generators."""
        tape = Tape(self.dim)
        f = self.model.build(tape, 0)
        axes = [tape.push(f, {0: tape.constant(axis)}) for axis in np.eye(self.dim)]
        slope = _squares(tape, axes, 1.0 / self.dim)
        speed = _squares(tape, [self.action.velocity(k)(tape, 0) for k in range(self.action.base.n_generators)], 1.0)
        carried = [self.action.carried(tape, k, 0, f) for k in range(self.action.base.n_generators)]
        total = tape.plus(tape.product(slope, speed), _squares(tape, carried, 1.0))
        pruned, steps = tape.pruned([total])
        return Enclosure(pruned, ((steps[0], 0),))


def _of_polynomials(table: NDArray, coefficients: NDArray) -> Enclosure | None:
    if not len(coefficients):
        return None
    tape = Tape(table.shape[1])
    step = polynomials(table, coefficients)(tape, 0)
    return Enclosure(tape, tuple((step, entry) for entry in range(len(coefficients))))


UP = 1.0 + 2.0**-44
"""Widens sums of a few hundred squares by more than they can round."""


def _one(part: Enclosed) -> Sizes:
    low = np.maximum(np.maximum(part.low, -part.high), 0.0)
    sign = np.where(part.high >= -part.low, 1.0, -1.0)
    high = np.where(part.empty, 0.0, np.maximum(np.abs(part.low), np.abs(part.high)))
    return Sizes(low, high, sign * part.slope, part.shares, part.bent)


def _root_of_squares(parts: Sequence[Enclosed]) -> Sizes:
    r"""Bound ``sqrt(sum s_k^2)`` by each s_k alone, and by a Taylor form of the sum.

    With ``s = s0 + g.e + r``, ``|r| <= R`` and ``|r - e.H e/2| <= E``,
    ``s^2 <= s0^2 + 2 s0 g.e + e.(g g^T + s0 H) e + 2 |s0| E + 2 |g|_1 R + R^2``.
    """
    alone = [_one(part) for part in parts]
    low = sum(one.low**2 for one in alone)
    high = sum(one.high**2 for one in alone)
    centre, slope, hessian, rest, size = 0.0, 0.0, 0.0, 0.0, 0.0
    for part in parts:
        s0, g, h = part.centre, part.slope, part.hessian
        lean = np.abs(g).sum(axis=0)
        left = np.fmin(part.straight, part.bent + 0.5 * np.abs(h).sum(axis=(0, 1)))
        centre = centre + s0**2
        slope = slope + 2 * s0 * g
        hessian = hessian + 2 * (g[:, None] * g[None] + s0 * h)
        rest = rest + 2 * np.abs(s0) * part.bent + 2 * lean * left + left**2
        size = size + (np.abs(s0) + lean) ** 2 + np.abs(s0) * np.abs(h).sum(axis=(0, 1))
    up = extremes(np.asarray(slope), np.asarray(hessian))[1]
    taylor = centre + up + rest + (UP - 1) * (size + rest)
    high = np.fmin(high, np.where(np.isnan(taylor), np.inf, np.maximum(taylor, 0.0)))
    shares, bent = np.sum([part.shares for part in parts], axis=0), np.sum([part.bent for part in parts], axis=0)
    return Sizes(np.sqrt(low) / UP, np.sqrt(high) * UP, np.asarray(slope), shares, bent)


def _squares(tape: Tape, parts: Sequence[int | None], factor: float) -> int:
    kept = [(tape.total(tape.unary(part, "power", 0, 2.0)), factor) for part in parts if part is not None]
    return tape.linear(kept, width=1) if kept else tape.constant([0.0])


def objective(obj: Any, action: Any, dim: int, kind: str | None, variables: Sequence[str] | None) -> Objective:
    """Put together what is bounded; a `Symmetry` says itself how values follow points."""
    if kind is None and hasattr(action, "candidates"):
        kind = action.kind
    model = as_model(obj, dim, kind, variables)
    tape = Tape(dim)
    channels = tape.widths[model.build(tape, 0)]
    return Objective(model, moves(as_action(action, dim), model, channels), dim, channels)
