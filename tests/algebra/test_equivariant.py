"""Equivariant maps: every solver against the null space of the full equations, and against the others."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import block_diag
from scipy.spatial.transform import Rotation

from erlangen import InputError, UndecidedError
from erlangen.algebra import rep
from erlangen.algebra.equivariant import equivariant_maps
from erlangen.algebra.equivariant._sides import sides_of
from erlangen.algebra.equivariant.general import _equations
from erlangen.algebra.equivariant.solve import residual
from erlangen.algebra.groups import GL, SE, SL, SO, SO0, SU, C, D, E, Group, O, S, Sp, U, Z, from_matrices
from erlangen.linalg.null import null_space
from erlangen.linalg.structured import IsotypicSubspace, OrbitSubspace
from erlangen.linalg.subspace import DenseSubspace

CONNECTED = [SO(2), SO(3), SO(4), SU(2), SU(3), U(2), SO0(1, 3), SL(3), Sp(4)]
COMPLETELY_REDUCIBLE = [*CONNECTED, O(2), O(3), O(1, 3), SO(1, 3), GL(2), D(3), C(8), D(8)]
PERMUTATIONS = [S(4), Z(5), D(4), C(4)]
OTHERS = [SE(2), SE(3), E(2), from_matrices(lie_algebra=[[[0.0, 1.0], [0.0, 0.0]]], name="shear")]
PAIRS = [("V", "V"), ("V**2", "V + S"), ("V*V.T", "V**2 + 2S"), ("V + S", "V**2")]


def oracle(source, target) -> DenseSubspace:
    """Null space of all equations, written out."""
    one_s, one_t = np.eye(source.size), np.eye(target.size)
    group = source.group
    rows = [np.kron(target.matrix(a), one_s) - np.kron(one_t, source.matrix(a).T) for a in group.lie_algebra]
    rows += [np.kron(target.group_matrix(h), one_s) - np.kron(one_t, source.group_matrix(h).T) for h in group.discrete]
    return null_space(np.vstack(rows))


def agrees(maps, expected) -> bool:
    return maps.dim == expected.dim and maps.angles(expected).max(initial=0.0) < 1e-9


def skewed(group: Group) -> Group:
    """The same group in coordinates that hide its invariant form."""
    k = group.size
    rng = np.random.default_rng(3)
    left, right = (np.linalg.qr(rng.standard_normal((k, k)))[0] for _ in range(2))
    p = left * np.geomspace(1, 4, k) @ right
    back = np.linalg.inv(p)
    return Group(f"skewed {group.name}", p @ group.lie_algebra @ back, p @ group.discrete @ back)


# The oracle is a matrix of all equations: up to 500 unknowns.
SMALL = [
    (source, target)
    for group in [*COMPLETELY_REDUCIBLE, *PERMUTATIONS, *OTHERS]
    for source, target in ([rep(text, group) for text in pair] for pair in PAIRS)
    if source.size * target.size <= 500
]


@pytest.mark.parametrize(("source", "target"), SMALL, ids=lambda r: f"{r.group.name} {r}")
def test_maps_are_the_null_space_of_all_equations(source, target):
    maps = equivariant_maps(source, target)
    assert agrees(maps, oracle(source, target))
    basis = maps.to_dense()
    np.testing.assert_allclose(basis.T @ basis, np.eye(maps.dim), atol=1e-12)
    assert maps.residual < 1e-12


@pytest.mark.parametrize("group", CONNECTED, ids=lambda g: g.name)
def test_weights_agree_with_two_random_elements(group):
    # Odd words hold the irreducibles of complex and quaternionic type.
    source, target = rep("V**2 + S + 2V", group), rep("V*V.T + V + V*V.T", group)
    weights, isotypic = (equivariant_maps(source, target, method=m) for m in ("weights", "isotypic"))
    assert (weights.method, isotypic.method) == ("weights", "isotypic")
    assert agrees(weights, isotypic)
    assert weights.residual < 1e-12


@pytest.mark.parametrize("group", PERMUTATIONS, ids=lambda g: g.name)
def test_orbits_agree_with_two_random_elements(group):
    source, target = rep("V**2 + V", group), rep("V**2 + S", group)
    orbits, isotypic = (equivariant_maps(source, target, method=m) for m in ("orbits", "isotypic"))
    assert isinstance(orbits.subspace, OrbitSubspace) and orbits.residual == 0.0
    assert agrees(orbits, isotypic)
    np.testing.assert_allclose(orbits.project(orbits.sparse_basis().T), orbits.sparse_basis().T, atol=1e-14)


@pytest.mark.parametrize("group", [SO(3), O(3), SO0(1, 3), D(3), S(4)], ids=lambda g: g.name)
def test_null_spaces_agree_with_two_random_elements(group):
    source, target = rep("V**2", group), rep("V + S + V*V", group)
    general, isotypic = (equivariant_maps(source, target, method=m) for m in ("general", "isotypic"))
    assert agrees(general, isotypic)


@pytest.mark.parametrize("group", [SO(3), SU(2), SO0(1, 3), Sp(4), O(3), D(3), S(4), C(8)], ids=lambda g: g.name)
def test_skewed_coordinates_are_balanced(group):
    hidden = skewed(group)
    maps = equivariant_maps(rep("V**2", hidden), rep("V + V*V.T", hidden))
    assert maps.method == "isotypic" and "balanced" in maps.reason
    assert agrees(maps, oracle(maps.source, maps.target))


TURN = np.array([[0.0, -1.0], [1.0, 0.0]])


def blocks(*frequencies: float) -> Group:
    """A circle that turns planes at several speeds."""
    return from_matrices(lie_algebra=[block_diag(*(f * TURN for f in frequencies))], name=f"speeds {frequencies}")


# Groups whose elements or generators differ much in size; the number of maps is counted by weights or eigenvalues.
WIDE = [
    (from_matrices(discrete=[np.diag([10.0, 2.0, 1.0])]), "V", "V", 3),
    (from_matrices(discrete=[np.diag([1.5, 1.0])]), "V**4", "V**4", 70),
    (from_matrices(discrete=[[[2.0, 1.0], [1.0, 1.0]]]), "V*V", "V*V", 6),
    (from_matrices(discrete=[[[1.25, 0.75], [0.75, 1.25]]]), "V*V", "V*V", 6),
    (from_matrices(lie_algebra=[np.diag([1e6, 1.0, 2.0])]), "V", "V", 3),
    (from_matrices(lie_algebra=SO(3).lie_algebra, discrete=[10 * np.eye(3)]), "V*V", "V*V", 3),
    (from_matrices(lie_algebra=SO(3).lie_algebra * np.array([1e-6, 1e6, 1e-6])[:, None, None]), "V*V", "V", 1),
    (from_matrices(lie_algebra=1e-12 * SO(3).lie_algebra), "V*V", "V", 1),
    (blocks(1, 2, 300), "V*V", "V*V", 90),
    (blocks(1, 2, 1e4), "V*V", "V*V", 90),
    (blocks(1, 1 + 1e-8), "V", "V", 4),
    (E(3), "V*V.T", "V*V.T", 3),
    (SO(3), "spin(10)*spin(10)", "spin(5)", 1),
    (O(3), "spin(10)e*spin(10)o", "spin(5)o", 1),
    (SU(2), "spin(19/2)*spin(10)", "spin(1/2)", 4),
]


@pytest.mark.parametrize(
    ("group", "source", "target", "dim"), WIDE, ids=lambda x: x.name if isinstance(x, Group) else None
)
def test_sizes_of_elements_do_not_count(group, source, target, dim):
    maps = equivariant_maps(rep(source, group), rep(target, group))
    assert maps.dim == dim and maps.residual < 1e-10
    assert sum(c.maps for c in maps.contents) in (0, dim)


@pytest.mark.parametrize("seed", range(12))
def test_skew_coordinates_are_right_or_refused(seed):
    rng = np.random.default_rng(seed)
    left, right = (np.linalg.qr(rng.standard_normal((2, 2)))[0] for _ in range(2))
    p = left @ np.diag([1.0, 10 ** rng.uniform(0, 5)]) @ right
    group = from_matrices(lie_algebra=p @ SL(2).lie_algebra @ np.linalg.inv(p), name="skewed SL(2)")
    for source, target, dim in (("V*V", "V*V", 2), ("V", "V.T", 1), ("V**3", "V", 2)):
        try:
            maps = equivariant_maps(rep(source, group), rep(target, group))
        except (InputError, UndecidedError):
            assert np.linalg.cond(p) > 30
        else:
            assert maps.dim == dim and maps.residual < 1e-8


def test_skew_finite_groups_are_right_or_refused():
    i, j = np.kron(np.eye(2), TURN), np.kron(TURN, np.diag([1.0, -1.0]))
    rng = np.random.default_rng(0)
    left, right = (np.linalg.qr(rng.standard_normal((4, 4)))[0] for _ in range(2))
    for condition in (1, 1e2, 1e4, 1e6):
        p = left * np.geomspace(1, condition, 4) @ right
        quaternions = from_matrices(discrete=p @ np.stack([i, j]) @ np.linalg.inv(p), name="quaternions")
        try:
            assert equivariant_maps(rep("V", quaternions), rep("V.T", quaternions)).dim == 4
        except UndecidedError:
            assert condition > 1e3


def test_a_dense_basis_that_would_not_fit_is_refused(monkeypatch):
    monkeypatch.setattr("erlangen.algebra.equivariant.memory.available", lambda: 2e6)
    hidden = skewed(SO(3))
    with pytest.raises(InputError, match="skew coordinates"):
        equivariant_maps(rep("20V", hidden), rep("20V", hidden))


@pytest.mark.parametrize(
    ("group", "source", "target", "dim"),
    [(SE(2), "V", "S", 1), (SE(3), "V + S", "S", 2), (E(2), "S", "V.T", 1), (SL(2), "Alt2(V)", "S", 1)],
    ids=lambda x: x.name if isinstance(x, Group) else None,
)
@pytest.mark.parametrize("seed", range(4))
def test_what_acts_by_rounding_alone_does_not_act(group, source, target, dim, seed):
    q = np.linalg.qr(np.random.default_rng(seed).standard_normal((group.size, group.size)))[0]
    turned = Group("turned", q @ group.lie_algebra @ q.T, q @ group.discrete @ q.T)
    assert equivariant_maps(rep(source, turned), rep(target, turned)).dim == dim


def test_a_generating_set_is_enough():
    two = from_matrices(lie_algebra=SO(4).lie_algebra[[0, 3, 5]], name="three turns")
    for text in ("V**2", "V**3"):
        maps, whole = (equivariant_maps(rep(text, g), rep("V**2 + V", g)) for g in (two, SO(4)))
        assert agrees(maps, whole)


@pytest.mark.parametrize("group", [SO(3), SO0(1, 3), SU(2)], ids=lambda g: g.name)
def test_noisy_generators_are_noticed_and_closed(group):
    noise = 1e-3 * np.random.default_rng(0).standard_normal(group.lie_algebra.shape)
    noisy = from_matrices(lie_algebra=group.lie_algebra + noise, name="learned")
    with pytest.raises(InputError, match="nearest_closed"):
        equivariant_maps(rep("V**2", noisy), rep("V**2", noisy))
    closed = noisy.nearest_closed()
    found = equivariant_maps(rep("V**2", closed), rep("V**2", closed))
    exact = equivariant_maps(rep("V**2", group), rep("V**2", group))
    assert found.dim == exact.dim
    assert found.angles(exact).max() < 0.02


@pytest.mark.parametrize("noise", [1e-15, 1e-13, 1e-12, 1e-11, 1e-10, 1e-8, 1e-5])
@pytest.mark.parametrize("group", [SO(3), SO0(1, 3), O(3), SU(3)], ids=lambda g: g.name)
def test_noise_of_any_size_is_rounding_or_refused(group, noise):
    rng = np.random.default_rng(1)
    inexact = Group("inexact", group.lie_algebra + noise * rng.standard_normal(group.lie_algebra.shape), group.discrete)
    source, target = rep("V**2", inexact), rep("V**2 + V", inexact)
    try:
        dim = equivariant_maps(source, target).dim
    except InputError as error:
        assert "close" in str(error) and noise > 1e-14
    else:
        assert dim == equivariant_maps(rep("V**2", group), rep("V**2 + V", group)).dim and noise < 1e-9


def test_numbers_of_invariants_of_so3():
    # Copies of spin 0 in V^n: the Riordan numbers 1, 0, 1, 1, 3, 6, 15, 36, 91, 232, 603.
    riordan = [1, 0, 1, 1, 3, 6, 15, 36, 91, 232, 603]
    g = SO(3)
    found = [equivariant_maps(rep(f"V**{n}", g), rep("S", g)).dim for n in range(6)]
    assert found == riordan[:6]
    assert equivariant_maps(rep("V**3", g), rep("V**3", g)).dim == riordan[6]
    assert equivariant_maps(rep("V**5", g), rep("V**5", g)).dim == riordan[10]


def test_maps_commute_with_finite_rotations():
    g = SO(3)
    source, target = rep("V**2 + V", g), rep("V**2 + 2V + S", g)
    r = Rotation.from_rotvec([0.3, -1.1, 2.0]).as_matrix()
    for w in equivariant_maps(source, target).matrices():
        np.testing.assert_allclose(target.group_matrix(r) @ w, w @ source.group_matrix(r), atol=1e-13)


def test_factors_grow_with_sizes_not_with_dimension():
    g = SO(3)
    maps = equivariant_maps(rep("16S + 16V + 8T2", g), rep("16S + 16V + 8T2", g))
    assert maps.dim == 24**2 + 24**2 + 8**2
    assert isinstance(maps.subspace, IsotypicSubspace)
    numbers = sum(block.left.size + block.right.size for block in maps.subspace.blocks)
    assert numbers == 2 * maps.source.size**2


def test_projection_is_the_nearest_map():
    g = O(2)
    maps = equivariant_maps(rep("V**2", g), rep("V**2", g))
    w = np.random.default_rng(0).standard_normal(maps.shape)
    nearest = maps.project(w)
    np.testing.assert_allclose(maps.project(nearest), nearest, atol=1e-13)
    assert abs(np.sum((w - nearest) * nearest)) < 1e-13
    flat = maps.project(w.ravel())
    np.testing.assert_array_equal(flat, nearest.ravel())
    with pytest.raises(InputError, match="do not map"):
        maps.project(w[:3])
    for bad in (w + 1j, w * np.nan):
        with pytest.raises(InputError, match="finite real numbers"):
            maps.project(bad)


def test_no_map_is_explained_by_the_irreducibles_on_each_side():
    text = equivariant_maps(rep("V", SO(3)), rep("S + Sym2(V)", SO(3))).explain()
    assert "No equivariant map from V" in text
    for word in ("trivial", "spin 1", "spin 2", "Schur"):
        assert word in text
    text = equivariant_maps(rep("V", D(4)), rep("S", D(4))).explain()
    assert "No equivariant map" in text and "Schur" in text


def test_a_wrong_map_has_a_residual():
    g = SO(3)
    source, target = rep("V**2", g), rep("V", g)
    maps = equivariant_maps(source, target)
    wrong = np.linalg.qr(maps.to_dense() + 1e-3 * np.random.default_rng(0).standard_normal((27, 1)))[0]
    assert residual(sides_of(target, source), DenseSubspace(wrong)) > 1e-4


@pytest.mark.parametrize("group", [SO(3), S(4), SE(2)], ids=lambda g: g.name)
def test_results_are_stored_by_content(group, tmp_path, monkeypatch):
    source, target = rep("V + S", group), rep("V*V.T", group)
    first = equivariant_maps(source, target, cache=tmp_path)
    stored = list(tmp_path.iterdir())
    again = equivariant_maps(source, target, cache=tmp_path)
    np.testing.assert_array_equal(again.to_dense(), first.to_dense())
    assert (again.method, again.reason, again.residual) == (first.method, first.reason, first.residual)
    if stored:
        monkeypatch.setattr("erlangen.algebra.equivariant.solve._solve", None)
        assert equivariant_maps(source, target, cache=tmp_path).dim == first.dim
        monkeypatch.undo()
        stored[0].write_bytes(stored[0].read_bytes()[:50])
        assert equivariant_maps(source, target, cache=tmp_path).dim == first.dim
    other = equivariant_maps(rep("V + S", group), rep("V.T*V", group), cache=tmp_path)
    np.testing.assert_allclose(other.residual, 0.0, atol=1e-12)


def test_words_in_another_order_are_another_result(tmp_path):
    found = [equivariant_maps(rep("V", SE(2)), rep(t, SE(2)), cache=tmp_path) for t in ("V*V*V.T", "V.T*V*V")]
    found += [equivariant_maps(rep("V", SL(3)), rep(t, SL(3)), cache=tmp_path) for t in ("V*V*V.T", "V.T*V*V")]
    for maps in found:
        assert maps.dim and agrees(maps, equivariant_maps(maps.source, maps.target))


@pytest.mark.parametrize("group", [SE(2), C(8)], ids=lambda g: g.name)
def test_transposed_equations_are_transposes(group):
    target, source = sides_of(rep("V*V.T", group), rep("V + S", group))
    p, m = len(group.lie_algebra), len(group.discrete)
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 3, target.size, source.size))
    for equation in _equations(target, source, (np.eye(p), np.arange(m))):
        np.testing.assert_allclose(np.sum(equation.apply(x) * y), np.sum(x * equation.transpose(y)), rtol=1e-12)


def test_large_null_spaces_are_found_by_iteration(monkeypatch):
    source, target = rep("V*V", SE(3)), rep("V**3", SE(3))
    dense = equivariant_maps(source, target)
    monkeypatch.setattr("erlangen.algebra.equivariant.general._DENSE_NUMBERS", 0)
    monkeypatch.setattr("erlangen.algebra.equivariant.general._FEW", 0)
    iterated = equivariant_maps(source, target)
    assert agrees(iterated, dense) and iterated.residual < 1e-10


def test_equations_that_all_cancel_leave_everything():
    shift = from_matrices(
        lie_algebra=[[[0.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]], np.zeros((3, 3))], name="shift"
    )
    once = equivariant_maps(rep("V", shift), rep("V", shift))
    assert agrees(once, oracle(once.source, once.target))
    assert equivariant_maps(rep("2S", shift), rep("3S", shift)).dim == 6


def test_too_large_a_request_says_its_size():
    with pytest.raises(InputError, match="GiB"):
        equivariant_maps(rep("V**12", SO(3)), rep("V**12", SO(3)))


def test_methods_that_do_not_apply_say_so():
    source = rep("V", SE(2))
    for method, message in (("weights", "reducibly"), ("orbits", "permute"), ("wieghts", 'method="weights"')):
        with pytest.raises(InputError, match=message):
            equivariant_maps(source, source, method=method)
    with pytest.raises(InputError, match="different groups"):
        equivariant_maps(rep("V", SO(3)), rep("V", O(3)))
