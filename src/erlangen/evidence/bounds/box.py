"""The verb: bound how far a symmetry is broken anywhere on a box, with proof."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain
from erlangen._progress import keeping, track
from erlangen._typing import NDArray
from erlangen.derivative import Samples
from erlangen.derivative.measures import BoxMeasure
from erlangen.evidence.bounds.branch import Sandwich, search
from erlangen.evidence.bounds.finite import orbit_hull
from erlangen.evidence.bounds.objective import objective
from erlangen.evidence.bounds.result import BoxCertificate


def bound(
    obj: Any,
    action: Any,
    box: ArrayLike | Samples,
    *,
    ratio: float = 1.05,
    seconds: float = 10.0,
    below: float | None = None,
    angle: float = 0.0,
    kind: str | None = None,
    variables: Sequence[str] | None = None,
    progress: bool | Callable[[BoxCertificate], None] = False,
    rng: int | np.random.Generator = 0,
) -> BoxCertificate:
    """Bound ``|Df(x) xi(x) - tau_xi f(x)|`` over a box from above and below, with proof.

    The bound holds for every point of the box, not for samples. Enclosures (natural interval, first- and second-order
    Taylor with all remainders bounded) are refined by branch and bound; the result is valid whenever it stops. With
    several generators it holds for every combination of them with coefficients of norm 1.

    Parameters
    ----------
    obj : str, Formula, SymPy expression, PolynomialField, torch.nn.Module, or a list of formulas or expressions
        f. Modules are read by their weights: Sequential, or what torch.fx can trace, of linear layers, smooth
        activations, relu and arithmetic. Where f has kinks, the derivative is any between those of the sides.
    action : AbstractAction, Symmetry, or array (d, d) or (p, d, d)
        Generators: polynomial vector fields, or matrices. An output representation or ``kind`` says how values move.
    box : array (d, 2) or Samples.box
        Lower and upper end of each coordinate: ``[(-1, 1), (-1, 1)]``.
    ratio : float
        Stop when the upper bound is at most this many times the lower one.
    seconds : float
        Stop after this time.
    below : float, optional
        Stop as soon as it is decided whether the supremum is at most this.
    angle : float
        Enlarge the box, so that the orbits of its points up to this angle stay inside (see `BoxCertificate.finite`).
    kind : {"invariant", "vector", "map"}, optional
        How values follow points, where there are as many values as coordinates.
    variables : sequence of str, optional
        Coordinates of expressions, in order; by default x, y, z (x1 .. xd beyond three).
    progress : bool or callable
        True shows both bounds while they close; a function receives the certificate so far.
    rng : int or numpy.random.Generator
        For points that are tried for the lower bound.

    Returns
    -------
    BoxCertificate
        Both bounds, and where the lower one is reached.

    Raises
    ------
    InputError
        Where the box is none, or f holds something for which no bound is known: the message names it.
    Interrupted
        On Ctrl-C, with the certificate so far in ``partial``: it is proven, and looser.

    References
    ----------
    R. E. Moore, R. B. Kearfott, M. J. Cloud, *Introduction to Interval Analysis*, SIAM 2009, chapters 6 and 8.
    Z. Shi et al., Efficiently computing local Lipschitz constants of neural networks via bound propagation,
    NeurIPS 2022 (Clarke derivatives by bound propagation).

    Examples
    --------
    >>> import erlangen as er
    >>> c = er.evidence.bound("x**2 + 1.01*y**2", er.actions.rotation(2), [(-1, 1), (-1, 1)])
    >>> bool(0.02 <= c.upper <= 0.021)
    True
    """
    state = None
    steps = bound_steps(
        obj, action, box, ratio=ratio, below=below, angle=angle, kind=kind, variables=variables, rng=rng
    )
    with _shown(progress) as show, keeping("the bound over the box") as kept:
        for state in steps if progress else track(steps, "rounds of boxes"):
            kept.keep(state.stopped, kept.done + 1)
            show(state)
            if state.reason or state.seconds > seconds:
                break
    return state.stopped(f"the {seconds:g} s were over")  # pyright: ignore[reportOptionalMemberAccess]


def bound_steps(
    obj: Any,
    action: Any,
    box: ArrayLike | Samples,
    *,
    ratio: float = 1.05,
    below: float | None = None,
    angle: float = 0.0,
    kind: str | None = None,
    variables: Sequence[str] | None = None,
    rng: int | np.random.Generator = 0,
) -> Iterator[BoxCertificate]:
    """Yield ever tighter certificates, each of them valid; the arguments are those of `bound`.

    Parameters
    ----------
    obj : str, Formula, SymPy expression, PolynomialField, torch.nn.Module, or a list of them
        f.
    action : AbstractAction, Symmetry, or array (d, d) or (p, d, d)
        Generators.
    box : array (d, 2) or Samples.box
        Lower and upper end of each coordinate.
    ratio : float
        Stop when the upper bound is at most this many times the lower one.
    below : float, optional
        Stop as soon as it is decided whether the supremum is at most this.
    angle : float
        Enlarge the box, so that the orbits of its points up to this angle stay inside.
    kind : {"invariant", "vector", "map"}, optional
        How values follow points.
    variables : sequence of str, optional
        Names of the coordinates of formulas, in order.
    rng : int or numpy.random.Generator
        For points that are tried for the lower bound.

    Yields
    ------
    BoxCertificate
        The last one says in ``reason`` why there is nothing more to do.

    Raises
    ------
    InputError
        Where the box is none, or f holds something for which no bound is known: the message names it.

    References
    ----------
    R. E. Moore, R. B. Kearfott, M. J. Cloud, *Introduction to Interval Analysis*, SIAM 2009, chapters 6 and 8; more at
    `bound`.

    Examples
    --------
    >>> import erlangen as er
    >>> steps = er.evidence.bound_steps("tanh(x + 2*y)", er.actions.rotation(2), [(-1, 1), (-1, 1)], ratio=1.01)
    >>> bounds = [c.upper for c in steps]
    >>> bounds == sorted(bounds, reverse=True)
    True
    """
    wall, cpu = time.perf_counter(), time.process_time()
    corners = _corners(box)
    goal = objective(obj, action, corners.shape[1], kind, variables)
    whole = corners if angle == 0 else orbit_hull(goal.action, corners, angle)

    def certificate(state: Sandwich, reason: str) -> BoxCertificate:
        spent = time.perf_counter() - wall, time.process_time() - cpu
        return BoxCertificate(goal, state, corners, whole, abs(angle), below, *spent, reason)

    if goal.enclosure is None:
        nothing = Sandwich(0.0, 0.0, whole.mean(axis=0), 0, 0)
        yield certificate(nothing, "zero by exact arithmetic, without a box")
        return
    floor = None
    for state in search(goal, whole, ratio, below, np.random.default_rng(rng)):
        made = certificate(state, _reason(state, ratio, below))
        if not made.reason and made.ratio > 1 / RESOLUTION:  # a symmetry that is exact: lower bounds are rounding
            floor = RESOLUTION * made.typical if floor is None else floor
            if state.upper <= floor:
                made = made.stopped(f"the bound is below {RESOLUTION:.0e} of an unrelated direction")
        yield made
        if made.reason:
            return


RESOLUTION = 1e-9
"""A bound this small beside an unrelated direction is not made smaller: no network in float32 keeps symmetry better."""


def _reason(state: Sandwich, ratio: float, below: float | None) -> str:
    if below is not None and state.upper <= below:
        return f"the bound is at most {below:g}"
    if below is not None and state.lower > below:
        return f"a point above {below:g} was found"
    if state.upper <= ratio * state.lower:
        return f"both bounds are within a factor of {ratio:g}"
    return "" if state.waiting else "no box can be divided further"


def _corners(box: Any) -> NDArray:
    if isinstance(box, Samples) and isinstance(box.measure, BoxMeasure):
        box = np.stack([box.measure.low, box.measure.high], axis=1)
    try:
        ends = np.asarray(box, dtype=np.float64)
        given = str(ends.tolist()) if ends.size <= 12 else f"an array of shape {ends.shape}"
    except (TypeError, ValueError):
        ends, given = np.zeros((0, 0)), f"a {type(box).__name__}"
    if ends.ndim != 2 or np.shape(ends)[1:] != (2,) or not np.isfinite(ends).all() or (ends[:, 0] > ends[:, 1]).any():
        raise InputError(
            explain(
                "This is no box.",
                given=given,
                expected="one pair (low, high) of finite numbers per coordinate, or er.Samples.box(low, high)",
                fix="box=[(-1, 1), (-1, 1)]",
            )
        )
    return np.ascontiguousarray(ends.T)


# --- what is seen while it runs


@dataclass(eq=False)
class _shown:
    """Pass each certificate to whoever wants to see it."""

    progress: bool | Callable[[BoxCertificate], None]

    def __enter__(self) -> Callable[[BoxCertificate], None]:
        if callable(self.progress):
            return self.progress
        if not self.progress:
            return lambda _: None
        from rich.console import Console

        self.status = Console(stderr=True).status("bounding ...")
        self.status.start()
        return lambda c: self.status.update(
            f"between {c.lower:.4g} and {c.upper:.4g} after {c.boxes} boxes, {c.seconds:.1f} s"
        )

    def __exit__(self, *_: object) -> None:
        if self.progress is True:
            self.status.stop()
