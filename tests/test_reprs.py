"""What a prompt and a notebook show: a line without arrays, escaped HTML without a style, and LaTeX of formulas."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from functools import cache
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

import erlangen as er
from erlangen._render import name_latex
from erlangen._shown import LONGEST_REPR, AbstractShown
from erlangen.dynamics import Equations
from erlangen.fields import Trajectories
from erlangen.fields.libraries import Polynomial

HOSTILE = "<img src=x onerror=alert(1)>"
BOX = er.Samples.box(-1, 1, dim=2, n=64)
ROTATION = er.actions.rotation(2)
X = np.random.default_rng(0).uniform(-1, 1, (300, 2))
Y = (X**2).sum(axis=1) + 0.01 * np.random.default_rng(1).normal(size=300)
T = np.linspace(0, 9, 120)


# --- every class that users get in their hands

MODULES = (
    "actions",
    "algebra",
    "derivative",
    "dynamics",
    "estimators",
    "evidence",
    "fields",
    "nn",
    "reports",
    "blocks",
)
MODULES += ("systems", "testing", "verbs", "io", "linalg.rank", "fields.libraries", "fields.trajectories")
MODULES += ("fields.table", "evidence.bounds.result", "evidence.discrete.results")


def public_classes():
    found = {getattr(er, name) for name in er.__all__}
    for module in MODULES:
        home = importlib.import_module(f"erlangen.{module}")
        found |= {getattr(home, name) for name in getattr(home, "__all__", None) or dir(home) if name[:1] != "_"}
    return sorted((c for c in found if inspect.isclass(c) and c.__module__.startswith("erlangen")), key=str)


def shown_by_others(kind):
    """Errors print their message, estimators and torch modules their parameters, named tuples their entries."""
    from sklearn.base import BaseEstimator
    from torch.nn import Module

    return issubclass(kind, (BaseException, BaseEstimator, Module, tuple))


def test_every_public_class_has_a_line_and_a_table():
    bare = [
        kind.__name__ for kind in public_classes() if not (shown_by_others(kind) or issubclass(kind, AbstractShown))
    ]
    assert not bare, f"make these AbstractShown: {bare}"


def test_no_public_class_prints_what_a_dataclass_would():
    dumped = [kind.__name__ for kind in public_classes() if hasattr(kind.__repr__, "__wrapped__")]
    assert not dumped, f"a generated repr prints whole arrays: {dumped}"


def test_a_dataclass_that_is_shown_needs_no_repr_of_its_own():
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Fresh(AbstractShown):
        points: np.ndarray

    assert repr(Fresh(np.zeros((9, 2)))) == "Fresh(points=array (9, 2))"


# --- instances


@cache
def symmetry():
    return er.discover("x**2 + y**2", er.actions.affine(2), BOX)


@cache
def runs(names=("q", "p")):
    starts = ((1, 0), (2, 1), (3, 2), (4, 4))
    return Trajectories.from_arrays([np.c_[a * np.cos(T + b), -a * np.sin(T + b)] for a, b in starts], T, names=names)


@cache
def laws(names=("q", "p")):
    return er.dynamics.conserved(runs(names), Polynomial(degree=2), positions=names[:1], momenta=names[1:])


@cache
def certificate():
    return er.evidence.certify((X, Y), ROTATION, BOX, family=2)


@cache
def promoted():
    return er.promote(Polynomial(degree=2, dim=2).as_field(), ROTATION, BOX)


CASES = {
    "polynomial action": (lambda: er.actions.rotation(3), r"\partial_{y}"),
    "many generators": (lambda: er.actions.affine(8), r"\partial"),
    "function grid": (lambda: er.actions.FunctionGrid((8, 8)), None),
    "samples": (lambda: BOX, None),
    "samples of data": (lambda: er.Samples.from_data(X), None),
    "field": (lambda: er.as_field("x**2 + y**2"), "x^{2}"),
    "family": (lambda: Polynomial(degree=2, dim=2).as_field(), None),
    "vector field": (lambda: er.fields.polynomial_field(2, 1, [[0, 0, 1], [0, -1, 0]], "vector"), r"\partial"),
    "Lie derivative": (lambda: er.LieDerivative(er.as_field("x*y"), ROTATION, BOX), None),
    "group": (lambda: er.groups.SO(3), r"\mathrm{SO}(3)"),
    "representation": (lambda: er.rep("2V + V*V", er.groups.SO(3)), "2V"),
    "linear maps": (lambda: er.rep("V", er.groups.SO(3)) >> er.rep("V", er.groups.SO(3)), None),
    "algebra": (lambda: er.actions.rotation(3).lie_algebra(), "[e_{1}, e_{2}]"),
    "structure": (lambda: er.actions.rotation(3).lie_algebra().identify(), r"\mathfrak{so}(3)"),
    "symmetry": (symmetry, r"\xi_{1}"),
    "found": (lambda: symmetry().found, None),
    "generator": (lambda: symmetry().found.generators[0], None),
    "rank decision": (lambda: symmetry().decision, None),
    "rank rule": (er.Threshold, None),
    "symmetric members": (lambda: er.enforce(Polynomial(degree=2, dim=2).as_field(), ROTATION), None),
    "penalty": (promoted, None),
    "promoted": (lambda: promoted().fit(X, Y, 0.1), None),
    "trajectories": (runs, None),
    "run": (lambda: runs().runs[0], None),
    "laws": (laws, "I_{1} &="),
    "law": (lambda: laws().laws[0], "q^{2}"),
    "generated symmetry": (lambda: laws().generators[0], r"\partial"),
    "equations": (lambda: Equations.from_text({"x": "y", "y": "-sin(x)"}), r"\dot{x}"),
    "simulation": (lambda: Equations.from_text({"x": "-x"}).simulate([1.0], T), None),
    "library": (lambda: Polynomial(degree=2), None),
    "fitted table": (lambda: er.fields.table.fit_table(X, Y, classes=[2]), None),
    "certificate": (certificate, None),
    "bound": (lambda: certificate().bounds[0], None),
    "gate": (lambda: certificate().gates[0], None),
    "box certificate": (lambda: er.evidence.bound("x**2 + 2*y**2", ROTATION, [(-1, 1)] * 2), None),
    "observations": (lambda: er.evidence.observed((X, Y)), None),
    "finite set": (lambda: er.evidence.signs(2), None),
    "system": (lambda: er.systems.get(er.systems.names()[0]), None),
}  # fmt: skip


class Balanced(HTMLParser):
    """Tags of a page, and whether each is closed in order."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open = set(), []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.open.append(tag)
        assert not dict(attrs).keys() & {"style", "class", "onerror", "src"}, attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("name", CASES)
