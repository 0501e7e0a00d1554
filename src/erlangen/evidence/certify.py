"""Certify: is a symmetry real? Bounds of true defects with error control, and the reasons to doubt them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, UndecidedError, explain
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction, affine
from erlangen.algebra import Group
from erlangen.derivative import Samples
from erlangen.evidence import _modes
from erlangen.evidence._arguments import as_action, check_space, generator_of, rows_counted
from erlangen.evidence._centred import centred
from erlangen.evidence._copies import with_gate, without_copies
from erlangen.evidence._families import family_of, name_of, with_margin
from erlangen.evidence._large import MOST_COLUMNS, large_answer
from erlangen.evidence._measured import ByGenerators, ByTensors
from erlangen.evidence._on_data import narrowed
from erlangen.evidence._report import region_text, report
from erlangen.evidence._reuse import found_elsewhere
from erlangen.evidence._task import Task
from erlangen.evidence.bilinear import Bilinear, Denominator, bilinear
from erlangen.evidence.certificate import Bound, Certificate, Gate
from erlangen.evidence.gates import reach
from erlangen.evidence.observed import Observed, observed
from erlangen.fields import Trajectories
from erlangen.verbs import Symmetry
from erlangen.verbs._measure import coefficients_of

MODES = ("held-out", "simultaneous", "calibrated", "class-free", "model")


@rows_counted
def certify(
    problem: Any,
    action: AbstractAction | Group | Symmetry | None = None,
    samples: Samples | NDArray | None = None,
    *,
    family: Any = None,
    alpha: float = 0.05,
    delta: float = 0.05,
    mode: str | None = None,
    model: Any = None,
    kind: str | None = None,
    generators: ArrayLike | AbstractAction | Group | Symmetry | None = None,
    noise: str | None = None,
    groups: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    defect: Denominator = "product",
    rng: int | np.random.Generator = 0,
) -> Certificate:
    """Bound the true defects of symmetries, and say at which dimension the data decide.

    A generator is certified where an upper confidence bound of its true relative defect is at most ``delta``: the
    probability of certifying anything that is not there is at most ``alpha``. Noise makes bounds wide; it can
    never make a symmetry.

    Parameters
    ----------
    problem : tuple (x, y), Observed, Trajectories, Symmetry, or anything that ``as_field`` accepts
        Observations, which are about the truth behind them; what ``discover`` returned; or a model, about itself.
    action : AbstractAction, Group or Symmetry, optional
        Candidate generators; all affine fields by default. A group stands for its generators, a Symmetry
        for the candidates it was found among: its own generators were chosen by its data.
    samples : Samples or ndarray (n, d), optional
        Region in which the symmetry is claimed; the points of the observations by default.
    family : AbstractLinearField, library or int, optional
        Class that holds the truth: a degree, a library of functions, a field. Chosen from the first part of the
        data by default.
    alpha, delta : float
        Error probability, and relative defect up to which a generator counts as a symmetry.
    mode : {"held-out", "simultaneous", "calibrated", "class-free", "model"}, optional
        ``"held-out"`` (default for observations in a linear class): one part of the rows chooses, the other tests;
        exact in finite samples. ``"simultaneous"`` (default for what ``discover`` found in a table): one confidence
        set for everything. ``"calibrated"``: all rows, radius by simulation, asymptotic. ``"class-free"`` (default
        where no polynomial class fits): cross-fitted moments with any model. ``"model"`` (default for models).
    model : optional
        For ``"class-free"``: what is fitted to the folds, see `erlangen.evidence.class_free`; giving one chooses
        this mode.
    kind : {"invariant", "vector"}, optional
        How values follow points; must be said where c = d.
    generators : array (r, p), AbstractAction, Group or Symmetry, optional
        Generators named beforehand: then nothing has to be chosen. A Symmetry must have been found in other data.
    noise : {"equal", "components", "known", "robust", "grouped", "blocks"}, optional
        Law of the noise: one variance, one for each channel, known variances (``weights``), any variances, runs that
        are each fitted for itself, or dependent blocks; see `erlangen.evidence.estimate`. ``"blocks"`` where runs are
        known, else ``"equal"``.
    groups, weights : array_like (n,), optional
        Run of each row; weight of each row (1 / variance).
    names : sequence of str, optional
        Names of the coordinates.
    defect : {"product", "bracket"}
        Denominator of the defect; the second one is for comparison with published numbers.
    rng : int or Generator
        Splits rows, draws simulations.

    Returns
    -------
    Certificate
        Certified dimension and generators, the dimension as a function of delta with its band, gates and words.

    Raises
    ------
    InputError
        When the problem, the mode or the numbers cannot be used.
    UndecidedError
        When there are too few rows for the class, or the tensors are too large.

    References
    ----------
    Berger, Technometrics 24 (1982) 295 (intersection-union tests, for mode held-out).
    Kendiukhov, "Certified symmetry discovery", sections 2.4 and 4.2 (one confidence set, for mode simultaneous).

    Examples
    --------
    >>> import numpy as np
    >>> import erlangen as er
    >>> rng = np.random.default_rng(0)
    >>> x = rng.uniform(-1, 1, (2000, 2))
    >>> y = (x**2).sum(axis=1) + 0.01 * rng.standard_normal(2000)
    >>> found = er.evidence.certify((x, y), er.actions.affine(2), er.Samples.box(-1, 1, dim=2), family=2)
    >>> found.dim, found.bounds[0].text
    (1, 'x d/dy - y d/dx')
    """
    start = time.perf_counter()
    _check(alpha, delta, mode)
    rng = generator_of(rng)
    if isinstance(problem, Symmetry):
        from erlangen.evidence._symmetries import certify_symmetry

        return certify_symmetry(problem, alpha, delta, mode, rng)
    if mode == "model" or not _is_data(problem):
        from erlangen.evidence.model_claims import model_certificate

        _no_data(mode)
        if isinstance(generators, Symmetry):  # fresh points of a model are other data than any
            action, generators = generators, generators.found.matrix()
        chosen = None if generators is None else _coefficients(generators, _action(action))
        return model_certificate(
            problem, _action(action), samples, generators=chosen, alpha=alpha, delta=delta, kind=kind, rng=rng
        )
    data, copied = without_copies(observed(problem, kind=kind, names=names, groups=groups, weights=weights))
    offered = _action(action) or affine(data.x.shape[1])
    check_space(data.x.shape[1], offered, samples)
    region = _region(samples, data)
    if isinstance(generators, Symmetry):
        offered, named = generators.candidates, found_elsewhere(generators, data)
    else:
        named = None if generators is None else _coefficients(generators, offered)
    chosen_family = (
        None if mode == "class-free" or (mode is None and model is not None) else family_of(family, data, rng)
    )
    told, rejected = [], None
    for linear in () if chosen_family is None else with_margin(chosen_family, data):
        law = noise or _noise(data)
        task = Task(data, linear.family, offered, region, alpha, delta, law, named, linear.rows, rng)
        found = _of_class(task, mode or "held-out", defect, start)
        if linear.rows is None or not (failed := _misfit(found)):
            return with_gate(copied, replace(found, notes=(*told, *found.notes)))
        told.append(f"the class that was tried, {name_of(linear.family)}, was left: {failed.reason}")
        rejected = rejected or found
    if mode not in (None, "class-free"):
        return with_gate(copied, rejected) if rejected is not None else _no_class(mode, len(data))
    free = _without_class(data, offered, region, model, named, alpha, delta, rng, tuple(told), rejected)
    return with_gate(copied, free)


def _misfit(found: Certificate) -> Gate | None:
    """The gate that rejects the class, if one does."""
    return next((g for g in found.gates if g.name.startswith("lack of fit") and g.binding and not g.passed), None)


def _no_class(mode: str, rows: int) -> NoReturn:
    """A mode that was asked for is never replaced by another in silence."""
    raise UndecidedError(
        explain(
            "No polynomial class fits these observations, and the mode that was asked for needs one.",
            given=f"mode = {mode!r}, {rows} rows, no family",
            expected="a class that holds the truth, or a mode that needs none",
            fix='mode="class-free", or family=library',
        )
    )


def _without_class(
    data: Observed,
    action: AbstractAction,
    samples: Samples,
    model: Any,
    named: NDArray | None,
    alpha: float,
    delta: float,
    rng: np.random.Generator,
    notes: tuple[str, ...],
    rejected: Certificate | None,
) -> Certificate:
    """Certify without a class; where that cannot be done, what a class said before it was rejected."""
    from erlangen.evidence.weak_moments import class_free

    try:
        found = class_free(data, action, samples, model=model, generators=named, alpha=alpha, delta=delta, rng=rng)
    except UndecidedError as error:
        if rejected is None:
            raise
        return replace(rejected, notes=(*rejected.notes, f"without a class: {error}"))
    if rejected is None:
        return found
    return replace(found, notes=(*notes, "no class was left that fits: nothing is assumed of one", *found.notes))


def _of_class(task: Task, mode: str, defect: Denominator, start: float) -> Certificate:
    """Certify in a linear class; far from the origin in coordinates from the middle of the data."""
    near = centred(task.family, task.action, task.data.x, task.samples)
    if near is not None:
        moved = replace(task, data=replace(task.data, x=near.x), action=near.action, samples=near.samples)
        return _as_asked(_of_class(moved, mode, defect, start), task)
    whole = _tensors(task, defect)
    if whole is None:
        answer, lean = large_answer(task, mode)
        return report(task, ByGenerators(lean, answer), answer, time.perf_counter() - start)
    task, both, left_out = narrowed(task, whole)
    answer = _modes.MODES[mode](task, both)
    answer = replace(answer, notes=(*left_out, *answer.notes))
    return report(task, ByTensors(both, answer), answer, time.perf_counter() - start)


def _as_asked(found: Certificate, task: Task) -> Certificate:
    """A certificate from coordinates around the data, in the words of the task."""

    def told(bounds: tuple[Bound, ...]) -> tuple[Bound, ...]:
        return tuple(replace(b, text=task.action.describe(b.xi, found.coordinates)) for b in bounds)

    if found.candidates.n_generators != task.action.n_generators:  # what was left out is named from there
        note = "coordinates are counted from the middle of the data, which is far from the origin"
        return replace(found, notes=(*found.notes, note))
    return replace(
        found,
        bounds=told(found.bounds),
        trivial=told(found.trivial),
        candidates=task.action,
        region=region_text(task.samples, found.coordinates),
        gates=tuple(reach(task.data.x, task.samples) if g.name == "range of the data" else g for g in found.gates),
    )


def _tensors(task: Task, defect: Denominator) -> Bilinear | None:
    """Tensors over all candidates and parameters; None where they would be too large."""
    if task.action.n_generators * task.family.n_params > MOST_COLUMNS:
        return None
    try:
        return bilinear(task.family, task.action, task.samples, defect=defect)
    except UndecidedError:
        return None


def _check(alpha: float, delta: float, mode: str | None) -> None:
    if not (0.0 < alpha < 1.0 and 0.0 < delta < 1.0):
        raise InputError(
            explain(
                "Error probability and tolerance lie between 0 and 1.",
                given=f"alpha = {alpha}, delta = {delta}",
                expected="0 < alpha < 1 and 0 < delta < 1 (a relative defect of 1 is an unrelated direction)",
                fix="er.evidence.certify(problem, alpha=0.05, delta=0.05)",
            )
        )
    if mode is not None and mode not in MODES:
        raise InputError(
            explain(
                "There is no such mode.", given=f"mode = {mode!r}", expected=", ".join(MODES), fix='mode="held-out"'
            )
        )


def _is_data(problem: Any) -> bool:
    pair = isinstance(problem, (tuple, list)) and len(problem) == 2 and all(np.ndim(part) > 0 for part in problem)
    return pair or isinstance(problem, (Observed, Trajectories))


def _no_data(mode: str | None) -> None:
    if mode not in (None, "model"):
        raise InputError(
            explain(
                "A model has no noise to test against.",
                given=f"mode = {mode!r} for a model",
                expected="observations (x, y), or mode='model': a claim about the model itself",
                fix=f'er.evidence.certify((x, y), action, samples, mode="{mode}")',
            )
        )


def _action(action: AbstractAction | Group | Symmetry | None) -> AbstractAction | None:
    """The candidates; for a Symmetry those it was found among, since its own generators may know the data."""
    return action.candidates if isinstance(action, Symmetry) else as_action(action)


def _coefficients(generators: ArrayLike | AbstractAction | Group, action: AbstractAction | None) -> NDArray:
    if isinstance(generators, Group):
        generators = as_action(generators)
    if isinstance(generators, AbstractAction):
        if action is None:
            action = affine(generators.point_dim)
        unit = np.eye(generators.n_generators)
        return np.array([coefficients_of(action, generators.restrict(e[:, None])) for e in unit])
    rows = np.atleast_2d(np.asarray(generators, dtype=np.float64))
    if action is None:
        return rows
    return np.array([coefficients_of(action, row) for row in rows])


def _region(samples: Samples | NDArray | None, data: Observed) -> Samples:
    if samples is None:
        return Samples.from_data(data.x)
    return samples if isinstance(samples, Samples) else Samples.from_data(samples)


def _noise(data: Observed) -> str:
    if data.groups is None:
        return "equal"
    return "blocks"  # runs of their own fits need each run to visit everything; blocks do not
