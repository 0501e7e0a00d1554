"""Is a given group a symmetry? Two p-values with opposite meanings, named so that they cannot be confused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from erlangen._errors import UndecidedError, explain
from erlangen._render import number
from erlangen.actions import AbstractAction
from erlangen.derivative import Samples
from erlangen.evidence._families import family_of
from erlangen.evidence.bilinear import Bilinear, Denominator, bilinear, spectrum_of
from erlangen.evidence.certificate import Gate
from erlangen.evidence.equivalence import VARIANCE_SHARE, Quadratic, smallest_level
from erlangen.evidence.estimate import Estimate, estimate
from erlangen.evidence.observed import observed
from erlangen.evidence.simultaneous import Reach, reach, unseen
from erlangen.linalg.qr import rounding

SIZE_SHARE = 0.1
"""Share of a level that is spent on the denominator, whose bound is uniform over the whole group."""

STARTS = 32
"""Random combinations of generators, besides the obvious ones, from which the worst one is sought."""

STEPS = (0.5, 0.2, 0.05)
"""Radii within which the worst combination so far is varied."""

ROUNDS = 4
"""How often the bar is raised in the search of the worst combination; two are enough in nearly all cases."""

LEAST_GAIN = 1e-2
"""Relative gain below which the search ends."""

WORST = 2
"""Combinations whose p-values are computed to the end; the largest counts."""


@dataclass(frozen=True, eq=False)
class GroupTest:
    """What the data say of a group that was named beforehand.

    Attributes
    ----------
    p_defect_above_delta : float
        P-value of "some one-parameter subgroup has a true relative defect above delta". Small: the symmetry is
        certified up to delta. Large: nothing is certified, and nothing is refuted either.
    p_exactly_symmetric : float
        P-value of "the group is an exact symmetry". Small: evidence **against** exact symmetry. Large: no evidence
        against it, which is no evidence for it. NaN where the estimate cannot test it.
    defect : float
        Estimated worst relative defect over the group; 1 is an unrelated direction. Noise adds to it.
    low, high : float
        Bounds of the true one: above ``low`` and below ``high``, each with confidence ``1 - alpha``. What noise adds
        is taken out of them, so that ``high`` may lie below ``defect``.
    worst : ndarray (p,)
        The combination of generators that is hardest to certify.
    constraints : int
        Independent equations that exact symmetry puts on the parameters.
    alpha, delta : float
        Level and tolerance of the verdict.
    verdict : str
        ``"certified"``, ``"refuted"``, ``"not refuted"``, ``"no coverage"`` or ``"class rejected"``.
    reason : str
        The verdict in words.
    exact : bool
        Whether the p-values hold in finite samples, under the assumptions.
    assumptions : tuple of str
        What must be true, most binding first.
    gates : tuple of Gate
        Reasons to doubt it.
    """

    p_defect_above_delta: float
    p_exactly_symmetric: float
    defect: float
    low: float
    high: float
    worst: NDArray
    constraints: int
    alpha: float
    delta: float
    verdict: str
    reason: str
    exact: bool
    assumptions: tuple[str, ...]
    gates: tuple[Gate, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and strings."""
        return {
            "verdict": self.verdict,
            "reason": self.reason,
            "p_defect_above_delta": self.p_defect_above_delta,
            "p_exactly_symmetric": self.p_exactly_symmetric,
            "defect": self.defect,
            "low": self.low,
            "high": self.high,
            "alpha": self.alpha,
            "delta": self.delta,
            "assumptions": list(self.assumptions),
        }

    def __str__(self) -> str:
        lines = [
            f"{self.verdict}: {self.reason}",
            f"- worst defect {number(self.defect, 2)}, between {number(self.low, 2)} and {number(self.high, 2)}",
            f"- p of 'the defect is above {self.delta:g}' = {_p(self.p_defect_above_delta)} (small certifies)",
            f"- p of 'exactly symmetric' = {_p(self.p_exactly_symmetric)} (small refutes it, large says nothing)",
        ]
        lines += [f"- assumes {line}" for line in self.assumptions] + [f"- gate {gate}" for gate in self.gates]
        return "\n".join(lines)


