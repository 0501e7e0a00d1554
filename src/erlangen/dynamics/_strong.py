"""The strong form: derivatives regressed on functions, inside fields with a symmetry where there is one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from erlangen._errors import UndecidedError
from erlangen._typing import NDArray
from erlangen.derivative import Samples
from erlangen.dynamics._library import Candidates
from erlangen.dynamics._report import SymmetryTest, verdict
from erlangen.dynamics._slopes import Slopes
from erlangen.dynamics._sparse import STRETCH, SparseFit, least_squares, sparse_fit, standard_error, stretches
from erlangen.dynamics._structured import hamiltonian_fields, homogeneous
from erlangen.dynamics._symmetric import Found, enforced, free, promoted
from erlangen.dynamics.poisson import PhaseSpace
from erlangen.dynamics.units import Units
from erlangen.linalg.qr import rounding

APART = 3.0
"""Ratio of errors of coordinates up to which they count as equal, where a symmetry ties coordinates to each other."""


def strong_form(
    found: Candidates, data: Slopes, symmetry: Any, promote: Any, sparsity: str | float | None, names: tuple[str, ...]
) -> tuple[Found, SparseFit]:
    """The fields to choose from, and the sparse one among them."""
    if symmetry is not None:
        samples = None if found.polynomial else Samples.from_data(data.points)
        if isinstance(symmetry, PhaseSpace):
            space = hamiltonian_fields(found, np.eye(found.field.n_params), data.points, symmetry)
        elif isinstance(symmetry, Units):
            space = homogeneous(found, np.eye(found.field.n_params), data.points, symmetry, names)
        else:
            space = enforced(found.field, symmetry, samples)
        weights = None if space.basis.shape[1] == 0 else _alike(_weights(found, data, space))
        return space, _sparse(found, data, space, sparsity, weights)
    space = free(found.field)
    if promote is None:
        found.check_apart(data.points)
        return space, _sparse(found, data, space, sparsity)
    spaces = promoted(found.field, promote, data, names)
    try:
        weights = _alike(_weights(found, data, space))
    except UndecidedError:  # too few data to tell the errors of coordinates apart
        weights = np.ones(data.slopes.shape[1])
    fits, undecided = [], None
    for space in spaces:
        try:
            fits.append((space, _sparse(found, data, space, sparsity, weights)))
        except UndecidedError as error:  # too few data for so many fields; fewer may do
            undecided = error
    if not fits and undecided is not None:
        raise undecided
    space, fit = _most_kept(fits, len(data.points))
    if undecided is not None:
        rest = "the data do not tell all functions of the library apart without what survives"
        space = replace(space, reason=f"{space.reason}; {rest}")
    # Where nothing survived, nothing remains of the promotion.
    return space, fit if space.symmetry is not None else _sparse(found, data, space, sparsity)


def strong_test(
    found: Candidates, data: Slopes, theta: NDArray, count: int, sparsity: str | float | None
) -> SymmetryTest | None:
    """How much derivatives speak against fields with a symmetry, ``theta (d, r)`` of ``count`` numbers.

    None where no fields were found without it. Neighbouring points in a stretch count as one, and a coefficient costs
    the logarithm of how many there are.
    """
    try:
        fit = _sparse(found, data, free(found.field), sparsity)
    except UndecidedError:  # too few data for all fields
        return None
    mine, other = (found.field.with_theta(t).value(data.points) for t in (theta.ravel(), fit.z))
    n = data.slopes.size // STRETCH
    floor = rounding(data.slopes.shape) * np.sum(data.slopes**2, axis=0)
    left = [np.sum((data.slopes - value) ** 2, axis=0) + floor for value in (mine, other)]
    price = np.log(max(n, 2)) * (count - np.count_nonzero(fit.z))
    gain = float(n / len(floor) * np.log(left[0] / np.where(left[1] > 0, left[1], 1.0)).sum() + price)
    size = float(np.sqrt(np.mean(other**2)))
    return verdict(gain, float(np.sqrt(np.mean((mine - other) ** 2))) / size if size > 0 else 0.0)


def _sparse(
    found: Candidates, data: Slopes, space: Found, sparsity: str | float | None, weights: NDArray | None = None
) -> SparseFit:
    """Least squares inside the space, with errors of one size for all coordinates, and fewer terms."""
    n, d = data.slopes.shape
    if space.basis.shape[1] == 0:
        scaled = data.slopes * (1.0 if weights is None else weights)
        losses = [stretches(scaled[test].reshape(-1, 1), d)[:, 0] for _, test in data.folds]
        return SparseFit(np.zeros(0), np.concatenate(losses), "no field of the library but zero is symmetric")
    flat = found.field.features(data.points).reshape(n * d, -1) @ space.basis
    each = np.tile(_weights(found, data, space) if weights is None else weights, n)
    return sparse_fit(flat * each[:, None], data.slopes.ravel() * each, d, data.folds, sparsity)


def _most_kept(fits: list[tuple[Found, SparseFit]], n: int) -> tuple[Found, SparseFit]:
    """The first whose error on held-out data is within one standard error of the least.

    Generators that were fitted have seen the held-out data too: of n points, each number lowers the error there by
    about two parts in n.
    """
    losses = np.stack([fit.losses * (1 + 2 * space.n_fitted / n) for space, fit in fits])
    best = int(np.argmin(losses.mean(axis=1)))
    apart = losses - losses[best]
    at = int(np.flatnonzero(apart.mean(axis=1) <= standard_error(apart.T))[0])
    space, fit = fits[at]
    least = {other.broken_rank: np.inf for other, _ in fits}
    for (other, _), loss in zip(fits, losses, strict=True):
        least[other.broken_rank] = min(least[other.broken_rank], loss.mean())
    texts = [f"{rank}: {np.sqrt(loss):.3g}" for rank, loss in least.items()]
    p = fits[-1][0].broken_rank
    reason = (
        f"{space.broken_rank} of {p} generators are broken; error on held-out data by number of broken generators: "
    )
    reason += ", ".join(texts) + (f"; the survivors enforced: {space.reason}" if space.reason else "")
    return replace(space, reason=reason), fit


def _alike(weights: NDArray) -> NDArray:
    """Equal weights, unless they differ by more than chance: a symmetry ties coordinates, which then have one error."""
    return weights if weights.max() > APART * weights.min() else np.ones_like(weights)


def _weights(found: Candidates, data: Slopes, space: Found) -> NDArray:
    """One over the error of each coordinate, from the fit with all terms."""
    n, d = data.slopes.shape
    flat = found.field.features(data.points).reshape(n * d, -1) @ space.basis
    residual = data.slopes - (flat @ least_squares(flat, data.slopes.ravel(), "coefficients")).reshape(n, d)
    sizes = np.sqrt(np.mean(data.slopes**2, axis=0))
    floor = np.finfo(np.float64).eps ** 0.5 * np.where(sizes > 0, sizes, sizes.max() or 1.0)
    return 1.0 / np.maximum(np.sqrt(np.mean(residual**2, axis=0)), floor)
