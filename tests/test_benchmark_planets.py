"""The exponent of a law of motion is measured, not assumed."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks._dynamics_planets import STATES, mass_at_three, power_law
from erlangen.fields.trajectories import Trajectories


def circles(mu: float, k: float) -> Trajectories:
    """Circular orbits of several radii under a = -mu x / r^k: their angular speed is sqrt(mu / r^k)."""
    states, times = [], []
    for r in (0.5, 0.8, 1.3):
        rate = np.sqrt(mu / r**k)
        t = np.linspace(0, 2 * np.pi / rate, 150)
        c, s, still = r * np.cos(rate * t), r * np.sin(rate * t), 0 * t
        states.append(np.column_stack([c, s, still, -rate * s, rate * c, still]))
        times.append(t)
    return Trajectories.from_arrays(states, times, names=STATES)


@pytest.mark.parametrize(("mu", "k"), [(1.0, 3.0), (0.7, 2.4), (2.0, 4.5)])
def test_power_laws_are_recovered(mu, k):
    assert power_law(circles(mu, k)) == pytest.approx((mu, k), rel=1e-6)


def test_mass_at_the_exponent_three():
    assert mass_at_three(circles(0.3, 3.0)) == pytest.approx(0.3, rel=1e-6)
