"""Rows of known systems: three coordinates, mostly chaotic, with finite symmetries at most."""

from __future__ import annotations

from erlangen.systems._system import Start, System

ROWS = (
    System(
        "lorenz",
        ("x", "y", "z"),
        ("sigma*(y - x)", "x*(rho - z) - y", "x*y - beta*z"),
        {"sigma": 10.0, "rho": 28.0, "beta": 8 / 3},
        Start({"x": (-10.0, 10.0), "y": (-10.0, 10.0), "z": (15.0, 35.0)}),
        span=10.0,
        discrete=(("-x", "-y", "z"),),
        citation="Lorenz, Journal of the Atmospheric Sciences 20 (1963) 130",
        description="Convection in three modes: the butterfly.",
    ),
    System(
        "rossler",
        ("x", "y", "z"),
        ("-y - z", "x + a*y", "b + z*(x - c)"),
        {"a": 0.2, "b": 0.2, "c": 5.7},
        Start({"x": (-5.0, 5.0), "y": (-5.0, 5.0), "z": (0.0, 1.0)}),
        span=30.0,
        citation="Rossler, Physics Letters A 57 (1976) 397",
        description="A band that is stretched and folded.",
    ),
    System(
        "thomas",
        ("x", "y", "z"),
        ("sin(y) - b*x", "sin(z) - b*y", "sin(x) - b*z"),
        {"b": 0.2},
        Start({"x": (-2.0, 2.0), "y": (-2.0, 2.0), "z": (-2.0, 2.0)}),
        span=50.0,
        discrete=(("y", "z", "x"), ("-x", "-y", "-z")),
        citation="Thomas, International Journal of Bifurcation and Chaos 9 (1999) 1889",
        description="A labyrinth that cyclic permutations of the axes leave alone.",
    ),
    System(
        "halvorsen",
        ("x", "y", "z"),
        ("-a*x - b*(y + z) - y**2", "-a*y - b*(z + x) - z**2", "-a*z - b*(x + y) - x**2"),
        {"a": 1.4, "b": 4.0},
        Start({"x": (-4.0, 0.0), "y": (-4.0, 0.0), "z": (-2.0, 2.0)}),
        span=10.0,
        discrete=(("y", "z", "x"),),
        citation="Sprott, Chaos and Time-Series Analysis (2003)",
        description="Three equal wings, turned into each other by permutations of the axes.",
    ),
)
