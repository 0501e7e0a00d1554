"""A known system: its equations as text, its symmetries and conserved quantities, and data from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from erlangen import actions
from erlangen._errors import InputError, explain
from erlangen._formula import Formula
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.fields import AbstractField, as_field
from erlangen.fields.trajectories import Trajectories
from erlangen.systems import _integrate as integrate
from erlangen.systems._rates import Rate, number_rate, rate, with_numbers
from erlangen.systems._rates import field as rates_at

Generator = tuple[str, ...]
"""A vector field: one formula for each coordinate."""

_DRAWS = 1000
"""Rounds of drawing until a system is found to keep none of its initial states."""


class Rescaling(NamedTuple):
    """A symmetry up to the speed of the clock: [xi, f] = factor f.

    Attributes
    ----------
    generator : tuple of str
        The vector field xi: one formula for each coordinate.
    factor : float
        Per unit of time.
    """

    generator: Generator
    factor: float


class Start(NamedTuple):
    """How initial states are drawn.

    Numbers are uniform in intervals; formulas make coordinates of them, and of the parameters. Without formulas the
    intervals are those of the coordinates, in their order. States are kept where a formula of the coordinates lies in
    an interval.

    Attributes
    ----------
    intervals : mapping of str to (float, float)
        Ends of the interval of each number.
    formulas : tuple of str
        One for each coordinate; empty where the numbers are the coordinates.
    kept : tuple of (str, float, float), or None
        A formula of the coordinates and the ends of its interval.
    """

    intervals: Mapping[str, tuple[float, float]]
    formulas: tuple[str, ...] = ()
    kept: tuple[str, float, float] | None = None


class Recipe(NamedTuple):
    """A published way to make data: steps of classical Runge-Kutta, then noise.

    Attributes
    ----------
    runs, samples : int
        Number of training runs, and of samples in each.
    step : float
        Time between samples, and step of the solver.
    noise : float
        Standard deviation of Gaussian noise, relative.
    multiplicative : bool
        Whether noise is a share of each number; otherwise of the spread of its coordinate.
    citation : str
        Where it is published.
    """

    runs: int
    samples: int
    step: float
    noise: float
    multiplicative: bool
    citation: str


@dataclass(frozen=True, eq=False)
class System(AbstractShown):
    """A system x' = f(x), as a row of text.

    Parameters
    ----------
    name : str
        What it is called.
    names : tuple of str
        The d coordinates.
    formulas : tuple of str
        Right-hand side, one formula for each coordinate, in the coordinates and the parameters.
    parameters : mapping of str to float
        Values of the parameters.
    start : Start
        How initial states are drawn.
    span : float
        A time long enough to see what the system does.
    symmetry : tuple of generators
        Known vector fields that commute with f, each as d formulas; multiples of f by conserved quantities, which
        commute with every f, are left out.
    algebra : str
        Name of the Lie algebra that they span; empty where none is known.
    rescalings : tuple of Rescaling
        Known vector fields with [xi, f] = c f, where c is not zero.
    discrete : tuple of maps
        Known finite symmetries: the image of a state, one formula for each coordinate.
    conserved : tuple of str
        Known conserved quantities, as formulas.
    citation : str
        Where it comes from.
    description : str
        What it is, in a line.
    initial : ndarray (k, d), optional
        Published initial states.
    recipes : Recipe, optional
        A published way to make data of it.
    period, step : float, optional
        Its main period, and a step that resolves it, where they are published.

    Raises
    ------
    InputError
        When formulas, coordinates and parameters do not fit together.

    Examples
    --------
    >>> import erlangen as er
    >>> hopf = er.systems.get("hopf")
    >>> print(hopf)
    hopf: ...
    >>> hopf.algebra, hopf.symmetry
    ('so(2)', (('-y', 'x'),))
    >>> hopf.simulate([0.1, 0.0], np.linspace(0, 20, 5)).shape
    (5, 2)
    """

    name: str
    names: tuple[str, ...]
    formulas: tuple[str, ...]
    parameters: Mapping[str, float] = field(default_factory=dict)
    start: Start = Start({})
    span: float = 10.0
    symmetry: tuple[Generator, ...] = ()
    algebra: str = ""
    rescalings: tuple[Rescaling, ...] = ()
    discrete: tuple[Generator, ...] = ()
    conserved: tuple[str, ...] = ()
    citation: str = ""
    description: str = ""
    initial: NDArray | None = None
    recipes: Recipe | None = None
    period: float | None = None
    step: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", MappingProxyType({k: float(v) for k, v in self.parameters.items()}))
        if len(self.formulas) != len(self.names):
            raise InputError(
                explain(
                    "Each coordinate needs one formula.",
                    given=f"{len(self.formulas)} formulas for {', '.join(self.names)}",
                    expected=f"{len(self.names)} formulas",
                    fix='System("spring", ("x", "v"), ("v", "-x"))',
                )
            )

    @property
    def dim(self) -> int:
        """Number d of coordinates."""
        return len(self.names)

    def with_parameters(self, **values: float) -> System:
        """The same equations at other values of some parameters.

        Parameters
        ----------
        **values : float
            Parameters by name.

        Returns
        -------
        System
            The system at those values.

        Raises
        ------
        InputError
            When it has no such parameter.
        """
        unknown = sorted(set(values) - set(self.parameters))
        if unknown:
            raise InputError(
                explain(
                    "The system has no such parameter.",
                    given=", ".join(unknown),
                    expected=", ".join(self.parameters) or "none: it has no parameters",
                    fix=f"er.systems.get({self.name!r}).parameters lists them",
                )
            )
        return replace(self, parameters={**self.parameters, **values})

    def formula(self, text: str) -> Formula:
        """A formula of the coordinates, with the values of the parameters in it.

        Parameters
        ----------
        text : str
            A formula of coordinates and parameters.

        Returns
        -------
        Formula
            It, as a function of the coordinates.
        """
        return with_numbers(text, self.names, self.parameters)

    def equations(self) -> dict[str, str]:
        """The right-hand side of each coordinate, with numbers for the parameters."""
        return {name: str(self.formula(text)) for name, text in zip(self.names, self.formulas, strict=True)}

    def to_sympy(self) -> tuple[Any, ...]:
        """The right-hand side as d SymPy expressions in real symbols of the same names."""
        return tuple(self.formula(text).to_sympy() for text in self.formulas)

    @cached_property
    def _rates(self) -> tuple[Rate, ...]:
        return tuple(rate(self.formula(text)) for text in self.formulas)

    def rhs(self, x: ArrayLike) -> NDArray:
        """Right-hand side ``(..., d)`` at states ``x (..., d)``.

        Parameters
        ----------
        x : array_like (..., d)
            States.

        Returns
        -------
        ndarray (..., d)
            Time derivatives, in units of the states per unit of time.
        """
        return rates_at(self._rates, np.asarray(x, dtype=np.float64))

    def as_field(self) -> AbstractField:
        """The right-hand side as a vector field with exact derivatives."""
        return as_field([self.formula(text) for text in self.formulas], variables=self.names, kind="vector")

    def action(self) -> actions.PolynomialAction:
        """The known symmetry as an action.

        Raises
        ------
        InputError
            Where none is known, or its generators are no polynomials.
        """
        if not self.symmetry:
            raise InputError(
                explain(
                    f"No continuous symmetry of {self.name} is known.",
                    given="a system with no generators",
                    expected="generators",
                    fix="er.dynamics finds those that a system has",
                )
            )
        rows = [[str(self.formula(text)) for text in generator] for generator in self.symmetry]
        return actions.fields(rows, self.names)

    def conserved_values(self, x: ArrayLike) -> NDArray:
        """Conserved quantities ``(..., k)`` at states ``x (..., d)``.

        Parameters
        ----------
        x : array_like (..., d)
            States.

        Returns
        -------
        ndarray (..., k)
            One value per quantity.
        """
        states = np.asarray(x, dtype=np.float64)
        columns = dict(zip(self.names, np.moveaxis(states, -1, 0), strict=True))
        values = [self.formula(text).evaluate(columns) for text in self.conserved]
        return np.stack(values, axis=-1) if values else np.empty((*states.shape[:-1], 0))

    def draw(self, rng: int | np.random.Generator = 0, n_runs: int = 1) -> NDArray:
        """Draw initial states ``(n_runs, d)``.

        Parameters
        ----------
        rng : int or Generator
            Randomness.
        n_runs : int
            How many.

        Returns
        -------
        ndarray (n_runs, d)
            One state a row.

        Raises
        ------
        InputError
            When it is not known where the system starts, or next to no state that is drawn is kept.
        """
        rng = np.random.default_rng(rng)
        kept, count = [], 0
        for _ in range(_DRAWS):
            states = self._drawn(rng, n_runs - count)
            kept.append(states[self._allowed(states)])
            count += len(kept[-1])
            if count >= n_runs:
                return np.concatenate(kept)[:n_runs]
        raise InputError(
            explain(
                f"Next to no initial state of {self.name} is kept.",
                given=f"{count} of {n_runs} in {_DRAWS} rounds",
                expected="a condition that some states meet",
                fix="wider intervals, or another condition",
            )
        )

    def _drawn(self, rng: np.random.Generator, n: int) -> NDArray:
        if not self.start.intervals:
            if self.initial is None:
                raise InputError(
                    explain(
                        f"It is not known where {self.name} starts.",
                        given="a system without intervals or initial states",
                        expected="either",
                        fix="system.simulate(x0, t)",
                    )
                )
            return np.array([self.initial[i % len(self.initial)] for i in range(n)])
        low, high = np.array(list(self.start.intervals.values())).T
        drawn = rng.uniform(low, high, (n, len(low)))
        if not self.start.formulas:
            return drawn
        columns = dict(zip(self.start.intervals, drawn.T, strict=True))
        texts = [with_numbers(text, tuple(columns), self.parameters) for text in self.start.formulas]
        return np.stack([formula.evaluate(columns) for formula in texts], axis=1)

    def _allowed(self, states: NDArray) -> NDArray:
        if self.start.kept is None:
            return np.asarray(np.isfinite(states).all(axis=1))
        text, low, high = self.start.kept
        value = self.formula(text).evaluate(dict(zip(self.names, states.T, strict=True)))
        return (value >= low) & (value <= high)

    def simulate(self, x0: ArrayLike, t: ArrayLike) -> NDArray:
        """States ``(n, d)`` at times ``t (n,)`` from ``x0 (d,)``, to a relative error of 1e-10 a step.

        Parameters
        ----------
        x0 : array_like (d,)
            The state at the first time.
        t : array_like (n,)
            Increasing times.

        Returns
        -------
        ndarray (n, d)
            States at the times.

        Raises
        ------
        InputError
            Where times do not increase, or the solution ends before the last of them.
        """
        start = integrate.checked_starts(x0, self.dim)
        rates = [number_rate(self.formula(text)) for text in self.formulas]
        return integrate.adaptive(lambda z: [one(z) for one in rates], start[0], integrate.checked_times(t))

    def simulate_many(self, x0: ArrayLike, t: ArrayLike) -> NDArray:
        """States ``(r, n, d)`` of r runs from ``x0 (r, d)``, one classical Runge-Kutta step from time to time.

        Parameters
        ----------
        x0 : array_like (r, d)
            States at the first time.
        t : array_like (n,)
            Increasing times, close enough for one step each.

        Returns
        -------
        ndarray (r, n, d)
            States at the times.
        """
        start = integrate.checked_starts(x0, self.dim)
        return integrate.runge_kutta(self.rhs, start, integrate.checked_times(t))

    def trajectories(
        self,
        rng: int | np.random.Generator = 0,
        n_runs: int = 1,
        t: ArrayLike | None = None,
        noise: float = 0.0,
        relative: bool = True,
    ) -> Trajectories:
        """Runs from drawn initial states, followed accurately, with Gaussian noise.

        Parameters
        ----------
        rng : int or Generator
            Randomness.
        n_runs : int
            Number of runs.
        t : array (n,), optional
            Times; by default 200 from 0 to `span`.
        noise : float
            Standard deviation of the noise.
        relative : bool
            Whether it is a share of the standard deviation of each coordinate over all runs.

        Returns
        -------
        Trajectories
            The runs, without derivatives.
        """
        rng = np.random.default_rng(rng)
        times = integrate.checked_times(np.linspace(0.0, self.span, 200) if t is None else t)
        runs = np.stack([self.simulate(x0, times) for x0 in self.draw(rng, n_runs)])
        size = noise * (runs.std(axis=(0, 1)) if relative else 1.0)
        return self._as_runs(runs + size * rng.standard_normal(runs.shape) if noise else runs, times)

    def recipe(
        self, rng: int | np.random.Generator = 0, noise: float | None = None, runs: int | None = None
    ) -> Trajectories:
        """Data made the published way (:class:`Recipe`), all samples of all training runs.

        Parameters
        ----------
        rng : int or Generator
            Randomness.
        noise : float, optional
            Relative noise in place of the published one.
        runs : int, optional
            Number of runs in place of the published one.

        Returns
        -------
        Trajectories
            The training runs.

        Raises
        ------
        InputError
            When no data set of the system is described.
        """
        if self.recipes is None:
            raise InputError(
                explain(
                    f"No published data set of {self.name} is described here.",
                    given=self.name,
                    expected="a system with a recipe",
                    fix="system.trajectories(rng=0, n_runs=10, noise=0.05)",
                )
            )
        rng, made = np.random.default_rng(rng), self.recipes
        times = made.step * np.arange(made.samples)
        clean = self.simulate_many(self.draw(rng, made.runs if runs is None else runs), times)
        level = made.noise if noise is None else noise
        size = np.abs(clean) if made.multiplicative else clean.std(axis=(0, 1))
        return self._as_runs(clean + level * size * rng.standard_normal(clean.shape), times)

    def _as_runs(self, states: NDArray, times: NDArray) -> Trajectories:
        return Trajectories.from_arrays(list(states), times, self.names)

    def __str__(self) -> str:
        lines = [f"{name}' = {text}" for name, text in self.equations().items()]
        return f"{self.name}: {', '.join(lines)}"
