"""Products that commute with a group: what linear maps cannot reach, such as V to S or V x V to V."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import final

import numpy as np
import torch

from erlangen._errors import InputError, explain, warn
from erlangen._typing import NDArray
from erlangen.algebra import Group, Representation
from erlangen.algebra.equivariant import equivariant_maps
from erlangen.algebra.equivariant.memory import available
from erlangen.algebra.representation import Word, word_size
from erlangen.linalg.subspace import DenseSubspace
from erlangen.nn._assembled import AbstractAssembled
from erlangen.nn._blocks import as_representation, check_width, maps_between, require, runs, single
from erlangen.nn._constants import AbstractInBasis, Constants, other_basis
from erlangen.nn._weights import fingerprint, settled
from erlangen.verbs import Symmetry

_LARGE = 2**29
"""Bytes of factors from which on the making of a layer is a matter of many seconds: half a GiB."""

DEGREE = 4
"""Products of words w1 x w2 -> w3 are used up to this number of tensor factors in all."""


@final
class EquivariantBilinear(AbstractAssembled):
    """All equivariant bilinear maps of two inputs: y = W (x1 kron x2).

    The weight has N_out * a * b entries, where a and b are the two sizes; in evaluation mode it is kept, as
    in `EquivariantLinear`. For each row of the batch memory is min(N_out, max(a, b)) * min(a, b) numbers. For
    many channels, use `ChannelProducts`.

    Parameters
    ----------
    rep1, rep2, rep_out : Representation or str
        Of one group, of sizes a, b and N_out.
    group : Group or Symmetry, optional
        The group; needed where representations are given as text.
    dtype : torch.dtype, optional
        Of the parameters; torch's default type by default.
    device : torch.device or str, optional
        Where they are kept.

    Attributes
    ----------
    constants : Constants
        How the weight is arranged.

    Raises
    ------
    InputError
        If zero is the only equivariant map, or the weight would not fit in memory.

    References
    ----------
    M. Finzi, M. Welling, A. G. Wilson, A practical method for constructing equivariant multilayer perceptrons for
    arbitrary matrix groups, ICML 2021, section 6 (why bilinear layers are needed).

    Examples
    --------
    >>> from erlangen.algebra import rep
    >>> from erlangen.algebra.groups import SO
    >>> V = rep("V", SO(3))
    >>> EquivariantBilinear(V, V, V)  # the cross product
    EquivariantBilinear(V x V >> V of SO(3): 1 map)
    """

    rep1: Representation
    rep2: Representation
    rep_out: Representation
    constants: Constants

    def __init__(
        self,
        rep1: Representation | str,
        rep2: Representation | str,
        rep_out: Representation | str,
        group: Group | Symmetry | None = None,
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        rep1 = as_representation(rep1, group, "rep1")
        rep2 = as_representation(rep2, group or rep1.group, "rep2")
        rep_out = as_representation(rep_out, group or rep1.group, "rep_out")
        _check_size(rep1, rep2, rep_out, dtype or torch.get_default_dtype())
        source = rep1 * rep2
        super().__init__(maps_between(source, rep_out), None, (rep_out.size, source.size), dtype, device)
        self.rep1, self.rep2, self.rep_out = rep1, rep2, rep_out
        self.constants = Constants({"column": _columns(rep1, rep2)}, dtype, device)

    def arranged(self, weight: torch.Tensor) -> torch.Tensor:
        """The weight ``(N_out, a, b)``; the larger of a and b is contiguous."""
        a, b = self.rep1.size, self.rep2.size
        ordered = weight.index_select(1, self.constants.get_buffer("column"))
        return ordered.view(-1, a, b) if a <= b else ordered.view(-1, b, a).transpose(1, 2)

    def forward(self, x1: torch.Tensor, x2: torch.Tensor) -> torch.Tensor:
        """Values ``(..., N_out)`` of ``x1 (..., a)`` and ``x2 (..., b)``.

        Parameters
        ----------
        x1 : Tensor (..., a)
            First input.
        x2 : Tensor (..., b)
            Second input.

        Returns
        -------
        Tensor (..., N_out)
            Bilinear in both.
        """
        check_width(x1, self.rep1, "the first input")
        check_width(x2, self.rep2, "the second input")
        weight, _ = self.current()
        small, large = (x1, x2) if self.rep1.size <= self.rep2.size else (x2, x1)
        weight = weight if small is x1 else weight.transpose(1, 2)
        if large.shape[-1] <= len(weight):
            pairs = (small.unsqueeze(-1) * large.unsqueeze(-2)).flatten(-2)
            return torch.nn.functional.linear(pairs, weight.flatten(1))
        # Few outputs: the larger factor first, and no outer product.
        met = torch.nn.functional.linear(large, weight.flatten(0, 1)).unflatten(-1, weight.shape[:2])
        return (met @ small.unsqueeze(-1)).squeeze(-1)

    def extra_repr(self) -> str:
        """Shown when the layer is printed."""
        words = f"{self.rep1} x {self.rep2} >> {self.rep_out} of {self.rep_out.group.name}"
        return f"{words}: {self.maps.dim} map{'s' * (self.maps.dim != 1)}"


@dataclass(frozen=True, eq=False)
class _Pair:
    """Products of copies of two words, and the output words they go to.

    Attributes
    ----------
    left, right : int
        Places of the words among those of the input.
    copies : ndarray (2, K)
        The copies that meet.
    targets : tuple of (place, dim, size)
        Place of each output word, number of bilinear maps to it, and its size w.
    basis : ndarray (a * b, sum dim * w)
        The maps, with mean square 1 on independent inputs of variance 1.
    """

    left: int
    right: int
    copies: NDArray
    targets: tuple[tuple[int, int, int], ...]
    basis: NDArray


@final
class ChannelProducts(AbstractInBasis):
    """Products of single channels of one input, mixed into the channels of an output.

    A full bilinear layer grows with the cube of the number of channels. Here each copy of a word meets two
    copies of a smaller word or of its own, by every equivariant bilinear map of the two words; each channel
    of the output is a learnt combination of all products of its kind. A linear layer before chooses what meets.

    Parameters
    ----------
    rep_in, rep_out : Representation
        Of one group, of sizes N_in and N_out.
    strength : float
        Standard deviation of an output at the start, for independent inputs of variance 1.
    dtype : torch.dtype, optional
        Of the parameters; torch's default type by default.
    device : torch.device or str, optional
        Where they are kept.

    Attributes
    ----------
    words_in, words_out : list
        The words of both sides, with the coordinates of all their copies.
    pairs : list
        Which words are multiplied, by which maps, and where products go.
    constants : Constants
        Those coordinates and maps.
    features : list of int
        Number of products that go to each word of the output.
    coefficients : Parameter (r,)
        Weights of the products in the channels of the output.

    Notes
    -----
    Products are taken where the three words together have at most four tensor factors: of S, V and T2 all
    except T2 x T2 -> T2, whose maps are many and large. A scalar multiplies a word into the same word only: a
    linear layer can move it on.

    References
    ----------
    M. Finzi, M. Welling, A. G. Wilson, A practical method for constructing equivariant multilayer perceptrons
    for arbitrary matrix groups, ICML 2021, section 6 (why bilinear layers are needed).

    Examples
    --------
    >>> from erlangen.algebra import groups, rep
    >>> layer = ChannelProducts(rep("3V + S", groups.SO(3)), rep("2V", groups.SO(3)))
    >>> layer(torch.zeros(5, 10)).shape
    torch.Size([5, 6])
    """

    rep_in: Representation
    rep_out: Representation
    strength: float
    words_in: list[_Word]
    words_out: list[_Word]
    pairs: list[_Pair]
    constants: Constants
    features: list[int]
    coefficients: torch.nn.Parameter
    marks: torch.Tensor

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
        require(rep_in=rep_in, rep_out=rep_out)
        self.rep_in, self.rep_out, self.strength = rep_in, rep_out, strength
        self.words_in, self.words_out = _by_word(rep_in), _by_word(rep_out)
        self.pairs = _pairs(rep_in.group, self.words_in, self.words_out)
        sources = {"order": np.concatenate([np.zeros(0, int), *(w.rows.ravel() for w in self.words_in)])}
        sources["back"] = np.argsort(np.concatenate([np.zeros(0, int), *(w.rows.ravel() for w in self.words_out)]))
        for i, pair in enumerate(self.pairs):
            sources[f"left{i}"], sources[f"right{i}"] = pair.copies
            sources[f"basis{i}"] = pair.basis
        self.constants = Constants(sources, dtype, device)
        bases = [fingerprint(DenseSubspace(p.basis.reshape(-1, 1)), p.basis.shape) for p in self.pairs]
        self.marks = torch.from_numpy(np.concatenate([np.zeros(0), *bases]))
        self.features = [
            sum(p.copies.shape[1] * dim for p in self.pairs for place, dim, _ in p.targets if place == t)
            for t in range(len(self.words_out))
        ]
        total = sum(len(w.rows) * f for w, f in zip(self.words_out, self.features))
        self.coefficients = torch.nn.Parameter(torch.empty(total, dtype=dtype, device=device))
        self.reset_parameters()

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw the coefficients again.

        Parameters
        ----------
        generator : torch.Generator, optional
            Draws them; torch's own by default.
        """
        spreads = [np.full(len(w.rows) * f, 1 / np.sqrt(max(f, 1))) for w, f in zip(self.words_out, self.features)]
        scale = torch.from_numpy(self.strength * np.concatenate([np.zeros(0), *spreads]))
        with torch.no_grad():
            self.coefficients.normal_(generator=generator).mul_(scale.to(self.coefficients))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Values ``(..., N_out)`` of ``x (..., N_in)``.

        Parameters
        ----------
        x : Tensor (..., N_in)
            Inputs.

        Returns
        -------
        Tensor (..., N_out)
            Quadratic in them.
        """
        constant = self.constants.get_buffer
        rows = x.reshape(-1, self.rep_in.size).index_select(1, constant("order"))
        sizes = [w.rows.size for w in self.words_in]
        words = [part.unflatten(1, w.rows.shape) for part, w in zip(rows.split(sizes, dim=1), self.words_in)]
        found: list[list[torch.Tensor]] = [[] for _ in self.words_out]
        for i, pair in enumerate(self.pairs):
            left = words[pair.left].index_select(1, constant(f"left{i}"))
            right = words[pair.right].index_select(1, constant(f"right{i}"))
            values = _products(left, right, constant(f"basis{i}"))
            for (place, dim, size), part in zip(pair.targets, values.split([d * w for _, d, w in pair.targets], 2)):
                found[place].append(part.unflatten(2, (dim, size)).flatten(1, 2))
        out, start = [], 0
        for word, features, parts in zip(self.words_out, self.features, found):
            count, size = word.rows.shape
            if not parts:
                out.append(rows.new_zeros((rows.shape[0], count * size)))
                continue
            mix = self.coefficients[start : start + count * features].view(count, features)
            start += count * features
            mixed = torch.nn.functional.linear(torch.cat(parts, dim=1).transpose(1, 2), mix)
            out.append(mixed.transpose(1, 2).flatten(1))
        values = torch.cat(out, dim=1).index_select(1, constant("back"))
        return values.view(*x.shape[:-1], self.rep_out.size)

    def portable(self) -> tuple[str, ...]:
        """Nothing: the maps of words are settled by their span, and so are the coefficients."""
        return ()

    def carried(self, stored: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
        """Refused: another basis comes from other representations, or another choice of products."""
        raise other_basis(prefix, "the group, representations and version of the library that were saved")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.extra_repr()})"

    def extra_repr(self) -> str:
        """Shown when the layer is printed."""
        return f"{self.rep_in} >> {self.rep_out} of {self.rep_out.group.name}: {sum(self.features)} products"


@dataclass(frozen=True, eq=False)
class _Word:
    """All copies of one word: their coordinates ``(count, size)``."""

    word: Word
    rows: NDArray


def _by_word(representation: Representation) -> list[_Word]:
    found: dict[Word, list[NDArray]] = {}
    for run in runs(representation):
        found.setdefault(run.word, []).append(np.arange(run.start, run.stop).reshape(run.count, run.size))
    return [_Word(word, np.concatenate(parts)) for word, parts in found.items()]


def _products(left: torch.Tensor, right: torch.Tensor, basis: torch.Tensor) -> torch.Tensor:
    """Values ``(batch, K, r)`` of bilinear maps ``(a * b, r)`` on ``(batch, K, a)`` and ``(batch, K, b)``."""
    a, b, r = left.shape[2], right.shape[2], basis.shape[1]
    if b <= r:
        return (left.unsqueeze(3) * right.unsqueeze(2)).flatten(2) @ basis
    # Few maps of large words: the right factor first, and no outer product.
    moved = right @ basis.view(a, b, r).transpose(0, 1).reshape(b, a * r)
    return (left.unsqueeze(3) * moved.unflatten(2, (a, r))).sum(2)


def _pairs(group: Group, words_in: list[_Word], words_out: list[_Word]) -> list[_Pair]:
    pairs = []
    for i, left in enumerate(words_in):
        for j, right in list(enumerate(words_in))[i:]:
            maps = [_word_maps(group, left.word, right.word, out.word) for out in words_out]
            targets = tuple((t, len(m), m.shape[1]) for t, m in enumerate(maps) if len(m))
            if targets:
                columns = [m.reshape(-1, m.shape[2]).T * np.sqrt(m.shape[1]) for m in maps if len(m)]
                copies = _meetings(left, right)
                pairs.append(_Pair(i, j, copies, targets, np.concatenate(columns, axis=1)))
    return pairs


def _meetings(left: _Word, right: _Word) -> NDArray:
    """Pairs of copies ``(2, K)``, counted round: each copy of the larger word meets two of the other word."""
    counts = len(left.rows), len(right.rows)
    larger = int(right.rows.shape[1] >= left.rows.shape[1])
    other = counts[1 - larger]
    k = np.arange(counts[larger])
    once = np.stack([k, k % other])
    met = once if other == 1 else np.concatenate([once, np.stack([k, (k + 1) % other])], axis=1)
    return met[::-1] if larger else met


def _word_maps(group: Group, left: Word, right: Word, out: Word) -> NDArray:
    """Basis ``(dim, w_out, w_left * w_right)`` of the products of two words into a third that are used."""
    a, b, c = word_size(left), word_size(right), word_size(out)
    scaled_and_moved = any(one == () and other != out for one, other in ((left, right), (right, left)))
    if scaled_and_moved or len(left) + len(right) + len(out) > DEGREE:
        return np.zeros((0, c, a * b))
    one, two, three = single(group, left), single(group, right), single(group, out)
    # Maps one x two -> three are maps two -> dual of one x three: the same numbers. The solver likes even sides.
    if b + a * c < a * b + c:
        maps = equivariant_maps(two, one.dual * three)
        return settled(np.moveaxis(maps.to_dense().T.reshape(maps.dim, a, c, b), 1, 2).reshape(maps.dim, c, a * b))
    maps = equivariant_maps(one * two, three)
    return settled(maps.to_dense().T.reshape(maps.dim, c, a * b))


def _columns(rep1: Representation, rep2: Representation) -> NDArray:
    """Column of the maps, where a product of sums lists whole blocks, for each pair: the larger factor runs first."""
    pairs = np.arange(rep1.size * rep2.size).reshape(rep1.size, rep2.size)
    cuts = [[slice(r.start + i * r.size, r.start + (i + 1) * r.size) for r in runs(rep) for i in range(r.count)]
            for rep in (rep1, rep2)]  # fmt: skip
    places = np.argsort(np.concatenate([pairs[rows, columns].ravel() for rows, columns in product(*cuts)]))
    return places if rep1.size <= rep2.size else places.reshape(pairs.shape).T.ravel()


def _check_size(rep1: Representation, rep2: Representation, rep_out: Representation, dtype: torch.dtype) -> None:
    # In training the weight, its arranged copy, and the gradients of both.
    needed = 4.0 * rep1.size * rep2.size * rep_out.size * dtype.itemsize
    room = available()
    if needed > room:
        raise InputError(
            explain(
                "The weight of all bilinear maps would not fit in memory.",
                given=f"{rep1} x {rep2} >> {rep_out}: {rep_out.size} x {rep1.size} x {rep2.size} entries, "
                f"about {needed / 2**30:.3g} GiB in training",
                expected=f"at most {room / 2**30:.3g} GiB, what is free here",
                fix="fewer channels, or ChannelProducts(rep_in, rep_out): products of single channels, mixed",
            )
        )
    # Factors of the isotypic components of all products, in float64.
    factors = 8.0 * (rep1.size * rep2.size) ** 2
    if rep_out.group.permutations is None and factors > _LARGE:
        warn(
            f"The products of {rep1} and {rep2} have {rep1.size * rep2.size} entries, and a basis of their maps about "
            f"{factors / 2**30:.2g} GiB: this layer takes long to make.",
            fix="ChannelProducts(rep_in, rep_out), products of single channels that are mixed, where there are many",
        )
