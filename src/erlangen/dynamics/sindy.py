"""Sparse identification of dynamics: x' = F(x) from trajectories, with a symmetry enforced, promoted, or neither."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import solve_ivp
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from erlangen._errors import InputError, UndecidedError, explain
from erlangen._render import _signed_sum, number
from erlangen.actions import AbstractAction
from erlangen.algebra import Group
from erlangen.derivative import Samples
from erlangen.dynamics._library import Candidates, candidates
from erlangen.dynamics._slopes import Slopes, slopes_of
from erlangen.dynamics._sparse import SparseFit, check_sparsity, least_squares, sparse_fit, standard_error, stretches
from erlangen.dynamics._symmetric import Found, enforced, free, promoted
from erlangen.fields import AbstractField, AbstractLinearField, Request, convert, register
from erlangen.fields.libraries import AbstractLibrary
from erlangen.fields.trajectories import Trajectories
from erlangen.verbs import Symmetry

ACCURACY = 1e-8
"""Relative error of a step of the simulation."""

APART = 3.0
"""Ratio of errors of coordinates up to which they count as equal, where a symmetry ties coordinates to each other."""


class SINDy(BaseEstimator):
    """Find the equations of motion x' = F(x) as few terms of a library, inside a symmetry where there is one.

    F is linear in its coefficients, so a symmetry, [xi, F] = 0 for generators xi, is a set of linear equations for
    them. ``symmetry`` takes it for granted. ``promote`` only hopes for it: of the generators of an action, those are
    kept that the data do not speak against, by a convex penalty on the number of broken ones, whose weight and rank
    cross-validation chooses; what survived is then enforced, and nothing of the penalty is left in the coefficients.
    Inside the symmetric fields terms are dropped that held-out data do not ask for.

    Parameters
    ----------
    library : AbstractLibrary, default=None
        Functions to combine; by default monomials. The constant is always among them.
    degree : int, default=3
        Highest degree of the monomials, where no library is given.
    symmetry : AbstractAction, Symmetry or Group, default=None
        A symmetry to enforce exactly.
    promote : AbstractAction, Symmetry or Group, default=None
        Generators each of which may turn out to be a symmetry or not.
    sparsity : {"cv"}, float or None, default="cv"
        How terms are dropped. ``"cv"``: one by one, the least certain first, as long as the error on held-out data
        stays within one standard error of the least. A number between 0 and 1: all terms whose part of the
        derivatives, root mean square, is below this share of them, again and again. None: all are kept. Neither
        depends on units of functions.
    derivatives : {"auto", "smooth", "differences"}, default="auto"
        How derivatives are taken where they are not given: smoothing splines, whose smoothness generalised
        cross-validation chooses, or differences of seven samples; ``"auto"`` takes the latter for runs in which the
        spline finds no noise. Samples near the ends of runs are left out.
    rng : int or Generator, default=0
        Draws held-out points where ``x_dot`` is given without times.

    Attributes
    ----------
    coefficients_ : ndarray (d, r)
        One row for each coordinate, one column for each function.
    feature_names_ : tuple of str
        The functions.
    names_ : tuple of str
        The coordinates.
    field_ : AbstractLinearField
        F, which every verb accepts.
    dim_ : int
        Dimension of the space of fields in which terms were dropped.
    broken_rank_ : int or None
        How many generators of ``promote`` are broken.
    symmetry_ : Symmetry or None
        What survived of ``promote``, named, with its evidence; None where nothing did or nothing was promoted.
    reason_ : str
        Where derivatives are from, which generators were kept, and how many terms.

    References
    ----------
    Brunton, Proctor, Kutz, PNAS 113, 2016, 3932-3937, for sparse identification. Otto, Zolman, Kutz, Brunton,
    JMLR 26(248), 2025, for promotion.

    Examples
    --------
    >>> import numpy as np
    >>> import erlangen as er
    >>> x = np.random.default_rng(0).normal(size=(40, 2))
    >>> x_dot = x @ [[0, -1], [1, 0]] - x * (x**2).sum(axis=1, keepdims=True)
    >>> model = er.dynamics.SINDy(promote=er.actions.rotation(2)).fit(x, x_dot=x_dot, names=["x", "y"])
    >>> print(model.equations())
    x' = y - x^3 - x y^2
    y' = -x - x^2 y - y^3
    >>> model.broken_rank_, model.symmetry_.name
    (0, 'so(2)')
    """

    def __init__(
        self,
        library: AbstractLibrary | None = None,
        *,
        degree: int = 3,
        symmetry: AbstractAction | Symmetry | Group | None = None,
        promote: AbstractAction | Symmetry | Group | None = None,
        sparsity: str | float | None = "cv",
        derivatives: str = "auto",
        rng: int | np.random.Generator = 0,
    ):
        self.library = library
        self.degree = degree
        self.symmetry = symmetry
        self.promote = promote
        self.sparsity = sparsity
        self.derivatives = derivatives
        self.rng = rng

    def fit(
        self,
        x: Trajectories | ArrayLike | Sequence[ArrayLike],
        t: ArrayLike | Sequence[ArrayLike] | None = None,
        *,
        x_dot: ArrayLike | Sequence[ArrayLike] | None = None,
        names: Iterable[str] | None = None,
        groups: Iterable[Hashable] | None = None,
    ) -> Self:
        """Fit the coefficients.

        Parameters
        ----------
        x : Trajectories, array (n, d), or list of arrays (n_i, d)
            States: what ``er.read_trajectories`` returns, one run, or one array for each run.
        t : array (n,) or list of arrays (n_i,), optional
            Times of the states.
        x_dot : like x, optional
            Time derivatives where they are known; times are then not needed.
        names : iterable of str, optional
            Names of the coordinates; by default those of the columns of data frames, else x1 .. xd.
        groups : iterable, optional
            For one table: the run of each row.

        Raises
        ------
        InputError
            Where data are not valid, or action, library and data do not fit together.
        UndecidedError
            Where there are too few data for the library.
        """
        check_sparsity(self.sparsity)
        _not_both(self.symmetry, self.promote)
        flow, timed = _trajectories(x, t, x_dot, names, groups)
        found = candidates(self.library, self.degree, flow.names)
        data = slopes_of(flow, self.derivatives, None if timed else self.rng)
        found.check_finite(data.points)
        self.names_, self.feature_names_ = flow.names, found.texts
        space, fit = self._choose(found, data)
        theta = space.basis @ fit.z
        self.field_: AbstractLinearField = found.field.with_theta(theta)
        self.coefficients_ = theta.reshape(len(flow.names), -1)
        self.n_features_in_, self.dim_ = len(flow.names), space.basis.shape[1]
        self.broken_rank_, self.symmetry_ = space.broken_rank, space.symmetry
        self.reason_ = "; ".join(part for part in (data.reason, space.reason, fit.reason) if part)
        return self

    def _choose(self, found: Candidates, data: Slopes) -> tuple[Found, SparseFit]:
        """The fields to choose from, and the sparse one among them."""
        if self.symmetry is not None:
            samples = None if found.polynomial else Samples.from_data(data.points)
            space = enforced(found.field, self.symmetry, samples)
            weights = None if space.basis.shape[1] == 0 else _alike(_weights(found, data, space))
            return space, self._sparse(found, data, space, weights)
        space = free(found.field)
        if self.promote is None:
            return space, self._sparse(found, data, space)
        spaces = promoted(found.field, self.promote, data, self.names_)
        try:
            weights = _alike(_weights(found, data, space))
        except UndecidedError:  # too few data to tell the errors of coordinates apart
            weights = np.ones(data.slopes.shape[1])
        fits, undecided = [], None
        for space in spaces:
            try:
                fits.append((space, self._sparse(found, data, space, weights)))
            except UndecidedError as error:  # too few data for so many fields; fewer may do
                undecided = error
        if not fits and undecided is not None:
            raise undecided
        space, fit = _most_kept(fits, len(data.points))
        if undecided is not None:
            rest = "the data do not tell all functions of the library apart without what survives"
            space = replace(space, reason=f"{space.reason}; {rest}")
        # Where nothing survived, nothing remains of the promotion.
        return space, fit if space.symmetry is not None else self._sparse(found, data, space)

    def _sparse(self, found: Candidates, data: Slopes, space: Found, weights: NDArray | None = None) -> SparseFit:
        """Least squares inside the space, with errors of one size for all coordinates, and fewer terms."""
        n, d = data.slopes.shape
        if space.basis.shape[1] == 0:
            scaled = data.slopes * (1.0 if weights is None else weights)
            losses = [stretches(scaled[test].reshape(-1, 1), d)[:, 0] for _, test in data.folds]
            return SparseFit(np.zeros(0), np.concatenate(losses), "no field of the library but zero is symmetric")
        flat = found.field.features(data.points).reshape(n * d, -1) @ space.basis
        each = np.tile(_weights(found, data, space) if weights is None else weights, n)
        return sparse_fit(flat * each[:, None], data.slopes.ravel() * each, d, data.folds, self.sparsity)

    def predict(self, x: ArrayLike) -> NDArray:
        """Time derivatives ``(n, d)`` at states ``x (n, d)``."""
        check_is_fitted(self)
        return self.field_.value(_states(x, self.n_features_in_))

    def simulate(self, x0: ArrayLike, t: ArrayLike) -> NDArray:
        """States ``(n, d)`` at increasing times ``t (n,)``, from the state ``x0 (d,)`` at the first of them.

        Raises
        ------
        InputError
            Where times do not increase, or the solution ends before the last of them.
        """
        check_is_fitted(self)
        start = _states(np.atleast_2d(np.asarray(x0, dtype=np.float64)), self.n_features_in_)[0]
        times = np.asarray(t, dtype=np.float64)
        if times.ndim != 1 or len(times) < 2 or not np.isfinite(times).all() or np.any(np.diff(times) <= 0):
            raise InputError(
                explain(
                    "These are no times to simulate at.",
                    given=f"an array of shape {times.shape}" + (", not increasing" if times.ndim == 1 else ""),
                    expected="two or more increasing finite numbers",
                    fix="model.simulate(x0, numpy.linspace(0, 10, 101))",
                )
            )
        scale = ACCURACY * max(float(np.abs(start).max()), np.finfo(np.float64).tiny)
        with np.errstate(over="ignore", invalid="ignore"):
            run = solve_ivp(
                lambda _, z: self.field_.value(z[None])[0],
                (times[0], times[-1]), start, method="LSODA", t_eval=times, rtol=ACCURACY, atol=scale,
            )  # fmt: skip
        if not run.success or run.y.shape[1] < len(times) or not np.isfinite(run.y).all():
            raise InputError(
                explain(
                    "The solution cannot be followed to the last time.",
                    given=_how_far(run, times),
                    expected="a solution that stays finite",
                    fix="shorter times, or a model with fewer terms",
                )
            )
        return run.y.T

    def equations(self, digits: int = 4) -> str:
        """The equations as text, one line for each coordinate."""
        check_is_fitted(self)
        lines = []
        for name, row in zip(self.names_, self.coefficients_, strict=True):
            terms = [(float(c), text) for c, text in zip(row, self.feature_names_, strict=True)]
            terms = [(c, text) for c, text in terms if round_to(c, row) != 0.0]
            lines.append(f"{name}' = {_signed_sum(terms, lambda value: number(value, digits), ' ')}")
        return "\n".join(lines)


def _how_far(run: Any, times: NDArray) -> str:
    """The last time with finite states, and why no later one has."""
    reached = run.t[np.isfinite(run.y).all(axis=0)] if run.y.size else times[:1]
    at = float(reached[-1]) if len(reached) else float(times[0])
    why = "the states grow without bound" if run.success else f"the solver stopped: {run.message}"
    return f"t = {at:g} of {times[-1]:g}, after which {why}"


def _column_names(x: Any) -> list[str] | None:
    """Names of the columns of a data frame, or of all in a list, where they are texts that agree."""
    tables = x if isinstance(x, (list, tuple)) else [x]
    found = [getattr(table, "columns", None) for table in tables]
    if not found or any(names is None for names in found):
        return None
    first = list(found[0])  # type: ignore[arg-type]
    same = all(list(names) == first for names in found)  # type: ignore[arg-type]
    return first if same and all(isinstance(name, str) for name in first) else None


def round_to(c: float, row: NDArray) -> float:
    """A coefficient, or zero where it is rounding beside the others of its row."""
    return c if abs(c) > len(row) * np.finfo(np.float64).eps * np.abs(row).max(initial=0.0) else 0.0


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


def _trajectories(x: Any, t: Any, x_dot: Any, names: Any, groups: Any) -> tuple[Trajectories, bool]:
    """The data as runs, and whether they are in the order of time."""
    if isinstance(x, Trajectories):
        if any(other is not None for other in (t, x_dot, names, groups)):
            raise InputError(
                explain(
                    "Trajectories know their times, names and runs.",
                    given="Trajectories together with t, x_dot, names or groups",
                    expected="the trajectories alone",
                    fix="model.fit(trajectories)",
                )
            )
        return x, True
    if t is None and x_dot is None:
        raise InputError(
            explain(
                "Derivatives cannot be taken without times.",
                given="fit(x)",
                expected="times t, or derivatives x_dot",
                fix="model.fit(x, t), or model.fit(x, x_dot=...)",
            )
        )
    listed = isinstance(x, (list, tuple)) and len(x) > 0 and np.ndim(x[0]) == 2
    empty = [k for k, run in enumerate(x if listed else [x]) if np.size(run) == 0]
    if empty:
        raise InputError(
            explain(
                "A run is empty.",
                given=f"no samples in run {empty[0]}" if listed else "no samples",
                expected="states (n, d)",
                fix="leave empty runs out",
            )
        )
    names = _column_names(x) if names is None else names
    clock: Any = t
    if t is None:
        clock = [np.arange(len(run)) for run in x] if listed else np.arange(len(x))
    known: Any = [np.asarray(v) for v in x_dot] if listed and x_dot is not None else x_dot
    states: Any = [np.asarray(run) for run in x] if listed else x
    return Trajectories.from_arrays(states, clock, names, known, groups), t is not None


def _states(x: ArrayLike, d: int) -> NDArray:
    states = np.asarray(x, dtype=np.float64)
    if states.ndim != 2 or states.shape[1] != d or not np.isfinite(states).all():
        given = f"an array of shape {states.shape}"
        given += ", some not finite" if states.ndim == 2 and states.shape[1] == d else ""
        raise InputError(
            explain(
                "These are no states of the system.", given=given, expected=f"finite numbers (n, {d})", fix="x[None]"
            )
        )
    return states


def _not_both(symmetry: Any, promote: Any) -> None:
    if symmetry is not None and promote is not None:
        raise InputError(
            explain(
                "A symmetry is either enforced or promoted.",
                given="symmetry and promote",
                expected="one of them",
                fix="SINDy(promote=er.actions.affine(2)), which keeps what the data do not speak against",
            )
        )


@register
def _(obj: SINDy, request: Request) -> AbstractField:
    """Fitted equations are a field with exact derivatives."""
    check_is_fitted(obj)
    return convert(obj.field_, request)
