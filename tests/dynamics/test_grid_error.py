"""Fields on a periodic line: exact solutions, reflections, and terms that were withheld."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from erlangen._errors import InputError, UndecidedError
from erlangen.dynamics import DifferentialTerms, GridEquation, GridModelError
from erlangen.dynamics.grids import monomial_of, text_of

LENGTH, N = 32.0, 64
X = np.arange(N) * LENGTH / N
KS = {"u u_x": -1.0, "u_xx": -1.0, "u_xxxx": -1.0}
LIBRARY = DifferentialTerms(3, 4, LENGTH)


def start(rng: int = 0):
    random = np.random.default_rng(rng)
    waves = (random.normal() * np.cos(2 * np.pi * k * X / LENGTH + random.uniform(0, 6)) for k in range(1, 5))
    return np.sum(list(waves), axis=0)


def runs(terms, noise: float = 0.0, rng: int = 0):
    t = np.arange(181) * 0.25
    u = GridEquation(terms, LENGTH).simulate(start(rng), t, substeps=8)[40:]
    return u + noise * u.std() * np.random.default_rng(rng).normal(size=u.shape), t[40:]


def test_terms_are_read_as_they_are_printed():
    assert [text_of(monomial_of(text)) for text in LIBRARY.texts] == list(LIBRARY.texts)
    assert len(set(LIBRARY.texts)) == 16


def test_values_are_those_of_calculus():
    k = 2 * np.pi / LENGTH
    s, c = np.sin(k * X), np.cos(k * X)
    expected = {"1": np.ones(N), "u^2": s**2, "u_xxx": -(k**3) * c, "u^2 u_x": s**2 * k * c}
    expected["(u^2)_xx"] = 2 * k**2 * (c**2 - s**2)
    for text, value in expected.items():
        assert np.allclose(GridEquation({text: 2.0}, LENGTH).value(s), 2 * value, atol=1e-12)


def test_the_solver_agrees_with_another():
    ks = GridEquation(KS, LENGTH)
    other = solve_ivp(lambda _, u: ks.value(u), (0, 2), start(), method="BDF", rtol=1e-8, atol=1e-8)
    assert np.abs(ks.simulate(start(), np.linspace(0, 2, 3), 40)[-1] - other.y[:, -1]).max() < 5e-4


@pytest.mark.parametrize("reflection", ["x", "u", "xu"])
def test_reflections_commute_with_the_terms_that_are_kept(reflection: str):
    def act(u):
        u = np.roll(u[::-1], 1) if "x" in reflection else u
        return -u if "u" in reflection else u

    u = start(1)
    for text, keeps in zip(LIBRARY.texts, LIBRARY.symmetric((reflection,)), strict=True):
        term = GridEquation({text: 1.0}, LENGTH)
        assert np.allclose(term.value(act(u)), act(term.value(u)), atol=1e-9) == keeps


@pytest.mark.parametrize(
    ("term", "value", "breaks", "noise"),
    [("u u_x", -1.0, False, 0.01), ("u_xxxx", -1.0, False, 0.0), ("u_xxx", 0.3, True, 0.0), ("u_xxx", 0.3, True, 0.01)],
)
def test_kuramoto_sivashinsky_with_a_term_withheld(term: str, value: float, breaks: bool, noise: float):
    u, t = runs({**KS, term: value}, noise)
    model = {text: c for text, c in KS.items() if text != term}
    fit = GridModelError(model, LIBRARY, symmetry=("xu",)).fit(u, t)
    assert fit.correction_.terms.keys() == {term}
    assert abs(fit.correction_.terms[term] / value - 1) < (0.02 if noise else 1e-4)
    assert fit.test_.breaks == breaks and bool(fit.breaking_.any()) == breaks
    assert np.allclose([fit.corrected_.terms[text] for text in KS], list(KS.values()), atol=0.03)


def test_an_equation_that_is_right_misses_nothing_and_noise_is_known():
    u, t = runs(KS, 0.02)
    fit = GridModelError(KS, LIBRARY).fit(u, t)
    assert not fit.correction_.terms and 0.85 < fit.before_ < 1.15
    assert abs(fit.noise_ / (0.02 * u.std()) - 1) < 0.05


def test_several_runs_are_fitted_together():
    pairs = [runs(KS, 0.01, rng) for rng in (1, 2)]
    fit = GridModelError({"u_xx": -1.0, "u_xxxx": -1.0}, LIBRARY).fit([u for u, _ in pairs], [t for _, t in pairs])
    assert fit.correction_.terms.keys() == {"u u_x"}
    assert str(fit.correction_).startswith("u_t = -") and str(fit.correction_).endswith("u u_x")


def test_what_is_no_field_on_a_line_is_refused():
    u, t = runs(KS)
    with pytest.raises(InputError, match="uneven steps"):
        GridModelError(KS, LIBRARY).fit(u, t**2)
    with pytest.raises(InputError, match="no differential monomial"):
        GridModelError({"u u_xx": 1.0}, LIBRARY).fit(u, t)
    with pytest.raises(InputError, match="no such reflection"):
        GridModelError(KS, LIBRARY, symmetry=("ux",)).fit(u, t)
    with pytest.raises(InputError, match="no differential monomials"):
        DifferentialTerms(0, 4, LENGTH)
    with pytest.raises(UndecidedError, match="No window fits"):
        GridModelError(KS, LIBRARY).fit(u[:8], t[:8])
