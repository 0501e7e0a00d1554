"""Write src/erlangen/data/planets.csv: heliocentric planetary states from JPL's DE421 ephemeris.

Needs two packages that the library itself does not use::

    pip install skyfield-data jplephem
    python scripts/make_planets.py

The rule of sampling is the same for all nine bodies: 100 samples a period from 1900-01-01 on, over eleven
periods where they end before 2050-01-01 (Mercury to Jupiter), else up to that date (Saturn to Pluto). The file
``src/erlangen/data/README.md`` describes the result.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from jplephem.spk import SPK
from numpy.typing import NDArray
from skyfield_data import get_skyfield_data_path

GAUSSIAN_CONSTANT = 0.01720209895  # rad/day: one unit of time is 1/k days, and mu of the Sun is 1
AU_KM = 149597870.6996262  # the unit that DE421 was integrated in, in which mu of the Sun is k^2
START, END = 2415020.5, 2469807.5  # Julian dates (TDB) of 1900-01-01 and 2050-01-01
SAMPLES_A_PERIOD, MOST_SAMPLES = 100, 1100
DIGITS = 11  # significant: 1.5 m at 1 AU, far below the errors of the ephemeris

# Sidereal periods in days; they only set the sampling step. The number is the body's code in the SPK file.
BODIES = {
    "mercury": (1, 87.969),
    "venus": (2, 224.701),
    "earth": (3, 365.256),
    "mars": (4, 686.980),
    "jupiter": (5, 4332.59),
    "saturn": (6, 10759.22),
    "uranus": (7, 30685.4),
    "neptune": (8, 60189.0),
    "pluto": (9, 90560.0),
}
SUN = 10


def sample_times(period: float) -> NDArray:
    """Return times since 1900-01-01 in units of 1/k days, on a grid of a step with six decimals.

    The rounded step keeps the times of the file exact, so that no rounding of times enters derivatives.
    """
    step = round(GAUSSIAN_CONSTANT * period / SAMPLES_A_PERIOD, 6)
    longest = GAUSSIAN_CONSTANT * (END - START)
    return step * np.arange(min(MOST_SAMPLES, 1 + int(longest / step)))


def heliocentric_states(kernel: SPK, code: int, times: NDArray) -> NDArray:
    """Return ``(n, 6)`` positions (AU) and velocities (AU per unit of time) relative to the Sun, ICRF axes."""
    days = START + times / GAUSSIAN_CONSTANT
    body = kernel[0, code].compute_and_differentiate(days)
    sun = kernel[0, SUN].compute_and_differentiate(days)
    position, velocity = (np.asarray(b) - np.asarray(s) for b, s in zip(body, sun, strict=True))
    return np.vstack([position / AU_KM, velocity / (AU_KM * GAUSSIAN_CONSTANT)]).T


def write_planets(target: Path) -> int:
    """Write the table and return its number of rows."""
    lines = ["body,t,x,y,z,vx,vy,vz"]
    with SPK.open(str(Path(get_skyfield_data_path()) / "de421.bsp")) as kernel:
        for body, (code, period) in BODIES.items():
            times = sample_times(period)
            for t, state in zip(times, heliocentric_states(kernel, code, times), strict=True):
                lines.append(",".join([body, f"{t:.6f}", *(f"{v:.{DIGITS}g}" for v in state)]))
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(lines) - 1


def main() -> None:
    """Write the file named on the command line, by default the one in the package."""
    default = Path(__file__).resolve().parents[1] / "src" / "erlangen" / "data" / "planets.csv"
    parser = argparse.ArgumentParser(description="Write planets.csv from DE421.")
    parser.add_argument("target", nargs="?", type=Path, default=default)
    target = parser.parse_args().target
    print(f"{target}: {write_planets(target)} rows, {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
