"""Inputs that fool a small singular value, with what must be said instead.

Each row has the naive answer beside it: the null space of the plain matrix of L_xi f in the given
units, cut at 1e-2 of its largest singular value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

import erlangen as er
from erlangen import actions as act
from erlangen.actions import AbstractAction
from erlangen.derivative import LieDerivative
from erlangen.fields import PolynomialField


@dataclass(frozen=True)
class Trap:
    """A problem without (or with less) symmetry than it seems."""

    build: Callable[[], tuple[Any, AbstractAction, er.Samples]]
    dim: int
    word: str
    listed: str


def box(d: int, **more: Any) -> er.Samples:
    """Points of the cube [-1, 1]^d."""
    return er.Samples.box(-1, 1, dim=d, **more).pointwise()


def jump(x):
    """x^2 + y^2 + sign(z): the derivative along z vanishes almost everywhere."""
    return (x[:, 0] ** 2 + x[:, 1] ** 2 + np.sign(x[:, 2]))[:, None]


def jump_gradient(x):
    """Derivative of `jump` where it exists; the scaling z d/dz keeps sign(z) and remains."""
    return np.stack([2 * x[:, 0], 2 * x[:, 1], 0 * x[:, 2]], axis=1)[:, None, :]


def kinked(x):
    """The gradient of |z| added to a rotation-symmetric field."""
    return np.stack([-x[:, 1], x[:, 0], np.sign(x[:, 2])], axis=1)


def kinked_gradient(x):
    """Derivative of `kinked` where it exists."""
    out = np.zeros((len(x), 3, 3))
    out[:, 0, 1], out[:, 1, 0] = -1.0, 1.0
    return out


def tiny_component(x):
    """A field whose third component, 1e-4 of the others, depends on the angle."""
    radial = 1 - x[:, 0] ** 2 - x[:, 1] ** 2
    return np.stack([x[:, 0] * radial, x[:, 1] * radial, 1e-4 * x[:, 0]], axis=1)


def plane():
    """x^2 + y^2 + z^2 on the plane z = 0."""
    x = box(3, n=1000).points.copy()
    x[:, 2] = 0.0
    return lambda x: (x**2).sum(axis=1), act.affine(3), er.Samples.from_data(x)


def line():
    """x1 + x2^2 sampled on x2 = 0: the slope along x2 vanishes there, and only there."""
    x = np.zeros((1000, 2))
    x[:, 0] = np.linspace(-1, 1, 1000)
    return lambda x: x[:, 0] + x[:, 1] ** 2, act.translation(2), er.Samples.from_data(x)


def sphere_only():
    """(x + 2 y) / |x| on the unit sphere: dilations leave it, rotations about (1, 2, 0) do not."""
    x = er.Samples.sphere(dim=3, n=2000).points
    return lambda x: (x[:, 0] + 2 * x[:, 1]) / np.sqrt((x**2).sum(axis=1)), act.gl(3), er.Samples.from_data(x)


def rescaled_generator():
    """A generator written 1e-3 times too small among four scalings."""
    return (
        lambda x: x[:, 0] + 2 * x[:, 1] ** 3 + x[:, 2],
        act.scaling(3, np.diag([1.0, 1e-3, 1.0])),
        box(3),
    )


def small_unit():
    """One coordinate in units 1,000 times smaller: its slopes are 1,000 times smaller."""
    samples = er.Samples.box([-1, -1000], [1, 1000]).pointwise()
    return lambda x: x[:, 0] ** 2 + np.sin(x[:, 1] / 1000), act.translation(2), samples


def flow_map(dt: float):
    """The map of x' = y, y' = -x + (1 - x^2) y over a short time: no affine symmetry."""

    def step(x):
        n = len(x)

        def rhs(_, s):
            a, b = s[:n], s[n:]
            return np.concatenate([b, -a + (1 - a**2) * b])

        out = solve_ivp(rhs, (0, dt), np.concatenate([x[:, 0], x[:, 1]]), rtol=1e-11, atol=1e-13).y[:, -1]
        return np.stack([out[:n], out[n:]], axis=1)

    return step


TRAPS: dict[str, Trap] = {
    "sign(z) in a function": Trap(
        lambda: (er.as_field(jump, jacobian=jump_gradient, dim=3), act.affine(3), box(3)), 2, "jump", "refused"
    ),
    "sign(z) in a vector field": Trap(
        lambda: (
            er.as_field(kinked, kind="vector", jacobian=kinked_gradient, dim=3),
            act.translation(3) + act.rotation(3),
            box(3),
        ),
        1,
        "jump",
        "refused",
    ),
    "one component 1e-4 of the others": Trap(
        lambda: (er.as_field(tiny_component, kind="vector", dim=3), act.rotation(3), box(3)),
        0,
        "component 3",
        "refused",
    ),
    "data on a plane": Trap(plane, 1, "span", "uncovered"),
    "x1 + x2^2 on x2 = 0": Trap(line, 0, "span", "uncovered"),
    "data on a sphere": Trap(sphere_only, 1, "local tangent", "uncovered"),
    "a rescaled generator": Trap(rescaled_generator, 0, "above delta", ""),
    "one unit 1,000 times smaller": Trap(small_unit, 0, "above delta", ""),
    "a near-identity flow map": Trap(
        lambda: (er.as_field(flow_map(0.01), kind="map", dim=2), act.affine(2), box(2, n=500)), 0, "above delta", ""
    ),
    "a constant field": Trap(
        lambda: (PolynomialField(np.zeros((1, 2), dtype=int), np.array([[3.0]])), act.affine(2), box(2)),
        0,
        "does not vary",
        "",
    ),
}


def naive_dimension(field: Any, action: AbstractAction, samples: er.Samples, cut: float = 1e-2) -> int:
    """Null directions of the plain matrix of L_xi f: no scales, no denominator, no lists, no flow.

    For maps the plain matrix has rows D Phi . xi - xi(Phi).
    """
    rows = LieDerivative(er.as_field(field, dim=action.point_dim), action, samples).in_xi()
    s = np.linalg.svd(rows, compute_uv=False)
    largest = max(s[0], 1.0) if er.as_field(field, dim=action.point_dim).kind == "map" else s[0]
    return int(np.sum(s <= cut * largest)) + max(0, action.n_generators - len(s))


def run(full: bool) -> list[dict]:
    """Table of the naive answer against ours, one row per trap."""
    rows = []
    for name, trap in TRAPS.items():
        problem = trap.build()
        ours = er.discover(*problem)
        rows.append(
            {
                "case": name,
                "metric": "dimension (rival: plain null space)",
                "value": ours.dim,
                "rival": naive_dimension(*problem),
                "ratio": None,
                "asked": trap.dim,
                "met": ours.dim == trap.dim and trap.word in str(ours),
                "reason": ours.verdict,
            }
        )
    return rows
