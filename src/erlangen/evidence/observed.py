"""Observations y = f(x) + noise, as certificates need them: before any model has seen them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.actions import coordinate_names
from erlangen.fields import Trajectories


@dataclass(frozen=True, eq=False)
class Observed(AbstractShown):
    """Points and noisy values of a field.

    Attributes
    ----------
    x : ndarray (n, d)
        Points, known exactly unless an estimate says otherwise.
    y : ndarray (n, c)
        Values with noise: of a function, or derivatives of a system at these states.
    kind : {"invariant", "vector"}
        How values follow points.
    names : tuple of str or None
        Names of the coordinates.
    groups : ndarray (n,) or None
        Run, batch or block that each row belongs to.
    weights : ndarray (n,) or None
        Weights of rows, 1 / variance up to a common factor.
    """

    x: NDArray
    y: NDArray
    kind: str = "invariant"
    names: tuple[str, ...] | None = None
    groups: NDArray | None = None
    weights: NDArray | None = None

    def __len__(self) -> int:
        return len(self.x)

    def take(self, rows: NDArray) -> Observed:
        """Some of the rows.

        Parameters
        ----------
        rows : ndarray (m,)
            Numbers of rows, or a mask.

        Returns
        -------
        Observed
            Those rows, with their groups and weights.
        """
        return replace(
            self,
            x=self.x[rows],
            y=self.y[rows],
            groups=None if self.groups is None else self.groups[rows],
            weights=None if self.weights is None else self.weights[rows],
        )

    def split(self, share: float, rng: np.random.Generator) -> tuple[Observed, Observed]:
        """Two disjoint parts; where there are at least four groups, whole groups go to one side.

        Parameters
        ----------
        share : float
            Part of the rows that goes to the first.
        rng : numpy.random.Generator
            Draws it.

        Returns
        -------
        tuple of two Observed
            Both parts.
        """
        n = len(self)
        if self.groups is None or len(np.unique(self.groups)) < 4:
            order, first = rng.permutation(n), max(1, int(round(share * n)))
            return self.take(np.sort(order[:first])), self.take(np.sort(order[first:]))
        labels = rng.permutation(np.unique(self.groups))
        chosen = np.isin(self.groups, labels[: max(1, int(round(share * len(labels))))])
        return self.take(np.flatnonzero(chosen)), self.take(np.flatnonzero(~chosen))


def observed(
    problem: Any,
    *,
    kind: str | None = None,
    names: Sequence[str] | None = None,
    groups: ArrayLike | None = None,
    weights: ArrayLike | None = None,
) -> Observed:
    """Read observations: a pair ``(x, y)``, trajectories with derivatives, or what is already read.

    Parameters
    ----------
    problem : Observed, tuple (x, y) or Trajectories
        Points ``(n, d)`` and values ``(n,)`` or ``(n, c)``. Runs with derivatives give states, derivatives and groups.
    kind : {"invariant", "vector"}, optional
        How values follow points; must be said where c = d.
    names : sequence of str, optional
        Names of the coordinates.
    groups, weights : array_like (n,), optional
        Run of each row; weight of each row.

    Returns
    -------
    Observed
        Points, values, groups and weights, checked.

    Raises
    ------
    InputError
        Where shapes do not fit, numbers are not finite, or the kind is missing.
    """
    if isinstance(problem, Observed):
        return problem
    if isinstance(problem, Trajectories):
        return _of_runs(problem)
    if not isinstance(problem, (tuple, list)) or len(problem) != 2:
        raise InputError(
            explain(
                "These are not observations.",
                given=f"{type(problem).__name__}",
                expected="a pair (x, y) of points and values, or trajectories",
                fix="er.evidence.certify((x, y), er.actions.affine(2), er.Samples.box(-1, 1, dim=2))",
            )
        )
    names = getattr(problem[0], "columns", None) if names is None else names  # of a data frame
    x, y = (_numbers(part, what) for part, what in zip(problem, ("x", "y"), strict=True))
    y = y[:, None] if y.ndim == 1 else y
    _check(x, y)
    if names is not None and len(names) != x.shape[1]:
        raise InputError(
            explain(
                "Every coordinate has one name.",
                given=f"{len(names)} names for {x.shape[1]} coordinates",
                expected=f"{x.shape[1]} names",
                fix=f"names={list(map(str, coordinate_names(x.shape[1])))}",
            )
        )
    chosen = _kind(kind, x.shape[1], y.shape[1])
    columns = [
        None if a is None else _column(a, len(x), what) for a, what in ((groups, "groups"), (weights, "weights"))
    ]
    return Observed(x, y, chosen, None if names is None else tuple(map(str, names)), *columns)


def _numbers(part: Any, what: str) -> NDArray:
    """Read an array of numbers; text is refused rather than parsed."""
    try:
        read = np.asarray(part)
        if read.dtype.kind in "biuf":
            return read.astype(np.float64)
        kind = str(read.dtype)
    except (TypeError, ValueError, RuntimeError) as error:  # ragged lists; tensors that record gradients
        kind = str(error)
    raise InputError(
        explain(
            f"{what} is not an array of numbers.",
            given=kind,
            expected="integers or floats, one row for each observation",
            fix=f"{what} = numpy.asarray({what}, dtype=float)",
        )
    )


def _of_runs(flow: Trajectories) -> Observed:
    known = [run.derivatives for run in flow.runs if run.derivatives is not None]
    if len(known) < len(flow.runs):
        raise InputError(
            explain(
                "Trajectories are certified through their derivatives, and these have none.",
                given=f"{len(flow.runs) - len(known)} of {len(flow.runs)} runs without derivatives",
                expected="runs with derivatives",
                fix="er.evidence.certify(er.dynamics.smooth(flow).flow, ...)",
            )
        )
    x = np.vstack([run.states for run in flow.runs])
    y = np.vstack(known)
    groups = np.repeat(np.arange(len(flow.runs)), [len(run.states) for run in flow.runs])
    _check(x, y)
    return Observed(x, y, "vector", tuple(flow.names), groups)


def _check(x: NDArray, y: NDArray) -> None:
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y) or 0 in x.shape or 0 in y.shape:
        raise InputError(
            explain(
                "Points and values do not fit.",
                given=f"x of shape {x.shape}, y of shape {y.shape}",
                expected="x (n, d) and y (n,) or (n, c) with the same n",
                fix="er.evidence.certify((x.reshape(n, -1), y), ...)",
            )
        )
    bad = ~(np.isfinite(x).all(axis=1) & np.isfinite(y).all(axis=1))
    if bad.any():
        raise InputError(
            explain(
                "Some observations are not finite.",
                given=f"{int(bad.sum())} of {len(x)} rows with NaN or infinity, first at row {int(np.argmax(bad))}",
                expected="finite numbers",
                fix="keep = numpy.isfinite(y); er.evidence.certify((x[keep], y[keep]), ...)",
            )
        )


def _kind(kind: str | None, d: int, c: int) -> str:
    if kind is None and c == d and d > 1:
        raise InputError(
            explain(
                "It is not clear how values follow points.",
                given=f"{c} values over {d} coordinates",
                expected="kind='vector' (derivatives of a system) or kind='invariant' (functions)",
                fix='er.evidence.certify((x, y), ..., kind="vector")',
            )
        )
    chosen = kind or "invariant"
    if chosen not in ("invariant", "vector") or (chosen == "vector" and c != d):
        raise InputError(
            explain(
                "This kind cannot be certified from observations.",
                given=f"kind = {kind!r} with {c} values over {d} coordinates",
                expected="'invariant', or 'vector' with one value per coordinate",
                fix='kind="invariant"',
            )
        )
    return chosen


def _column(values: ArrayLike, n: int, what: str) -> NDArray:
    out = np.asarray(values)
    if out.shape != (n,) or (what == "weights" and not (np.isfinite(out).all() and (out > 0).all())):
        raise InputError(
            explain(
                f"The {what} do not fit the rows.",
                given=f"an array of shape {out.shape}",
                expected=f"one {'positive weight' if what == 'weights' else 'label'} per row, shape ({n},)",
                fix=f"{what}=numpy.{'ones' if what == 'weights' else 'arange'}({n})",
            )
        )
    return out
