"""What makes an apparent symmetry of a vector field special, or hides one: the reasons, in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from erlangen._render import number
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction, affine, coordinate_names
from erlangen.derivative import Confirmation, LieDerivative, Samples, Scales, confirm
from erlangen.derivative.flow import SMOOTH
from erlangen.derivative.lie import ROWS_PER_GENERATOR
from erlangen.evidence._orbital import Orbital, orbital, vector_field
from erlangen.evidence.certificate import Gate
from erlangen.fields import AbstractField
from erlangen.linalg.qr import rounding
from erlangen.linalg.rank import Threshold
from erlangen.verbs import Symmetry, discover
from erlangen.verbs._sort import Generator


@dataclass(frozen=True, eq=False)
class Explained(AbstractShown):
    """One generator with what makes it more, or less, than a plain symmetry.

    Attributes
    ----------
    xi : ndarray (p,)
        Coefficients over the candidates.
    text : str
        The generator as a person writes it.
    defect : float
        Its relative defect.
    label : str
        ``"symmetry"`` where nothing speaks against it, else the first reason: ``"explicit time"``, ``"few points"``,
        ``"own"``, ``"jump"``, ``"components"``, ``"finite move"``, ``"no coverage"`` or ``"orbital"``.
    notes : tuple of Gate
        What was looked at; the reasons are those that did not pass.
    """

    xi: NDArray
    text: str
    defect: float
    label: str
    notes: tuple[Gate, ...]

    @property
    def plain(self) -> bool:
        """Whether it may be called a symmetry without a further word."""
        return self.label == "symmetry"

    @property
    def reason(self) -> str:
        """The reasons in words."""
        failed = [note.reason for note in self.notes if not note.passed]
        return "; ".join(failed) or "nothing speaks against it"

    def __str__(self) -> str:
        return f"{self.text} (defect {number(self.defect, 2)}): {self.label}, {self.reason}"


def explain_special(
    field: Any,
    action: AbstractAction | None = None,
    samples: Samples | ArrayLike | None = None,
    sym: Symmetry | None = None,
    *,
    delta: float = Threshold().delta,
    rates: int = 0,
) -> tuple[Explained, ...]:
    """Name what is special about each direction in which a vector field hardly changes.

    A small mean square of [xi, F] is not yet a symmetry worth a surprise. Five things can stand behind it: F does not
    depend on x at all; a pole, or another few points, carry all of the mean; xi is F itself but for components of
    F too small to count, or one component is too small for its defect to show; F jumps, and derivatives do not see
    it. And one thing can hide a symmetry: it may need another time, ``[xi, F] = c F``.

    Parameters
    ----------
    field : vector field, or anything that ``as_field`` reads as one
        The right-hand side F; one that depends on time, by :func:`with_time`.
    action : AbstractAction, optional
        Candidates; all affine fields by default.
    samples : Samples or array (n, d), optional
        Where the symmetry is claimed.
    sym : Symmetry, optional
        What `discover` found with the same field and candidates; found here by default.
    delta : float
        Relative defect up to which a direction counts, where ``sym`` is not given, and that a reason may reach.
    rates : int
        Degree of c.

    Returns
    -------
    tuple of Explained
        Findings, then those set apart or refused, then those that need another time.

    Examples
    --------
    >>> import sympy
    >>> from erlangen.fields import as_field
    >>> x, y, z = sympy.symbols("x y z", real=True)
    >>> rough = as_field([y, -x - sympy.sign(z) * y, y**2 - sympy.exp(-(x**2))], "vector", variables=["x", "y", "z"])
    >>> [(one.text, one.label) for one in explain_special(rough, samples=Samples.box(-1, 1, dim=3), delta=1e-6)]
    [('d/dz', 'jump')]
    """
    samples = Samples.from_data(samples) if not (samples is None or isinstance(samples, Samples)) else samples
    read = vector_field(field, action, samples)
    action = affine(read.point_dim) if action is None else action
    if sym is None:
        sym = discover(read, action, samples, rule=Threshold(delta))
    used = samples if samples is not None else Samples.from_data(sym.points)
    general = (dependence(read, used), spread(read, action, used))
    look = _Look(LieDerivative(read, action, used), sym.scales, delta, general)
    found = sym.found
    listed = (*found.generators, *found.own, *found.refused)
    out = [look.at(one, sym.describe(one.xi)) for one in listed]
    out += [_uncovered(one, sym.describe(one.xi)) for one in found.uncovered]
    return (*out, *_orbits(orbital(read, action, used, rates=rates, rule=Threshold(delta)), delta))


def with_time(rhs: Callable[[NDArray, NDArray], ArrayLike]) -> Callable[[NDArray], NDArray]:
    """Make time a coordinate: from rates ``(n, d)`` at states and times, a field of points ``(n, d + 1)``.

    Parameters
    ----------
    rhs : callable
        States ``(n, d)`` and times ``(n,)`` to rates ``(n, d)``.

    Returns
    -------
    callable
        Points (x, t) to (rates, 1): a field on which nothing depends but its points.

    References
    ----------
    P. J. Olver, *Applications of Lie Groups to Differential Equations*, second edition, 1993, section 2.5.

    Examples
    --------
    >>> driven = with_time(lambda x, t: np.stack([x[:, 1], -x[:, 0] + np.cos(t)], axis=1))
    >>> driven(np.array([[1.0, 2.0, 0.0]]))
    array([[2., 0., 1.]])
    """

    def field(points: NDArray) -> NDArray:
        rates = np.asarray(rhs(points[:, :-1], points[:, -1]), dtype=np.float64)
        return np.hstack([rates, np.ones((len(points), 1))])

    return field


def dependence(field: AbstractField, samples: Samples) -> Gate:
    """Whether a vector field depends on any coordinate but time.

    A coordinate is time where it moves at a constant speed. Where F depends on nothing else, all translations of x
    commute with it, whatever it is.
    """
    few = samples.pointwise().subset(2048)
    f, jacobian, w = field.value(few.points), field.jacobian(few.points), few.weights
    unit = np.where(few.std > 0, few.std, 1.0)
    spread_of_f = np.sqrt(w @ (f - w @ f) ** 2)
    clocks = (spread_of_f <= rounding(f.shape) * np.abs(f).max(axis=0)) & (np.abs(f).max(axis=0) > 0)
    slopes = np.sqrt(np.einsum("n,nca,c->a", w, jacobian**2, unit**-2)) * unit
    size = float(np.sqrt(w @ np.sum((f / unit) ** 2, axis=1)))
    value = float(slopes[~clocks].max(initial=0.0)) / size if size > 0 else 0.0
    limit = max(rounding(jacobian.shape), field.accuracy)
    if value > limit:
        return Gate("explicit time", True, value, limit, "F depends on x")
    time = f", but on time {', '.join(np.array(coordinate_names(len(f[0])))[clocks])} alone" if clocks.any() else ""
    return Gate("explicit time", False, value, limit, f"translations, trivial: F does not depend on x{time}")


def spread(field: AbstractField, action: AbstractAction, samples: Samples) -> Gate:
    """Whether enough points carry the mean square of DF to decide so many candidates.

    Counted as the effective number (sum w s)^2 / sum (w s)^2 of points with s = |DF|^2. Near a pole it is about
    one: a direction that vanishes at that one point then passes for a symmetry.
    """
    few = samples.pointwise()
    unit = np.where(few.std > 0, few.std, 1.0)
    squares = few.weights * np.einsum("nca,c,a->n", field.jacobian(few.points) ** 2, unit**-2, unit**2)
    total = float(squares.sum())
    rows = field.value_dim * (total**2 / float(squares @ squares) if total > 0 else len(few))
    limit = ROWS_PER_GENERATOR * action.n_generators
    if rows >= limit or len(few) * field.value_dim < limit:
        return Gate("few points", True, rows, limit, f"{rows / field.value_dim:.0f} points carry the mean")
    at = few.points[int(np.argmax(squares))]
    reason = (
        f"{rows / field.value_dim:.3g} of {len(few)} points carry all of the mean square of DF, too few for "
        f"{action.n_generators} candidates: a pole near {np.round(at, 3).tolist()}? Keep the samples away from it"
    )
    return Gate("few points", False, rows, limit, reason)


@dataclass(frozen=True, eq=False)
class _Look:
    """Where generators are looked at."""

    lie: LieDerivative
    scales: Scales
    delta: float
    general: tuple[Gate, ...]

    def at(self, one: Generator, text: str) -> Explained:
        """One generator with its notes and its label."""
        if one.verdict == "own":
            own = Gate("own", False, 0.0, self.delta, "the field itself, or built from it alone: it always commutes")
            notes = (*self.general, own)
        else:
            shown = one.confirmation or confirm(self.lie, one.xi, self.scales, self.delta)
            moved = self.moved(shown)
            notes = (*self.general, moved, self.parts(one, shown, moved.passed))
        label = next((note.name for note in notes if not note.passed), "symmetry")
        return Explained(one.xi, text, one.defect, label, notes)

    def moved(self, shown: Confirmation) -> Gate:
        """Whether moving the points for a finite time shows what the derivative does not see."""
        words = ", ".join(number(r, 2) for r in shown.residuals)
        limit = float(np.hypot(self.delta, self.lie.field.accuracy))
        if shown.flows:
            return Gate("finite move", True, max(shown.residuals), limit, f"moving the points agrees: {words}")
        jump = shown.slope < SMOOTH  # not so where the slope is that of rounding, NaN
        why = "it grows as the move shrinks, as at a jump, where F has no derivative" if jump else "F changes there"
        reason = f"the finite move fails: residual {words} per unit time for t, t/2 and t/4; {why}"
        return Gate("jump" if jump else "finite move", False, max(shown.residuals), limit, reason)

    def parts(self, one: Generator, shown: Confirmation, moved: bool) -> Gate:
        """Whether the defect is small in each component by itself, and beside the field itself."""
        worst = max((c for c in shown.components if np.isfinite(c)), default=0.0)
        limit = float(np.hypot(np.sqrt(len(self.scales.values)) * self.delta, self.lie.field.accuracy))
        if worst > limit:
            which = coordinate_names(self.lie.field.point_dim)[int(np.nanargmax(shown.components))]
            reason = f"component {which} alone has defect {number(worst, 2)}; beside the others it is too small to show"
            return Gate("components", False, worst, limit, reason)
        share, left = beside_field(self.lie, one.xi, self.scales)
        if moved and share < 1.0 and left > limit >= one.defect:
            return Gate("components", False, left, limit, self._nearly_own(share, left))
        return Gate("components", True, max(worst, left), limit, "small in each component by itself")

    def _nearly_own(self, share: float, left: float) -> str:
        x, w = self.lie.samples.points, self.lie.samples.weights
        sizes = np.sqrt(w @ (self.lie.field.value(x) / self.scales.points) ** 2)
        words = ", ".join(number(s, 2) for s in sizes)
        return (
            f"it is F itself but for a part of {number(share, 2)}, with F's components of sizes {words}; the mean only "
            f"sees the largest, and the part that is not F has defect {number(left, 2)}"
        )


def beside_field(lie: LieDerivative, xi: NDArray, scales: Scales) -> tuple[float, float]:
    """Share of a generator that is not a multiple of F, and the relative defect of that share alone.

    Since [F, F] = 0, xi - c F has the same bracket with F as xi. A generator that is F up to a small part owes its
    small defect to that: counted against the part, the defect of a symmetry stays what it was.
    """
    few = lie.samples.pointwise().subset(2048)
    x, w = few.points, few.weights
    one = lie.lifted.restrict(np.asarray(xi)[:, None])
    f, jacobian = lie.field.value(x), lie.field.jacobian(x)
    velocity, carried = one.on_points(x)[:, 0], one.on_values(x, f)[:, 0]
    bracket = np.einsum("nca,na->nc", jacobian, velocity) - carried
    u, v = f / scales.points, velocity / scales.points
    norm = float(w @ np.sum(u * u, axis=1))
    c = float(w @ np.sum(u * v, axis=1)) / norm if norm > 0 else 0.0
    rest = v - c * u
    share = float(np.sqrt(w @ np.sum(rest**2, axis=1)) / max(np.sqrt(w @ np.sum(v**2, axis=1)), np.finfo(float).tiny))
    turned = carried - c * np.einsum("nca,na->nc", jacobian, f)
    slope = scales.slope(jacobian) ** 2 * np.sum(rest**2, axis=1)
    size = float(np.sqrt(w @ (slope + np.sum((turned / scales.values) ** 2, axis=1))))
    total = float(np.sqrt(w @ np.sum((bracket / scales.values) ** 2, axis=1)))
    return share, total / size if size > 0 else 0.0


def _uncovered(one: Generator, text: str) -> Explained:
    note = Gate("no coverage", False, one.defect, 0.0, one.reason)
    return Explained(one.xi, text, one.defect, "no coverage", (note,))


def _orbits(found: Orbital, delta: float) -> list[Explained]:
    """Those that need another time and are not there without."""
    out = []
    for xi, text, defect, plain in zip(found.generators, found.texts, found.defects, found.plain, strict=True):
        if plain > delta:
            reason = f"only up to the choice of time: with time left alone its defect is {number(plain, 2)}"
            out.append(Explained(xi, text, float(defect), "orbital", (Gate("orbital", False, plain, delta, reason),)))
    return out
