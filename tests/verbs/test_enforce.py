"""Enforce: known dimensions, independent oracles, and the laws that every answer must obey."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import sympy

import erlangen as er
from erlangen import actions as act
from erlangen.actions import AbstractAction, CallableAction, TangentLift, kernel
from erlangen.derivative import LieDerivative, move
from erlangen.fields import AbstractLinearField, Expressions, Polynomial, PolynomialField
from erlangen.fields.bases import Fourier, Joined, Radial, Spline, polynomial_basis
from erlangen.linalg.null import null_space
from erlangen.linalg.polynomials import exponents
from erlangen.linalg.subspace import RationalSubspace
from erlangen.testing import check_action
from erlangen.verbs._enforce_generators import generating_set

SO3 = er.groups.SO(3)
V = er.rep("V", SO3)


def scalars(d: int, degree: int, c: int = 1) -> PolynomialField:
    return Polynomial(degree, d).as_field(c)


def vectors(d: int, degree: int) -> PolynomialField:
    return Polynomial(degree, d).as_vector_field()


def maps(d: int, degree: int) -> PolynomialField:
    table = exponents(d, degree)
    return PolynomialField(table, np.zeros((d, len(table))), "map")


def bilinear() -> PolynomialField:
    """x_i y_j in three values: maps V x V -> V."""
    table = [[int(k in (i, 3 + j)) for k in range(6)] for i in range(3) for j in range(3)]
    return PolynomialField(np.array(table), np.zeros((3, 9)))


@dataclass(frozen=True)
class Known:
    """A family, what acts, and how many members are symmetric."""

    field: AbstractLinearField
    action: Any
    dim: int
    exact: bool = True


# Dimensions by hand: x, Jx, r^2 x, r^2 Jx; weights; x alone; the cross product; powers of the invariant form ...
KNOWN = {
    "so(2), planar cubics": Known(vectors(2, 3), act.rotation(2), 4),
    "growth diag(2, 1), quadratics": Known(vectors(2, 2), act.scaling(2, [2, 1]), 3),
    "damped oscillator, so(2), quadratics": Known(vectors(2, 2), act.rotation(2), 2),
    "so(3), quadratic fields": Known(vectors(3, 2), act.rotation(3), 1),
    "so(3), bilinear V x V -> V": Known(bilinear(), 2 * V >> V, 1),
    "so(3), quadratic V + V -> V": Known(scalars(6, 2, 3), 2 * V >> V, 3),
    "so(3), invariants": Known(scalars(3, 4), act.rotation(3), 3),
    "so(1, 3), invariants": Known(scalars(4, 4), act.pseudo_rotation([1, -1, -1, -1]), 3),
    "O(3) kills the cross product": Known(
        bilinear(), 2 * er.rep("V", er.groups.O(3)) >> er.rep("V", er.groups.O(3)), 0
    ),
    "translations, fields": Known(vectors(2, 2), act.translation(2), 2),
    "euclidean, fields": Known(vectors(3, 2), act.euclidean(3), 0),
    "E(2), as affine maps": Known(scalars(2, 3), er.groups.E(2), 1),
    "affine fields that commute with a shear": Known(vectors(2, 1), act.linear([[0, 1], [0, 0]]), 3),
    "maps commuting with rotations": Known(maps(2, 3), act.rotation(2), 4),
    "S(3), linear maps on functions": Known(vectors(3, 1), er.groups.S(3), 3),
    "S(4), symmetric polynomials": Known(scalars(4, 4), er.groups.S(4), 12),
    "C(4), Hilbert series": Known(scalars(2, 4), er.groups.C(4), 5),
    "D(4), x^2 + y^2 and x^2 y^2": Known(scalars(2, 4), er.groups.D(4), 4),
    "C(5), vector fields, irrational": Known(vectors(2, 4), er.groups.C(5), 6, exact=False),
    "irrational rotation": Known(vectors(2, 3), act.linear([[0, -np.sqrt(2)], [np.sqrt(3), 0]]), 4, exact=False),
    "irrational factor only": Known(vectors(2, 3), act.linear(np.array([[0, -1], [1, 0]]) / np.sqrt(2)), 4),
    "rotation of the values against that of the points": Known(
        scalars(2, 3, 2), act.rotation(2).with_output([[[0, 2], [-2, 0]]]), 2
    ),
    "kernels under translations": Known(scalars(2, 4), kernel(act.translation(1)), 5),
    "kernels under SE(2)": Known(scalars(4, 4), kernel(act.euclidean(2)), 3),
    "vector kernels under SE(2)": Known(scalars(4, 2, 4), kernel(TangentLift(act.euclidean(2))), 6),
    "nothing acts": Known(scalars(2, 1), er.groups.trivial(2), 3),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_dimensions(name):
    case = KNOWN[name]
    found = er.enforce(case.field, case.action)
    assert found.dim == case.dim
    assert isinstance(found, RationalSubspace) == case.exact
    assert found.residual == 0.0 if case.exact else found.residual < 1e-14
    other = er.enforce(case.field, case.action, method="floating")
    sampled = er.enforce(case.field, case.action, method="sampled")
    assert other.dim == sampled.dim == case.dim
    assert max(other.residual, sampled.residual) < 1e-14
    for same in (other, sampled):
        assert np.all(found.angles(same) < 1e-9)


@pytest.mark.parametrize("name", KNOWN)
def test_projection_is_orthogonal_and_idempotent(name):
    found = er.enforce(KNOWN[name].field, KNOWN[name].action)
    theta, other = np.random.default_rng(0).normal(size=(2, KNOWN[name].field.n_params))
    once = found.project(theta)
    assert np.allclose(found.project(once), once, atol=1e-12)
    assert abs(found.project(theta) @ other - theta @ found.project(other)) < 1e-12
    assert abs((theta - once) @ found.project(other)) < 1e-12


@pytest.mark.parametrize(
    ("field", "action"),
    [
        (scalars(2, 3), act.affine(2)),
        (vectors(2, 3), act.linear(np.random.default_rng(0).integers(-2, 3, size=(2, 2, 2)))),
        (vectors(3, 2), act.linear([[1, 1, 0], [0, 1, 0], [0, 0, 2]])),
        (maps(3, 2), act.scaling(3, [[1, -1, 0]])),
        (scalars(3, 2, 2), act.rotation(3).with_output(np.zeros((3, 2, 2)))),
        (vectors(2, 3), act.polynomial(2, 2, lowest=2)),
        (scalars(2, 3), kernel(act.polynomial(1, 2))),
        (polynomial_basis(2, 3).as_vector_field(), act.rotation(2)),
    ],
)
def test_answers_are_the_null_space_of_the_tensor(field, action):
    """Against the dense bilinear object, all generators, contracted on the other index."""
    samples = er.Samples.box(-1, 1, dim=field.point_dim, n=150)
    tensor = LieDerivative(field, action, samples).tensor()
    oracle = null_space(tensor.transpose(1, 0, 2).reshape(-1, field.n_params))
    found = er.enforce(field, action)
    assert found.dim == oracle.dim
    assert np.all(found.angles(oracle) < 1e-8)


@pytest.mark.parametrize("name", [n for n in KNOWN if isinstance(KNOWN[n].action, AbstractAction)])
def test_members_do_not_change_under_finite_flows(name):
    """f(g x) = T_g f(x) for a finite transformation, which the solver never saw."""
    case, rng = KNOWN[name], np.random.default_rng(1)
    found = er.enforce(case.field, case.action)
    field = case.field.with_theta(found.combine(rng.normal(size=found.dim)))
    lifted = LieDerivative(field, case.action, er.Samples.box(-1, 1, dim=field.point_dim, n=5)).lifted
    x = rng.uniform(-1, 1, size=(5, field.point_dim))
    y, moved = move(lifted, rng.normal(size=lifted.n_generators), 0.3, x, field.value(x))
    assert np.allclose(field.value(y), moved, atol=1e-7)


def test_dimensions_by_symbolic_elimination():
    """SymPy, from the bracket: fields of degree 3 that commute with a Jordan block."""
    a = sympy.Matrix([[1, 1], [0, 1]])
    x, unknowns = sympy.symbols("x y"), []
    field = sympy.zeros(2, 1)
    for e in exponents(2, 3):
        for row in range(2):
            unknowns.append(sympy.Symbol(f"t{len(unknowns)}"))
            field[row] += unknowns[-1] * x[0] ** int(e[0]) * x[1] ** int(e[1])
    lie = field.jacobian(x) * a * sympy.Matrix(x) - a * field
    rows = [c for entry in lie for c in sympy.Poly(sympy.expand(entry), *x).coeffs()]
    rank = sympy.linear_eq_to_matrix(rows, unknowns)[0].rank()
    assert er.enforce(vectors(2, 3), act.linear(np.array(a, dtype=float))).dim == len(unknowns) - rank


@pytest.mark.parametrize("group", [er.groups.C(4), er.groups.D(4), er.groups.S(2)], ids=lambda g: g.name)
@pytest.mark.parametrize("kind", ["invariant", "vector"])
def test_discrete_rows_keep_what_averaging_makes(group, kind):
    """The average of any field over the group lies in the subspace, and averages fill it."""
    family = scalars(2, 3) if kind == "invariant" else vectors(2, 3)
    found = er.enforce(family, group)
    elements = [np.eye(2)]
    for g in elements:
        for h in group.discrete:
            if not any(np.allclose(g @ h, known) for known in elements):
                elements.append(g @ h)
    x = np.random.default_rng(0).normal(size=(60, 2))
    design = family.features(x).reshape(-1, family.n_params)
    averaged = []
    for theta in np.eye(family.n_params):
        f = family.with_theta(theta)
        rho = [np.linalg.inv(h) if kind == "vector" else np.eye(1) for h in elements]
        mean = np.mean([f.value(x @ h.T) @ r.T for h, r in zip(elements, rho, strict=True)], axis=0)
        averaged.append(np.linalg.lstsq(design, mean.ravel(), rcond=None)[0])
    averaged = np.array(averaged)
    assert np.allclose(found.project(averaged), averaged, atol=1e-10)
    assert np.linalg.matrix_rank(averaged, tol=1e-8) == found.dim


def test_generators_and_elements_join():
    """O(2) on planar cubics: reflections keep x and r^2 x of the four."""
    flips = er.enforce(vectors(2, 3), act.rotation(2), discrete=[np.diag([1.0, -1.0])])
    assert flips.dim == 2
    assert flips.dim == er.enforce(vectors(2, 3), er.groups.O(2)).dim
    pseudo = er.enforce(scalars(2, 3), act.rotation(2), discrete=[(np.diag([1.0, -1.0]), -np.eye(1))])
    assert pseudo.dim == 0


@pytest.mark.parametrize(
    ("family", "action", "dim"),
    [
        (vectors(2, 3), act.rotation(2), 1),
        (scalars(3, 4), act.rotation(3), 3),
        (scalars(4, 2), act.pseudo_rotation([1, -1, -1, -1]), 6),
    ],
)
def test_discover_finds_what_was_enforced(family, action, dim):
    """Duality: a random symmetric member has the symmetry, and enforcing what was found gives the same subspace."""
    basis = er.enforce(family, action)
    member = family.with_theta(basis.combine(np.random.default_rng(0).normal(size=basis.dim)))
    d = family.point_dim
    symmetry = er.discover(member, act.affine(d), er.Samples.box(-1, 1, dim=d))
    assert symmetry.dim == dim
    again = er.enforce(family, symmetry)
    assert again.dim == basis.dim and np.all(again.angles(basis) < 1e-10)


def test_generators_from_noisy_data_are_enforced_up_to_their_error():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, size=(600, 2))
    y = (x[:, 0] ** 2 + 2.37 * x[:, 1] ** 2 + 0.5 * x[:, 0] * x[:, 1]) ** 2 + 0.01 * rng.normal(size=600)
    symmetry = er.discover((x, y), act.affine(2))
    assert er.enforce(scalars(2, 4), symmetry).dim == 3  # 1, Q and Q^2
    assert er.enforce(scalars(2, 4), symmetry.action).dim == 1  # taken literally, the flow spirals a little


def test_a_symmetry_that_was_not_decided_is_not_enforced():
    member = PolynomialField(exponents(2, 2), np.array([[0.0, 0, 0, 1, 0, 1]]))
    symmetry = er.discover(member, act.rotation(2), er.Samples.box(-1, 1, dim=2))
    undecided = replace(symmetry, spectrum=np.zeros(0))
    with pytest.raises(er.UndecidedError, match="symmetry.action"):
        er.enforce(scalars(2, 2), undecided)
    assert er.enforce(scalars(2, 2), undecided.action).dim == 2


def test_a_symmetry_without_findings_is_not_enforced():
    nothing = er.discover(
        lambda x: x[:, 0] + x[:, 1] ** 2 + x[:, 0] ** 3, er.actions.rotation(2), er.Samples.box(-1, 1, dim=2)
    )
    assert nothing.decided and not nothing.dim
    with pytest.raises(er.UndecidedError, match="nothing was found"):
        er.enforce(er.fields.Polynomial(degree=2, dim=2).as_field(), nothing)


def test_linear_maps_between_representations():
    assert er.enforce(V * V >> V).dim == 1
    assert er.enforce(V >> V).dim == 1
    cyclic = er.rep("V", er.groups.Z(6))
    circulant = er.enforce(cyclic >> cyclic)
    assert circulant.dim == 6 and circulant.residual < 1e-12
    # the same kernels as a field: linear vector fields on six points, without the constant
    field = PolynomialField(exponents(6, 1, lowest=1), np.zeros((6, 6)), "vector")
    assert np.all(er.enforce(field, er.groups.Z(6)).angles(circulant) < 1e-10)


@pytest.mark.parametrize(
    ("action", "mixed", "size"),
    [
        (act.rotation(6), False, 5),
        (act.rotation(6), True, 2),
        (act.euclidean(3), False, 3),
        (act.scaling(4), True, 4),
        (act.gl(3), True, 2),
        (act.linear(np.eye(9)[[1, 3, 5]].reshape(3, 3, 3)), False, 3),
    ],
)
def test_few_generators_generate_the_algebra(action, mixed, size):
    xi = generating_set(action, mixed=mixed)
    assert len(xi) == size
    field = scalars(action.point_dim, 2)
    samples = er.Samples.box(-1, 1, dim=action.point_dim, n=200)
    lie = LieDerivative(field, action, samples)
    everything = null_space(lie.in_theta(np.eye(action.n_generators)))
    assert np.all(null_space(lie.in_theta(xi)).angles(everything) < 1e-8)
    assert null_space(lie.in_theta(xi)).dim == everything.dim


def test_outputs_that_are_no_representation_are_all_kept():
    """The generators of points close, those of points and values do not: no equation may be dropped."""
    output = np.zeros((3, 2, 2))
    output[2, 0, 0] = 1.0
    action = act.rotation(3).with_output(output)
    assert len(generating_set(action, mixed=False)) == 3
    assert er.enforce(scalars(3, 2, 2), action).dim == 2


# Libraries


def test_fourier_under_a_diagonal_translation():
    """Functions of x - y: 1, and the sine and cosine of each of two harmonics."""
    family = Fourier([2 * np.pi, 2 * np.pi], order=2, tensor=True).as_field()
    both = act.translation(2).restrict([[1], [1]])
    found = er.enforce(family, both)
    assert found.dim == 5 and found.residual < 1e-14
    f = family.with_theta(found.combine(np.random.default_rng(0).normal(size=5)))
    x = np.random.default_rng(1).uniform(0, 6, size=(9, 2))
    assert np.allclose(f.value(x), f.value(x + 1.234), atol=1e-12)
    assert er.closure(family, both).is_closed


def test_radial_bumps_under_a_finite_group():
    """Five centres of a square: the middle, the ring, and the constant."""
    centres = np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]])
    assert er.enforce(Radial(centres, 1.0).as_field(), er.groups.D(4)).dim == 3
    assert er.enforce(Radial(centres, 1.0).as_vector_field(), er.groups.D(4)).dim == 1
    mean = Radial(np.array([[0.3, 0.0]]), 1.0).as_field()
    assert er.enforce(mean, act.rotation(2)).dim == 1  # a bump off centre is not symmetric: the constant is left


def test_splines_are_constant_along_a_translation():
    basis = Spline([[-1, 0, 1], [-1, 0, 1]], tensor=True)
    assert er.enforce(basis.as_field(), act.translation(2).restrict([[1], [0]])).dim == 5


@pytest.mark.parametrize(("width", "dependent"), [(0.1, False), (3.0, True)])
def test_functions_that_depend_on_each_other_are_reported(width, dependent):
    """25 bumps on an interval: wide ones add up to zero, to rounding, in many ways. One constant field is symmetric."""
    family = Radial(np.linspace(-1, 1, 25)[:, None], width).as_field()
    found = er.enforce(family, act.translation(1))
    counted = re.search(r"(\d+) of them are zero at the samples", found.reason)
    zero = int(counted[1]) if counted else 0
    assert found.dim == 1 + zero and (zero > 0) == dependent


def test_kernels_under_scaling_are_homogeneous_of_degree_minus_one():
    texts = ["1/x", "1/y", "y/x**2", "1/(x+y)", "1", "x", "1/x**2", "x/y"]
    family = Expressions(*texts).bind(["y", "x"]).as_field()
    found = er.enforce(family, kernel(act.scaling(1)), er.Samples.box(1, 2, dim=2))
    assert np.array_equal(np.flatnonzero(np.abs(found.to_dense()).max(axis=1) > 1e-9), [0, 1, 2, 3])
    assert found.dim == 4
    f = family.with_theta(found.combine(np.ones(4)))
    x = np.random.default_rng(0).uniform(1, 2, size=(5, 2))
    assert np.allclose(f.value(3 * x), f.value(x) / 3)


@pytest.mark.parametrize(
    ("target", "source", "degree"),
    [
        (act.scaling(1), act.scaling(1), -1),
        (TangentLift(act.scaling(1)), act.scaling(1), 0),
        (act.scaling(1), TangentLift(act.scaling(1)), -2),
        (act.scaling(1).with_output([[[3]]]), TangentLift(act.scaling(1)), 1),
    ],
)
def test_values_and_density_set_the_degree_of_a_kernel(target, source, degree):
    """Under x -> s x with u of weight a and T u of weight b, k has degree b - a - 1."""
    texts = ["y/x**3", "1/x**2", "1/y", "x/y**2", "x/y", "1", "x", "y**2/x"]
    degrees = np.array([-2, -2, -1, -1, 0, 0, 1, 1])
    family = Expressions(*texts).bind(["y", "x"]).as_field()
    found = er.enforce(family, kernel(target, source), er.Samples.box(1, 2, dim=2))
    assert np.array_equal(np.abs(found.to_dense()).max(axis=1) > 1e-9, degrees == degree)


@pytest.mark.parametrize(
    "action",
    [
        kernel(act.translation(2)),
        kernel(act.euclidean(2)),
        kernel(act.scaling(1)),
        kernel(act.polynomial(1, 2)),
        kernel(TangentLift(act.polynomial(2, 2))),
        kernel(TangentLift(act.rotation(3)), act.rotation(3)),
        kernel(act.rotation(2).with_output([[[0, 2], [-2, 0]]]), TangentLift(act.rotation(2))),
    ],
    ids=lambda a: a.names[-1],
)
def test_kernel_actions_keep_the_laws_of_actions(action):
    check_action(action, np.random.default_rng(0).uniform(0.5, 1, size=(6, action.point_dim)))


def test_integral_operators_commute_with_what_their_kernels_are_symmetric_under():
    """T(xi u) = xi (T u) by quadrature, for a density-weighted kernel under scaling of the half line."""
    node, weight = np.polynomial.legendre.leggauss(200)
    t, weight = 12.0 * node, 12.0 * weight  # x = e^t
    x = np.exp(t)

    def apply(u: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (1 / (y[:, None] + x)) @ (weight * x * u)

    u, moved = np.exp(-(t**2)), np.exp(-((t + 0.3) ** 2))  # u(x), and u(e^0.3 x)
    y = np.array([0.5, 1.0, 3.0])
    assert np.allclose(apply(moved, y), apply(u, np.exp(0.3) * y), rtol=1e-8)


def test_closure_names_what_a_library_lacks():
    family = Expressions("sin(x)", "exp(x)").bind(["x"]).as_field()
    report = er.closure(family, act.translation(1), er.Samples.box(0, 6, dim=1))
    assert not report.is_closed and report.missing == ("cos(x)",)
    found = er.enforce(family, act.translation(1), er.Samples.box(0, 6, dim=1))
    assert found.dim == 0 and "cos(x)" in found.reason and "not closed" in found.reason
    full = Expressions("sin(x)", "exp(x)", "cos(x)").bind(["x"]).as_field()
    assert er.closure(full, act.translation(1), er.Samples.box(0, 6, dim=1)).is_closed


def test_closure_of_polynomials_names_monomials():
    report = er.closure(scalars(1, 2), act.fields([["x**2"], ["x"]], ["x"]))
    assert report.missing == ("x^3",)
    # x^2 d/dx takes x to x^2 and x^2 to 2 x^3: four fifths of the squares lie outside
    assert np.allclose(report.outside, [np.sqrt(4 / 5), 0.0])
    assert er.closure(vectors(3, 3), act.affine(3)).is_closed
    partial = PolynomialField(np.array([[1, 0]]), np.zeros((1, 1)))
    assert er.closure(partial, act.rotation(2)).missing == ("y",)
    assert er.closure(partial, er.groups.S(2)).names == ("h1", "h2")
    assert er.closure(partial, er.groups.S(2)).missing == ("y",)


def test_points_say_where_the_symmetry_is_claimed():
    """On the unit circle x^2 + y^2 is 1: more fields are symmetric there than everywhere."""
    circle = np.random.default_rng(0).normal(size=(200, 2))
    circle /= np.linalg.norm(circle, axis=1, keepdims=True)
    family = scalars(2, 2)
    assert er.enforce(family, act.rotation(2)).dim == 2
    stretch = act.scaling(2, [1, 1])
    assert er.enforce(family, stretch).dim == 1
    assert er.enforce(family, act.rotation(2), circle).dim == 2
    assert er.enforce(family, act.rotation(2), er.Samples.box(-1, 1, dim=2)).dim == 2
    line = np.stack([np.linspace(-1, 1, 50), np.zeros(50)], axis=1)
    shear = act.fields([["y", "0"]], ["x", "y"])
    assert er.enforce(family, shear).dim == 3 and er.enforce(family, shear, line).dim == 6


def test_many_samples_are_streamed():
    family = scalars(2, 3)
    x = np.random.default_rng(0).normal(size=(200_000, 2))
    many = er.enforce(family, act.rotation(2), x)
    assert many.dim == 2 and np.all(many.angles(er.enforce(family, act.rotation(2))) < 1e-9)


def test_callable_generators_are_sampled():
    def spin(x):
        return np.stack([np.stack([-x[:, 1], x[:, 0]], axis=1)], axis=1)

    found = er.enforce(vectors(2, 3), CallableAction(spin, 2, ("spin",)))
    assert found.dim == 4 and found.method == "sampled"


class Waves(AbstractLinearField):
    """A field of the user's own: cos(x - y), sin(x - y), cos(x + y) as they stand."""

    point_dim, value_dim, n_params, accuracy, kind, theta = 2, 1, 3, 1e-15, "invariant", np.zeros(3)

    def features(self, x):
        minus, plus = x[:, 0] - x[:, 1], x[:, 0] + x[:, 1]
        return np.stack([np.cos(minus), np.sin(minus), np.cos(plus)], axis=1)[:, None]

    def features_jacobian(self, x):
        minus, plus = x[:, 0] - x[:, 1], x[:, 0] + x[:, 1]
        rows = [-np.outer(np.sin(minus), [1, -1]), np.outer(np.cos(minus), [1, -1]), -np.outer(np.sin(plus), [1, 1])]
        return np.stack(rows, axis=1)[:, None]

    def value(self, x):
        return self.features(x) @ self.theta

    def jacobian(self, x):
        return np.einsum("ncqa,q->nca", self.features_jacobian(x), self.theta)

    def with_theta(self, theta):
        raise NotImplementedError  # enforce has no need of it


