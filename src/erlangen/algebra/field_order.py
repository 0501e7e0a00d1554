"""The order in which a person lists vector fields: rotations first, each with its usual sign."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from erlangen._typing import NDArray

_KINDS = ("rotation", "boost", "linear", "translation", "dilation", "higher degree")


@dataclass(frozen=True)
class FieldOrder:
    """The order and signs in which a person lists vector fields.

    Parameters
    ----------
    order : ndarray (p,)
        Positions in the given list.
    signs : ndarray (p,)
        Factor 1 or -1 of each listed field.
    kinds : tuple of str
        ``rotation``, ``boost``, ``linear``, ``translation``, ``dilation`` or ``higher degree``.
    """

    order: NDArray
    signs: NDArray
    kinds: tuple[str, ...]

    def apply(self, coefficients: NDArray) -> NDArray:
        """Reorder fields ``(p, d, r)`` and fix their signs."""
        return self.signs[:, None, None] * coefficients[self.order]


def order_fields(exponents: NDArray, coefficients: NDArray) -> FieldOrder:
    """Order polynomial fields: rotations, boosts, other linear ones, translations, dilations, the rest.

    Within a kind the order is that of the first term as printed, and each field's first term gets
    a positive sign, so that rotations read ``x d/dy - y d/dx`` in the order J_12, J_13, J_23.

    Parameters
    ----------
    exponents : ndarray (r, d)
        Monomials, shared by all fields.
    coefficients : ndarray (p, d, r)
        Component a of field k is ``sum_r coefficients[k, a, r] x^exponents[r]``.

    Returns
    -------
    FieldOrder
        The order, and the sign of each field.

    Examples
    --------
    >>> exponents = np.array([[1, 0], [0, 1]])
    >>> fields = np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [-1.0, 0.0]]])  # growth, and y d/dx - x d/dy
    >>> found = order_fields(exponents, fields)
    >>> found.order.tolist(), found.signs.tolist(), found.kinds
    ([1, 0], [-1.0, 1.0], ('rotation', 'dilation'))
    """
    exponents, coefficients = np.asarray(exponents), np.asarray(coefficients, dtype=np.float64)
    graded = np.lexsort([*(-exponents[:, j] for j in range(exponents.shape[1] - 1, -1, -1)), exponents.sum(axis=1)])
    keys, signs, kinds = [], [], []
    for field in coefficients:
        term, component = (int(v[0]) for v in np.nonzero(field[:, graded].T)) if field.any() else (0, 0)
        lead = field[component, graded[term]]
        kinds.append(_kind(exponents, field))
        signs.append(-1.0 if lead < 0 else 1.0)
        keys.append((_KINDS.index(kinds[-1]), term, component))
    order = np.array(sorted(range(len(keys)), key=lambda k: keys[k]), dtype=np.int64)
    return FieldOrder(order, np.array(signs)[order] if len(order) else np.ones(0), tuple(kinds[k] for k in order))


def _kind(exponents: NDArray, field: NDArray) -> str:
    degrees = exponents.sum(axis=1)
    used = np.abs(field).sum(axis=0) > 0
    highest = int(degrees[used].max(initial=0))
    if highest == 0:
        return "translation"
    if highest > 1:
        return "higher degree"
    linear = np.flatnonzero(used & (degrees == 1))
    matrix = np.zeros((exponents.shape[1],) * 2)
    matrix[:, np.argmax(exponents[linear], axis=1)] = field[:, linear]
    diagonal = np.diag(matrix)
    if np.any(matrix - np.diag(diagonal)):
        # Opposite signs across the diagonal turn a plane, equal signs squeeze it.
        across, paired = matrix * matrix.T - np.diag(diagonal**2), not np.any((matrix == 0) ^ (matrix.T == 0))
        if paired and not diagonal.any() and (across <= 0).all():
            return "rotation"
        return "boost" if paired and not diagonal.any() and (across >= 0).all() else "linear"
    # Expansion or contraction as a whole is a dilation; a trace of zero belongs to sl(n).
    return "dilation" if (diagonal >= 0).all() or (diagonal <= 0).all() else "linear"
