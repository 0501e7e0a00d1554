"""Certificates on a box, in numbers and in words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, final

import numpy as np

from erlangen._errors import UndecidedError, explain
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.evidence.bounds import finite
from erlangen.evidence.bounds.branch import Sandwich
from erlangen.evidence.bounds.objective import Objective

ROUNDING = (
    "outwards: every operation is charged for its rounding; values of tanh, exp, sin, ... are trusted to 8 units in "
    "the last place, weights and numbers are those of float64"
)

TYPICAL_POINTS = 256
"""Points at which the typical size is sampled: its relative error is then some percent."""


@final
@dataclass(frozen=True, eq=False)
class BoxCertificate(AbstractShown):
    """Proven bounds of the supremum of ``|Df(x) xi(x) - tau_xi f(x)|`` over a box.

    Attributes
    ----------
    objective : Objective
        What is bounded.
    state : Sandwich
        The two bounds and the point.
    asked, corners : ndarray (2, d)
        The box that was asked for, and the one that was searched (larger where orbits had to stay inside).
    angle : float
        Orbits that start in the box that was asked for stay in the other up to this angle.
    below : float or None
        The size that was to be decided.
    seconds, cpu : float
        Time on the clock, and of the processor.
    reason : str
        Why the search stopped; empty while it runs.
    """

    objective: Objective
    state: Sandwich
    asked: NDArray
    corners: NDArray
    angle: float
    below: float | None
    seconds: float
    cpu: float
    reason: str

    @property
    def upper(self) -> float:
        """No point of the box exceeds this."""
        return self.state.upper

    @property
    def lower(self) -> float:
        """The witness reaches this."""
        return self.state.lower

    @property
    def witness(self) -> NDArray:
        """A point ``(d,)`` of the box where the size is at least `lower`."""
        return self.state.witness

    @property
    def boxes(self) -> int:
        """Boxes that were bounded."""
        return self.state.boxes

    @property
    def rounding(self) -> str:
        """What is assumed of the arithmetic."""
        return ROUNDING

    @property
    def ratio(self) -> float:
        """How far the bounds are apart, upper over lower; 1 where both are zero."""
        return self.upper / self.lower if self.lower > 0 else 1.0 if self.upper == 0 else np.inf

    @property
    def holds(self) -> bool | None:
        """Whether the supremum is at most `below`; None where that is not decided, or was not asked."""
        if self.below is None:
            return None
        return True if self.upper <= self.below else False if self.lower > self.below else None

    @property
    def generators(self) -> tuple[str, ...]:
        """The generators in words."""
        return self.objective.action.base.names

    @cached_property
    def typical(self) -> float:
        """Root mean square of ``(|Df|^2/d |xi|^2 + |tau f|^2)^(1/2)``, an unrelated direction; sampled, not proven."""
        points = np.random.default_rng(0).uniform(*self.corners, size=(TYPICAL_POINTS, self.objective.dim)).T
        squares = self.objective.scale.bounds(points, points)[0].centre
        return float(np.sqrt(np.mean(squares[np.isfinite(squares)])))

    @property
    def relative(self) -> float:
        """The upper bound over the typical size; the typical size is sampled."""
        return self.upper / self.typical if self.typical > 0 else 0.0 if self.upper == 0 else np.inf

    def stopped(self, reason: str) -> BoxCertificate:
        """Say why the search stopped, where it did not say so itself.

        Parameters
        ----------
        reason : str
            Words.

        Returns
        -------
        BoxCertificate
            The same certificate with a reason.
        """
        return self if self.reason else replace(self, reason=reason)

    def finite(self, angle: float) -> FiniteCertificate:
        """Bound ``|rho(g) f(x) - f(g x)|`` for all g = exp(t xi) with ``|t| <= angle``.

        The orbits of x must stay in the box. That is so for the box that was asked for, where it was enlarged for this
        angle (``bound(..., angle=)``); else for a smaller set, which the answer names.

        Parameters
        ----------
        angle : float
            Largest ``|t|``.

        Returns
        -------
        FiniteCertificate
            The bound, and the set on which it holds.

        Raises
        ------
        UndecidedError
            Where the orbits of no point are known to stay inside.

        Examples
        --------
        >>> import erlangen as er
        >>> c = er.evidence.bound("x**2 + 1.01*y**2", er.actions.rotation(2), [(-1, 1), (-1, 1)])
        >>> c.finite(0.5).bound <= 0.0106
        True
        """
        angle = abs(float(angle))
        move, corners = self.objective.action, self.corners
        size = finite.stretched(self.upper, angle, finite.growth(move))
        if 0 < angle <= self.angle or angle == 0:
            return FiniteCertificate(size, angle, self.asked, 0.0, self.generators)
        inner, radius = finite.inner_box(move, corners, angle), finite.inner_ball(move, corners)
        widths = inner[1] - inner[0]
        if radius > 0 and (widths.min() <= 0 or widths.max() < 2 * radius):
            return FiniteCertificate(size, angle, corners, radius, self.generators)
        if widths.min() < 0:
            raise UndecidedError(
                explain(
                    "The orbits of all points may leave the box.",
                    given=f"angle {angle:g} in {_text(corners)}",
                    expected="orbits that stay in the box, where the bound holds",
                    fix=f"er.evidence.bound(..., angle={angle:g}): the box is enlarged",
                )
            )
        return FiniteCertificate(size, angle, inner, 0.0, self.generators)

    def __str__(self) -> str:
        names = "; ".join(self.generators)
        lines = [f"|L_xi f| <= {_up(self.upper)} everywhere on {_text(self.corners)}, proven.", f"generator: {names}"]
        if len(self.generators) > 1:
            lines[1] = f"generators: {names} (every combination with coefficients of norm 1)"
        if self.angle:
            lines.append(f"The box {_text(self.asked)} was enlarged, so that orbits up to {self.angle:g} stay inside.")
        place = ", ".join(f"{v:.4g}" for v in self.witness)
        found = f"It is at least {_down(self.lower)}, at ({place}): the bound is {self.ratio:.3g} times that."
        lines.append(found if self.lower > 0 else "No point was found where it is not zero.")
        lines.append(f"Relative to an unrelated direction ({self.typical:.3g}, sampled): {self.relative:.2g}.")
        if self.below is not None:
            words = {True: "yes", False: "no", None: "not decided"}[self.holds]
            lines.append(f"At most {self.below:g}: {words}.")
        lines.append(f"{self.boxes} boxes, {self.seconds:.2f} s; {self.reason or 'still running'}.")
        return "\n".join([*lines, f"Rounding {self.rounding}."])

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and strings."""
        return {
            "upper": self.upper,
            "lower": self.lower,
            "ratio": self.ratio,
            "witness": self.witness.tolist(),
            "box": self.corners.T.tolist(),
            "asked": self.asked.T.tolist(),
            "angle": self.angle,
            "generators": list(self.generators),
            "typical": self.typical,
            "relative": self.relative,
            "boxes": self.boxes,
            "seconds": self.seconds,
            "cpu": self.cpu,
            "reason": self.reason,
            "rounding": self.rounding,
        }


