"""Pages of enforced and promoted fits, and figures for papers."""

from __future__ import annotations

import numpy as np
import pytest

import erlangen as er
from erlangen.dynamics import Equations
from erlangen.reports import enforced as enforced_page
from erlangen.reports import promoted as promoted_page
from erlangen.reports import report_html, save_figure

FAMILY = er.fields.Polynomial(degree=3, dim=2).as_vector_field()
LAMS = (0.01, 0.003, 0.001)  # a short path: fits are tested elsewhere
SPRING = Equations.from_text({"x": "v", "v": "-x - 0.1*v"})


@pytest.fixture(scope="module")
def space():
    return er.enforce(FAMILY, er.actions.rotation(2))


@pytest.fixture(scope="module")
def regressor():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2))
    y = (x**2).sum(axis=1) + 0.05 * rng.normal(size=200)
    return er.estimators.SymmetryPromotingRegressor(er.actions.rotation(2), degree=2, lams=LAMS).fit(x, y)


@pytest.fixture(scope="module")
def circle():
    return er.discover(lambda x: x[:, 0] ** 2 + x[:, 1] ** 2, samples=er.Samples.box(-1, 1, dim=2))


def test_a_basis_is_written_in_its_family(space):
    story = enforced_page.story(space, FAMILY)
    assert story.verdict == "The symmetry leaves 4 free parameters of 20."
    assert all(FAMILY.describe(theta) in "".join(story.cards) for theta in space.sparse_basis().T)
    np.testing.assert_array_equal(story.figures["basis"]["data"][0]["z"].T, space.sparse_basis())
    with pytest.raises(er.InputError, match="not the fields"):
        enforced_page.story(space, er.fields.Polynomial(degree=2, dim=2).as_vector_field())


def test_nothing_and_everything_have_their_sentence():
    field = er.fields.Polynomial(degree=1, dim=2).as_field()
    nothing = er.enforce(er.rep("V", er.groups.SO(3)) >> er.rep("S", er.groups.SO(3)))
    assert enforced_page.verdict(nothing) == "Nothing but zero is symmetric: the symmetry fixes all 3 parameters."
    one = er.enforce(field, er.actions.rotation(2))
    assert enforced_page.verdict(one) == "The symmetry leaves 1 free parameter of 3."
    everything = er.enforce(er.fields.Polynomial(degree=1, dim=1).as_vector_field(), er.actions.fields([["0"]], ["x"]))
    assert enforced_page.verdict(everything) == "Every member of the family is symmetric: all 2 parameters are free."


def test_what_the_data_keep_is_told(regressor):
    story = promoted_page.story(regressor)
    assert story.verdict.startswith("Nothing is broken: the fit keeps the generator")
    dots = {trace["name"]: trace["y"] for trace in story.figures["broken"]["data"]}
    assert len(dots["broken"]) == regressor.broken_rank_ == 0 and len(dots["kept"]) == 1
    chosen = story.figures["errors"]["data"][1]["x"]
    assert set(chosen) == {regressor.lam_}
    page = report_html(regressor)
    assert "What was compared" in page and "e-1" not in page[page.index("The fit<") : page.index("Provenance")]


def test_an_estimator_without_a_fit_is_refused():
    with pytest.raises(er.InputError, match="before a fit"):
        er.reports.report_html(er.estimators.SymmetryPromotingRegressor())


# --- figures for papers


def panels(figure):
    return [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]


def test_a_symmetry_is_drawn_with_its_fields(circle):
    figure = er.plot(circle)
    titles = [axes.get_title(loc="left") for axes in panels(figure)]
    assert titles == ["Spectrum", "Dimension as a function of delta", "x d/dy - y d/dx"]
    arrows = [child for child in figure.axes[2].get_children() if type(child).__name__ == "Quiver"][0]
    x = arrows.get_offsets()
    np.testing.assert_allclose(np.stack([arrows.U, arrows.V], axis=1), np.stack([-x[:, 1], x[:, 0]], axis=1), atol=1e-9)


def test_coordinates_of_fields_can_be_chosen(circle):
    assert er.plot(circle, axes=("y", "x")).axes[2].get_xlabel() == "y"
    with pytest.raises(er.InputError, match="not two coordinates"):
        er.plot(circle, axes=("y", "w"))


def test_every_kind_of_result_has_a_figure(circle, space, regressor, tmp_path):
    t = np.linspace(0, 6, 41)
    states = [SPRING.simulate([1.0 + k, 0.0], t).states for k in range(2)]
    flow = er.fields.Trajectories.from_arrays(states, t, names=SPRING.names)
    cases = {
        "evidence": (er.plot(circle.certificate), 2),
        "enforced": (er.plot(space), 1),
        "promoted": (er.plot(regressor), 2),
        "equations": (er.plot(SPRING), 2),
        "solutions": (er.plot(SPRING, flow), 2),
    }
    for name, (figure, n) in cases.items():
        assert len(panels(figure)) == n, name
    rollout = cases["solutions"][0].axes[0].lines[0].get_xydata()
    np.testing.assert_allclose(np.interp(rollout[:, 0], t, states[0][:, 0]), rollout[:, 1], atol=0.05)
    drawn = save_figure(cases["enforced"][0], tmp_path / "basis.svg").read_text()
    assert drawn.count("<path") > 10 and save_figure(er.plot(circle), tmp_path / "a.pdf").read_bytes()[:4] == b"%PDF"


def test_what_has_no_figure_is_refused_and_nothing_global_is_touched():
    import sys

    def known():
        return getattr(sys.modules.get("matplotlib.pyplot"), "get_fignums", list)()

    before = known()  # of other tests in this process
    with pytest.raises(er.InputError, match="There is no figure of this object"):
        er.plot(er.LieAlgebra.from_matrices(np.eye(2)[None]))
    with pytest.raises(er.InputError, match="There is no report"):
        er.plot(3)
    er.plot(er.discover("x**2 + y**2", samples=er.Samples.box(-1, 1, dim=2)))
    assert known() == before
