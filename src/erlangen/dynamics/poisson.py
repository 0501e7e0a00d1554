r"""Poisson brackets of functions on phase space, and the Lie algebra that they close on.

With positions q and momenta p, ``{f, g} = sum_i (df/dq_i dg/dp_i - df/dp_i dg/dq_i)``, so ``{q, p} = 1``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from erlangen._errors import InputError, explain, nearest
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.linalg.qr import rounding

__all__ = ["PhaseSpace", "PoissonAlgebra", "poisson_algebra"]


@dataclass(frozen=True)
class PhaseSpace(AbstractShown):
    """Which coordinates are positions and which are the momenta conjugate to them.

    Parameters
    ----------
    names : tuple of str
        All d coordinates.
    positions, momenta : tuple of str
        Conjugate pairs, in the same order.

    Raises
    ------
    InputError
        When positions and momenta do not pair up, or are not among the names.
    """

    names: tuple[str, ...]
    positions: tuple[str, ...]
    momenta: tuple[str, ...]

    def __post_init__(self) -> None:
        for name in (*self.positions, *self.momenta):
            if name not in self.names:
                close = nearest(name, self.names)
                fix = f"did you mean {close!r}?" if close else "choose among the columns"
                raise InputError(
                    explain(
                        f"There is no column {name!r}.", given=repr(name), expected=", ".join(self.names[:12]), fix=fix
                    )
                )
        both = (*self.positions, *self.momenta)
        if not self.positions or len(self.positions) != len(self.momenta) or len(set(both)) != len(both):
            raise InputError(
                explain(
                    "Positions and momenta do not form pairs.",
                    given=f"positions {', '.join(self.positions)}; momenta {', '.join(self.momenta)}",
                    expected="as many different momenta as positions, in the same order",
                    fix='positions=("x", "y"), momenta=("px", "py")',
                )
            )

    @property
    def matrix(self) -> NDArray:
        """W ``(d, d)`` with ``{f, g} = grad f^T W grad g``; coordinates in no pair have zero rows."""
        w = np.zeros((len(self.names), len(self.names)))
        q = [self.names.index(name) for name in self.positions]
        p = [self.names.index(name) for name in self.momenta]
        w[q, p], w[p, q] = 1.0, -1.0
        return w


@dataclass(frozen=True, eq=False)
class PoissonAlgebra(AbstractShown):
    """The brackets of p functions as combinations of these functions.

    Attributes
    ----------
    constants : ndarray (p, p, p)
        ``{f_i, f_j} = sum_k constants[i, j, k] f_k``; the constant 1 comes last where it is needed.
    labels : tuple of str
        The functions, with "1" last where it was added.
    defect : float
        Root mean square of what is left of the brackets, relative to theirs; 0 is closed.
    structure : object or None
        The named Lie algebra where the brackets close, else None.
    reason : str
        Why it is closed, or is not.
    """

    constants: NDArray
    labels: tuple[str, ...]
    defect: float
    structure: Any
    reason: str


def poisson_algebra(
    values: NDArray,
    gradients: NDArray,
    matrix: NDArray,
    *,
    labels: Sequence[str] | None = None,
    noise: float = 0.0,
) -> PoissonAlgebra:
    """Close functions under the Poisson bracket and name the algebra.

    The brackets are fitted by the functions at the points, and by the constant 1 as well where that is needed
    (the bracket of q and p is 1). Functions that are linear combinations of others are dropped.

    Parameters
    ----------
    values : ndarray (n, p)
        The functions at n points.
    gradients : ndarray (n, p, d)
        Their gradients there.
    matrix : ndarray (d, d)
        The Poisson matrix, such as `PhaseSpace.matrix`.
    labels : sequence of p str, optional
        Names of the functions.
    noise : float
        Relative error of the functions.

    Returns
    -------
    PoissonAlgebra
        The brackets, how well the functions close under them, and the name.

    References
    ----------
    J. E. Marsden, T. S. Ratiu, Introduction to Mechanics and Symmetry, second edition, 1999, chapter 10 (brackets).

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(50, 2))  # q, p
    >>> values = np.stack([x[:, 0] ** 2, x[:, 0] * x[:, 1], x[:, 1] ** 2], axis=1)
    >>> rows = [[2 * q, 0, p, q, 0, 2 * p] for q, p in x]
    >>> found = poisson_algebra(values, np.reshape(rows, (50, 3, 2)), np.array([[0.0, 1.0], [-1.0, 0.0]]))
    >>> found.structure.name
    'sl(2,R)'
    """
    names = tuple(labels) if labels is not None else tuple(f"f{i + 1}" for i in range(values.shape[1]))
    keep = _independent(values)
    names, values, gradients = tuple(names[i] for i in keep), values[:, keep], gradients[:, keep]
    units = _sizes(gradients, matrix)
    values, gradients = values / units, gradients / units[:, None]  # one large function must not hide the others
    brackets, size = _brackets(gradients, matrix)
    tolerance = max(10 * noise, 1e3 * rounding(values.shape))
    constants, left = _close(values, brackets)
    total = float(np.linalg.norm(brackets))
    if left > tolerance * total > tolerance**2 * size and len(_independent(np.c_[values, np.ones(len(values))])) > len(
        keep
    ):
        more, less = _close(np.c_[values, np.ones(len(values))], _pad(brackets))
        if less < left / 10:
            constants, left, names, units = more, less, (*names, "1"), np.r_[units, 1.0]
    constants = constants * units[:, None, None] * units[:, None] / units
    if total <= tolerance * size:  # all brackets vanish; what is left of them is rounding
        return _named(np.zeros_like(constants), names, total / size if size else 0.0, tolerance, noise)
    defect = left / total
    return _named(constants, names, float(defect), tolerance, noise)


def _independent(values: NDArray) -> list[int]:
    """Columns that are no combination of earlier ones, at a billionth of their size."""
    keep: list[int] = []
    basis = np.zeros((len(values), 0))
    for i, column in enumerate(values.T):
        rest = column - basis @ (basis.T @ column)
        rest = rest - basis @ (basis.T @ rest)
        if np.linalg.norm(rest) > 1e-9 * np.linalg.norm(column):
            keep.append(i)
            basis = np.column_stack([basis, rest / np.linalg.norm(rest)])
    return keep


def _sizes(gradients: NDArray, matrix: NDArray) -> NDArray:
    """Root mean square gradients ``(p,)`` along the coordinates that are in pairs."""
    used = gradients[:, :, np.abs(matrix).any(axis=0)]
    sizes = np.sqrt(np.mean(np.sum(used**2, axis=2), axis=0))
    return np.where(sizes > 0, sizes, 1.0)


def _brackets(gradients: NDArray, matrix: NDArray) -> tuple[NDArray, float]:
    """All brackets ``(n, p, p)``, and the size that brackets of unrelated functions would have."""
    used = gradients @ np.abs(matrix) @ np.abs(matrix).T
    lengths = np.linalg.norm(used, axis=2)
    return np.einsum("nia,ab,njb->nij", gradients, matrix, gradients, optimize=True), float(
        np.linalg.norm(lengths[:, :, None] * lengths[:, None, :])
    )


def _pad(brackets: NDArray) -> NDArray:
    n, p, _ = brackets.shape
    out = np.zeros((n, p + 1, p + 1))
    out[:, :p, :p] = brackets
    return out


def _close(values: NDArray, brackets: NDArray) -> tuple[NDArray, float]:
    """Structure constants ``(p, p, p)`` by least squares, and the norm of what is left."""
    n, p = values.shape
    sizes = np.linalg.norm(values, axis=0)
    flat = brackets.reshape(n, -1)
    solution = np.linalg.lstsq(values / sizes, flat, rcond=None)[0] / sizes[:, None]
    left = float(np.linalg.norm(flat - values @ solution))
    c = solution.reshape(p, p, p).transpose(1, 2, 0)
    return (c - c.transpose(1, 0, 2)) / 2, left


def _named(c: NDArray, labels: tuple[str, ...], defect: float, tolerance: float, noise: float) -> PoissonAlgebra:
    from erlangen.algebra import LieAlgebra

    if defect > max(tolerance, 0.0):
        reason = (
            f"the brackets leave the span of the functions: {defect:.2g} of them is left. They may close on each "
            "level of an invariant, or be polynomials in the functions"
        )
        return PoissonAlgebra(c, labels, defect, None, reason)
    structure = LieAlgebra.from_structure_constants(c).identify(noise=max(noise, defect)) if len(labels) else None
    return PoissonAlgebra(c, labels, defect, structure, f"the brackets close to {defect:.1g}")
