"""Spirals in a reaction-diffusion medium, on a periodic grid."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp

from erlangen._typing import NDArray
from erlangen.systems._integrate import checked_times

__all__ = ["Spiral", "reaction_diffusion"]

RELATIVE, ABSOLUTE = 1e-6, 1e-8
"""Errors of a step, of fields whose size is one."""


class Spiral(NamedTuple):
    """Snapshots of two fields on a grid.

    Attributes
    ----------
    times : ndarray (n,)
        The times.
    x : ndarray (k,)
        Positions along each axis.
    u : ndarray (n, k, k)
        First field; rows are the second axis.
    v : ndarray (n, k, k)
        Second field.
    """

    times: NDArray
    x: NDArray
    u: NDArray
    v: NDArray


def reaction_diffusion(
    t: ArrayLike | None = None,
    points: int = 32,
    *,
    length: float = 20.0,
    diffusion: float = 0.1,
    beta: float = 1.0,
    noise: float = 0.0,
    rng: int | np.random.Generator = 0,
) -> Spiral:
    """A rotating spiral of the lambda-omega system, by Fourier's method in space.

    ``u' = (1 - a) u + beta a v + diffusion lap u`` and ``v' = (1 - a) v - beta a u + diffusion lap v``, where
    ``a = u**2 + v**2``, on a square with periodic sides, from a spiral of one arm that fades far from the centre. The
    published data have 100 points a side and times 0, 0.05, ..., 500, of which the first two are dropped, and noise of
    1e-6. The reaction commutes with rotations of (u, v); all of it with the shifts and the symmetries of the square.

    Parameters
    ----------
    t : array (n,), optional
        Times; by default 0, 0.5, ..., 10.
    points : int
        Points k a side.
    length : float
        Side of the square, centred at the origin.
    diffusion, beta : float
        Parameters of the equations.
    noise : float
        Standard deviation of Gaussian noise.
    rng : int or Generator
        Randomness of the noise.

    Returns
    -------
    Spiral
        Both fields at each time, and the grid.

    References
    ----------
    .. [1] K. Champion, B. Lusch, J. N. Kutz, S. L. Brunton, "Data-driven discovery of coordinates and governing
       equations", PNAS 116 (2019), supplement.

    Examples
    --------
    >>> reaction_diffusion([0.0, 0.5, 1.0], points=16).u.shape
    (3, 16, 16)
    """
    times = checked_times(np.linspace(0.0, 10.0, 21) if t is None else t)
    x = length * (np.arange(points) / points - 0.5)
    # Both fields as one complex field w = u + i v: w' = (1 - a - i beta a) w + diffusion lap w.
    start = np.fft.fft2(_spiral(x))
    wave = 2 * np.pi * np.fft.fftfreq(points, length / points)
    decay = -diffusion * (wave[:, None] ** 2 + wave[None, :] ** 2)

    def change(time: float, z: NDArray) -> NDArray:
        w = np.fft.ifft2(z.reshape(points, points))
        a = np.abs(w) ** 2
        return (np.fft.fft2((1 - a - 1j * beta * a) * w) + decay * z.reshape(points, points)).ravel()

    run = solve_ivp(
        change, (times[0], times[-1]), start.ravel(), t_eval=times,
        method="RK45", rtol=RELATIVE, atol=ABSOLUTE * points**2,
    )  # fmt: skip
    w = np.fft.ifft2(run.y.T.reshape(-1, points, points))
    u, v = w.real, w.imag
    if noise:
        rng = np.random.default_rng(rng)
        u, v = u + noise * rng.standard_normal(u.shape), v + noise * rng.standard_normal(v.shape)
    return Spiral(times, x, u, v)


def _spiral(x: NDArray) -> NDArray:
    """A spiral of one arm, fading, as a complex field."""
    first, second = np.meshgrid(x, x)
    r, angle = np.hypot(first, second), np.arctan2(second, first)
    u, v = np.tanh(r) * np.cos(angle - r), np.tanh(r) * np.sin(angle - r)
    return np.exp(-0.01 * r**2) * (u + 1j * v)
