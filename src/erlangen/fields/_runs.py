"""One run of a trajectory: samples of states at increasing times, and the checks that make it valid."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.fields._differences import differentiate, segments

_PLURALS = {"time": "times"}


@dataclass(frozen=True, eq=False)
class Run(AbstractShown):
    """One uninterrupted observation: at least two samples, finite, at increasing times.

    Rows in which a number is missing (NaN) are left out and counted.

    Parameters
    ----------
    label : hashable
        What the run is called.
    time : ndarray (n,)
        Strictly increasing times.
    states : ndarray (n, d)
        The states.
    derivatives : ndarray (n, d), optional
        Time derivatives of the states where they are known.
    controls : ndarray (n, u) or (u,), optional
        What acts on the system: given inputs at each sample, or values of the whole run, its parameters.
    n_missing : int
        Samples that are missing.

    Raises
    ------
    InputError
        Where shapes disagree, a number is infinite, there is one sample, or times repeat or decrease.
    """

    label: Hashable
    time: NDArray
    states: NDArray
    derivatives: NDArray | None = None
    controls: NDArray = field(default_factory=lambda: np.empty(0))
    n_missing: int = 0

    def __post_init__(self) -> None:
        time = _numbers(self.time, 1, f"times of {self.title}")
        states = _numbers(self.states, 2, f"states of {self.title}")
        columns = {"time": time, "states": states, "controls": _controls(self, len(states))}
        if self.derivatives is not None:
            columns["derivatives"] = _numbers(self.derivatives, 2, f"derivatives of {self.title}")
            _same_shape(self, columns["derivatives"], states)
        _same_length(self, time, columns["controls"], len(states))
        missing = np.isnan(np.column_stack(list(columns.values()))).any(axis=1)
        for name, column in columns.items():
            _finite(column, f"{_PLURALS.get(name, name)} of {self.title}")
            object.__setattr__(self, name, frozen(column[~missing]))
        object.__setattr__(self, "n_missing", self.n_missing + int(missing.sum()))
        _enough(self)
        _increasing(self)

    @property
    def title(self) -> str:
        """How messages speak of the run."""
        return f"run {self.label!r}"

    def derivative_estimates(self, width: int) -> NDArray:
        """Derivatives ``(n, d)`` from stencils of at most `width` samples, segment by segment."""
        out = np.empty_like(self.states)
        for part in segments(self.time):
            size = part.stop - part.start
            if size == 1:
                raise InputError(_alone(self, part.start))
            out[part] = differentiate(self.time[part], self.states[part], min(width, size))
        return out

    def derivative_errors(self, width: int) -> NDArray:
        """Distance ``(n, d)`` of those estimates to stencils two samples narrower; all of it for two samples alone.

        A segment shorter than the stencil is compared with what is narrower than itself: otherwise both
        estimates would agree, and a coarse run would look exact.
        """
        estimate = self.derivative_estimates(width)
        out = np.empty_like(estimate)
        for part in segments(self.time):
            wide = min(width, part.stop - part.start)
            narrow = max(2, wide - 2)
            lower = differentiate(self.time[part], self.states[part], narrow) if narrow < wide else 0.0
            out[part] = np.abs(estimate[part] - lower)
        return out


def frozen(x: NDArray) -> NDArray:
    x.setflags(write=False)
    return x


def _numbers(x: ArrayLike, ndim: int, what: str) -> NDArray:
    try:
        out = np.array(x, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            explain(
                f"The {what} are not numbers.", given=str(error), expected="real numbers", fix="convert the columns"
            )
        ) from None
    if out.ndim != ndim:
        expected = "(n, d)" if ndim == 2 else "(n,)"
        fix = "states.reshape(-1, 1) for one coordinate" if ndim == 2 else "times.ravel()"
        raise InputError(explain(f"The {what} have a wrong shape.", given=str(out.shape), expected=expected, fix=fix))
    return out


def _controls(run: Run, n: int) -> NDArray:
    values = _numbers(run.controls, 1 if np.ndim(run.controls) == 1 else 2, f"controls of {run.title}")
    return np.tile(values, (n, 1)) if values.ndim == 1 else values


def _finite(x: NDArray, what: str) -> None:
    bad = np.flatnonzero(np.isinf(x if x.ndim == 2 else x[:, None]).any(axis=1))
    if bad.size:
        given = f"{bad.size} of {len(x)} rows, first at {', '.join(map(str, bad[:5].tolist()))}"
        fix = "drop these rows; NaN stands for a missing sample"
        raise InputError(explain(f"inf in the {what}.", given=given, expected="finite", fix=fix))


def _same_length(run: Run, time: NDArray, controls: NDArray, n: int) -> None:
    for what, column in (("times", time), ("controls", controls)):
        if len(column) != n:
            raise InputError(count_message(f"{what} of {run.title}", len(column), f"{n}, one for each state"))


def _enough(run: Run) -> None:
    n, d = run.states.shape
    if n < 2 or d < 1:
        given = f"{n} samples of {d} coordinates" + (f", {run.n_missing} missing (NaN)" if run.n_missing else "")
        fix = f"leave {run.title} out, or join it to the run it belongs to"
        raise InputError(explain(f"{run.title} is too small.", given=given, expected="2 or more of 1 or more", fix=fix))


def _same_shape(run: Run, derivatives: NDArray, states: NDArray) -> None:
    if derivatives.shape != states.shape:
        raise InputError(count_message(f"derivatives of {run.title}", derivatives.shape, f"{states.shape}"))


def _increasing(run: Run) -> None:
    steps = np.diff(run.time)
    bad = np.flatnonzero(steps <= 0)
    if not bad.size:
        return
    i = int(bad[0]) + 1
    kind = "repeat" if steps[i - 1] == 0 else "decrease"
    given = f"{bad.size} such rows, first row {i}: {run.time[i]:.12g} after {run.time[i - 1]:.12g}"
    fix = "drop duplicates, or name the column that tells the runs apart (group)"
    if kind == "decrease":
        fix = "sort the rows by time, or name the column that tells the runs apart (group)"
    raise InputError(explain(f"Times of {run.title} {kind}.", given=given, expected="increasing", fix=fix))


def _alone(run: Run, row: int) -> str:
    given = f"row {row} at time {run.time[row]:.12g}, with gaps on both sides"
    fix = "drop this row, or use increments(), which need no derivative"
    return explain(
        f"A sample of {run.title} stands alone.", given=given, expected="2 or more samples between gaps", fix=fix
    )


def count_message(what: str, given: object, expected: str) -> str:
    return explain(f"The {what} do not fit.", given=f"{given}", expected=expected, fix="pass arrays that agree")
