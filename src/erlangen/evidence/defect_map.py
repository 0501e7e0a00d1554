"""Where it holds: a map over state space of each generator's local defect, and a sentence for it."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain
from erlangen._progress import track
from erlangen._render import html_table, number, text_table
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction, PolynomialAction, behind, coordinate_names
from erlangen.derivative import LieDerivative, Samples, scales_of
from erlangen.evidence._arguments import as_action
from erlangen.evidence._local import coverage, leaves, local_defects, thinned
from erlangen.evidence._local_fit import local_field
from erlangen.evidence._neighbour_gate import SIGNIFICANT, neighbours
from erlangen.evidence._region_rule import UNDECIDED, RegionRule, features_of, region_rule
from erlangen.fields import AbstractField, CloudField, as_field, fit_table
from erlangen.fields._path import polynomial_chain
from erlangen.fields._table_input import read_table
from erlangen.linalg.rank import Threshold
from erlangen.verbs._measure import interval
from erlangen.verbs._name import turns
from erlangen.verbs.symmetry import Symmetry

NEIGHBOURS = 8
"""Points near one whose median is taken: enough that one accidental zero does not count."""

MAP_POINTS = 1024
"""Points of the map, spread over the samples."""

THIN = 1 / 3
"""Least coverage that lets a point be judged: data at most three times as far as is usual (twice, in a corner)."""

MOST = 0.95
"""Share of the points that must be decided for a sentence to speak of everywhere or nowhere."""

SCATTER = 2.0
"""Factor on errors before a point counts as broken: with that of intervals three standard errors, for points are many
and in the whole region some would be broken by chance."""


@dataclass(frozen=True, eq=False)
class DefectMap(AbstractShown):
    """Where generators hold.

    Attributes
    ----------
    points : ndarray (n, d)
        The points of the map.
    defects, errors : ndarray (n, p)
        Relative defect of each generator near them, and the error of it; NaN where the field says nothing.
    coverage : ndarray (n,)
        How much data is near: 1 as much as is usual among the data, less where they are farther away.
    verdicts : ndarray (n, p) of str
        ``"holds"``, ``"broken"``, ``"undecided"`` or ``"no data"``.
    rules : tuple of RegionRule
        Where each generator holds, in words.
    texts : tuple of str
        The generators.
    coordinates : tuple of str
        Names of the d coordinates.
    delta : float
        Relative defect up to which a generator holds.
    reach : float
        What is smaller than this is not resolved: distance per coordinate in units of the spread.
    """

    points: NDArray
    defects: NDArray
    errors: NDArray
    coverage: NDArray
    verdicts: NDArray
    rules: tuple[RegionRule, ...]
    texts: tuple[str, ...]
    coordinates: tuple[str, ...]
    delta: float
    reach: float

    @property
    def sentences(self) -> tuple[str, ...]:
        """One sentence for each generator: where it holds, and how often that is right."""
        return tuple(self._sentence(k) for k in range(len(self.texts)))

    def share(self, verdict: str) -> NDArray:
        """Share ``(p,)`` of the points with a verdict.

        Parameters
        ----------
        verdict : str
            One of those in ``verdicts``.

        Returns
        -------
        ndarray (p,)
            Between 0 and 1, one share per generator.
        """
        return np.mean(self.verdicts == verdict, axis=0)

    def table(self) -> list[dict[str, Any]]:
        """One row for each generator: where it holds, and shares of points by verdict."""
        return [
            {
                "generator": text,
                "holds": rule.text if self._decided(k) >= MOST else f"{rule.text}, of those that are decided",
                "accuracy": rule.accuracy,
                **{f"share {word}": float(self.share(word)[k]) for word in VERDICTS},
            }
            for k, (text, rule) in enumerate(zip(self.texts, self.rules, strict=True))
        ]

    def to_dict(self) -> dict[str, Any]:
        """Everything that prints, as plain numbers and strings (JSON)."""
        rows = [row | {"accuracy": None if np.isnan(row["accuracy"]) else row["accuracy"]} for row in self.table()]
        return {"delta": self.delta, "reach": self.reach, "sentences": list(self.sentences), "generators": rows}

    def _decided(self, k: int) -> float:
        return float(self.share("holds")[k] + self.share("broken")[k])

    def _sentence(self, k: int) -> str:
        rule = self.rules[k]
        holds, broken, open_, bare = (float(self.share(word)[k]) for word in VERDICTS)
        decided = holds + broken
        said = f"{self.texts[k]} holds {rule.text}"
        if rule.text == UNDECIDED:
            said = f"whether {self.texts[k]} holds is decided nowhere"
        elif rule.feature is None and decided < MOST:
            said = f"{self.texts[k]} holds at {100 * holds:.0f} % of the points and is broken at {100 * broken:.0f} %"
        elif decided < 0.5:
            said = f"{self.texts[k]} is decided at {100 * decided:.0f} % of the points, and there holds {rule.text}"
        if rule.feature is not None:
            said += f", right at {100 * rule.accuracy:.0f} % of held-out points"
        rest = [f"undecided at {100 * open_:.0f} %"] * (open_ > 0) + [f"no data at {100 * bare:.0f} %"] * (bare > 0)
        return "; ".join([said, *rest])

    def __str__(self) -> str:
        rows = [[*row[:2], *(f"{100 * share:.0f} %" for share in row[2:])] for row in self._rows()]
        return "\n".join([*self.sentences, text_table(_HEADER, rows)])

    def __repr__(self) -> str:
        return f"<DefectMap of {len(self.texts)} generators at {len(self.points)} points>"

    def _repr_html_(self) -> str:
        said = "".join(f"<p><b>{html.escape(line)}</b></p>" for line in self.sentences)
        rows = [[*row[:2], *(f"{100 * share:.0f} %" for share in row[2:])] for row in self._rows()]
        return said + html_table(_HEADER, rows)

    def _rows(self) -> list[list[Any]]:
        return [
            [text, number(_median(self.defects[:, k]), 2), *(float(self.share(word)[k]) for word in VERDICTS)]
            for k, text in enumerate(self.texts)
        ]


VERDICTS = ("holds", "broken", "undecided", "no data")
_HEADER = ("generator", "median defect", *VERDICTS)


def where(
    problem: Any,
    generators: AbstractAction | Symmetry,
    samples: Samples | ArrayLike | None = None,
    *,
    delta: float | None = None,
    kind: str | None = None,
    names: Sequence[str] | None = None,
    data: tuple[ArrayLike, ArrayLike] | None = None,
    neighbours: int = NEIGHBOURS,
    rng: int | np.random.Generator = 0,
) -> DefectMap:
    """Map where each generator is a symmetry, and say it in a sentence.

    At every point the defect |L_xi f| / (|Df|^2 |xi|^2 / d + |tau f|^2)^(1/2) is the median over the point and those
    near it. A generator holds where the upper end of its interval is at most delta and is broken where the lower end
    is above. Data are fitted by the smallest class that fits all of them; where none does, as where a symmetry ends
    at a boundary, by local quadratics. The error of a fit is that of its noise and what a larger class, or twice the
    neighbourhood, would change at the same points, what smaller ones show beyond noise, and what residuals of
    neighbouring rows have in common, which is finer than any fit sees. A model states its own error.

    The sentence is the best single cut of a coordinate, of an invariant of the generator (such as the radius, for a
    rotation) or of the distance from the mean, chosen on one half of the points and counted on the other.

    Parameters
    ----------
    problem : AbstractField or anything that ``as_field`` accepts
        The model, or the data ``(X, y)``.
    generators : AbstractAction or Symmetry
        Each of its generators has its own map; of a symmetry those that were found.
    samples : Samples or array (n, d), optional
        The region; fields that bring their own points need none.
    delta : float, optional
        Relative defect up to which a generator holds, 0.05 by default.
    kind : {"invariant", "vector", "map"}, optional
        How values follow points, where the field has as many channels as coordinates.
    names : sequence of str, optional
        Names of the coordinates.
    data : tuple (X, y), optional
        Observations of what a fitted model approximates: then the map is of the target, see
        `erlangen.fields.calibrate`.
    neighbours : int
        Points near each, over which the median is taken.
    rng : int or Generator
        Draws errors and the halves of the points.

    Returns
    -------
    DefectMap
        Points, defects with errors, coverage, verdicts and sentences.

    Raises
    ------
    InputError
        Where problem, generators and samples do not fit together.

    References
    ----------
    J. Fan, I. Gijbels, Local Polynomial Modelling and Its Applications, 1996 (local quadratics).

    Examples
    --------
    >>> import erlangen as er
    >>> def f(x):
    ...     r = (x**2).sum(axis=1) ** 0.5
    ...     return r**2 + 3 * x[:, 0] * (r > 2)
    >>> found = where(f, er.actions.rotation(2), er.Samples.box(-3, 3, dim=2), rng=0)
    >>> found.sentences[0]
    'the rotation x d/dy - y d/dx holds for r < 2 (where r = sqrt(x^2 + y^2)), right at 97 % of held-out points'
    """
    action = generators.action if isinstance(generators, Symmetry) else as_action(generators)
    given = samples if samples is None or isinstance(samples, Samples) else Samples.from_data(samples)
    points = None if given is None else given.points
    dim = _dimension(action)
    field = None if data is not None else _table_field(problem, kind)
    field = as_field(problem, kind=kind, dim=dim, points=points, data=data) if field is None else field
    own = getattr(field, "points", None)
    region = _region(given, own, field.point_dim)
    rng = np.random.default_rng(rng)
    lie = LieDerivative(field, action, region.pointwise())
    scales = scales_of(field, lie.lifted, region)
    x = np.unique(thinned(region, MAP_POINTS, rng).points, axis=0)
    near = local_defects(lie, scales, x, neighbours, rng)
    covered = coverage(x, region.points if own is None else own, scales, neighbours)
    tolerance = Threshold().delta if delta is None else delta
    verdicts = _verdicts(near.defects, near.errors, covered, tolerance)
    if own is not None and not isinstance(field, CloudField):
        verdicts = np.where(leaves(lie, scales, x, own, tolerance), "no data", verdicts)
    labels = _names(names, field, generators)
    ones = [action.restrict(row[:, None]) for row in np.eye(action.n_generators)]
    rules = tuple(
        _rule(x, verdicts[:, k], features_of(one, region.mean, scales.points, labels), rng)
        for k, one in track(enumerate(ones), "regions", len(ones))
    )
    return DefectMap(
        points=x,
        defects=near.defects,
        errors=near.errors,
        coverage=covered,
        verdicts=verdicts,
        rules=rules,
        texts=tuple(_text(one, labels) for one in ones),
        coordinates=labels,
        delta=tolerance,
        reach=near.reach,
    )


def _table_field(problem: Any, kind: str | None) -> AbstractField | None:
    """The smallest class of polynomials that fits a table, else local fits; None for all but tables that allow both."""
    if not (isinstance(problem, (tuple, list)) and len(problem) == 2):
        return None
    x, y = problem
    table = read_table(x, y, kind)
    local = None if table.labels is not None else local_field(table.x, table.y, table.kind, table.names)
    if local is None:
        return None
    highest = len(polynomial_chain(table.x.shape[1], len(table.x))) - 1
    fitted = fit_table(x, y, kind, classes=[highest])
    if fitted.verdict != "fits":
        return local
    left = table.y - fitted.value(table.x)  # what is finer than all classes is still shared by neighbouring rows
    return fitted if neighbours(table.x, left, alpha=SIGNIFICANT).passed else local


def _verdicts(defects: NDArray, errors: NDArray, covered: NDArray, delta: float) -> NDArray:
    low, high = interval(defects, SCATTER * errors)[0], interval(defects, errors)[1]
    said = np.where(high <= delta, "holds", np.where(low > delta, "broken", "undecided"))
    return np.where((covered < THIN)[:, None], "no data", np.where(np.isfinite(defects), said, "undecided"))


def _rule(x: NDArray, verdicts: NDArray, features: list, rng: np.random.Generator) -> RegionRule:
    decided = (verdicts == "holds") | (verdicts == "broken")
    return region_rule(x[decided], verdicts[decided] == "holds", features, rng)


def _text(one: AbstractAction, names: tuple[str, ...]) -> str:
    said = one.describe(np.ones(1), names)
    base = behind(one)
    if not isinstance(base, PolynomialAction) or one.n_generators != 1:
        return said
    if base.degree == 0 or not np.any(base.coefficients[0][:, base.exponents.sum(axis=1) > 0]):
        return f"the translation {said}"
    return f"the rotation {said}" if turns(base, 0.0) else said


def _region(samples: Samples | None, own: NDArray | None, d: int) -> Samples:
    if samples is not None:
        return samples
    if own is None:
        raise InputError(
            explain(
                "A map needs a region.",
                given=f"a field on R^{d} without points",
                expected="samples",
                fix=f"where(f, action, er.Samples.box(-1, 1, dim={d}))",
            )
        )
    return Samples.from_data(own)


def _dimension(action: Any) -> int:
    if not isinstance(action, AbstractAction):
        raise InputError(
            explain(
                "The generators must be an action or a symmetry.",
                given=f"an object of type {type(action).__name__}",
                expected="such as er.actions.rotation(2), or what discover returned",
                fix="where(f, er.actions.rotation(2), samples)",
            )
        )
    return action.point_dim


def _names(names: Sequence[str] | None, field: Any, generators: Any) -> tuple[str, ...]:
    known = generators.coordinates if isinstance(generators, Symmetry) else getattr(field, "names", None)
    return tuple(names or known or coordinate_names(field.point_dim))


def _median(values: NDArray) -> float:
    return float(np.nanmedian(values)) if np.isfinite(values).any() else float("nan")
