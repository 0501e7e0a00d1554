"""Many group elements acting on a batch at once, and undoing it: what a group average does to tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.algebra import Representation
from erlangen.algebra._elements import Elements, as_permutations
from erlangen.nn.grid import Grid
from erlangen.testing._moves import flat_axes, unfit

MOST_NUMBERS = 2**27
"""Numbers in the matrices of a representation at all nodes: 1 GiB."""


class AbstractActing(torch.nn.Module):
    """J elements that act on a batch ``(B, ...)``; results have shape ``(J, B, ...)``."""

    def forward(self, x: torch.Tensor, part: slice) -> torch.Tensor:
        """Move the batch by each element of a part of the nodes."""
        raise NotImplementedError

    def back(self, y: torch.Tensor, part: slice) -> torch.Tensor:
        """Undo each element on its own copy ``y (J, B, ...)``."""
        raise NotImplementedError


class Still(AbstractActing):
    """Nothing moves."""

    def forward(self, x: torch.Tensor, part: slice) -> torch.Tensor:
        """Copies of the batch."""
        return x.expand(part.stop - part.start, *x.shape)

    def back(self, y: torch.Tensor, part: slice) -> torch.Tensor:
        """The values as they are."""
        return y


class Pixels(AbstractActing):
    """Elements that move the pixels of a grid."""

    def __init__(self, grid: Grid, elements: NDArray) -> None:
        super().__init__()
        self.elements = elements
        self.turns = [grid.turn(g) for g in elements]
        self.inverses = [grid.turn(g) for g in np.linalg.inv(elements)]

    def forward(self, x: torch.Tensor, part: slice) -> torch.Tensor:
        """Move the batch by each element."""
        return torch.stack([turn(x) for turn in self.turns[part]])

    def back(self, y: torch.Tensor, part: slice) -> torch.Tensor:
        """Move each copy back."""
        return torch.stack([turn(copy) for turn, copy in zip(self.inverses[part], y, strict=True)])


class Blocks(AbstractActing):
    """Elements that act by matrices, block by block: equal blocks share their matrices, permutations are indices.

    Attributes
    ----------
    size : int
        Length N of the axes acted on together.
    affine : bool
        Whether the last column of the matrices is a shift.
    """

    def __init__(self, blocks: list[tuple[int, NDArray]], affine: bool = False) -> None:
        super().__init__()
        self.affine = affine
        self.counts = [count for count, _ in blocks]
        self.sizes = [matrices.shape[1] - affine for _, matrices in blocks]
        self.size = sum(c * s for c, s in zip(self.counts, self.sizes, strict=True))
        self._exact: list[tuple[str, NDArray]] = []
        for i, (_, matrices) in enumerate(blocks):
            for name, there in ((f"to_{i}", matrices), (f"back_{i}", np.linalg.inv(matrices))):
                index = None if affine else _columns(there)
                kept = there if index is None else index
                self._exact.append((name, kept))
                self.register_buffer(name, torch.from_numpy(kept), persistent=False)

    def forward(self, x: torch.Tensor, part: slice) -> torch.Tensor:
        """Move the batch by each element."""
        return self._act("to", x.expand(part.stop - part.start, *x.shape), part)

    def back(self, y: torch.Tensor, part: slice) -> torch.Tensor:
        """Undo each element on its copy."""
        return self._act("back", y, part)

    def _act(self, way: str, x: torch.Tensor, part: slice) -> torch.Tensor:
        axis = flat_axes(x.shape[1:], self.size)
        if axis is None:
            raise unfit(tuple(x.shape[1:]), self.size)
        flat = x.reshape(*x.shape[: axis + 1], self.size)
        out, start = [], 0
        for i, (count, size) in enumerate(zip(self.counts, self.sizes, strict=True)):
            piece = flat[..., start : start + count * size].reshape(*flat.shape[:-1], count, size)
            moved = self._block(getattr(self, f"{way}_{i}")[part], piece)
            out.append(moved.reshape(*flat.shape[:-1], count * size))
            start += count * size
        return (out[0] if len(out) == 1 else torch.cat(out, dim=-1)).reshape(x.shape)

    def _block(self, matrices: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        if not matrices.is_floating_point():
            index = matrices.reshape(len(matrices), *([1] * (x.ndim - 2)), matrices.shape[1])
            return torch.gather(x, -1, index.expand(x.shape))
        matrices = matrices.to(x.dtype)
        size = x.shape[-1]
        linear = matrices[:, :size, :size].transpose(1, 2)
        moved = (x.reshape(len(x), -1, size) @ linear).reshape(x.shape)
        if not self.affine:
            return moved
        return moved + matrices[:, :size, size].reshape(len(matrices), *([1] * (x.ndim - 2)), size)

    def _apply(self, fn: Any, recurse: bool = True) -> Blocks:
        # Rounded to float32 and back the matrices would be lost: each change of type starts from the exact ones.
        super()._apply(fn, recurse)
        for name, exact in self._exact:
            buffer = getattr(self, name)
            setattr(self, name, torch.from_numpy(exact).to(device=buffer.device, dtype=buffer.dtype))
        return self


def acting(given: Any, elements: NDArray, listed: Elements | None = None) -> AbstractActing:
    """Elements ``(J, k, k)`` acting through a representation, on a grid, or not at all."""
    if given is None:
        return Still()
    if isinstance(given, Grid):
        return Pixels(given, elements)
    terms = [(count, Representation(given.group, ((word, 1),))) for word, count in given.terms]
    numbers = 2 * len(elements) * sum(one.size**2 for _, one in terms)
    if numbers > MOST_NUMBERS:
        raise InputError(
            explain(
                "The matrices of this representation at all elements would not fit in memory.",
                given=f"{given} at {len(elements)} elements: {8 * numbers / 2**30:.1f} GiB",
                expected=f"at most {8 * MOST_NUMBERS / 2**30:.0f} GiB",
                fix='method="frame", a smaller band, or fewer samples',
            )
        )
    return Blocks([(count, _matrices(one, elements, listed)) for count, one in terms])


def _matrices(one: Representation, elements: NDArray, listed: Elements | None) -> NDArray:
    if listed is not None:
        # Some representations are given at the generators only.
        return listed.images(np.stack([h.toarray() for h in one.discrete_images]))
    return np.stack([one.group_matrix(g) for g in elements])


def _columns(matrices: NDArray) -> NDArray | None:
    """Where the ones of each row stand ``(J, N)``, if all matrices are permutations."""
    return None if as_permutations(matrices) is None else matrices.argmax(axis=2)
