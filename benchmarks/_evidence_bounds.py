"""Networks on a box: how close the proven bounds are, how long that takes, and whether anything exceeds them.

Weights are normal with variance 1 / inputs (torch's own initialisation has a third of that, and is easier), biases
normal with standard deviation 0.1; the generator is the rotation of the first two inputs, the box [-1, 1]^d. Each
row is the worst of several seeds, conversion of the module included. PyTorch is imported before time is taken.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import erlangen as er
from benchmarks._row import row
from erlangen.evidence.bounds.objective import objective

TARGETS = [((2, 16, 16, 1), 1.05, 1.0), ((2, 64, 64, 1), 1.05, 1.0), ((3, 32, 32, 1), 1.05, 1.0)]
TARGETS += [((4, 32, 32, 1), 1.15, 5.0)]
BEYOND = [((4, 32, 32, 1), 1.05), ((5, 32, 32, 1), 1.15), ((6, 32, 32, 1), 1.15), ((3, 128, 128, 1), 1.05)]
INVARIANT = 1e-2
PAIRS = 1_000_000
CASES = 100
LONGEST = 30.0


def rows(full: bool) -> list[dict[str, Any]]:
    """Must-show 5."""
    er.evidence.bound(network((2, 4, 1), "Tanh", 0), quarter(2), [(-1, 1)] * 2)  # imports
    seeds = 20 if full else 5
    out = []
    for activation in ("Tanh", "ReLU"):
        for sizes, ratio, seconds in TARGETS:
            out += _tight(sizes, activation, seeds, ratio, seconds)
        if full:
            for sizes, ratio in BEYOND:
                out += _tight(sizes, activation, 5, ratio, None)
    return [*out, *_invariant(seeds), *_violations(), *_agreement(), *_finite()]


def quarter(d: int) -> NDArray:
    """The rotation of the first two coordinates."""
    matrix = np.zeros((d, d))
    matrix[0, 1], matrix[1, 0] = -1.0, 1.0
    return matrix


def network(sizes: tuple[int, ...], activation: str, seed: int) -> Any:
    """A random perceptron."""
    import torch

    own = torch.Generator().manual_seed(seed)
    layers: list[torch.nn.Module] = []
    for n, m in zip(sizes, sizes[1:], strict=False):
        layer = torch.nn.Linear(n, m)
        torch.nn.init.normal_(layer.weight, std=n**-0.5, generator=own)
        torch.nn.init.normal_(layer.bias, std=0.1, generator=own)
        layers += [layer, getattr(torch.nn, activation)()]
    return torch.nn.Sequential(*layers[:-1])


def _case(sizes: tuple[int, ...], activation: str) -> str:
    return f"{activation.lower()} {'-'.join(map(str, sizes))}"


def _tight(
    sizes: tuple[int, ...], activation: str, seeds: int, ratio: float, seconds: float | None
) -> list[dict[str, Any]]:
    d, case = sizes[0], f"{_case(sizes, activation)}, worst of {seeds}"
    found = [
        er.evidence.bound(network(sizes, activation, seed), quarter(d), [(-1, 1)] * d, ratio=ratio, seconds=LONGEST)
        for seed in range(seeds)
    ]
    worst = max(c.ratio for c in found)
    wall, cpu = max(c.seconds for c in found), max(c.cpu for c in found)
    if seconds is None:
        return [row(case, "upper / lower", worst, None, None), row(case, "s", wall, None, None)]
    return [
        row(case, "upper / lower", worst, None, f"<= {ratio}", worst <= ratio),
        row(case, "s", wall, None, f"<= {seconds:g} s", wall <= seconds),
        row(case, "CPU s", cpu, None, None),
        row(case, "boxes", max(c.boxes for c in found), None, None),
    ]


def _invariant(seeds: int) -> list[dict[str, Any]]:
    """g(|x|^2) in two and three dimensions, under all rotations at once."""
    import torch

    class Radial(torch.nn.Module):
        def __init__(self, net: torch.nn.Module) -> None:
            super().__init__()
            self.net = net

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.net((x**2).sum(-1, keepdim=True))

    out = []
    for activation in ("Tanh", "ReLU"):
        for d in (2, 3):
            nets = [Radial(network((1, 32, 32, 1), activation, seed)) for seed in range(seeds)]
            box = [(-1, 1)] * d
            found = [
                er.evidence.bound(net, er.actions.rotation(d), box, below=INVARIANT, seconds=LONGEST) for net in nets
            ]
            case = f"{activation.lower()} g(|x|^2), {d} inputs, all rotations, worst of {seeds}"
            upper, wall = max(c.upper for c in found), max(c.seconds for c in found)
            out += [
                row(case, "upper", upper, None, f"<= {INVARIANT:g}", upper <= INVARIANT),
                row(case, "s", wall, None, "<= 5 s", wall <= 5.0),
                row(case, "CPU s", max(c.cpu for c in found), None, None),
            ]
    return out


def _violations() -> list[dict[str, Any]]:
    """Sampled points in sampled boxes, of half widths from 1e-6 to 1; derivatives by torch."""
    import torch

    rng, bad, done = np.random.default_rng(0), 0, 0
    kinds = [(sizes, activation) for sizes, *_ in TARGETS for activation in ("Tanh", "ReLU")]
    points, boxes = 500, PAIRS // (500 * len(kinds))
    for sizes, activation in kinds:
        d = sizes[0]
        net = network(sizes, activation, 0).double()
        goal = objective(net, quarter(d), d, "invariant", None)
        half = 10 ** rng.uniform(-6, 0, boxes)
        centre = rng.uniform(-1, 1, (d, boxes))
        low, high = centre - half, centre + half
        bounds = goal.enclosure.bounds(low, high)[0]  # pyright: ignore[reportOptionalMemberAccess]
        x = np.clip(low + (high - low) * rng.uniform(size=(points, d, boxes)), low, high).transpose(0, 2, 1)
        flat = torch.from_numpy(x.reshape(-1, d))
        s = torch.func.jvp(net, (flat,), (flat @ torch.from_numpy(quarter(d).T),))[1].detach().numpy()
        s = s.reshape(points, boxes)
        rounding = 1e-13 * (1 + np.abs(s))  # of the samples
        bad += int(((s > bounds.high + rounding) | (s < bounds.low - rounding)).sum())
        done += s.size
    return [row(f"{done} points in {boxes * len(kinds)} boxes", "outside", bad, None, "= 0", bad == 0)]


def _agreement() -> list[dict[str, Any]]:
    """Small networks and boxes: inside the plain interval arithmetic of mpmath, around its values of 60 digits."""
    from mpmath import iv, mp

    rng, good = np.random.default_rng(0), 0
    for case in range(CASES):
        d = int(rng.integers(1, 4))
        net = network((d, 3, 3, 1), "Tanh", case).double()
        matrix = rng.normal(size=(d, d))
        goal = objective(net, matrix, d, "invariant", None)
        half = 0.0 if case % 4 == 0 else 10 ** rng.uniform(-8, 0)
        low = rng.uniform(-1, 1, d) - half
        high = low + 2 * half
        ours = goal.enclosure.bounds(low[:, None], high[:, None])[0]  # pyright: ignore[reportOptionalMemberAccess]
        theirs = _exactly(net, matrix, [iv.mpf([a, b]) for a, b in zip(low, high, strict=True)], iv)
        slack = 1e-12 * (1 + float(theirs.delta))
        inside = float(theirs.a) - slack <= ours.low[0] <= ours.high[0] <= float(theirs.b) + slack
        with mp.workdps(60):
            true = [_exactly(net, matrix, [mp.mpf(float(a)) for a in x], mp) for x in (low, high)]
            good += inside and all(float(ours.low[0]) <= value <= float(ours.high[0]) for value in true)
    return [row("small networks against mpmath", "agreeing", good, CASES, f"= {CASES}", good == CASES)]


def _exactly(net: Any, matrix: NDArray, x: list[Any], context: Any) -> Any:
    """Df(x) A x in the arithmetic of a context of mpmath."""
    z, v = x, [sum((float(a) * b for a, b in zip(line, x, strict=True)), context.mpf(0)) for line in matrix]
    layers = [layer for layer in net if hasattr(layer, "weight")]
    for level, layer in enumerate(layers):
        weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
        z = [
            sum((float(a) * b for a, b in zip(line, z, strict=True)), context.mpf(float(shift)))
            for line, shift in zip(weight, bias, strict=True)
        ]
        v = [sum((float(a) * b for a, b in zip(line, v, strict=True)), context.mpf(0)) for line in weight]
        if level < len(layers) - 1:
            z = [1 - 2 / (context.exp(2 * a) + 1) for a in z]
            v = [(1 - a * a) * b for a, b in zip(z, v, strict=True)]
    return v[0]


def _finite() -> list[dict[str, Any]]:
    """The largest finite defect that 50,000 random points and angles reach, beside its proven bound."""
    net, angle = network((2, 16, 16, 1), "Tanh", 0), 0.5
    said = er.evidence.bound(net, quarter(2), [(-1, 1)] * 2, angle=angle).finite(angle)
    rng = np.random.default_rng(0)
    x, t = rng.uniform(-1, 1, (50_000, 2)), rng.uniform(-angle, angle, 50_000)
    moved = np.stack([np.cos(t) * x[:, 0] - np.sin(t) * x[:, 1], np.sin(t) * x[:, 0] + np.cos(t) * x[:, 1]], axis=1)
    field = er.fields.as_field(net.double(), "invariant", dim=2)
    reached = float(np.abs(field.value(moved) - field.value(x)).max())
    case, ratio = f"finite rotations up to {angle:g}", reached / said.bound
    return [row(case, "reached / bound", ratio, None, "<= 1", ratio <= 1)]
