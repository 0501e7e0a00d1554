"""Products that commute with a group: what linear maps cannot reach, such as V to S or V x V to V."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray

from erlangen.algebra import Group, Representation
from erlangen.algebra.equivariant import equivariant_maps
from erlangen.algebra.representation import Word, word_size
from erlangen.nn._blocks import Run, maps_between, runs, single
from erlangen.nn._weights import AbstractConstants, weight_of

DEGREE = 4
"""Products of words w1 x w2 -> w3 are used up to this number of tensor factors in all."""


@final
class EquivariantBilinear(AbstractConstants):
    """All equivariant bilinear maps of two inputs: y = W (x1 kron x2).

    Memory is a * b numbers for each row of the batch, where a and b are the two sizes; the weight has
    N_out * a * b entries. For many channels, use `ChannelProducts`.

    Parameters
    ----------
    rep1, rep2, rep_out : Representation
        Of one group, of sizes a, b and N_out.

    Raises
    ------
    InputError
        If zero is the only equivariant map.

    Examples
    --------
    >>> from erlangen.algebra import rep
    >>> from erlangen.algebra.groups import SO
    >>> V = rep("V", SO(3))
    >>> EquivariantBilinear(V, V, V)  # the cross product
    EquivariantBilinear(V x V >> V of SO(3): 1 map)
    """

    column: torch.Tensor

    def __init__(
        self,
        rep1: Representation,
        rep2: Representation,
        rep_out: Representation,
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        self.rep1, self.rep2, self.rep_out = rep1, rep2, rep_out
        source = rep1 * rep2
        self.maps = maps_between(source, rep_out)
        self.weight_map = weight_of(self.maps, (rep_out.size, source.size), dtype, device)
        self.register(dtype, device)
        self.coefficients = torch.nn.Parameter(torch.empty(self.maps.dim, dtype=dtype, device=device))
        self._spreads = torch.from_numpy(np.sqrt(self.weight_map.variances()))
        self.reset_parameters()

    def sources(self) -> dict[str, NDArray]:
        """Column of the weight for each entry of x1 kron x2: a product of sums lists whole blocks."""
        pairs = np.arange(self.rep1.size * self.rep2.size).reshape(self.rep1.size, self.rep2.size)
        cuts = [[slice(r.start + i * r.size, r.start + (i + 1) * r.size) for r in runs(rep) for i in range(r.count)]
                for rep in (self.rep1, self.rep2)]  # fmt: skip
        listed = np.concatenate([pairs[rows, columns].ravel() for rows, columns in product(*cuts)])
        return {"column": np.argsort(listed).astype(np.int64)}

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw the coefficients again, so that outputs have the variance of products of the inputs."""
        with torch.no_grad():
            self.coefficients.normal_(generator=generator).mul_(self._spreads.to(self.coefficients))

    def forward(self, x1: torch.Tensor, x2: torch.Tensor) -> torch.Tensor:
        """Values ``(..., N_out)`` of ``x1 (..., a)`` and ``x2 (..., b)``."""
        with torch.autocast(self.coefficients.device.type, enabled=False):
            weight = self.weight_map(self.coefficients).index_select(1, self.column)
        pairs = (x1.unsqueeze(-1) * x2.unsqueeze(-2)).flatten(-2)
        return torch.nn.functional.linear(pairs, weight)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.extra_repr()})"

    def extra_repr(self) -> str:
        """Shown when the layer is printed."""
        words = f"{self.rep1} x {self.rep2} >> {self.rep_out} of {self.rep_out.group.name}"
        return f"{words}: {self.maps.dim} map{'s' * (self.maps.dim != 1)}"


@dataclass(frozen=True, eq=False)
class _Products:
    """All products into one run of words of size w: P pairs of input coordinates for each of its channels.

    Attributes
    ----------
    out : Run
        The output words.
    basis : ndarray (dim, w, P)
        Bilinear maps, those of all kinds of products one after the other.
    left, right : ndarray (count, P)
        The two input coordinates of each pair.
    """

    out: Run
    basis: NDArray
    left: NDArray
    right: NDArray


