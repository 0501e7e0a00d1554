"""What symmetries and conserved quantities are asked of: one reading of fields, equations, models, texts and runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.actions import coordinate_names
from erlangen.derivative import Samples
from erlangen.dynamics._weak_field import weak_field
from erlangen.dynamics.equations import Equations
from erlangen.fields import AbstractField, PolynomialField, as_field
from erlangen.fields.trajectories import Trajectories
from erlangen.linalg.rank import Threshold
from erlangen.systems import System

ROUNDING = round(float(np.finfo(np.float64).eps) ** (1 / 3), 6)
"""Defects of equations that are given, not fitted: rounding, after the conditioning of candidates or a library."""
_POINTS = 2048
"""Points at which polynomial equations are looked at, where nobody says where."""


@dataclass(frozen=True, eq=False)
class SystemField:
    """A right-hand side with names, and where it is looked at.

    Attributes
    ----------
    field : AbstractField
        F: a vector field on d states, or d values over d states and k controls.
    names, controls : tuple of str
        States and controls.
    samples : Samples
        Points ``(n, d + k)``.
    equations : Equations or None
        The equations behind it, where there are any: their coefficients may have errors.
    fitted : bool
        Whether it was fitted to data, so that it is known up to an error; else it is taken at its word.
    """

    field: AbstractField
    names: tuple[str, ...]
    controls: tuple[str, ...]
    samples: Samples
    equations: Equations | None = None
    fitted: bool = False

    @property
    def polynomial(self) -> PolynomialField | None:
        """The field as a polynomial, where it is one."""
        return self.field if isinstance(self.field, PolynomialField) else None


def read_system(
    system: Any,
    samples: Samples | ArrayLike | None = None,
    controls: Sequence[str] = (),
    names: Sequence[str] | None = None,
    kind: str = "vector",
) -> SystemField:
    """Read a system.

    Parameters
    ----------
    system : field, callable, Equations, fitted model, mapping of str to str, or Trajectories
        The right-hand side.
    samples : Samples or array (n, d + k), optional
        Where it is looked at; needed unless it is a polynomial or brings points of its own.
    controls : sequence of str
        Names of controls, in a mapping or after the states of a callable.
    names : sequence of str, optional
        Names of the states.
    kind : {"vector", "invariant"}
        ``"invariant"`` where there need not be one value a coordinate.
    """
    given = samples if samples is None or isinstance(samples, Samples) else Samples.from_data(samples)
    inputs = (controls,) if isinstance(controls, str) else tuple(controls)
    equations = _equations(system, inputs)
    if equations is not None:
        inputs, names = equations.controls, names or equations.names
    known = names or getattr(system, "names_", None) or getattr(system, "names", None)
    dim = None if given is None else given.dim
    field = _field(system, equations, inputs, kind, dim, None if given is None else given.points)
    d = field.point_dim - len(inputs)
    chosen = tuple(map(str, known)) if known is not None and not callable(known) else coordinate_names(d)
    if len(chosen) != d:
        raise InputError(
            explain(
                "There must be one name for each state.",
                given=f"{len(chosen)} names: {', '.join(chosen)}; {len(inputs)} controls",
                expected=f"{d} names",
                fix=f"names={list(coordinate_names(d))}",
            )
        )
    return SystemField(field, chosen, inputs, given or _where(field, system), equations, _fitted(system, equations))


def _fitted(system: Any, equations: Equations | None) -> bool:
    with_errors = equations is not None and equations.errors is not None
    return with_errors or isinstance(system, Trajectories) or hasattr(system, "field_") or hasattr(system, "equations_")


def _equations(system: Any, controls: tuple[str, ...]) -> Equations | None:
    if isinstance(system, Equations):
        return system
    if isinstance(system, System):
        return Equations.from_text(dict(system.equations()))
    if isinstance(system, Mapping):
        return Equations.from_text({str(k): str(v) for k, v in system.items()}, controls)
    found = getattr(system, "equations_", None)
    return found if isinstance(found, Equations) else None


def _field(
    system: Any,
    equations: Equations | None,
    controls: tuple[str, ...],
    kind: str,
    dim: int | None,
    points: NDArray | None,
) -> AbstractField:
    if equations is not None and controls:
        return as_field(list(equations.to_sympy()), kind="invariant", variables=equations.variables)
    if equations is not None:
        return equations.as_field()
    if isinstance(system, Trajectories):
        return weak_field(system, Threshold().delta)
    if isinstance(system, AbstractField):
        return as_field(system, kind if kind == "vector" and not controls else None)
    if hasattr(system, "field_"):
        return as_field(system.field_)
    return as_field(system, "invariant" if controls else kind, dim=dim, points=points)


def _where(field: AbstractField, system: Any) -> Samples:
    points = system.points if isinstance(system, Trajectories) else getattr(field, "points", None)
    if points is not None:
        return Samples.from_data(points)
    if isinstance(field, PolynomialField):
        return Samples.gaussian(dim=field.point_dim, n=_POINTS)
    raise InputError(
        explain(
            "A symmetry is claimed somewhere: samples are missing.",
            given=f"a {type(field).__name__} on R^{field.point_dim} without samples",
            expected="points at which the equations are looked at",
            fix=f"samples=er.Samples.box(0.5, 2, dim={field.point_dim})",
        )
    )
