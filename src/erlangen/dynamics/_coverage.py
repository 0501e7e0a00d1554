"""Which part of state space, and which functions of a library, data say something about."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain
from erlangen._render import _signed_sum, number
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.derivative import Samples
from erlangen.fields.libraries import AbstractLibrary, Polynomial
from erlangen.fields.trajectories import Trajectories
from erlangen.linalg.qr import rounding
from erlangen.linalg.svd import svd

WEAK = 0.01
"""Size of a direction beside the largest below which a coefficient along it takes a hundred times the precision."""
FILL = 5
"""Points that a cell of state space would hold if all were filled evenly."""
SHOWN = 0.1
"""Functions of a weak direction below this part of its largest are not written."""


@dataclass(frozen=True, eq=False)
class Coverage(AbstractShown):
    """What data cover.

    Attributes
    ----------
    names : tuple of str
        The d coordinates.
    n_points : int
        Number n of states.
    dimension : float
        Effective number of directions of state space, ``(sum l)^2 / sum l^2`` over the variances l of the standardised
        coordinates: d where all vary alike, 1 on a line.
    filled : float
        Part of the cells of the reference that hold points; of the box around the points where there is none.
    functions : tuple of str
        The functions of the library, the constant first.
    spectrum : ndarray (r,)
        Singular values of these functions at the points, each of unit size; descending.
    condition : float
        Ratio of the largest to the smallest, infinite where functions are dependent.
    weak : tuple of (float, str)
        Combinations of functions that hardly vary, with their size: coefficients along them are poorly known.
    """

    names: tuple[str, ...]
    n_points: int
    dimension: float
    filled: float
    functions: tuple[str, ...]
    spectrum: NDArray
    condition: float
    weak: tuple[tuple[float, str], ...]

    @property
    def verdict(self) -> str:
        """The answer in one line."""
        head = f"{self.n_points} points cover {self.dimension:.2g} of {len(self.names)} directions"
        if not self.weak:
            return f"{head}, and tell all {len(self.functions)} functions apart (condition {self.condition:.2g})."
        many = f"{len(self.weak)} combination{'s' if len(self.weak) > 1 else ''}"
        return f"{head}; {many} of the {len(self.functions)} functions hardly vary (condition {self.condition:.2g})."

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and strings for JSON."""
        return {
            "verdict": self.verdict,
            "names": list(self.names),
            "n_points": int(self.n_points),
            "dimension": float(self.dimension),
            "filled": float(self.filled),
            "functions": list(self.functions),
            "spectrum": self.spectrum.tolist(),
            "condition": float(self.condition),
            "weak": [[float(size), text] for size, text in self.weak],
        }

    def __str__(self) -> str:
        return "\n".join([self.verdict, *self._lines()])

    def __repr__(self) -> str:
        return f"<Coverage {self.dimension:.2g} of {len(self.names)} directions, condition {self.condition:.2g}>"

    def _repr_html_(self) -> str:
        return "".join(f"<p>{html.escape(line)}</p>" for line in (self.verdict, *self._lines()))

    def _lines(self) -> list[str]:
        return [f"- {self.filled:.0%} of the cells hold points", *(f"- {s:.1e}: {text}" for s, text in self.weak)]


