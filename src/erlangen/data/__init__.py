"""Data that come with the library; ``README.md`` beside this file says where they are from."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

__all__ = ["planets_path"]


def planets_path() -> Path:
    """Return the path of the table of planetary states, to be read as a user's own file is.

    Columns body, t, x, y, z, vx, vy, vz: heliocentric states of eight planetary barycentres and Pluto's, in
    astronomical units and years/2pi, so that the mass parameter of the Sun is 1.

    Examples
    --------
    >>> from erlangen.data import planets_path
    >>> planets_path().name
    'planets.csv'
    """
    return Path(str(files(__name__) / "planets.csv"))
