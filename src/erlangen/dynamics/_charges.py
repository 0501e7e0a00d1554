"""What Noether's theorem answers, and what its two forms share: generators, points, combinations of functions."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain
from erlangen._formula import Formula
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.actions import PolynomialAction, Prolonged, fields
from erlangen.algebra._rounding import simplest_fractions
from erlangen.derivative import Samples
from erlangen.verbs import Symmetry

SOLVED = float(np.finfo(np.float64).eps) ** 0.5
"""Relative residual up to which an identity holds: rounding, after the conditioning of a library."""
_POINTS = 600
"""Points at which identities are compared, where nobody says where; those outside the domain are left out."""


@dataclass(frozen=True, eq=False)
class NoetherCharge(AbstractShown):
    """What a symmetry conserves, or the evidence that nothing of the library does it.

    Attributes
    ----------
    exists : bool
        Whether there is a conserved quantity.
    text : str
        The quantity, empty where there is none.
    generator : str
        The symmetry.
    gauge : str
        The gauge term B of a Lagrangian, ``"0"`` where none is needed.
    defect : float
        What is left of the identity, relative to its terms.
    reason : str
        Why, in words.
    formula : Formula or None
        The quantity as a formula, to be evaluated or differentiated.
    """

    exists: bool
    text: str
    generator: str
    gauge: str
    defect: float
    reason: str
    formula: Formula | None

    def value(self, x: ArrayLike) -> NDArray:
        """Values ``(n,)`` at points ``x (n, d)`` in the variables of the formula: time, positions, velocities.

        Parameters
        ----------
        x : array_like (n, d)
            Points.

        Returns
        -------
        ndarray (n,)
            The conserved quantity.

        Raises
        ------
        InputError
            Where there is no quantity.
        """
        if self.formula is None:
            raise InputError(
                explain("Nothing is conserved.", given=self.reason, expected="exists", fix="another symmetry")
            )
        points = np.asarray(x, dtype=np.float64)
        return self.formula.evaluate(dict(zip(self.formula.variables, points.T, strict=True)))

    def __str__(self) -> str:
        head = f"{self.text} is conserved" if self.exists else "Nothing is conserved"
        gauge = f" (gauge term {self.gauge})" if self.exists and self.gauge != "0" else ""
        return f"{head}, by {self.generator}{gauge}: {self.reason}."

    def _repr_latex_(self) -> str | None:
        return None if self.formula is None else f"$\\displaystyle {self.formula.to_latex()}$"

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(str(self))}</p>"


def combination(columns: NDArray, target: NDArray) -> tuple[NDArray, float]:
    """Coefficients ``(q,)`` of the target in columns ``(n, q)``, rounded where that is as good, and what is left."""
    sizes = np.linalg.norm(columns, axis=0)
    used = np.flatnonzero(sizes > 0)
    out = np.zeros(columns.shape[1])
    if np.linalg.norm(target) == 0 or not used.size:
        return out, float(np.linalg.norm(target))
    out[used] = np.linalg.lstsq(columns[:, used] / sizes[used], target, rcond=None)[0] / sizes[used]
    rest = float(np.linalg.norm(target - columns @ out))
    close = np.full(len(out), SOLVED) * np.linalg.norm(target) / np.where(sizes > 0, sizes, 1.0)
    near = np.array([0.0 if f is None else float(f) for f in simplest_fractions(out, close)])
    rounded = float(np.linalg.norm(target - columns @ near))
    return (near, rounded) if rounded <= max(2 * rest, SOLVED * float(np.linalg.norm(target))) else (out, rest)


def as_formula(text: str) -> str:
    """A printed function, ``x^2 y``, as a formula."""
    return text.replace("^", "**").replace(" ", "*") if "(" not in text else text.replace("^", "**")


def point_action(symmetry: Any, names: Sequence[str]) -> PolynomialAction:
    """Generators on the named coordinates, given as a symmetry found, an action, or formulas of components."""
    action = symmetry.action if isinstance(symmetry, Symmetry) else symmetry
    if isinstance(action, Prolonged):
        action = action.base
    if isinstance(action, (list, tuple)):
        rows = [action] if action and isinstance(action[0], str) else list(action)
        action = fields(rows, names)
    if not isinstance(action, PolynomialAction) or action.point_dim != len(names):
        given = f"{type(action).__name__}" + (
            f" on R^{action.point_dim}" if isinstance(action, PolynomialAction) else ""
        )
        raise InputError(
            explain(
                "The symmetry does not act on these coordinates.",
                given=given,
                expected=f"polynomial generators in {', '.join(names)}, or formulas of their {len(names)} components",
                fix=f"symmetry={['1', *['0'] * (len(names) - 1)]}",
            )
        )
    return replace(action, output=None)


def domain_points(formulas: Sequence[Formula], names: Sequence[str], samples: Samples | ArrayLike | None) -> NDArray:
    """Points ``(n, d)`` at which formulas and their slopes are finite."""
    if samples is None:
        rng = np.random.default_rng(len(names))
        half = _POINTS // 2
        x = np.vstack([rng.normal(size=(half, len(names))), rng.uniform(0.2, 1.2, size=(half, len(names)))])
    else:
        x = samples.points if isinstance(samples, Samples) else Samples.from_data(samples).points
    columns = dict(zip(names, x.T, strict=True))
    fine = np.all(
        [np.isfinite(np.column_stack([f.evaluate(columns), f.gradient(columns)])).all(axis=1) for f in formulas], axis=0
    )
    if fine.sum() < 20:
        raise InputError(
            explain(
                "The function is finite at too few points.",
                given=f"{int(fine.sum())} of {len(x)} points",
                expected="points inside its domain",
                fix="samples=er.Samples.box(0.5, 1.5, dim=...)",
            )
        )
    return x[fine]