def coverage(
    points: Trajectories | Samples | ArrayLike,
    library: AbstractLibrary | None = None,
    reference: Trajectories | Samples | ArrayLike | None = None,
    *,
    names: Sequence[str] | None = None,
) -> Coverage:
    """Say which part of state space data cover, and which functions of a library they cannot tell apart.

    Parameters
    ----------
    points : Trajectories, Samples or array (n, d)
        The states.
    library : AbstractLibrary, optional
        Functions that will be combined; all monomials up to degree 2 by default. The constant is always among them.
    reference : Trajectories, Samples or array (n, d), optional
        States that should be covered, such as a long simulation.
    names : sequence of str, optional
        Names of the coordinates.

    Returns
    -------
    Coverage
        Directions, filled cells, and combinations of functions that hardly vary.

    Raises
    ------
    InputError
        Where states are not finite, or a function is not finite at them.

    References
    ----------
    D. A. Belsley, E. Kuh, R. E. Welsch, Regression Diagnostics, 1980, chapter 3 (near dependencies of scaled columns).

    Examples
    --------
    >>> t = np.linspace(0, 6, 100)
    >>> print(coverage(np.c_[np.cos(t), np.sin(t)], names=["x", "y"]).weak[0][1])
    1 - x^2 - y^2 = 0
    """
    x, columns = _points(points, names)
    features = (Polynomial(2) if library is None else library).bind(columns)
    values = np.hstack([np.ones((len(x), 1)), features.basis.evaluate(x)])
    functions = ("1", *features.texts)
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise InputError(
            explain(
                "A function of the library is not finite on the data.",
                given=f"{functions[column]} at {x[row].tolist()}",
                expected="finite values",
                fix="another library, or states inside its domain",
            )
        )
    sizes = np.linalg.norm(values, axis=0)
    sizes = np.where(sizes > 0, sizes, 1.0)
    _, s, vt = svd(values / sizes)
    s = np.r_[s, np.zeros(len(sizes) - len(s))]
    vt = vt if len(vt) == len(sizes) else np.vstack([vt, _complement(vt)])
    weak = tuple(
        (float(size / s[0]), _relation(v / sizes, v, functions))
        for size, v in zip(s[::-1], vt[::-1], strict=True)
        if size <= WEAK * s[0]
    )
    dependent = s[-1] <= rounding(values.shape) * s[0]
    spread = x.std(axis=0)
    standard = (x - x.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    variances = np.linalg.svd(standard, compute_uv=False) ** 2
    moving = float(np.sum(variances**2))
    return Coverage(
        names=columns,
        n_points=len(x),
        dimension=float(variances.sum() ** 2 / moving) if moving > 0 else 0.0,
        filled=_filled(x, None if reference is None else _points(reference, columns)[0]),
        functions=functions,
        spectrum=s,
        condition=float("inf") if dependent else float(s[0] / s[-1]),
        weak=weak,
    )


def _points(points: Any, names: Sequence[str] | None) -> tuple[NDArray, tuple[str, ...]]:
    known = points.names if isinstance(points, Trajectories) else None
    raw = points.points if isinstance(points, (Trajectories, Samples)) else points
    x = Samples.from_data(raw).points
    columns = tuple(names) if names is not None else known or tuple(f"x{j + 1}" for j in range(x.shape[1]))
    if len(columns) != x.shape[1]:
        raise InputError(
            explain(
                "Names do not fit the columns.",
                given=", ".join(columns),
                expected=f"{x.shape[1]} names",
                fix="names=None",
            )
        )
    return x, columns


def _complement(vt: NDArray) -> NDArray:
    """Orthonormal rows that complete those of ``vt``."""
    return np.linalg.svd(vt, full_matrices=True)[2][len(vt) :]


def _relation(c: NDArray, unit: NDArray, functions: tuple[str, ...]) -> str:
    """A combination that hardly varies, as an equation; what contributes little is left out."""
    shown = np.abs(unit) >= SHOWN * np.abs(unit).max()
    c = c / c[np.flatnonzero(shown)[0]]
    terms = [
        (round(float(v), 12), "" if f == "1" else f) for v, f, show in zip(c, functions, shown, strict=True) if show
    ]
    return f"{_signed_sum(terms, number, ' ')} = 0"


def _filled(x: NDArray, reference: NDArray | None) -> float:
    """Part of the occupied cells of the reference (of all cells of the own box) that hold points."""
    frame = x if reference is None else reference
    low, width = frame.min(axis=0), np.ptp(frame, axis=0)
    moving = width > 0
    if not moving.any():
        return 1.0
    cells = max(2, int((len(x) / FILL) ** (1 / moving.sum())))

    def cell(points: NDArray) -> set[tuple[int, ...]]:
        place = np.floor((points[:, moving] - low[moving]) / width[moving] * cells)
        inside = np.all((place >= 0) & (place <= cells), axis=1)
        return set(map(tuple, np.minimum(place[inside], cells - 1).astype(int).tolist()))

    wanted = cell(frame) if reference is not None else None
    held = cell(x)
    return len(held) / cells ** int(moving.sum()) if wanted is None else len(held & wanted) / len(wanted)
