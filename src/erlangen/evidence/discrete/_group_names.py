"""Names of groups with a connected part: O(2), O(3, 1), or the parts side by side."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from erlangen._typing import NDArray
from erlangen.evidence.discrete._finite import name_of, name_of_table

_ROTATIONS = re.compile(r"so\((\d+)(?:,(\d+))?\)")


def component_name(elements: Sequence[NDArray], table: NDArray, algebra: NDArray, named: str) -> str:
    """Name of the group with these components, the identity first.

    Parameters
    ----------
    elements : sequence of ndarray (d, d)
        Representatives.
    table : ndarray (k, k)
        Their multiplication modulo the connected group.
    algebra : ndarray (p, d, d)
        The connected part.
    named : str
        The name of its Lie algebra.
    """
    finite = name_of_table(table)
    if not len(algebra):
        return _finite_name(elements, finite)
    connected = _connected_name(named)
    if len(elements) == 1:
        return connected
    match = _ROTATIONS.fullmatch(named)
    if match and match[2] is None and len(elements) == 2 and _reflects(elements[1], algebra, int(match[1])):
        return f"O({match[1]}) = {connected} and a reflection"
    if match and match[2] and finite == "Z(2) x Z(2)" and int(match[1]) + int(match[2]) == len(elements[0]):
        return f"O({match[1]},{match[2]}) = {connected} and two reflections"
    return f"{connected} with components {finite}"


def _finite_name(elements: Sequence[NDArray], finite: str) -> str:
    """Permutations of k coordinates by themselves are called S(k), whatever else has the same table."""
    if len(elements) == 1:
        return "trivial"
    stack = np.array(elements)
    plain = np.round(stack)
    name, order = name_of(plain[1:]) if np.abs(stack - plain).max() < 1e-9 else (finite, len(elements))
    return name if order == len(elements) and name.startswith("S(") else finite


def _connected_name(named: str) -> str:
    if not named:
        return "a connected group"
    return named.upper() if _ROTATIONS.fullmatch(named) else f"exp({named})"


def _reflects(c: NDArray, algebra: NDArray, k: int) -> bool:
    """Whether an element turns orientation of the k-dimensional space that the algebra moves."""
    flat = algebra.transpose(1, 0, 2).reshape(len(c), -1)
    u, s, _ = np.linalg.svd(flat)
    moved = u[:, : int(np.sum(s > 1e-6 * s[0]))]
    if moved.shape[1] != k:
        return False
    rest = u[:, k:]
    # The element must leave the rest alone; there it would be a symmetry of its own.
    still = np.linalg.norm(rest.T @ c @ rest - np.eye(len(c) - k)) <= 0.2 if k < len(c) else True
    return bool(still and np.linalg.det(moved.T @ c @ moved) < 0)
