"""Laws as a person reads them, their Poisson algebra and the symmetries that they generate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from erlangen.dynamics._change import Forms, Spectrum
from erlangen.dynamics._evidence import Ground
from erlangen.dynamics._law import Law, variance_ratio
from erlangen.dynamics._readable import Formulation
from erlangen.dynamics.noether import HamiltonianField, noether
from erlangen.dynamics.poisson import PhaseSpace, PoissonAlgebra, poisson_algebra


def laws_of(ground: Ground, forms: Forms, formulations: list[Formulation]) -> list[Law]:
    """Functions with their evidence; numbers are rounded where the data like the rounded ones as well."""
    values = [ground.features.basis.evaluate(run.states) for run in ground.flow.runs]
    out = []
    for one in formulations:
        # Rounded numbers are kept only where the data like them as well as the estimates.
        if forms.defect(one.rounded) > 2 * max(one.defect, forms.noise, np.finfo(np.float64).eps):
            one = replace(one, numbers=(None,) * len(one.numbers))
        ratio = variance_ratio([v @ one.rounded for v in values])
        out.append(Law(ground.features, one, forms.defect(one.rounded), ratio, ""))
    return out


def algebra_of(
    ground: Ground, laws: list[Law], space: PhaseSpace, spectrum: Spectrum, tolerance: float
) -> PoissonAlgebra:
    """Brackets of the laws, on points off the runs too."""
    x = ground.mixed_points()
    values = np.stack([law.values(x) for law in laws], axis=1)
    gradients = np.stack([law.gradient(x) for law in laws], axis=1)
    exact = all(x is not None for law in laws for x in law.formulation.numbers)
    labels = [f"h{i + 1}" for i in range(len(laws))]
    noise = 0.0 if exact else tolerance / 10
    return poisson_algebra(values, gradients, space.matrix, labels=labels, noise=noise)


def generators_of(ground: Ground, laws: list[Law], space: PhaseSpace | None) -> tuple[HamiltonianField, ...]:
    """The symmetry of each law, in words where it is the flow itself."""
    if space is None:
        return ()
    fields = [noether(law, space.positions, space.momenta) for law in laws]
    x, v = ground.flow.points, ground.flow.velocities()[0] / ground.scales
    return tuple(
        replace(field, text="the flow itself: translation in time", latex=r"\partial_{t}")
        if np.linalg.norm(field.value(x) / ground.scales - v) <= ground.limit * np.linalg.norm(v)
        else field
        for field in fields
    )
