"""Where to measure next, so that an undecided generator is decided soonest; where to measure first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, UndecidedError, explain
from erlangen._progress import track
from erlangen._render import number, text_table
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction, affine, coordinate_names
from erlangen.derivative import LieDerivative, Samples, scales_of
from erlangen.evidence._arguments import as_action, check_space, count_of, generator_of
from erlangen.evidence._families import family_of
from erlangen.evidence._local import thinned
from erlangen.evidence._optimal import Design
from erlangen.evidence._repulsion import repeated_sample, stability
from erlangen.evidence.bilinear import Bilinear, bilinear, spectrum_of
from erlangen.evidence.estimate import Estimate, estimate
from erlangen.evidence.observed import Observed, observed
from erlangen.evidence.simultaneous import bounds_of
from erlangen.fields import AbstractField, AbstractLinearField, Trajectories, as_field
from erlangen.linalg.qr import rounding
from erlangen.verbs._measure import coefficients_of
from erlangen.verbs.symmetry import Symmetry

CANDIDATES = 1024
"""Points of the region that may be suggested."""

UNSEEN = 1e3
"""Standard deviation, in units of the values, of what no row has seen: as good as unknown."""

MEMBERS_NOISE = 0.1
"""Noise of a measurement, as a share of the members' typical disagreement: an ensemble does not say its own."""

RANGE = 128
"""Combinations of columns that are looked at first; most spaces are smaller."""

COMPARED = 8
"""Random sets of points that a suggestion is compared with."""


@dataclass(frozen=True, eq=False)
class Suggestion(AbstractShown):
    """Points to measure.

    Attributes
    ----------
    points : ndarray (n, d)
        Where; a point may be listed more than once, and is then worth measuring again.
    gain : float
        By which factor the error of the undecided generators is expected to fall: 2 halves it.
    before, after, random : float
        That error, as the part of a relative defect that is not known: now, with the points, and on average with as
        many random points of the region.
    undecided : tuple of str
        The generators in question.
    reason : str
        All of it in words.
    coordinates : tuple of str
        Names of the d coordinates.
    """

    points: NDArray
    gain: float
    before: float
    after: float
    random: float
    undecided: tuple[str, ...]
    reason: str
    coordinates: tuple[str, ...]

    def __str__(self) -> str:
        rows = [[number(float(v), 4) for v in row] for row in self.points]
        return f"{self.reason}\n{text_table(self.coordinates, rows)}"

    def __repr__(self) -> str:
        return f"<Suggestion of {len(self.points)} points, gain {self.gain:.2g}>"


@dataclass(frozen=True, eq=False)
class FreshDesign(AbstractShown):
    """Points to measure first.

    Attributes
    ----------
    points : ndarray (n, d)
        Where.
    weights : ndarray (n,)
        Weight of each in sums that stand for integrals over the region.
    stability : float
        ``|G - I|`` of the functions in question: a defect e measured with the weights is a defect between
        ``e / sqrt(1 + s)`` and ``e / sqrt(1 - s)`` on the region.
    n_functions : int
        Number m of independent functions among features and their Lie derivatives.
    reason : str
        The same in words.
    """

    points: NDArray
    weights: NDArray
    stability: float
    n_functions: int
    reason: str

    def __str__(self) -> str:
        return self.reason


