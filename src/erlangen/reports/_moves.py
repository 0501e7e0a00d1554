"""What one generator does to points, in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from erlangen._typing import NDArray
from erlangen.actions import PolynomialAction, matrices_of
from erlangen.reports._units import Units


@dataclass(frozen=True)
class Move:
    """What one generator does.

    Attributes
    ----------
    kind : str
        ``"translation"``, ``"rotation"``, ``"scaling"``, ``"boost"``, ``"shear"``, or what else it is.
    words : str
        The same with the coordinates that move.
    rate : float
        Angle per unit of time, of a rotation all of whose planes turn at one rate; 0 otherwise.
    conserves : str
        What Noether's theorem makes of it for a potential over positions and equal masses: ``"momentum along it"`` of
        translations, ``"angular momentum"`` of rotations that keep distances. Empty for all others: they change the
        kinetic energy.
    """

    kind: str
    words: str
    rate: float = 0.0
    conserves: str = ""


def move_of(one: PolynomialAction, names: Sequence[str], units: Units | None = None) -> Move:
    """Say what a single generator does.

    A kind is a matter of eigenvalues, which no choice of units changes; what counts as zero is one, so coefficients
    are compared in units of the data.

    Examples
    --------
    >>> import erlangen as er
    >>> move_of(er.actions.rotation(2), ("x", "y")).words
    'rotation of x, y'
    """
    if one.degree > 1:
        moved = [name for name, row in zip(names, one.coefficients[0], strict=True) if row.any()]
        return Move("curved flow", f"curved flow that moves {_listed(moved)}")
    d = one.point_dim
    units = Units(np.zeros(d), np.ones(d)) if units is None else units
    whole = units.matrix(one)
    a, b = whole[:d, :d], whole[:d, d]
    size = float(np.linalg.norm(a))
    if size <= units.error * float(np.linalg.norm(b)):
        return Move("translation", f"translation along {_named(b, names, units.error)}", 0.0, "momentum along it")
    moved = [names[i] for i in np.flatnonzero(np.abs(a).max(axis=1) > units.error * size).tolist()]
    kind, rate = _kind(a / size, units.error)
    fixed = _centre(a, b, units)
    if kind == "shear" and fixed:
        fixed = ", and a translation" if "translation" in fixed else ""
    plain = matrices_of(one)[0][:d, :d]
    rigid = np.linalg.norm(plain + plain.T) <= 2 * units.error * np.linalg.norm(plain)
    conserves = "angular momentum" if kind == "rotation" and rigid and "translation" not in fixed else ""
    return Move(kind, f"{kind} of {_listed(moved)}{fixed}", rate * size, conserves)


def _kind(a: NDArray, error: float) -> tuple[str, float]:
    """Kind of a matrix of Frobenius norm 1 that is known up to an error, and its rate where it turns at one rate.

    What is compared changes by no more than a multiple of the error, to first order: traces of powers and polynomials
    of the matrix do, while eigenvalues may change by a root of it.
    """
    powers = [a]
    while len(powers) < len(a):
        powers.append(powers[-1] @ a)
    if all(abs(np.trace(power)) <= k * error for k, power in enumerate(powers, 1)):
        return "shear", 0.0
    if np.linalg.norm(a - np.diag(np.diag(a))) <= error:
        return "scaling", 0.0
    values, near = np.linalg.eigvals(a), float(np.sqrt(error))
    top = np.abs(values).max()
    moving = values[np.abs(values) > near * top]
    if np.abs(moving.real).max() <= near * top:
        rates = _distinct(np.abs(moving.imag), near * top)
        if _annihilates(rates, a, error):
            return "rotation", float(rates[0]) if len(rates) == 1 else 0.0
        return ("spiral", 0.0) if abs(np.trace(a)) > error else ("rotation and shear", 0.0)
    if np.abs(moving.imag).max() <= near * top:
        ordered = np.sort(moving.real)
        return ("boost", 0.0) if np.abs(ordered + ordered[::-1]).max() <= near * top else ("stretching", 0.0)
    return "spiral", 0.0


def _distinct(rates: NDArray, near: float) -> NDArray:
    """Means of the rates that are one up to their error."""
    ordered = np.sort(rates)
    return np.array([group.mean() for group in np.split(ordered, np.flatnonzero(np.diff(ordered) > near) + 1)])


def _annihilates(rates: NDArray, a: NDArray, error: float) -> bool:
    """Whether A (A^2 + r_1^2) (A^2 + r_2^2) ... is zero: so it is of all that turns in planes and does nothing else."""
    product, size = a, 1.0
    for rate in rates:
        product, size = product @ (a @ a + rate**2 * np.eye(len(a))), size * (1 + rate**2)
    return bool(np.linalg.norm(product) <= (1 + 2 * len(rates)) * size * error)


def _centre(a: NDArray, b: NDArray, units: Units) -> str:
    """Where an affine flow stands still: nothing is said of the origin."""
    size, away = np.linalg.norm(a), units.centre / units.scale
    if np.linalg.norm(b - a @ away) <= units.error * size * (1.0 + np.linalg.norm(away)):
        return ""
    centre, *_ = np.linalg.lstsq(a, -b, rcond=units.error)
    still = np.linalg.norm(a @ centre + b) <= units.error * max(float(np.linalg.norm(b)), float(size))
    return " about another point than the origin" if still else ", and a translation along what it leaves alone"


def _named(b: NDArray, names: Sequence[str], error: float) -> str:
    main = np.flatnonzero(np.abs(b) > error * np.abs(b).max())
    if len(main) == 1:
        return str(names[main[0]])
    return f"a direction of {_listed([names[i] for i in main.tolist()])}"


def _listed(names: Sequence[str], most: int = 6) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def span_of(one: PolynomialAction, points: NDArray, units: Units) -> float:
    """Time over which a slider moves points: a whole turn of a rotation, else one and a half spreads of the points."""
    move = move_of(one, [str(i) for i in range(one.point_dim)], units)
    if move.rate:
        return float(np.pi / move.rate)
    speed = one.on_points(points)[:, 0] / units.scale
    size = float(np.sqrt(np.mean(np.sum(speed**2, axis=1))))
    return 1.5 / size if size > 0 else 1.0
