"""Group elements chosen by the input: frames from its vectors, or the order of its numbers."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
import torch
from scipy.stats import ortho_group, special_ortho_group

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.algebra import Group, Representation, groups
from erlangen.nn._average import uniform
from erlangen.testing._moves import flat_axes, unfit

MOST_FRAMES = 64
"""Frames that are averaged; where the vectors offer more, this many are taken evenly among them."""

POSES = 16
"""Random poses in which the model sees each frame, in more than three dimensions."""


class Powers(torch.nn.Module):
    """Which blocks of a representation are tensor powers of the defining one, and how a matrix acts on them."""

    def __init__(self, representation: Representation, sample: list) -> None:
        super().__init__()
        self.k = representation.group.size
        self.size = representation.size
        self.blocks = [
            (_power(Representation(representation.group, ((word, 1),)), sample), count)
            for word, count in representation.terms
        ]

    def flat(self, x: torch.Tensor) -> torch.Tensor:
        """The axes that the group moves as one, ``(B, N)``."""
        if flat_axes(x.shape, self.size) != 1:
            raise unfit(tuple(x.shape), self.size)
        return x.reshape(len(x), self.size)

    def pieces(self, flat: torch.Tensor) -> list[torch.Tensor]:
        """Blocks ``(..., count, k, ..., k)``, one axis per factor."""
        out, start = [], 0
        for power, count in self.blocks:
            width = count * self.k**power
            out.append(flat[..., start : start + width].reshape(*flat.shape[:-1], count, *[self.k] * power))
            start += width
        return out

    def vectors(self, x: torch.Tensor) -> torch.Tensor:
        """All vectors of a batch, ``(B, m, k)``."""
        pieces = self.pieces(self.flat(x))
        return torch.cat([p for p, (power, _) in zip(pieces, self.blocks, strict=True) if power == 1], dim=1)

    def n_vectors(self) -> int:
        """Number m of vectors."""
        return sum(count for power, count in self.blocks if power == 1)

    def join(self, pieces: list[torch.Tensor], lead: int) -> torch.Tensor:
        """Inverse of `pieces` for tensors with ``lead`` leading axes."""
        return torch.cat([p.reshape(*p.shape[:lead], -1) for p in pieces], dim=-1)

    def act(self, g: torch.Tensor, flat: torch.Tensor) -> torch.Tensor:
        """Move ``flat (J, B, N)`` by matrices ``g (J, B, k, k)``."""
        moved = []
        for piece, (power, _) in zip(self.pieces(flat), self.blocks, strict=True):
            for factor in range(power):
                turned = torch.movedim(piece, 3 + factor, -1)
                shape = turned.shape
                turned = (turned.reshape(*shape[:2], -1, self.k) @ g.transpose(-1, -2)).reshape(shape)
                piece = torch.movedim(turned, -1, 3 + factor)
            moved.append(piece)
        return self.join(moved, 2)

    def gather(self, index: torch.Tensor, flat: torch.Tensor) -> torch.Tensor:
        """Reorder every factor of ``flat (B, N)`` by ``index (B, k)``."""
        out = []
        for piece, (power, _) in zip(self.pieces(flat), self.blocks, strict=True):
            for factor in range(power):
                shape = [len(index), *[1] * (piece.ndim - 1)]
                shape[2 + factor] = self.k
                piece = torch.gather(piece, 2 + factor, index.reshape(shape).expand(piece.shape))
            out.append(piece)
        return self.join(out, 1)


def _power(one: Representation, sample: list) -> int:
    power, matrix = 0, np.ones((1, 1))
    while matrix.shape[0] <= one.size:
        if len(matrix) == one.size and all(np.allclose(one.group_matrix(g), _kron(g, power)) for g in sample):
            return power
        power, matrix = power + 1, np.kron(matrix, np.eye(one.group.size))
        if one.group.size == 1 and power > 8:
            break
    raise InputError(
        explain(
            "Frames know how a matrix acts on tensor powers of V only.",
            given=f"{one} of {one.group.name}",
            expected="sums of S, V, V*V, ...",
            fix='method="average"',
        )
    )


def _kron(g: np.ndarray, power: int) -> np.ndarray:
    out = np.ones((1, 1))
    for _ in range(power):
        out = np.kron(out, g)
    return out


def kind_of(group: Group) -> str | None:
    """``"SO"``, ``"O"`` or ``"S"`` where the group is that one in its defining form; None otherwise."""
    n, p = group.size, len(group.lie_algebra)
    if p and p == n * (n - 1) // 2 and np.array_equal(group.lie_algebra, -group.lie_algebra.transpose(0, 2, 1)):
        if np.linalg.matrix_rank(group.lie_algebra.reshape(p, -1)) < p:
            return None
        if not len(group.discrete):
            return "SO"
        orthogonal = np.allclose(group.discrete @ group.discrete.transpose(0, 2, 1), np.eye(n))
        return ("O" if (np.linalg.det(group.discrete) < 0).any() else "SO") if orthogonal else None
    return "S" if not p and group.name == f"S({n})" else None


def sample_of(kind: str, n: int) -> list:
    """A few elements of a group, to recognise representations by."""
    rng = np.random.default_rng(0)
    if kind == "S":
        return [np.eye(n)[rng.permutation(n)] for _ in range(3)]
    draw = ortho_group if kind == "O" else special_ortho_group
    return [draw.rvs(n, random_state=rng) for _ in range(3)] if n > 1 else [np.eye(1)]


def poses_of(n: int, samples: int | None, rng: int) -> NDArray:
    """Rotations ``(P, n, n)`` in which the model sees each frame: of the octagon, of the cube, or random ones."""
    if samples is not None:
        return uniform(groups.SO(n), samples, rng)
    if n <= 3:
        return (groups.C(8) if n == 2 else groups.Cube()).elements().matrices if n > 1 else np.ones((1, 1, 1))
    return uniform(groups.SO(n), POSES, rng)


class Frames(torch.nn.Module):
    """Orthonormal frames from all subsets of n - 1 vectors, weighted by their squared volume.

    The weights are invariant polynomials that vanish where a frame is not defined, so that the average is exact
    and continuous wherever one subset is independent (Dym, Lawrence and Siegel 2024). Each frame is shown to the
    model in several fixed poses, which average out what the model makes of a single one.
    """

    def __init__(self, powers: Powers, reflections: bool, poses: NDArray) -> None:
        super().__init__()
        n, m = powers.k, powers.n_vectors()
        if m < n - 1:
            raise InputError(
                explain(
                    f"A frame of R^{n} needs {n - 1} vectors in the input.",
                    given=f"{m}",
                    expected=f'rep_in of at least "{n - 1}V"',
                    fix='method="average"',
                )
            )
        self.powers, self.reflections, self.poses = powers, reflections, poses.tolist()
        # Neighbours, counted round, where there are too many subsets to choose from.
        near = [tuple((i + a) % m for a in range(n - 1)) for i in range(m)]
        every = list(combinations(range(m), n - 1)) if comb(m, n - 1) <= 10_000 else near
        step = max(1, -(-len(every) // MOST_FRAMES))
        self.subsets = every[::step]

    @property
    def words(self) -> str:
        """What is exact and what is not."""
        count = len(self.subsets) * (2 if self.reflections else 1)
        n = self.powers.k
        where = "a vector is not zero" if n == 2 else f"{n - 1} of the vectors are independent"
        return (
            f"{count} frame{'s' * (count != 1)} made of the input's own vectors, in {len(self.poses)} poses: exact up "
            f"to rounding, and continuous, wherever {where}; elsewhere only the poses are averaged, which is not exact"
        )

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Matrices ``(J, B, n, n)`` that turn the input into each of its frames, and weights ``(J, B)``."""
        v = self.powers.vectors(x)
        pairs = [_frame(v[:, list(subset)]) for subset in self.subsets]
        g, w = torch.stack([g for g, _ in pairs]), torch.stack([w for _, w in pairs])
        # Only ratios matter, and squares of small numbers would vanish in single precision.
        largest = w.amax(dim=0, keepdim=True)
        none = largest <= 0
        w = torch.where(none, torch.ones_like(w), w / torch.where(none, torch.ones_like(largest), largest))
        w = w / w.sum(dim=0, keepdim=True)
        g = torch.where(none[..., None, None], torch.eye(g.shape[-1], dtype=g.dtype, device=g.device), g)
        if self.reflections:
            mirrored = torch.cat([g[:, :, :-1], -g[:, :, -1:]], dim=2)
            g, w = torch.cat([g, mirrored]), torch.cat([w, w]) / 2
        poses = torch.tensor(self.poses, dtype=x.dtype, device=x.device)
        turned = (poses[:, None, None] @ g).flatten(0, 1)
        return turned, w.repeat(len(poses), 1) / len(poses)


