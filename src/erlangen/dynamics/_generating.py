"""Noether's theorem on phase space: the function that generates a flow, where there is one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from erlangen._formula import Formula
from erlangen._render import _signed_sum, number
from erlangen._typing import NDArray
from erlangen.actions import PolynomialAction
from erlangen.derivative import Samples
from erlangen.dynamics._charges import SOLVED, NoetherCharge, as_formula, combination, domain_points, point_action
from erlangen.dynamics.poisson import PhaseSpace
from erlangen.fields.libraries import AbstractLibrary, Features, Polynomial


def hamiltonian_charges(
    hamiltonian: str,
    symmetry: Any,
    space: PhaseSpace,
    library: AbstractLibrary | None,
    samples: Samples | ArrayLike | None,
) -> tuple[NoetherCharge, ...]:
    """Functions whose Hamiltonian flow is a generator, and whether the flow of H conserves them; see `noether`."""
    names = space.names
    energy = Formula(hamiltonian, names)
    action = point_action(symmetry, names)
    features = (library or Polynomial(degree=2)).bind(names)
    x = domain_points([energy], names, samples)
    force = energy.gradient(dict(zip(names, x.T, strict=True)))
    slopes = features.basis.gradients(x)
    flows = np.einsum("ab,nqb->naq", space.matrix, slopes).reshape(-1, features.size)
    return tuple(
        _momentum(action.restrict(row[:, None]), features, flows, slopes, force, x, space)
        for row in np.eye(action.n_generators)
    )


def _momentum(
    one: PolynomialAction,
    features: Features,
    flows: NDArray,
    slopes: NDArray,
    force: NDArray,
    x: NDArray,
    space: PhaseSpace,
) -> NoetherCharge:
    target = one.on_points(x)[:, 0].ravel()
    size = float(np.linalg.norm(target))
    numbers, rest = combination(flows, target)
    text, defect = one.describe(np.ones(1), space.names), rest / size
    if defect > SOLVED:
        reason = (
            f"no function among the {features.size} of the library generates it: {defect:.2g} of it is left. Scalings, "
            "for one, do not preserve the Poisson bracket"
        )
        return NoetherCharge(False, "", text, "0", defect, reason, None)
    slope = np.einsum("nqa,q->na", slopes, numbers)
    terms = (slope @ space.matrix) * force
    total = float(np.linalg.norm(np.abs(terms).sum(axis=1)))
    bracket = float(np.linalg.norm(terms.sum(axis=1))) / total if total > 0 else 0.0
    formula = Formula(
        " + ".join(f"({float(c)!r})*({as_formula(t)})" for c, t in zip(numbers, features.texts, strict=True) if c),
        space.names,
    )
    shown = _signed_sum([(c, t) for c, t in zip(numbers, features.texts, strict=True) if c], number, " ")
    if bracket > SOLVED:
        reason = f"{shown} generates it, but its bracket with H does not vanish: {bracket:.2g} of the terms is left"
        return NoetherCharge(False, "", text, "0", bracket, reason, None)
    reason = f"it generates this flow to {max(defect, np.finfo(float).eps):.1g}, and its bracket with H vanishes"
    return NoetherCharge(True, shown, text, "0", max(defect, bracket), reason, formula)
