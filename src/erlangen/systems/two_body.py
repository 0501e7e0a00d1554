"""Two bodies of unit mass on nearly circular orbits about their common centre (G = 1).

A standard benchmark of symmetry discovery from flow maps: the orbits start in one half plane, so that
an invariant distribution is no help, and the eight columns span only four dimensions (``q1 + q2 = 0``,
``p1 + p2 = 0``), nearly all of them on the two-dimensional surface of circular orbits.
"""

from __future__ import annotations

import numpy as np
from scipy.integrate import solve_ivp

from erlangen._typing import NDArray

TWO_BODY_COLUMNS = ("q1x", "q1y", "p1x", "p1y", "q2x", "q2y", "p2x", "p2y")
"""Order of the columns."""

TIME_STEP = 20.0 / 49.0
"""Time between rows: 50 rows over 20 units."""


def two_body_orbits(
    n_orbits: int = 814,
    steps: int = 20,
    rng: int | np.random.Generator = 0,
    *,
    half: str = "lower",
    radius: tuple[float, float] = (1.5, 3.0),
    velocity_noise: float = 7e-4,
) -> NDArray:
    """Integrate counter-clockwise orbits that start in one half plane.

    Parameters
    ----------
    n_orbits, steps : int
        Number of orbits and of rows per orbit, ``20 / 49`` time units apart.
    rng : int or Generator
        Randomness.
    half : {"lower", "upper"}
        Where body 1 starts.
    radius : tuple of float
        Range of its initial distance from the centre.
    velocity_noise : float
        Standard deviation of the initial speed relative to the circular one.

    Returns
    -------
    ndarray (n_orbits, steps, 8)
        States in the order of :data:`TWO_BODY_COLUMNS`.

    References
    ----------
    Greydanus, Dzamba, Yosinski, "Hamiltonian Neural Networks", NeurIPS 2019, section 4 (two-body problem).

    Examples
    --------
    >>> two_body_orbits(3, steps=5).shape
    (3, 5, 8)
    """
    rng = np.random.default_rng(rng)
    r = rng.uniform(*radius, n_orbits)
    angle = rng.uniform(0.0, np.pi, n_orbits) - (np.pi if half == "lower" else 0.0)
    # Each body feels 1 / (2 r)^2, so r omega^2 = 1 / (4 r^2).
    speed = (1.0 + velocity_noise * rng.standard_normal(n_orbits)) / (2.0 * np.sqrt(r))
    radial = np.stack([np.cos(angle), np.sin(angle)])
    start = np.concatenate([r * radial, speed * np.stack([-radial[1], radial[0]])])
    times = TIME_STEP * np.arange(steps)
    flow = solve_ivp(_relative_motion, (0.0, times[-1]), start.ravel(), t_eval=times, rtol=1e-9, atol=1e-9)
    body = flow.y.reshape(4, n_orbits, steps).transpose(1, 2, 0)
    return np.concatenate([body, -body], axis=2)


def _relative_motion(_: float, state: NDArray) -> NDArray:
    q, p = state.reshape(2, 2, -1)
    return np.concatenate([p, -q / (4.0 * np.hypot(q[0], q[1]) ** 3)]).ravel()


def one_step_pairs(orbits: NDArray, per_orbit: int | None = None) -> tuple[NDArray, NDArray]:
    """States and their successors, each ``(n, d)``, from the first ``per_orbit`` steps of each orbit.

    Parameters
    ----------
    orbits : ndarray (r, T, d)
        r orbits at T equally spaced times.
    per_orbit : int, optional
        Steps taken of each orbit; all by default.

    Returns
    -------
    tuple of two ndarray (n, d)
        States, and their successors.
    """
    last = orbits.shape[1] - 1 if per_orbit is None else per_orbit
    d = orbits.shape[2]
    return orbits[:, :last].reshape(-1, d), orbits[:, 1 : last + 1].reshape(-1, d)
