"""Reports of symmetries: what they say is true, and the page reads well without eyes, a mouse or a network."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import expm

import erlangen as er
from erlangen.algebra import known
from erlangen.derivative import move
from erlangen.dynamics import Equations
from erlangen.reports import report_html
from erlangen.reports._flow import flow_data
from erlangen.reports._formulas import generator_mathml
from erlangen.reports._implied import code, follows, orbit_dimension
from erlangen.reports._meaning import facts, meaning
from erlangen.reports._moves import move_of, span_of
from erlangen.reports._units import Units
from erlangen.reports.symmetry import spectrum_figure

HOSTILE = ('<b>"x"</b>', "y'</script>", "größe µ & $z$")
HOPF = {"x": "x - y - x*(x**2 + y**2)", "y": "x + y - y*(x**2 + y**2)"}


@pytest.fixture(scope="module")
def ball():
    return er.discover(lambda x: np.exp(-(x**2).sum(axis=1) / 2), er.actions.affine(3), er.Samples.box(-1, 1, dim=3))


@pytest.fixture(scope="module")
def turning():
    box = er.Samples.box(-1.5, 1.5, dim=2)
    return er.dynamics.symmetries(Equations.from_text(HOPF), er.actions.affine(2), box)


@pytest.fixture(scope="module")
def noisy():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(800, 3))
    y = x[:, 0] ** 2 + x[:, 1] ** 2 + 0.5 * x[:, 2] + 0.1 * rng.normal(size=800)
    return er.discover((pd.DataFrame(x, columns=list(HOSTILE)), pd.Series(y, name="f")), er.actions.affine(3))


@pytest.fixture(scope="module")
def page(noisy) -> str:
    return report_html(noisy, title='<i>"title"')


# --- words


ALGEBRAS = {
    "so(2)": "plane",
    "so(3)": "three-dimensional",
    "so(5)": "5-dimensional",
    "so(3,1)": "relativity",
    "sl(2,R)": "Area-preserving",
    "so(3,2)": "3 plus and 2 minus",
    "e(2)": "Rigid motions of 2-",
    "iso(3,1)": "Poincare",
    "iso(2,1)": "space-time",
    "sim(2)": "Similarities",
    "gl(3)": "linear maps of 3-",
    "sl(3,R)": "preserve volume",
    "sp(4,R)": "canonical",
    "su(3)": "Unitary maps of 3",
    "u(3)": "multiplication by i",
    "su(2,1)": "Hermitian form with 2 plus and 1",
    "aff(1)": "line",
    "aff(3)": "affine maps of 3-",
    "h(5)": "position and momentum",
    "R": "One flow",
    "R^4": "4 flows that commute",
    "so(3)+R": "2 parts that do not disturb",
    "g2": "exceptional",
}


@pytest.mark.parametrize(("name", "words"), ALGEBRAS.items(), ids=list(ALGEBRAS))
def test_names_are_explained(name, words):
    assert words in meaning(name) and "{" not in meaning(name)


def test_names_that_nobody_knows_are_explained_by_their_structure():
    spiral = np.array([[[1.0, -2.0], [2.0, 1.0]]])  # R acting on a plane, with its translations
    structure = er.LieAlgebra.from_matrices(np.concatenate([known.lin(spiral), known.translations(2)])).identify()
    assert meaning("no such name", structure) == (
        "A solvable algebra of dimension 3: its brackets span a smaller one, their brackets a smaller, to nothing."
    )
    rows = dict(facts(structure))
    assert (rows["dimension"], rows["semisimple part"], rows["radical"]) == ("3", "none", "dimension 3")
    assert "semisimple part so(3) acts" in meaning("?", er.LieAlgebra.from_matrices(known.iso(3)).identify())


MOVES = {
    "rotation": (["-y", "x", "0"], "rotation of x, y"),
    "translation": (["0", "2", "0"], "translation along y"),
    "slanted": (["1", "1", "0"], "translation along a direction of x, y"),
    "scaling": (["x", "3*y", "0"], "scaling of x, y"),
    "boost": (["y", "x", "0"], "boost of x, y"),
    "shear": (["0", "0", "x"], "shear of z"),
    "spiral": (["x - y", "x + y", "0"], "spiral of x, y"),
    "elsewhere": (["1 - y", "x", "0"], "rotation of x, y about another point than the origin"),
    "screw": (["-y", "x", "1"], "rotation of x, y, and a translation along what it leaves alone"),
    "curved": (["x**2", "0", "0"], "curved flow that moves x"),
}


@pytest.mark.parametrize(("field", "words"), MOVES.values(), ids=list(MOVES))
def test_generators_are_told_in_words(field, words):
    assert move_of(er.actions.fields([field], ["x", "y", "z"]), ("x", "y", "z")).words == words


def test_a_slider_reaches_half_a_turn_to_either_side():
    fast = er.actions.fields([["-5*y", "5*x"]], ["x", "y"])
    x = np.random.default_rng(0).normal(size=(50, 2))
    half = span_of(fast, x, Units.of(x))
    np.testing.assert_allclose(expm(half * np.array([[0, -5.0], [5.0, 0]])), -np.eye(2), atol=1e-12)


def test_orbits_are_counted_up_to_the_noise(ball, turning, noisy):
    assert [orbit_dimension(sym) for sym in (ball, turning, noisy)] == [2, 1, 2]
    told = " ".join(follows(noisy))
    assert "depends on 1 number instead of 3" in told and "gives angular momentum" in told
    assert "takes solutions of the equations to solutions" in " ".join(follows(turning))


@pytest.mark.parametrize("name", ["ball", "turning"])
def test_the_code_on_the_page_runs(name, request, tmp_path):
    sym = request.getfixturevalue(name)
    sym.save(tmp_path / "symmetry.json")
    *lines, last = (line.replace("symmetry.json", str(tmp_path / "symmetry.json"), 1) for line in code(sym))
    scope: dict = {}
    exec("\n".join(lines), scope)
    assert scope["space"].dim == {"ball": 2, "turning": 4}[name] and "model" in scope
    assert last.startswith(f'net = er.nn.EquivariantMLP("V", "{"S" if name == "ball" else "V"}", sym')


# --- formulas


def test_formulas_are_mathematics_whatever_columns_are_called():
    one = er.actions.fields([["-2*y", "x**2"]], ["x", "y"])
    tree = ElementTree.fromstring(generator_mathml(one, HOSTILE[:2]))
    text = "".join(tree.itertext())
    assert text.replace("\u2062", "") == '\u22122y\'</script>\u2202<b>"x"</b>+<b>"x"</b>2\u2202y\'</script>'
    assert [node.tag for node in tree.iter()].count("msup") == 1


def test_the_spectrum_has_its_line_and_its_band(noisy):
    figure = spectrum_figure(noisy)
    found = {trace["name"]: trace for trace in figure["data"]}
    assert len(found["counts as zero"]["x"]) == noisy.decision.dim == 3
    assert len(found["does not"]["x"]) == len(noisy.spectrum) - 3
    assert set(found["delta"]["y"]) == {noisy.measurement.delta}
    assert np.min(found["counts as zero"]["y"]) >= noisy.floor  # smaller ones are not told apart
    band = np.asarray(found["true defects"]["y"])
    high, low = band[: len(band) // 2], band[len(band) // 2 :][::-1]
    drawn = np.maximum(noisy.spectrum, noisy.floor)
    assert np.all(low <= drawn * (1 + 1e-12)) and np.all(drawn <= high)


# --- flows


def test_the_page_is_sent_what_python_flows_with(ball, turning):
    for sym in (ball, turning):
        sent = json.loads(json.dumps(flow_data(sym), default=lambda a: a.tolist()))
        u, centre, scale = (np.array(sent[key]) for key in ("start", "centre", "scale"))
        assert 100 < len(u) <= 300
        for one, generator in zip(sent["generators"], sym.found.generators, strict=True):
            g = expm(0.7 * np.array(one["matrix"]))
            moved, _ = move(sym.candidates, generator.xi, 0.7, centre + scale * u, np.zeros((len(u), 1)))
            np.testing.assert_allclose(centre + scale * (u @ g[:-1, :-1].T + g[:-1, -1]), moved, atol=1e-12)


def test_values_are_compared_along_the_flow(ball, noisy):
    exact, rough = (max(max(one["change"]) for one in flow_data(sym)["generators"]) for sym in (ball, noisy))
    assert exact < 1e-12 < rough < 0.05
    broken = er.discover(lambda x: (x**2) @ [1.0, 1.2], er.actions.rotation(2), er.Samples.box(-1, 1, dim=2),
                         rule=er.Threshold(0.3))  # fmt: skip
    change = flow_data(broken)["generators"][0]["change"]
    assert change[len(change) // 2] == 0 and max(change) > 0.05


def test_flows_that_are_no_polynomials_are_sent_as_frames():
    def velocities(x):  # along level lines of x + sin(y)
        return np.stack([np.cos(x[:, 1]), -np.ones(len(x))], axis=1)[:, None]

    action = er.actions.CallableAction(velocities, 2, ("along",))
    sym = er.discover(lambda x: x[:, 0] + np.sin(x[:, 1]), action, er.Samples.box(-1, 1, dim=2))
    sent = flow_data(sym)
    one = sent["generators"][0]
    assert "terms" not in one and len(one["frames"]) == 33
    early, middle = one["frames"][0], one["frames"][16]
    np.testing.assert_allclose(middle, sent["start"], atol=1e-6)
    ahead = one["span"] * sym.generators[0, 0] / sent["scale"][1]
    np.testing.assert_allclose(early[:, 1], sent["start"][:, 1] + ahead, atol=2e-6)
    assert "callable" not in report_html(sym) and "flow-plot" in report_html(sym)


# --- the page


class Reader(HTMLParser):
    """What is said of a page: its tags, labels, headings and sources."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.sources: list[str] = []
        self.feed(re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.sources += [value for key, value in attrs if key in ("src", "href")]

    def of(self, *tags):
        return [attrs for tag, attrs in self.tags if tag in tags]


def test_a_page_is_one_file_that_reads_well(page, noisy):
    seen = Reader(page)
    assert len(page.encode()) < 6e6
    assert seen.sources and all(source.startswith(("#", "data:")) for source in seen.sources)
    assert seen.of("html") == [{"lang": "en"}] and len(seen.of("main")) == len(seen.of("h1")) == 1
    labels = {attrs["for"] for attrs in seen.of("label")}
    controls = {attrs["id"] for attrs in seen.of("select", "input")}
    assert controls == labels == {"flow-generator", "flow-time", "flow-x", "flow-y", "flow-z"}
    drawn = [attrs for attrs in seen.of("div") if "plot" in attrs.get("class", "").split()]
    assert len(drawn) >= 4 and all(attrs["role"] == "img" and attrs["aria-label"] for attrs in drawn)
    assert {attrs["id"] for attrs in drawn} >= {"flow-plot", "spectrum", "evidence-path", "evidence-bounds"}
    assert page.index("class='verdict'") < page.index("<main")


def test_names_of_the_data_are_text(page):
    assert "<title>&lt;i&gt;&quot;title&quot;</title>" in page
    outside = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert '<b>"x"' not in outside and "y'</script" not in page
    assert "&lt;b&gt;&quot;x&quot;&lt;/b&gt;" in outside and "größe µ &amp; $z$" in outside
    copied = [attrs["data-copy"] for attrs in Reader(page).of("button") if "data-copy" in attrs]
    assert any(r"\partial_" in text for text in copied)


def contrast(a: str, b: str) -> float:
    """Contrast ratio of two colours, as WCAG 2.1 defines it."""

    def light(colour: str) -> float:
        rgb = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    low, high = sorted((light(a), light(b)))
    return (high + 0.05) / (low + 0.05)


def test_text_stands_out_on_light_and_dark_ground(page):
    light, dark = (
        dict(re.findall(r"--(\w+):(#\w{6})", block)) for block in re.findall(r":root[^{]*\{([^}]*)\}", page)[:2]
    )
    for ground in (light, dark):
        for text in ("ink", "soft", "run0"):
            assert all(contrast(ground[text], ground[on]) >= 4.5 for on in ("ground", "card", "shade"))
        assert contrast(ground["line"], ground["card"]) >= 3  # edges of controls


def test_doubts_come_before_the_rest():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 2))
    sym = er.discover((x, x[:, 0] * x[:, 1] + rng.normal(size=60)), er.actions.affine(2))
    text = report_html(sym)
    assert not sym.decided and "Read this first" in text
    assert text.index("Read this first") < text.index("</main>") and "The data do not decide" in text


