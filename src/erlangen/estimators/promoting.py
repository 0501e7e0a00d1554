"""Regression that breaks a symmetry only where the data insist."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.model_selection import check_cv
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from erlangen._errors import InputError, explain
from erlangen._progress import carried
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction, translation
from erlangen.algebra import Group, Representation
from erlangen.derivative import Samples
from erlangen.estimators._centred import middle
from erlangen.estimators._combination import AbstractCombination, finite_number
from erlangen.estimators._family import Functions, functions_of, transformation
from erlangen.fields import AbstractLinearField, PolynomialField
from erlangen.fields.bases import AbstractBasis
from erlangen.fields.libraries import AbstractLibrary
from erlangen.verbs import Penalty, Selected, Symmetry, promote
from erlangen.verbs._enforce_request import read

POINTS_PER_FUNCTION = 4
"""Points of the box for each function of a library that is no polynomial, and is sampled there."""

FOLDS = 10
"""Parts of cross-validation, where there are as many rows."""


class SymmetryPromotingRegressor(AbstractCombination):
    """Least squares over functions of which the data decide how symmetric they are.

    The model is y = f_theta(x), linear in theta. Its price is the nuclear norm of xi -> L_xi f_theta, a convex function
    that stands for the number of broken generators. A path of weights, cross-validated, suggests what may be kept; the
    least squares fit among all functions that keep as much is compared with it on held-out rows, and of those that are
    as good as the best, up to chance, the one that keeps most is taken. Where nothing is worth keeping, the fit is that
    of the best weight, zero among them.

    Parameters
    ----------
    action : AbstractAction, Symmetry, Group or None, default=None
        What may act on the inputs. None means translations: which directions of the inputs matter?
    rep_in, rep_out : str or Representation, default=None
        For a group: how inputs and outputs transform, as in :class:`EquivariantRegressor`.
    kind : {"invariant", "vector", "map"}, default=None
        For an action: how outputs follow inputs, where the action does not say. Needed where there are as many outputs
        as inputs.
    degree : int, default=2
        Highest degree of the monomials.
    library : AbstractLibrary or AbstractBasis, default=None
        Functions to combine instead of monomials; the constant is added to a library.
    penalty : {"nuclear", "frobenius", "reweighted", "scale-free"}, default="nuclear"
        See :func:`erlangen.promote`; the first two are convex.
    inner : {"relative", "speed", "coefficients"} or ndarray (p, p), default="relative"
        How long a generator is, and so what it costs to break it.
    lams : sequence of float, default=None
        Weights of the path. By default twenty, from one that breaks nothing down to a ten-thousandth of it, and zero.
    l1 : float, default=0.0
        Weight of the sum of absolute coefficients, relative to the penalty; refits are without.
    cv : int, splitter or iterable, default=None
        Cross-validation, as in scikit-learn; ten folds at random by default.
    debias : bool, default=True
        Whether to refit with what is kept. Otherwise coefficients are those of the largest weight that is as good as
        the best, shrunk as the penalty leaves them.
    within : float, default=None
        Up to how many standard errors above the best error a choice is as good: by default half of one for refits,
        and one for weights without a refit.
    samples : Samples, default=None
        Where functions are compared; by default the box of the inputs.
    random_state : int, RandomState or None, default=0
        Splits the rows, where `cv` does not.

    Attributes
    ----------
    coef_ : ndarray (q,) or (c, q)
        Coefficients of the functions, for each output.
    lam_ : float
        Chosen weight.
    lams_, cv_errors_ : ndarray (l,)
        The l weights of the path, and the cross-validated mean squared error of each.
    broken_rank_ : int
        Number of broken generators.
    kept_ : ndarray (p, k)
        Combinations of the generators of the action that are kept, as columns.
    symmetry_ : Symmetry
        What survived, named, with its evidence.
    selected_ : Selected
        All that was compared; its ``reason`` says why this much is broken.
    field_ : AbstractLinearField
        The fitted function, which every verb accepts.
    functions_ : Functions
        The functions that are combined, and their texts.
    n_features_in_ : int
        Number d of inputs.
    feature_names_in_ : ndarray (d,) of str
        Names of the inputs, where the data have some.

    References
    ----------
    Otto, Zolman, Kutz, Brunton, JMLR 26(248), 2025, section 8.

    Examples
    --------
    Of four inputs, only the sum of two matters:

    >>> import numpy as np
    >>> import erlangen as er
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-1, 1, (40, 4))
    >>> model = er.estimators.SymmetryPromotingRegressor(degree=3)
    >>> model = model.fit(X, (X[:, 0] + X[:, 1]) ** 3 + 0.05 * rng.normal(size=40))
    >>> model.broken_rank_, model.symmetry_.name
    (1, 'R^3')
    """

    functions_: Functions
    coef_: NDArray
    field_: AbstractLinearField
    selected_: Selected
    lam_: float
    lams_: NDArray
    cv_errors_: NDArray
    broken_rank_: int
    kept_: NDArray

    def __init__(
        self,
        action: AbstractAction | Symmetry | Group | None = None,
        *,
        rep_in: str | Representation | None = None,
        rep_out: str | Representation | None = None,
        kind: str | None = None,
        degree: int = 2,
        library: AbstractLibrary | AbstractBasis | None = None,
        penalty: str = "nuclear",
        inner: str | NDArray = "relative",
        lams: Sequence[float] | None = None,
        l1: float = 0.0,
        cv: int | Iterable[Any] | None = None,
        debias: bool = True,
        within: float | None = None,
        samples: Samples | None = None,
        random_state: int | np.random.RandomState | None = 0,
    ):
        self.action = action
        self.rep_in = rep_in
        self.rep_out = rep_out
        self.kind = kind
        self.degree = degree
        self.library = library
        self.penalty = penalty
        self.inner = inner
        self.lams = lams
        self.l1 = l1
        self.cv = cv
        self.debias = debias
        self.within = within
        self.samples = samples
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fit the coefficients, and decide what is broken.

        Parameters
        ----------
        X : array (n, d)
            Inputs.
        y : array (n,) or (n, c)
            Outputs.

        Returns
        -------
        SymmetryPromotingRegressor
            Itself, fitted.

        Raises
        ------
        InputError
            Where data, action and representations do not fit together.
        UndecidedError
            Where there are too few rows.
        """
        x, values, single = self._read(X, y)
        d, c = x.shape[1], values.shape[1]
        l1 = finite_number("l1", self.l1, "The weight of the absolute coefficients cannot be used.", "l1=0.0")
        acting, kind = (translation(d), "invariant") if self.action is None else (self.action, self.kind)
        how = transformation(acting, self.rep_in, self.rep_out, kind, d, c)
        self.functions_ = functions_of(self.degree, self.library, self._names(d))
        family = self.functions_.field(c, how.kind)
        samples = _box(x, family) if self.samples is None else self.samples
        targets = values - x if how.kind == "map" else values
        # What was asked to fit stays as it was when it is stopped: the partial result is another estimator.
        with carried(Selected, lambda selected, _: copy(self)._keep(selected, c, single)):
            selected = self._select(x, targets, family, how.acting, samples, self._splits(x, values), l1)
        return self._keep(selected, c, single)

    def _keep(self, selected: Selected, c: int, single: bool) -> Self:
        """Fill the attributes."""
        self.selected_ = selected
        self.lam_, self.lams_, self.cv_errors_ = self.selected_.lam, self.selected_.lams, self.selected_.errors
        self.broken_rank_, self.kept_ = self.selected_.broken_rank, self.selected_.kept
        self.field_ = self.selected_.field
        theta = self.selected_.theta.reshape(c, -1)
        self.coef_ = theta[0] if single else theta
        return self

    def _select(
        self,
        x: NDArray,
        y: NDArray,
        family: AbstractLinearField,
        acting: Any,
        samples: Samples,
        splits: list,
        l1: float,
    ) -> Selected:
        """Choose what is broken; about the middle of the data, where that changes nothing else."""

        def penalised(family: AbstractLinearField, acting: Any, samples: Samples) -> Penalty:
            return promote(family, acting, samples, kind=self.penalty, inner=self.inner)

        options: dict[str, Any] = {"folds": splits, "lams": self.lams, "debias": self.debias, "within": self.within}
        request = read(family, acting, samples, None)
        about = middle(family, request.lie.action, samples)
        absolute = request.elements or l1 or not isinstance(self.inner, str) or self.inner != "relative"
        if about is None or absolute:
            return penalised(family, acting, samples).select(x, y, l1=l1, **options)
        there, polynomials, action = about
        found = penalised(family, there.action(action), there.samples(samples))

        def back(chosen: Selected) -> Selected:
            return there.rewrite(chosen, polynomials, lambda: penalised(family, action, samples))

        with carried(Selected, lambda chosen, _: back(chosen)):
            chosen = found.select(there.points(x), y / there.units, **options)
        return back(chosen)

    @property
    def symmetry_(self) -> Symmetry:
        """What survived: the symmetry of the fitted function among the generators of the action."""
        check_is_fitted(self)
        return self.selected_.symmetry

    def _splits(self, x: NDArray, y: NDArray) -> list[tuple[NDArray, NDArray]]:
        """Rows to train and to test with."""
        n = len(x)
        if n < 2:
            raise InputError(
                explain(
                    "Cross-validation needs rows to hold out.",
                    given=f"n_samples={n} (1 sample)",
                    expected="at least 2 rows, and far more to decide anything",
                    fix="EquivariantRegressor(action).fit(X, y), which is told what to keep",
                )
            )
        if self.cv is not None:
            return list(check_cv(self.cv).split(x, y))
        order = check_random_state(self.random_state).permutation(n)
        return [(np.setdiff1d(order, part), part) for part in np.array_split(order, min(FOLDS, n))]


def _box(x: NDArray, family: AbstractLinearField) -> Samples:
    """The box of the inputs; a column that does not vary gets the mean width of the others."""
    low, high = x.min(axis=0), x.max(axis=0)
    width = high - low
    flat = width <= np.finfo(np.float64).eps * np.abs(x).max(axis=0)
    mean = float(width[~flat].mean()) if not flat.all() else 1.0
    half = np.where(flat, mean / 2, 0.0)
    n = 64 if isinstance(family, PolynomialField) else max(1024, POINTS_PER_FUNCTION * family.n_params)
    return Samples.box(low - half, high + half, n=n)
