"""What the public verbs of evidence read, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import erlangen as er
from erlangen import reports

evidence: Any = er.evidence  # what is wrong on purpose is no mistake of types
bounds_figure: Any = reports.bounds_figure
evidence_page: Any = reports.evidence_page
map_figure: Any = reports.map_figure
path_figure: Any = reports.path_figure

RNG = np.random.default_rng(0)
X = RNG.uniform(-1, 1, (400, 2))
Y = (X**2).sum(axis=1) + 0.02 * RNG.standard_normal(400)
DATA, BOX, TURN, SO2 = (X, Y), er.Samples.box(-1, 1, dim=2), er.actions.rotation(2), er.groups.SO(2)


def round_function(x):
    return (x**2).sum(axis=1)


def nothing():
    """A certificate that certifies nothing."""
    found = evidence.certify((X[:30], Y[:30] + RNG.standard_normal(30)), TURN, BOX, family=2)
    assert found.dim == 0
    return found


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: evidence.certify(DATA, "rotation"), "er.actions.rotation"),
        (lambda: evidence.certify(DATA, np.array([[0, -1], [1, 0.0]])), "er.actions.linear"),
        (lambda: evidence.certify(DATA, er.groups.D(4)), "test_elements"),
        (lambda: evidence.certify(DATA, er.actions.rotation(3)), "another space"),
        (lambda: evidence.certify(DATA, TURN, er.Samples.box(-1, 1, dim=3), family=2), "another space"),
        (lambda: evidence.certify(DATA, TURN, BOX, names=["u"]), "1 names for 2 coordinates"),
        (lambda: evidence.certify(DATA, TURN, BOX, rng=-1), "rng = -1"),
        (lambda: evidence.test_elements(DATA, "signs"), "er.evidence.signs"),
        (lambda: evidence.test_elements(DATA, evidence.signs, rng="one"), "rng = 'one'"),
        (lambda: evidence.test_group(DATA, "rotation", BOX), "er.actions.rotation"),
        (lambda: evidence.test_group(DATA, er.actions.rotation(3), BOX), "another space"),
        (lambda: evidence.test_group(DATA, er.discover(DATA), BOX), "must be named"),
        (lambda: evidence.estimate(2, X, Y), "polynomial_field\\(2, 2, numpy.zeros\\(\\(1, 6\\)\\)\\)"),
        (lambda: evidence.violating_share(round_function, TURN, BOX, 0.1, n=0), "n = 0"),
        (lambda: evidence.Certified("a"), "alpha = 'a'"),
        (lambda: evidence.suggest_points(DATA, 2.5, action=TURN), "n = 2.5"),
        (lambda: evidence.suggest_points(DATA, 2, action=er.actions.rotation(3)), "another space"),
        (lambda: evidence.bound("x*y", TURN, er.Samples.from_data(X)), "no box"),
        (lambda: evidence.bound("x*y", "rotation", BOX), "er.actions.rotation"),
        (lambda: evidence.compare(nothing(), SO2), "no generators"),
        (lambda: path_figure(evidence.test_elements(DATA, evidence.signs)), "a DiscreteTest"),
        (lambda: evidence_page(evidence.where(DATA, TURN), "page.html"), "maps=found"),
        (lambda: bounds_figure(evidence.bound("x*y", TURN, BOX, ratio=2)), "a BoxCertificate"),
        (lambda: map_figure(nothing()), "er.evidence.where"),
    ],
)
def test_what_cannot_be_read_is_explained(call, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(er.InputError, match=words) as caught:
        call()
    assert "fix:" in str(caught.value) and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "asked",
    [
        lambda action: evidence.certify(DATA, action, BOX, family=2).bounds[0].high,
        lambda action: evidence.certify(DATA, TURN, BOX, family=2, generators=action).bounds[0].high,
        lambda action: evidence.certify(round_function, action, BOX).bounds[0].high,
        lambda action: evidence.class_free(DATA, action, BOX).bounds[0].high,
        lambda action: evidence.test_group(DATA, action, BOX, family=2).high,
        lambda action: evidence.suggest_points(DATA, 2, action=action, samples=BOX, family=2).points,
        lambda action: evidence.bound("x**2 + 1.1*y**2", action, BOX, ratio=1.2).upper,
        lambda action: evidence.where(DATA, action).defects,
    ],
    ids=["certify", "named", "model", "class-free", "test_group", "suggest", "bound", "where"],
)
def test_a_group_stands_for_its_generators(asked):
    assert asked(SO2) == pytest.approx(asked(TURN), rel=1e-6, nan_ok=True)


def test_a_box_of_samples_is_a_box():
    given, ends = (evidence.bound("x**2 + 1.1*y**2", TURN, b, ratio=1.2).upper for b in (BOX, [(-1, 1), (-1, 1)]))
    assert given == ends


def test_a_symmetry_is_drawn_by_its_certificate(tmp_path):
    sym = er.discover(DATA)
    assert sym.certificate is not None
    assert str(path_figure(sym)) == str(path_figure(sym.certificate))
    assert sym.certificate.verdict[:20] in evidence_page(sym, tmp_path / "page.html").read_text()


def test_too_few_rows_are_counted_as_they_were_given():
    with pytest.raises(er.UndecidedError, match="12 rows in all"):
        evidence.certify((X[:12], Y[:12]), TURN, BOX, family=2)
    with pytest.raises(er.UndecidedError, match="7 rows in all"):
        evidence.certify((X[:7], Y[:7]), TURN, BOX)
    groups = np.repeat(np.arange(4), 100)
    with pytest.raises(er.UndecidedError, match="cross-fit with"):
        evidence.class_free(DATA, TURN, BOX, generators=TURN, groups=groups)
    with pytest.raises(er.InputError, match="Folds come"):
        evidence.class_free(DATA, TURN, BOX, generators=TURN, folds=1)
