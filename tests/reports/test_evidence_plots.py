"""Figures and pages of certificates and maps: what they draw is what was certified."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree

import numpy as np
import pytest

import erlangen as er
from erlangen.evidence import Band, Bound, Certificate, Gate, where
from erlangen.reports import (
    bounds_figure,
    evidence_cards,
    evidence_html,
    evidence_page,
    map_figure,
    path_figure,
    save_figure,
    to_plotly,
)
from erlangen.reports._page import to_script
from erlangen.reports._story import story_of

ACTION = er.actions.affine(2)


def certificate(**changes) -> Certificate:
    xi = np.eye(6)
    bounds = (
        Bound(xi[0], "x d/dy - y d/dx", 0.01, 0.0, 0.03, "certified", "because <so>"),
        Bound(xi[1], "d/dx", 0.04, 0.01, 0.2, "not refuted", "more data"),
        Bound(xi[2], "d/dy", 0.6, 0.3, np.inf, "refuted", "too large"),
    )
    band = Band(np.array([0.01, 0.04, 0.6]), np.array([0.0, 0.01, 0.3]), np.array([0.03, 0.2, np.inf]))
    given = dict(
        dim=1, bounds=bounds, band=band, alpha=0.05, delta=0.05, mode="simultaneous", guarantee="all of it holds",
        assumptions=("the class", "noise < 1"), gates=(Gate("lack of fit", True, 0.4, 0.01, "nothing < seen"),),
        trivial=(Bound(xi[3], "F", 0.0, 0.0, 0.0, "certified", "itself"),), region="a box", candidates=ACTION,
        coordinates=("x", "y"),
    )  # fmt: skip
    return Certificate(**(given | changes))


@pytest.fixture(scope="module")
def found():
    def f(x):
        return (x**2).sum(axis=1) + 4 * x[:, 1] * (x[:, 0] > 0.5)

    return where(f, er.actions.rotation(2), er.Samples.box(-1, 1, dim=2, n=200))


def named(figure, name, role="line"):
    return [t for t in figure["data"] if t["name"] == name and t["meta"]["role"] == role]


def test_the_path_is_the_band():
    mine = certificate()
    figure = path_figure(mine, {"noise floor": 0.02})
    for name, count in (
        ("certified", mine.band.certified),
        ("estimated", mine.band.estimated),
        ("not refuted", mine.band.possible),
    ):
        (line,) = named(figure, name)
        for delta in (0.005, 0.015, 0.035, 0.1, 0.25, 0.5, 0.9):
            drawn = line["y"][np.flatnonzero(line["x"] <= delta)[-1]]
            assert drawn == count(delta), (name, delta)
    marks = {t["name"]: t["x"][0] for t in figure["data"] if t["meta"]["role"] == "edge"}
    assert marks == {"delta": 0.05, "noise floor": 0.02}
    low, high = figure["layout"]["xaxis"]["range"]
    assert low < np.log10(0.01) and high > np.log10(0.6)
    (band,) = [t for t in figure["data"] if t["meta"]["role"] == "band"]
    assert len(band["x"]) == len(band["y"]) and band["y"].max() == 3


def test_bounds_are_drawn_with_their_verdicts():
    figure = bounds_figure(certificate())
    assert dict(figure["layout"]["meta"]["legend"]) == {"certified": 0, "not refuted": 2, "refuted": 1, "trivial": -1}
    (line,) = named(figure, "not refuted")
    assert line["x"].tolist() == [0.01, 0.2] and line["y"].tolist() == [3, 3]
    (refuted,) = named(figure, "refuted")
    assert np.isfinite(refuted["x"]).all() and refuted["x"][0] == 0.3
    assert figure["layout"]["yaxis"]["ticktext"] == ["x d/dy - y d/dx", "d/dx", "d/dy", "F"]


def test_maps_show_every_point_once(found):
    figure = map_figure(found)
    assert sum(len(t["x"]) for t in figure["data"]) == len(found.points)
    holds = named(figure, "holds", "dots")[0]
    assert np.mean(np.asarray(holds["x"]) < 0.55) > 0.97 and len(holds["text"]) == len(holds["x"])
    assert figure["layout"]["xaxis"]["title"]["text"] == "x"


def test_empty_and_extreme_bands_are_drawn(tmp_path):
    none = np.zeros(0)
    for k, band in enumerate((Band(none, none, none), Band(np.zeros(2), np.zeros(2), np.full(2, np.inf)))):
        figure = path_figure(certificate(dim=0, bounds=(), trivial=(), band=band))
        assert json.loads(to_script(figure)) and save_figure(figure, tmp_path / f"{k}.svg").exists()


@pytest.mark.parametrize("draw", [path_figure, bounds_figure], ids=lambda f: f.__name__)
def test_figures_become_files_and_plotly_objects(draw, found, tmp_path):
    figure = draw(certificate())
    svg = save_figure(figure, tmp_path / "figure.svg")
    assert ElementTree.parse(svg).getroot().tag.endswith("svg")
    png = save_figure(map_figure(found), tmp_path / "map.png").read_bytes()
    assert png[:8] == b"\x89PNG\r\n\x1a\n" and len(png) > 5000
    assert len(to_plotly(figure).data) == len(figure["data"])
    with pytest.raises(er.InputError, match="exists"):
        save_figure(figure, tmp_path / "figure.svg")
    with pytest.raises(er.InputError, match="other formats"):
        save_figure(figure, tmp_path / "figure.gif")


def test_the_page_says_what_the_certificate_says(found):
    mine = certificate()
    page = evidence_html(mine, maps=found, title="sure?")
    for words in ("All of it holds", "the class", "noise &lt; 1", "lack of fit", "because &lt;so&gt;", "a box"):
        assert words in page
    assert mine.verdict in page and "holds for x &lt; 0.5" in page and "nothing &lt; seen" in page
    figures = json.loads(re.search(r"const FIGURES=(\{.*?\});\n?", page)[1])
    assert (
        set(figures)
        == {"evidence-path", "evidence-bounds", "map0-0"}
        == set(re.findall(r"class='plot' id='(.*?)'", page))
    )


def test_failed_gates_are_told_and_cards_fit_other_pages():
    failed = certificate(
        gates=(Gate("coverage", False, 9.0, 2.0, "the region reaches beyond the data"),), notes=("n.b.",)
    )
    cards, figures = evidence_cards(failed, prefix="mine")
    assert set(figures) == {"mine-path", "mine-bounds"} and "FAILED" in "".join(cards) and "n.b." in "".join(cards)
    assert "Nothing is certified: coverage" in evidence_html(failed)


def test_what_leaves_a_certificate_in_doubt_is_read_before_it():
    doubts = (
        Gate("neighbours", False, 0.4, 0.1, "neighbouring <samples> are alike", binding=False),
        Gate("coverage", True, 1.0, 2.0, "inside the data"),
    )
    mine = certificate(gates=doubts)
    assert not mine.decided and mine.verdict.startswith("Certified")
    told = story_of(mine)
    assert told.verdict == f"In doubt: neighbours: neighbouring <samples> are alike. {mine.verdict}"
    assert "Read this first" in told.cards[0] and "neighbouring &lt;samples&gt; are alike" in told.cards[0]
    page = evidence_html(mine)
    assert page.index("<b>In doubt: neighbours") < page.index("Read this first") < page.index("Dimension as a function")
    both = certificate(gates=(*doubts, Gate("coverage", False, 9.0, 2.0, "beyond the data")))
    assert story_of(both).verdict == both.verdict and "Nothing is certified: coverage" in both.verdict
    first = story_of(both).cards[0]
    assert 0 < first.index("coverage: beyond the data.") < first.index("neighbours: ")
    assert "Read this first" not in evidence_html(certificate())


def test_pages_are_written_once(tmp_path):
    path = evidence_page(certificate(), tmp_path / "sure.html")
    with pytest.raises(er.InputError, match="exists"):
        evidence_page(certificate(), path)


def test_a_browser_draws_the_page(found, tmp_path, drawn):
    text = drawn(evidence_page(certificate(), tmp_path / "sure.html", maps=found))
    assert text.count('class="scatterlayer') == 3 and text.count('class="point"') >= len(found.points)
