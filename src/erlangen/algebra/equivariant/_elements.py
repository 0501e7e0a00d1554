"""Random elements of the associative algebra that the matrices of a group span."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import reduce

import numpy as np
import scipy.linalg

from erlangen._typing import NDArray
from erlangen.algebra.equivariant._sides import Factor, Side, factors_of

HALF = float(np.finfo(np.float64).eps ** 0.5)
"""Half of the digits: what separates an equality up to rounding from a chance agreement."""

_WORDS = 3  # random group elements in each of the combinations that are multiplied
_LONGEST = 12
_TURN = 5.0  # angle of a random rotation, where generators have norm 1
_DEGREE = 4


class Draw:
    """One random element of the associative algebra, as a matrix on each side.

    It is a sum of products of up to four combinations. Products of two would not do: quadratic elements
    of so(3) confuse spins. High ones alone would not do either: what a boost stretches by 1e6 would
    hide all that it does not.
    """

    def __init__(self, sides: tuple[Side, ...], rng: np.random.Generator, combination: type[AbstractCombination]):
        factors = list(factors_of(sides))
        elements, powers = [np.zeros((s.size, s.size)) for s in sides], [np.eye(s.size) for s in sides]
        for _ in range(_DEGREE):
            drawn, weight = combination(factors, rng), rng.standard_normal()
            powers = [drawn.apply(side, p) for side, p in zip(sides, powers)]
            # One scale on all sides: eigenvalues are compared between them.
            scale = max((float(np.linalg.norm(p)) / len(p) ** 0.5 for p in powers if p.size), default=1.0)
            powers = [p / scale for p in powers]
            elements = [e + weight * p for e, p in zip(elements, powers)]
        self.elements = elements


class AbstractCombination(ABC):
    """A random combination of 1, what stands for the Lie algebra, the discrete generators and words in them."""

    def __init__(self, factors: list[Factor], rng: np.random.Generator) -> None:
        self.shift, self.images = rng.standard_normal(), self.lie(factors, rng)
        m = len(factors[0].discrete) if factors else 0
        # Words of orthogonal elements may be long; others would outgrow everything else.
        bounded = all(np.abs(f.discrete).max(initial=0.0) <= 1 + HALF for f in factors)
        words = [[k] for k in range(m)]  # each generator: words alone may miss one
        words += [rng.integers(0, m, rng.integers(2, _LONGEST)) for _ in range(_WORDS if m and bounded else 0)]
        self.weights = rng.standard_normal(len(words))
        self.elements = [{id(f): reduce(np.matmul, f.discrete[word]) for f in factors} for word in words]

    @abstractmethod
    def lie(self, factors: list[Factor], rng: np.random.Generator) -> dict[int, NDArray]:
        """Image ``(s, s)`` on each factor; empty where there is no Lie algebra."""

    @abstractmethod
    def move(self, side: Side, x: NDArray) -> NDArray:
        """Apply what stands for the Lie algebra."""

    def apply(self, side: Side, x: NDArray) -> NDArray:
        out = self.shift * x
        if self.images:
            out += self.move(side, x)
        for weight, element in zip(self.weights, self.elements):
            out += weight * side.kronecker(lambda f, g=element: g[id(f)], x)
        return out


class Generators(AbstractCombination):
    """The Lie algebra by a random generator: cheap, and enough where no irreducible outweighs the others."""

    def lie(self, factors: list[Factor], rng: np.random.Generator) -> dict[int, NDArray]:
        return _random_generator(factors, rng)

    def move(self, side: Side, x: NDArray) -> NDArray:
        return side.leibniz(lambda f: self.images[id(f)], x)


class Exponentials(AbstractCombination):
    """The Lie algebra by a random group element: for a compact group bounded, whatever the spin."""

    def lie(self, factors: list[Factor], rng: np.random.Generator) -> dict[int, NDArray]:
        images = _random_generator(factors, rng)
        stretch = max((float(np.abs(x + x.T).max()) for x in images.values()), default=0.0)
        angle = _TURN if stretch <= HALF else 1.0 / (1.0 + stretch)
        return {key: scipy.linalg.expm(angle * x) for key, x in images.items()}

    def move(self, side: Side, x: NDArray) -> NDArray:
        return side.kronecker(lambda f: self.images[id(f)], x)


def _random_generator(factors: list[Factor], rng: np.random.Generator) -> dict[int, NDArray]:
    """Images of a random combination of the generators, each in units of its own."""
    if not factors or not len(factors[0].lie):
        return {}
    sizes = np.sqrt(sum((np.sum(f.lie**2, axis=(1, 2)) for f in factors), np.zeros(len(factors[0].lie))))
    xi = rng.standard_normal(len(sizes)) / np.where(sizes > 0, sizes, 1.0)
    return {id(f): np.tensordot(xi, f.lie, 1) for f in factors}