def test_a_field_of_ones_own():
    both = act.translation(2).restrict([[1], [1]])
    found = er.enforce(Waves(), both, er.Samples.box(-3, 3, dim=2))
    assert found.dim == 2 and np.allclose(found.to_dense()[2], 0, atol=1e-12)
    turn = np.array([[-1.0, 0.0], [0.0, -1.0]])
    assert er.enforce(Waves(), both, er.Samples.box(-3, 3, dim=2), discrete=[turn]).dim == 1
    with pytest.raises(er.InputError, match="samples are missing"):
        er.enforce(Waves(), both)


def test_coefficients_of_the_family_do_not_matter():
    """Not even how well they are known: a fitted polynomial stands for its family."""
    table = exponents(2, 3)
    fitted = PolynomialField(table, np.random.default_rng(0).normal(size=(2, 10)), "vector", accuracy=0.2)
    skew = act.linear([[0, -np.sqrt(2)], [np.sqrt(3), 0]])
    assert er.enforce(fitted, skew).dim == er.enforce(vectors(2, 3), skew).dim == 4


def test_units_of_parameters_do_not_matter():
    """The same family with monomials in millimetres: the same fields."""
    basis = polynomial_basis(2, 4)

    class Scaled(type(basis)):
        def evaluate(self, x):
            return super().evaluate(x) * 1e3 ** self.table.sum(axis=1)

        def gradients(self, x):
            return super().gradients(x) * (1e3 ** self.table.sum(axis=1))[:, None]

        def contract(self, x, coefficients):
            return super().contract(x, coefficients * 1e3 ** self.table.sum(axis=1))

    scaled = Joined((Scaled(basis.table), polynomial_basis(2, 0)))
    found = er.enforce(scaled.as_field(), act.rotation(2), er.Samples.box(-1, 1, dim=2))
    assert found.dim == 4  # 1, r^2, r^4 and the constant that stands twice


