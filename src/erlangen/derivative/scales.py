"""Unit blocks: one scale per group of columns that share a unit.

A defect must not change when one coordinate is written in millimetres. Where the candidate
generators are closed under separate rescaling of the columns (affine, gl, scalings) every column
gets its own scale; otherwise the columns that a generator mixes (rotations) share one, since only
then does rescaling leave the candidates what they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from erlangen._errors import InputError, UndecidedError, explain
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction, AbstractLift, Combination, PolynomialAction, Prolonged, behind
from erlangen.derivative.samples import AbstractSamples
from erlangen.fields import AbstractField
from erlangen.linalg.subspace import span

SCALE_POINTS = 8192
"""Points from which value scales are estimated; a scale needs two digits, not sixteen."""


@dataclass(frozen=True, eq=False)
class Scales(AbstractShown):
    """Scales of points and values.

    Attributes
    ----------
    points : ndarray (d,)
        One positive scale per coordinate.
    values : ndarray (c,)
        One positive scale per value channel.
    groups : tuple of tuple of int
        The columns that share a unit.
    """

    points: NDArray
    values: NDArray
    groups: tuple[tuple[int, ...], ...]

    def slope(self, jacobian: NDArray) -> NDArray:
        """Root mean square slope ``(n,)`` of the scaled field: |Df|_F / sqrt(d) from ``(n, c, d)``.

        Parameters
        ----------
        jacobian : ndarray (n, c, d)
            Jacobians in the units of the field.

        Returns
        -------
        ndarray (n,)
            One slope per point, without unit.
        """
        scaled = jacobian * self.points / self.values[:, None]
        return np.sqrt(np.einsum("nca,nca->n", scaled, scaled) / jacobian.shape[2])


def scales_of(
    field: AbstractField, action: AbstractAction, samples: AbstractSamples, units: Sequence[Sequence[int]] | None = None
) -> Scales:
    """Scales of a problem; ``units`` names the columns that share a unit, where the user knows.

    Parameters
    ----------
    field : AbstractField
        Gives the spread of values.
    action : AbstractAction
        Says which columns it mixes.
    samples : Samples
        Give the spread of the coordinates.
    units : sequence of sequences of int, optional
        Columns that share a unit; each of the others has its own. By default what the action implies.

    Returns
    -------
    Scales
        One length per coordinate and one size per channel.

    Raises
    ------
    InputError
        When units name columns that do not exist, or one twice.
    """
    groups = _declared(units, samples.dim) if units is not None else unit_groups(action)
    points = point_scales(samples, groups)
    if isinstance(action, AbstractLift) or field.kind != "invariant":
        return Scales(points, points, groups)
    return Scales(points, value_scales(field, action, samples), groups)


def unit_groups(action: AbstractAction) -> tuple[tuple[int, ...], ...]:
    """Groups of columns that must share a scale under an action."""
    d = action.point_dim
    base = behind(action)
    while isinstance(base, (AbstractLift, Combination)):
        base = behind(base.base)
    if isinstance(action, Prolonged):  # velocities share units as positions do
        groups, m = unit_groups(base), action.positions
        moved = [tuple(a + m for a in group if a) for group in groups]
        return (*groups, *(group for group in moved if group))
    if not isinstance(base, PolynomialAction):
        return (tuple(range(d)),)
    if closed_under_scaling(base):
        return tuple((a,) for a in range(d))
    _, labels = connected_components(_mixing(base), directed=False)
    return tuple(tuple(np.flatnonzero(labels == g).tolist()) for g in range(labels.max() + 1))


def closed_under_scaling(action: PolynomialAction) -> bool:
    """Whether the span of the generators is invariant under every diagonal change of coordinates.

    Conjugation by a diagonal matrix multiplies the coefficient of x^e d/dx_a by a weight that depends
    on (a, e) alone; the span is invariant exactly where multiplying by generic weights stays inside.
    """
    entries = abs(action.matrix) > 0
    if entries.sum(axis=1).max(initial=0) <= 1:
        return True
    if action.matrix.shape[0] * action.matrix.shape[1] > 4_000_000:
        return False
    d, r = action.point_dim, len(action.exponents)
    generic = np.sqrt(np.arange(2.0, d + 2.0)) % 1.0
    weights = (np.repeat(generic, r) - np.tile(action.exponents @ generic, d))[None, :]
    dense = action.matrix.toarray()
    return span(np.vstack([dense, dense * weights]).T).dim == span(dense.T).dim


def _mixing(action: PolynomialAction) -> sparse.csr_array:
    """Adjacency of columns: a and b are linked where some coefficient of d/dx_a contains x_b."""
    d, r = action.point_dim, len(action.exponents)
    links = np.zeros((d, d))
    used = np.asarray(abs(action.matrix).sum(axis=0)).reshape(d, r) > 0
    for a in range(d):
        links[a] += action.exponents[used[a]].sum(axis=0)
    return sparse.csr_array(links)


def point_scales(samples: AbstractSamples, groups: Sequence[Sequence[int]]) -> NDArray:
    """Root mean square deviation of each group; a group that does not vary takes the scale of its size."""
    variance = samples.std**2
    magnitude = samples.reach
    scales = np.empty(samples.dim)
    for group in groups:
        columns = list(group)
        spread = float(np.sqrt(variance[columns].mean()))
        flat = spread <= 8 * np.finfo(float).eps * float(magnitude[columns].max())
        scales[columns] = np.nan if flat else spread
    if np.isnan(scales).all():
        raise UndecidedError(
            explain(
                "All samples are the same point.",
                given=f"{len(samples)} samples in R^{samples.dim} without spread",
                expected="points that differ in at least one coordinate",
                fix="Samples.box(-1, 1, dim=...)",
            )
        )
    return np.where(np.isnan(scales), np.nanmean(scales), scales)


def value_scales(field: AbstractField, action: AbstractAction, samples: AbstractSamples) -> NDArray:
    """Spread of each value channel, shared by channels that the action mixes."""
    few = samples.subset(SCALE_POINTS)
    f = field.value(few.points)
    spread = np.sqrt(few.weights @ (f - few.weights @ f) ** 2)
    size = np.abs(f).max(axis=0)
    flat = spread <= 8 * np.finfo(float).eps * size  # a constant channel takes the scale of its size
    spread = np.where(flat, np.where(size > 0, size, 1.0), spread)
    output = action.output if isinstance(action, PolynomialAction) else None
    if output is None:
        return spread
    links = sparse.csr_array(np.abs(output).sum(axis=0) > 0)
    _, labels = connected_components(links, directed=False)
    return np.array([np.sqrt(np.mean(spread[labels == g] ** 2)) for g in labels])


def _declared(units: Sequence[Sequence[int]], d: int) -> tuple[tuple[int, ...], ...]:
    groups = [tuple(int(j) for j in group) for group in units]
    named = [j for group in groups for j in group]
    if len(set(named)) != len(named) or any(not 0 <= j < d for j in named):
        raise InputError(
            explain(
                "The unit blocks do not fit the columns.",
                given=f"units = {groups} for {d} columns",
                expected=f"disjoint groups of column numbers below {d}",
                fix=f"units=[{list(range(d))}]",
            )
        )
    return tuple(groups + [(j,) for j in range(d) if j not in named])
