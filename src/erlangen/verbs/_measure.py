"""The defect of one generator with its interval, whether or not it was found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from scipy.sparse.linalg import lsqr

from erlangen._errors import InputError, UndecidedError, explain
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction, PolynomialAction, behind
from erlangen.derivative import Factors
from erlangen.linalg.qr import rounding

REACH = 1.5
"""How much larger the error along one generator may be than its mean over unrelated ones."""

COSINE = 0.5
"""Largest cosine allowed between the error of the Lie derivative and the Lie derivative itself."""

MAX_STORED = 512
"""Candidates up to which files keep the factors that generators are measured with (a few megabytes)."""


@dataclass(frozen=True)
class Defect(AbstractShown):
    """The defect of one generator.

    Attributes
    ----------
    value : float
        Relative defect as measured; 1 is what an unrelated direction gives.
    low, high : float
        Interval for the true defect, see `interval`.
    delta : float
        The tolerance that the verdict refers to.
    verdict : {"symmetric", "broken", "undecided"}
        Symmetric where the whole interval is at most delta, broken where all of it is above.
    reason : str
        The same in words, with the numbers.
    """

    value: float
    low: float
    high: float
    delta: float
    verdict: str
    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True, eq=False)
class Measurement:
    """What is needed to measure any generator of the candidates.

    Attributes
    ----------
    factors : Factors
        Factors of the Lie derivative and of its forms.
    error : float
        Relative error of the derivative behind them.
    delta : float
        The tolerance that was declared.
    """

    factors: Factors
    error: float
    delta: float

    def defect(self, xi: NDArray) -> float:
        """Relative defect of the generator with coefficients ``xi (p,)``."""
        size = self.factors.informs.norms(xi[:, None])[0]
        reach = self.factors.moves.norms(xi[:, None])[0]
        if size <= reach * rounding(self.factors.rows.shape):
            raise UndecidedError(
                explain(
                    "This generator cannot be measured.",
                    given="a generator that moves nothing on the samples"
                    if reach == 0
                    else "a generator that moves points only where the field does not vary",
                    expected="a generator along which the field could change",
                    fix="samples that spread over more of the space",
                )
            )
        return float(np.linalg.norm(self.factors.rows @ xi) / size)

    def test(self, xi: NDArray, delta: float | None) -> Defect:
        """Measure one generator and compare its interval with delta (by default the declared one)."""
        delta = self.delta if delta is None else delta
        value = self.defect(xi)
        low, high = (float(bound) for bound in interval(value, max(self.error, self._rounding(xi))))
        verdict, words = _verdict(low, high, delta)
        return Defect(value, low, high, delta, verdict, f"{words}: defect {value:.2g}, {_span(low, high)}")

    def _rounding(self, xi: NDArray) -> float:
        """Relative error that rounding leaves where large parts of a generator cancel, as far from the origin."""
        parts = np.linalg.norm(self.factors.rows, axis=0) @ np.abs(xi)
        return float(rounding(self.factors.rows.shape) * parts / self.factors.informs.norms(xi[:, None])[0])


def interval(defects: ArrayLike, error: float | NDArray) -> tuple[NDArray, NDArray]:
    """Bounds of the true defect, given measured ones and the relative error of the derivative.

    Measured and true Lie derivatives differ by an error e, so the defects differ by at most |e|. An error
    of a fit is neither parallel to the Lie derivative nor quite unrelated: its cosine with the measured one
    and with the true one is taken to be at most 1/2 in size, and |e| along one generator at most 1.5 times
    its root mean square ``error`` over unrelated directions. Then ::

        high^2 = s^2 + e^2 + s e,        (low + e / 2)^2 = s^2 - 3/4 e^2   (0 where that is negative).

    Parameters
    ----------
    defects : array (r,) or float
        Measured relative defects s.
    error : float or array (r,)
        Relative error of the derivative.

    Returns
    -------
    low, high : ndarray
        The bounds.
    """
    s, e = np.asarray(defects, dtype=np.float64), REACH * error
    high = np.sqrt(s**2 + e**2 + 2 * COSINE * s * e)
    low = np.sqrt(np.maximum(s**2 - (1 - COSINE**2) * e**2, 0.0)) - COSINE * e
    return np.maximum(low, 0.0), high


def coefficients_of(action: AbstractAction, generator: AbstractAction | ArrayLike) -> NDArray:
    """Coefficients ``(p,)`` of a generator over the candidates, given as such or as an action of one generator.

    Parameters
    ----------
    action : AbstractAction
        The p candidates.
    generator : AbstractAction or array_like (p,)
        One generator: its coefficients, or an action with it alone.

    Returns
    -------
    ndarray (p,)
        Its coefficients.

    Raises
    ------
    InputError
        When it is not one finite generator, or not a combination of the candidates.

    Examples
    --------
    >>> import erlangen as er
    >>> coefficients_of(er.actions.gl(2), er.actions.rotation(2)).round(12).tolist()
    [0.0, -1.0, 1.0, 0.0]
    """
    p = action.n_generators
    if isinstance(generator, AbstractAction):
        return _project(action, generator)
    xi = np.asarray(generator, dtype=np.float64)
    if xi.shape != (p,) or not np.isfinite(xi).all() or not xi.any():
        raise InputError(
            explain(
                "This is not one generator.",
                given=f"an array of shape {xi.shape}",
                expected=f"{p} finite coefficients, one per candidate, not all zero",
                fix='sym.test(er.actions.fields([["-y", "x"]], ["x", "y"]))',
            )
        )
    return xi


def _project(action: AbstractAction, generator: AbstractAction) -> NDArray:
    base = behind(action)
    if (
        not isinstance(base, PolynomialAction)
        or not isinstance(generator, PolynomialAction)
        or generator.n_generators != 1
        or generator.point_dim != base.point_dim
    ):
        raise InputError(
            explain(
                "This is not one generator on the space of the candidates.",
                given=f"{type(generator).__name__} with {generator.n_generators} generators on R^{generator.point_dim}",
                expected=f"one polynomial generator on R^{base.point_dim}",
                fix="action.restrict(xi[:, None]), or its coefficients xi over the candidates",
            )
        )
    rows, target = _aligned(base, generator)
    xi = lsqr(rows.T, target, atol=1e-14, btol=1e-14)[0]
    if np.abs(rows.T @ xi - target).max() > 1e-9 * np.abs(target).max():
        raise InputError(
            explain(
                "The generator is not among the candidates.",
                given=generator.describe(np.ones(1)),
                expected=f"a combination of the {base.n_generators} candidates",
                fix="er.discover with er.actions.affine(d) or er.actions.polynomial(d, degree)",
            )
        )
    return np.concatenate([xi, np.zeros(action.n_generators - base.n_generators)])


def _aligned(base: PolynomialAction, generator: PolynomialAction) -> tuple[sparse.csr_array, NDArray]:
    """Coefficients of both over one table of monomials: ``(p, d * r)`` and ``(d * r,)``."""
    r, d = len(base.exponents), base.point_dim
    exponents = np.vstack([base.exponents, generator.exponents])
    table, where = np.unique(exponents, axis=0, return_inverse=True)
    where = np.ravel(where)
    offset = np.arange(d)[:, None] * len(table)
    coo = base.matrix.tocoo()
    columns = (offset + where[:r]).ravel()[coo.coords[1]]
    rows = sparse.csr_array((coo.data, (coo.coords[0], columns)), shape=(base.n_generators, d * len(table)))
    target = np.zeros(d * len(table))
    np.add.at(target, (offset + where[r:]).ravel(), generator.matrix.toarray().ravel())
    return rows, target


def _verdict(low: float, high: float, delta: float) -> tuple[str, str]:
    if high <= delta:
        return "symmetric", f"symmetric up to delta = {delta:g}"
    if low > delta:
        return "broken", f"broken beyond delta = {delta:g}"
    return "undecided", f"undecided, the interval straddles delta = {delta:g}"


def _span(low: float, high: float) -> str:
    return f"true defect between {low:.2g} and {high:.2g}"
