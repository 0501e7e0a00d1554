"""Is a given group a symmetry? Two p-values with opposite meanings, named so that they cannot be confused."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from erlangen._errors import UndecidedError, explain
from erlangen._render import number
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction
from erlangen.algebra import Group
from erlangen.derivative import Samples
from erlangen.evidence._arguments import check_space, generator_of, group_action
from erlangen.evidence._centred import centred
from erlangen.evidence._copies import without_copies
from erlangen.evidence._families import family_of
from erlangen.evidence._hardest import highest, largest_p, radius_of
from erlangen.evidence.bilinear import Bilinear, Denominator, bilinear, spectrum_of
from erlangen.evidence.certificate import Gate
from erlangen.evidence.estimate import Estimate, estimate
from erlangen.evidence.observed import observed
from erlangen.evidence.simultaneous import reach, unseen
from erlangen.linalg.qr import rounding


@dataclass(frozen=True, eq=False)
class GroupTest(AbstractShown):
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
    action: AbstractAction | Group,
    samples: Samples | NDArray | None = None,
    *,
    family: Any = None,
    delta: float = 0.05,
    alpha: float = 0.05,
    noise: str | None = None,
    kind: str | None = None,
    groups: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    defect: Denominator = "product",
    rng: int | np.random.Generator = 0,
) -> GroupTest:
    """Test whether a given group is a symmetry of what lies behind observations.

    All combinations c of the generators are tested at once: "some unit c has |L_c f| > delta |its denominator|" is
    rejected where it is rejected for every c, which needs no correction (intersection-union); the c with the largest
    p-value is sought numerically. The group must have been named without looking at these data; for generators that
    were discovered in them use ``certify``.

    Parameters
    ----------
    problem : tuple (x, y), Observed or Trajectories
        Observations.
    action : AbstractAction or Group
        Generators of the group; of a group those of its connected part.
    samples : Samples or ndarray (n, d), optional
        Region in which the symmetry is claimed; the points of the observations by default.
    family : AbstractLinearField, library or int, optional
        Class that holds the truth; chosen on 30 % of the rows, which then do not test, by default.
    delta, alpha : float
        Relative defect up to which the group counts as a symmetry, and level of the verdict.
    noise : str, optional
        As in `erlangen.evidence.estimate`: by default ``"blocks"`` where groups are known, else ``"equal"``.
    kind : {"invariant", "vector"}, optional
        How values follow points; must be said where c = d.
    groups : array_like (n,), optional
        As for `erlangen.evidence.estimate`.
    weights : array_like (n,) or (n, c), optional
        As for `erlangen.evidence.estimate`.
    defect : {"product", "bracket"}
        Denominator of the defect.
    rng : int or Generator
        Splits rows, and starts the search of the worst combination.

    Returns
    -------
    GroupTest
        P-value, upper bound, the worst combination, and the verdict.

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

    rng, action = generator_of(rng), group_action(action)
    data, copied = without_copies(observed(problem, kind=kind, groups=groups, weights=weights))
    noise = noise or ("equal" if data.groups is None else "blocks")
    check_space(data.x.shape[1], action, samples)
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
    near = centred(linear.family, action, data.x, samples)
    if near is not None:
        data, action, samples = replace(data, x=near.x), near.action, near.samples
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
    gates = gates if copied is None else (copied, *gates)
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
    p_above = 1.0 if hidden else largest_p(part, fit, moved, delta, rng)
    p_exact, constraints = p_exactly_symmetric(both, fit)
    high, worst = highest(part, fit, moved, alpha, rng)
    high = np.inf if hidden else high
    low = 0.0 if hidden else moved.lower(float(found.values[-1]), radius_of(fit, alpha))
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
