"""Discover: which generators leave this field alone? The null space of xi -> L_xi f."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import linalg

from erlangen._errors import InputError, explain
from erlangen._progress import carried
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction, affine, coordinate_names
from erlangen.blocks import in_blocks
from erlangen.derivative import AbstractSamples, Factors, LieDerivative, Samples, scales_of
from erlangen.derivative.forms import Directions, split
from erlangen.derivative.scales import Scales
from erlangen.fields import AbstractField, as_field
from erlangen.linalg.qr import rounding
from erlangen.linalg.rank import APART, AbstractRankRule, RankDecision, Threshold, dimension_path
from erlangen.verbs._agree import agreement
from erlangen.verbs._measure import Measurement
from erlangen.verbs._name import name_of
from erlangen.verbs._sort import Cluster, sort_directions
from erlangen.verbs.symmetry import Symmetry

_log = logging.getLogger(__name__)

JUMP = 1e3
"""Ratio of neighbouring defects beyond which they are not of one kind."""


def discover(
    field: Any,
    action: AbstractAction | Symmetry | None = None,
    samples: Any = None,
    *,
    rule: AbstractRankRule = Threshold(),
    kind: str | None = None,
    units: Sequence[Sequence[int]] | None = None,
    names: Sequence[str] | None = None,
    data: tuple[ArrayLike, ArrayLike] | None = None,
    device: Any = None,
) -> Symmetry:
    """Find the generators under which a field does not change.

    Solves S v = s^2 B v on triangular factors, where S = int |L_xi f|^2 and
    B = int |Df|^2 / d |xi|^2 + |tau_xi f|^2: a relative defect s of 1 is what an unrelated direction
    gives. Directions that say nothing are set apart, and each generator is confirmed by moving the
    points for a finite time.

    Parameters
    ----------
    field : AbstractField or anything that ``as_field`` accepts
        A callable, a fitted estimator, a torch module, a SymPy expression, a table ``(X, y)``, a cloud.
    action : AbstractAction or Symmetry, optional
        Candidate generators, or a symmetry found before; all affine fields by default.
    samples : Samples, ndarray (n, d) or points in blocks, optional
        Where the symmetry is claimed. Fields that bring their own points need none. Dask arrays, and other tables of
        `erlangen.blocks`, are passed over block by block.
    rule : AbstractRankRule
        What counts as zero; ``Threshold(0.05)`` by default.
    kind : {"invariant", "vector", "map"}, optional
        How values follow points, where the field has as many channels as coordinates.
    units : sequence of sequences of int, optional
        Columns that share a physical unit (default: what the action implies).
    names : sequence of str, optional
        Names of the coordinates.
    data : tuple (X, y), optional
        Observations of what a fitted model approximates, best held out from its training. The answer is then
        about that target rather than about the model: see `erlangen.fields.calibrate`.
    device : str or torch.device, optional
        Where a torch module is evaluated, ``"cuda"``; by default where it is.

    Returns
    -------
    Symmetry
        Dimension, generators, defects, the name of the algebra and the lists set apart.

    Raises
    ------
    InputError
        When field, action and samples do not fit together.
    UndecidedError
        When the samples cannot decide as many candidates as there are.

    References
    ----------
    Otto, Zolman, Kutz, Brunton, JMLR 26(248), 2025, section 7.

    Examples
    --------
    >>> import erlangen as er
    >>> sym = er.discover(lambda x: (x**2).sum(axis=1), er.actions.affine(3), er.Samples.box(-1, 1, dim=3))
    >>> sym.dim, sym.name
    (3, 'so(3)')
    """
    action = _check(action, rule)
    chosen = _given(_points_of(field) if samples is None else samples)
    points = None if chosen is None else chosen.local.points
    field = as_field(field, kind=kind, dim=_dimension(action, chosen), points=points, data=data, device=device)
    action = affine(field.point_dim) if action is None else action
    lie = LieDerivative(field, action, _default(field) if chosen is None else chosen)
    scales = scales_of(field, lie.lifted, lie.samples, units)
    coordinates = _names(names or getattr(chosen, "names", None), field, field.point_dim)
    _log.debug("%s on R^%d: %d candidates", type(field).__name__, field.point_dim, action.n_generators)
    with carried(Factors, lambda factors, _: _answer(lie, scales, factors, rule, coordinates)):
        factors = lie.factors(scales)
    return _answer(lie, scales, factors, rule, coordinates)


def _answer(
    lie: LieDerivative, scales: Scales, factors: Factors, rule: AbstractRankRule, coordinates: tuple[str, ...]
) -> Symmetry:
    """What the factors of a Lie derivative say; points are moved, and models compared, where points are at hand."""
    here, spectrum = lie.local, solve(lie, scales, factors)
    decision = spectrum.decide(rule, here)
    _log.debug("%d directions decide; %s", len(spectrum.values), decision.reason)
    delta = getattr(rule, "delta", None)
    tolerance = spectrum.tolerance(decision, delta)
    clusters = _clusters(spectrum, decision)
    noise = clusters[-1].noise if clusters else spectrum.floor
    found = sort_directions(here, scales, factors, clusters, tolerance, spectrum.floor)
    _log.debug("points moved: %d generators found", len(found.generators))
    said = f"{decision.reason}; {factors.note}" if factors.note else decision.reason
    return Symmetry(
        candidates=lie.action,
        coordinates=coordinates,
        spectrum=spectrum.values,
        floor=spectrum.floor,
        resolution=spectrum.resolution,
        path=tuple(dimension_path(spectrum.values, spectrum.floor)),
        decision=replace(decision, reason=said),
        found=found,
        inert=spectrum.directions.inert,
        vacuous=spectrum.directions.vacuous,
        structure=name_of(lie.action, found, lie.samples.mean, scales.points, noise),
        agreement=agreement(lie.field, lie.action, here.samples.local, found, scales, tolerance),
        kind=lie.field.kind,
        points=lie.samples.subset(512).points,
        scales=scales,
        noise=noise,
        measurement=Measurement(factors, spectrum.floor, Threshold().delta if delta is None else delta),
        lie=here,
    )


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Ascending relative defects of all directions that can be decided.

    Attributes
    ----------
    values : ndarray (r,)
        Relative defects, ascending.
    vectors : ndarray (r, r)
        Right singular vectors in the frame, in the same order, as columns.
    directions : Directions
        The frame and the directions that carry no information.
    factors : Factors
        Triangular factors of the rows and the forms.
    floor : float
        Defects below this are rounding or the field's own derivative error.
    resolution : float
        What is left of that error once its expected size is taken out: smaller defects say nothing.
    added : float
        The part of the error that is known to add to defects in squares, and is subtracted: all of it for
        noise, none where the error is an upper estimate.
    """

    values: NDArray
    vectors: NDArray
    directions: Directions
    factors: Factors
    floor: float
    resolution: float
    added: float

    def decide(self, rule: AbstractRankRule, lie: LieDerivative) -> RankDecision:
        """Apply a rank rule to the defects with the derivative's own error taken out.

        The error of a fitted derivative adds to a defect in squares, so its expected part can be
        subtracted; the scatter that remains bounds what can be told.
        """
        debiased = np.sqrt(np.maximum(self.values**2 - self.added**2, 0.0))
        return rule.decide_for(debiased, self.resolution, lie)

    def tolerance(self, decision: RankDecision, delta: float | None) -> float:
        """Relative defect that later checks allow beside the derivative's own error.

        The declared ``delta``; where the rule declares none, the largest defect that it kept.
        """
        if delta is None:
            kept = float(self.values[decision.dim - 1]) if decision.dim else 0.0
            delta = math.sqrt(max(kept**2 - self.floor**2, 0.0))
        return max(delta, self.resolution)

    def part(self, start: int, stop: int) -> NDArray:
        """Directions ``start`` to ``stop`` as columns ``(p, stop - start)``, orthonormal in B."""
        return self.directions.frame.lift(self.vectors[:, start:stop])

    def basis(self, dim: int) -> NDArray:
        """The first ``dim`` directions as columns ``(p, dim)``, orthonormal in B."""
        return self.part(0, dim)


