"""Regression in the space of equivariant functions."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import _check_sample_weight

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction
from erlangen.algebra import Group, Representation
from erlangen.derivative import Samples
from erlangen.estimators._combination import AbstractCombination, finite_number
from erlangen.estimators._family import Functions, Transformation, functions_of, transformation
from erlangen.estimators._least_squares import solve
from erlangen.fields import AbstractLinearField, PolynomialField
from erlangen.fields.bases import AbstractBasis
from erlangen.fields.libraries import AbstractLibrary
from erlangen.linalg.subspace import AbstractSubspace, DenseSubspace
from erlangen.verbs import Symmetry, enforce

PROBES = 64
"""Points at which a function with no slope counts as constant."""


class EquivariantRegressor(AbstractCombination):
    """Least squares and ridge over functions that a group leaves alone.

    The model is y = f_theta(x), linear in theta, with theta in the subspace where f_theta is equivariant:
    ``enforce`` finds it before the data are looked at, so every fit is exactly symmetric, and few
    coefficients are left to estimate. The sum of w |y - f_theta(x)|^2 + alpha |theta|^2 is minimised by
    orthogonal factors of blocks of rows. The penalty leaves constants alone.

    Parameters
    ----------
    action : AbstractAction, Symmetry, Group or None, default=None
        What acts on the inputs. None leaves all coefficients free: an ordinary polynomial ridge.
    rep_in : str or Representation, default=None
        For a group: how inputs transform; by default ``"V"``, or as points under affine maps where there is one
        column less than the matrices have.
    rep_out : str or Representation, default=None
        For a group: how outputs transform; scalars by default, unless there are as many as inputs.
    kind : {"invariant", "vector", "map"}, default=None
        For an action, or a group of affine maps: how outputs follow inputs, where the action does not say. Needed
        where there are as many outputs as inputs.
    degree : int, default=2
        Highest degree of the monomials.
    library : AbstractLibrary or AbstractBasis, default=None
        Functions to combine instead of monomials; the constant is added to a library.
    alpha : float, default=0.0
        Weight of the penalty.

    Attributes
    ----------
    coef_ : ndarray (q,) or (c, q)
        Coefficients of the functions, for each output.
    subspace_ : AbstractSubspace
        The equivariant coefficients: of one output where outputs are invariant, else of all, row by row.
    rank_ : int
        How many coordinates in the subspace the data determine.
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
    Otto, Zolman, Kutz, Brunton, JMLR 26(248), 2025, section 6.

    Examples
    --------
    >>> import numpy as np
    >>> import erlangen as er
    >>> x = np.random.default_rng(0).normal(size=(8, 3))
    >>> model = er.estimators.EquivariantRegressor(er.actions.rotation(3), degree=4)
    >>> print(model.fit(x, 1 + 2 * (x**2).sum(axis=1)).equations(digits=3))
    f = 1 + 2 x^2 + 2 y^2 + 2 z^2
    """

    functions_: Functions
    coef_: NDArray
    field_: AbstractLinearField
    subspace_: AbstractSubspace
    rank_: int

    def __init__(
        self,
        action: AbstractAction | Symmetry | Group | None = None,
        *,
        rep_in: str | Representation | None = None,
        rep_out: str | Representation | None = None,
        kind: str | None = None,
        degree: int = 2,
        library: AbstractLibrary | AbstractBasis | None = None,
        alpha: float = 0.0,
    ):
        self.action = action
        self.rep_in = rep_in
        self.rep_out = rep_out
        self.kind = kind
        self.degree = degree
        self.library = library
        self.alpha = alpha

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the coefficients.

        Parameters
        ----------
        X : array (n, d)
            Inputs.
        y : array (n,) or (n, c)
            Outputs.
        sample_weight : array (n,), optional
            Weights, not negative.

        Returns
        -------
        EquivariantRegressor
            Itself, fitted.

        Raises
        ------
        InputError
            Where the sizes of data and representations differ, or no function of the family is equivariant.
        """
        x, values, single = self._read(X, y)
        d, c = x.shape[1], values.shape[1]
        alpha = finite_number("alpha", self.alpha, "The weight of the penalty cannot be used.", "alpha=1e-3")
        weights = None
        if sample_weight is not None:
            weights = _checked_weights(_check_sample_weight(sample_weight, x, dtype=np.float64))
        how = transformation(self.action, self.rep_in, self.rep_out, self.kind, d, c)
        self.functions_ = functions_of(self.degree, self.library, self._names(d))
        template = self.functions_.field(1 if how.invariant else c, how.kind)
        self.subspace_ = _space(template, how, x)
        free = self.functions_.constant(x[np.linspace(0, len(x) - 1, min(len(x), PROBES)).astype(int)])
        targets = values - x if how.kind == "map" else values
        basis = self.subspace_.to_dense()
        solution = solve(self._evaluate, basis, free, x, targets, weights, alpha)
        theta = (basis @ solution.coordinates).T.reshape(c, -1)
        self.rank_ = solution.rank
        self.field_ = self.functions_.field(c, how.kind).with_theta(theta.ravel())
        self.coef_ = theta[0] if single else theta
        return self


def _space(template: AbstractLinearField, how: Transformation, x: NDArray) -> AbstractSubspace:
    """The coefficients for which the template is equivariant; all of them without an action."""
    if how.acting is None:
        free = np.eye(template.n_params)
        return DenseSubspace(free, reason="no action: every combination of the functions", residual=0.0)
    # Polynomials are symmetric everywhere or nowhere; other functions where the data are.
    space = enforce(template, how.acting, None if isinstance(template, PolynomialField) else Samples.from_data(x))
    if space.dim:
        return space
    raise InputError(
        explain(
            "No combination of the functions but zero is equivariant.",
            given=f"{template.n_params} coefficients; {space.reason}",
            expected="functions that the group can carry to the outputs",
            fix="a higher degree, another library, or another rep_out",
        )
    )


def _checked_weights(weights: NDArray) -> NDArray:
    if (weights >= 0).all():
        return weights
    raise InputError(
        explain(
            "Negative values in data passed as `sample_weight`: weights count observations.",
            given=f"{int((weights < 0).sum())} negative weights, the first {weights[weights < 0][0]:g}",
            expected="numbers of at least 0",
            fix="fit(X, y, sample_weight=1 / sigma**2)",
        )
    )
