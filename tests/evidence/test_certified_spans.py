"""Certified spans: what is written lies in what was bounded, and no candidate that data decide is lost."""

from __future__ import annotations

import numpy as np
import pytest

import erlangen as er
from erlangen.evidence import _report, certify
from erlangen.evidence._families import polynomials
from erlangen.evidence._measured import ByTensors
from erlangen.evidence._modes import by_held_out
from erlangen.evidence._on_data import free_parameters, seen
from erlangen.evidence._task import Task
from erlangen.evidence.bilinear import bilinear
from erlangen.evidence.heldout import snapped
from erlangen.evidence.observed import observed

BOX = er.Samples.box(-1, 1, dim=2)
AFFINE = er.actions.affine(2)


def turning(ratio: float) -> np.ndarray:
    """x d/dy - ratio y d/dx, which keeps x^2 + ratio y^2."""
    return np.array([0.0, 0, -ratio, 0, 1, 0])


def outside(xi: np.ndarray, span: np.ndarray) -> float:
    q = np.linalg.qr(span)[0]
    return float(np.linalg.norm(xi - q @ (q.T @ xi)) / np.linalg.norm(xi))


@pytest.mark.parametrize("ratio, simple", [(0.745, 0.75), (1.0, 1.0)])
def test_a_held_out_generator_is_rounded_only_where_the_rounded_span_was_tested(ratio, simple, monkeypatch):
    # 3/4 is no multiple of 1/2, so only the plain span was tested; 1 is one, and its own span was.
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (1500, 2))
    data = observed((x, x[:, 0] ** 2 + ratio * x[:, 1] ** 2 + 0.03 * rng.standard_normal(1500)))
    task = Task(data, polynomials(2, 2, 1, "invariant"), AFFINE, BOX, 0.05, 0.05, "equal", None, None, rng)
    both = bilinear(task.family, AFFINE, BOX)
    answer = by_held_out(task, both)
    assert answer.span.shape[1] == 1 and answer.bound <= 0.05
    tested = snapped(answer.span)
    assert (tested is not None and outside(tested[:, 0], answer.span) < 1e-12) == (ratio == simple)
    written = _report.report(task, ByTensors(both, answer), answer, 0.0).bounds[0]
    assert written.verdict == "certified" and written.high == answer.bound
    assert outside(written.xi, answer.span) < 1e-8
    assert (outside(written.xi, turning(simple)[:, None]) < 1e-8) == (ratio == simple)
    monkeypatch.setattr(_report, "_inside", lambda found, span: found)  # what sorting alone would write
    alone = _report.report(task, ByTensors(both, answer), answer, 0.0).bounds[0]
    assert outside(alone.xi, turning(simple)[:, None]) < 1e-12


@pytest.mark.parametrize("unit", [1.0, 1e3, 1e5])
def test_candidates_along_a_line_are_all_kept_in_any_units(unit):
    # On y = unit x the fields (a + b x + c y)(d/dx + unit d/dy) and those that vanish there are tangent: 4 of 6.
    line = np.array([1.0, unit])
    x = np.linspace(-1, 1, 300)[:, None] * line
    family = polynomials(2, 2, 1, "invariant")
    found = seen(bilinear(family, AFFINE, er.Samples.from_data(x)), free_parameters(family, x))
    unit_columns = found.basis / np.linalg.norm(found.basis, axis=0)
    assert found.basis.shape == (6, 4) and np.linalg.matrix_rank(unit_columns) == 4 and found.leaving.shape == (6, 2)
    velocity = AFFINE.restrict(found.basis).on_points(x) / line  # (n, 4, 2), in units of the line
    assert velocity[..., 0] == pytest.approx(velocity[..., 1], abs=1e-6 * np.abs(velocity).max(axis=(0, 2)).max())


def test_what_leads_out_of_a_line_is_left_out_and_said():
    rng = np.random.default_rng(0)
    t = rng.uniform(-1, 1, 800)
    x = t[:, None] * [1.0, 1e5]
    found = certify((x, t + 0.01 * rng.standard_normal(800)), AFFINE, x, family=1)
    assert any("2 of 6 candidates lead out" in note for note in found.notes)
    assert found.candidates.n_generators == 4