def test_a_line_is_short_and_holds_no_array(name):
    line = repr(CASES[name][0]())
    assert len(line) <= 2 * LONGEST_REPR and line.count("\n") <= 2
    assert "array([" not in line and " at 0x" not in line


@pytest.mark.parametrize("name", CASES)
def test_html_is_closed_and_small_and_takes_the_colours_of_the_page(name):
    page = CASES[name][0]()._repr_html_()
    assert page and Balanced(page).open == [] and len(page) < 20_000


@pytest.mark.parametrize("name", CASES)
def test_formulas_are_there_for_latex(name):
    shown, part = CASES[name][0](), CASES[name][1]
    text = shown._repr_latex_() if hasattr(shown, "_repr_latex_") else None
    if part is None:
        assert text is None
    else:
        assert part in text and text.startswith("$") and text.endswith("$") and text.count("{") == text.count("}")


def test_a_notebook_is_offered_html_beside_latex():
    """Frontends take HTML where both are offered, and writers of PDF the LaTeX: each says the same."""
    from IPython.core.formatters import DisplayFormatter

    data, _ = DisplayFormatter().format(symmetry())
    assert data.keys() == {"text/plain", "text/html", "text/latex"}
    assert "x d/dy - y d/dx" in data["text/html"] and r"x\,\partial_{y} - y\,\partial_{x}" in data["text/latex"]
    assert DisplayFormatter().format(er.plot(symmetry()))[0]["image/png"][:4] == b"\x89PNG"


def hostile_cases():
    frame = pd.DataFrame(X, columns=[HOSTILE, "y"])
    yield er.discover((frame, Y), er.actions.affine(2), BOX)
    yield laws((HOSTILE, "p"))
    yield laws((HOSTILE, "p")).laws[0]
    yield laws((HOSTILE, "p")).generators[0]
    yield runs((HOSTILE, "p"))
    yield er.evidence.certify((X, Y), ROTATION, BOX, family=2, names=[HOSTILE, "y"])
    yield er.dynamics.SINDy(degree=1, sparsity=None).fit(X, x_dot=X, names=[HOSTILE, "y"]).equations_


def test_names_from_the_data_cannot_run():
    for shown in hostile_cases():
        page = shown._repr_html_()
        assert "<img" not in page and Balanced(page).open == []


@pytest.mark.parametrize(
    ("name", "latex"),
    [
        ("so(3)", r"\mathfrak{so}(3)"),
        ("gl(2) ⋉ R^2", r"\mathfrak{gl}(2) \ltimes \mathbb{R}^{2}"),
        ("su*(2)", r"\mathfrak{su}^{*}(2)"),
        ("Bianchi VII_0", r"\text{Bianchi VII_0}"),
        ("SO(2) x Z(2)", r"\mathrm{SO}(2) \times \mathrm{Z}(2)"),
    ],
)
def test_names_of_algebras_in_latex(name, latex):
    assert name_latex(name) == latex


def test_a_long_table_is_cut_and_says_so():
    page = er.actions.affine(8)._repr_html_()
    assert page.count("<tr>") < 30 and "... and 48 more" in page


def test_all_modules_of_classes_are_looked_at():
    folders = {m.name for m in pkgutil.iter_modules(er.__path__) if m.ispkg and m.name[:1] != "_"}
    assert folders - {"cli", "linalg", "data"} <= set(MODULES)
