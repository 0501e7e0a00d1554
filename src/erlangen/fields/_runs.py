"""One run of a trajectory: samples of states at increasing times, and the checks that make it valid."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from erlangen._errors import InputError, explain
from erlangen.fields._differences import differentiate, segments


@dataclass(frozen=True, eq=False)
class Run:
    """One uninterrupted observation: at least two samples, finite, at increasing times.

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

    Raises
    ------
    InputError
        Where shapes disagree, a number is not finite, there is one sample, or times repeat or decrease.
    """

    label: Hashable
    time: NDArray
    states: NDArray
    derivatives: NDArray | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "time", _numbers(self.time, 1, f"times of {self.title}"))
        object.__setattr__(self, "states", _numbers(self.states, 2, f"states of {self.title}"))
        if self.derivatives is not None:
            object.__setattr__(self, "derivatives", _numbers(self.derivatives, 2, f"derivatives of {self.title}"))
            _same_shape(self)
        _same_length(self)
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
    bad = np.flatnonzero(~np.isfinite(out.reshape(len(out), -1)).all(axis=1))
    if bad.size:
        given = f"{bad.size} of {len(out)} rows, first at {', '.join(map(str, bad[:5].tolist()))}"
        raise InputError(explain(f"NaN or inf in the {what}.", given=given, expected="finite", fix="drop these rows"))
    return frozen(out)


def _same_length(run: Run) -> None:
    n, d = run.states.shape
    if len(run.time) != n:
        raise InputError(count_message(f"times of {run.title}", len(run.time), f"{n}, one for each state"))
    if n < 2 or d < 1:
        given = f"{n} samples of {d} coordinates"
        fix = f"leave {run.title} out, or join it to the run it belongs to"
        raise InputError(explain(f"{run.title} is too small.", given=given, expected="2 or more of 1 or more", fix=fix))


def _same_shape(run: Run) -> None:
    if run.derivatives is not None and run.derivatives.shape != run.states.shape:
        raise InputError(count_message(f"derivatives of {run.title}", run.derivatives.shape, f"{run.states.shape}"))


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
