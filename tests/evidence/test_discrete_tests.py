"""Finite sets of maps: what is certified is there, what is not is refused, and the number of tests counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import erlangen as er
from erlangen.algebra import groups
from erlangen.evidence import cyclic, permutations, reflections, signed_permutations, signs
from erlangen.evidence.discrete import element_tests
from erlangen.evidence.discrete._finite import closed, is_group, largest_group, minimal_generators, name_of, table_of
from erlangen.evidence.discrete._models import LocalField, flexible_model
from erlangen.evidence.discrete._moved import places
from erlangen.evidence.discrete._tested import HeldOut
from erlangen.evidence.discrete.elements import describe, order_of
from erlangen.evidence.estimate import estimate
from erlangen.fields import polynomial_field
from erlangen.testing.checks import check_field

probe = element_tests.test_elements


def lorenz(x):
    return np.stack(
        [10 * (x[:, 1] - x[:, 0]), x[:, 0] * (28 - x[:, 2]) - x[:, 1], x[:, 0] * x[:, 1] - 8 / 3 * x[:, 2]], 1
    )


def noisy(function, n, d, noise, seed, scale: Any = 1.0):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (n, d)) * scale
    y = function(x)
    return x, y + noise * y.std(axis=0) * rng.standard_normal(y.shape)


@pytest.mark.parametrize(
    ("found", "count"),
    [
        (signs(4), 15),
        (permutations(4), 23),
        (permutations(5, [0, 2, 4]), 5),
        (cyclic(6), 5),
        (reflections(3), 9),
        (signed_permutations(3), 47),
        (signs(3) | cyclic(3), 9),
    ],
)
def test_sets_are_finite_groups_or_generate_them(found, count):
    assert len(found) == count == len({m.tobytes() for m in found.matrices + 0.0})
    assert np.allclose(found.matrices @ found.matrices.transpose(0, 2, 1), np.eye(found.matrices.shape[1]))
    elements, words = closed(found.matrices)
    assert is_group(table_of(elements))
    for g, word in zip(elements, words, strict=True):
        product = np.eye(len(g))
        for k in word:
            product = product @ found.matrices[k]
        assert np.allclose(product, g)


def test_reflections_have_one_eigenvalue_minus_one():
    for g in reflections(4).matrices:
        assert np.linalg.det(g) == pytest.approx(-1) and order_of(g, 1e-12) == 2
        assert np.trace(g) == pytest.approx(2)


@pytest.mark.parametrize(
    ("group", "name"),
    [
        (groups.C(7), "C(7)"),
        (groups.D(4), "D(4)"),
        (groups.S(3), "S(3)"),
        (groups.S(4), "S(4)"),
        (groups.Cube(), "S(4)"),
        (groups.Z(2) * groups.Z(2), "Z(2) x Z(2)"),
        (groups.Z(4) * groups.Z(2), "Z(2) x C(4)"),
        (groups.Z(2) * groups.Z(3), "C(6)"),
        (groups.S(4) * groups.Z(2), "S(4) x Z(2)"),
    ],
)
def test_names_are_proved_from_the_table(group, name):
    assert name_of(group.discrete) == (name, group.order())


def test_quaternions_are_not_dihedral():
    i = np.kron(np.array([[0.0, -1.0], [1.0, 0.0]]), np.eye(2))
    j = np.kron(np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([[0.0, -1.0], [1.0, 0.0]]))
    assert np.allclose(i @ j, -1.0 * (j @ i))
    assert name_of(np.array([i, j])) == ("a group of 8 elements", 8)


def test_products_need_no_generator_of_their_own():
    kept = minimal_generators(signs(3).matrices)
    assert len(kept) == 3 and len(closed(kept)[0]) == 8
    quarter = np.array([[0.0, -1.0], [1.0, 0.0]])
    assert np.array_equal(minimal_generators(np.array([quarter @ quarter, quarter])), [quarter])


def test_lorenz_has_its_one_change_of_signs():
    data = noisy(lorenz, 800, 3, 0.01, 0, [20, 25, 50])
    found = probe(data, signed_permutations, kind="vector")
    assert (found.mode, found.name, found.order, found.looked_at) == ("held-out", "Z(2)", 2, 47)
    assert np.array_equal(found.matrices, [np.diag([-1.0, -1.0, 1.0])])
    assert found.certified[0].high < 0.01 and found.certified[0].text == "(x, y, z) -> (-x, -y, z)"
    assert found.group.order() == 2


def test_matrices_one_by_one_are_all_tested_and_refuted_where_wrong():
    data = noisy(lorenz, 800, 3, 0.01, 1, [20, 25, 50])
    found = probe(data, signs(3).matrices, kind="vector")
    verdicts = {e.text: e.verdict for e in found.tested}
    assert len(verdicts) == 7 and verdicts.pop("(x, y, z) -> (-x, -y, z)") == "certified"
    assert set(verdicts.values()) == {"refuted"}
    assert all(e.low <= e.defect <= e.high for e in found.tested)


def test_level_at_the_boundary_and_power_inside():
    """f = x^2 + c x has relative defect c' under x -> -x; at delta the test errs at most at its level."""
    family = polynomial_field(1, 2, [0, 0, 0])

    box = np.linspace(-1, 1, 101)[:, None]
    where = places(box, None, True)

    def share(ratio, seeds):
        hits = 0
        for seed in seeds:
            rng = np.random.default_rng(seed)
            x = rng.uniform(-1, 1, (120, 1))
            # |f(-x) - f(x)|^2 = 4 c^2 x^2, both sides without their mean: 2 (var x^2 + c^2 x^2).
            even, odd = np.var(box**2), np.mean(box**2)
            t = (0.1 * ratio) ** 2
            c = np.sqrt(t * even / (odd * (2 - t)))
            y = x**2 + c * x + 0.05 * rng.standard_normal((120, 1))
            first, second = estimate(family, x[:48], y[:48]), estimate(family, x[48:], y[48:])
            outcome = HeldOut(family, first.theta, second, box, where).test(-np.eye(1), 0.1, 0.05)
            hits += outcome.p_value <= 0.05
        return hits / len(seeds)

    at, inside = share(1.0, range(100)), share(0.0, range(15))
    assert 0.0 < at <= 0.11  # nominal 0.05: 99 % of Bin(100, 0.05) is 11; and not vacuous
    assert inside >= 0.7


