"""What the flow of given equations conserves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.dynamics._assembled import algebra_of, generators_of, laws_of
from erlangen.dynamics._change import AlongFlow, accumulate, solve
from erlangen.dynamics._evidence import Ground, independent_count, split_products
from erlangen.dynamics._input import enough_samples, phase_space, unit_blocks
from erlangen.dynamics._law import Law
from erlangen.dynamics._steady import formulas_beside, steady, written
from erlangen.dynamics._system_input import ROUNDING, SystemField
from erlangen.dynamics.laws import ConservedQuantities
from erlangen.fields import PolynomialField
from erlangen.fields.bases import Monomials
from erlangen.fields.libraries import AbstractLibrary, Features
from erlangen.fields.trajectories import Trajectories
from erlangen.linalg.null import rational_null_space
from erlangen.linalg.polynomials import derivative_table
from erlangen.linalg.rank import AbstractRankRule, Threshold, dimension_path

_NEGLIGIBLE = 0.001
"""Defects below this part of the limit are not worth another term in a formula."""
_DENOMINATOR = 10_000
"""Largest denominator of a coefficient that counts as rational."""
_DIGITS = 12
"""Digits up to which a decimal counts as written; the result of a computation has some sixteen."""
_EXACT_UP_TO = 400
"""Functions among which laws are counted in rational arithmetic: a second or so."""


def conserved_by_field(
    read: SystemField,
    library: AbstractLibrary,
    rule: AbstractRankRule | None,
    positions: Sequence[str] | None,
    momenta: Sequence[str] | None,
    units: Sequence[Sequence[str]] | None,
) -> ConservedQuantities:
    """Find functions h of a library with ``grad h . F = 0`` on scattered points.

    The points are taken as one run with known velocities, so that defects have the scale of `conserved`: 1 is what h
    would change by along the velocities of other points.
    """
    if read.controls:
        _refuse_controls(read)
    space = phase_space(read.names, positions, momenta)
    features = library.bind(read.names)
    blocks = unit_blocks(read.names, units, space)
    unsure = rule is not None  # who names a tolerance wants to hear of what is nearly conserved
    rule = rule or (Threshold() if read.fitted else Threshold(ROUNDING))
    limit = (rule if isinstance(rule, Threshold) else Threshold()).delta
    flow = _as_run(read)
    enough_samples(flow, features)
    forms = accumulate(flow, features, AlongFlow(), blocks)
    if read.fitted:
        forms = replace(forms, noise=max(forms.noise, read.field.accuracy))
    spectrum = solve(forms)
    forms = replace(forms, least=spectrum.least)
    decision = rule.decide(spectrum.values, spectrum.floor)
    ground = Ground(flow, features, blocks, limit)
    floor = max(spectrum.floor, _NEGLIGIBLE * limit)
    kinds = steady(flow, features, spectrum, limit)
    silent = kinds.silent.shape[1]
    # What no velocity changes is conserved where it varies between points, as scattered points tell at once.
    kinds = replace(kinds, laws=_varying(ground, kinds.silent, kinds.sizes), silent=kinds.silent[:, :0])
    fixed = [
        Law(features, one, 0.0, None, "conserved: no velocity has a part along its gradient")
        for one in written(kinds.laws, kinds.sizes, features.orders, floor)
    ]
    count, words = decision.dim, decision.reason
    exact = None if read.fitted or unsure else _exact_count(read.polynomial, features)
    if exact is not None and max(exact - silent, 0) < count:
        count = max(exact - silent, 0)
        words += f"; in rational arithmetic {count} {'is' if count == 1 else 'are'} zero: the rest is small, not zero"
    found = laws_of(ground, forms, formulas_beside(ground, forms, spectrum.vectors[:, :count], kinds, floor))
    moving = [replace(law, verdict="conserved: its derivative along F vanishes on the samples") for law in found]
    tolerance = min(max(10 * max((law.defect for law in moving), default=0.0), 1e-6), limit)
    laws, products = split_products(ground, [*fixed, *moving], tolerance)
    decided = spectrum.floor <= limit or count > 0
    return ConservedQuantities(
        names=read.names,
        n_runs=0,
        n_samples=len(flow.points),
        n_laws=independent_count(ground, laws, tolerance),
        linear_dim=len(fixed) + len(moving),
        laws=tuple(laws),
        dependent=tuple(products),
        relations=(),
        drifting=(),
        spectrum=spectrum.values,
        floor=spectrum.floor,
        path=tuple(dimension_path(spectrum.values, spectrum.floor)),
        reason=f"derivative along F at {len(flow.points)} points: {words}"
        + (f"; beside them {len(fixed)} that no velocity changes" if fixed else ""),
        decided=decided,
        undecided=() if decided else (f"the field is only known to {spectrum.floor:.2g}",),
        notes=_exact_words(read.polynomial, features),
        poisson=algebra_of(ground, laws, space, spectrum, tolerance) if space and laws and decided else None,
        generators=generators_of(ground, laws, space),
        delta=limit if isinstance(rule, Threshold) and count == decision.dim else None,
    )


def _as_run(read: SystemField) -> Trajectories:
    x = read.samples.pointwise().subset(len(read.samples)).points
    velocity = read.field.value(x)
    bad = ~np.isfinite(velocity).all(axis=1)
    if bad.any():
        raise InputError(
            explain(
                "The equations are not finite everywhere on the samples.",
                given=f"{int(bad.sum())} of {len(x)} points, first {np.round(x[np.argmax(bad)], 6).tolist()}",
                expected="finite velocities",
                fix="samples inside the domain, for example er.Samples.box(0.1, 1, dim=...)",
            )
        )
    return Trajectories.from_arrays(x, np.arange(len(x)), names=read.names, derivatives=velocity)


def _refuse_controls(read: SystemField) -> None:
    raise InputError(
        explain(
            "What is conserved depends on the controls.",
            given=f"controls {', '.join(read.controls)}",
            expected="equations without controls",
            fix="equations.as_field(u=[...]) holds them",
        )
    )


def _varying(ground: Ground, columns: NDArray, sizes: NDArray) -> NDArray:
    """Combinations of columns ``(q, r)`` that take different values at the points."""
    values = ground.features.basis.evaluate(ground.flow.points) / sizes
    _, s, vt = np.linalg.svd((values - values.mean(axis=0)) @ (columns * sizes[:, None]), full_matrices=True)
    s = np.r_[s, np.zeros(len(vt) - len(s))]
    return columns @ vt[s > np.sqrt(np.finfo(float).eps * len(values))].T


def _exact_count(field: PolynomialField | None, features: Features) -> int | None:
    """How many functions are conserved exactly, where rational arithmetic can tell."""
    if field is None or not isinstance(features.basis, Monomials) or features.size > _EXACT_UP_TO:
        return None
    numbers = [[_rational(c) for c in row] for row in field.coefficients.tolist()]
    if any(c is None for row in numbers for c in row):
        return None
    return rational_null_space(_rows(field.table, numbers, features.basis.table), features.size).dim


def _exact_words(field: PolynomialField | None, features: Features) -> tuple[str, ...]:
    """Say how many functions are conserved exactly, where rational arithmetic can."""
    count = _exact_count(field, features)
    if count is None:
        return ()
    plural = "s" if count > 1 else ""
    words = f"exactly, in rational arithmetic, {count or 'no'} combination{plural} of the {features.size} functions"
    return (f"{words} {'are' if count > 1 else 'is'} conserved",)


def _rational(c: float) -> Fraction | None:
    near = Fraction(c).limit_denominator(_DENOMINATOR)
    if float(near) == c:
        return near
    text = repr(c)  # the shortest decimal with this value: a number that was written has few digits
    return Fraction(text) if sum(sign.isdigit() for sign in text.split("e")[0]) <= _DIGITS else None


def _rows(table: NDArray, numbers: list[list[Fraction | None]], library: NDArray) -> list[list[Fraction]]:
    """The map from coefficients of h to those of ``grad h . F``, one row for each monomial."""
    out: dict[tuple[int, ...], list[Fraction]] = {}
    for a in range(table.shape[1]):
        factors, lowered = derivative_table(library, a)
        used = [(row, c) for row, c in zip(table, numbers[a], strict=True) if c]
        for j in np.flatnonzero(factors):
            for row, c in used:
                key = tuple(int(e) for e in lowered[j] + row)
                line = out.setdefault(key, [Fraction(0)] * len(library))
                line[j] += int(factors[j]) * c
    return list(out.values())
