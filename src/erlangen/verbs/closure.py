"""Closure: whether the generators map a family of fields into itself, and what would close it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from erlangen._render import polynomial_text
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.actions import coordinate_names
from erlangen.derivative import LieDerivative, Samples
from erlangen.derivative.coefficients import CoefficientMap
from erlangen.fields import AbstractLinearField, PolynomialField
from erlangen.fields.bases import BasisField
from erlangen.fields.libraries import FormulaBasis
from erlangen.verbs._enforce_request import POINTS_PER_PARAMETER, Request, moved_values, read
from erlangen.verbs._enforce_solve import in_coefficients

SHOWN = 6
"""Missing functions named in a sentence."""

INSIDE = 1e-6
"""Relative part outside the span up to which a function counts as inside: half of the digits, and a margin."""


@dataclass(frozen=True, eq=False)
class Closure(AbstractShown):
    """What generators and discrete elements take out of a family of fields.

    Attributes
    ----------
    names : tuple of str
        The generators, then the discrete elements h1, h2, ...
    outside : ndarray (p + h,)
        For each generator and discrete element, the relative part of L_xi phi (of phi o h) outside the span of the
        functions phi, root mean square over the functions; 0 is closed.
    missing : tuple of str
        Functions that would have to join, as far as they can be named.
    """

    names: tuple[str, ...]
    outside: NDArray
    missing: tuple[str, ...]

    @property
    def is_closed(self) -> bool:
        """Whether nothing leaves the family."""
        return bool(np.all(self.outside <= INSIDE))

    @property
    def reason(self) -> str:
        """One sentence."""
        if self.is_closed:
            return "the family is closed under all of them"
        leaving = [f"{n} ({v:.2g})" for n, v in zip(self.names, self.outside, strict=True) if v > INSIDE]
        text = f"the family is not closed: {', '.join(leaving[:SHOWN])}{' ...' if len(leaving) > SHOWN else ''} "
        text += "take its functions out of it by that part, so it holds only some of the symmetric fields around it"
        if self.missing:
            more = f" and {len(self.missing) - SHOWN} more" if len(self.missing) > SHOWN else ""
            text += f"; it lacks {', '.join(self.missing[:SHOWN])}{more}"
        return text


def closure(
    field: AbstractLinearField,
    action: Any,
    samples: Samples | ArrayLike | None = None,
    *,
    discrete: Sequence[Any] | None = None,
) -> Closure:
    """Measure how far generators take the functions of a family out of its span.

    The fields that :func:`enforce` returns are symmetric either way. Where the family is not closed there are fewer
    of them than the same functions would allow in a larger family.

    Parameters
    ----------
    field : AbstractLinearField
        The family: a polynomial field, a basis with coefficients, or a field of your own.
    action : AbstractAction, Symmetry or Group
        What acts.
    samples : Samples or ndarray (n, d), optional
        Where functions are compared, as for :func:`enforce`.
    discrete : sequence, optional
        More discrete elements, as for :func:`enforce`.

    Returns
    -------
    Closure
        What leaves the family, by generator and element, and what would have to join.

    Raises
    ------
    InputError
        When field, action, samples and elements do not fit together.

    References
    ----------
    Otto, Zolman, Kutz, Brunton, JMLR 26(248), 2025.

    Examples
    --------
    >>> from erlangen.actions import translation
    >>> from erlangen.fields import Expressions
    >>> waves = Expressions("sin(x)").bind(["x"]).as_field()
    >>> closure(waves, translation(1), Samples.box(0, 6, dim=1)).missing
    ('cos(x)',)
    """
    return closure_of(read(field, action, samples, discrete))


def closure_of(request: Request) -> Closure:
    """The closure of a request that was read."""
    lie, names = request.lie, tuple(f"h{i + 1}" for i in range(len(request.elements)))
    xi = np.eye(lie.action.n_generators)
    maps = in_coefficients(lie, xi, request.elements)
    names = (*lie.action.names, *names)
    if maps is not None and isinstance(request.field, PolynomialField):
        parts = [_outside(m, request.field) for m in maps]
        lost = np.vstack([table for _, table in parts]) if parts else np.zeros((0, request.field.point_dim))
        lost = np.unique(lost, axis=0)
        order = np.lexsort([*(-lost.T[::-1]), lost.sum(axis=1)]) if len(lost) else []
        coordinates = coordinate_names(request.field.point_dim)
        missing = tuple(polynomial_text([lost[i]], [1], coordinates) for i in order)
        return Closure(names, np.array([part for part, _ in parts]), missing)
    return Closure(names, *_sampled(request, xi))


def _outside(m: CoefficientMap, field: PolynomialField) -> tuple[float, NDArray]:
    """Relative part of the image on monomials that the field does not have, and these monomials."""
    own = {tuple(row) for row in field.table.tolist()}
    out = np.array([tuple(row) not in own for row in m.table.tolist()], dtype=bool)
    squares = (m.matrix.multiply(m.matrix)).sum(axis=1).reshape(field.value_dim, -1).sum(axis=0)
    total = float(squares.sum())
    lost = out & (squares > 0)
    return (float(np.sqrt(squares[lost].sum() / total)) if total else 0.0), m.table[lost]


def _sampled(request: Request, xi: NDArray) -> tuple[NDArray, tuple[str, ...]]:
    """The same from points: what is left of the images after a fit by the functions."""
    lie, field = request.lie, request.field
    few = lie.samples.subset(POINTS_PER_PARAMETER * field.n_params)
    lie = LieDerivative(field, lie.action, few)
    weights = np.sqrt(few.weights)[:, None, None]
    span = (field.features(few.points) * weights).reshape(-1, field.n_params)
    u, s, _ = np.linalg.svd(span, full_matrices=False)
    u = u[:, s > np.sqrt(np.finfo(np.float64).eps) * s[0]]
    images = [
        np.concatenate([(ahead - behind).reshape(-1, field.n_params) for ahead, behind in lie.terms_in_theta(row)])
        for row in xi
    ]
    elements = Request(lie, request.elements, request.tolerance, False)
    size, n_rows = len(request.elements), len(span)
    if size:
        moved = np.concatenate([behind.reshape(-1, field.n_params) for _, behind in moved_values(elements)])
        images += np.split(moved, np.arange(n_rows, size * n_rows, n_rows))
    outside, leaving = [], []
    for image in images:
        rest = np.linalg.norm(image - u @ (u.T @ image), axis=0)
        whole = np.linalg.norm(image, axis=0)
        outside.append(float(np.linalg.norm(rest) / (np.linalg.norm(whole) or 1.0)))
        leaving.append(np.flatnonzero(rest > INSIDE * max(float(whole.max(initial=0.0)), 1e-300)))
    return np.array(outside), _named_images(request, leaving)


def _named_images(request: Request, leaving: list[NDArray]) -> tuple[str, ...]:
    """Formulas of the images that leave the span, where the functions are formulas and the generators polynomial."""
    field, parts = request.field, request.lie.parts
    if not isinstance(field, BasisField) or not isinstance(field.basis, FormulaBasis) or parts is None:
        return ()
    basis, names, out = field.basis, field.basis.formulas[0].variables, []
    for k in range(min(parts.action.n_generators, len(leaving))):
        moves = parts.action.coefficients[k]
        for i in sorted({int(j) % basis.size for j in leaving[k]}):
            slopes = basis.slopes[i]
            terms = [
                _times(polynomial_text(parts.action.exponents, moves[a].tolist(), names), str(slopes[a]))
                for a in range(len(names))
                if np.any(moves[a]) and str(slopes[a]) != "0"
            ]
            out.append(" + ".join(terms).replace("**", "^"))
    return tuple(dict.fromkeys(text.removeprefix("-") for text in out if text))


def _times(factor: str, slope: str) -> str:
    return slope if factor == "1" else f"({factor}) * ({slope})"