def suggest_points(
    problem: Any,
    n: int,
    *,
    action: AbstractAction | Symmetry | None = None,
    samples: Samples | ArrayLike | None = None,
    generators: ArrayLike | AbstractAction | None = None,
    family: Any = None,
    kind: str | None = None,
    noise: str = "equal",
    alpha: float = 0.05,
    delta: float = 0.05,
    rng: int | np.random.Generator = 0,
) -> Suggestion:
    """Say where measuring next would most reduce the uncertainty of an undecided generator.

    For observations of a class that is linear in its parameters this is the design that minimises the mean square
    error of ``L_xi theta`` over the region, summed over the generators that are undecided: greedy choice and exchange
    among points of the region. Several models of the same thing, such as an ensemble or draws of a posterior, are read
    as that many samples of what is not known: points at which they say most about the disagreement of their Lie
    derivatives come first.

    Ask for as many points as will be measured: what is best for ten, measured fifty times each, is not best for 500.

    Parameters
    ----------
    problem : tuple (x, y), Observed, Trajectories, or a list of models
        What is known so far.
    n : int
        Number of points to suggest.
    action : AbstractAction or Symmetry, optional
        Candidate generators; all affine fields by default.
    samples : Samples or array (m, d), optional
        The region: where a symmetry is claimed and where one can measure; the observed points by default.
    generators : array (r, p) or AbstractAction, optional
        The generators to decide; by default those whose bounds have delta between them.
    family : AbstractLinearField, library or int, optional
        Class that holds the truth, see `certify`; chosen by the data by default.
    kind : {"invariant", "vector"}, optional
        How values follow points; must be said where c = d.
    noise : str
        Law of the noise, see `estimate`.
    alpha, delta : float
        Levels at which a generator counts as decided.
    rng : int or Generator
        Draws the random points of the comparison.

    Returns
    -------
    Suggestion
        The points, the gain that is expected of them, and the reason.

    Raises
    ------
    InputError
        Where problem, action and samples do not fit together.
    UndecidedError
        Where no linear class fits the observations, or models agree everywhere.

    References
    ----------
    Fedorov, Theory of Optimal Experiments, 1972 (linear optimality); MacKay, Neural Computation 4, 1992, 590.

    Examples
    --------
    >>> import erlangen as er
    >>> rng = np.random.default_rng(0)
    >>> x = rng.uniform(-1, 1, (60, 2)) * [1.0, 0.2]  # hardly anything is known across y = 0
    >>> y = (x**2).sum(axis=1) + 0.05 * rng.standard_normal(60)
    >>> square = er.Samples.box(-1, 1, dim=2)
    >>> found = suggest_points((x, y), 4, action=er.actions.rotation(2), samples=square, family=2)
    >>> bool(found.gain > 2), bool(abs(found.points[:, 1]).min() > 0.9)
    (True, True)
    """
    n, rng, action = count_of(n), generator_of(rng), as_action(action)
    if _is_data(problem):
        data = observed(problem, kind=kind)
        check_space(data.x.shape[1], _action(action, data.x.shape[1]), samples)
        return _of_class(
            data, n, _action(action, data.x.shape[1]), samples, generators, family, noise, alpha, delta, rng
        )
    if isinstance(problem, Sequence) and len(problem) > 1:
        return _of_members(problem, n, action, samples, generators, kind, rng)
    raise _bad(
        "This says nothing about its own uncertainty.",
        type(problem).__name__,
        "observations (x, y), or at least two models of the same thing",
        "suggest_points((x, y), 8), or suggest_points([model_1, model_2, ...], 8)",
    )


def fresh_points(
    family: AbstractLinearField,
    n: int,
    samples: Samples | ArrayLike,
    *,
    action: AbstractAction | None = None,
    rng: int | np.random.Generator = 0,
) -> FreshDesign:
    """Say where to measure first, when nothing is known but the class.

    Repeated samples of the projection process of all features and their Lie derivatives: points repel each other, and
    weighted sums over them are integrals over the region up to ``stability``, with far fewer points than independent
    ones need.

    Parameters
    ----------
    family : AbstractLinearField
        The class.
    n : int
        Number of points; ten for each function are as good as surely stable.
    samples : Samples or array (N, d)
        The region. Points are chosen among those given.
    action : AbstractAction, optional
        Candidate generators; all affine fields by default.
    rng : int or Generator
        Draws the points.

    Returns
    -------
    FreshDesign
        Points, weights, and how stable sums over them are.

    References
    ----------
    Nouy, Michel, "Weighted least-squares approximation with determinantal point processes and generalized volume
    sampling", 2023; Cohen, Migliorati, SMAI J. Comput. Math. 3, 2017, 181 (weights).

    Examples
    --------
    >>> import erlangen as er
    >>> line = er.Samples.box(-1, 1, dim=1)
    >>> found = fresh_points(er.fields.polynomial_field(1, 9, np.zeros(10)), 100, line)
    >>> found.n_functions, found.points.shape, bool(found.stability < 0.5)
    (10, (100, 1), True)
    """
    region = samples if isinstance(samples, Samples) else Samples.from_data(samples)
    n, rng = count_of(n), generator_of(rng)
    region = thinned(region, 4 * CANDIDATES, rng)
    basis = _functions(family, affine(family.point_dim) if action is None else action, region)
    m = basis.shape[1]
    rows = repeated_sample(basis, n, rng)
    christoffel = np.einsum("nm,nm->n", basis, basis)
    weights = m / (n * christoffel)[rows]  # in the weighted basis; those of the functions themselves follow
    s = stability(basis, rows, weights)
    reach = "a null space may be missed: take more points"
    if s < 1:
        reach = f"a measured defect e is between {(1 + s) ** -0.5:.2g} e and {(1 - s) ** -0.5:.2g} e on the region"
    reason = f"{n} points for {m} functions, |G - I| = {s:.2g}: {reach}"
    return FreshDesign(region.points[rows], weights * region.weights[rows], s, m, reason)


