"""Runs of systems with known conserved quantities."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd
from scipy.integrate import solve_ivp

from erlangen.data import planets_path
from erlangen.fields.libraries import Expressions, Polynomial
from erlangen.fields.trajectories import Trajectories

STATES = ("x", "y", "z", "vx", "vy", "vz")
PAIRS = {"positions": STATES[:3], "momenta": STATES[3:]}
KEPLER = Polynomial(degree=2) + Expressions("1/sqrt(x**2+y**2+z**2)")


@lru_cache
def planets() -> Trajectories:
    table = pd.read_csv(planets_path())
    return Trajectories.from_arrays(table[list(STATES)].to_numpy(), table["t"], names=STATES, groups=table["body"])


def kepler(
    runs: int, noise: float = 0.0, eccentricity=(0.1, 0.6), tilt: float = 1.0, n: int = 150, known=False
) -> Trajectories:
    """Exact orbits of mass parameter 1, sampled evenly in eccentric anomaly."""
    rng = np.random.default_rng(0)
    states, times, slopes = [], [], []
    for _ in range(runs):
        a, e = rng.uniform(0.6, 2), rng.uniform(*eccentricity)
        axis = np.array([0, 0, 1.0]) + tilt * rng.normal(size=3)
        axis /= np.linalg.norm(axis)
        u = np.cross(axis, rng.normal(size=3))
        u /= np.linalg.norm(u)
        w = np.cross(axis, u)
        anomaly = np.linspace(0, 5 * np.pi, n) + rng.uniform(0, 6)
        c, s, b = np.cos(anomaly), np.sin(anomaly), np.sqrt(1 - e * e)
        q = a * (np.outer(c - e, u) + np.outer(b * s, w))
        v = (np.outer(-s, u) + np.outer(b * c, w)) / (np.sqrt(a) * (1 - e * c))[:, None]
        states.append(np.hstack([q, v]) + noise * rng.normal(size=(n, 6)))
        times.append(a**1.5 * (anomaly - e * s))
        slopes.append(np.hstack([v, -q / np.linalg.norm(q, axis=1)[:, None] ** 3]))
    return Trajectories.from_arrays(states, times, STATES, derivatives=slopes if known else None)


def integrate(rhs, starts, span: float, n: int, names, known: bool = False) -> Trajectories:
    t = np.linspace(0, span, n)
    options = {"t_eval": t, "rtol": 1e-10, "atol": 1e-12, "method": "DOP853"}
    states = [solve_ivp(lambda _, x: rhs(x), (0, span), x0, **options).y.T for x0 in starts]
    slopes = [np.array([rhs(x) for x in run]) for run in states] if known else None
    return Trajectories.from_arrays(states, t, names, derivatives=slopes)


def henon_heiles(s):
    x, y, px, py = s
    return np.array([px, py, -x - 2 * x * y, -y - x * x + y * y])


def oscillator(s):
    return np.array([s[2], s[3], -s[0], -s[1]])


def pendulum(s):
    return np.array([s[1], -np.sin(s[0])])


def damped(rate: float):
    return lambda s: np.array([s[1], -s[0] - rate * s[1]])


def lorenz(s):
    return np.array([10 * (s[1] - s[0]), s[0] * (28 - s[2]) - s[1], s[0] * s[1] - 8 / 3 * s[2]])


def lotka_volterra(s):
    return np.array([s[0] * (1 - s[1]), s[1] * (s[0] - 1)])


def spring(s):
    return np.array([s[2], s[3], s[1] - s[0], s[0] - s[1]])


def magnetic(s):
    return np.array([s[2], s[3], s[3], -s[2]])


def infection(s):
    return np.array([-1.5 * s[0] * s[1], 1.5 * s[0] * s[1] - 0.5 * s[1], 0.5 * s[1]])


def exchange(s):
    return np.array([s[1] ** 2 - s[0], s[0] - s[1] ** 2])


def three_bodies(s):
    """Planar gravity of three unit masses: x1 y1 x2 y2 x3 y3 p1 q1 p2 q2 p3 q3."""
    x = s[:6].reshape(3, 2)
    apart = x[None] - x[:, None]
    cubes = np.sum(apart**2, axis=2) ** 1.5 + np.eye(3)
    return np.r_[s[6:], (apart / cubes[:, :, None]).sum(axis=1).ravel()]


def straight_lines(runs: int, noise: float = 0.0) -> Trajectories:
    rng = np.random.default_rng(0)
    t = np.linspace(0, 5, 40)
    states = [np.c_[x0 + t[:, None] * v, np.tile(v, (40, 1))] for x0, v in rng.normal(size=(runs, 2, 2))]
    return Trajectories.from_arrays([x + noise * rng.normal(size=x.shape) for x in states], t, ("x", "y", "px", "py"))


def thrown(seed: int, kind: str) -> Trajectories:
    rng = np.random.default_rng(seed)
    starts, t = rng.normal(size=(12, 4)), np.linspace(0, 5, 100)
    states = [np.c_[x + u * t, y + v * t - t**2 / 2, np.full(100, u), v - t] for x, y, u, v in starts]
    if kind == "jitter":
        states = [x + 1e-16 * rng.normal(size=x.shape) for x in states]
    if kind == "solver":
        states = [solve_ivp(lambda _, s: [s[2], s[3], 0, -1], (0, 5), x0, t_eval=t).y.T for x0 in starts]
    return Trajectories.from_arrays(states, t, ("x", "y", "px", "py"))
