"""Trajectories: samples of states over time in runs of different length and sampling."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from erlangen._columns import DataWarning
from erlangen._errors import InputError, explain, nearest, warn
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.fields._frames import frame_of_runs, runs_of_frame
from erlangen.fields._run_input import runs_of_arrays
from erlangen.fields._runs import Run, frozen

if TYPE_CHECKING:
    import pandas as pd

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
class Trajectories(AbstractShown):
    """Runs that sample the same states, each with its own length and sampling.

    Parameters
    ----------
    runs : tuple of Run
        The runs.
    names : tuple of str
        Names of the d coordinates.
    controls : tuple of str
        Names of the u controls: given inputs that act on the system. One that is constant in each run is a parameter.

    Raises
    ------
    InputError
        When there is no run, runs differ in their columns, names do not fit them, two runs have one label, or only some
        have derivatives.

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
    controls: tuple[str, ...] = ()

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
        given = {run.controls.shape[1] for run in self.runs}
        if given != {len(self.controls)} or len({*self.names, *self.controls}) != len(self.names + self.controls):
            raise InputError(_bad_controls(sorted(given), self.names, self.controls))

    @classmethod
    def from_arrays(
        cls,
        states: ArrayLike | Sequence[ArrayLike],
        times: ArrayLike | Sequence[ArrayLike],
        names: Iterable[str] | None = None,
        derivatives: ArrayLike | Sequence[ArrayLike] | None = None,
        groups: Iterable[Hashable] | None = None,
        controls: ArrayLike | Sequence[ArrayLike] | None = None,
        control_names: Iterable[str] | None = None,
    ) -> Trajectories:
        """Make trajectories of arrays; rows with NaN are missing samples, left out with a warning that counts them.

        Parameters
        ----------
        states : array (n, d), or list of arrays (n_i, d)
            One table, or one table a run.
        times : array (n,), or list of arrays (n_i,)
            Times of the samples; one array serves all the runs of a list.
        names : iterable of str, optional
            Names of the d coordinates, by default x1 .. xd.
        derivatives : array (n, d), or list of arrays (n_i, d), optional
            Time derivatives where they are known.
        groups : iterable, optional
            For a list, the label of each run; for one table, the label of the run of each row.
        controls : array (n, u) or (u,), or list of them, optional
            Inputs at each sample, or parameters that are the same in a whole run.
        control_names : iterable of str, optional
            Names of the u controls, by default u1 .. uu.

        Returns
        -------
        Trajectories
            The runs, in the order given or in which their labels first appear.

        Raises
        ------
        InputError
            Where shapes disagree or a run is not valid.
        """
        runs = runs_of_arrays(states, times, derivatives, groups, controls)
        d, u = (runs[0].states.shape[1], runs[0].controls.shape[1]) if runs else (0, 0)
        chosen = tuple(str(name) for name in names) if names is not None else tuple(f"x{j + 1}" for j in range(d))
        given = control_names if control_names is not None else [f"u{j + 1}" for j in range(u)]
        flow = cls(tuple(runs), chosen, tuple(str(name) for name in given))
        if flow.n_missing:
            fix = "nothing, where few are missing; the runs are cut there"
            warn(f"Left out {flow.n_missing} samples that are missing (NaN).", fix=fix, category=DataWarning)
        return flow

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        time: str,
        group: str | None = None,
        state: str | Sequence[str] | None = None,
        controls: str | Sequence[str] | None = None,
        parameters: str | Sequence[str] | None = None,
    ) -> Trajectories:
        """Make trajectories of a data frame; rows with missing entries are left out with a warning that counts them.

        Parameters
        ----------
        frame : DataFrame
            One row for each sample.
        time : str
            The column of times: numbers, dates, or texts in ISO 8601, which become seconds since the earliest.
        group : str, optional
            The column that tells the runs apart; by default all rows are one run.
        state : sequence of str, or str with commas, optional
            The columns of the state, by default all others.
        controls, parameters : sequence of str, or str with commas, optional
            The columns of what acts on the system; parameters have one value in each run.

        Returns
        -------
        Trajectories
            One run for each value of `group`, in the order in which these first appear.

        Raises
        ------
        InputError
            Where a column is missing or not numeric, an entry is infinite, times repeat or decrease within a run, a
            parameter changes within a run, or a run has one sample.

        Examples
        --------
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"t": [0, 1, 2], "x": [1.0, 0.5, 0.2], "k": [2.0, 2.0, 2.0]})
        >>> Trajectories.from_frame(frame, time="t", parameters="k")
        Trajectories(1 runs of 3 samples, states x, controls k)
        """
        return cls(*runs_of_frame(frame, time, group, state, controls, parameters, drop=True, infinite=False))

    def to_frame(self, time: str = "time", group: str = "run") -> pd.DataFrame:
        """Return a data frame with one row for each sample: run, time, states, controls; not the derivatives.

        Parameters
        ----------
        time : str
            Name of the column of times.
        group : str
            Name of the column of runs.

        Returns
        -------
        pandas.DataFrame
            One row per sample.
        """
        return frame_of_runs(self.runs, self.names, self.controls, time, group)

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
    def inputs(self) -> NDArray:
        """Controls ``(N, u)`` at all points; u may be zero."""
        return frozen(np.concatenate([run.controls for run in self.runs]))

    @property
    def n_missing(self) -> int:
        """How many samples were missing."""
        return sum(run.n_missing for run in self.runs)

    @cached_property
    def run_index(self) -> NDArray:
        """The run ``(N,)`` of each point."""
        return frozen(np.repeat(np.arange(self.n_runs), [len(run.time) for run in self.runs]))

    def select(self, labels: Hashable | Iterable[Hashable]) -> Trajectories:
        """Keep the runs of these labels (or of one label), in this order.

        Parameters
        ----------
        labels : hashable, or iterable of them
            Labels of runs.

        Returns
        -------
        Trajectories
            Those runs, in the order asked for.

        Raises
        ------
        InputError
            When there is no run of that label.
        """
        wanted = [labels] if isinstance(labels, str) or not isinstance(labels, Iterable) else list(labels)
        by_label = {run.label: run for run in self.runs}
        for label in wanted:
            if label not in by_label:
                raise InputError(_unknown("run", label, [str(g) for g in self.groups]))
        return Trajectories(tuple(by_label[label] for label in wanted), self.names, self.controls)

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

        Parameters
        ----------
        order : int
            Order of accuracy of the scheme, 2 or more.

        Returns
        -------
        ndarray (N, d)
            Absolute errors, in units of the states per unit of time, for the N samples of all runs.

        Raises
        ------
        InputError
            When the order is less than two.
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
        more = f", controls {', '.join(self.controls)}" if self.controls else ""
        more += ", derivatives known" if self.derivatives is not None else ""
        more += f", {self.n_missing} missing" if self.n_missing else ""
        return f"Trajectories({self.n_runs} runs of {sizes} samples, states {', '.join(self.names)}{more})"


