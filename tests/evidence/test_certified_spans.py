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


TURN = np.linspace(0, 2 * np.pi, 200, endpoint=False)
ALONG = np.linspace(-1, 1, 200)
PLANE = np.random.default_rng(0).uniform(-1, 1, (200, 2))


@pytest.mark.parametrize("unit", [1e-5, 1.0, 1e3, 1e5])
@pytest.mark.parametrize(
    "points, degree, decided",
    [
        (np.stack([ALONG, ALONG], axis=1), 1, 4),  # (a + b x + c y)(d/dx + d/dy), and (x - y) times either
        (np.stack([ALONG, ALONG], axis=1), 2, 9),
        (np.stack([np.cos(TURN), np.sin(TURN)], axis=1), 1, 1),  # the rotation
        (np.stack([np.cos(TURN), np.sin(TURN)], axis=1), 2, 5),  # times (1, x, y), and (x^2 + y^2 - 1) times two
        (np.hstack([PLANE, 0 * PLANE[:, :1]]), 1, 9),  # all but 1, x, y times d/dz
    ],
    ids=["line", "line, quadratic", "circle", "circle, quadratic", "plane"],
)
def test_candidates_that_data_decide_are_counted_in_any_units(points, degree, decided, unit):
    d = points.shape[1]
    units = np.array([1.0, unit, 1.0])[:d]
    x = points * units
    family, action = polynomials(d, 2, 1, "invariant"), er.actions.polynomial(d, degree)
    found = seen(bilinear(family, action, er.Samples.from_data(x)), free_parameters(family, x))
    each = found.basis * np.sqrt(np.mean((action.on_points(x) / units) ** 2, axis=(0, 2)))[:, None]
    moving = np.linalg.norm(each, axis=0) > 0
    assert found.basis.shape[1] == decided and found.leaving.shape[1] == action.n_generators - decided
    assert np.linalg.matrix_rank(each[:, moving] / np.linalg.norm(each[:, moving], axis=0)) == moving.sum()
    if d == 2:  # tangent: to y = x, and to the circle
        v = action.restrict(found.basis).on_points(x) / units
        normal = np.array([1.0, -1.0]) if decided in (4, 9) else points
        across = np.abs(np.einsum("nrd,nd->nr", v, np.broadcast_to(normal, points.shape))).max(axis=0)
        size = np.abs(each).max(axis=0)
        assert np.all(across <= 1e-6 * size)


def test_what_leads_out_of_a_line_is_left_out_and_said():
    rng = np.random.default_rng(0)
    t = rng.uniform(-1, 1, 800)
    x = t[:, None] * [1.0, 1e5]
    found = certify((x, t + 0.01 * rng.standard_normal(800)), AFFINE, x, family=1)
    assert any("2 of 6 candidates lead out" in note for note in found.notes)
    assert found.candidates.n_generators == 4
