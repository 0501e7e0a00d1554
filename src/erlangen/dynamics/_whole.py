"""Equations from whole trajectories, or in weak form, inside fields with a symmetry where there is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from scipy import linalg, sparse

from erlangen._columns import DataWarning
from erlangen._errors import UndecidedError, explain, warn
from erlangen._progress import carried, keeping, track
from erlangen._typing import NDArray
from erlangen.actions import affine
from erlangen.derivative import Samples
from erlangen.dynamics._library import Candidates
from erlangen.dynamics._report import ORDER, SymmetryTest, ordered, symmetry_test, unexplained, verdict
from erlangen.dynamics._slopes import slopes_from, smoothed_by
from erlangen.dynamics._structured import hamiltonian_fields, homogeneous, volume_preserving
from erlangen.dynamics._symmetric import Found, about, enforced, generators_of, promoted
from erlangen.dynamics.poisson import PhaseSpace
from erlangen.dynamics.shooting.discovery import Discovered, discover_terms, in_order, numbers_of
from erlangen.dynamics.shooting.flow import Columns
from erlangen.dynamics.shooting.observed import Record
from erlangen.dynamics.shooting.records import records
from erlangen.dynamics.smoothing import Smoothed
from erlangen.dynamics.units import Units
from erlangen.fields.trajectories import Trajectories
from erlangen.verbs import promote as promote_

DISCOVER = "discover"
"""Asks for whatever symmetry the data have."""

DEPENDENT = 1e-10
"""Part of a function outside the simpler ones below which it is one of them: rounding, many times."""


PROBES = 4
"""Points for each function at which functions are compared."""


@dataclass(frozen=True, eq=False)
class Chosen:
    """A sparse field of a family.

    Attributes
    ----------
    theta, errors : ndarray (d, r)
        Coefficients and their standard errors.
    space : Found
        The fields that were chosen from.
    reason : str
        Why these terms.
    residuals : ndarray (m, d)
        What is left of the samples, in standard deviations.
    index : ndarray (m, 2)
        Run and sample of each.
    noise : ndarray (d,) or None
        Root mean square of the noise.
    misfit : ndarray (d,) or None
        Its ratio to that of smoothing.
    rivals : tuple of (str, float)
        Other equations, and how much worse they are.
    test : SymmetryTest or None
        How much the data speak against an enforced symmetry.
    unexplained : str
        What is left beyond the noise.
    discovered : Discovered or None
        The search; None where there was nothing to search.
    """

    theta: NDArray
    errors: NDArray
    space: Found
    reason: str
    residuals: NDArray
    index: NDArray
    noise: NDArray | None = None
    misfit: NDArray | None = None
    rivals: tuple[tuple[str, float], ...] = ()
    test: SymmetryTest | None = None
    unexplained: str = ""
    discovered: Discovered | None = None


@dataclass(frozen=True, eq=False)
class Data:
    """Runs as a search takes them.

    Attributes
    ----------
    flow : Trajectories
    smoothed : Smoothed
    records : list of Record
    d : int
        Number of states; controls come after them.
    """

    flow: Trajectories
    smoothed: Smoothed
    records: list[Record]
    d: int

    @classmethod
    def of(cls, flow: Trajectories, method: str) -> Data:
        """Smooth, and take apart where samples are missing."""
        smoothed = smoothed_by(flow, method)
        return cls(flow, smoothed, records(flow, smoothed), len(flow.names))

    @property
    def points(self) -> NDArray:
        """Smoothed states and controls ``(n, d + u)``."""
        return np.concatenate([np.concatenate([r.smooth, r.inputs], axis=1) for r in self.records])


def whole_form(
    found: Candidates, data: Data, symmetry: Any, acting: Any, form: str, sparsity: Any, weight: float
) -> Chosen:
    """The sparse field whose solutions pass through the data.

    ``symmetry`` is enforced, or its defect has a weight; generators of ``acting`` are kept where the data do not speak
    against them.
    """
    independent, dropped = independent_columns(found, data)
    plain = Found(_identity(data.d, len(found.texts), independent), "")
    samples = None if found.polynomial else Samples.from_data(data.points)
    if symmetry is not None and np.isfinite(weight):
        chosen = _softly(found, data, symmetry, plain, form, sparsity, weight)
    elif isinstance(symmetry, PhaseSpace):
        chosen = _chosen(found, data, hamiltonian_fields(found, plain.basis, data.points, symmetry), form, sparsity)
        chosen = _tested(found, data, plain, form, sparsity, chosen)
    elif isinstance(symmetry, Units):
        names = (*data.flow.names, *data.flow.controls)
        chosen = _chosen(found, data, homogeneous(found, plain.basis, data.points, symmetry, names), form, sparsity)
        chosen = _tested(found, data, plain, form, sparsity, chosen)
    elif symmetry is not None:
        space = _of_states(enforced(found.field, symmetry, samples), data.d, len(found.texts))
        chosen = _chosen(found, data, space, form, sparsity)
        chosen = _tested(found, data, plain, form, sparsity, chosen)
    else:
        chosen = _chosen(found, data, plain, form, sparsity)
        if acting is not None and chosen.discovered is not None:
            with keeping("the comparison of symmetries") as kept:
                kept.keep(partial(_noted, chosen), 0)
                spaces = _spaces(found, data, acting, plain)
                chosen = _most_likely(found, data, spaces, chosen, form, sparsity)
    if symmetry is None and chosen.discovered is not None and sparsity == "bic":
        _refuse_nothing(chosen, data)
    left = (
        ""
        if chosen.misfit is None or chosen.noise is None
        else unexplained(data.flow.names, chosen.misfit, chosen.noise / _spread(data))
    )
    if left:
        fix = "other functions (library=), the missing columns, or denser samples; residuals_ shows where"
        warn(f"{left[0].upper()}{left[1:]}.", fix=fix, category=DataWarning)
    said = "; ".join(part for part in (dropped, chosen.space.reason, chosen.reason, left) if part)
    return replace(chosen, reason=said, unexplained=left, rivals=_rivals(found, chosen, data))


def _spread(data: Data) -> NDArray:
    spread = data.flow.points.std(axis=0)
    return np.where(spread > 0, spread, 1.0)


def _refuse_nothing(chosen: Chosen, data: Data) -> None:
    """Refuse to say that nothing moves where samples have an order that noise does not have."""
    if chosen.theta.any():
        return
    chance = ordered(chosen.residuals, chosen.index)
    if chance.min() > ORDER:
        return
    name = data.flow.names[int(np.argmin(chance))]
    raise UndecidedError(
        explain(
            "No equation explains these samples, and they are more than noise.",
            given=f"samples of {name} with an order that noise has with probability {chance.min():.2g}",
            expected="several samples to a turn, and functions that occur in the equations",
            fix="denser samples, or another library",
        )
    )


def _rivals(found: Candidates, chosen: Chosen, data: Data) -> tuple[tuple[str, float], ...]:
    """Which terms other equations drop and add."""
    if chosen.discovered is None or not chosen.discovered.rivals:
        return ()
    atoms = chosen.space.basis.T.reshape(-1, data.d, len(found.texts))
    mine = set(chosen.discovered.fit.support)
    out = []
    for support, score in chosen.discovered.rivals:
        dropped, added = mine - set(support), set(support) - mine
        words = [f"without {_name(atoms[j], found, data)}" for j in sorted(dropped)]
        words += [f"with {_name(atoms[j], found, data)}" for j in sorted(added)]
        out.append((", ".join(words), score - chosen.discovered.score))
    return tuple(out)


def _name(atom: NDArray, found: Candidates, data: Data) -> str:
    """The terms of an atom."""
    at = np.argwhere(atom != 0)
    return " and ".join(f"{found.texts[j] or '1'} in {data.flow.names[a]}'" for a, j in at)


def _softly(
    found: Candidates, data: Data, symmetry: Any, plain: Found, form: str, sparsity: Any, weight: float
) -> Chosen:
    """Fields whose Lie derivatives, relative to the velocities, have a weight in the cost.

    For a field that is linear in its coefficients this is a quadratic form in them, so it costs a few rows.
    """
    free = _chosen(found, data, plain, form, sparsity)
    samples = about(found.field, data.points)
    lie = promote_(found.field, generators_of(found.field, symmetry, samples), samples, inner="relative")
    dense = lie.map.matrix.toarray() if sparse.issparse(lie.map.matrix) else np.asarray(lie.map.matrix)
    n = sum(record.states.size for record in data.records)
    speed = float(np.sqrt(np.mean((np.nan_to_num(_unchecked(found, data.points)) @ free.theta.T) ** 2)))
    rows = np.sqrt(weight * n) / (speed or 1.0) * dense[:, : plain.basis.shape[0]] @ plain.basis
    triangle = np.asarray(np.linalg.qr(rows, mode="r"))
    chosen = _chosen(found, data, plain, form, sparsity, free, triangle)
    defect = float(np.linalg.norm(dense[:, : plain.basis.shape[0]] @ chosen.theta.ravel())) / (speed or 1.0)
    text = f"the symmetry has weight {weight:g}: what breaks it is {defect:.2g} of the velocities"
    return replace(chosen, space=replace(chosen.space, reason=text))


def _chosen(
    found: Candidates,
    data: Data,
    space: Found,
    form: str,
    sparsity: Any,
    like: Chosen | None = None,
    penalty: NDArray | None = None,
) -> Chosen:
    """Search one space; with the noise and the windows of another search where one is given."""
    shape = (data.d, len(found.texts))
    if space.basis.shape[1] == 0:
        zero, rest = np.zeros(shape), np.concatenate([r.states / r.sizes for r in data.records])
        none = "no field of the library but zero is symmetric"
        return Chosen(zero, zero, space, none, rest, numbers_of(data.records))
    atoms = np.ascontiguousarray(space.basis.T.reshape(-1, *shape))
    known = None if like is None else like.discovered
    with carried(Discovered, lambda result, _: _read(result, found, data, space, atoms, form)):
        result = discover_terms(data.records, found.basis, atoms, found.orders, form, sparsity, known, penalty)
    return _read(result, found, data, space, atoms, form)


def _read(result: Discovered, found: Candidates, data: Data, space: Found, atoms: NDArray, form: str) -> Chosen:
    """What a search found, as a field with errors and residuals."""
    shape = (data.d, len(found.texts))
    theta = np.tensordot(result.z, atoms, 1)
    used = atoms[list(result.fit.support)].reshape(-1, theta.size)
    errors = np.sqrt(np.maximum(np.einsum("kt,kl,lt->t", used, result.covariance, used), 0.0)).reshape(shape)
    residuals, index = in_order(result)
    noise, smooth = _noise(result.records), _noise(data.records)
    scatter = np.full(data.d, result.variance) if result.scatter is None else result.scatter
    misfit = noise / smooth if result.length else np.sqrt(scatter)
    said = "; ".join(part for part in (result.note, _words(result, len(atoms), form)) if part)
    return Chosen(
        theta, np.where(theta != 0, errors, 0.0), space, said, residuals, index, noise, misfit, discovered=result
    )


def _noise(records: Sequence[Record]) -> NDArray:
    """Root mean square of the noise of samples ``(d,)``, which is larger than that of averages over bins."""
    return np.sqrt(np.mean(np.concatenate([record.sizes**2 * record.averaged for record in records]), axis=0))


def _words(result: Discovered, count: int, form: str) -> str:
    n, mean = result.problem.win.n_observed, result.fit.cost / max(result.problem.win.n_observed, 1)
    text = f"{len(result.fit.support)} of {count} terms, the likeliest at a price of log n and their names each"
    if form == "weak":
        return f"{text}, in weak form"
    longest = result.problem.win.time.shape[1]
    return (
        f"{text}; solutions over up to {longest} samples leave {np.sqrt(mean):.3g} standard deviations of {n} numbers"
    )


def _tested(found: Candidates, data: Data, plain: Found, form: str, sparsity: Any, chosen: Chosen) -> Chosen:
    """With how much the data speak against what was enforced."""
    with keeping("the test of the symmetry") as kept:
        kept.keep(partial(_noted, chosen), 0)
        return _against(found, data, plain, form, sparsity, chosen)


def _noted(chosen: Chosen, note: str) -> Chosen:
    return replace(chosen, reason="; ".join(part for part in (note, chosen.reason) if part))


def _against(found: Candidates, data: Data, plain: Found, form: str, sparsity: Any, chosen: Chosen) -> Chosen:
    # Inside a wrong symmetry all that it cannot follow counts as noise, under which nothing else is found either: the
    # search without it has windows and noise of its own.
    free = _chosen(found, data, plain, form, sparsity)
    if chosen.discovered is not None:
        return replace(chosen, test=symmetry_test(chosen, free, np.nan_to_num(_unchecked(found, data.points))))
    if free.discovered is None:
        return chosen
    problem = free.discovered.problem
    still = problem.fit((), np.zeros(0), problem.win.start)
    return replace(chosen, test=verdict(still.cost - free.discovered.score, float(free.theta.any())))


def _spaces(found: Candidates, data: Data, acting: Any, plain: Found) -> list[Found]:
    """Fields that keep some of the generators; all affine ones, and volume, where it is to be discovered."""
    slopes = slopes_from(data.flow, data.smoothed, None)
    if acting != DISCOVER:
        return promoted(found.field, acting, slopes, data.flow.names)
    spaces = promoted(found.field, affine(found.field.point_dim), slopes, data.flow.names)
    return [*spaces, volume_preserving(found, plain.basis, data.points)]


def _most_likely(
    found: Candidates, data: Data, spaces: list[Found], chosen: Chosen, form: str, sparsity: Any
) -> Chosen:
    """Of the fields that keep something, those with the best score; else all."""
    base = _chosen(found, data, chosen.space, form, sparsity, chosen)
    total, tried = None, []
    for space in track(spaces, "comparison of symmetries"):
        nothing = space.symmetry is None and space.broken_rank is not None
        total = space.broken_rank if nothing else total
        if nothing or space.basis.shape[1] == 0:
            continue
        trial = _chosen(found, data, space, form, sparsity, chosen)
        if trial.discovered is not None:
            price = space.n_fitted * np.log(sum(r.states.size * r.averaged for r in data.records))
            tried.append((trial.discovered.score + price, trial))
    assert base.discovered is not None
    best = min(tried, key=lambda item: item[0], default=(np.inf, base))
    if best[0] > base.discovered.score:
        none = "no symmetry survives: fields without one explain the data better"
        return replace(chosen, space=replace(chosen.space, broken_rank=total, reason=none))
    gained = f"the survivors gain {base.discovered.score - best[0]:.3g} in score; {best[1].space.reason}"
    broken = best[1].space.broken_rank
    kept = gained if broken is None else f"{broken} of {total} generators are broken: {gained}"
    return replace(best[1], space=replace(best[1].space, reason=kept))


def _identity(d: int, r: int, columns: NDArray) -> NDArray:
    """Coefficients ``(d r, k)`` of the chosen functions, each coordinate for itself."""
    return np.eye(d * r).reshape(d * r, d, r)[:, :, columns].reshape(d * r, -1)


def _of_states(space: Found, d: int, r: int) -> Found:
    """Fields under which the controls, which come after the d states, stand still; without the rows of controls."""
    still = space.basis[d * r :]
    if not still.size:
        return space
    inside = linalg.null_space(still) if still.any() else np.eye(space.basis.shape[1])
    return replace(space, basis=space.basis[: d * r] @ inside)


def independent_columns(found: Candidates, data: Data) -> tuple[NDArray, str]:
    """Functions that can be told apart, simpler ones first, and which were left out.

    Raises
    ------
    UndecidedError
        Where there are fewer samples than functions.
    """
    values = _unchecked(found, data.points)
    # Squares are summed: a function that is too large for them is of no more use than an infinite one.
    top = np.sqrt(np.finfo(np.float64).max / max(values.size, 1))
    finite: NDArray = np.asarray((np.abs(values) < top).all(axis=0))
    if not finite[1:].any():
        found.check_finite(data.points)
    if len(values) < finite.sum():
        raise _too_few(values[:, finite], data)
    # Dependent as functions, and not only on curves through these data: compared between the data and the origin.
    low, high = np.minimum(data.points.min(axis=0), 0.0), np.maximum(data.points.max(axis=0), 0.0)
    drawn = np.random.default_rng(0).uniform(low, high, (PROBES * values.shape[1], len(low)))
    order = np.argsort(found.orders, kind="stable")
    order = order[finite[order]]
    probes = _unchecked(found, drawn)[:, order]
    probes = probes[np.isfinite(probes).all(axis=1)]
    largest = np.abs(probes).max(axis=0, initial=0.0)
    probes = probes / np.where(largest > 0, largest, 1.0)  # squares of large values would overflow
    lengths = np.linalg.norm(probes, axis=0)
    left: NDArray = np.array(np.linalg.qr(probes / np.where(lengths > 0, lengths, 1.0), mode="r"))
    kept = []
    for j in range(len(order)):
        size = np.linalg.norm(left[:, j])
        if size > DEPENDENT or len(probes) < len(order):
            kept.append(j)
            unit = left[:, j] / (size or 1.0)
            left[:, j + 1 :] -= np.outer(unit, unit @ left[:, j + 1 :])
    chosen = np.sort(order[kept])
    return chosen, _left_out(found, finite, set(chosen.tolist()))


def _unchecked(found: Candidates, x: NDArray) -> NDArray:
    """Values of all functions, finite or not."""
    with np.errstate(all="ignore"):
        return Columns.of(found.basis, np.arange(found.basis.size)).evaluate(x)


def _left_out(found: Candidates, finite: NDArray, kept: set[int]) -> str:
    """Which functions are not used, and why; said by a warning too."""
    odd = [found.texts[j] for j in np.flatnonzero(~finite)]
    lost = [found.texts[j] or "1" for j in np.flatnonzero(finite) if j not in kept]
    parts = [f"left out, since its squares are not finite on these data: {', '.join(odd)}"] if odd else []
    parts += [f"left out, since simpler functions make it up on these data: {', '.join(lost)}"] if lost else []
    if parts:
        text = "; ".join(parts)
        fix = "nothing, where the simpler ones will do; else another library, or runs that start elsewhere"
        warn(f"{text[0].upper()}{text[1:]}.", fix=fix)
    return "; ".join(parts)


def _too_few(values: NDArray, data: Data) -> UndecidedError:
    n, r = values.shape
    condition = np.linalg.cond(values / np.maximum(np.linalg.norm(values, axis=0), np.finfo(np.float64).tiny))
    return UndecidedError(
        explain(
            "There are too few samples for so many functions.",
            given=f"{n} samples of {data.d} states, for {r} functions (condition number {condition:.3g})",
            expected=f"at least {r} samples, and some more to tell noise from terms",
            fix="more samples or runs, a lower degree, or a symmetry= that ties coefficients",
        )
    )