def test_where_nothing_is_found_there_is_no_flow_and_no_alarm():
    text = report_html(er.discover(lambda x: x[:, 0] + np.exp(x[:, 1] * x[:, 0]), samples=er.Samples.box(-1, 1, dim=2)))
    assert "No continuous symmetry" in text and "What else may be asked" in text
    assert "id='flow'" not in text and "Read this first" not in text and "Put it to use" not in text


def test_many_generators_unfold_and_the_view_begins_where_the_first_moves():
    sym = er.discover(lambda x: (x[:, 2:] ** 2).sum(axis=1), er.actions.rotation(8).restrict(np.eye(28)[:, 13:]),
                      er.Samples.box(-1, 1, dim=8))  # fmt: skip
    first = move_of(sym.candidates.restrict(sym.generators[0]), sym.coordinates).words
    axes = flow_data(sym)["axes"]
    assert sym.dim == 15 and {f"x{a + 1}" for a in axes} > set(first.removeprefix("rotation of ").split(", "))
    text = report_html(sym)
    assert "<summary>3 more</summary>" in text and text.count("aria-label='Copy the LaTeX") == 15


def test_other_objects_are_refused_with_what_there_is(tmp_path, ball):
    with pytest.raises(er.InputError, match="There is no report of this object"):
        er.report(3, tmp_path / "a.html")
    path = er.report(ball, tmp_path / "ball.html")
    with pytest.raises(er.InputError, match="exists"):
        er.report(ball, path)
