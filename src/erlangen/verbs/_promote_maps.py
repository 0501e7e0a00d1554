"""The linear maps of promotion: theta to the Lie derivatives along orthonormal generators, in orthonormal values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from erlangen._errors import InputError, UndecidedError, explain, nearest
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction, PolynomialAction
from erlangen.derivative import AbstractSamples, LieDerivative
from erlangen.derivative.coefficients import CoefficientMap, substituted
from erlangen.derivative.measures import orthonormal_change
from erlangen.derivative.scales import point_scales, unit_groups
from erlangen.fields import AbstractLinearField, PolynomialField
from erlangen.linalg.polynomials import monomials
from erlangen.linalg.qr import rounding
from erlangen.verbs._enforce_request import Element, moved_at, points_at_a_time

INNER = ("speed", "relative", "coefficients")


@dataclass(frozen=True, eq=False)
class LieMap:
    """theta -> L_xi f_theta for all generators of an orthonormal basis.

    Attributes
    ----------
    matrix : ndarray or scipy.sparse.csr_array (r * m, q)
        Row (generator, coordinate of the values in an orthonormal basis).
    shape : tuple (r, m)
        Number of generators and of coordinates.
    """

    matrix: Any
    shape: tuple[int, int]


def orthonormal_generators(lie: LieDerivative, inner: str | ArrayLike) -> NDArray:
    """Columns ``(p, r)``: generators orthonormal in an inner product; combinations of length zero are left out."""
    form = _form(lie, inner)
    sizes = np.sqrt(np.diagonal(form))
    if not np.any(sizes > 0):
        raise InputError(
            explain(
                "All generators vanish at the samples: nothing moves, and every function is symmetric.",
                given=f"{len(form)} generators on {len(lie.samples)} samples",
                expected="a generator that moves the points somewhere",
                fix="samples that spread, or another action",
            )
        )
    unit = np.where(sizes > 0, sizes, 1.0)
    if np.count_nonzero(form) == np.count_nonzero(sizes):
        basis = np.diag(1.0 / unit)[:, sizes > 0]
        null = np.eye(len(form))[:, sizes == 0]
    else:
        values, vectors = np.linalg.eigh(form / unit / unit[:, None])
        zero = values <= (rounding(form.shape) * values[-1])
        basis, null = (vectors[:, keep] / unit[:, None] for keep in (~zero, zero))
        basis = basis / np.sqrt(values[~zero])
    _check_junk(lie, null)
    return basis


def _form(lie: LieDerivative, inner: str | ArrayLike) -> NDArray:
    """Gram matrix ``(p, p)`` of the generators."""
    p = lie.lifted.n_generators
    if not isinstance(inner, str):
        form = np.asarray(inner, dtype=np.float64)
        symmetric = form.shape == (p, p) and np.isfinite(form).all() and np.allclose(form, form.T)
        if not symmetric or np.linalg.eigvalsh(form)[0] <= 0:
            raise InputError(
                explain(
                    "This is no inner product of the generators.",
                    given=f"an array of shape {form.shape}",
                    expected=f"a symmetric positive definite matrix ({p}, {p})",
                    fix='inner="speed"',
                )
            )
        return form
    if inner not in INNER:
        raise InputError(
            explain(
                "There is no such inner product of the generators.",
                given=f"inner={inner!r}",
                expected=f"{', '.join(INNER)}, or a matrix ({p}, {p})",
                fix=f"inner={nearest(inner, INNER) or 'speed'!r}",
            )
        )
    action = None if lie.parts is None else lie.parts.action
    if inner == "coefficients":
        if not isinstance(action, PolynomialAction) or action.n_generators != p:
            raise InputError(
                explain(
                    "Only polynomial generators have coefficients.",
                    given=type(lie.action).__name__,
                    expected="a polynomial action on the points",
                    fix='inner="speed"',
                )
            )
        return (action.matrix @ action.matrix.T).toarray()
    spread = _spread(lie.samples, lie.lifted) if inner == "relative" else np.ones(lie.samples.dim)
    if lie.samples.measure is None or not isinstance(action, PolynomialAction) or action.n_generators != p:
        return _sampled_speed(lie, spread)
    return _exact_speed(lie, action, spread)


def _exact_speed(lie: LieDerivative, action: PolynomialAction, spread: NDArray) -> NDArray:
    """Integrate xi_k . xi_l over the measure of the samples, lengths in units of spread ``(d,)``."""
    assert lie.samples.measure is not None
    change = orthonormal_change(lie.samples.measure, action.exponents)
    r, form = len(action.exponents), sparse.csr_array((action.n_generators,) * 2)
    for a in range(action.point_dim):
        rows = action.matrix[:, a * r : (a + 1) * r] @ change.T * (1.0 / spread[a])
        form = form + rows @ rows.T
    return form.toarray()


def _spread(samples: AbstractSamples, action: AbstractAction) -> NDArray:
    """Scale ``(d,)`` of each coordinate, one for those that share a unit: a length in metres or millimetres is one."""
    if not np.any(samples.std > 0):
        return np.ones(samples.dim)
    return point_scales(samples, unit_groups(action))


def _sampled_speed(lie: LieDerivative, spread: NDArray) -> NDArray:
    """Weighted sum of xi_k . xi_l over the samples, lengths in units of spread ``(d,)``."""
    rows = partial(_velocities, lie.lifted, spread)
    (stream,) = lie.samples.factored(rows, (lie.lifted.n_generators,), lie.block_size)
    return stream.factor().T @ stream.factor()


def _velocities(action: AbstractAction, spread: NDArray, x: NDArray, w: NDArray) -> Iterator[tuple[int, NDArray]]:
    velocity = action.on_points(x) / spread * np.sqrt(w)[:, None, None]
    yield 0, velocity.transpose(0, 2, 1).reshape(-1, velocity.shape[1])


def _check_junk(lie: LieDerivative, null: NDArray) -> None:
    """Generators that are left out must not move values either."""
    if null.shape[1] == 0:
        return
    chosen, x = lie.lifted.restrict(null), lie.samples.subset(256).points
    if any(np.any(chosen.on_values(x, np.tile(unit, (len(x), 1)))) for unit in np.eye(lie.field.value_dim)):
        raise InputError(
            explain(
                "Some generators move values but not points: their speed is zero.",
                given=f"{null.shape[1]} independent combinations of generators",
                expected="an inner product in which no generator has length zero",
                fix=f"er.promote(field, action, samples, inner=numpy.eye({lie.lifted.n_generators}))",
            )
        )


def lie_map(lie: LieDerivative) -> LieMap:
    """The map of all generators of an action: exact coefficients where field and action are polynomial, else rows."""
    maps = [lie.in_coefficients(xi) for xi in np.eye(lie.lifted.n_generators)]
    known = [m for m in maps if m is not None]
    return _in_coefficients(lie, known) if len(known) == len(maps) else _at_samples(lie)


def joined_map(maps: Sequence[LieMap], q: int) -> LieMap:
    """Several maps as the blocks of one diagonal, ``(sum of r, sum of m)``."""
    if len(maps) == 1:
        return maps[0]
    shape = (sum(m.shape[0] for m in maps), sum(m.shape[1] for m in maps))
    out, k, i = sparse.csr_array((shape[0] * shape[1], q)), 0, 0
    for m in maps:
        entries = sparse.coo_array(m.matrix)
        row = (entries.row // m.shape[1] + k) * shape[1] + entries.row % m.shape[1] + i
        out = out + sparse.csr_array((entries.data, (row, entries.col)), shape=out.shape)
        k, i = k + m.shape[0], i + m.shape[1]
    return LieMap(out, shape)


def element_map(lie: LieDerivative, element: Element) -> LieMap:
    """The map theta -> rho(h) f - f o h: exact coefficients for polynomials, else rows at the samples."""
    if isinstance(lie.field, PolynomialField):
        return _in_coefficients(lie, [substituted(lie.field, element.matrix, element.shift, element.rho)])
    assert isinstance(lie.field, AbstractLinearField)
    _check_functions(lie)
    q = lie.field.n_params
    if len(lie.samples) * lie.field.value_dim > q:
        make = partial(_differences, lie.field, element)
        (stream,) = lie.samples.factored(make, (q,), points_at_a_time(lie.field))
        rows = stream.factor()
    else:
        here = lie.samples.local
        rows = np.concatenate([part for _, part in _differences(lie.field, element, here.points, here.weights)])
    return LieMap(np.ascontiguousarray(rows), (1, len(rows)))


def _differences(field: AbstractLinearField, element: Element, x: NDArray, w: NDArray) -> Iterator[tuple[int, NDArray]]:
    still, moved = moved_at(field, element, x, w)
    yield 0, (still - moved).reshape(-1, field.n_params)


def _in_coefficients(lie: LieDerivative, maps: list[CoefficientMap]) -> LieMap:
    """Coefficients over the monomials of all results, turned into coordinates that are orthonormal for the samples."""
    r, c, q = len(maps), lie.field.value_dim, maps[0].matrix.shape[1]
    table, where = np.unique(np.vstack([m.table for m in maps]), axis=0, return_inverse=True)
    ends = np.cumsum([0, *(len(m.table) for m in maps)])
    rows, columns, values = [], [], []
    for k, m in enumerate(maps):
        entries = m.matrix.tocoo()
        channel, monomial = np.divmod(entries.row, len(m.table))
        rows.append((k * c + channel) * len(table) + np.ravel(where)[ends[k] + monomial])
        columns.append(entries.col)
        values.append(entries.data)
    shape = (r * c * len(table), q)
    stacked = sparse.csr_array((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=shape)
    if lie.samples.measure is not None:
        change = orthonormal_change(lie.samples.measure, table)
        matrix = sparse.csr_array(sparse.kron(sparse.identity(r * c), change) @ stacked)
        matrix.eliminate_zeros()
        return LieMap(matrix, (r, c * change.shape[0]))
    change = _factor(lie, table)
    blocks = [change @ stacked[k * len(table) : (k + 1) * len(table)].toarray() for k in range(r * c)]
    return LieMap(np.vstack(blocks), (r, c * len(table)))


def _factor(lie: LieDerivative, table: NDArray) -> NDArray:
    """Triangular R ``(K, K)`` with |R c|^2 = weighted sum of the squares of the polynomial c over the samples."""
    samples = lie.samples
    piece = max(64, 2**23 // len(table))
    (stream,) = samples.factored(partial(_powers, table), (len(table),), piece)
    factor = stream.factor()
    sizes = np.linalg.norm(factor, axis=0)
    s = np.linalg.svd(factor / np.where(sizes > 0, sizes, 1.0), compute_uv=False)
    if len(samples) < len(table) or s[-1] <= rounding(factor.shape) * s[0]:
        raise _too_few(f"{len(samples)} samples that do not tell {len(table)} monomials apart", len(table))
    return factor


def _at_samples(lie: LieDerivative) -> LieMap:
    """Weighted rows at the samples; no more of them than the map has columns."""
    r, q = lie.lifted.n_generators, lie.field.n_params  # type: ignore[attr-defined]
    _check_functions(lie)
    if len(lie.samples) * lie.field.value_dim > r * q:  # rotating the rows changes no singular value
        chosen = lie.lifted.restrict(np.eye(r))
        make = partial(_all_rows, lie.local, chosen)
        (stream,) = lie.samples.factored(make, (r * q,), lie.points_at_a_time(r))
        rows = stream.factor().reshape(-1, r, q).transpose(1, 0, 2)
    else:
        blocks = np.concatenate([ahead - behind for ahead, behind in lie.terms_in_theta(np.eye(r))], axis=1)
        rows = blocks.reshape(r, -1, q)
    return LieMap(np.ascontiguousarray(rows).reshape(-1, q), (r, rows.shape[1]))


def _all_rows(lie: LieDerivative, chosen: AbstractAction, x: NDArray, w: NDArray) -> Iterator[tuple[int, NDArray]]:
    ahead, behind = lie.terms_at(chosen, x, w)
    r, n, c, q = ahead.shape
    yield 0, (ahead - behind).transpose(1, 2, 0, 3).reshape(n * c, r * q)


def _check_functions(lie: LieDerivative) -> None:
    """The samples must tell the functions of the family apart."""
    field, samples = lie.field, lie.samples
    assert isinstance(field, AbstractLinearField)
    c, q = field.value_dim, field.n_params
    if c * samples.count_distinct(-(-q // c)) < q:
        raise _too_few(f"{len(samples)} samples with {c} value channels for {q} parameters", -(-q // c))
    (stream,) = samples.factored(partial(_functions, field), (q,), points_at_a_time(field))
    factor = stream.factor()
    sizes = np.linalg.norm(factor, axis=0)
    s = np.linalg.svd(factor / np.where(sizes > 0, sizes, 1.0), compute_uv=False)
    dependent = int(np.sum(s <= rounding((len(samples) * c, q)) * s[0]))
    if dependent:
        given = f"{len(samples)} samples at which {dependent} independent combinations of {q} functions vanish"
        raise _too_few(given, -(-q // c))


def _functions(field: AbstractLinearField, x: NDArray, w: NDArray) -> Iterator[tuple[int, NDArray]]:
    yield 0, (field.features(x) * np.sqrt(w)[:, None, None]).reshape(-1, field.n_params)


def _powers(table: NDArray, x: NDArray, w: NDArray) -> Iterator[tuple[int, NDArray]]:
    yield 0, monomials(x, table) * np.sqrt(w)[:, None]


def _too_few(given: str, needed: int) -> UndecidedError:
    return UndecidedError(
        explain(
            "There are too few samples to know where the Lie derivative is zero.",
            given=given,
            expected=f"at least {needed} points in general position",
            fix="er.Samples.box(-1, 1, dim=...) for polynomials, which are then integrated exactly; or more samples",
        )
    )
