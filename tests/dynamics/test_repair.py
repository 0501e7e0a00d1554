"""Equations with wrong, missing and superfluous terms, and what is done to each."""

from __future__ import annotations

import numpy as np
import pytest

import erlangen as er
from erlangen._errors import InputError
from erlangen.dynamics import Equations, repair
from erlangen.fields import Trajectories

TRUTHS = {
    "predator": {"x": "x - x*y", "y": "0.75*x*y - 1.5*y"},
    "van der pol": {"x": "y", "y": "y - x**2*y - x"},
    "pendulum": {"q": "p", "p": "-sin(q) - 0.1*p"},
}
WRONG = {
    ("predator", "dropped"): {"x": "x - x*y + 0.4*y", "y": "0.75*x*y - 1.5*y"},
    ("predator", "added"): {"x": "x - x*y", "y": "-1.5*y"},
    ("predator", "changed"): {"x": "1.2*x - 0.8*x*y", "y": "0.6*x*y - 1.8*y"},
    ("van der pol", "dropped"): {"x": "y + 0.3*x*y", "y": "y - x**2*y - x"},
    ("van der pol", "added"): {"x": "y", "y": "y - x"},
    ("van der pol", "changed"): {"x": "1.2*y", "y": "0.8*y - 1.2*x**2*y - 0.8*x"},
    ("pendulum", "dropped"): {"q": "p", "p": "-sin(q) - 0.1*p + 0.2*q**2"},
    ("pendulum", "added"): {"q": "p", "p": "-sin(q)"},
    ("pendulum", "changed"): {"q": "0.8*p", "p": "-1.2*sin(q) - 0.1*p"},
}


def flow_of(
    right, noise: float = 0.02, starts=((0.6, 0.5), (1.4, 0.8), (-0.5, 2.0)), span: float = 10.0
) -> Trajectories:
    truth, rng = Equations.from_text(right), np.random.default_rng(0)
    t = np.linspace(0, span, 300)
    runs = [truth.simulate(np.abs(s) if "x*y" in right[truth.names[0]] else s, t).states for s in starts]
    return Trajectories.from_arrays(
        [x + noise * x.std(axis=0) * rng.normal(size=x.shape) for x in runs], t, truth.names
    )


def support(equations: Equations) -> set[tuple[str, str]]:
    pairs = zip(equations.names, equations.coefficients, strict=True)
    return {(name, t) for name, row in pairs for t, c in zip(equations.terms, row, strict=True) if c}


@pytest.mark.parametrize(("name", "kind"), WRONG)
def test_support_is_exact_and_the_edit_is_said(name: str, kind: str):
    fixed = repair(WRONG[name, kind], flow_of(TRUTHS[name]))
    truth = Equations.from_text(TRUTHS[name])
    assert support(fixed.equations) == support(truth)
    points = flow_of(TRUTHS[name], 0.0).points
    assert np.allclose(fixed.equations.value(points), truth.value(points), rtol=0.1, atol=0.1)
    assert kind in {edit.kind for edit in fixed.changes}
    if kind != "changed":
        assert [edit.kind for edit in fixed.changes] == [kind]


def test_right_equations_are_left_alone():
    fixed = repair(TRUTHS["predator"], flow_of(TRUTHS["predator"]))
    assert str(fixed) == "nothing to repair" and {edit.kind for edit in fixed.edits} == {"kept"}
    assert np.array_equal(fixed.equations.value(np.eye(2)), fixed.original.value(np.eye(2)))


def test_the_edit_list_reads_as_text():
    fixed = repair(WRONG["pendulum", "added"], flow_of(TRUTHS["pendulum"]))
    assert str(fixed).startswith("p': added -0.") and " p (+- " in str(fixed)


def test_images_of_terms_under_a_symmetry_are_offered_and_tied():
    right = {"x": "x - y*sqrt(x**2+y**2)", "y": "y + x*sqrt(x**2+y**2)"}
    right = {name: f"{text} - {name}*(x**2+y**2)" for name, text in right.items()}
    flow = flow_of(right, 0.01, ((0.3, 0.2), (-1.6, 0.8), (0.1, -0.4)), 4.0)
    half = {"x": right["x"], "y": "y - y*(x**2+y**2)"}  # the second equation lacks its turning term
    fixed = repair(half, flow, symmetry=er.actions.rotation(2))
    assert support(fixed.equations) == support(Equations.from_text(right))
    row = {t: c for t, c in zip(fixed.equations.terms, fixed.equations.coefficients.T, strict=True)}
    turning = [c for t, c in row.items() if "sqrt" in t]
    assert np.isclose(np.sum(turning), 0.0, atol=1e-9) and np.abs(turning).max() > 0.9


def test_other_coordinates_are_refused():
    with pytest.raises(InputError, match="different coordinates"):
        repair({"a": "b", "b": "-a"}, flow_of(TRUTHS["predator"]))
