"""Sparse identification of dynamics: x' = F(x, u) from trajectories, with a symmetry enforced, promoted, or neither."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterable, Sequence
from copy import copy
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from erlangen._errors import InputError, explain, nearest, warn
from erlangen._progress import carried
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction, affine
from erlangen.algebra import Group
from erlangen.dynamics._columns_told import tell_columns
from erlangen.dynamics._ensemble import Ensemble, ensemble
from erlangen.dynamics._fit_input import as_states, as_trajectories
from erlangen.dynamics._library import candidates
from erlangen.dynamics._report import SymmetryTest
from erlangen.dynamics._slopes import METHODS, slopes_of
from erlangen.dynamics._sparse import check_sparsity
from erlangen.dynamics._strong import strong_form, strong_test
from erlangen.dynamics._whole import DISCOVER, Chosen, Data, whole_form
from erlangen.dynamics.equations import Equations
from erlangen.dynamics.poisson import PhaseSpace
from erlangen.dynamics.shooting.discovery import Discovered
from erlangen.dynamics.units import Units
from erlangen.fields import AbstractField, AbstractLinearField, Request, convert, register
from erlangen.fields.libraries import AbstractLibrary
from erlangen.fields.trajectories import Trajectories
from erlangen.verbs import Symmetry

_log = logging.getLogger(__name__)

FORMS = ("auto", "trajectory", "weak", "strong")

MOST_ATOMS = 1000
"""Coefficients from which on solutions are not differentiated by all of them: seconds become minutes."""


class SINDy(BaseEstimator):
    """Find the equations of motion x' = F(x, u) as few terms of a library, inside a symmetry where there is one.

    F is linear in its coefficients, so a symmetry, [xi, F] = 0 for generators xi, is a set of linear equations for
    them. ``symmetry`` takes it for granted, and says afterwards how much the data speak against it. ``promote`` only
    hopes for it: of the generators of an action, those are kept that the data do not speak against; what survived is
    then enforced, and nothing of a penalty is left in the coefficients.

    By default whole trajectories are fitted. The weak form, in which no derivative of the data is taken, suggests
    terms; Gauss-Newton finds the coefficients and initial states whose solutions pass the samples best, over longer
    and longer windows; and a term is kept where it lowers the misfit by more than log n and the length of its name.
    Noise is estimated from the data, as a constant and a relative part of each coordinate, and may differ between them.

    Parameters
    ----------
    library : AbstractLibrary, default=None
        Functions to combine, of coordinates and controls; by default monomials. The constant is always among them.
    degree : int, default=3
        Highest degree of the monomials, where no library is given.
    symmetry : AbstractAction, Symmetry, Group, PhaseSpace, Units or "discover", default=None
        A symmetry to enforce exactly; a `PhaseSpace` stands for its symplectic form, which Hamiltonian fields
        preserve, and `Units` for the scalings under which equations hold in all units. ``"discover"`` promotes all
        affine maps, and volume. With controls an action moves states and controls together, states first.
    symmetry_weight : float, default=inf
        Of an approximate symmetry: fields whose Lie derivative is a share s of the velocities cost this many s^2 for
        each number observed, in squared standard deviations. Infinite enforces the symmetry exactly.
    promote : AbstractAction, Symmetry or Group, default=None
        Generators each of which may turn out to be a symmetry or not.
    form : {"auto", "trajectory", "weak", "strong"}, default="auto"
        What is fitted: solutions, integrals against test functions, or derivatives. ``"auto"`` fits solutions; where
        derivatives are given, or coefficients are too many to follow, derivatives.
    sparsity : {"auto", "bic", "cv"}, float or None, default="auto"
        How terms are dropped. ``"bic"``: those that do not lower the misfit by their price. ``"cv"``, for derivatives
        only: one by one, the least certain first, as long as the error on held-out data stays within one standard
        error of the least. A number between 0 and 1: all terms whose part is below this share, again and again. None:
        all are kept. None of these depends on units of functions. ``"auto"``: ``"cv"`` for derivatives, else ``"bic"``.
    derivatives : {"auto", "smooth", "gp", "spline", "differences", "spectral"}, default="auto"
        How runs are smoothed and derivatives taken, see `er.dynamics.smooth`.
    rng : int or Generator, default=0
        Draws held-out points where ``x_dot`` is given without times.

    Attributes
    ----------
    equations_ : Equations
        The result: printed, exported, simulated, saved.
    coefficients_, errors_ : ndarray (d, r)
        One row for each coordinate, one column for each function; and standard errors.
    feature_names_ : tuple of str
        The functions.
    names_ : tuple of str
        The coordinates.
    field_ : AbstractLinearField
        F, which every verb accepts; with controls, a field of states and controls in which the controls stand still.
    dim_ : int
        Dimension of the space of fields in which terms were dropped.
    broken_rank_ : int or None
        How many generators of ``promote`` are broken.
    symmetry_ : Symmetry or None
        What survived of ``promote``, named, with its evidence; None where nothing did or nothing was promoted.
    symmetry_test_ : SymmetryTest or None
        How much the data speak against an enforced symmetry.
    rivals_ : tuple of (str, float)
        Other equations that were considered, and how much worse their scores are.
    residuals_ : ndarray (m, d)
        What solutions leave of the samples, in standard deviations; of fitted derivatives, what is left of those.
    residual_index_ : ndarray (m, 2)
        The run and the sample that each of them is of, both counted from zero; where samples were averaged over bins,
        the one in the middle.
    noise_ : ndarray (d,) or None
        Root mean square of the noise of each coordinate: of what the equations leave of the samples.
    misfit_ : ndarray (d,) or None
        Its ratio to the noise that smoothing finds, which knows no equations. Far above one, something is missing, and
        a warning says so. Of weak equations: what they leave of integrals, in units of what the noise makes there.
    unexplained_ : str
        The same in words; empty where the equations leave no more than noise.
    search_ : object or None
        The last step of the search, from which `ensemble` draws.
    reason_ : str
        How runs were smoothed, which generators were kept, and how many terms.
    n_features_in_ : int
        Number d of coordinates of the data.

    References
    ----------
    Brunton, Proctor, Kutz, PNAS 113, 2016, 3932-3937, for sparse identification. Messenger, Bortz, Multiscale Model.
    Simul. 19, 2021, 1474-1497, for the weak form. Bock, in Modelling of Chemical Reaction Systems, Springer, 1981,
    102-125, for fitting initial states of windows together with coefficients. Otto, Zolman, Kutz, Brunton, JMLR
    26(248), 2025, for promotion.

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

    names_: tuple[str, ...]
    feature_names_: tuple[str, ...]
    n_features_in_: int
    coefficients_: NDArray
    errors_: NDArray
    equations_: Equations
    dim_: int
    broken_rank_: int | None
    symmetry_: Symmetry | None
    rivals_: tuple[tuple[str, float], ...]
    residuals_: NDArray
    residual_index_: NDArray
    noise_: NDArray | None
    misfit_: NDArray | None
    unexplained_: str
    search_: Discovered | None
    reason_: str

    def __init__(
        self,
        library: AbstractLibrary | None = None,
        *,
        degree: int = 3,
        symmetry: AbstractAction | Symmetry | Group | PhaseSpace | Units | str | None = None,
        symmetry_weight: float = np.inf,
        promote: AbstractAction | Symmetry | Group | None = None,
        form: str = "auto",
        sparsity: str | float | None = "auto",
        derivatives: str = "auto",
        rng: int | np.random.Generator = 0,
    ):
        self.library = library
        self.degree = degree
        self.symmetry = symmetry
        self.symmetry_weight = symmetry_weight
        self.promote = promote
        self.form = form
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
        x_dot : array (n, d) or list of arrays (n_i, d), optional
            Time derivatives where they are known; times are then not needed.
        names : iterable of str, optional
            Names of the coordinates; by default those of the columns of data frames, else x1 .. xd.
        groups : iterable, optional
            For one table: the run of each row.

        Returns
        -------
        SINDy
            Itself, fitted.

        Raises
        ------
        InputError
            Where data are not valid, or action, library and data do not fit together.
        UndecidedError
            Where there are too few data for the library.
        Interrupted
            On Ctrl-C, with the best model of the search so far in ``partial``.
        """
        check_sparsity(self.sparsity)
        _not_both(self.symmetry, self.promote)
        _among("form", self.form, FORMS)
        _among("derivatives", self.derivatives, METHODS)
        _positive(self.symmetry_weight)
        flow, timed = as_trajectories(x, t, x_dot, names, groups)
        tell_columns(flow)
        found = candidates(self.library, self.degree, (*flow.names, *flow.controls))
        width = len(flow.names) + len(flow.controls)
        hoped = self.promote if self.symmetry != DISCOVER else DISCOVER
        form = self._form(flow, timed, len(found.texts))
        _log.debug("%s form: %d functions of %d columns on %d samples", form, len(found.texts), width, len(flow.points))
        if form == "strong":
            chosen = self._fit_strong(
                found, flow, None if timed else self.rng, affine(width) if hoped == DISCOVER else hoped
            )
        else:
            data = Data.of(flow, self.derivatives)
            symmetry = None if hoped is not None else self.symmetry
            # What was asked to fit stays as it was when it is stopped: the partial result is another model.
            with carried(Chosen, lambda chosen, _: copy(self)._keep(chosen, found, flow)):
                chosen = whole_form(found, data, symmetry, hoped, form, self._price(), float(self.symmetry_weight))
        return self._keep(chosen, found, flow)

    def _form(self, flow: Trajectories, timed: bool, count: int) -> str:
        known, many = flow.derivatives is not None, count * len(flow.names) > MOST_ATOMS
        if self.form == "auto":
            return "strong" if known or many or not timed or self.sparsity == "cv" else "trajectory"
        if self.form != "strong" and (known or self.sparsity == "cv"):
            given = f"form={self.form!r} with " + ("known derivatives" if known else 'sparsity="cv"')
            what = "Derivatives and their held-out errors belong to the strong form."
            raise InputError(explain(what, given=given, expected='form="strong"', fix='form="auto"'))
        if self.form == "strong" and np.isfinite(self.symmetry_weight):
            what = "The weight of a symmetry belongs to the trajectory and weak forms."
            raise InputError(explain(what, given='form="strong"', expected='"trajectory" or "weak"', fix='form="auto"'))
        if self.form == "strong" and flow.controls:
            what = "Equations with controls are found from trajectories."
            raise InputError(explain(what, given='form="strong"', expected='"trajectory" or "weak"', fix='form="auto"'))
        return self.form

    def _price(self) -> Any:
        return "bic" if self.sparsity == "auto" else self.sparsity

    def _keep(self, chosen: Chosen, found: Any, flow: Trajectories) -> Self:
        """Fill the attributes."""
        d, u = len(flow.names), len(flow.controls)
        self.names_, self.feature_names_ = flow.names, tuple(text or "1" for text in found.texts)
        still = np.zeros((u, chosen.theta.shape[1]))
        self.field_: AbstractLinearField = found.field.with_theta(np.concatenate([chosen.theta, still]).ravel())
        self.coefficients_, self.errors_ = chosen.theta, chosen.errors
        rounded = np.array([[round_to(c, row) for c in row] for row in chosen.theta]).reshape(d, -1)
        known = np.where(rounded != 0, chosen.errors, 0.0)
        self.equations_ = Equations(flow.names, flow.controls, self.feature_names_, rounded, known)
        self.n_features_in_, self.dim_ = d, chosen.space.basis.shape[1]
        self.broken_rank_, self.symmetry_ = chosen.space.broken_rank, chosen.space.symmetry
        self.symmetry_test_: SymmetryTest | None = chosen.test
        self.rivals_, self.residuals_, self.noise_ = chosen.rivals, chosen.residuals, chosen.noise
        self.residual_index_, self.misfit_, self.unexplained_ = chosen.index, chosen.misfit, chosen.unexplained
        self.search_, self.reason_ = chosen.discovered, chosen.reason
        _log.debug("%s", chosen.reason)
        return self

    def _fit_strong(self, found: Any, flow: Trajectories, rng: Any, promote: Any) -> Chosen:
        """Derivatives regressed on functions."""
        data = slopes_of(flow, self.derivatives, rng)
        found.check_finite(data.points)
        sparsity = "cv" if self.sparsity == "auto" else self.sparsity
        symmetry = None if promote is not None else self.symmetry
        space, fit = strong_form(found, data, symmetry, promote, sparsity, flow.names)
        theta = (space.basis @ fit.z).reshape(len(flow.names), -1)
        said = "; ".join(part for part in (data.reason, space.reason, fit.reason) if part)
        test = None if symmetry is None else strong_test(found, data, theta, int(np.count_nonzero(fit.z)), sparsity)
        rest = data.slopes - found.field.with_theta(theta.ravel()).value(data.points)
        sizes = np.sqrt(np.mean(rest**2, axis=0))
        residuals = rest / np.where(sizes > 0, sizes, 1.0)
        return Chosen(
            theta, fit.errors(space.basis).reshape(theta.shape), space, said, residuals, data.index, test=test
        )

    def predict(self, x: ArrayLike, controls: ArrayLike | None = None) -> NDArray:
        """Time derivatives ``(n, d)`` at states ``x (n, d)``, under controls ``(n, u)`` where there are any.

        Parameters
        ----------
        x : array_like (n, d)
            States.
        controls : array_like (n, u), optional
            Controls, where there are any.

        Returns
        -------
        ndarray (n, d)
            Time derivatives, in units of the states per unit of time.
        """
        check_is_fitted(self)
        return self.equations_.value(as_states(x, self.n_features_in_), controls)

    def simulate(self, x0: ArrayLike, t: ArrayLike, controls: Any = None) -> NDArray:
        """States ``(n, d)`` at increasing times ``t (n,)``, from the state ``x0 (d,)`` at the first of them.

        A solution that cannot be followed to the end is no error: a warning says where it ended, and later states are
        not a number. ``model.equations_.simulate`` returns what was reached, and the reason.

        Parameters
        ----------
        x0 : array_like (d,)
            The state at the first time.
        t : array_like (n,)
            Increasing times.
        controls : callable or array_like (n, u), optional
            Controls, as in `Equations.simulate`.

        Returns
        -------
        ndarray (n, d)
            States at the times.

        Raises
        ------
        InputError
            Where shapes do not fit or times do not increase.
        """
        check_is_fitted(self)
        run = self.equations_.simulate(x0, t, controls)
        times = np.asarray(t, dtype=np.float64)
        states = np.full((len(times), len(self.names_)), np.nan)
        states[: len(run.times)] = run.states
        if not run.complete:
            fix = "shorter times, another start, or model.equations_.simulate, which returns what was reached"
            warn(f"The solution ends early: {run.reason}. Later states are not a number.", fix=fix)
        return states

    def equations(self, digits: int = 4) -> str:
        """The equations as text, one line for each coordinate.

        Parameters
        ----------
        digits : int
            Significant digits of coefficients.

        Returns
        -------
        str
            Lines such as ``x' = -y``.
        """
        check_is_fitted(self)
        return self.equations_.text(digits)

    def intervals(self, level: float = 0.95) -> tuple[NDArray, NDArray]:
        """Lower and upper ends ``(d, r)`` of intervals for the coefficients that are not zero.

        They hold for the terms that were chosen; that others might have been is not in them, see `rivals_`.

        Parameters
        ----------
        level : float
            Probability that an interval holds its coefficient, between 0 and 1.

        Returns
        -------
        tuple of two ndarray (d, r)
            Lower and upper ends, in the units of the coefficients.

        Raises
        ------
        InputError
            When the level is not between 0 and 1.
        """
        check_is_fitted(self)
        if not 0 < level < 1:
            what = "There is no such level of confidence."
            raise InputError(explain(what, given=f"level={level!r}", expected="between 0 and 1", fix="level=0.95"))
        half = stats.norm.ppf((1 + level) / 2) * self.errors_
        return self.coefficients_ - half, self.coefficients_ + half

    def ensemble(self, draws: int = 100, rng: int | np.random.Generator = 0) -> Ensemble:
        """Choose terms again on windows of the data that are drawn with replacement.

        Each draw is solved to first order about the fit, inside the symmetry where one was enforced; it takes
        milliseconds. Windows are at most a twentieth of the data and start from unknown states, so draws scatter more
        than `errors_`, which are those of whole runs.

        Parameters
        ----------
        draws : int
            How many times terms are chosen again.
        rng : int or numpy.random.Generator
            Draws the windows.

        Returns
        -------
        Ensemble
            Coefficients of all draws, and how often each term was chosen.

        Raises
        ------
        InputError
            Where derivatives were fitted.
        UndecidedError
            Where the data are too short to be cut into 20 windows.
        """
        check_is_fitted(self)
        if self.search_ is None:
            what = "Only trajectories are drawn from."
            raise InputError(explain(what, given="a fit of derivatives", expected="times", fix='form="trajectory"'))
        return ensemble(self.search_, self.names_, self.feature_names_, draws, rng)

    def score(self, x: Any, t: Any = None, *, x_dot: Any = None) -> float:
        """Share of the variance of derivatives that the equations explain; of smoothed ones where none are given.

        Parameters
        ----------
        x : Trajectories, array (n, d), or list of arrays (n_i, d)
            States, as in `fit`.
        t : array (n,) or list of arrays (n_i,), optional
            Times of the states.
        x_dot : array (n, d) or list of arrays (n_i, d), optional
            Time derivatives where they are known.

        Returns
        -------
        float
            R squared, at most 1.
        """
        check_is_fitted(self)
        flow, timed = as_trajectories(x, t, x_dot, None, None)
        data = slopes_of(flow, self.derivatives, None if timed else self.rng)
        inputs = np.concatenate([run.controls for run in flow.runs])
        starts = np.cumsum([0, *(len(run.time) for run in flow.runs)])
        given = inputs[starts[data.index[:, 0]] + data.index[:, 1]] if flow.controls else None
        rest = data.slopes - self.equations_.value(data.points, given)
        return 1.0 - float(np.sum(rest**2) / np.sum((data.slopes - data.slopes.mean(axis=0)) ** 2))


def round_to(c: float, row: NDArray) -> float:
    """A coefficient, or zero where it is rounding beside the others of its row."""
    return c if abs(c) > len(row) * np.finfo(np.float64).eps * np.abs(row).max(initial=0.0) else 0.0


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


def _positive(weight: Any) -> None:
    if isinstance(weight, (int, float)) and not isinstance(weight, bool) and weight >= 0:
        return
    what, expected = "This is no weight of a symmetry.", "a number that is not negative, or infinity"
    raise InputError(explain(what, given=f"symmetry_weight={weight!r}", expected=expected, fix="symmetry_weight=1.0"))


def _among(what: str, given: Any, known: tuple[str, ...]) -> None:
    if given in known:
        return
    raise InputError(
        explain(
            f"There is no such {what}.",
            given=f"{what}={given!r}",
            expected=", ".join(known),
            fix=f"{what}={nearest(str(given), known) or known[0]!r}",
        )
    )


@register
def _(obj: SINDy, request: Request) -> AbstractField:
    """Fitted equations are a field with exact derivatives."""
    check_is_fitted(obj)
    return convert(obj.field_, request)
