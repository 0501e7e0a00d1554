"""A table needs a model before it has a symmetry: ``as_field((X, y))``.

A path of classes is fitted; the smallest one without lack of fit is taken, and how well its
derivative is known is estimated and carried along, for that is what a symmetry is decided on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, UndecidedError, explain
from erlangen._render import text_table
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.fields import _path
from erlangen.fields._base import EXACT, AbstractField
from erlangen.fields._choice import Chain, Choice, choose, rms
from erlangen.fields._path import Level, Rows
from erlangen.fields._span import Span, find_span
from erlangen.fields._table_input import Table, read_table
from erlangen.fields.bases import AbstractBasis, BasisField, Monomials, Pulled
from erlangen.fields.polynomial import PolynomialField
from erlangen.linalg.polynomials import collect, exponents

AGREEMENT = 0.025
"""Derivatives of two classes that differ by less agree: half of the defect that discovery accepts by default."""

PROBES = 200
"""Rows at which derivatives of classes are compared."""

MOST_ROWS = 100_000
"""Rows that are fitted; beyond, a random part says as much as all."""


@dataclass(frozen=True)
class ClassRow(AbstractShown):
    """One row of the table of classes that were tried.

    Attributes
    ----------
    name : str
        The class.
    n_params : int
        Parameters that the data determine, per channel.
    held_out : float
        Root mean square error of left-out rows, in standard deviations of the values (labels: mean deviance).
    lack_of_fit : float
        Probability of so large an improvement by larger classes, were this class true (nan: not tested).
    chosen : bool
        Whether this is the class taken.
    """

    name: str
    n_params: int
    held_out: float
    lack_of_fit: float
    chosen: bool


@dataclass(frozen=True, eq=False, kw_only=True)
class FittedField(AbstractField):
    """A model of a table, ``f(x) = offset + scale * model(z(x))`` with z the coordinates on the span of the points.

    Attributes
    ----------
    model : AbstractField
        The fitted class over z ``(n, s)``.
    span : Span
        The affine subspace that the points span: ``mean``, ``basis (d, s)``, ``reason``.
    offset, scale : ndarray (c,)
        Units of the values.
    points : ndarray (n, d)
        The points of the table.
    kind : {"invariant", "vector", "map"}
        How values follow points.
    accuracy : float
        Estimated relative error of the derivative over the points, by scaled columns and values: noise,
        and what speaks for a bias.
    resolution : float
        Smallest relative defect that can be told from zero once the expected effect of noise on its square,
        about ``accuracy**2``, has been taken out: bias, and two standard deviations of what noise does.
    noise : ndarray (c,)
        Standard deviation of the noise in each channel (labels: 1, they carry their own).
    r2 : float
        Share of the values' variance that left-out predictions explain (labels: of the deviance).
    verdict : {"fits", "converged", "rejected"}
        Whether the class passes its tests; or agrees with all larger ones in its derivative; or neither.
    reason : str
        The verdict in words.
    classes : tuple of ClassRow
        Every class that was tried.
    runner_up : FittedField or None
        The next larger class, fitted: a symmetry of the table is one of both.
    error_root : tuple of ndarray (r, j), (c, c), or None
        Covariance of the coefficients ``(c, r)`` of the model, as factors over functions (with j columns) and over
        channels: see :meth:`draws`.
    labels : tuple or None
        The two classes of a labelled table: the field is the log-odds of the second.
    flips : float
        Labels only: the estimated fraction of flipped ones.
    names : tuple of str or None
        Names of the coordinates, where the table had them.
    targets : ndarray (n, c) or None
        The values of the table.
    """

    model: AbstractField
    span: Span
    offset: NDArray
    scale: NDArray
    points: NDArray
    kind: str = "invariant"
    accuracy: float = EXACT
    resolution: float
    noise: NDArray
    r2: float
    verdict: str
    reason: str
    classes: tuple[ClassRow, ...]
    runner_up: FittedField | None
    error_root: tuple[NDArray, NDArray] | None
    labels: tuple[Any, ...] | None = None
    flips: float = 0.0
    names: tuple[str, ...] | None = None
    targets: NDArray | None = None

    @property
    def point_dim(self) -> int:
        return len(self.span.mean)

    @property
    def value_dim(self) -> int:
        return len(self.offset)

    def value(self, x: NDArray) -> NDArray:
        return self.offset + self.scale * self.model.value(self.span.coordinates(x))

    def jacobian(self, x: NDArray) -> NDArray:
        slopes = self.model.jacobian(self.span.coordinates(x))
        return self.scale[:, None] * (slopes @ self.span.matrix)

    def draws(self, count: int, rng: int | np.random.Generator = 0) -> list[FittedField]:
        """Random fields distributed as the error of this one, as far as noise makes it.

        ``self - draw`` is a model that the noise could as well have given; Lie derivatives of the draws are what
        noise puts into those of the fit.

        Parameters
        ----------
        count : int
            How many.
        rng : int or numpy.random.Generator
            Draws them.

        Returns
        -------
        list of FittedField
            Fields of the same class.

        Raises
        ------
        UndecidedError
            When the class has no coefficients with a known covariance.
        """
        if self.error_root is None or not isinstance(self.model, BasisField):
            raise UndecidedError("This class of model has no coefficients whose covariance is known.")
        rng = np.random.default_rng(rng)
        root, noise = self.error_root
        drawn = [noise @ rng.standard_normal((len(noise), root.shape[1])) @ root.T for _ in range(count)]
        models = [replace(self.model, coefficients=c) for c in drawn]
        zero = np.zeros_like(self.offset)
        return [replace(self, model=m, offset=zero, runner_up=None, error_root=None, accuracy=EXACT) for m in models]

    def polynomial(self) -> PolynomialField:
        """The same field as a polynomial in x, for exact integrals over boxes and Gaussians.

        Raises
        ------
        UndecidedError
            When the chosen class is not polynomial.
        """
        if not isinstance(self.model, BasisField) or not isinstance(self.model.basis, Monomials):
            raise UndecidedError(f"The model of this table is not polynomial: {self.reason}.")
        table, coefficients = substitute(
            self.model.basis.table, self.model.coefficients, self.span.matrix, -self.span.matrix @ self.span.mean
        )
        coefficients = coefficients * self.scale[:, None]
        coefficients[:, 0] += self.offset
        return PolynomialField(table, coefficients, self.kind, self.accuracy)

    def __str__(self) -> str:
        header = ("class", "parameters", "held-out error", "lack of fit p", "")
        rows = [
            (r.name, r.n_params, f"{r.held_out:.3g}", f"{r.lack_of_fit:.2g}", "chosen" if r.chosen else "")
            for r in self.classes
        ]
        return "\n".join(
            [
                text_table(header, rows),
                f"{self.reason}; {self.span.reason}.",
                f"derivative known to {self.accuracy:.2g}",
            ]
        )


def fit_table(
    x: ArrayLike,
    y: ArrayLike,
    kind: str | None = None,
    *,
    classes: Sequence[Any] | None = None,
    rng: int | np.random.Generator = 0,
    tolerance: float = AGREEMENT,
) -> FittedField:
    """Fit a differentiable model to a table, with an honest accuracy of its derivative.

    The points may span only a part of the space (see ``span``); the field is constant across it. Polynomial degrees
    are tried in turn, with leave-one-out errors and an F test of each degree inside larger classes (the next two
    degrees, the largest, and random ridge functions beyond). Where all are rejected, a Gaussian process and
    a small network are tried as well. Values of two classes (booleans, 0 and 1, two strings) are labels: the
    field is then the log-odds, with a fraction of flipped labels where the likelihood asks for it.

    Parameters
    ----------
    x : array_like (n, d)
        Points.
    y : array_like (n,) or (n, c)
        Values; for ``kind="map"`` the images of the points, whose increments are fitted.
    kind : {"invariant", "vector", "map"}, optional
        Must be said where c = d.
    classes : sequence, optional
        What to try instead: degrees (int), bases (such as :class:`~erlangen.fields.bases.Fourier`), ``"gp"``,
        ``"mlp"``.
    rng : int or Generator
        Randomness of probes, sketches and subsamples.
    tolerance : float
        Relative difference of derivatives below which classes agree.

    Returns
    -------
    FittedField
        The model, the classes tried and the reason.

    Raises
    ------
    InputError
        When the table cannot be used: shapes, values that are not finite, too few rows, no spread.
    UndecidedError
        When no dependence of y on x can be seen.

    References
    ----------
    Lack of fit as a gate for symmetry: Kendiukhov, "Certified symmetry discovery", section on model error.
    Leave-one-out from leverages: Allen, Technometrics 16, 1974.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.uniform(-1, 1, (400, 2))
    >>> field = fit_table(x, x[:, 0] ** 2 + x[:, 1] ** 2 + 0.01 * rng.standard_normal(400))
    >>> [row.name for row in field.classes if row.chosen], field.accuracy < 0.01
    (['polynomial 2'], True)
    """
    rng = np.random.default_rng(rng)
    table = read_table(x, y, kind)
    span = find_span(table.x)
    if len(table.x) < span.dim + 2:
        raise InputError(
            explain(
                "Fewer samples than generators can be decided from.",
                given=f"{len(table.x)} rows that span {span.dim} dimensions",
                expected=f"more rows than a linear function has parameters: at least {span.dim + 2}",
                fix="add rows, or leave out columns",
            )
        )
    kept = np.sort(rng.permutation(len(table.x))[:MOST_ROWS])
    data, offset, scale = _standardise(table, span, kept, rng)
    if table.labels is not None:
        return _fit_labels(table, span, data, classes, rng)
    chains, others = _candidates(data, span, classes, rng, tolerance)
    choice = choose(chains, others, tolerance)
    if choice.verdict == "rejected" and classes is None and choice.accuracy > tolerance:
        others = _smooth_levels(("gp", "mlp"), data, rng)
        choice = choose(chains, others, tolerance)
    levels = [*(level for chain in chains for level in chain.levels), *others]
    return _finish(table, span, offset, scale, choice, levels)


def _standardise(table: Table, span: Span, kept: NDArray, rng: np.random.Generator) -> tuple[Rows, NDArray, NDArray]:
    y = table.y[kept]
    labelled = table.labels is not None
    offset = np.zeros(y.shape[1]) if labelled else y.mean(axis=0)
    spread = np.ones(y.shape[1]) if labelled else y.std(axis=0)
    size = np.maximum(np.abs(table.size), np.abs(y).max(axis=0))
    flat = spread <= 8.0 * EXACT * size
    scale = np.where(flat, 1.0, spread)
    standard = np.where(flat, 0.0, (y - offset) / scale)
    floor = float(EXACT * (size / scale)[~flat].max(initial=1.0))
    probes = np.sort(rng.permutation(len(kept))[:PROBES])
    metric = span.matrix * span.scale
    return Rows(span.coordinates(table.x[kept]), standard, probes, metric, floor), offset, scale


def _candidates(
    data: Rows, span: Span, classes: Sequence[Any] | None, rng: np.random.Generator, tolerance: float
) -> tuple[list[Chain], list[Level]]:
    chains = []
    for chain in _chains(data, span, classes):
        levels, larger = _path.fit_chain(data, chain, rng, tolerance)
        chains.append(Chain(tuple(levels), larger))
    return chains, _smooth_levels([c for c in classes or () if isinstance(c, str)], data, rng)


def _chains(data: Rows, span: Span, classes: Sequence[Any] | None) -> list[list[tuple[str, AbstractBasis]]]:
    """The polynomial degrees as one chain; each basis as a chain of the constant and its functions."""
    n, s = data.z.shape
    if classes is None:
        return [_path.polynomial_chain(s, n)]
    unknown = [c for c in classes if not isinstance(c, (int, np.integer, AbstractBasis)) and c not in ("gp", "mlp")]
    if unknown or len(classes) == 0:
        raise InputError(
            explain(
                "These are not classes of models.",
                given=f"classes = {list(classes)!r}",
                expected='degrees (int), bases, "gp" or "mlp"',
                fix='fit_table(X, y, classes=[1, 2, 3, "gp"])',
            )
        )
    out = []
    degrees = [int(c) for c in classes if isinstance(c, (int, np.integer))]
    if degrees:
        out.append(_path.polynomial_chain(s, n, max(degrees)))
    constant = Monomials(exponents(s, 0))
    for basis in (c for c in classes if isinstance(c, AbstractBasis)):
        if basis.point_dim != len(span.mean):
            raise InputError(
                explain(
                    "The basis does not fit the points.",
                    given=f"a {type(basis).__name__} basis over {basis.point_dim} coordinates",
                    expected=f"{len(span.mean)} coordinates",
                    fix="one period, knot vector or centre coordinate per column of X",
                )
            )
        out.append([("constant", constant), (type(basis).__name__, Pulled(basis, span.lift, span.mean))])
    _check_room(out, n)
    return out


def _check_room(chains: list[list[tuple[str, AbstractBasis]]], n: int) -> None:
    for chain in chains:
        size = sum(part.size for _, part in chain)
        if size >= n:
            raise InputError(
                explain(
                    "A class has more parameters than the table has rows.",
                    given=f"{chain[-1][0]} with {size} parameters, {n} rows",
                    expected="fewer parameters than rows",
                    fix="a smaller class, or more rows",
                )
            )


def _smooth_levels(names: Sequence[str], data: Rows, rng: np.random.Generator) -> list[Level]:
    from erlangen.fields._smooth import fit_gaussian_process, fit_network

    known = {"gp": fit_gaussian_process, "mlp": fit_network}
    return [known[name](data, rng) for name in names]


def _fit_labels(
    table: Table, span: Span, data: Rows, classes: Sequence[Any] | None, rng: np.random.Generator
) -> FittedField:
    from erlangen.fields._labels import fit_label_chain

    chains = []
    for chain in _chains(data, span, classes):
        levels, larger = fit_label_chain(data, chain, rng)
        chains.append(Chain(tuple(levels), larger))
    if not chains:
        raise InputError(
            explain(
                "Labels are fitted by classes that are linear in their parameters.",
                given=f"classes = {classes!r}",
                expected="degrees or bases",
                fix="classes=[1, 2, 3]",
            )
        )
    choice = choose(chains, (), AGREEMENT)
    levels = [level for chain in chains for level in chain.levels]
    return _finish(table, span, np.zeros(1), np.ones(1), choice, levels)


def _finish(
    table: Table, span: Span, offset: NDArray, scale: NDArray, choice: Choice, levels: Sequence[Level]
) -> FittedField:
    labelled = table.labels is not None
    if choice.verdict == "fits" and not np.any(choice.level.slopes):
        raise UndecidedError(
            f"No dependence of y on X can be seen in {len(table.x)} rows: a constant fits as well as any larger class "
            f"(p = {choice.level.lack_of_fit:.2g})."
        )
    constant = min(levels, key=lambda level: level.n_params)
    base = rms(constant) if labelled else 1.0
    rows = tuple(
        ClassRow(level.name, level.n_params, rms(level), level.lack_of_fit, level is choice.level) for level in levels
    )

    def field(level: Level, accuracy: float, resolution: float, runner_up: FittedField | None) -> FittedField:
        return FittedField(
            model=level.model,
            span=span,
            offset=offset,
            scale=scale,
            points=table.x,
            kind=table.kind,
            accuracy=accuracy,
            resolution=resolution,
            noise=scale * np.sqrt(np.maximum(np.diag(level.noise), 0.0)),
            r2=1.0 - rms(level) ** 2 / base**2,
            verdict=choice.verdict,
            reason=choice.reason,
            classes=rows,
            runner_up=runner_up,
            error_root=None if level.root is None else (level.root, _square_root(level.noise)),
            labels=table.labels,
            flips=level.flips,
            names=table.names,
            targets=table.y,
        )

    second = None
    if choice.runner_up is not None:
        second = field(choice.runner_up, choice.runner_up_accuracy, choice.runner_up_resolution, None)
    return field(choice.level, choice.accuracy, choice.resolution, second)


def _square_root(covariance: NDArray) -> NDArray:
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0.0))


def substitute(table: NDArray, coefficients: NDArray, matrix: NDArray, shift: NDArray) -> tuple[NDArray, NDArray]:
    """Replace the variables of polynomials by affine functions ``z = matrix @ x + shift``, exactly.

    Parameters
    ----------
    table : ndarray (r, s)
        Exponents in z.
    coefficients : ndarray (c, r)
        One row per polynomial.
    matrix, shift : ndarray (s, d), (s,)
        The affine map.
    """
    d = matrix.shape[1]
    linear = np.vstack([np.zeros((1, d), dtype=np.int64), np.eye(d, dtype=np.int64)])
    known: dict[tuple[int, ...], tuple[NDArray, NDArray]] = {
        (0,) * table.shape[1]: (np.zeros((1, d), dtype=np.int64), np.ones(1))
    }

    def expand(row: tuple[int, ...]) -> tuple[NDArray, NDArray]:
        if row not in known:
            j = next(j for j, e in enumerate(row) if e)
            rest, weights = expand((*row[:j], row[j] - 1, *row[j + 1 :]))
            factor = np.concatenate([[shift[j]], matrix[j]])
            used = np.flatnonzero(factor)
            products = (rest[:, None, :] + linear[used][None]).reshape(-1, d)
            known[row] = collect(products, np.outer(weights, factor[used]).ravel())
        return known[row]

    expanded = [expand(tuple(int(e) for e in row)) for row in table]
    weights = [np.outer(coefficients[:, r], w) for r, (_, w) in enumerate(expanded)]
    return collect(np.vstack([e for e, _ in expanded]), np.hstack(weights))


__all__ = ["ClassRow", "FittedField", "fit_table", "substitute"]