def test_group(
    problem: Any,
    action: AbstractAction,
    samples: Samples | NDArray | None = None,
    *,
    family: Any = None,
    delta: float = 0.05,
    alpha: float = 0.05,
    noise: str = "equal",
    kind: str | None = None,
    groups: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    defect: Denominator = "product",
    rng: int | np.random.Generator = 0,
) -> GroupTest:
    """Test whether a given group is a symmetry of what lies behind observations.

    All combinations c of the generators are tested at once: "some unit c has |L_c f| > delta |its denominator|" is
    rejected where it is rejected for every c, which needs no correction (intersection-union). The group must have been
    named without looking at these data; for generators that were discovered in them use ``certify``.

    Parameters
    ----------
    problem : tuple (x, y), Observed or Trajectories
        Observations.
    action : AbstractAction
        Generators of the group.
    samples : Samples or ndarray (n, d), optional
        Region in which the symmetry is claimed; the points of the observations by default.
    family : AbstractLinearField, library or int, optional
        Class that holds the truth; chosen on 30 % of the rows, which then do not test, by default.
    delta, alpha : float
        Relative defect up to which the group counts as a symmetry, and level of the verdict.
    noise, groups, weights
        As in `erlangen.evidence.estimate`.
    kind : {"invariant", "vector"}, optional
        How values follow points; must be said where c = d.
    defect : {"product", "bracket"}
        Denominator of the defect.
    rng : int or Generator
        Splits rows, and starts the search of the worst combination.

    Raises
    ------
    UndecidedError
        When no linear class fits, or the field does not vary along any generator.

    References
    ----------
    Berger, Technometrics 24 (1982) 295 (intersection-union); Berger and Hsu, Statistical Science 11 (1996) 283.

    Examples
    --------
    >>> import erlangen as er
    >>> rng = np.random.default_rng(0)
    >>> x = rng.uniform(-1, 1, (500, 2))
    >>> y = (x**2).sum(axis=1) + 0.02 * rng.standard_normal(500)
    >>> box = er.Samples.box(-1, 1, dim=2)
    >>> test_group((x, y), er.actions.rotation(2), box, family=2).verdict
    'certified'
    >>> test_group((x, y), er.actions.translation(2), box, family=2).verdict
    'refuted'
    """
    from erlangen.evidence.gates import data_gates

    rng = np.random.default_rng(rng)
    data = observed(problem, kind=kind, groups=groups, weights=weights)
    linear = family_of(family, data, rng)
    if linear is None:
        raise UndecidedError(
            explain(
                "No polynomial class fits these observations, and this test needs a class.",
                given=f"{len(data)} rows",
                expected="a linear class without lack of fit",
                fix='family=library, or er.evidence.certify(problem, action, mode="class-free")',
            )
        )
    if linear.rows is not None:
        data = data.take(np.setdiff1d(np.arange(len(data)), linear.rows))
    samples = samples if isinstance(samples, Samples) else Samples.from_data(data.x if samples is None else samples)
    fit = estimate(linear.family, data.x, data.y, noise=noise, weights=data.weights, groups=data.groups)
    both = bilinear(linear.family, action, samples, defect=defect)
    gates = data_gates(
        linear.family,
        action,
        data.x,
        data.y,
        samples,
        delta=delta,
        noise=noise,
        weights=data.weights,
        groups=data.groups,
    )
    return group_test_of(both, fit, delta, alpha, gates=gates, rng=rng)


# By its name pytest would take it for a test.
test_group.__test__ = False  # pyright: ignore[reportFunctionMemberAccess]


def group_test_of(
    both: Bilinear,
    fit: Estimate,
    delta: float,
    alpha: float,
    *,
    gates: tuple[Gate, ...] = (),
    rng: int | np.random.Generator = 0,
) -> GroupTest:
    """The test of :func:`test_group` from tensors over the generators of the group and an estimate."""
    found = spectrum_of(both, fit.theta)
    if len(found.values) == 0:
        raise UndecidedError("The field does not vary along any generator of this group: there is nothing to test.")
    part = both.restrict(found.basis)
    hidden = unseen(both, np.eye(both.n_generators), fit.null)
    moved = reach(both, found.basis, fit.root)
    rng = np.random.default_rng(rng)
    p_above = 1.0 if hidden else _largest_p(part, fit, moved, delta, rng)
    p_exact, constraints = p_exactly_symmetric(both, fit)
    high, worst = _highest(part, fit, moved, alpha, rng)
    high = np.inf if hidden else high
    low = 0.0 if hidden else moved.lower(float(found.values[-1]), _radius(fit, alpha))
    verdict, reason = _verdict(p_above, p_exact, low, high, delta, alpha, hidden, gates)
    return GroupTest(
        p_defect_above_delta=p_above,
        p_exactly_symmetric=p_exact,
        defect=float(found.values[-1]),
        low=float(low),
        high=float(high),
        worst=found.basis @ worst,
        constraints=constraints,
        alpha=alpha,
        delta=delta,
        verdict=verdict,
        reason=reason,
        exact=fit.exact,
        assumptions=("the group was named without looking at these data", *fit.assumptions),
        gates=gates,
    )