def solve(lie: LieDerivative, scales: Scales, factors: Factors | None = None) -> Spectrum:
    """Solve S v = s^2 B v for a Lie derivative: one pass over the samples, one SVD."""
    factors = lie.factors(scales) if factors is None else factors
    accuracy, resolution = lie.field.accuracy, getattr(lie.field, "resolution", lie.field.accuracy)
    added = getattr(lie.field, "added", accuracy)
    directions = split(factors.moves, factors.informs, resolution)
    whitened = directions.frame.right(factors.rows)
    if whitened.shape[1] == 0:
        return Spectrum(np.zeros(0), np.zeros((0, 0)), directions, factors, accuracy, resolution, added)
    _, s, vt = linalg.svd(whitened, full_matrices=False, overwrite_a=True, check_finite=False)
    least = rounding(whitened.shape)
    accuracy, resolution, added = (max(error, least) for error in (accuracy, resolution, added))
    return Spectrum(s[::-1], vt[::-1].T, directions, factors, accuracy, resolution, added)


def _clusters(spectrum: Spectrum, decision: RankDecision) -> list[Cluster]:
    """The null directions, split where their defects jump: exact ones must not be mixed with those only near.

    The error of a unit generator is, to first order, the error of the defects over the gap that
    separates them from the next ones. Without a clear gap only the derivative's own error is left.
    """
    values = np.maximum(spectrum.values, spectrum.floor)
    kept = values[: decision.dim]
    jumps = [int(i) + 1 for i in np.flatnonzero(kept[1:] >= JUMP * kept[:-1])]
    out = []
    for start, stop in zip([0, *jumps], [*jumps, decision.dim], strict=True):
        following = float(values[stop]) if stop < len(values) else 1.0
        last = float(values[stop - 1]) if stop > start else spectrum.floor
        noise = (last if following >= APART * last else spectrum.floor) / max(following, last)
        out.append(Cluster(spectrum.part(start, stop), noise))
    return [cluster for cluster in out if cluster.basis.shape[1]]


