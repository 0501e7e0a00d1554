"""What one generator does to points, in plain words, and what Noether's theorem makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import expm

from erlangen._typing import NDArray
from erlangen.actions import PolynomialAction, matrices_of

CLOSE = 1e-3
"""Share of its size up to which a matrix read from data counts as one of a special kind: only words hang on it."""

NOETHER = {
    "translation": "momentum along it (energy, where it is time)",
    "rotation": "angular momentum",
    "boost": "motion of the centre of mass or energy",
    "shear": "a quantity linear in time, as under a change to a moving frame",
    "scaling": "none by itself: a scaling conserves something only where it leaves the action alone",
}
"""What a generator conserves where the field is a Lagrangian or a Hamiltonian."""


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
    """

    kind: str
    words: str
    rate: float = 0.0


def move_of(one: PolynomialAction, names: Sequence[str]) -> Move:
    """Say what a single generator does.

    Examples
    --------
    >>> import erlangen as er
    >>> move_of(er.actions.rotation(2), ("x", "y")).words
    'rotation of x, y'
    """
    if one.degree > 1:
        moved = [name for name, row in zip(names, one.coefficients[0], strict=True) if row.any()]
        return Move("curved flow", f"curved flow that moves {_listed(moved)}")
    d, whole = one.point_dim, matrices_of(one)[0]
    a = whole[:d, :d]
    b = whole[:d, d] if len(whole) > d else np.zeros(d)
    size = float(np.abs(a).max(initial=0.0))
    shift = float(np.abs(b).max(initial=0.0))
    if size <= CLOSE * shift:
        return Move("translation", f"translation along {_named(b, names)}")
    moved = [names[i] for i in np.flatnonzero(np.abs(a).max(axis=1) > CLOSE * size).tolist()]
    kind, rate = _kind(a, size)
    fixed = "" if shift == 0 or kind == "shear" else _centre(a, b)
    return Move(kind, f"{kind} of {_listed(moved)}{fixed}", rate)


def _kind(a: NDArray, size: float) -> tuple[str, float]:
    if np.abs(np.linalg.matrix_power(a / size, len(a))).max() <= CLOSE:
        return "shear", 0.0
    off = a - np.diag(np.diag(a))
    if np.abs(off).max(initial=0.0) <= CLOSE * size:
        return "scaling", 0.0
    values = np.linalg.eigvals(a)
    top = np.abs(values).max()
    moving = values[np.abs(values) > CLOSE * top]
    if np.abs(moving.real).max() <= CLOSE * top:
        rates = np.abs(moving.imag)
        return "rotation", float(rates.mean()) if np.ptp(rates) <= CLOSE * top else 0.0
    if np.abs(moving.imag).max() <= CLOSE * top:
        balanced = abs(np.trace(a)) <= CLOSE * top
        return ("boost", 0.0) if balanced and np.abs(a - a.T).max() <= CLOSE * size else ("stretching", 0.0)
    return "spiral", 0.0


def _centre(a: NDArray, b: NDArray) -> str:
    centre, *_ = np.linalg.lstsq(a, -b, rcond=None)
    still = np.linalg.norm(a @ centre + b) <= CLOSE * np.linalg.norm(b)
    return " about another point than the origin" if still else ", and a translation along what it leaves alone"


def _named(b: NDArray, names: Sequence[str]) -> str:
    main = np.flatnonzero(np.abs(b) > CLOSE * np.abs(b).max())
    if len(main) == 1:
        return str(names[main[0]])
    return f"a direction of {_listed([names[i] for i in main.tolist()])}"


def _listed(names: Sequence[str], most: int = 6) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def span_of(one: PolynomialAction, points: NDArray, scale: NDArray) -> float:
    """Time over which a slider moves points: a whole turn of a rotation, else one and a half spreads of the points."""
    move = move_of(one, [str(i) for i in range(one.point_dim)])
    if move.rate:
        return float(np.pi / move.rate)
    speed = one.on_points(points)[:, 0] / scale
    size = float(np.sqrt(np.mean(np.sum(speed**2, axis=1))))
    return 1.5 / size if size > 0 else 1.0


def flow_matrix(one: PolynomialAction, t: float) -> NDArray:
    """Matrix ``(d + 1, d + 1)`` of an affine generator after time t."""
    return expm(t * matrices_of(one)[0])
