"""Small tables with known symmetries."""

from __future__ import annotations

import numpy as np
import pandas as pd


def ball(n: int = 120) -> pd.DataFrame:
    """Table of x^2 + y^2 + z^2: three rotations."""
    x = np.random.default_rng(0).uniform(-1, 1, (n, 3))
    return pd.DataFrame({"x": x[:, 0], "y": x[:, 1], "z": x[:, 2], "energy": (x**2).sum(axis=1)})


def turns() -> pd.DataFrame:
    """Trajectories of x' = -y, y' = x: what commutes with a quarter turn."""
    t = np.linspace(0, 6, 40)
    runs = [
        pd.DataFrame({"run": k, "t": t, "x": (1 + k) * np.cos(t + k), "y": (1 + k) * np.sin(t + k)}) for k in range(5)
    ]
    return pd.concat(runs, ignore_index=True)


def sphere(n: int = 250) -> pd.DataFrame:
    u = np.random.default_rng(1).normal(size=(n, 3))
    return pd.DataFrame(u / np.linalg.norm(u, axis=1, keepdims=True), columns=["x", "y", "z"])


ROTATIONS = np.zeros((3, 3, 3))
for _k, (_i, _j) in enumerate([(0, 1), (0, 2), (1, 2)]):
    ROTATIONS[_k, _j, _i], ROTATIONS[_k, _i, _j] = 1.0, -1.0
