"""Checks of what `conserved` is given, each with a line that says what to do."""

from __future__ import annotations

from collections.abc import Sequence

from erlangen._errors import InputError, explain, nearest
from erlangen.dynamics.poisson import PhaseSpace
from erlangen.fields.libraries import Features
from erlangen.fields.trajectories import Trajectories


def enough_samples(flow: Trajectories, features: Features) -> None:
    """Refuse data with fewer than two steps for each function: some combination is constant by chance."""
    steps = len(flow.points) - flow.n_runs
    if steps < 2 * features.size:
        raise InputError(
            explain(
                "There are too few samples for this library.",
                given=f"{len(flow.points)} samples in {flow.n_runs} runs ({steps} steps), {features.size} functions",
                expected=f"at least {2 * features.size} steps, two for each function",
                fix="take more samples, or a smaller library such as Polynomial(degree=1)",
            )
        )


def phase_space(
    names: tuple[str, ...], positions: Sequence[str] | None, momenta: Sequence[str] | None
) -> PhaseSpace | None:
    """Conjugate pairs, where any are declared."""
    if positions is None and momenta is None:
        return None
    return PhaseSpace(names, tuple(positions or ()), tuple(momenta or ()))


def unit_blocks(
    names: tuple[str, ...], units: Sequence[Sequence[str]] | None, space: PhaseSpace | None
) -> tuple[tuple[int, ...], ...]:
    """Columns that share a unit; a column in none stands alone."""
    if units is None:
        units = [space.positions, space.momenta] if space else []
    used = [name for block in units for name in block]
    for name in used:
        if name not in names or used.count(name) > 1:
            close = nearest(name, names)
            raise InputError(
                explain(
                    "The units do not fit the columns.",
                    given=repr(name) + (" twice" if used.count(name) > 1 else ""),
                    expected=f"each at most once of {', '.join(names[:12])}",
                    fix=f"did you mean {close!r}?" if close else "units=[[...], [...]]",
                )
            )
    single = [(j,) for j, name in enumerate(names) if name not in used]
    return (*(tuple(names.index(name) for name in block) for block in units if len(block)), *single)