def _check(action: AbstractAction | Symmetry | None, rule: AbstractRankRule) -> AbstractAction | None:
    if not isinstance(rule, AbstractRankRule):
        raise InputError(
            explain(
                "The rule must say what counts as zero.",
                given=f"rule = {rule!r}",
                expected="a rank rule: Threshold, LargestGap, NoiseFloor, Certified",
                fix=f"rule=er.Threshold({rule})" if isinstance(rule, float) else "rule=er.Threshold(0.05)",
            )
        )
    if isinstance(action, Symmetry):
        return action.action
    if action is not None and not isinstance(action, AbstractAction):
        raise InputError(
            explain(
                "The candidates must be an action.",
                given=f"{action!r} of type {type(action).__name__}",
                expected="an action, such as er.actions.affine(3), or a Symmetry",
                fix="er.discover(f, er.actions.rotation(3), samples)",
            )
        )
    return action


def _points_of(field: Any) -> Any:
    """The points of a table in blocks; None of anything else."""
    tabled = isinstance(field, tuple) and len(field) == 2 and in_blocks(field[0])
    return field[0] if tabled else None


def _dimension(action: AbstractAction | None, samples: AbstractSamples | None) -> int | None:
    return action.point_dim if action is not None else samples.dim if samples is not None else None


def _given(samples: Any) -> AbstractSamples | None:
    if samples is None or isinstance(samples, AbstractSamples):
        return samples
    return Samples.from_blocks(samples) if in_blocks(samples) else Samples.from_data(samples)


def _default(field: AbstractField) -> Samples:
    points = getattr(field, "points", None)
    if points is None:
        raise InputError(
            explain(
                "A symmetry is claimed somewhere: samples are missing.",
                given=f"a {type(field).__name__} on R^{field.point_dim} without samples",
                expected="points at which the field is looked at",
                fix=f"er.discover(f, er.actions.affine({field.point_dim}), "
                f"er.Samples.box(-1, 1, dim={field.point_dim}))",
            )
        )
    return Samples.from_data(points)


def _names(names: Sequence[str] | None, field: AbstractField, d: int) -> tuple[str, ...]:
    chosen = names or getattr(field, "names", None) or coordinate_names(d)
    if len(chosen) != d:
        raise InputError(
            explain(
                "There must be one name per coordinate.",
                given=f"{len(chosen)} names: {', '.join(chosen)}",
                expected=f"{d} names",
                fix=f"names={list(coordinate_names(d))}",
            )
        )
    return tuple(chosen)