def p_exactly_symmetric(both: Bilinear, fit: Estimate) -> tuple[float, int]:
    """P-value of exact symmetry under all generators, ``L theta = 0``, and the number of its independent equations.

    An F test (exact for independent Gaussian noise of one variance), Hotelling's T where the covariance came from
    groups or blocks. NaN where fewer directions have an error than there are equations.
    """
    rows = both.lie.transpose(1, 0, 2).reshape(-1, both.n_params)
    _, s, vt = np.linalg.svd(rows, full_matrices=False)
    equations = vt[s > rounding(rows.shape) * s.max(initial=0.0)]
    if fit.null.shape[1]:  # equations on what no row sees cannot be tested
        u, t, _ = np.linalg.svd(equations @ fit.null)
        equations = u[:, int(np.sum(t > rounding(equations.shape))) :].T @ equations
    count = len(equations)
    dof = fit.dof if np.isnan(fit.set_dof) else fit.dof - count + 1.0
    if count == 0 or count > fit.rank or dof <= 0:
        return (1.0 if count == 0 else float("nan")), count
    error = np.linalg.svd(equations @ fit.root, full_matrices=False)
    square = float(np.sum((error[0].T @ (equations @ fit.theta) / error[1]) ** 2))
    if np.isinf(dof):
        return float(special.chdtrc(count, square)), count
    return float(special.fdtrc(count, dof, square * dof / (fit.dof * count))), count


def _form(part: Bilinear, fit: Estimate, c: NDArray) -> Quadratic:
    """|L_c f|^2 with its noise, for one combination ``c (r,)``."""
    lie = part.lie_of(c)
    return Quadratic.of(lie @ fit.theta, lie @ fit.root, fit.dof)


def _hardest(part: Bilinear, fit: Estimate, mu: float, rng: np.random.Generator) -> NDArray:
    """The combinations ``(w, r)`` with the largest p-values of "|L_c f| >= mu", by ascent from many starts."""
    r = part.n_generators
    if r == 1 or mu <= 0:
        return np.eye(r)[-1:]
    lie, theta = part.lie @ fit.root, part.lie @ fit.theta

    def hardness(c: NDArray) -> float:
        form = Quadratic.of(theta @ c, np.einsum("krq,r->kq", lie, c))
        exponent = form.exponent(mu)
        return -exponent if exponent > 0 else float(np.sqrt(form.statistic))

    noise = np.linalg.eigh(np.einsum("kaq,kbq->ab", lie, lie))[1]
    starts = np.vstack([np.eye(r), noise.T, rng.standard_normal((STARTS, r))])
    pool = sorted(((hardness(c), i, c) for i, c in enumerate(_unit(starts))), key=lambda t: -t[0])[:WORST]
    for step in STEPS:
        near = _unit(pool[0][2] + step * rng.standard_normal((4 * r, r)))
        pool = sorted([*pool, *((hardness(c), i, c) for i, c in enumerate(near))], key=lambda t: -t[0])[:WORST]
    return np.array([c for _, _, c in pool])


def _largest_p(part: Bilinear, fit: Estimate, moved: Reach, delta: float, rng: np.random.Generator) -> float:
    """Largest of the p-values of all combinations."""

    def value(c: NDArray) -> float:
        return _certifying(_form(part, fit, c), fit, moved, delta)

    return _climb(part, fit, value, lambda p: delta * _left(fit, moved, p), rng)[0]


