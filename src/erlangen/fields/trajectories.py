"""Trajectories: samples of states over time in runs of different length and sampling."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from erlangen._errors import InputError, explain, nearest
from erlangen.fields._runs import Run, count_message, frozen

__all__ = ["Increments", "Run", "Trajectories"]


class Increments(NamedTuple):
    """Steps between neighbouring samples of the same run; M of them."""

    start: NDArray
    """States ``(M, d)`` before the step."""
    stop: NDArray
    """States ``(M, d)`` after the step."""
    step: NDArray
    """Lengths of time ``(M,)``, gaps included."""
    run_index: NDArray
    """The run ``(M,)`` of each step."""


@dataclass(frozen=True, eq=False)
class Trajectories:
    """Runs that sample the same states, each with its own length and sampling.

    Parameters
    ----------
    runs : tuple of Run
        The runs.
    names : tuple of str
        Names of the d coordinates.

    Examples
    --------
    >>> t = np.linspace(0, 1, 50)
    >>> flow = Trajectories.from_arrays(np.c_[np.cos(t), np.sin(t)], t, names=["x", "y"])
    >>> flow.n_runs, flow.points.shape
    (1, (50, 2))
    >>> bool(np.abs(flow.derivative_estimates() - np.c_[-np.sin(t), np.cos(t)]).max() < 1e-9)
    True
    """

    runs: tuple[Run, ...]
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.runs:
            raise InputError(explain("There is no run.", given="0 runs", expected="at least one", fix="pass a run"))
        dims = {run.states.shape[1] for run in self.runs}
        if len(dims) > 1:
            raise InputError(_differ("number of columns of the runs", sorted(dims)))
        if len(self.names) != self.point_dim or len(set(self.names)) != self.point_dim:
            raise InputError(_bad_names(self.names, self.point_dim))
        if len(set(self.groups)) != self.n_runs:
            raise InputError(_differ("labels of the runs, some used twice", list(self.groups)))
        if len({run.derivatives is None for run in self.runs}) > 1:
            raise InputError(_differ("runs: some have derivatives, some have none", list(self.groups)))

    @classmethod
    def from_arrays(
        cls,
        states: ArrayLike | Sequence[ArrayLike],
        times: ArrayLike | Sequence[ArrayLike],
        names: Iterable[str] | None = None,
        derivatives: ArrayLike | Sequence[ArrayLike] | None = None,
        groups: Iterable[Hashable] | None = None,
    ) -> Trajectories:
        """Make trajectories of arrays.

        Parameters
        ----------
        states : array (n, d), or list of arrays (n_i, d)
            One table, or one table a run.
        times : array (n,), or list of arrays (n_i,)
            Times of the samples; one array serves all the runs of a list.
        names : iterable of str, optional
            Names of the d coordinates, by default x1 .. xd.
        derivatives : like states, optional
            Time derivatives where they are known.
        groups : iterable, optional
            For a list, the label of each run; for one table, the label of the run of each row.

        Returns
        -------
        Trajectories
            The runs, in the order given or in which their labels first appear.

        Raises
        ------
        InputError
            Where shapes disagree or a run is not valid.
        """
        if _is_list_of_tables(states):
            runs = _runs_of_list(list(states), times, derivatives, groups)  # pyright: ignore[reportArgumentType]
        else:
            runs = _runs_of_table(states, times, derivatives, groups)  # pyright: ignore[reportArgumentType]
        d = runs[0].states.shape[1] if runs else 0
        chosen = tuple(str(name) for name in names) if names is not None else tuple(f"x{j + 1}" for j in range(d))
        return cls(tuple(runs), chosen)

    @property
    def groups(self) -> tuple[Hashable, ...]:
        """Labels of the runs."""
        return tuple(run.label for run in self.runs)

    @property
    def n_runs(self) -> int:
        """Number of runs."""
        return len(self.runs)

    @property
    def point_dim(self) -> int:
        """Number d of coordinates."""
        return self.runs[0].states.shape[1]

    @cached_property
    def points(self) -> NDArray:
        """States ``(N, d)`` of all the runs, one after the other."""
        return frozen(np.concatenate([run.states for run in self.runs]))

    @cached_property
    def times(self) -> NDArray:
        """Times ``(N,)`` of the points."""
        return frozen(np.concatenate([run.time for run in self.runs]))

    @cached_property
    def derivatives(self) -> NDArray | None:
        """Known time derivatives ``(N, d)`` of the points, or None."""
        known = [run.derivatives for run in self.runs if run.derivatives is not None]
        return frozen(np.concatenate(known)) if known else None

    @cached_property
    def run_index(self) -> NDArray:
        """The run ``(N,)`` of each point."""
        return frozen(np.repeat(np.arange(self.n_runs), [len(run.time) for run in self.runs]))

    def select(self, labels: Hashable | Iterable[Hashable]) -> Trajectories:
        """Keep the runs of these labels (or of one label), in this order."""
        wanted = [labels] if isinstance(labels, str) or not isinstance(labels, Iterable) else list(labels)
        by_label = {run.label: run for run in self.runs}
        for label in wanted:
            if label not in by_label:
                raise InputError(_unknown("run", label, [str(g) for g in self.groups]))
        return Trajectories(tuple(by_label[label] for label in wanted), self.names)

    def derivative_estimates(self, order: int = 6) -> NDArray:
        """Estimate the time derivatives ``(N, d)`` from the states.

        Each is that of the polynomial through the nearest ``order + 1`` samples of the same run (fewer where a run
        is shorter); no stencil reaches into another run or over a gap, which is a step over ten times the median
        step of the run. Nothing is smoothed: noise of standard deviation s becomes an error of about s / step.

        Parameters
        ----------
        order : int
            Order of the error in the step, at least 1.

        Returns
        -------
        ndarray (N, d)
            The estimates.

        Raises
        ------
        InputError
            Where gaps on both sides leave a sample alone.
        """
        _check_order(order)
        return np.concatenate([run.derivative_estimates(order + 1) for run in self.runs])

    def derivative_errors(self, order: int = 6) -> NDArray:
        """Estimate the errors ``(N, d)`` of `derivative_estimates`: its distance to the scheme two orders lower.

        This is the error of the lower order, so it overstates that of smooth, well-sampled runs; with noise both
        schemes err by as much as they differ.
        """
        if order < 2:
            raise InputError(
                explain("The error needs two orders.", given=f"order={order}", expected="2 or more", fix="order=6")
            )
        return np.concatenate([run.derivative_errors(order + 1) for run in self.runs])

    def velocities(self) -> tuple[NDArray, NDArray]:
        """Time derivatives ``(N, d)`` and their errors ``(N, d)``: the known ones, else the estimated ones."""
        if self.derivatives is not None:
            return self.derivatives, np.finfo(np.float64).eps * np.abs(self.derivatives)
        return self.derivative_estimates(), self.derivative_errors()

    def increments(self) -> Increments:
        """Steps between neighbouring samples, none from one run into the next.

        A conserved quantity is as constant over a gap as over a short step, so gaps are kept.
        """
        inside = np.flatnonzero(np.diff(self.run_index) == 0)
        return Increments(
            self.points[inside], self.points[inside + 1], np.diff(self.times)[inside], self.run_index[inside]
        )

    def constant_columns(self) -> tuple[str, ...]:
        """Names of the coordinates that never change: nothing can be learned about them."""
        flat = _flat(self.points)
        return tuple(name for name, still in zip(self.names, flat, strict=True) if still)

    def parameters(self) -> tuple[str, ...]:
        """Names of the coordinates that change from run to run but within none: parameters, conserved trivially."""
        flat = np.all([_flat(run.states) for run in self.runs], axis=0) & ~_flat(self.points)
        return tuple(name for name, still in zip(self.names, flat, strict=True) if still)

    def __repr__(self) -> str:
        lengths = [len(run.time) for run in self.runs]
        sizes = f"{lengths[0]}" if len(set(lengths)) == 1 else f"{min(lengths)} to {max(lengths)}"
        known = ", derivatives known" if self.derivatives is not None else ""
        return f"Trajectories({self.n_runs} runs of {sizes} samples, states {', '.join(self.names)}{known})"


def _flat(x: NDArray) -> NDArray:
    """Columns ``(d,)`` whose range is at the rounding of their own magnitude."""
    return np.ptp(x, axis=0) <= 2 * np.finfo(np.float64).eps * np.abs(x).max(axis=0)


def _is_list_of_tables(states: Any) -> bool:
    if isinstance(states, (list, tuple)):
        return bool(states) and all(isinstance(s, np.ndarray) or np.ndim(s[0]) > 0 for s in states)
    return isinstance(states, np.ndarray) and states.ndim == 3


def _runs_of_list(states: list[Any], times: Any, derivatives: Any, groups: Iterable[Hashable] | None) -> list[Run]:
    shared = not isinstance(times, (list, tuple)) or np.ndim(times[0]) == 0
    if shared and np.ndim(times) == 2:
        times, shared = list(times), False
    clocks: list[Any] = [times] * len(states) if shared else list(times)
    slopes = [None] * len(states) if derivatives is None else list(derivatives)
    labels = list(range(len(states))) if groups is None else [_plain(g) for g in groups]
    for what, found in (("times", clocks), ("derivatives", slopes), ("groups", labels)):
        if len(found) != len(states):
            raise InputError(count_message(what, len(found), f"{len(states)}, one for each run"))
    return [Run(g, t, x, v) for g, t, x, v in zip(labels, clocks, states, slopes, strict=True)]


def _runs_of_table(states: Any, times: Any, derivatives: Any, groups: Iterable[Hashable] | None) -> list[Run]:
    if groups is None:
        return [Run(0, times, states, derivatives)]
    labels = [_plain(g) for g in groups]
    tables = {"states": states, "times": times, "derivatives": derivatives}
    arrays = {what: np.asarray(table) for what, table in tables.items() if table is not None}
    for what, table in arrays.items():
        if np.ndim(table) == 0 or len(table) != len(labels):
            raise InputError(count_message(what, np.shape(table), f"{len(labels)} rows, one for each group label"))
    rows: dict[Hashable, list[int]] = {}
    for i, label in enumerate(labels):
        rows.setdefault(label, []).append(i)
    return [
        Run(
            label,
            arrays["times"][at],
            arrays["states"][at],
            arrays["derivatives"][at] if "derivatives" in arrays else None,
        )
        for label, at in rows.items()
    ]


def _plain(label: Any) -> Hashable:
    return label.item() if isinstance(label, np.generic) else label


def _check_order(order: int) -> None:
    if order < 1:
        raise InputError(explain("The order is too low.", given=f"order={order}", expected="1 or more", fix="order=6"))


def _differ(what: str, given: list) -> str:
    shown = ", ".join(map(repr, given[:8])) + (" ..." if len(given) > 8 else "")
    return explain(f"The {what} differ or clash.", given=shown, expected="one rule for all runs", fix="make them agree")


def _bad_names(names: tuple[str, ...], d: int) -> str:
    given = f"{len(names)} names: {', '.join(names[:8])}"
    return explain("Names do not fit the columns.", given=given, expected=f"{d} different names", fix="names=[...]")


def _unknown(kind: str, name: object, known: list[str]) -> str:
    close = nearest(str(name), known)
    fix = f"did you mean {close!r}?" if close else f"choose one of the {kind}s"
    shown = ", ".join(known[:12]) + (" ..." if len(known) > 12 else "")
    return explain(f"There is no {kind} {name!r}.", given=repr(name), expected=shown, fix=fix)
