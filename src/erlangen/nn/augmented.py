"""More training data: copies of it, moved by random elements of a group."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.algebra import Group
from erlangen.nn._acting import AbstractActing, acting
from erlangen.nn._average import has_average, uniform
from erlangen.nn._parts import parts_of
from erlangen.testing._moves import representation
from erlangen.verbs import Symmetry


def augment(
    X: ArrayLike,
    y: ArrayLike,
    group: Group | Symmetry,
    n: int = 1,
    *,
    rep_in: Any = None,
    rep_out: Any = None,
    rng: int | np.random.Generator = 0,
) -> tuple[NDArray, NDArray]:
    """Add n transformed copies of a data set, each row moved by a transformation of its own.

    Parameters
    ----------
    X : array (m, ...)
        Inputs.
    y : array (m, ...)
        Values or labels.
    group : Group or Symmetry
        Elements are uniform for compact groups, drawn near the identity by ``Group.sample`` for others, and by
        ``Symmetry.sample`` for a symmetry that was found.
    n : int
        Number of copies.
    rep_in, rep_out : Representation or str, optional
        How inputs and values move; by default ``"V"``, and not at all.
    rng : int or Generator
        For the elements.

    Returns
    -------
    X, y : ndarray ((n + 1) m, ...)
        The rows as they were, then the copies.

    Raises
    ------
    InputError
        When inputs and values do not pair up, or representations do not fit them.

    References
    ----------
    S. Chen, E. Dobriban, J. H. Lee, A group-theoretic framework for data augmentation, JMLR 21(245), 2020.

    Examples
    --------
    >>> from erlangen.algebra import groups
    >>> X, y = augment(np.eye(2), [0, 1], groups.C(4), 3)
    >>> X.shape, y.tolist()
    ((8, 2), [0, 1, 0, 1, 0, 1, 0, 1])
    """
    rng = np.random.default_rng(rng)
    x, values = np.asarray(X, dtype=np.float64), np.asarray(y)
    if n < 1 or len(x) != len(values):
        raise InputError(
            explain(
                "Nothing can be added.",
                given=f"{len(x)} inputs, {len(values)} values, n = {n}",
                expected="as many values as inputs, n of at least 1",
                fix="augment(X, y, er.groups.SO(3), 4)",
            )
        )
    rows, labels = [x], [values]
    for _ in range(n):
        moved, carried = _one_copy(x, values, group, rep_in, rep_out, rng)
        rows.append(moved)
        labels.append(carried)
    return np.concatenate(rows), np.concatenate(labels)


def _one_copy(
    x: NDArray, y: NDArray, group: Any, rep_in: Any, rep_out: Any, rng: np.random.Generator
) -> tuple[NDArray, NDArray]:
    if isinstance(group, Symmetry):
        drawn = group.sample(len(x), rng=rng)
        follows = drawn.action.value_dim is not None
        pairs = [drawn(k, x[k : k + 1], y[k : k + 1].reshape(1, -1) if follows else None) for k in range(len(x))]
        if not follows:
            return np.concatenate(pairs), y
        return np.concatenate([p for p, _ in pairs]), np.concatenate([v for _, v in pairs]).reshape(y.shape)
    elements = uniform(group, len(x), rng) if has_average(parts_of(group).algebra) else group.sample(len(x), rng)
    inputs = acting(representation("V" if rep_in is None else rep_in, group), elements)
    moved = _own(inputs, torch.from_numpy(x))
    if rep_out is None:
        return moved, y
    return moved, _own(acting(representation(rep_out, group), elements), torch.from_numpy(y.astype(np.float64)))


def _own(act: AbstractActing, x: torch.Tensor) -> NDArray:
    """Each row moved by the element of its own number."""
    return np.concatenate([act(x[i : i + 1], slice(i, i + 1))[0].numpy() for i in range(len(x))])
