"""What pages say of conserved quantities, algebras and questions that are not decided, against the mathematics."""

from __future__ import annotations

import re

import numpy as np
import pytest

import erlangen as er
from erlangen.algebra import LieAlgebra
from erlangen.dynamics import conserved
from erlangen.fields.libraries import Expressions, Polynomial
from erlangen.fields.trajectories import Trajectories
from erlangen.linalg.rank import LargestGap, Threshold
from erlangen.reports import _conserved_figures as figures
from erlangen.reports import _law_flows as flows
from erlangen.reports import report_html
from erlangen.reports._story import story_of

T = np.linspace(0, 20, 200)


@pytest.fixture(scope="module")
def tops() -> Trajectories:
    """An isotropic oscillator in space: its energy and angular momenta stay."""
    rng, runs = np.random.default_rng(0), []
    for q, p in rng.normal(size=(12, 2, 3)):
        c, s = np.cos(T)[:, None], np.sin(T)[:, None]
        runs.append(np.hstack([q * c + p * s, p * c - q * s]))
    return Trajectories.from_arrays(runs, T, names=["x", "y", "z", "px", "py", "pz"])


TURNS = ("x*py - y*px", "y*pz - z*py", "z*px - x*pz")


@pytest.fixture(scope="module")
def laws(tops):
    kinetic = Expressions(*TURNS, "(px**2 + py**2 + pz**2 + x**2 + y**2 + z**2)/2")
    return conserved(tops, kinetic, positions=["x", "y", "z"], momenta=["px", "py", "pz"])


def test_laws_over_time_are_in_units_of_what_their_terms_change_by(tops):
    found = conserved(tops, Polynomial(2), positions=["x", "y", "z"], momenta=["px", "py", "pz"])
    law, run = found.laws[0], tops.runs[0]
    terms = [c * values for c, values in zip(law.function, law.features.basis.evaluate(run.states).T, strict=True) if c]
    size = np.sqrt(sum(np.var(term) for term in terms))
    assert figures.swing(law, run.states) == pytest.approx(size) and size > 0.01
    np.testing.assert_allclose(figures.drift(law, run.states) * size, sum(terms) - np.mean(sum(terms)), atol=1e-12)
    assert np.abs(figures.drift(law, run.states)).max() < 1e-9
    drawn = figures.terms_figure([law], run)["data"]
    np.testing.assert_allclose(sum(trace["y"] for trace in drawn[:-1]), drawn[-1]["y"], atol=1e-9)


def test_brackets_on_the_page_are_those_of_the_functions(laws):
    told = story_of(laws)
    assert told.verdict == laws.verdict and "so(3)+R" in told.verdict
    (card,) = [card for card in told.cards if "Their Poisson algebra" in card]
    assert "Rotations of three-dimensional space" in card
    x = np.random.default_rng(1).normal(size=(20, 6))
    values = {f"h{k + 1}": law.values(x) for k, law in enumerate(laws.laws)}
    slopes = [law.gradient(x) for law in laws.laws]
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", card)[1:]
    assert len(rows) == len(laws.laws)
    for f, row in zip(slopes, rows, strict=True):
        cells = re.findall(r"<td[^>]*>(.*?)</td>", row)[1:]
        for g, cell in zip(slopes, cells, strict=True):
            bracket = (f[:, :3] * g[:, 3:] - f[:, 3:] * g[:, :3]).sum(axis=1)
            written = eval(cell.replace(" h", "*h").replace("-*", "- ").replace("+*", "+ "), {}, values)
            np.testing.assert_allclose(bracket, written, atol=1e-6)


def test_flows_of_laws_keep_the_energy_and_follow_the_motion(tops, laws):
    data = flows.flow_data(laws, tops)
    assert data is not None and data["value"] == "energy" and data["axes"] == [0, 1, 2]
    (later,) = [k for k, one in enumerate(laws.generators) if one.text.startswith(flows.ITSELF)]
    for generator in data["generators"]:
        assert max(generator["change"]) < 1e-8
    points, one = data["centre"] + data["scale"] * data["start"], laws.generators[later]
    speed = one.value(points[:1])[0, 0] / points[0, 3]  # the law may be a multiple of the energy
    span = 0.7 / abs(speed)
    last = flows.followed(one, None, points, span)[-1]
    c, s = np.cos(0.7), np.sin(0.7) * np.sign(speed)
    q, p = np.split(points, 2, axis=1)
    np.testing.assert_allclose(last, np.hstack([q * c + p * s, p * c - q * s]), atol=1e-7)


def test_an_algebra_is_told_with_its_brackets():
    rotations = np.zeros((3, 3, 3))
    for k, (i, j) in enumerate([(0, 1), (0, 2), (1, 2)]):
        rotations[k, j, i], rotations[k, i, j] = 1.0, -1.0
    algebra = LieAlgebra.from_matrices(rotations)
    text = report_html(algebra.identify(), data=algebra)
    assert "These 3 generators form so(3)." in text and "Structure constants" in text
    line = LieAlgebra.from_matrices(np.array([[[1.0, 0.0], [0.0, 0.0]], [[0.0, 1.0], [0.0, 0.0]]]))  # [e1, e2] = e2
    figure = story_of(line).figures["constants"]["data"][0]
    np.testing.assert_allclose(figure["z"], [[0.0, 1.0], [1.0, 0.0]], atol=1e-12)
    assert "Structure constants" not in report_html(algebra.identify())


def test_what_is_not_decided_is_told():
    page = report_html(er.UndecidedError("Too few <rows>.\n  given:    3"))
    assert "Not decided: Too few &lt;rows&gt;." in page and "given:    3" in page and "<rows>" not in page


@pytest.mark.parametrize("delta", [0.01, 0.3])
def test_the_line_that_decides_is_drawn_between_what_counts_and_what_does_not(tops, delta):
    found = conserved(tops, Polynomial(2), rule=Threshold(delta))
    (line,) = [one for one in story_of(found).figures["spectrum"]["data"] if one["name"] == "delta"]
    assert found.delta == delta and set(line["y"]) == {delta}
    (dots,) = [one for one in story_of(found).figures["spectrum"]["data"] if one["meta"]["role"] == "dots"]
    assert np.count_nonzero(dots["y"] <= delta) == found.linear_dim
    gap = conserved(tops, Polynomial(2), rule=LargestGap())
    assert gap.delta is None and len(story_of(gap).figures["spectrum"]["data"]) == 1


def test_laws_without_runs_have_a_page():
    found = conserved({"q": "p", "p": "-q**3"}, Polynomial(degree=4))
    told = story_of(found)
    assert "Equations of q, p." in told.head and set(told.figures) == {"spectrum"}
    assert "<msup>" in " ".join(told.cards)