def _flat(x: NDArray) -> NDArray:
    """Columns ``(d,)`` whose range is at the rounding of their own magnitude."""
    return np.ptp(x, axis=0) <= 2 * np.finfo(np.float64).eps * np.abs(x).max(axis=0)


def _check_order(order: int) -> None:
    if order < 1:
        raise InputError(explain("The order is too low.", given=f"order={order}", expected="1 or more", fix="order=6"))


def _differ(what: str, given: list) -> str:
    shown = ", ".join(map(repr, given[:8])) + (" ..." if len(given) > 8 else "")
    return explain(f"The {what} differ or clash.", given=shown, expected="one rule for all runs", fix="make them agree")


def _bad_names(names: tuple[str, ...], d: int) -> str:
    given = f"{len(names)} names: {', '.join(names[:8])}"
    return explain("Names do not fit the columns.", given=given, expected=f"{d} different names", fix="names=[...]")


def _bad_controls(given: list[int], names: tuple[str, ...], controls: tuple[str, ...]) -> str:
    return explain(
        "Names do not fit the controls.",
        given=f"runs with {', '.join(map(str, given))} controls, names {', '.join(controls) or 'none'}",
        expected=f"as many in each run, one name for each, none of {', '.join(names[:8])}",
        fix="control_names=[...]",
    )


def _unknown(kind: str, name: object, known: list[str]) -> str:
    close = nearest(str(name), known)
    fix = f"did you mean {close!r}?" if close else f"choose one of the {kind}s"
    shown = ", ".join(known[:12]) + (" ..." if len(known) > 12 else "")
    return explain(f"There is no {kind} {name!r}.", given=repr(name), expected=shown, fix=fix)
