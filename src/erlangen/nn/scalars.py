"""Invariants of a representation as features of an ordinary network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
import torch

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.algebra import Representation
from erlangen.algebra.equivariant import equivariant_maps
from erlangen.nn._blocks import Run, require, runs, scalars, single
from erlangen.nn._constants import AbstractConstants
from erlangen.nn._weights import settled


@dataclass(frozen=True, eq=False)
class _Forms:
    """Invariant bilinear forms ``(dim, a, b)`` of two runs of words, and which of their values are new."""

    left: Run
    right: Run
    forms: NDArray
    kept: NDArray


@final
class InvariantScalars(AbstractConstants):
    """All invariants of degree 1 and 2 of a representation: linear ones, and inner products of blocks.

    For n vectors of O(3) these are the n (n + 1) / 2 inner products, for SO(1,3) the ones of Minkowski; the
    forms come from the solver, as the maps of products of words to S. Products of two linear invariants
    of scalar words are left out: what follows can multiply. An ordinary network of these features is
    invariant; whether it can be *any* invariant function is the first fundamental theorem of the group: yes
    for vectors of O(n), O(p,q) and Sp, up to signs of determinants for SO(n).

    Parameters
    ----------
    rep : Representation
        What goes in, of size N.
    dtype : torch.dtype, optional
        Of the constants; torch's default type by default.
    device : torch.device or str, optional
        Where they are kept.

    Attributes
    ----------
    out_features : int
        Number of invariants.
    rep_in : Representation
        What goes in: `rep`.
    rep_out : Representation
        What comes out: as many scalars as there are invariants.
    linear_forms : ndarray (r, N)
        The linear invariants.
    pairs : list
        The invariant bilinear forms of two words each.
    linear : Tensor (r, N)
        The linear invariants, on the device.

    Raises
    ------
    InputError
        If there is none.

    References
    ----------
    S. Villar, D. Hogg, K. Storey-Fisher, W. Yao, B. Blum-Smith, Scalars are universal: equivariant machine
    learning, structured like classical physics, NeurIPS 2021.

    Examples
    --------
    >>> from erlangen.algebra import rep
    >>> from erlangen.algebra.groups import SO
    >>> features = InvariantScalars(rep("2V", SO(1, 3)))
    >>> network = torch.nn.Sequential(features, torch.nn.Linear(features.out_features, 1))
    >>> network(torch.zeros(10, 8)).shape
    torch.Size([10, 1])
    """

    rep: Representation
    rep_in: Representation
    rep_out: Representation
    linear_forms: NDArray
    pairs: list[_Forms]
    out_features: int
    linear: torch.Tensor

    def __init__(
        self, rep: Representation, *, dtype: torch.dtype | None = None, device: torch.device | str | None = None
    ) -> None:
        super().__init__()
        require(rep=rep)
        self.rep, self.rep_in = rep, rep
        self.linear_forms = _linear(rep)
        self.pairs = list(_pairs(rep))
        self.out_features = len(self.linear_forms) + sum(len(pair.kept) for pair in self.pairs)
        if self.out_features == 0:
            raise _none(rep)
        self.rep_out = scalars(rep.group, self.out_features)
        self.register(dtype, device)

    def sources(self) -> dict[str, NDArray]:
        """Linear invariants ``(r, N)``; the forms of each pair of runs, and which of their values are kept."""
        out = {"linear": self.linear_forms}
        for p, pair in enumerate(self.pairs):
            out[f"forms{p}"], out[f"kept{p}"] = pair.forms, pair.kept
        return out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Invariants ``(..., out_features)`` of ``x (..., N)``.

        Parameters
        ----------
        x : Tensor (..., N)
            Inputs.

        Returns
        -------
        Tensor (..., out_features)
            Their invariants.
        """
        parts = [torch.nn.functional.linear(x, self.linear)]
        for p, pair in enumerate(self.pairs):
            left = x[..., pair.left.start : pair.left.stop].unflatten(-1, (pair.left.count, pair.left.size))
            right = x[..., pair.right.start : pair.right.stop].unflatten(-1, (pair.right.count, pair.right.size))
            moved = torch.einsum("dab,...jb->...jda", self.get_buffer(f"forms{p}"), right)
            values = torch.einsum("...ia,...jda->...ijd", left, moved).flatten(-3)
            parts.append(values[..., self.get_buffer(f"kept{p}")])
        return torch.cat(parts, dim=-1)

    def extra_repr(self) -> str:
        """Shown when the layer is printed."""
        return f"{self.rep} >> {self.rep_out} of {self.rep.group.name}"


def _linear(rep: Representation) -> NDArray:
    rows = [np.zeros((0, rep.size))]
    for run in runs(rep):
        maps = equivariant_maps(single(rep.group, run.word), scalars(rep.group))
        forms = settled(maps.to_dense().T)
        block = np.zeros((run.count * maps.dim, rep.size))
        block[:, run.start : run.stop] = np.kron(np.eye(run.count), forms)
        rows.append(block)
    return np.concatenate(rows)


def _pairs(rep: Representation) -> Iterator[_Forms]:
    words = [run for run in runs(rep) if run.word]
    for i, left in enumerate(words):
        for right in words[i:]:
            source = single(rep.group, left.word) * single(rep.group, right.word)
            maps = equivariant_maps(source, scalars(rep.group))
            forms = settled(maps.to_dense().T.reshape(maps.dim, left.size, right.size))
            if left is not right:
                if len(forms):
                    yield _Forms(left, right, forms, np.arange(left.count * right.count * len(forms)))
                continue
            symmetric, antisymmetric = _parts(forms)
            forms = np.concatenate([symmetric, antisymmetric])
            kept = _upper(left.count, len(symmetric), len(forms))
            if len(kept):
                yield _Forms(left, right, forms, kept)


def _parts(forms: NDArray) -> tuple[NDArray, NDArray]:
    """Orthonormal bases of the symmetric and the antisymmetric forms of a space closed under transposes."""
    dim, a, _ = forms.shape
    parts = []
    for sign in (1, -1):
        _, s, rows = np.linalg.svd(
            ((forms + sign * forms.transpose(0, 2, 1)) / 2).reshape(dim, a * a), full_matrices=False
        )
        # Two projections that commute, on an orthonormal basis: the singular values are 0 and 1.
        parts.append(settled(rows[s > 0.5].reshape(-1, a, a)))
    return parts[0], parts[1]


def _upper(count: int, symmetric: int, forms: int) -> NDArray:
    """Values (i, j, d) with i < j, and the symmetric ones with i = j; the others repeat them or vanish."""
    i, j, d = np.indices((count, count, forms))
    return np.flatnonzero(((i < j) | ((i == j) & (d < symmetric))).ravel()).astype(np.int64)


def _none(rep: Representation) -> InputError:
    return InputError(
        explain(
            f"{rep} has no invariants of degree 1 or 2 but zero.",
            given=f"{rep} of {rep.group.name}",
            expected="a representation whose blocks have inner products that the group preserves",
            fix=f"pair each word with its dual, as in {rep} + {rep.T}, or use EquivariantMLP with more layers",
        )
    )
