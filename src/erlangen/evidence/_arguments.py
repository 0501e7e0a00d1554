"""Reading the arguments of the public verbs: what was meant, or the line that mends it."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sized
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, UndecidedError, explain
from erlangen.actions import AbstractAction, linear
from erlangen.algebra import Group
from erlangen.derivative import Samples
from erlangen.evidence.observed import Observed
from erlangen.fields import Trajectories
from erlangen.verbs import Symmetry

P = ParamSpec("P")
R = TypeVar("R")


def as_action(given: Any) -> Any:
    """Generators on points: an action or a Symmetry as they are, the linear action of a group."""
    if given is None or isinstance(given, (AbstractAction, Symmetry)):
        return given
    if isinstance(given, Group):
        return _of_group(given)
    matrices = isinstance(given, (np.ndarray, list, tuple))
    told = f"an array of shape {np.shape(given)}" if isinstance(given, np.ndarray) else repr(given)[:60]
    raise InputError(
        explain(
            "Generators are given as an action or a symmetry.",
            given=told,
            expected="an action such as er.actions.rotation(2), a continuous group, or a Symmetry",
            fix="er.actions.linear(matrices)" if matrices else "er.actions.rotation(2), or er.actions.affine(2)",
        )
    )


def group_action(given: Any) -> AbstractAction:
    """Generators of a group that was named beforehand: a Symmetry was not."""
    if given is not None and not isinstance(given, Symmetry):
        return as_action(given)
    raise InputError(
        explain(
            "A group that is tested must be named.",
            given="no action" if given is None else "a Symmetry, which was found in data",
            expected="an action, or a group",
            fix="er.evidence.test_group((x, y), er.actions.rotation(2)), or er.evidence.certify(sym)",
        )
    )


def count_of(n: Any, what: str = "n") -> int:
    """Read a number of points."""
    if isinstance(n, (int, np.integer)) and not isinstance(n, bool) and n >= 1:
        return int(n)
    raise InputError(
        explain(
            "A number of points is a whole number.",
            given=f"{what} = {n!r}",
            expected="an integer of at least 1",
            fix=f"{what}=100",
        )
    )


def _of_group(group: Group) -> AbstractAction:
    if len(group.lie_algebra):
        return linear(group.lie_algebra)
    raise InputError(
        explain(
            "A finite group has no generators to take derivatives along.",
            given=f"the group {group.name}",
            expected="an action, or a continuous group such as er.groups.SO(2)",
            fix="er.evidence.test_elements((x, y), group.discrete)",
        )
    )


def check_space(d: int, action: AbstractAction | None, samples: Samples | ArrayLike | None) -> None:
    """Refuse candidates or a region on another space than the observations, which are in R^d."""
    if action is not None and action.point_dim != d:
        raise InputError(
            explain(
                "The candidates act on another space than the points.",
                given=f"generators on R^{action.point_dim}, points in R^{d}",
                expected=f"generators on R^{d}",
                fix=f"er.actions.affine({d})",
            )
        )
    points = samples.points if isinstance(samples, Samples) else samples
    if points is not None and (np.ndim(points) != 2 or np.shape(points)[1] != d):
        raise InputError(
            explain(
                "The region lies in another space than the points.",
                given=f"samples of shape {np.shape(points)}, points in R^{d}",
                expected=f"samples in R^{d}",
                fix=f"er.Samples.box(-1, 1, dim={d})",
            )
        )


def generator_of(rng: int | np.random.Generator) -> np.random.Generator:
    """Read a seed."""
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError):
        raise InputError(
            explain(
                "This is no seed.",
                given=f"rng = {rng!r}",
                expected="an integer that is not negative, or numpy.random.default_rng(seed)",
                fix="rng=0",
            )
        ) from None


def rows_counted(verb: Callable[P, R]) -> Callable[P, R]:
    """Let a verb that splits rows tell the caller's number of rows where there are too few of them."""

    @functools.wraps(verb)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return verb(*args, **kwargs)
        except UndecidedError as error:
            n = _rows(args[0] if args else kwargs.get("problem"))
            raise UndecidedError(_told(str(error), n)) from error

    return run


_COUNT = re.compile(r"\b(\d+) (?:independent )?(?:rows|points)\b")


def _told(message: str, n: int | None) -> str:
    """The message, with all rows beside those of the part that was too small, and what the verb takes."""
    lines = message.split("\n")
    for i, line in enumerate(lines):
        found = _COUNT.search(line) if line.startswith("  given:") else None
        if found and n is not None and int(found[1]) < n:
            lines[i] = f"{line} ({n} rows in all: some of them choose, others test)"
        if "degree=2" in line:
            lines[i] = (
                "  fix:      family=4, the degree of the truth where you know it; "
                "samples=er.Samples.box(low, high) inside the data; or more rows"
            )
    return "\n".join(lines)


def _rows(problem: Any) -> int | None:
    if isinstance(problem, Observed):
        return len(problem)
    if isinstance(problem, Trajectories):
        return sum(len(run.states) for run in problem.runs)
    pair = isinstance(problem, (tuple, list)) and len(problem) == 2
    return len(problem[0]) if pair and isinstance(problem[0], Sized) else None