def test_holm_counts_the_tests():
    x, y = noisy(lambda x: np.cos(x[:, 0]) + 0.2 * x[:, 1] ** 2 + x[:, 2] ** 4, 400, 3, 0.1, 3)
    found = probe((x, y), signs(3).matrices[:3])
    p, adjusted = (np.array([getattr(e, k) for e in found.tested]) for k in ("p_value", "adjusted"))
    assert adjusted[np.argmin(p)] == pytest.approx(min(1.0, 3 * p.min()))
    assert np.all(adjusted >= p)


def test_a_function_keeps_its_constant_out_of_the_defect():
    """A large constant would make every map look like a symmetry."""
    x, y = noisy(lambda x: 1000 + x[:, 0] + x[:, 1] ** 2, 300, 2, 0.01, 4)
    assert [e.text for e in probe((x, y), signs).certified] == ["(x, y) -> (x, -y)"]


def test_a_tiny_component_is_not_drowned():
    """All components must pass: here the second breaks the map and is 10^-4 of the first."""

    def field(x):
        return np.stack([x[:, 0] + x[:, 0] ** 3, 1e-4 * (x[:, 1] + x[:, 1] ** 2)], axis=1)

    box = er.Samples.box(-1, 1, dim=2, n=600)
    assert [e.text for e in probe(field, signs, box, kind="vector").certified] == ["(x, y) -> (-x, y)"]


def test_symmetry_about_another_centre():
    data = noisy(lambda x: np.cos(x[:, 0] - 2) + (x[:, 0] - 2) ** 2, 500, 1, 0.01, 5, 4.0)
    assert not probe(data, signs).certified
    found = probe(data, signs, centre=[2.0])
    assert found.name == "Z(2)" and "about (2)" in found.region
    flow = polynomial_field(1, 3, [-6, 11, -6, 1], "vector")  # (x - 1)(x - 2)(x - 3): odd about 2
    assert probe(flow, signs, np.linspace(0.5, 3.4, 200)[:, None], centre="fixed point").certified


def test_a_symmetric_design_needs_no_model():
    rng = np.random.default_rng(6)
    base = rng.uniform(-1, 1, (150, 2))
    x = np.concatenate([base @ g for g in (np.eye(2), *signs(2).matrices)])
    y = np.sign(x[:, 1] - 0.1) * np.abs(np.sin(9 * x[:, 0])) + 0.01 * rng.standard_normal(len(x))
    found = probe((x, y), signs)
    assert (found.mode, [e.text for e in found.certified]) == ("matched", ["(x, y) -> (-x, y)"])


def test_class_free_where_no_polynomial_fits():
    def kinked(x):
        return np.abs(np.sin(2 * x[:, 0])) + x[:, 1]

    found = probe(noisy(kinked, 1500, 2, 0.01, 7), signs, delta=0.2)
    assert (found.mode, [e.text for e in found.certified]) == ("class-free", ["(x, y) -> (-x, y)"])


def test_images_outside_the_data_are_not_claimed():
    x, y = noisy(lambda x: x[:, 0] ** 2, 300, 1, 0.01, 8)
    found = probe((x + 3, (x[:, 0] + 3) ** 2 + 0.01 * y), -np.eye(1))
    assert [e.verdict for e in found.tested] == ["no coverage"]


def nearly(break_by):
    """A function whose symmetries under the test are broken a little, by a linear part."""
    return {
        "C(7)": lambda x: ((x[:, 0] + 1j * x[:, 1]) ** 7).real + break_by * x[:, 0],
        "D(4)": lambda x: (x**4).sum(axis=1) + break_by * (x[:, 0] - x[:, 1]),
        "C(6)": lambda x: (x**2).sum(axis=1) + break_by * x @ np.cos(np.arange(6) * np.pi / 3),
    }


