"""Is a finite set of maps a symmetry? Search on one part of the data, test on another, count what was tested."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain
from erlangen._progress import track
from erlangen._typing import NDArray
from erlangen.actions import coordinate_names
from erlangen.derivative import Samples
from erlangen.evidence._arguments import generator_of
from erlangen.evidence.discrete._finite import MOST, closed, largest_group, minimal_generators, name_of
from erlangen.evidence.discrete._prepare import Prepared, is_data, prepare
from erlangen.evidence.discrete._tested import Outcome
from erlangen.evidence.discrete.elements import FiniteSet, as_set, describe
from erlangen.evidence.discrete.results import DiscreteTest, ElementTest
from erlangen.evidence.multiplicity import holm
from erlangen.evidence.observed import Observed
from erlangen.fields import AbstractLinearField, Trajectories


def test_elements(
    problem: Any,
    elements: FiniteSet | Callable[[int], FiniteSet] | ArrayLike,
    samples: Samples | NDArray | None = None,
    *,
    delta: float = 0.05,
    alpha: float = 0.05,
    kind: str | None = None,
    family: AbstractLinearField | None = None,
    centre: str | ArrayLike | None = None,
    names: Sequence[str] | None = None,
    rng: int | np.random.Generator = 0,
) -> DiscreteTest:
    """Test whether given maps are symmetries, with an error probability over all of them together.

    A map g is a symmetry where F(g x) = D F(x), with D = 1 for functions and D = g for vector fields. Its relative
    defect is ``|F o g - D F| / hypot(|F o g|, |D F|)`` in L2 over the region, in the worst channel, for functions
    less their mean; 1 is what unrelated values give. "The defect is larger than delta" is what has to be refuted.

    One part of the data fits a model and chooses, among the elements of a set, those that look symmetric, and among
    these a few that generate the others; these are tested, on the other part, with Holm's correction. Matrices that
    are given one by one are all tested. Defects add up along products: where all of these pass, the other elements
    of their group are tested too, and only a group whose elements have all passed is named. Observations are tested

    - **matched** where the table has images of its points, as on a symmetric grid: value beside value, without a model;
    - **held-out** else, in the smallest polynomial class without lack of fit, or in ``family``: exactly in finite
      samples for one value per row with independent Gaussian noise, asymptotically for several values or for runs;
    - **class-free** where no class fits: by residuals of a model on rows that it has not seen.

    A field is taken as it is, and tested at fresh points of ``samples``: what is claimed is about that model.

    Parameters
    ----------
    problem : tuple (x, y), Observed, Trajectories, or anything that ``as_field`` accepts
        Observations or a field. Where groups are known, as for runs, noise may be correlated within them (moving
        blocks), and whole groups choose or test; fewer than four are cut into pieces.
    elements : FiniteSet, function of d, or array (m, d, d)
        Such as ``er.evidence.signs(3)`` or ``er.evidence.cyclic``.
    samples : Samples or array (n, d), optional
        Where the symmetry is claimed; by default at all points of the data (10000 drawn from them where there are
        more). A map counts at the points whose images stay in the box of the data.
    delta, alpha : float
        Tolerance, and probability of any false certificate.
    kind : {"invariant", "vector"}, optional
        How values follow points, where there are as many values as coordinates.
    family : AbstractLinearField, optional
        Class to be used for observations, such as ``er.fields.polynomial_field(3, 2, np.zeros((3, 10)), "vector")``.
    centre : {"origin", "mean", "fixed point"} or array (d,), optional
        What the maps leave in place; by default the origin.
    names : sequence of str, optional
        Names of the coordinates.
    rng : int or Generator
        Splits the rows.

    Returns
    -------
    DiscreteTest
        The tested maps with p-values and bounds, and the largest group of certified ones.

    Raises
    ------
    InputError
        When delta or alpha is not between 0 and 1, or the elements do not act on the points.

    References
    ----------
    Holm, Scandinavian Journal of Statistics 6 (1979) 65; Berger and Hsu, Statistical Science 11 (1996) 283.

    Examples
    --------
    >>> from erlangen.evidence.discrete.elements import signs
    >>> rng = np.random.default_rng(0)
    >>> x = rng.uniform(-1, 1, (400, 2))
    >>> y = x[:, 0] ** 2 + x[:, 1] + 0.01 * rng.standard_normal(400)
    >>> print(test_elements((x, y), signs).verdict)
    Z(2) is certified at 95 %: 2 elements, generated by (x, y) -> (-x, y).
    """
    _check(delta, alpha)
    rng = generator_of(rng)
    maps = as_set(elements, np.shape(problem[0])[1]).matrices if _is_table(problem) else None
    prepared = prepare(problem, samples, kind=kind, family=family, centre=centre, rng=rng, maps=maps)
    candidates = as_set(elements, prepared.where.centre.size)
    searched = isinstance(elements, FiniteSet) or callable(elements)
    chosen = prepared.choose(candidates.matrices, delta) if searched else candidates.matrices
    return judge(prepared, chosen, len(candidates), delta, alpha, names)


def judge(
    prepared: Prepared,
    matrices: NDArray,
    looked_at: int,
    delta: float,
    alpha: float,
    names: Sequence[str] | None,
    others: NDArray | None = None,
) -> DiscreteTest:
    """Test generators, then the other elements of their group; name the group whose elements have all passed.

    Defects add up along products: certified generators do not certify their group. The ``others (m, d, d)``, by
    default all other products of the generators, are tested once every generator has passed. Each step spends the
    whole of alpha, with Holm's correction: a false certificate in the second step needs one in the first, or true
    generators alone there.
    """
    d = prepared.where.centre.size
    coordinates = tuple(names or prepared.names or coordinate_names(d))
    tested = _tests(prepared, matrices, coordinates, delta, alpha)
    good = [e.matrix for e in tested if e.verdict == "certified"]
    left, generated = _other_products(np.array(good).reshape(-1, d, d))
    others = left if others is None else others
    products = _tests(prepared, others, coordinates, delta, alpha) if len(good) == len(tested) else ()
    kept = np.array([np.eye(d), *good, *(e.matrix for e in products if e.verdict == "certified")])
    group = kept[largest_group(kept)]
    name, order = name_of(group[1:])
    rest = {k: getattr(prepared, k) for k in ("mode", "guarantee", "assumptions", "gates", "region")}
    parts = {"products": products, "generators": minimal_generators(group[1:]), "generated": generated}
    return DiscreteTest(name, order, tested, looked_at, delta, alpha, coordinates=coordinates, **parts, **rest)


def _tests(
    prepared: Prepared, matrices: NDArray, coordinates: tuple[str, ...], delta: float, alpha: float
) -> tuple[ElementTest, ...]:
    """Test maps one by one, and correct for their number."""
    outcomes = [prepared.tester.test(g, delta, alpha) for g in track(matrices, "tests of maps")]
    trusted = all(gate.passed for gate in prepared.gates)
    adjusted = holm([o.p_value for o in outcomes]) if outcomes else []
    return tuple(
        ElementTest(
            g,
            describe(g, coordinates),
            o.defect,
            o.p_value,
            float(p),
            o.low,
            o.high,
            _verdict(o, float(p), trusted, delta, alpha),
        )
        for g, o, p in zip(matrices, outcomes, adjusted, strict=True)
    )


def _other_products(matrices: NDArray) -> tuple[NDArray, tuple[str, int]]:
    """Products of maps that are none of them, nor the identity; name and order of the group of all of them."""
    named = name_of(matrices)
    if named[1] > MOST or not len(matrices):
        return matrices[:0], named
    elements, words = closed(matrices)
    return elements[[len(word) > 1 for word in words]], named


def _is_table(problem: Any) -> bool:
    return is_data(problem) and not isinstance(problem, (Observed, Trajectories)) and np.ndim(problem[0]) == 2


def _verdict(outcome: Outcome, adjusted: float, trusted: bool, delta: float, alpha: float) -> str:
    if np.isnan(outcome.defect):
        return "no coverage"
    if not trusted:
        return "class rejected"
    if adjusted <= alpha:
        return "certified"
    return "refuted" if outcome.low > delta else "not refuted"


def _check(delta: float, alpha: float) -> None:
    for what, value in (("delta", delta), ("alpha", alpha)):
        if not 0 < value < 1:
            raise InputError(
                explain(
                    f"{what} lies between 0 and 1.",
                    given=f"{what} = {value}",
                    expected=f"0 < {what} < 1",
                    fix=f"{what}=0.05",
                )
            )


__all__ = ["DiscreteTest", "ElementTest", "judge", "test_elements"]