def _functions(family: AbstractLinearField, action: AbstractAction, region: Samples) -> NDArray:
    """Orthonormal basis ``(N, m)`` of the features and their Lie derivatives over the weighted points of a region."""
    zero = family.with_theta(np.zeros(family.n_params))
    tensor = LieDerivative(zero, action, region.pointwise()).tensor().reshape(len(region), -1)
    features = family.features(region.points).reshape(len(region), -1) * np.sqrt(region.weights)[:, None]
    columns = np.hstack([features, tensor])
    columns = columns[:, np.abs(columns).max(axis=0) > 0]
    columns = columns / np.linalg.norm(columns, axis=0)
    width, rng = RANGE, np.random.default_rng(0)
    while True:  # as many random combinations as there are functions span all of them
        some = columns if width >= columns.shape[1] else columns @ rng.normal(size=(columns.shape[1], width))
        u, s, _ = np.linalg.svd(some, full_matrices=False)
        kept = s > s[0] * rounding(columns.shape)
        if not kept.all() or width >= columns.shape[1]:
            return u[:, kept]
        width *= 4


def _of_class(
    data: Observed,
    n: int,
    action: AbstractAction,
    samples: Samples | ArrayLike | None,
    generators: ArrayLike | AbstractAction | None,
    given: Any,
    noise: str,
    alpha: float,
    delta: float,
    rng: np.random.Generator,
) -> Suggestion:
    chosen = family_of(given, data, rng)
    if chosen is None:
        raise UndecidedError(
            explain(
                "No class of polynomials fits these observations.",
                given=f"{len(data)} rows",
                expected="a class that is linear in its parameters, or several models",
                fix="suggest_points([model_1, model_2, ...], n, action=action, samples=samples)",
            )
        )
    region = _region(samples, data.x)
    fit = estimate(chosen.family, data.x, data.y, noise=noise, weights=data.weights, groups=data.groups)
    both = bilinear(chosen.family, action, region)
    xi, undecided = _undecided(both, fit, action, generators, alpha, delta)
    size = np.linalg.norm(both.size @ fit.theta @ xi.T, axis=0) if both.size.size else np.ones(len(xi))
    lies = [both.lie_of(row) / max(s, np.finfo(float).tiny) for row, s in zip(xi, size, strict=True)]
    candidates = thinned(region, CANDIDATES, rng).points
    features = chosen.family.features(candidates)
    unit = UNSEEN * float(np.sqrt(np.mean(data.y**2)) + fit.sigma.max())
    covariance = fit.covariance + unit**2 * fit.null @ fit.null.T
    design = Design(covariance, np.sum([a.T @ a for a in lies], axis=0), features, fit.sigma**2)
    names = data.names or coordinate_names(data.x.shape[1])
    # Digits beyond the third are not known, and nobody reads them.
    texts = tuple(action.describe(np.round(row / row[np.argmax(np.abs(row))], 3) + 0.0, names) for row in xi)
    return _suggestion(design, candidates, n, texts, undecided, names, rng)


def _undecided(
    both: Bilinear,
    fit: Estimate,
    action: AbstractAction,
    generators: ArrayLike | AbstractAction | None,
    alpha: float,
    delta: float,
) -> tuple[NDArray, bool]:
    """The generators to decide, as rows ``(r, p)``, and whether they are undecided."""
    named = generators is not None
    rows = _rows(action, generators) if generators is not None else spectrum_of(both, fit.theta).basis.T
    if len(rows) == 0:
        raise UndecidedError("No candidate generator moves anything that varies in the region.")
    radius, listed = fit.radius(alpha), []
    for row in rows:
        listed.append(bounds_of(both, fit, row, radius))
        if not named and listed[-1][0] > delta:  # in ascending order: those that follow are refuted, too
            break
    bounds, rows = np.array(listed), rows[: len(listed)]
    open_ = (bounds[:, 0] <= delta) & (bounds[:, 1] > delta)
    if open_.any():
        return rows[open_], True
    if named:
        return rows, False
    # All are decided: narrow the one whose bound is nearest to delta.
    return rows[[int(np.argmin(np.abs(np.log(np.maximum(bounds[:, 1], np.finfo(float).tiny) / delta))))]], False


