"""Images and volumes as representations: how matrices move the pixels, and the channels on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from erlangen._errors import InputError, explain
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.algebra import Group, Representation, rep


@dataclass(frozen=True)
class Grid(AbstractShown):
    """Functions on a grid of pixels: ``(g f)(p) = rho(g) f(g^-1 p)`` about the middle of the grid.

    Coordinate a of the group runs along the a-th spatial axis of the tensor ``(n, channels, N_1, ..., N_k)``. With
    the row first and counted downwards, the rotation by a right angle is ``torch.rot90(x, 1, (-2, -1))``. Signed
    permutation matrices (right angles, flips, the symmetries of the cube) move pixels exactly; all others
    interpolate (bicubic on images, linear on volumes, zero outside).

    Parameters
    ----------
    channels : str or Representation, optional
        How the channels move along: ``"V"`` for a vector at each pixel. By default they do not.

    Examples
    --------
    >>> from erlangen.algebra import groups
    >>> x = torch.arange(4.0).reshape(1, 1, 2, 2)
    >>> torch.equal(Grid().act(groups.C(4).discrete[0], x), torch.rot90(x, 1, (-2, -1)))
    True
    """

    channels: str | Representation | None = None

    def channel_matrix(self, g: NDArray, group: Group | None = None) -> NDArray | None:
        """Matrix of the channels; None where they stay as they are.

        Parameters
        ----------
        g : ndarray (k, k)
            A group element.
        group : Group, optional
            The group, for channels that are given as text.

        Returns
        -------
        ndarray (channels, channels) or None
            How the channels move.
        """
        if self.channels is None:
            return None
        if isinstance(self.channels, Representation):
            return self.channels.group_matrix(g)
        one = group or Group("of the grid", np.zeros((0, *g.shape)), np.zeros((0, *g.shape)))
        return rep(self.channels, one).group_matrix(g)

    def act(self, g: Any, x: torch.Tensor) -> torch.Tensor:
        """Move ``x (n, channels, N_1, ..., N_k)`` by the matrix ``g (k, k)``.

        Parameters
        ----------
        g : array_like (k, k)
            A group element.
        x : Tensor (n, channels, N_1, ..., N_k)
            Values on the grid.

        Returns
        -------
        Tensor (n, channels, N_1, ..., N_k)
            The moved values; zero where they come from outside.

        Raises
        ------
        InputError
            Where there are fewer axes than coordinates, or a turn would exchange axes of different lengths.
        """
        return self.turn(np.asarray(g, dtype=np.float64))(x)

    def turn(self, g: NDArray) -> Turn:
        """What a matrix ``(k, k)`` does to tensors, ready to be applied to many.

        Parameters
        ----------
        g : ndarray (k, k)
            A group element.

        Returns
        -------
        Turn
            Called with a tensor ``(n, channels, N_1, ..., N_k)``, it moves it.
        """
        matrix = self.channel_matrix(g)
        flips: tuple[bool, ...] = ()
        old: tuple[int, ...] = ()
        if is_exact(g):
            old = tuple(int(b) for b in np.argmax(np.abs(np.round(g)), axis=1))
            flips = tuple(bool(f) for f in np.round(g).sum(axis=0) < 0)
        channels = None if matrix is None else matrix.tolist()
        return Turn(len(g), old, flips, np.linalg.inv(g).tolist(), channels)


@dataclass(frozen=True)
class Turn:
    """A matrix acting on grids, in plain numbers that compilers can follow.

    Attributes
    ----------
    k : int
        Number of spatial axes.
    old : tuple of int
        New axis a is old axis ``old[a]``; empty where pixels are interpolated.
    flips : tuple of bool
        Which old axes are reversed.
    inverse : list of lists
        The inverse matrix.
    channels : list of lists or None
        Matrix of the channels.
    """

    k: int
    old: tuple[int, ...]
    flips: tuple[bool, ...]
    inverse: list[list[float]]
    channels: list[list[float]] | None

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Move ``x (n, channels, N_1, ..., N_k)``."""
        k = self.k
        if x.ndim < k + 2:
            raise _refused(x, f"(n, channels, {', '.join(f'N_{a + 1}' for a in range(k))})", "images[:, None]")
        moved = self.exactly(x) if self.old else self.interpolated(x)
        if self.channels is None:
            return moved
        if moved.shape[-k - 1] != len(self.channels):
            raise _refused(x, f"{len(self.channels)} channels that move along", "another representation")
        matrix = torch.tensor(self.channels, dtype=x.dtype, device=x.device)
        return torch.movedim(torch.movedim(moved, -k - 1, -1) @ matrix.T, -1, -k - 1)

    def exactly(self, x: torch.Tensor) -> torch.Tensor:
        """Pixels to pixels."""
        lead = x.ndim - self.k
        if [x.shape[lead + b] for b in self.old] != list(x.shape[lead:]):
            raise _refused(x, "axes of one length, as this turn exchanges them", "x[..., :m, :m]")
        flips = [lead + b for b in range(self.k) if self.flips[b]]
        turned = torch.flip(x, flips) if flips else x
        return turned.permute(*range(lead), *(lead + b for b in self.old))

    def interpolated(self, x: torch.Tensor) -> torch.Tensor:
        """Pixels between pixels."""
        k = self.k
        if k not in (2, 3):
            raise _refused(x, "two or three spatial axes", "a group of signed permutations moves pixels exactly")
        reach = [max(n - 1, 1) for n in x.shape[-k:]]
        # grid_sample counts coordinates from the last axis, in units of half the side.
        axes = range(k - 1, -1, -1)
        theta = [[*(self.inverse[a][b] * reach[b] / reach[a] for b in axes), 0.0] for a in axes]
        matrix = torch.tensor(theta, dtype=x.dtype, device=x.device)
        flat = x.reshape(-1, x.shape[-k - 1], *x.shape[-k:])
        where = torch.nn.functional.affine_grid(
            matrix.expand(len(flat), k, k + 1), list(flat.shape), align_corners=True
        )
        mode = "bicubic" if k == 2 else "bilinear"
        return torch.nn.functional.grid_sample(flat, where, mode, "zeros", align_corners=True).reshape(x.shape)


def is_exact(g: NDArray) -> bool:
    """Whether a matrix is a signed permutation, so that pixels fall on pixels."""
    whole = np.abs(np.round(g, 12))
    return bool(np.isin(whole, (0.0, 1.0)).all() and (whole.sum(axis=0) == 1).all() and (whole.sum(axis=1) == 1).all())


def _refused(x: torch.Tensor, expected: str, fix: str) -> InputError:
    return InputError(
        explain(
            "The grid cannot be moved by this matrix.",
            given=f"a tensor of shape {tuple(x.shape)}",
            expected=expected,
            fix=fix,
        )
    )