def _highest(
    part: Bilinear, fit: Estimate, moved: Reach, alpha: float, rng: np.random.Generator
) -> tuple[float, NDArray]:
    """Largest of the bounds of all combinations, and the combination ``(r,)`` that has it."""
    left = _left(fit, moved, alpha)
    if left <= 0:
        return float("inf"), np.eye(part.n_generators)[-1]
    best, c = _climb(part, fit, lambda c: _bound(_form(part, fit, c), alpha), lambda bound: bound, rng)
    return best / left, c


def _climb(
    part: Bilinear,
    fit: Estimate,
    value: Callable[[NDArray], float],
    bar: Callable[[float], float],
    rng: np.random.Generator,
) -> tuple[float, NDArray]:
    """Raise ``value(c)`` over combinations: look for the hardest at the bar of the best so far, until none is harder.

    A bound is larger than mu where the p-value at mu is above the level, and a p-value where it is at its own mu.
    """
    c = np.eye(part.n_generators)[-1]
    best = value(c)
    for _ in range(ROUNDS if part.n_generators > 1 else 0):
        others = _hardest(part, fit, bar(best), rng)
        values = [value(other) for other in others]
        top = int(np.argmax(values))
        grown = values[top] > (1.0 + LEAST_GAIN) * best
        best, c = (values[top], others[top]) if values[top] > best else (best, c)
        if not grown:
            break
    return best, c


def _bound(form: Quadratic, alpha: float) -> float:
    """Smallest mu at which the numerator's test rejects, in its share of the level alpha."""
    spent = SIZE_SHARE + (VARIANCE_SHARE if np.isfinite(form.dof) else 0.0)
    return form.bound((1.0 - spent) * alpha, VARIANCE_SHARE * alpha)


def _unit(c: NDArray) -> NDArray:
    return c / np.linalg.norm(c, axis=1, keepdims=True)


def _certifying(form: Quadratic, fit: Estimate, moved: Reach, delta: float) -> float:
    """P-value of "this combination has a defect above delta", with all that is estimated accounted for."""
    spent = SIZE_SHARE + (VARIANCE_SHARE if np.isfinite(fit.dof) else 0.0)

    def rejects(a: float) -> bool:
        mu = delta * _left(fit, moved, a)
        return mu > 0 and form.exponent(mu, VARIANCE_SHARE * a) >= -np.log((1.0 - spent) * a)

    return smallest_level(rejects)


def _left(fit: Estimate, moved: Reach, alpha: float) -> float:
    """Bound from below of the denominator of every combination that has an estimated one of 1."""
    return 1.0 - moved.size * _radius(fit, SIZE_SHARE * alpha)


def _radius(fit: Estimate, alpha: float) -> float:
    """Radius of the confidence set; with few groups, as if the covariance were known up to its scale."""
    if np.isnan(fit.set_dof):
        return fit.radius(alpha)
    return float(np.sqrt(fit.rank * special.fdtri(fit.rank, fit.dof, 1.0 - alpha)))


def _verdict(
    p_above: float,
    p_exact: float,
    low: float,
    high: float,
    delta: float,
    alpha: float,
    hidden: bool,
    gates: tuple[Gate, ...],
) -> tuple[str, str]:
    failed = [gate for gate in gates if gate.binding and not gate.passed]
    if failed:
        class_fails = failed[0].name == "lack of fit"
        return ("class rejected" if class_fails else "no coverage"), f"{failed[0].name}, {failed[0].reason}"
    if hidden:
        return "no coverage", "the defect depends on parameters that the data leave free"
    if p_above <= alpha:
        broken = "" if not p_exact <= alpha else f", though not exact (p = {_p(p_exact)})"
        return "certified", f"a symmetry up to a relative defect of {number(high, 2)}, which is below {delta:g}{broken}"
    if low > delta:
        return "refuted", f"some generator has a relative defect of at least {number(low, 2)}, above {delta:g}"
    doubt = "no evidence against exact symmetry" if not p_exact <= alpha else "exact symmetry is refuted"
    return (
        "not refuted",
        f"the data do not decide: the worst defect may be up to {number(high, 2)}, and there is {doubt}",
    )


def _p(p: float) -> str:
    least = float(np.finfo(np.float64).eps)  # below that rounding counts more than chance
    return "unknown" if np.isnan(p) else f"{p:.2g}" if p > 10.0 * least else "0 up to rounding"
