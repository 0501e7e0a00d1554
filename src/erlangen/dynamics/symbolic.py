"""Symbolic regression of equations of motion: the whole system at once, with the symmetry that it should have."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from erlangen._errors import InputError, UndecidedError, explain
from erlangen._progress import carried, keeping, track
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction, linear
from erlangen.algebra import Group
from erlangen.dynamics import _symbolic_terms as terms
from erlangen.dynamics._fit_input import as_states, as_trajectories
from erlangen.dynamics._slopes import Slopes, slopes_of
from erlangen.dynamics._symbolic_engine import Search, check_operators, engine, expressions
from erlangen.dynamics._symbolic_fit import (
    FLOOR,
    Component,
    Target,
    best_shapes,
    candidates,
    correlation_time,
    fitted,
    pool_of,
    recombined,
)
from erlangen.dynamics._symbolic_quotients import quotients
from erlangen.dynamics._symbolic_symmetry import Invariance
from erlangen.dynamics._symbolic_systems import Joint, Whole, front
from erlangen.dynamics._symbolic_terms import Sum
from erlangen.dynamics.equations import Equations, Simulation
from erlangen.fields import AbstractField, Polynomial, Request, convert, register
from erlangen.verbs import Symmetry
from erlangen.verbs._enforce_request import read

SEEN = 500
"""Points that the engine sees: its time is proportional to their number."""

FITTED = 600
"""Points on which expressions are compared."""

MOVED = 300
"""Points at which a symmetry is looked at."""

KEPT = 6
"""Expressions of each coordinate from which systems are made."""

FEWEST = 20
"""Points below which an expression with a handful of constants explains anything."""

DOUBT = 10.0
"""Natural units by which a message may be longer with the symmetry before it is doubted: odds of 20 000 to 1."""


@dataclass(frozen=True, eq=False)
class Candidate(AbstractShown):
    """A system on the front.

    Attributes
    ----------
    complexity : int
        Number of symbols of the whole system.
    error : float
        Squared error relative to the mean square of the derivatives, mean over coordinates.
    defect : float
        Squared defect of the symmetry relative to the parts of which it is the difference; 0 where none is asked for.
    equations : Equations
        The system.
    """

    complexity: int
    error: float
    defect: float
    equations: Equations

    def __repr__(self) -> str:
        lines = str(self.equations).replace("\n", "; ")
        return f"Candidate({self.complexity} symbols, error {self.error:.3g}, defect {self.defect:.3g}: {lines})"


class SymbolicRegression(BaseEstimator):
    """Find equations of motion x' = h(x) as expressions, all coordinates together, close to a symmetry.

    Genetic programming (pyoperon) proposes expressions for each coordinate. They are multiplied out into terms,
    constants fitted again, and parts dropped that the data do not ask for; terms of different expressions are
    recombined. Systems made of them are then compared as wholes, by the length of a message: the logarithm of
    ``error + weight * defect`` of each coordinate, constants, and symbols. The defect is that of the bracket
    J_h v - J_v h of each generator v, and of R h(x) - h(g x) of each discrete element g with matrix R, relative to its
    parts. The best systems are refitted to data and symmetry at once; of their terms and the images of these, the
    combinations that have the symmetry exactly are candidates too.

    Parameters
    ----------
    symmetry : AbstractAction, Symmetry or Group, default=None
        Generators, and discrete elements of a group, that should leave the system alone.
    discrete : sequence of array (d, d), default=None
        More discrete elements, as matrices: ``[-numpy.eye(2)]``.
    weight : float, default=1.0
        Of the defect beside relative squared errors; with 0 the symmetry is only reported.
    operators : sequence of str, default=("+", "-", "*", "/", "sin", "cos", "exp")
        Of these and tan, tanh, log, sqrt. Every other search of the engine has only the arithmetic ones.
    max_size : int, default=25
        Nodes of an expression in the search.
    evaluations : int, default=30000
        Expressions looked at in each search.
    restarts : int, default=6
        Searches for each coordinate, each with another seed.
    derivatives : {"auto", "smooth", "differences"}, default="auto"
        How derivatives are taken where they are not given; see `SINDy`.
    rng : int or Generator, default=0
        Seeds of the searches, and the points seen.

    Attributes
    ----------
    equations_ : Equations
        The system found.
    front_ : tuple of Candidate
        Systems that none beats in complexity, error and defect, the simplest first.
    defect_ : float
        Relative squared defect of the symmetry.
    reason_ : str
        Where derivatives are from, how many expressions were compared, and what the symmetry costs.
    names_ : tuple of str
        Names of the d coordinates.
    n_features_in_ : int
        Number d of coordinates of the data.

    References
    ----------
    Burlacu, Kronberger, Kommenda, GECCO 2020, 1562-1570, for the engine. Yang, Rao, Yu et al., NeurIPS 2024 (arXiv
    2405.16756), for genetic programming with a symmetry term.

    Examples
    --------
    >>> import numpy as np
    >>> import erlangen as er
    >>> x = np.random.default_rng(0).uniform(-2, 2, (200, 2))
    >>> x_dot = np.c_[x[:, 1], -np.sin(x[:, 0])]
    >>> model = er.dynamics.SymbolicRegression(discrete=[-np.eye(2)], restarts=2, evaluations=5000)
    >>> print(model.fit(x, x_dot=x_dot, names=["q", "p"]).equations_)
    q' = p
    p' = -sin(q)
    """

    names_: tuple[str, ...]
    n_features_in_: int
    equations_: Equations
    defect_: float
    front_: tuple[Candidate, ...]
    reason_: str

    def __init__(
        self,
        symmetry: AbstractAction | Symmetry | Group | None = None,
        *,
        discrete: Sequence[ArrayLike] | None = None,
        weight: float = 1.0,
        operators: Sequence[str] = ("+", "-", "*", "/", "sin", "cos", "exp"),
        max_size: int = 25,
        evaluations: int = 30_000,
        restarts: int = 6,
        derivatives: str = "auto",
        rng: int | np.random.Generator = 0,
    ):
        self.symmetry = symmetry
        self.discrete = discrete
        self.weight = weight
        self.operators = operators
        self.max_size = max_size
        self.evaluations = evaluations
        self.restarts = restarts
        self.derivatives = derivatives
        self.rng = rng

    def fit(
        self,
        x: Any,
        t: ArrayLike | Sequence[ArrayLike] | None = None,
        *,
        x_dot: ArrayLike | Sequence[ArrayLike] | None = None,
        names: Iterable[str] | None = None,
        groups: Iterable[Hashable] | None = None,
    ) -> Self:
        """Search for the system.

        Parameters
        ----------
        x : Trajectories, array (n, d), or list of arrays (n_i, d)
            States: what ``er.read_trajectories`` returns, one run, or one array for each run.
        t : array (n,) or list of arrays (n_i,), optional
            Times of the states.
        x_dot : array (n, d) or list of arrays (n_i, d), optional
            Time derivatives where they are known; times are then not needed.
        names : iterable of str, optional
            Names of the coordinates; by default those of the columns of data frames, else x1 .. xd.
        groups : iterable, optional
            For one table: the run of each row.

        Returns
        -------
        SymbolicRegression
            Itself, fitted.

        Raises
        ------
        InputError
            Where data are not valid, or symmetry and data do not fit together.
        UndecidedError
            Where there are too few data.
        MissingExtraError
            Where pyoperon is not installed.
        Interrupted
            On Ctrl-C, with the best model so far in ``partial``.
        """
        operators = check_operators(self.operators)
        self._check_numbers()
        engine()
        flow, timed = as_trajectories(x, t, x_dot, names, groups)
        _no_controls(flow.controls)
        rng = np.random.default_rng(self.rng)
        data = slopes_of(flow, self.derivatives, None if timed else rng)
        _enough(data)
        self.names_, self.n_features_in_ = flow.names, len(flow.names)
        invariance = self._invariance(data, rng)
        given = flow.derivatives is not None

        def systems(model: SymbolicRegression, found: list[Any], search: Any, note: str) -> SymbolicRegression:
            joint, everything = _joints(data, given, flow.names, found, invariance, self.weight, len(operators), rng)
            lists = _shortlists(joint.targets, found, operators)
            counted = f"{sum(len(one) for one in found)} expressions"

            def keep(model: SymbolicRegression, wholes: list[Any], note: str) -> SymbolicRegression:
                return model._keep(data, joint, everything, lists, wholes, (note, data.reason, counted))

            # What was asked to fit stays as it was when it is stopped: the partial result is another model.
            with carried(list, lambda wholes, note: keep(copy(self), wholes, note)):
                wholes = search(joint, lists)
            return keep(model, wholes, note)

        with carried(list, lambda found, note: systems(copy(self), found, Joint.combined, note)):
            found = _engine_runs(data, flow.names, self._searches(operators), rng)
        systems(self, found, Joint.systems, "")
        return self

    def _keep(
        self,
        data: Slopes,
        joint: Joint,
        everything: Joint,
        lists: list[list[Component]],
        wholes: list[Whole],
        said: tuple[str, ...],
    ) -> Self:
        """Fill the attributes from the best system."""
        if not wholes:
            raise _nothing_found(data)
        best = _on_all_points(everything, wholes[0])
        self.equations_ = _equations(everything, best, self.names_)
        self.defect_ = best.defect
        self.front_ = tuple(
            Candidate(one.size, one.error, one.defect, _equations(joint, one, self.names_)) for one in front(wholes)
        )
        *before, counted = said
        parts = [*before, f"{counted}, {len(wholes)} systems", _cost(joint, lists, wholes[0])]
        self.reason_ = "; ".join(part for part in parts if part)
        return self

    def _check_numbers(self) -> None:
        for name, least in (("max_size", 3), ("evaluations", 1000), ("restarts", 1), ("weight", 0)):
            value = getattr(self, name)
            if not np.isfinite(value) or value < least:
                raise InputError(
                    explain(
                        f"This is no {name}.",
                        given=f"{name}={value!r}",
                        expected=f"at least {least}",
                        fix=f"leave {name} out",
                    )
                )

    def _searches(self, operators: tuple[str, ...]) -> list[Search]:
        """All operators and the arithmetic ones in turn: functions of functions pass for quotients."""
        plain = tuple(name for name in operators if name in "+-*/")
        sets = [operators, plain]
        return [Search(sets[k % 2], self.max_size, self.evaluations) for k in range(self.restarts)]

    def _invariance(self, data: Slopes, rng: np.random.Generator) -> Invariance | None:
        """The symmetry at some of the points, or None."""
        if self.symmetry is None and self.discrete is None:
            return None
        d = data.points.shape[1]
        family = Polynomial(degree=1, dim=d).as_vector_field()
        acting = linear(np.zeros((0, d, d))) if self.symmetry is None else self.symmetry
        request = read(family, acting, None, self.discrete)
        points = data.points[_some(len(data.points), MOVED, rng)]
        sizes = np.sqrt(np.mean(data.points**2, axis=0))
        sizes = np.where(sizes > 0, sizes, 1.0)
        return Invariance(self.names_, points, sizes, request.lie.action, request.elements)

    def predict(self, x: ArrayLike) -> NDArray:
        """Time derivatives ``(n, d)`` at states ``x (n, d)``.

        Parameters
        ----------
        x : array_like (n, d)
            States.

        Returns
        -------
        ndarray (n, d)
            Time derivatives, in units of the states per unit of time.
        """
        check_is_fitted(self)
        return self.equations_.value(as_states(x, self.n_features_in_))

    def simulate(self, x0: ArrayLike, t: ArrayLike) -> Simulation:
        """Follow the system found from the state ``x0 (d,)``; see `Equations.simulate`.

        Parameters
        ----------
        x0 : array_like (d,)
            The state at the first time.
        t : array_like (n,)
            Increasing times.

        Returns
        -------
        Simulation
            States at the times, and how far they go.
        """
        check_is_fitted(self)
        return self.equations_.simulate(x0, t)


def _some(n: int, most: int, rng: np.random.Generator) -> NDArray:
    """Rows, in order: all, or as many as asked for."""
    return np.arange(n) if n <= most else np.sort(rng.choice(n, most, replace=False))


def _no_controls(controls: tuple[str, ...]) -> None:
    if controls:
        raise InputError(
            explain(
                "Symbolic regression has no controls.",
                given=f"controls {', '.join(controls)}",
                expected="states alone",
                fix="er.dynamics.SINDy, which takes controls",
            )
        )


def _enough(data: Slopes) -> None:
    if len(data.points) < FEWEST:
        raise UndecidedError(
            explain(
                "There are too few points for symbolic regression.",
                given=f"{len(data.points)} points with derivatives",
                expected=f"at least {FEWEST}",
                fix="more or longer runs",
            )
        )


def _nothing_found(data: Slopes) -> UndecidedError:
    return UndecidedError(
        explain(
            "No expression is finite on all points.",
            given=f"{len(data.points)} points",
            expected="expressions for all coordinates",
            fix="more restarts, or operators without poles",
        )
    )


def _engine_runs(data: Slopes, names: tuple[str, ...], searches: list[Search], rng: Any) -> list[list[Sum]]:
    """Expressions of each coordinate."""
    rows = _some(len(data.points), SEEN, rng)
    seeds = rng.integers(2**31, size=(len(names), len(searches)))
    found: list[list[Sum]] = [[] for _ in names]
    runs = product(enumerate(searches), range(len(names)))
    with keeping("the search for expressions", len(searches)) as kept:
        for (s, search), k in track(runs, "runs of the search", seeds.size):
            found[k] += expressions(data.points[rows], data.slopes[rows, k], names, search, int(seeds[k, s]))
            if k == len(names) - 1:  # another search of every coordinate: enough for a system
                kept.keep(partial(_as_it_was, [list(each) for each in found]), s + 1)
    return found


def _as_it_was(found: list[list[Sum]], _: str) -> list[list[Sum]]:
    return found


def _joints(
    data: Slopes,
    given: bool,
    names: tuple[str, ...],
    found: list[list[Sum]],
    invariance: Invariance | None,
    weight: float,
    n_operators: int,
    rng: np.random.Generator,
) -> tuple[Joint, Joint]:
    """What systems are compared by: on some points, and on all."""
    scales = np.sqrt(np.mean(data.slopes**2, axis=0))
    scales = np.where(scales > 0, scales, 1.0)
    symbols = n_operators + len(names) + 1
    columns = {name: data.points[:, k] for k, name in enumerate(names)}
    some = _some(len(data.points), FITTED, rng)
    whole, part = [], []
    for k in range(len(names)):
        y = data.slopes[:, k] / scales[k]
        square = np.mean(data.weights[:, k] ** 2)
        weights = data.weights[:, k] / np.sqrt(square)
        floor = FLOOR if given else max(FLOOR, 1 / (square * scales[k] ** 2))
        # Rows with small weights count for less, and so do rows that repeat each other.
        rows = len(y) ** 2 / np.sum(weights**4)
        independent = rows / _correlation(Target(columns, y, weights, rows, symbols), found[k])
        whole.append(Target(columns, y, weights, independent, symbols, floor))
        fewer = {name: column[some] for name, column in columns.items()}
        part.append(Target(fewer, y[some], weights[some], min(independent, len(some)), symbols, floor))
    return Joint(tuple(part), scales, invariance, weight), Joint(tuple(whole), scales, invariance, weight)


def _correlation(target: Target, found: list[Sum]) -> float:
    """Points that tell the same, from the residual of the expression with the least error."""
    fits = [fitted(target, [term for _, term in a], inside=False) for a in found]
    best = min((fit for fit in fits if fit is not None), key=lambda fit: fit.error, default=None)
    if best is None:
        return 1.0
    return correlation_time(target.y * target.weights - target.design(best.terms) @ best.coefficients)


def _shortlists(targets: Sequence[Target], found: list[list[Sum]], operators: tuple[str, ...]) -> list[list[Component]]:
    """The best expressions of each coordinate, some with terms of other coordinates, some with a quotient."""
    own = [candidates(target, each, KEPT) for target, each in zip(targets, found, strict=True)]
    if "/" in operators:
        own = [
            best_shapes([*each, *quotients(target, tuple(target.columns), "exp" in operators)], KEPT)
            for target, each in zip(targets, own, strict=True)
        ]
    out = []
    for k, target in enumerate(targets):
        others = [part for j, each in enumerate(own) for part in each[:2] if j != k]
        pool = pool_of(own[k])
        pool += [term for term in pool_of(others) if terms.shape(term) not in {terms.shape(t) for t in pool}]
        mixed = recombined(target, pool)
        out.append(best_shapes([*own[k], *([mixed] if mixed else [])], KEPT))
    return out


def _on_all_points(everything: Joint, best: Whole) -> Whole:
    """The system with its constants fitted to all points."""
    if best.tied:
        again = everything.projected(best)
        if again is not None and again.shape == best.shape:
            return again
    parts = []
    for target, part in zip(everything.targets, best.parts, strict=True):
        fit = fitted(target, part.terms)
        parts.append(part if fit is None else fit)
    if everything.invariance is None or everything.weight == 0:
        return everything.whole(parts)
    fit = everything.refit(Whole(best.parts, best.defect, best.score, best.tied))
    return everything.whole(parts) if fit is None else fit


def _equations(joint: Joint, one: Whole, names: tuple[str, ...]) -> Equations:
    """The system in the units of the data, with standard errors of the coefficients."""
    texts = list(dict.fromkeys(terms.text(term, names) for part in one.parts for term in part.terms))
    table, errors = np.zeros((2, len(names), len(texts)))
    for a, (part, scale, target) in enumerate(zip(one.parts, joint.scales, joint.targets, strict=True)):
        own = _standard_errors(target, part)
        for term, c, error in zip(part.terms, part.coefficients, own, strict=True):
            at = texts.index(terms.text(term, names))
            table[a, at], errors[a, at] = c * scale, error * scale
    return Equations(names, (), tuple(texts), table, errors)


def _standard_errors(target: Target, part: Component) -> NDArray:
    """Standard errors ``(r,)`` of constants in front, with those inside as uncertain as they are."""
    rows = [target.design(part.terms)]
    inside = terms.constants(part.terms)
    for k, c in enumerate(inside):
        step = max(abs(c), 1.0) * np.cbrt(np.finfo(np.float64).eps)  # of central differences
        moved = []
        for sign in (1, -1):
            values = [v + sign * step * (j == k) for j, v in enumerate(inside)]
            moved.append(target.design(terms.with_constants(part.terms, values)))
        rows.append(((moved[0] - moved[1]) / (2 * step) @ part.coefficients)[:, None])
    design = np.concatenate(rows, axis=1)
    sizes = np.linalg.norm(design, axis=0)
    if not np.isfinite(design).all() or not sizes.all():
        return np.full(len(part.terms), np.inf)
    spread = np.linalg.pinv(design / sizes, rcond=len(design) * np.finfo(np.float64).eps)
    free = max(target.effective - part.n_constants, 1.0)
    # Residuals that follow each other tell the same: there are fewer of them than rows.
    scale = np.sqrt(part.error * len(target.y) / free)
    return (np.linalg.norm(spread, axis=1) / sizes * scale)[: len(part.terms)]


def _cost(joint: Joint, lists: list[list[Component]], best: Whole) -> str:
    """What the symmetry costs, in words."""
    if joint.invariance is None:
        return ""
    free = [each[0] for each in lists]
    ratio = best.error / max(float(np.mean([part.error for part in free])), np.finfo(np.float64).tiny)
    longer = sum(
        target.length(part.error, part.n_constants, part.size) - other.length
        for target, part, other in zip(joint.targets, best.parts, free, strict=True)
    )
    exactly = "exactly symmetric" if best.tied else f"defect of the symmetry {best.defect:.2g}"
    text = f"{exactly}; squared error {ratio:.3g} times that of the best expressions without it"
    return text + (
        ": the data speak against the symmetry" if longer - joint.saved(best.parts, best.tied) > DOUBT else ""
    )


@register
def _(obj: SymbolicRegression, request: Request) -> AbstractField:
    """Equations that were found are a field with exact derivatives."""
    check_is_fitted(obj)
    return convert(obj.equations_, request)
