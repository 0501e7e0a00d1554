"""Model error: what an imperfect right-hand side or solver misses, as a closed form."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from erlangen._errors import InputError, UndecidedError, explain, warn
from erlangen._typing import NDArray
from erlangen.dynamics._explain import Explained, explained
from erlangen.dynamics._imperfect import OneStep, RightHandSide, imperfect, refuse_controls
from erlangen.dynamics._library import Candidates, candidates
from erlangen.dynamics._misfit import AbstractMisfit, misfit_of
from erlangen.dynamics._parts import BreakingTest, as_equations, breaking_share, split, symmetric_basis, texts_of
from erlangen.dynamics.equations import Equations
from erlangen.fields import AbstractField, as_field
from erlangen.fields.libraries import AbstractLibrary
from erlangen.fields.trajectories import Increments, Trajectories


class ModelError(BaseEstimator):
    """Find the terms that an imperfect model misses: x' = f(x) + h(x), h few terms of a library.

    Parameters
    ----------
    model : callable, Equations, dict of formulas, AbstractField, OneStep or None
        The right-hand side f, states ``(n, d)`` to time derivatives ``(n, d)``; or a solver of one step.
    library : AbstractLibrary, default=None
        Functions of which h is made; by default monomials. The constant is always among them.
    degree : int, default=2
        Highest degree of the monomials, where no library is given.
    symmetry : AbstractAction, Symmetry, Group or list of matrices, default=None
        A symmetry of the truth; a list of matrices ``(d, d)`` are discrete elements. h is sought among the symmetric
        fields, and whether the data then ask for more is tested: "the model error breaks the symmetry".

    Attributes
    ----------
    correction_ : Equations
        h, with standard errors.
    corrected_ : Equations or AbstractField
        f + h: equations where f was given by some. Of a solver, that is h alone, to be added to what it solves.
    coefficients_, errors_ : ndarray (d, r)
        Coefficients of h and their standard errors; zero where a term was left out.
    symmetric_, breaking_ : ndarray (d, r)
        h as a sum of a symmetric field and one orthogonal to all of them in L2 of the data. Zero beside h where no
        symmetry was given.
    test_ : BreakingTest or None
        Whether the model error breaks the symmetry, in numbers and words.
    before_, after_ : float
        Root mean square misfit on held-out data without and with h, in units of the noise as estimated from the data
        (weak form), or of the error of the fit (steps).
    feature_names_, names_ : tuple of str
        Functions and coordinates.
    reason_ : str
        Where the equations are from, what was tested, and what is left.
    n_features_in_ : int
        Number d of coordinates of the data.

    References
    ----------
    Mojgani, Chattopadhyay, Hassanzadeh, Chaos 32, 2022, 061105, for sparse closed forms of model error.

    Examples
    --------
    >>> import numpy as np
    >>> import erlangen as er
    >>> t = np.linspace(0, 6, 121)
    >>> truth = er.dynamics.Equations.from_text({"x": "v", "v": "-x - 0.3*v - x**3"})
    >>> runs = [truth.simulate(start, t).states for start in ([1.0, 0.0], [0.0, 1.5])]
    >>> flow = er.fields.Trajectories.from_arrays(runs, t, names=["x", "v"])
    >>> found = er.dynamics.ModelError({"x": "v", "v": "-x"}, degree=3).fit(flow)
    >>> print(found.correction_)
    x' = 0
    v' = -0.3 v - x^3
    """

    names_: tuple[str, ...]
    feature_names_: tuple[str, ...]
    n_features_in_: int
    coefficients_: NDArray
    errors_: NDArray
    correction_: Equations
    corrected_: Equations | AbstractField
    test_: BreakingTest | None
    symmetric_: NDArray
    breaking_: NDArray
    before_: float
    after_: float
    reason_: str

    def __init__(
        self,
        model: Any = None,
        library: AbstractLibrary | None = None,
        *,
        degree: int = 2,
        symmetry: Any = None,
    ):
        self.model = model
        self.library = library
        self.degree = degree
        self.symmetry = symmetry

    def fit(self, x: Trajectories | Increments | ArrayLike, t: ArrayLike | None = None) -> Self:
        """Find h.

        Parameters
        ----------
        x : Trajectories, Increments, or array (n, d)
            Runs; or pairs of states and the time between them, ``flow.increments()``; or one run with its times.
        t : array (n,), optional
            Times of one run.

        Returns
        -------
        ModelError
            Itself, fitted.

        Raises
        ------
        InputError
            Where model, library, symmetry and data do not fit together.
        UndecidedError
            Where there are too few data, or terms that they do not tell apart, which are named.
        """
        data = _data(x, t)
        if isinstance(data, Trajectories):
            refuse_controls(data)
        self.names_ = data.names if isinstance(data, Trajectories) else tuple(_names(self.model, data))
        family = candidates(self.library, self.degree, self.names_)
        model = imperfect(self.model, self.names_)
        misfit = misfit_of(family, model, data)
        family.check_finite(misfit.points)
        points = misfit.points
        basis = None if self.symmetry is None else symmetric_basis(family, self.symmetry, points)
        found = explained(
            misfit, texts_of(family, self.names_), basis, lambda theta: breaking_share(family, theta, basis, points)
        )
        if found.unexplained:
            fix = "other functions (library=), another model, or the inputs that it leaves out"
            warn("Most of the misfit is left: nothing in the library explains it.", fix=fix)
        self._report(found, family, model, misfit)
        return self

    def _report(
        self, found: Explained, family: Candidates, model: RightHandSide | OneStep, misfit: AbstractMisfit
    ) -> None:
        d, r = len(self.names_), len(family.texts)
        self.feature_names_ = family.texts
        self.n_features_in_ = d
        self.coefficients_ = found.theta.reshape(d, r)
        self.errors_ = found.errors.reshape(d, r)
        self.correction_ = as_equations(family, self.names_, found.theta, found.errors)
        self.corrected_ = _corrected(model, self.correction_, family, found.theta)
        self.test_ = found.test
        basis = found.basis
        whole = (found.theta, np.zeros_like(found.theta))
        parts = whole if basis is None else split(family, found.theta, basis, misfit.points)
        self.symmetric_, self.breaking_ = (part.reshape(d, r) for part in parts)
        self.before_, self.after_ = found.before, found.after
        self.reason_ = "; ".join(part for part in (misfit.reason, found.reason) if part)

    def predict(self, x: ArrayLike) -> NDArray:
        """Time derivatives ``(n, d)`` of the corrected model; of a solver, the correction.

        Parameters
        ----------
        x : array_like (n, d)
            States.

        Returns
        -------
        ndarray (n, d)
            Time derivatives, in units of the states per unit of time.
        """
        check_is_fitted(self)
        return self.corrected_.value(np.asarray(x, dtype=np.float64))

    @property
    def equations_(self) -> Equations:
        """The corrected equations.

        Raises
        ------
        UndecidedError
            Where the model was not given by equations.
        """
        check_is_fitted(self)
        if isinstance(self.corrected_, Equations):
            return self.corrected_
        raise UndecidedError(
            explain(
                "The corrected model has no closed form.",
                given=f"a model of type {type(self.model).__name__}",
                expected="a model given by formulas",
                fix="correction_ for the closed form of what was missing, corrected_ for the sum as a field",
            )
        )


def _corrected(
    model: RightHandSide | OneStep, correction: Equations, family: Candidates, theta: NDArray
) -> Equations | AbstractField:
    """The sum: equations where both are."""
    if isinstance(model, OneStep):
        return correction
    if model.equations is not None:
        return added(model.equations, correction)
    d = len(correction.names)
    return as_field(lambda x: model.value(x) + family.field.with_theta(theta).value(x), kind="vector", dim=d)


def added(first: Equations, second: Equations) -> Equations:
    """The sum of two right-hand sides; deviations are those of the second, the first is taken as exact."""
    terms = tuple(dict.fromkeys((*first.terms, *second.terms)))
    total, errors = np.zeros((2, len(first.names), len(terms)))
    for part in (first, second):
        at = [terms.index(text) for text in part.terms]
        total[:, at] += part.coefficients
        if part is second and part.errors is not None:
            errors[:, at] = part.errors
    return Equations(first.names, first.controls, terms, total, np.where(total != 0.0, errors, 0.0))


def _data(x: Any, t: Any) -> Trajectories | Increments:
    if isinstance(x, (Trajectories, Increments)):
        return x
    if t is None:
        raise InputError(
            explain(
                "States without times say nothing of motion.",
                given="fit(x)",
                expected="Trajectories, Increments, or states and times",
                fix="fit(x, t)",
            )
        )
    return Trajectories.from_arrays(x, t)


def _names(model: Any, data: Increments) -> list[str]:
    """Names of the coordinates of pairs: those of the model, where it has some."""
    if isinstance(model, Equations):
        return list(model.names)
    if isinstance(model, dict):
        return [str(name) for name in model]
    return [f"x{j + 1}" for j in range(data.start.shape[1])]