@final
@dataclass(frozen=True, eq=False)
class FiniteCertificate(AbstractShown):
    """Proven bound of ``|rho(g) f(x) - f(g x)|`` for all g up to an angle and all x of a set.

    Attributes
    ----------
    bound : float
        The bound.
    angle : float
        Largest ``|t|`` of g = exp(t xi).
    corners : ndarray (2, d)
        The box of the points x.
    radius : float
        Where positive, the moved coordinates of x must also be within this distance of the origin.
    generators : tuple of str
        The generators in words.
    """

    bound: float
    angle: float
    corners: NDArray
    radius: float
    generators: tuple[str, ...]

    @property
    def region(self) -> str:
        """The set of points in words."""
        ball = f" with |x| <= {_down(self.radius)} (coordinates that move)" if self.radius > 0 else ""
        return f"x in {_text(self.corners)}{ball}"

    def __str__(self) -> str:
        combination = " (or a combination with coefficients of norm 1)" if len(self.generators) > 1 else ""
        return (
            f"|rho(g) f(x) - f(g x)| <= {_up(self.bound)} for all g = exp(t xi), |t| <= {self.angle:g}, and all "
            f"{self.region}, proven.\nxi: {'; '.join(self.generators)}{combination}"
        )


def _text(corners: NDArray) -> str:
    sides = [f"[{low:.4g}, {high:.4g}]" for low, high in corners.T]
    return f"{sides[0]}^{len(sides)}" if len(set(sides)) == 1 and len(sides) > 1 else " x ".join(sides)


def _up(value: float) -> str:
    """Print with three digits, rounded up: what is printed is proven too."""
    return _digits(value, up=True)


def _down(value: float) -> str:
    return _digits(value, up=False)


def _digits(value: float, *, up: bool) -> str:
    if not np.isfinite(value) or value == 0:
        return f"{value:g}"
    text = f"{value:.2e}"
    if up and float(text) < value or not up and float(text) > value:
        unit = 10.0 ** (np.floor(np.log10(abs(value))) - 2)
        text = f"{float(text) + (unit if up else -unit):.2e}"
    return f"{float(text):g}"
