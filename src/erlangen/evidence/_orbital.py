"""Symmetries of orbits: generators that map solutions to solutions only up to the choice of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain
from erlangen._render import number
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction, Rescaled, affine
from erlangen.derivative import LieDerivative, Samples
from erlangen.fields import AbstractField, as_field
from erlangen.linalg.polynomials import exponents
from erlangen.linalg.rank import AbstractRankRule, Threshold
from erlangen.verbs import Symmetry, discover


@dataclass(frozen=True, eq=False)
class Orbital(AbstractShown):
    """Generators with ``[xi, F] = c F`` and c not zero: they permute orbits, and change the speed along them.

    Attributes
    ----------
    symmetry : Symmetry
        All generators up to the choice of time, those with c = 0 and functions times F among them.
    generators : ndarray (r, p)
        Those with c not zero, over the generators of the action; no combination of them has c = 0.
    rates : ndarray (r, k)
        Coefficients of c over the monomials of `table`.
    table : ndarray (k, d)
        Exponents of the monomials of c.
    defects : ndarray (r,)
        Relative defects of ``[xi, F] - c F``.
    plain : ndarray (r,)
        Relative defects of ``[xi, F]``, with time left alone.
    texts : tuple of str
        The generators with their c, as a person writes them.
    """

    symmetry: Symmetry
    generators: NDArray
    rates: NDArray
    table: NDArray
    defects: NDArray
    plain: NDArray
    texts: tuple[str, ...]

    @property
    def dim(self) -> int:
        """Number r of generators that need another time."""
        return len(self.generators)

    def __str__(self) -> str:
        if not self.dim:
            return "No symmetry needs another time."
        rows = zip(self.texts, self.defects, self.plain, strict=True)
        return "\n".join(
            f"{text}: up to the choice of time (defect {number(defect, 2)}; {number(plain, 2)} with time left alone)"
            for text, defect, plain in rows
        )


def orbital(
    field: Any,
    action: AbstractAction | None = None,
    samples: Samples | ArrayLike | None = None,
    *,
    rates: int = 0,
    rule: AbstractRankRule = Threshold(),
    names: Sequence[str] | None = None,
) -> Orbital:
    """Find symmetries of the orbits of a vector field: ``[xi, F] = c F``.

    Minimises |[xi, F] - c F| over generators and c together. Fields g F, which move points along their own orbit,
    solve it for any function g and are left out; so are symmetries with c = 0, which `discover` finds.

    Parameters
    ----------
    field : vector field, or anything that ``as_field`` reads as one
        The right-hand side F.
    action : AbstractAction, optional
        Candidates; all affine fields by default.
    samples : Samples or array (n, d), optional
        Where the symmetry is claimed.
    rates : int
        Degree of c, a polynomial; 0 for a constant.
    rule : AbstractRankRule
        What counts as zero.
    names : sequence of str, optional
        Names of the coordinates.

    Returns
    -------
    Orbital
        The generators that need another time, each with its c.

    Raises
    ------
    InputError
        Where the pieces do not fit together.

    References
    ----------
    P. J. Olver, *Applications of Lie Groups to Differential Equations*, second edition, 1993, section 2.5.

    Examples
    --------
    >>> from erlangen.actions import scaling
    >>> def falling(x):  # height and speed under a force like the square of the height
    ...     return np.stack([x[:, 1], x[:, 0] ** 2], axis=1)
    >>> print(orbital(falling, scaling(2), Samples.box(1, 2, dim=2)).texts[0])
    2 x d/dx + 3 y d/dy, [xi, F] = (1) F
    """
    if rates < 0:
        raise InputError(explain("c has a degree.", given=f"rates={rates}", expected="0 or more", fix="rates=0"))
    samples = Samples.from_data(samples) if not (samples is None or isinstance(samples, Samples)) else samples
    field = vector_field(field, action, samples)
    action = affine(field.point_dim) if action is None else action
    timed = Rescaled(action, exponents(field.point_dim, rates))
    found = discover(field, timed, samples, rule=rule, names=names)
    p = action.n_generators
    chosen = _with_rate(found.generators, p, max(found.noise, found.floor))
    used = samples if samples is not None else Samples.from_data(found.points)
    defects = _defects(field, timed, used, chosen, p)
    texts = tuple(timed.describe(row, found.coordinates) for row in chosen)
    return Orbital(found, chosen[:, :p], chosen[:, p:], timed.table, defects[0], defects[1], texts)


def vector_field(field: Any, action: AbstractAction | None, samples: Samples | None) -> AbstractField:
    """The right-hand side of x' = F(x)."""
    dim = action.point_dim if action is not None else samples.dim if samples is not None else None
    field = as_field(field, kind="vector", dim=dim, points=None if samples is None else samples.points)
    if field.kind != "vector":
        raise InputError(
            explain(
                "Orbits belong to a vector field.",
                given=f"a field of kind {field.kind!r}",
                expected="the right-hand side F of x' = F(x)",
                fix='as_field(f, kind="vector")',
            )
        )
    return field


def _with_rate(generators: NDArray, p: int, noise: float) -> NDArray:
    """Those rows, or combinations of rows, no combination of which has c = 0."""
    if not len(generators):
        return generators
    size = np.linalg.norm(generators, axis=1, keepdims=True)
    rates = generators[:, p:] / size
    has = np.abs(rates).max(axis=1) > max(noise, np.sqrt(np.finfo(float).eps))
    u, s, _ = np.linalg.svd(np.where(has[:, None], rates, 0.0), full_matrices=True)
    rank = int(np.sum(s > max(noise, np.sqrt(np.finfo(float).eps))))
    return generators[has] if rank == has.sum() else u[:, :rank].T @ (generators / size)


def _defects(field: AbstractField, timed: Rescaled, samples: Samples, rows: NDArray, p: int) -> NDArray:
    """Relative defects ``(2, r)`` of generators with their c, and with c put to zero."""
    if not len(rows):
        return np.zeros((2, 0))
    still = rows.copy()
    still[:, p:] = 0.0
    return LieDerivative(field, timed, samples).defect(np.vstack([rows, still]).T).reshape(2, len(rows))
