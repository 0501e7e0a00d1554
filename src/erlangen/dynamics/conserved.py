"""Find what trajectories, or equations of motion, conserve."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.derivative import Samples
from erlangen.dynamics._assembled import algebra_of, generators_of, laws_of
from erlangen.dynamics._change import AbstractChange, AlongFlow, Forms, Increments, Spectrum, accumulate, solve
from erlangen.dynamics._conserved_field import conserved_by_field
from erlangen.dynamics._evidence import (
    Ground,
    drifting,
    freedom,
    independent_count,
    separable,
    split_products,
    words_on_coverage,
)
from erlangen.dynamics._input import enough_samples, phase_space, unit_blocks
from erlangen.dynamics._law import Law, secular
from erlangen.dynamics._steady import Fixed, compare, formulas_beside, steadied
from erlangen.dynamics._system_input import read_system
from erlangen.dynamics.laws import ConservedQuantities
from erlangen.dynamics.poisson import PhaseSpace
from erlangen.fields.libraries import AbstractLibrary, Polynomial
from erlangen.fields.trajectories import Trajectories
from erlangen.linalg.rank import AbstractRankRule, Threshold, dimension_path

__all__ = ["AlongFlow", "Increments", "conserved"]

_log = logging.getLogger(__name__)

_NEGLIGIBLE = 0.001
"""Defects below this part of the limit are not worth another term in a formula."""
_ACCURATE = 0.01
"""Estimated velocities are used where their error is below this part of the limit: then they are as good as known."""


def conserved(
    trajectories: Trajectories | Any,
    library: AbstractLibrary | None = None,
    *,
    samples: Samples | ArrayLike | None = None,
    rule: AbstractRankRule | None = None,
    positions: Sequence[str] | None = None,
    momenta: Sequence[str] | None = None,
    units: Sequence[Sequence[str]] | None = None,
    change: AbstractChange | None = None,
) -> ConservedQuantities:
    """Find functions that are constant along trajectories, or along the flow of given equations.

    For ``h = c . phi`` with phi the functions of the library, the change of h along the flow is compared with the
    change along velocities of other samples of the same run: a relative defect of 1 is what an unrelated function
    gives, 0 is a conserved quantity. Functions whose gradient is normal to all velocities of each run, such as a
    total momentum, change by neither; they are laws where runs differ in them. Set apart are functions that drift
    over whole runs, have the same value in every run, or are polynomials in others.

    Equations need no runs to compare: a function whose derivative along F vanishes at scattered points is conserved.
    Where F and the library are polynomials with rational coefficients, rational arithmetic counts the laws beside.

    Parameters
    ----------
    trajectories : Trajectories, or what `symmetries` accepts
        Runs of one system, which all weigh the same; or an `Equations`, a fitted model, a mapping such as
        ``{"x": "y", "y": "-x"}``, a field or a function.
    library : AbstractLibrary, optional
        Functions to combine, such as ``Polynomial(degree=2) + Expressions("1/sqrt(x**2+y**2+z**2)")``; by default all
        polynomials of degree 2.
    samples : Samples or array (n, d), optional
        Where equations are looked at; polynomial ones need none.
    rule : AbstractRankRule, optional
        How many defects count as zero; by default those up to 0.05, and of equations that are given rather than
        fitted only rounding.
    positions, momenta : sequence of str, optional
        Conjugate coordinates. With them the Poisson algebra is named and each law gets its symmetry generator.
    units : sequence of sequences of str, optional
        Columns that share a unit; by default positions together and momenta together, else each column alone.
    change : AbstractChange, optional
        `AlongFlow` or `Increments`. By default the derivative along the flow where velocities are known, or can be
        estimated to a hundredth of the limit; increments within runs otherwise, which need no derivative.

    Returns
    -------
    ConservedQuantities
        The laws with their evidence, and what the data cannot decide.

    Raises
    ------
    InputError
        Where names are not columns, a formula of the library is not finite on the data, or there are fewer than two
        steps for each function of the library: then some combination is constant by chance.

    References
    ----------
    E. Kaiser, J. N. Kutz and S. L. Brunton, "Discovering conservation laws from data for control", CDC 2018, for
    null spaces of derivatives along the flow on a library.

    Examples
    --------
    >>> from erlangen.fields.libraries import Polynomial
    >>> t = np.linspace(0, 9, 200)
    >>> runs = [np.c_[a * np.cos(t + b), -a * np.sin(t + b)] for a, b in ((1, 0), (2, 1), (3, 2), (4, 4))]
    >>> flow = Trajectories.from_arrays(runs, t, names=["q", "p"])
    >>> conserved(flow, Polynomial(degree=2)).laws[0].text
    'q^2 + p^2'
    >>> conserved({"q": "p", "p": "-q**3"}, Polynomial(degree=4)).laws[0].text
    'p^2 + 0.5 q^4'
    """
    if not isinstance(trajectories, Trajectories):
        read = read_system(trajectories, samples)
        return conserved_by_field(read, _library(library), rule, positions, momenta, units)
    rule = rule or Threshold()
    space = phase_space(trajectories.names, positions, momenta)
    features = _library(library).bind(trajectories.names)
    blocks = unit_blocks(trajectories.names, units, space)
    limit = (rule if isinstance(rule, Threshold) else Threshold()).delta
    enough_samples(trajectories, features)
    flow = steadied(trajectories, limit)
    change = change or _default_change(flow, blocks, limit)
    forms = accumulate(flow, features, change, blocks)
    spectrum = solve(forms)
    forms = replace(forms, least=spectrum.least)
    decision = rule.decide(spectrum.values, spectrum.floor)
    _log.debug("%d functions on %d samples: %s", len(features.texts), len(flow.points), decision.reason)
    ground = Ground(flow, features, blocks, limit)
    constants, drifts, whole = _still(ground, forms, spectrum.vectors[:, : decision.dim], change)
    floor = max(spectrum.floor, _NEGLIGIBLE * limit)
    kinds, fixed = compare(ground, spectrum, floor)
    formulas = formulas_beside(ground, forms, constants, kinds, floor)
    laws = laws_of(ground, forms, formulas)
    slow = [
        replace(law, verdict=_slow(whole.defect(law.function), limit))
        for law in laws_of(ground, forms, formulas_beside(ground, forms, drifts, kinds, floor, formulas))
    ]
    tolerance = min(max(10 * max((law.defect for law in (*laws, *fixed.laws)), default=0.0), 1e-6), limit)
    found = _weigh(ground, forms, spectrum, laws, fixed, slow, tolerance, space, f"{change.words}: {decision.reason}")
    return replace(found, delta=limit if isinstance(rule, Threshold) else None)


def _weigh(
    ground: Ground,
    forms: Forms,
    spectrum: Spectrum,
    found: list[Law],
    fixed: Fixed,
    slow: list[Law],
    tolerance: float,
    space: PhaseSpace | None,
    reason: str,
) -> ConservedQuantities:
    """Sort the constants, say what is not decided, and name what they form."""
    runs, linear = ground.flow.n_runs, len(found)
    enough = runs >= linear + 2
    relations = [law for law in found if enough and (law.variance_ratio or 0.0) > ground.limit]
    rest = [law for law in found if not any(law is one for one in relations)]
    laws, products = split_products(ground, [*fixed.laws, *rest], tolerance)
    open_words: list[str] = []
    columns = [law for law in fixed.laws if law.text in ground.flow.parameters()]
    if fixed.saturated or (fixed.laws and runs < len(laws) - len(columns) + 2):
        fixed = fixed.only(columns)
        doubtful = split_products(ground, [*columns, *fixed.silent], tolerance)[0][len(columns) :]
        open_words = [fixed.words([law.text for law in doubtful], runs)] if doubtful else []
        laws, products = split_products(ground, [*fixed.laws, *rest], tolerance)
    moving = [law for law in laws if law not in fixed.laws]
    undecided, decided = _doubts(ground, forms, moving, len(rest), enough, tolerance)
    laws = [_judged(law, law in moving, enough, ground) for law in laws]
    relations = [replace(law, verdict=_unconfirmed(law)) for law in relations]
    decided = decided and not open_words
    algebra = algebra_of(ground, laws, space, spectrum, tolerance) if space and laws and decided else None
    return ConservedQuantities(
        names=ground.flow.names,
        n_runs=runs,
        n_samples=len(ground.flow.points),
        n_laws=independent_count(ground, laws, tolerance),
        linear_dim=linear + len(fixed.laws),
        laws=tuple(laws),
        dependent=tuple(products),
        relations=(*relations, *fixed.relations),
        drifting=tuple(slow),
        spectrum=spectrum.values,
        floor=spectrum.floor,
        path=tuple(dimension_path(spectrum.values, spectrum.floor)),
        reason=reason + fixed.reason,
        decided=decided,
        undecided=(*undecided, *open_words),
        notes=tuple(words_on_coverage(ground, [law.text for law in fixed.silent])),
        poisson=algebra,
        generators=generators_of(ground, laws, space),
    )


def _library(library: AbstractLibrary | None) -> AbstractLibrary:
    if library is not None and not isinstance(library, AbstractLibrary):
        raise InputError(
            explain(
                "The library must say which functions to combine.",
                given=f"a {type(library).__name__}",
                expected="Polynomial, Expressions or a sum of them",
                fix='er.fields.Polynomial(degree=2) + er.fields.Expressions("1/sqrt(x**2+y**2)")',
            )
        )
    return Polynomial(degree=2) if library is None else library


def _doubts(
    ground: Ground, forms: Forms, laws: list[Law], count: int, enough: bool, tolerance: float
) -> tuple[list[str], bool]:
    """Say what the data do not decide, and whether they decide which laws there are."""
    words, decided = [], True
    if laws and not enough:
        runs = ground.flow.n_runs
        words.append(
            f"{count} constant{'s' if count > 1 else ''} on {runs} run{'s' if runs > 1 else ''}: no comparison of runs "
            f"confirms {'them' if count > 1 else 'it'} (that needs two more runs than constants, {count + 2} here)"
        )
        directions, rank = freedom(ground, laws, tolerance)
        decided = rank < directions - 1
        words.append(_on_freedom(directions, rank))
    for law in laws:
        term = separable(forms, law, laws, ground.limit)
        if term is not None:
            decided = False
            words.append(
                f"{term[0]} and the rest of {law.text} are constant separately (defect {term[1]:.2g}; {law.defect:.2g} "
                f"together): at the limit {ground.limit:g} the data do not decide which combination is the law. Runs "
                "on which these parts vary would, or a smaller delta"
            )
    return words, decided


def _on_freedom(directions: int, rank: int) -> str:
    many = "s leave" if rank > 1 else " leaves"
    head = (
        f"a run moves in {directions} direction{'s' if directions > 1 else ''} and {rank} independent constant{many} "
    )
    if rank >= directions - 1:
        return (
            head + "only a curve: any closed orbit has so many. The data do not decide which of these functions, or "
            "which combinations of them, hold for other runs"
        )
    return head + f"{directions - rank} of them free: no orbit closes by these functions, which speaks for laws"


def _judged(law: Law, moving: bool, enough: bool, ground: Ground) -> Law:
    if moving:
        return replace(law, verdict=_verdict(law, enough) + secular(law, ground.flow))
    if law.text in ground.flow.parameters():
        return replace(law, verdict="conserved: a column that never changes within a run: a parameter or a momentum")
    return replace(law, verdict="conserved: every run moves normal to its gradient, and runs differ in it")


def _verdict(law: Law, enough: bool) -> str:
    if law.variance_ratio is None:
        return "constant along the run; no other run to compare"
    if not enough:
        return "constant along each run; too few runs to confirm"
    return "conserved: constant along each run, different between runs"


def _unconfirmed(law: Law) -> str:
    if (law.variance_ratio or 0.0) > 0.5:
        return "the same value in every run: a relation, not counted"
    return "hardly differs between runs: not confirmed, not counted"


def _still(ground: Ground, forms: Forms, vectors: NDArray, change: AbstractChange) -> tuple[NDArray, NDArray, Forms]:
    """Constants, drifts, and the forms of increments over whole runs that tell them apart."""
    if isinstance(change, Increments):
        return vectors, vectors[:, :0], forms
    whole = accumulate(ground.flow, ground.features, Increments(), ground.blocks)
    return *drifting(whole, vectors, ground.limit), whole


def _slow(defect: float, limit: float) -> str:
    if defect <= limit:
        return f"changes by {defect:.2g} over whole runs, and more beside the laws above: not counted"
    return f"slow, but drifts by {defect:.2g} over whole runs: not counted"


def _default_change(flow: Trajectories, blocks: tuple[tuple[int, ...], ...], limit: float) -> AbstractChange:
    if flow.derivatives is not None:
        return AlongFlow()
    if any(len(run.time) < 8 for run in flow.runs):
        return Increments()
    errors = np.sqrt(np.mean(flow.derivative_errors() ** 2, axis=0))
    speeds = np.sqrt(np.mean(flow.derivative_estimates() ** 2, axis=0))
    moving = [list(b) for b in blocks if np.linalg.norm(speeds[list(b)]) > 0]
    worst = max((float(np.linalg.norm(errors[b]) / np.linalg.norm(speeds[b])) for b in moving), default=np.inf)
    return AlongFlow() if worst <= _ACCURATE * limit else Increments()
