"""Clouds of points: normals, dimension, and the generators that are tangent."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

from erlangen._errors import InputError, UndecidedError
from erlangen.actions import affine
from erlangen.derivative import LieDerivative, Samples
from erlangen.fields import CloudField, as_field, cloud_field
from erlangen.testing import check_field


def sphere(n: int, d: int, noise: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(d)
    x = rng.normal(size=(n, d))
    return x / np.linalg.norm(x, axis=1, keepdims=True) + noise * rng.normal(size=(n, d))


@lru_cache
def sphere_field(n: int, noise: float = 0.0) -> CloudField:
    return cloud_field(sphere(n, 3, noise))


def circle() -> np.ndarray:
    t = np.random.default_rng(1).uniform(0, 2 * np.pi, 400)
    return np.c_[np.cos(t), np.sin(t), 0 * t]


def torus() -> np.ndarray:
    a, b = np.random.default_rng(2).uniform(0, 2 * np.pi, (2, 3000))
    return np.c_[(2 + np.cos(a)) * np.cos(b), (2 + np.cos(a)) * np.sin(b), np.sin(a)]


def cylinder() -> np.ndarray:
    rng = np.random.default_rng(3)
    a, z = rng.uniform(0, 2 * np.pi, 2000), rng.uniform(-2, 2, 2000)
    return np.c_[np.cos(a), np.sin(a), z]


def defects(field: CloudField) -> tuple[np.ndarray, np.ndarray]:
    """Relative defects of the affine generators and their coefficients, straight from the definition."""
    action = affine(field.point_dim)
    lie = LieDerivative(field, action, Samples.from_data(field.points))
    slope = np.linalg.norm(field.jacobian(field.points), axis=(1, 2)) / np.sqrt(field.points.size)
    moves = (action.on_points(field.points) * slope[:, None, None]).transpose(0, 2, 1).reshape(-1, action.n_generators)
    scale = np.abs(moves).max(axis=0)
    scale[scale == 0] = 1.0
    u, s, v = np.linalg.svd(moves / scale, full_matrices=False)
    kept = s > 1e-9 * s[0]
    frame = v[kept].T / s[kept] / scale[:, None]
    _, size, w = np.linalg.svd(lie.in_xi() @ frame, full_matrices=False)
    return size[::-1], frame @ w[::-1].T


@pytest.mark.parametrize(("noise", "bound"), [(0.0, 5e-4), (0.01, 0.02)])
def test_the_sphere_has_the_rotations_and_nothing_else(noise, bound):
    field = sphere_field(2000, noise)
    size, xi = defects(field)
    assert field.intrinsic_dim == 2
    assert size[2] <= bound and size[3] >= 0.9
    linear = affine(3).restrict(xi[:, :3]).coefficients[:, :, 1:]
    skew = (linear - linear.transpose(0, 2, 1)) / 2
    assert np.linalg.norm(linear - skew) <= 5 * bound * np.linalg.norm(linear)


# points, intrinsic dimension, number of affine generators that are tangent (on the span of the data)
SHAPES = {
    "circle in space": (circle, 1, 1),
    "torus": (torus, 2, 1),
    "cylinder": (cylinder, 2, 5),  # turn, and d/dz times 1, x, y, z
    "three-sphere": (lambda: sphere(3000, 4), 3, 6),
}


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_have_their_dimension_and_their_symmetry(name):
    points, dim, count = SHAPES[name]
    field = cloud_field(points())
    assert field.intrinsic_dim == dim
    size, _ = defects(field)
    assert size[count - 1] <= 0.01
    assert size[count] >= 0.2


def test_the_stated_error_is_the_error_of_the_normals():
    for noise in (0.0, 0.01, 0.02):
        x = sphere(2000, 3, noise)
        field = sphere_field(2000, noise)
        normal = field.jacobian(x)[:, 0]
        cosine = np.abs(np.sum(normal * x, axis=1)) / np.linalg.norm(x, axis=1)
        error = np.sqrt(np.mean(2 - 2 * cosine))
        assert 0.5 * error <= field.accuracy <= 5 * error


def test_halving_the_spacing_improves_normals_faster_than_a_plane_fit_would():
    errors = [sphere_field(n).accuracy for n in (500, 2000)]
    assert errors[1] <= errors[0] / 4


def test_heights_vanish_on_the_cloud_and_follow_its_curvature_between_points():
    x = sphere(2000, 3)
    field = sphere_field(2000)
    assert np.array_equal(field.value(field.points), np.zeros((2000, 1)))
    assert np.abs(field.value(x)).max() <= 1e-4
    between = sphere(999, 3)[:500] @ np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    assert np.abs(field.value(between)).max() <= 1e-3
    assert np.abs(np.abs(field.value(1.05 * between)) - 0.05).max() <= 2e-3
    check_field(field, 1.001 * x[:50])


def test_an_array_of_points_is_taken_for_a_cloud():
    field = as_field(circle())
    assert isinstance(field, CloudField) and field.kind == "invariant"


def test_the_reason_for_the_dimension_is_said_in_words():
    assert "variances in small neighbourhoods fall as 1, " in cloud_field(circle()).reason
    assert cloud_field(circle(), intrinsic_dim=1).reason == "as given"


def test_clouds_that_cannot_be_used_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(UndecidedError, match="No direction of the cloud is thin"):
        cloud_field(rng.normal(size=(1000, 3)))
    with pytest.raises(UndecidedError, match="too few points"):
        cloud_field(rng.normal(size=(16, 7)), intrinsic_dim=5)
    with pytest.raises(InputError, match="below that of the space"):
        cloud_field(circle(), intrinsic_dim=3)
    for bad in (np.ones(5), np.ones((3, 3)), np.full((50, 3), np.nan), [["a", "b"]] * 9):
        with pytest.raises(InputError, match="not a cloud"):
            cloud_field(bad)


def test_noise_is_averaged_out_of_the_points():
    noisy = sphere(2000, 3, 0.01)
    radii = [np.linalg.norm(x, axis=1).std() for x in (noisy, sphere_field(2000, 0.01).points)]
    assert radii[1] <= radii[0] / 4
