"""The Lie derivative: the one object behind every verb.

L_xi f(x) = Df(x) . xi(x) - tau_xi(x) f(x), linear in the generator xi always and linear in the
parameters theta where f is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from erlangen._errors import InputError, UndecidedError, explain
from erlangen._progress import carried
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction
from erlangen.blocks.engine import Part
from erlangen.derivative.coefficients import CoefficientMap, lie_coefficients
from erlangen.derivative.exact import ExactRows
from erlangen.derivative.forms import AbstractForm, DenseForm
from erlangen.derivative.samples import AbstractSamples, RowsAt
from erlangen.derivative.scales import Scales, scales_of
from erlangen.derivative.separable import Separable, separate
from erlangen.fields import AbstractField, AbstractLinearField, PolynomialField, lift
from erlangen.linalg.qr import StreamedQR, rounding, triangular_factor

ROWS_PER_GENERATOR = 2
"""Residuals for each candidate: random matrices of that shape have no singular value below a quarter of the largest."""

BLOCK_BYTES = 64 * 2**20
"""Size of the largest block of rows: small beside the factor."""

CACHE_BYTES = 2 * 2**20
"""Size of a block of few columns: folded into the factor while it is in the cache, 72 columns take 2/5 of the time."""


@dataclass(frozen=True, eq=False)
class Factors(AbstractShown):
    """Everything that discovery needs, as triangular factors.

    Attributes
    ----------
    rows : ndarray (p, p)
        R with R^T R = S = int (L_k f)^T (L_l f) in scaled values.
    moves : AbstractForm
        U = int |xi|^2 + |tau f|^2 in scaled units: how far a generator moves anything.
    informs : AbstractForm
        B = int |Df|^2 / d |xi|^2 + |tau f|^2: what an unrelated direction would give.
    n_rows : int
        Number of residual rows behind ``rows``.
    note : str
        What to say of them, where the pass over the samples was stopped.
    """

    rows: NDArray
    moves: AbstractForm
    informs: AbstractForm
    n_rows: int
    note: str = ""


@dataclass(frozen=True, eq=False)
class LieDerivative(AbstractShown):
    """The Lie derivative of a field under an action, on samples.

    Parameters
    ----------
    field : AbstractField
        Values f(x) over points x.
    action : AbstractAction
        p generators; where it does not say how values move, the kind of the field does.
    samples : AbstractSamples
        Where the symmetry is claimed: points at hand or in blocks.

    Raises
    ------
    InputError
        When field, action and samples have different numbers of coordinates, or field and action of channels.

    Examples
    --------
    >>> from erlangen.actions import rotation
    >>> from erlangen.derivative import Samples
    >>> from erlangen.fields import polynomial_field
    >>> f = polynomial_field(2, 2, [0, 0, 0, 1, 0, 1])
    >>> L = LieDerivative(f, rotation(2), Samples.box(-1, 1, dim=2, n=8))
    >>> bool(abs(L.in_xi()).max() < 1e-15)
    True
    """

    field: AbstractField
    action: AbstractAction
    samples: AbstractSamples

    def __post_init__(self) -> None:
        dims = (self.field.point_dim, self.action.point_dim, self.samples.dim)
        if len(set(dims)) != 1:
            raise InputError(
                explain(
                    "Field, action and samples must have the same coordinates.",
                    given=f"field on R^{dims[0]}, action on R^{dims[1]}, samples in R^{dims[2]}",
                    expected="one number of coordinates",
                    fix=f"er.actions.affine({dims[0]}) with Samples.box(-1, 1, dim={dims[0]})",
                )
            )
        if self.lifted.value_dim not in (None, self.field.value_dim):
            raise InputError(
                explain(
                    "The action on values does not fit the field.",
                    given=f"an action on {self.lifted.value_dim} channels, a field with {self.field.value_dim}",
                    expected="the same number of value channels",
                    fix="action.with_output(matrices) with matrices of shape (p, c, c)",
                )
            )

    @cached_property
    def local(self) -> LieDerivative:
        """The same on the points at hand; this itself where all of them are."""
        here = self.samples.local
        return self if here is self.samples else LieDerivative(self.field, self.action, here)

    @cached_property
    def lifted(self) -> AbstractAction:
        """The action on points and values."""
        return lift(self.field, self.action)

    @cached_property
    def parts(self) -> Separable | None:
        """The separable parts of the action; None where generators are evaluated one by one."""
        return separate(self.lifted)

    @cached_property
    def exact(self) -> ExactRows | None:
        """Rows by exact integration, where field, action and measure allow it."""
        if not isinstance(self.field, PolynomialField) or self.samples.measure is None or self.parts is None:
            return None
        if self.parts.carried == "increment" and self.parts.action.degree > 1:
            return None
        return ExactRows(self.field, self.parts, self.samples.measure)

    def rows(self, x: NDArray) -> NDArray:
        """Residuals ``(n, c, p)`` of every generator at points ``x (n, d)``.

        Parameters
        ----------
        x : ndarray (n, d)
            Points.

        Returns
        -------
        ndarray (n, c, p)
            Df . xi_k - tau_k f, in the units of the field.

        Raises
        ------
        InputError
            When the field is not finite at one of the points.
        """
        f, jacobian = self._evaluate(x)
        return self._rows(x, f, jacobian)

    def in_xi(self, theta: NDArray | None = None) -> NDArray:
        """Matrix ``(m, p)`` of xi -> L_xi f with rows weighted by the square root of the sample weights.

        ``theta (q,)`` replaces the parameters of a linear field.

        Parameters
        ----------
        theta : ndarray (q,), optional
            Parameters of a linear field, instead of its own.

        Returns
        -------
        ndarray (m, p)
            One row per sample and channel, m = n c.

        Raises
        ------
        InputError
            When theta is given and the field is not linear in its parameters.
        """
        if theta is not None:
            return LieDerivative(self._linear().with_theta(theta), self.action, self.samples).in_xi()
        rows = self.rows(self.samples.points) * np.sqrt(self.samples.weights)[:, None, None]
        return rows.reshape(-1, rows.shape[2])

    def in_theta(self, xi: NDArray) -> NDArray:
        """Matrix ``(m, q)`` of theta -> L_xi f_theta for one generator ``xi (p,)``; stacked for ``(r, p)``.

        Parameters
        ----------
        xi : ndarray (p,) or (r, p)
            One generator, or r of them.

        Returns
        -------
        ndarray (m, q) or (r m, q)
            One row per sample and channel, one column per parameter.

        Raises
        ------
        InputError
            When the field is not linear in its parameters.
        """
        rows = [moved - carried for moved, carried in self.terms_in_theta(xi)]
        return np.concatenate(rows, axis=1).reshape(-1, self._linear().n_params)

    def terms_in_theta(self, xi: NDArray) -> Iterator[tuple[NDArray, NDArray]]:
        """Stream theta -> Df_theta . xi and theta -> tau_xi f_theta over the samples.

        Both are ``(r, n, c, q)`` for generators ``xi (r, p)``, with weighted rows; their difference is the Lie
        derivative, and their size is what it is compared with.

        Parameters
        ----------
        xi : ndarray (r, p)
            Generators.

        Yields
        ------
        tuple of two ndarray (r, n, c, q)
            Both terms, over a block of n of the samples.

        Raises
        ------
        InputError
            When the field is not linear in its parameters.
        """
        chosen = self.lifted.restrict(np.atleast_2d(xi).T)
        size = self.points_at_a_time(chosen.n_generators)
        for start in range(0, len(self.samples), size):
            points = self.samples.points[start : start + size]
            yield self.terms_at(chosen, points, self.samples.weights[start : start + size])

    def points_at_a_time(self, r: int) -> int:
        """Points whose rows in theta, for r generators, fill one block.

        Parameters
        ----------
        r : int
            Number of generators.

        Returns
        -------
        int
            At least 16.

        Raises
        ------
        InputError
            When the field is not linear in its parameters.
        """
        field = self._linear()
        return max(16, BLOCK_BYTES // (8 * field.value_dim * field.n_params * max(field.point_dim, r)))

    def terms_at(self, chosen: AbstractAction, x: NDArray, w: NDArray) -> tuple[NDArray, NDArray]:
        """Terms of :meth:`terms_in_theta` at points ``x (n, d)`` of weights ``w (n,)``, for r lifted generators.

        Parameters
        ----------
        chosen : AbstractAction
            The lifted action of r generators.
        x : ndarray (n, d)
            Points.
        w : ndarray (n,)
            Their weights.

        Returns
        -------
        tuple of two ndarray (r, n, c, q)
            Both terms, rows weighted by the roots of the weights.

        Raises
        ------
        InputError
            When the field is not linear in its parameters, or not finite at the points.
        """
        field = self._linear()
        features, slopes = field.features(x), field.features_jacobian(x)
        self._check_finite(x, features, slopes)
        unit = np.broadcast_to(np.eye(field.value_dim)[:, None], (field.value_dim, len(x), field.value_dim))
        tau = np.stack([chosen.on_values(x, channel) for channel in unit], axis=3)
        root = np.sqrt(w)[:, None, None]
        velocities = chosen.on_points(x)
        moved = np.einsum("ncqa,nra->rncq", slopes, velocities)
        # A function that does not move has terms that cancel: their rounding must not pass for its size.
        terms = np.einsum("ncqa,nra->rncq", np.abs(slopes), np.abs(velocities))
        moved[np.abs(moved) <= rounding((field.point_dim,)) * terms] = 0.0
        return moved * root, np.einsum("nrab,nbq->rnaq", tau, features) * root

    def in_coefficients(self, xi: NDArray) -> CoefficientMap | None:
        """The map theta -> L_xi f_theta on coefficients, for one generator; None where it is not polynomial.

        Parameters
        ----------
        xi : ndarray (p,)
            One generator.

        Returns
        -------
        CoefficientMap or None
            A sparse matrix over coefficients, and the monomials of its rows.
        """
        if not isinstance(self.field, PolynomialField) or self.parts is None:
            return None
        if self.parts.carried == "increment" and self.parts.action.degree > 1:
            return None
        return lie_coefficients(self.field, self.parts, xi)

    def tensor(self) -> NDArray:
        """The bilinear object itself, ``(m, p, q)``: dense, for small problems and tests.

        Raises
        ------
        InputError
            When the field is not linear in its parameters.
        """
        field = self._linear()
        x, w = self.samples.points, np.sqrt(self.samples.weights)
        gradient = field.features_jacobian(x)
        moved = np.einsum("ncqa,npa->ncpq", gradient, self.lifted.on_points(x))
        features = field.features(x)
        for q in range(field.n_params):
            moved[..., q] -= self.lifted.on_values(x, features[:, :, q]).transpose(0, 2, 1)
        moved *= w[:, None, None, None]
        return moved.reshape(-1, *moved.shape[2:])

    @property
    def block_size(self) -> int:
        """Number of samples in one block of rows."""
        width = max(self.lifted.n_generators, self.field.point_dim * self.field.value_dim)
        least = max(CACHE_BYTES // (8 * width), 8 * width)  # rows that stay in the cache; many more than columns
        return max(64, min(least, BLOCK_BYTES // (8 * width)) // self.field.value_dim)

    def factors(self, scales: Scales | None = None) -> Factors:
        """Triangular factors of the residual rows and of the two forms, in scaled units.

        Parameters
        ----------
        scales : Scales, optional
            Units of points and values; found from the samples by default.

        Returns
        -------
        Factors
            Triangular factors, with p columns each.

        Raises
        ------
        UndecidedError
            When there are too few residuals for so many candidates.
        """
        scales = scales or scales_of(self.field, self.lifted, self.samples)
        if self.exact is not None and self.parts is not None:
            return self._exact_factors(self.exact, self.parts, scales)
        if self.parts is not None:
            return self._separable_factors(self.parts, scales)
        return self._dense_factors(scales)

    def informs(self, scales: Scales) -> AbstractForm:
        """The form B = int |Df|^2 / d |xi|^2 + |tau f|^2 alone: what an unrelated direction would give.

        Parameters
        ----------
        scales : Scales
            Units of points and values.

        Returns
        -------
        AbstractForm
            The form B on generators ``xi (p,)``.
        """
        if self.exact is not None and self.parts is not None:
            return self._exact_informs(self.exact, self.parts, scales)
        rows = partial(self.local._informing_rows, scales)
        (factor,) = self.samples.factored(rows, (self.lifted.n_generators,), self.block_size)
        return DenseForm(factor.factor())

    def defect(self, xi: NDArray) -> NDArray:
        """Relative defect of each generator in the columns of ``xi (p, r)``; 1 is an unrelated direction.

        Parameters
        ----------
        xi : ndarray (p, r)
            Generators, as columns.

        Returns
        -------
        ndarray (r,)
            Relative defects.
        """
        xi = np.asarray(xi, dtype=np.float64).reshape(self.lifted.n_generators, -1)
        factors = self.factors()
        size = factors.informs.norms(xi)
        return np.linalg.norm(factors.rows @ xi, axis=0) / np.where(size > 0, size, 1.0)

    def _evaluate(self, x: NDArray) -> tuple[NDArray, NDArray]:
        f, jacobian = self.field.value(x), self.field.jacobian(x)
        self._check_finite(x, f, jacobian)
        return f, jacobian

    def _check_finite(self, x: NDArray, *evaluated: NDArray) -> None:
        bad = ~np.all([np.isfinite(part.reshape(len(x), -1)).all(axis=1) for part in evaluated], axis=0)
        if bad.any():
            raise InputError(
                explain(
                    "The field is not finite everywhere on the samples.",
                    given=f"{int(bad.sum())} of {len(x)} points, for example {np.round(x[np.argmax(bad)], 6).tolist()}",
                    expected="finite values and derivatives",
                    fix="choose samples inside the domain, for example Samples.box(0.1, 1, dim=...)",
                )
            )

    def _rows(self, x: NDArray, f: NDArray, jacobian: NDArray) -> NDArray:
        if self.parts is not None:
            return self.parts.rows(x, f, jacobian)
        moved = np.einsum("nca,npa->ncp", jacobian, self.lifted.on_points(x))
        return moved - self.lifted.on_values(x, f).transpose(0, 2, 1)

    def _linear(self) -> AbstractLinearField:
        if not isinstance(self.field, AbstractLinearField):
            raise InputError(
                explain(
                    "This needs a field that is linear in its parameters.",
                    given=type(self.field).__name__,
                    expected="an AbstractLinearField, such as a polynomial field",
                    fix="er.fields.polynomial_field(d, degree, coefficients)",
                )
            )
        return self.field

    def _exact_factors(self, exact: ExactRows, parts: Separable, scales: Scales) -> Factors:
        p, r = parts.n_generators, len(parts.action.exponents)
        lie = exact.lie(scales.values)
        carried = exact.value_features()
        values = triangular_factor([exact.values()], self.field.value_dim + 1)
        extra = [] if carried is None else [carried]
        moves = parts.form(triangular_factor([exact.features(), *extra], r), values, scales.points, scales.values)
        informs = self._exact_informs(exact, parts, scales)
        return Factors(triangular_factor([lie], p), moves, informs, max(len(lie), p))

    def _exact_informs(self, exact: ExactRows, parts: Separable, scales: Scales) -> AbstractForm:
        carried = exact.value_features()
        values = triangular_factor([exact.values()], self.field.value_dim + 1)
        rows = [exact.informative(scales.points, scales.values), *([] if carried is None else [carried])]
        factor = triangular_factor(rows, len(parts.action.exponents))
        return parts.form(factor, values, scales.points, scales.values)

    def _separable_factors(self, parts: Separable, scales: Scales) -> Factors:
        r, c = len(parts.action.exponents), self.field.value_dim
        widths = (parts.n_generators, r, r, c + 1)
        make = partial(self.local._separable_rows, parts, scales)

        def finished(streams: tuple[StreamedQR, ...]) -> Factors:
            rows, moves, informs, values = streams
            forms = [parts.form(q.factor(), values.factor(), scales.points, scales.values) for q in (moves, informs)]
            return Factors(self._decidable(rows), forms[0], forms[1], rows.n_rows)

        return self._passed(make, widths, finished)

    def _separable_rows(
        self, parts: Separable, scales: Scales, x: NDArray, w: NDArray
    ) -> Iterator[tuple[int, NDArray]]:
        f, jacobian = self._evaluate(x)
        root = np.sqrt(w)[:, None]
        psi = parts.features(x) * root
        yield 1, psi
        yield 2, psi * scales.slope(jacobian)[:, None]
        yield 3, np.hstack([f, np.ones((len(f), 1))]) * root
        carried = parts.value_features(x, f)
        if carried is not None:
            yield 1, carried * root
            yield 2, carried * root
        yield 0, (parts.rows(x, f, jacobian) * (root / scales.values)[:, :, None]).reshape(-1, parts.n_generators)

    def _dense_factors(self, scales: Scales) -> Factors:
        p = self.lifted.n_generators
        make = partial(self.local._dense_rows, scales)

        def finished(streams: tuple[StreamedQR, ...]) -> Factors:
            rows, moves, informs = streams
            return Factors(self._decidable(rows), DenseForm(moves.factor()), DenseForm(informs.factor()), rows.n_rows)

        return self._passed(make, (p, p, p), finished)

    def _passed(
        self, make: RowsAt, widths: tuple[int, ...], finished: Callable[[tuple[StreamedQR, ...]], Factors]
    ) -> Factors:
        """Pass over the samples; where that is stopped, the factors of what was seen are kept."""
        with carried(Part, lambda part, note: replace(finished(part.state), note=note)):
            return finished(self.samples.factored(make, widths, self.block_size))

    def _dense_rows(self, scales: Scales, x: NDArray, w: NDArray) -> Iterator[tuple[int, NDArray]]:
        f, jacobian = self._evaluate(x)
        p, root = self.lifted.n_generators, np.sqrt(w)[:, None, None]
        velocity = (self.lifted.on_points(x) / scales.points * root).transpose(0, 2, 1)
        carried = (self.lifted.on_values(x, f) / scales.values * root).transpose(0, 2, 1)
        slope = scales.slope(jacobian)[:, None, None]
        for i, part in ((1, velocity), (2, velocity * slope)):
            yield i, part.reshape(-1, p)
            yield i, carried.reshape(-1, p)
        yield 0, (self._rows(x, f, jacobian) * root / scales.values[:, None]).reshape(-1, p)

    def _informing_rows(self, scales: Scales, x: NDArray, w: NDArray) -> Iterator[tuple[int, NDArray]]:
        f, jacobian = self._evaluate(x)
        root, slope = np.sqrt(w)[:, None, None], scales.slope(jacobian)[:, None, None]
        for part, scale in (
            (self.lifted.on_points(x) * slope, scales.points),
            (self.lifted.on_values(x, f), scales.values),
        ):
            yield 0, (part / scale * root).transpose(0, 2, 1).reshape(-1, part.shape[1])

    def _decidable(self, rows: StreamedQR) -> NDArray:
        """The factor, where there are enough residuals: a matrix near square has small singular values by chance."""
        p, c = self.lifted.n_generators, self.field.value_dim
        residuals = c * self.samples.count_distinct(-(-ROWS_PER_GENERATOR * p // c))
        if residuals < ROWS_PER_GENERATOR * p:
            raise UndecidedError(
                explain(
                    "There are too few residuals for so many candidate generators.",
                    given=f"{len(self.samples)} samples with {c} value channels, {residuals} residuals at different "
                    f"points, for {p} generators",
                    expected=f"at least {ROWS_PER_GENERATOR * p} residuals; {10 * p} are comfortable",
                    fix="more samples, or fewer candidates such as er.actions.rotation(d)",
                )
            )
        return rows.factor()
