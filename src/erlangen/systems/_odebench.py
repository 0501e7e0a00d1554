"""ODEBench: 63 ordinary differential equations of one to four variables, and the protocol of their data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain
from erlangen.fields.trajectories import Trajectories
from erlangen.systems._odebench_rows import ROWS, Row
from erlangen.systems._system import Generator, Rescaling, System

CITATION = "d'Ascoli, Becker, Mathis, Schwaller and Kilbertus, 'ODEFormer', ICLR 2024 (ODEBench)"
TIMES = (0.0, 10.0, 150)
"""First and last time, and number of samples, of each run."""


@dataclass(frozen=True)
class _Known:
    """What is known of an equation beyond its formulas."""

    symmetry: tuple[Generator, ...] = ()
    algebra: str = ""
    rescalings: tuple[Rescaling, ...] = ()
    conserved: tuple[str, ...] = ()


_KNOWN = {
    24: _Known((("x0", "x1"), ("x1", "-c0*x0")), "so(2)+R", conserved=("x1**2 + c0*x0**2",)),
    25: _Known((("x0", "x1"), ("x1", "-c0*x0 - c1*x1")), "so(2)+R"),
    27: _Known(conserved=("c3*x0 - c2*log(x0) + c1*x1 - c0*log(x1)",)),
    28: _Known(conserved=("x1**2/2 - c0*cos(x0)",)),
    29: _Known(
        rescalings=(Rescaling(("x0", "x1"), 1.0),), conserved=("(x1**2 + x0**2/(c0 - 1))*x0**(-2/c0)",)
    ),
    31: _Known(conserved=("c0*(x0 + x1) - c1*log(x0)",)),
    34: _Known(conserved=("x1**2/2 - sin(x0)**2/2 - c0*cos(x0)",)),
    63: _Known((("0", "0", "0", "1"),), "R", conserved=("x0 + x1 + x2 + x3", "c2*log(x0) + c1*x3")),
}  # fmt: skip


def odebench(number: int) -> System:
    """One of the 63 equations of ODEBench, with its two published initial states in `initial`.

    Parameters
    ----------
    number : int
        From 1 to 63.

    Returns
    -------
    System
        With its published parameters.

    Raises
    ------
    InputError
        For another number.

    References
    ----------
    .. [1] S. d'Ascoli, S. Becker, A. Mathis, P. Schwaller, N. Kilbertus, "ODEFormer: Symbolic Regression of Dynamical
       Systems with Transformers", ICLR 2024. Most equations are from S. Strogatz, "Nonlinear Dynamics and Chaos".

    Examples
    --------
    >>> print(odebench(24))
    odebench_24: x0' = x1, x1' = -2.1*x0
    >>> odebench(24).description
    'Harmonic oscillator without damping'
    """
    row = _row(number)
    known = _KNOWN.get(number, _Known())
    page = f"Strogatz, Nonlinear Dynamics and Chaos, {row.source}" if row.source.startswith("p.") else row.source
    return System(
        name=f"odebench_{row.number}",
        names=tuple(f"x{j}" for j in range(len(row.formulas))),
        formulas=row.formulas,
        parameters={f"c{j}": value for j, value in enumerate(row.constants)},
        span=TIMES[1],
        symmetry=known.symmetry,
        algebra=known.algebra,
        rescalings=known.rescalings,
        conserved=known.conserved,
        citation=f"{CITATION}; {page}",
        description=row.description,
        initial=np.array(row.initial),
    )


def odebench_trajectories(
    number: int, noise: float = 0.0, rng: int | np.random.Generator = 0, t: ArrayLike | None = None
) -> Trajectories:
    """Data of one equation by the protocol of ODEBench.

    Two runs, one from each published initial state, 150 samples each on [0, 10]; each number is multiplied by one
    plus Gaussian noise.

    Parameters
    ----------
    number : int
        From 1 to 63.
    noise : float
        Standard deviation of the noise, as a share of each number.
    rng : int or Generator
        Randomness.
    t : array (n,), optional
        Other times.

    Returns
    -------
    Trajectories
        Two runs.

    Raises
    ------
    InputError
        When there is no such number.
    """
    rng, system = np.random.default_rng(rng), odebench(number)
    times = np.linspace(*TIMES) if t is None else np.asarray(t, dtype=np.float64)
    assert system.initial is not None
    runs = np.stack([system.simulate(x0, times) for x0 in system.initial])
    if noise:
        runs = runs * (1.0 + noise * rng.standard_normal(runs.shape))
    return Trajectories.from_arrays(list(runs), times, system.names)


def _row(number: int) -> Row:
    if not isinstance(number, (int, np.integer)) or not 1 <= number <= len(ROWS):
        raise InputError(
            explain(
                "There is no such equation in ODEBench.",
                given=repr(number),
                expected=f"a number from 1 to {len(ROWS)}",
                fix="er.systems.odebench(24)",
            )
        )
    return ROWS[number - 1]
