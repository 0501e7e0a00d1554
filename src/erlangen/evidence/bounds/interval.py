r"""Enclosures of a tape on many boxes at once: an interval, a first-order and a second-order Taylor form.

On a box ``x = c + h * e``, e in [-1, 1]^d, each step z of the tape is ``z = z0 + J e + r`` with ``|r| <= error``. The
output is then taken apart exactly. Write lambda for the derivatives of the output by each step at the centre (one
sweep backwards); every step of a curved function or product leaves a local remainder rho, and

.. math:: s(x) = s_0 + g \cdot e + \sum \lambda \rho,

whatever numbers stand for slopes and centres. Bounding rho at once gives the first-order form. Taking the quadratic
part of each rho, ``f''(z0) (J e)^2 / 2`` or ``J_a e J_b e``, into one Hessian H with its signs leaves a remainder of
third order. Signs cancel in g and H; only remainders are summed in size. All forms are intersected.

At a kink (relu) the slope is any number between 0 and 1 (the Clarke derivative), with no quadratic part, unless the
side is said on which the points lie.

Rounding: whatever the order of a sum, ``|fl(W z) - W z| <= (k + 4) eps |W||z|`` with k terms; errors of this size, and
those of each product, are added to the remainders, and sums of remainders are widened.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np

from erlangen._typing import NDArray
from erlangen.evidence.bounds.functions import EPS, SMOOTH, AbstractFunction
from erlangen.evidence.bounds.graph import Input, Linear, Product, Tape, Unary, parents
from erlangen.evidence.bounds.kinks import Kinks, empty, kink
from erlangen.evidence.bounds.known import NARROW, TINY, Known, Local, Quadratic, boxed, settled
from erlangen.evidence.bounds.quadratic import extremes


@final
@dataclass(frozen=True, eq=False)
class Enclosed:
    """Bounds of the output on B boxes.

    Attributes
    ----------
    low, high : ndarray (B,)
        The output lies between these on each box; infinite where nothing is known.
    centre : ndarray (B,)
        The middle of the Taylor forms; where the tape is smooth, the value at the centre.
    slope : ndarray (d, B)
        Derivatives at the centre times the half widths.
    hessian : ndarray (d, d, B)
        Second derivatives at the centre times the half widths.
    straight, bent : ndarray (B,)
        Bounds of what ``centre + slope . e``, and the same with ``e . hessian e / 2``, leave out.
    shares : ndarray (K, B)
        How much of that comes from each kink.
    empty : ndarray (B,)
        Whether nothing lies on the sides of kinks that were meant: the bounds are then of no point.
    """

    low: NDArray
    high: NDArray
    centre: NDArray
    slope: NDArray
    hessian: NDArray
    straight: NDArray
    bent: NDArray
    shares: NDArray
    empty: NDArray


@final
@dataclass(frozen=True, eq=False)
class Enclosure:
    """Bounds of some entries of a tape.

    Parameters
    ----------
    tape : Tape
        Pruned to what the outputs need.
    outputs : tuple of (int, int)
        Each a step and which of its entries.
    """

    tape: Tape
    outputs: tuple[tuple[int, int], ...]

    @cached_property
    def orders(self) -> dict[tuple[int, str, float], int]:
        """Highest derivative that each curved step needs at the centre."""
        found: dict[tuple[int, str, float], int] = {}
        for step in self.tape.steps:
            if isinstance(step, Unary) and step.name in SMOOTH:
                key = (step.parent, step.name, step.power)
                found[key] = max(found.get(key, 0), step.order + 3)
        return found

    @cached_property
    def unit(self) -> float:
        """Relative error of elementwise arithmetic on a step and of sums over its entries and uses."""
        uses = [0] * len(self.tape.steps)
        for step in self.tape.steps:
            for parent in parents(step):
                uses[parent] += 1
        return (16.0 + max(uses) + self.tape.dim + self.width) * EPS

    @cached_property
    def kinks(self) -> Kinks:
        """The entries with a kink."""
        return Kinks(self.tape)

    @property
    def width(self) -> int:
        """Most entries of any step."""
        return max(self.tape.widths)

    def bounds(self, low: NDArray, high: NDArray, sides: NDArray | None = None) -> list[Enclosed]:
        """Bound each output on boxes with corners ``low, high (d, B)``, on some sides of kinks ``(K, B)``."""
        with np.errstate(all="ignore"):
            known, local = self._forward(low, high, sides)
            none = np.zeros(low.shape[1], dtype=bool)
            if sides is not None:
                for number, place in self.kinks.places.items():
                    none |= empty(sides[place], known[number])
            return [self._backward(known, local, output, none) for output in self.outputs]

    # --- forwards: centres, derivatives and ranges

    def _forward(self, low: NDArray, high: NDArray, sides: NDArray | None) -> tuple[list[Known], dict[int, Local]]:
        known: list[Known] = []
        local: dict[int, Local] = {}
        jets: dict[tuple[int, str, float], list[NDArray]] = {}
        for number, step in enumerate(self.tape.steps):
            if isinstance(step, Input):
                known.append(boxed(low, high))
            elif isinstance(step, Linear):
                known.append(self._linear(step, known, low.shape))
            elif isinstance(step, Product):
                made, local[number] = self._product(known[step.left], known[step.right])
                known.append(made)
            elif step.name in SMOOTH:
                key = (step.parent, step.name, step.power)
                parent = known[step.parent]
                if key not in jets:
                    jets[key] = SMOOTH[step.name].jet(parent.form[0], self.orders[key], step.power)
                made, local[number] = self._smooth(SMOOTH[step.name], step, jets[key], parent)
                known.append(made)
            else:
                side = None if sides is None else sides[self.kinks.places[step.parent]]
                made, local[number] = kink(step, known[step.parent], self.unit, side)
                known.append(made)
        return known, local

    def _linear(self, step: Linear, known: Sequence[Known], shape: tuple[int, ...]) -> Known:
        d, count = shape
        n = len(step.bias)
        form, middle = None, np.repeat(step.bias[:, None], count, axis=1)
        error, spread = np.full((n, count), TINY), np.full((n, count), TINY)
        rounding = (len(step.terms) + 2) * EPS
        for parent, weight in step.terms:
            z = known[parent]
            mid = 0.5 * (z.low + z.high)
            half = np.maximum(z.high - mid, mid - z.low)
            if isinstance(weight, np.ndarray):
                size, lost = np.abs(weight), rounding + (weight.shape[1] + 4) * EPS
                part = weight @ z.form
                middle += weight @ mid
                error += size @ (z.error * (1 + lost) + lost * (np.abs(z.form[0]) + z.linear))
                spread += size @ (half * (1 + lost) + lost * np.abs(mid))
            else:
                size, lost = abs(weight), rounding
                part = weight * z.form
                middle += weight * mid
                error += size * (z.error * (1 + lost) + lost * (np.abs(z.form[0]) + z.linear))
                spread += size * (half * (1 + lost) + lost * np.abs(mid))
            form = part if form is None else form + part
        form = np.zeros((1 + d, n, count)) if form is None else form
        form[0] += step.bias[:, None]
        own = rounding * np.abs(step.bias)[:, None]
        spread = (spread + own) * (1 + rounding)
        quadratic = self._linear_quadratic(step, known, shape, own)
        return settled(form, (error + own) * (1 + rounding), middle - spread, middle + spread, quadratic)

    def _linear_quadratic(
        self, step: Linear, known: Sequence[Known], shape: tuple[int, ...], own: NDArray
    ) -> Quadratic | None:
        d, count = shape
        n = len(step.bias)
        if n > NARROW or any(known[parent].quadratic is None for parent, _ in step.terms):
            return None
        matrix, rest = np.zeros((d, d, n, count)), own + TINY
        for parent, weight in step.terms:
            z, part = known[parent], known[parent].quadratic
            lost = self.unit * (np.abs(z.form[0]) + z.linear + part.size)  # pyright: ignore[reportOptionalMemberAccess]
            left = (part.rest + lost) * (1 + self.unit)  # pyright: ignore[reportOptionalMemberAccess]
            if isinstance(weight, np.ndarray):
                matrix += weight @ part.matrix  # pyright: ignore[reportOptionalMemberAccess]
                rest = rest + np.abs(weight) @ left
            else:
                matrix += weight * part.matrix  # pyright: ignore[reportOptionalMemberAccess]
                rest = rest + abs(weight) * left
        return Quadratic(matrix, rest)

    def _product(self, a: Known, b: Known) -> tuple[Known, Local]:
        u = self.unit
        a0, b0 = a.form[0], b.form[0]
        form = a0 * b.form + b0 * a.form
        form[0] = a0 * b0
        both = a.reach * b.reach
        flat = np.abs(a0) * b.linear + np.abs(b0) * a.linear
        lost = u * (np.abs(form[0]) + flat + np.abs(a0) * b.reach + np.abs(b0) * a.reach) + TINY
        second = both * (1 + u) + lost
        third = np.minimum(a.linear * b.error + a.error * b.reach, a.reach * b.error + a.error * b.linear)
        error = (np.abs(a0) * b.error + np.abs(b0) * a.error) * (1 + u) + second
        ends = [a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high]
        low = np.minimum(np.minimum(ends[0], ends[1]), np.minimum(ends[2], ends[3]))
        high = np.maximum(np.maximum(ends[0], ends[1]), np.maximum(ends[2], ends[3]))
        third = third * (1 + u) + lost + u * a.linear * b.linear
        quadratic = None
        if a.quadratic is not None and b.quadratic is not None:
            bilinear = a.form[1:, None] * b.form[None, 1:]
            matrix = a0 * b.quadratic.matrix + b0 * a.quadratic.matrix + bilinear + bilinear.swapaxes(0, 1)
            left_a, left_b = a.quadratic.rest + u * a.quadratic.size, b.quadratic.rest + u * b.quadratic.size
            quadratic = Quadratic(matrix, (np.abs(a0) * left_b + np.abs(b0) * left_a) * (1 + u) + third)
        made = settled(form, error, low - EPS * np.abs(low) - TINY, high + EPS * np.abs(high) + TINY, quadratic)
        zero = np.zeros((1, 1))
        return made, Local(zero, zero, second, third)

    def _smooth(self, f: AbstractFunction, step: Unary, jet: list[NDArray], z: Known) -> tuple[Known, Local]:
        u, k, p = self.unit, step.order, step.power
        value, slope, curve = jet[k], jet[k + 1], jet[k + 2]
        sizes = [f.size(k + j, jet, z.low, z.high, z.reach, p) for j in (2, 3)]
        square = z.reach * z.reach
        lost = (
            u * (np.abs(value) + np.abs(slope) * (z.linear + z.reach) + np.abs(curve) * square)
            + f.error(k, value, p)
            + f.error(k + 1, slope, p) * z.reach
            + f.error(k + 2, curve, p) * square
            + TINY
        )
        second = 0.5 * sizes[0] * square * (1 + u) + lost
        third = 0.5 * np.abs(curve) * z.error * (z.reach + z.linear) + sizes[1] * square * z.reach / 6
        form = slope * z.form
        form[0] = value
        low, high = f.range(k, z.low, z.high, p)
        third = third * (1 + u) + lost + u * np.abs(curve) * z.linear * z.linear
        quadratic = None
        if z.quadratic is not None:
            matrix = slope * z.quadratic.matrix + curve * (z.form[1:, None] * z.form[None, 1:])
            left = z.quadratic.rest + u * z.quadratic.size
            quadratic = Quadratic(matrix, np.abs(slope) * left * (1 + u) + third)
        made = settled(form, np.abs(slope) * z.error * (1 + u) + second, low, high, quadratic)
        return made, Local(slope, curve, second, third)

    # --- backwards: what each remainder does to the output

    def _backward(
        self, known: list[Known], local: dict[int, Local], target: tuple[int, int], none: NDArray
    ) -> Enclosed:
        steps, u = self.tape.steps, self.unit
        output, entry = target
        d, count = known[0].low.shape
        pull: list[NDArray | None] = [None] * len(steps)
        bend: list[NDArray | None] = [None] * len(steps)
        seed = np.zeros((self.tape.widths[output], count))
        seed[entry] = 1.0
        pull[output] = seed
        hessian, shares = np.zeros((d, d, count)), np.zeros((self.kinks.count, count))
        second, third = np.full(count, TINY), np.full(count, TINY)
        for number in range(output, 0, -1):
            step, weight, bent = steps[number], pull[number], bend[number]
            if weight is None:
                continue
            if bent is not None:
                _add_square(hessian, bent, known[number].form[1:])
            if isinstance(step, Linear):
                lost = self._pull_linear(step, weight, pull, known)
                second, third = second + lost, third + lost
                continue
            near, size = local[number], np.abs(weight)
            second = second + np.einsum("nb,nb->b", size, near.second)
            third = third + np.einsum("nb,nb->b", size, near.third)
            if isinstance(step, Product):
                a, b = known[step.left], known[step.right]
                _add(pull, step.left, weight * b.form[0])
                _add(pull, step.right, weight * a.form[0])
                _add_product(hessian, weight, a.form[1:], b.form[1:])
            elif isinstance(step, Unary):
                _add(pull, step.parent, weight * near.slope)
                if step.name in SMOOTH:
                    _add(bend, step.parent, weight * near.curve)
                else:
                    shares[self.kinks.places[step.parent]] += size * near.third
        if bend[0] is not None:
            _add_square(hessian, bend[0], known[0].form[1:])  # pyright: ignore[reportArgumentType]
        remainders = (second, third, shares)
        return _gathered(known, pull[0], hessian, remainders, target, none, u)

    def _pull_linear(
        self, step: Linear, weight: NDArray, pull: list[NDArray | None], known: list[Known]
    ) -> NDArray | float:
        size = np.abs(weight)
        lost: NDArray | float = 0.0
        for parent, matrix in step.terms:
            reach = known[parent].reach
            if isinstance(matrix, np.ndarray):
                _add(pull, parent, matrix.T @ weight)
                largest = self.unit * float(np.abs(matrix).max())
                lost = lost + largest * size.sum(axis=0) * reach.sum(axis=0)
            else:
                _add(pull, parent, matrix * weight)
                lost = lost + self.unit * abs(matrix) * np.einsum("nb,nb->b", size, reach)
        return lost


def _gathered(
    known: list[Known],
    pull: NDArray | None,
    hessian: NDArray,
    remainders: tuple[NDArray, NDArray, NDArray],
    output: tuple[int, int],
    none: NDArray,
    u: float,
) -> Enclosed:
    """Bounds from the Taylor forms, intersected with the interval."""
    box, out = known[0], known[output[0]]
    second, third, shares = remainders
    slope = np.zeros(box.low.shape) if pull is None else pull * box.linear
    centre = out.form[0, output[1]]
    lean = np.abs(slope).sum(axis=0)
    wider, lost = 1 + 64 * u, u * (np.abs(centre) + lean)
    straight = second * wider + lost
    bent = third * wider + lost + 64 * u * np.abs(hessian).sum(axis=(0, 1))
    down, up = extremes(slope, hessian)
    low = np.fmax(np.fmax(centre - lean - straight, centre + down - bent), out.low[output[1]])
    high = np.fmin(np.fmin(centre + lean + straight, centre + up + bent), out.high[output[1]])
    low, high = np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)
    low, high = low - 4 * u * np.abs(low), high + 4 * u * np.abs(high)
    return Enclosed(low, high, centre, slope, hessian, straight, bent, shares, none)


def _add(store: list[NDArray | None], number: int, value: NDArray) -> None:
    found = store[number]
    store[number] = value if found is None else found + value


def _add_square(hessian: NDArray, weight: NDArray, form: NDArray) -> None:
    for i in range(len(form)):
        row = weight * form[i]
        for j in range(i, len(form)):
            part = np.einsum("nb,nb->b", row, form[j])
            hessian[i, j] += part
            if i != j:
                hessian[j, i] += part


def _add_product(hessian: NDArray, weight: NDArray, a: NDArray, b: NDArray) -> None:
    for i in range(len(a)):
        row = weight * a[i]
        for j in range(len(b)):
            part = np.einsum("nb,nb->b", row, b[j])
            hessian[i, j] += part
            hessian[j, i] += part