def test_large_families_stay_exact():
    """Vector fields of degree 4 in six coordinates: 1260 parameters, x and r^2 x."""
    found = er.enforce(vectors(6, 4), act.rotation(6))
    assert isinstance(found, RationalSubspace) and found.dim == 2
    assert "5 generators that generate all 15" in found.reason


def test_large_coefficients_stay_exact():
    """Kernels (y - x)^k up to k = 20 have coefficients of six digits."""
    found = er.enforce(scalars(2, 20), kernel(act.translation(1)))
    assert isinstance(found, RationalSubspace) and found.dim == 21
    assert np.abs(found.sparse_basis()).max() >= 184756


def test_families_from_a_library():
    family = Polynomial(degree=2, dim=3).as_vector_field()
    assert family.n_params == 30 and family.kind == "vector" and not family.table[0].any()
    basis = er.enforce(family, act.rotation(3)).sparse_basis()
    assert family.describe(basis[:, 0]) == "x d/dx + y d/dy + z d/dz"
    assert scalars(2, 2, 2).describe(np.arange(12.0), ["u", "v"]).startswith("u + 2 v + 3 u^2")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: er.enforce(lambda x: x, act.rotation(2)), "as_equivariant"),
        (lambda: er.enforce(er.as_field(lambda x: x[:, 0], dim=2), act.rotation(2)), "nonlinearly"),
        (lambda: er.enforce(Polynomial(2), act.rotation(2)), "as_vector_field"),
        (lambda: er.enforce(polynomial_basis(2, 2), act.rotation(2)), "basis.as_field"),
        (lambda: er.enforce(V, act.rotation(3)), ">>"),
        (lambda: er.enforce(scalars(2, 2)), "Something must act"),
        (lambda: er.enforce(scalars(2, 2), act.rotation(3)), "same coordinates"),
        (lambda: er.enforce(scalars(2, 2), SO3), "size 3"),
        (lambda: er.enforce(scalars(2, 2), act.rotation(2), discrete=[np.zeros((2, 2))]), "singular"),
        (lambda: er.enforce(scalars(2, 2), act.rotation(2), discrete=[np.eye(5)]), r"\(5, 5\)"),
        (lambda: er.enforce(scalars(2, 2), act.rotation(2), method="exakt"), "exact"),
        (lambda: er.enforce(scalars(2, 2), act.rotation(2), cache="x"), "cache"),
        (lambda: er.enforce(maps(2, 2), act.polynomial(2, 2)), "affine"),
        (lambda: er.enforce(scalars(2, 2), act.linear([[0, np.sqrt(2)], [1, 0]]), method="exact"), "fractions"),
        (lambda: er.enforce(V >> V, act.rotation(3)), "restrict"),
        (lambda: er.enforce(V >> V, cache=__file__), "a path where one can be made"),
        (lambda: er.enforce(V >> V, cache=__file__ + "/inside"), "Not a directory"),
        (lambda: er.enforce(V >> V, cache=3), "a folder"),
        (lambda: er.enforce(scalars(2, 2), act.rotation(2), "box"), "er.Samples.box"),
        (lambda: er.enforce(scalars(2, 2), act.rotation(2), discrete=np.eye(2)), "in a list"),
        (lambda: er.enforce(scalars(2, 2), act.rotation(2), method=3), "no such method"),
        (lambda: kernel(SO3), "er.actions.linear"),
        (lambda: kernel(act.rotation(2), 3), "type int"),
        (lambda: Polynomial(2.5), "whole number"),
        (lambda: Polynomial(2, dim=1.5), "whole number"),
        (lambda: Polynomial(100, dim=20).as_field(), "2.95e\\+22 coefficients"),
        (lambda: Polynomial(100).bind([f"x{i}" for i in range(20)]), "2.95e\\+22 coefficients"),
        (lambda: Polynomial(2, dim=2).as_field(0), "whole number of value channels"),
        (lambda: Expressions("sin("), "character 5"),
        (lambda: Expressions(3), "type int"),
        (lambda: kernel(act.rotation(2), act.translation(2)), "generators"),
        (lambda: Polynomial(2).as_field(), "dim"),
        (lambda: Polynomial(2, dim=3).bind(["x"]), "dim=3"),
        (lambda: er.enforce(Expressions("1/x").bind(["x"]).as_field(), act.scaling(1)), "samples are missing"),
        (
            lambda: er.enforce(
                Expressions("1/x").bind(["x"]).as_field(), act.scaling(1), np.array([[0.0], [1.0], [2.0]])
            ),
            "finite",
        ),
    ],
)
def test_errors_teach(call, words):
    with pytest.raises(er.InputError, match=words):
        call()


def test_too_few_points_are_not_an_answer():
    with pytest.raises(er.UndecidedError, match="too few samples"):
        er.enforce(scalars(2, 4), act.rotation(2), np.random.default_rng(0).normal(size=(8, 2)))


def test_networks_are_pointed_to_their_layers():
    torch = pytest.importorskip("torch")
    with pytest.raises(er.InputError, match="er.nn.symmetrize"):
        er.enforce(torch.nn.Linear(2, 1), act.rotation(2))


@pytest.mark.parametrize("method", ["auto", "floating", "sampled"])
@pytest.mark.parametrize("ratio", [1.0, np.sqrt(2.0)])
def test_units_of_generators_do_not_matter(method, ratio):
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    apart = np.zeros((2, 4, 4))
    apart[0, :2, :2], apart[1, 2:, 2:] = 1e8 * ratio * turn, 1e-8 * ratio * turn
    reflection = np.diag([1.0, -1.0, 1.0, 1.0])
    for acting in (act.linear(apart), er.groups.from_matrices(lie_algebra=apart, discrete=reflection)):
        space = er.enforce(scalars(4, 2), acting, method=method)
        assert space.dim == 3  # 1, x^2 + y^2, z^2 + w^2
        assert space.residual < 1e-14