@pytest.mark.parametrize(
    ("name", "maps", "break_by"),
    [("C(7)", groups.C(7).discrete, 0.09), ("D(4)", signed_permutations(2), 0.021), ("C(6)", cyclic(6), 0.035)],
)
def test_certified_generators_do_not_certify_their_group(name, maps, break_by):
    """Defects add up along products: a group is named where each of its elements passed, and nowhere else."""
    d = 6 if name == "C(6)" else 2
    box = er.Samples.box(-1, 1, dim=d, n=6000)
    exact = probe(nearly(0.0)[name], maps, box)
    assert (exact.name, exact.whole, len(exact.elements)) == (name, True, exact.order - 1)
    assert f"{name} is certified" in exact.verdict and exact.group.order() == exact.order
    found = probe(nearly(break_by)[name], maps, box)
    assert found.certified and len(found.certified) == len(found.tested)
    assert not found.whole and found.generated == (name, exact.order) and found.order < exact.order
    assert f"{name} is certified" not in str(found) and f"elements of {name} did not pass" in found.verdict
    assert any(e.verdict == "refuted" for e in found.products)
    listed = {e.text for e in (*found.tested, *found.products) if e.verdict == "certified"}
    elements = found.group.elements().matrices if found.order > 1 else []
    assert {describe(g) for g in elements if not np.allclose(g, np.eye(d))} == {t for t, _ in found.elements} <= listed


def test_refuted_maps_are_in_no_group_that_is_named():
    found = probe(nearly(0.1)["C(7)"], groups.C(7).elements().matrices[1:], er.Samples.box(-1, 1, dim=2))
    verdicts = [e.verdict for e in found.tested]
    assert (verdicts.count("certified"), verdicts.count("refuted")) == (2, 4)
    assert (found.name, found.order, found.products, found.elements) == ("trivial", 1, (), ())
    assert "2 of 6 maps certified" in found.verdict and "C(7) has 7 elements, of which some were refuted" in str(found)


def test_the_largest_group_among_some_maps():
    """Of the elements of D(4) all but one quarter turn: a mirror, the half turn and their product remain."""
    group, _ = closed(np.array([[[0.0, -1.0], [1.0, 0.0]], np.diag([1.0, -1.0])]))
    kept = np.array([g for g in group if not np.allclose(g, [[0, 1], [-1, 0]])])
    best = largest_group(kept)
    assert len(best) == 4 and best[0] == 0 and is_group(table_of(kept[best]))
    assert len(largest_group(group)) == 8 and len(largest_group(group[:1])) == 1


def test_every_element_of_a_group_has_a_bound_of_its_own():
    x, y = noisy(lambda x: x[:, 0] ** 2 + x[:, 1] ** 4, 500, 2, 0.02, 9)
    found = probe((x, y), signs)
    bounds = dict(found.elements)
    one, two = (bounds[t] for t in ("(x, y) -> (-x, y)", "(x, y) -> (x, -y)"))
    assert found.name == "Z(2) x Z(2)" and [e.verdict for e in found.products] == ["certified"]
    assert 0 < bounds["(x, y) -> (-x, -y)"] <= one + two


def test_models_know_their_derivative_and_what_is_printed():
    rng = np.random.default_rng(10)
    x = rng.uniform(-1, 1, (400, 2))
    model = flexible_model(x, np.sin(3 * x[:, :1]) * x[:, 1:], "invariant", rng)
    check_field(type(model)(**{**vars(model), "accuracy": 1e-9}), rng.uniform(-0.9, 0.9, (8, 2)))
    local = LocalField(x, x @ np.array([[2.0], [-1.0]]), 12, np.ones(2))
    assert local.value(x[:5]) == pytest.approx(x[:5] @ np.array([[2.0], [-1.0]]), abs=1e-5)
    found = probe(lorenz, signs, rng.uniform(-5, 5, (200, 3)), kind="vector")
    assert found.verdict in str(found) and found.to_dict()["tested"][0]["map"] == found.tested[0].text
    assert "<table>" in found._repr_html_()
    assert describe(np.array([[0.0, -1.0], [1.0, 0.0]]), ("u", "v")) == "(u, v) -> (-v, u)"


def test_bad_input_is_explained():
    x = np.zeros((3, 2))
    with pytest.raises(er.InputError, match="samples are missing"):
        probe(lorenz_2 := polynomial_field(2, 1, [0, 1, 1]), signs)
    with pytest.raises(er.InputError, match="can be undone"):
        probe(lorenz_2, np.zeros((1, 2, 2)), x)
    with pytest.raises(er.InputError, match="do not act on the points"):
        probe(lorenz_2, signs(3), x)
    with pytest.raises(er.InputError, match="centre"):
        probe(lorenz_2, signs, x, centre="middle")
    with pytest.raises(er.InputError, match="delta lies between"):
        probe(lorenz_2, signs, x, delta=2.0)
    with pytest.raises(er.InputError, match="cannot be listed"):
        signed_permutations(9)