def _frame(v: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows orthonormalised in order and completed to determinant 1; squared volume of ``v (B, n - 1, n)``."""
    rows: list[torch.Tensor] = []
    volume = torch.ones_like(v[:, 0, 0]) if v.shape[1] else torch.ones(len(v), dtype=v.dtype, device=v.device)
    for i in range(v.shape[1]):
        r = v[:, i]
        for _ in range(2):  # twice is enough
            for e in rows:
                r = r - (r * e).sum(-1, keepdim=True) * e
        square = (r * r).sum(-1)
        safe = torch.where(square > 0, square, torch.ones_like(square))
        rows.append(r * safe.rsqrt()[:, None])
        volume = volume * square
    return torch.stack([*rows, _normal(rows, v)], dim=1), volume


def _normal(rows: list[torch.Tensor], v: torch.Tensor) -> torch.Tensor:
    """The vector orthogonal to n - 1 orthonormal ones that completes them to determinant 1."""
    n = v.shape[2]
    if n == 1:
        return torch.ones(len(v), 1, dtype=v.dtype, device=v.device)
    a = torch.stack(rows, dim=1)
    minors = [torch.linalg.det(torch.cat([a[:, :, :j], a[:, :, j + 1 :]], dim=2)) for j in range(n)]
    return torch.stack([(-1) ** (n - 1 + j) * minor for j, minor in enumerate(minors)], dim=1)


class Sorting(torch.nn.Module):
    """Points in the order of their numbers, the first block first; equal points share what they get."""

    words = (
        "points sorted by their numbers: exact, continuous for one block of numbers; with more blocks values may "
        "jump where the first numbers of two points are equal, and equal points share their values for outputs S and V"
    )

    def __init__(self, powers: Powers) -> None:
        super().__init__()
        if not powers.n_vectors():
            raise InputError(
                explain(
                    "Nothing in the input can be sorted.",
                    given="no block V",
                    expected='rep_in with at least one "V"',
                    fix='method="average"',
                )
            )
        self.powers = powers

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Order ``(B, n)`` of the points, and for each place in it the first place of an equal point."""
        v = self.powers.vectors(x)
        order = torch.arange(v.shape[2], device=x.device).expand(len(v), -1)
        for key in reversed(range(v.shape[1])):
            there = torch.gather(v[:, key], 1, order)
            order = torch.gather(order, 1, torch.argsort(there, dim=1, stable=True))
        placed = torch.gather(v, 2, order[:, None].expand(v.shape))
        new = (placed[:, :, 1:] != placed[:, :, :-1]).any(dim=1).to(torch.int64)
        group = torch.cat([torch.zeros_like(new[:, :1]), new.cumsum(dim=1)], dim=1)
        return order, group


def shared(values: torch.Tensor, group: torch.Tensor) -> torch.Tensor:
    """Means of ``values (B, c, n)`` over entries of one group ``(B, n)``."""
    index = group[:, None].expand(values.shape)
    sums = torch.zeros_like(values).scatter_add(2, index, values)
    counts = torch.zeros_like(values).scatter_add(2, index, torch.ones_like(values))
    return torch.gather(sums / counts.clamp(min=1), 2, index)