@final
class ChannelProducts(AbstractConstants):
    """Products of single channels of one input: each output channel multiplies a few pairs of them.

    A full bilinear layer grows with the cube of the number of channels. Here channel c of an output word
    receives, for each pair of input words, the product of one channel of each, by every equivariant bilinear
    map of the two words; linear layers before and after mix the channels. Pairs are fixed by counting.

    Parameters
    ----------
    rep_in, rep_out : Representation
        Of one group, of sizes N_in and N_out.
    strength : float
        Standard deviation of an output at the start, for independent inputs of variance 1.

    Notes
    -----
    Products are taken where the three words together have at most four tensor factors: all of S, V and T2
    except T2 x T2 -> T2 (and V x V of a vector into T3), whose maps are many and large.

    References
    ----------
    M. Finzi, M. Welling, A. G. Wilson, A practical method for constructing equivariant multilayer perceptrons
    for arbitrary matrix groups, ICML 2021, section 6 (why bilinear layers are needed).
    """

    def __init__(
        self,
        rep_in: Representation,
        rep_out: Representation,
        strength: float = 0.3,
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        self.rep_in, self.rep_out, self.strength = rep_in, rep_out, strength
        self.products = _products(rep_in, rep_out)
        self.register(dtype, device)
        total = sum(p.out.count * len(p.basis) for p in self.products)
        self.coefficients = torch.nn.Parameter(torch.empty(total, dtype=dtype, device=device))
        self.reset_parameters()

    def sources(self) -> dict[str, NDArray]:
        """For each run of output words the maps and the pairs of input coordinates."""
        out: dict[str, NDArray] = {}
        for i, p in enumerate(self.products):
            out[f"basis{i}"] = p.basis.reshape(len(p.basis), p.out.size * p.left.shape[1])
            out[f"left{i}"], out[f"right{i}"] = p.left.ravel(), p.right.ravel()
        return out

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw the coefficients again."""
        spreads = [
            np.full(p.out.count * len(p.basis), np.sqrt(p.out.size / max(len(p.basis), 1))) for p in self.products
        ]
        with torch.no_grad():
            scale = torch.from_numpy(self.strength * np.concatenate([np.zeros(0), *spreads]))
            self.coefficients.normal_(generator=generator).mul_(scale.to(self.coefficients))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Values ``(..., N_out)`` of ``x (..., N_in)``."""
        rows, start = x.reshape(-1, self.rep_in.size), 0
        parts = []
        for i, p in enumerate(self.products):
            count, dim, pairs = p.out.count, len(p.basis), p.left.shape[1]
            with torch.autocast(self.coefficients.device.type, enabled=False):
                mix = self.coefficients[start : start + count * dim].view(count, dim)
                weight = (mix @ self.get_buffer(f"basis{i}")).view(count, p.out.size, pairs)
            values = rows[:, self.get_buffer(f"left{i}")] * rows[:, self.get_buffer(f"right{i}")]
            parts.append(torch.einsum("ncp,cop->nco", values.view(-1, count, pairs), weight).flatten(1))
            start += count * dim
        return torch.cat(parts, dim=-1).view(*x.shape[:-1], self.rep_out.size)

    def extra_repr(self) -> str:
        """Shown when the layer is printed."""
        return f"{self.rep_in} >> {self.rep_out} of {self.rep_out.group.name}: {len(self.coefficients)} products"


def _products(rep_in: Representation, rep_out: Representation) -> list[_Products]:
    inputs, bases = list(runs(rep_in)), {}
    out = []
    for target in runs(rep_out):
        paths: list[tuple[Run, Run, NDArray]] = []
        for i, left in enumerate(inputs):
            for right in inputs[i:]:
                words = (left.word, right.word, target.word)
                if words not in bases:
                    bases[words] = _word_maps(rep_in.group, *words)
                if len(bases[words]):
                    paths.append((left, right, bases[words]))
        out.append(_wired(target, paths))
    return out


def _word_maps(group: Group, left: Word, right: Word, out: Word) -> NDArray:
    """Basis ``(dim, w_out, w_left * w_right)`` of the products of two words into a third; none of too many factors."""
    sizes = (word_size(out), word_size(left) * word_size(right))
    if len(left) + len(right) + len(out) > DEGREE:
        return np.zeros((0, *sizes))
    maps = equivariant_maps(single(group, left) * single(group, right), single(group, out))
    return maps.to_dense().T.reshape(maps.dim, *sizes)


def _wired(out: Run, paths: list[tuple[Run, Run, NDArray]]) -> _Products:
    lefts, rights, channels = [np.zeros((out.count, 0), int)], [np.zeros((out.count, 0), int)], np.arange(out.count)
    for shift, (left, right, _) in enumerate(paths, start=1):
        # Counted round, and with another offset in each round and each kind of product: new pairs as long as there are.
        copies = (channels % left.count, (channels + shift + channels // right.count) % right.count)
        a, b = (r.start + c[:, None] * r.size + np.arange(r.size) for r, c in zip((left, right), copies))
        lefts.append(np.repeat(a, right.size, axis=1))
        rights.append(np.tile(b, left.size))
    basis = np.zeros((sum(len(maps) for _, _, maps in paths), out.size, sum(pairs.shape[1] for pairs in lefts)))
    row = column = 0
    for _, _, maps in paths:
        dim, _, pairs = maps.shape
        basis[row : row + dim, :, column : column + pairs] = maps
        row, column = row + dim, column + pairs
    return _Products(out, basis, np.concatenate(lefts, axis=1), np.concatenate(rights, axis=1))
