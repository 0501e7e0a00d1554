"""Model error of fields on a periodic line: which differential terms an imperfect equation misses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from erlangen._errors import InputError, UndecidedError, explain
from erlangen._lazy import comes_from
from erlangen._typing import NDArray
from erlangen.dynamics._explain import explained
from erlangen.dynamics._grid_windows import GridRun, Lattice, Monomial, grid_noise, grid_rows
from erlangen.dynamics._labelled import labelled_field
from erlangen.dynamics._misfit import AbstractMisfit
from erlangen.dynamics._parts import BreakingTest
from erlangen.dynamics._support import log_uncertainty
from erlangen.dynamics._windows import HALF_WIDTHS, Rows
from erlangen.dynamics.grids import DifferentialTerms, GridEquation

LEAST_ROWS = 3
"""Equations for each coefficient, below which windows of a width are too few."""


class GridModelError(BaseEstimator):
    """Find the differential terms that an imperfect equation u_t = f(u) on a periodic line misses.

    Parameters
    ----------
    model : mapping of str to float, or GridEquation
        The imperfect equation, ``{"u_xx": -1, "u_xxxx": -1}``.
    library : DifferentialTerms
        Terms of which the correction is made. Translations are symmetries of all of them.
    symmetry : sequence of {"x", "u", "xu"}, default=()
        Reflections that the truth commutes with: x to -x, u to -u, or both at once. The correction is sought among the
        terms that do, and whether the data ask for more is tested.

    Attributes
    ----------
    correction_, corrected_ : GridEquation
        What was missing, with standard errors, and the sum.
    coefficients_, errors_ : ndarray (r,)
        Coefficients of the terms of the library, and their standard errors.
    symmetric_, breaking_ : ndarray (r,)
        The same in two parts.
    test_ : BreakingTest or None
        Whether the model error breaks the symmetry.
    before_, after_ : float
        Root mean square misfit on held-out data without and with the correction, in noise levels.
    noise_ : float
        Standard deviation of the noise, estimated from the data.
    reason_ : str
        How the answer was found.

    References
    ----------
    Messenger, Bortz, J. Comput. Phys. 443, 2021, 110525, for the weak form in space and time.

    Examples
    --------
    >>> import numpy as np
    >>> import erlangen as er
    >>> truth = er.dynamics.GridEquation({"u u_x": -1.0, "u_xx": 0.1}, length=2 * np.pi)
    >>> x, t = np.arange(64) * 2 * np.pi / 64, np.linspace(0, 1, 51)
    >>> u = truth.simulate(np.sin(x) + 0.5 * np.cos(2 * x), t)
    >>> library = er.dynamics.DifferentialTerms(degree=2, order=3, length=2 * np.pi)
    >>> print(er.dynamics.GridModelError({"u_xx": 0.1}, library).fit(u, t).correction_)
    u_t = -u u_x
    """

    noise_: float
    coefficients_: NDArray
    errors_: NDArray
    test_: BreakingTest | None
    symmetric_: NDArray
    breaking_: NDArray
    before_: float
    after_: float
    reason_: str
    correction_: GridEquation
    corrected_: GridEquation

    def __init__(
        self,
        model: Mapping[str, float] | GridEquation,
        library: DifferentialTerms,
        *,
        symmetry: Sequence[str] = (),
    ):
        self.model = model
        self.library = library
        self.symmetry = symmetry

    def fit(self, u: Any, t: ArrayLike | Sequence[ArrayLike] | None = None) -> Self:
        """Find the missing terms.

        Parameters
        ----------
        u : array (T, n), xarray.DataArray, or list of them
            Samples on n equally spaced points of one period, at T times; one table a run.
        t : array (T,), or list of them, optional
            Equally spaced times; a DataArray brings its own, as a coordinate ``t`` or ``time``.

        Returns
        -------
        GridModelError
            Itself, fitted.

        Raises
        ------
        InputError
            Where data are no such samples.
        UndecidedError
            Where there are too few, or terms that they do not tell apart.
        """
        length = self.library.length
        model = self.model if isinstance(self.model, GridEquation) else GridEquation(self.model, length)
        runs = _runs(u, t, length)
        terms = self.library.monomials
        misfit = _best_lattice(GridMisfit(tuple(runs), terms, model.monomials, grid_noise(runs), Lattice(16, 16)))
        keeps = self.library.symmetric(self.symmetry)
        basis = np.eye(len(terms))[:, keeps] if len(self.symmetry) else None

        def share(theta: NDArray) -> float:
            rows = misfit.rows(0 * theta, np.eye(len(theta))).design
            return float(np.linalg.norm(rows @ np.where(keeps, 0.0, theta)) / (np.linalg.norm(rows @ theta) or 1.0))

        found = explained(misfit, self.library.texts, basis, share)
        self.noise_ = misfit.noise
        self.coefficients_, self.errors_, self.test_ = found.theta, found.errors, found.test
        self.symmetric_ = np.where(keeps, found.theta, 0.0)
        self.breaking_ = found.theta - self.symmetric_
        self.before_, self.after_ = found.before, found.after
        self.reason_ = f"{misfit.reason}; {found.reason}"
        self.correction_, self.corrected_ = _equations(self.library, found.theta, found.errors, model)
        return self


def _equations(
    library: DifferentialTerms, theta: NDArray, errors: NDArray, model: GridEquation
) -> tuple[GridEquation, GridEquation]:
    used = np.flatnonzero(theta)
    found = {library.texts[j]: float(theta[j]) for j in used}
    deviations = {library.texts[j]: float(errors[j]) for j in used}
    total = dict(model.terms)
    for text, c in found.items():
        total[text] = total.get(text, 0.0) + c
    return GridEquation(found, library.length, deviations), GridEquation(total, library.length)


@dataclass(frozen=True, eq=False)
class GridMisfit(AbstractMisfit):
    """Windows in space and time."""

    runs: tuple[GridRun, ...]
    terms: tuple[Monomial, ...]
    known: dict[Monomial, float]
    noise: float
    lattice: Lattice

    @property
    def unit(self) -> str:
        return "noise levels"

    @property
    def linear(self) -> bool:
        return True

    @property
    def points(self) -> NDArray:
        return np.concatenate([run.u for run in self.runs])

    @property
    def reason(self) -> str:
        return f"weak form on windows of {2 * self.lattice.space + 1} x {2 * self.lattice.time + 1} samples"

    def rows(self, theta: NDArray, columns: NDArray) -> Rows:
        whole = dict(self.known)
        for term, c in zip(self.terms, theta.tolist(), strict=True):
            whole[term] = whole.get(term, 0.0) + c
        found = grid_rows(self.runs, self.terms, self.known, whole, self.noise, self.lattice)
        if found is None:
            raise UndecidedError(
                explain(
                    "No window fits into the samples.",
                    given=f"runs of {', '.join(str(run.u.shape) for run in self.runs[:4])}",
                    expected=f"more than {2 * HALF_WIDTHS[0]} times and grid points",
                    fix="longer runs on a finer grid",
                )
            )
        return Rows(found.design @ columns, found.target, found.block, found.half_width)


def _best_lattice(misfit: GridMisfit) -> GridMisfit:
    """The windows from which coefficients are most certain, by single changes of the widths from medium ones."""
    known: dict[Lattice, float] = {}

    def uncertain(lattice: Lattice) -> float:
        if lattice not in known:
            known[lattice] = _uncertainty(misfit, lattice)
        return known[lattice]

    sizes = HALF_WIDTHS
    fitting = [(i, j) for i in range(len(sizes)) for j in range(len(sizes)) if _fits(misfit, sizes[i], sizes[j])]
    if not fitting:
        return misfit
    middle = sizes.index(misfit.lattice.space)
    at = min(fitting, key=lambda ij: (abs(ij[0] - middle) + abs(ij[1] - middle), ij))
    while True:
        near = [(at[0] + i, at[1] + j) for i, j in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))]
        best = min((ij for ij in near if ij in fitting), key=lambda ij: uncertain(Lattice(sizes[ij[0]], sizes[ij[1]])))
        if best == at:
            return replace(misfit, lattice=Lattice(sizes[at[0]], sizes[at[1]]))
        at = best


def _fits(misfit: GridMisfit, space: int, time: int) -> bool:
    return any(run.u.shape[0] > 2 * time and run.u.shape[1] > 2 * space for run in misfit.runs)


def _uncertainty(misfit: GridMisfit, lattice: Lattice) -> float:
    """Mean logarithm of the standard errors with all terms."""
    rows = grid_rows(misfit.runs, misfit.terms, misfit.known, misfit.known, misfit.noise, lattice)
    if rows is None or len(rows.target) < LEAST_ROWS * len(misfit.terms):
        return np.inf
    return log_uncertainty(rows.design, rows.target)


def _runs(u: Any, t: Any, length: float) -> list[GridRun]:
    tables = list(u) if isinstance(u, (list, tuple)) else [u]
    clocks = list(t) if isinstance(t, (list, tuple)) else [t] * len(tables)
    if any(comes_from(table, "xarray") for table in tables):
        tables, clocks = zip(*(labelled_field(table, length) for table in tables), strict=True)
    out = []
    for table, clock in zip(tables, clocks, strict=True):
        field, times = np.asarray(table, dtype=np.float64), np.asarray(clock, dtype=np.float64)
        steps = np.diff(times) if times.ndim == 1 else np.zeros(1)
        even = steps.size > 0 and steps.min() > 0 and np.ptp(steps) <= 1e-6 * steps.mean()
        if field.ndim != 2 or times.shape != field.shape[:1] or not even or not np.isfinite(field).all():
            raise InputError(
                explain(
                    "These are no samples of a field on a line.",
                    given=f"u of shape {field.shape}, times of shape {times.shape}"
                    + ("" if even else ", uneven steps"),
                    expected="finite u (T, n) on n points of one period, at T equally spaced times",
                    fix="fit(u, t) with u[i] the field at time t[i]",
                )
            )
        out.append(GridRun(field, length / field.shape[1], float(steps.mean())))
    return out
