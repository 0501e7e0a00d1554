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