def _of_members(
    problem: Sequence[Any],
    n: int,
    action: AbstractAction | Symmetry | None,
    samples: Samples | ArrayLike | None,
    generators: ArrayLike | AbstractAction | None,
    kind: str | None,
    rng: np.random.Generator,
) -> Suggestion:
    if samples is None:
        raise _bad("Models need a region.", "no samples", "samples", "samples=er.Samples.box(-1, 1, dim=2)")
    region = _region(samples, np.zeros((0, 0)))
    chosen = _action(action, region.dim)
    fields = [as_field(model, kind=kind, dim=region.dim, points=region.points) for model in problem]
    rows = np.eye(chosen.n_generators) if generators is None else _rows(chosen, generators)
    candidates = thinned(region, CANDIDATES, rng)
    values, lies = _deviations(fields, chosen.restrict(rows.T), candidates)
    spread = values.var(axis=2, ddof=1).mean(axis=0)
    if not np.any(lies) or not np.any(spread):
        raise UndecidedError("The models agree on these generators everywhere: their disagreement says nothing.")
    covariance = np.eye(len(fields)) / (len(fields) - 1)
    noise = np.maximum(MEMBERS_NOISE**2 * spread, np.finfo(float).tiny)
    names = coordinate_names(region.dim)
    texts = tuple(chosen.describe(row, names) for row in rows)
    return _suggestion(Design(covariance, lies.T @ lies, values, noise), candidates.points, n, texts, True, names, rng)


def _deviations(fields: Sequence[AbstractField], action: AbstractAction, region: Samples) -> tuple[NDArray, NDArray]:
    """Values ``(N, c, E)`` and relative Lie derivatives ``(m, E)`` of E models, each less their mean."""
    values = np.stack([field.value(region.points) for field in fields], axis=2)
    first = LieDerivative(fields[0], action, region.pointwise())
    scales = scales_of(fields[0], first.lifted, region)
    parts, sizes = [], []
    for field in track(fields, "models"):
        lie = replace(first, field=field)
        parts.append(lie.rows(region.points) / scales.values[:, None] * np.sqrt(region.weights)[:, None, None])
        sizes.append(lie.informs(scales).norms(np.eye(action.n_generators)))
    size = np.sqrt(np.mean(np.square(sizes), axis=0))
    rows = np.stack([(part / np.where(size > 0, size, 1.0)).ravel() for part in parts], axis=1)
    return values - values.mean(axis=2, keepdims=True), rows - rows.mean(axis=1, keepdims=True)


def _suggestion(
    design: Design,
    candidates: NDArray,
    n: int,
    texts: tuple[str, ...],
    undecided: bool,
    names: tuple[str, ...],
    rng: np.random.Generator,
) -> Suggestion:
    rows = design.best(n)
    before, after = design.error(design.covariance), design.error(design.after(rows))
    blind = [design.error(design.after(rng.integers(0, len(candidates), n))) for _ in range(COMPARED)]
    random = float(np.mean(blind))
    what = texts[0] if len(texts) == 1 else f"{len(texts)} generators"
    state = "undecided" if undecided else "decided already; the nearest to delta"
    reason = (
        f"{what} ({state}): the unknown part of the relative defect is {number(before, 2)}; these {n} points are "
        f"expected to make it {number(after, 2)}, as many random ones {number(random, 2)}"
    )
    gain = before / max(after, np.finfo(float).tiny)
    return Suggestion(candidates[rows], gain, before, after, random, texts, reason, names)


def _rows(action: AbstractAction, generators: ArrayLike | AbstractAction) -> NDArray:
    if isinstance(generators, AbstractAction):
        unit = np.eye(generators.n_generators)
        return np.array([coefficients_of(action, generators.restrict(e[:, None])) for e in unit])
    return np.array([coefficients_of(action, row) for row in np.atleast_2d(np.asarray(generators, dtype=np.float64))])


def _is_data(problem: Any) -> bool:
    pair = isinstance(problem, (tuple, list)) and len(problem) == 2 and all(np.ndim(part) > 0 for part in problem)
    return pair or isinstance(problem, (Observed, Trajectories))


def _action(action: AbstractAction | Symmetry | None, d: int) -> AbstractAction:
    if isinstance(action, Symmetry):
        return action.action
    return affine(d) if action is None else action


def _region(samples: Samples | ArrayLike | None, x: NDArray) -> Samples:
    if isinstance(samples, Samples):
        return samples
    return Samples.from_data(x if samples is None else samples)


def _bad(what: str, given: str, expected: str, fix: str) -> InputError:
    return InputError(explain(what, given=given, expected=expected, fix=fix))
