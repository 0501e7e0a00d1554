"""Checks that a new kind of field, or a new action, keeps what it promises."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from erlangen._typing import NDArray
from erlangen.actions import AbstractAction, IncrementLift
from erlangen.derivative import move
from erlangen.fields import AbstractField

ROUNDING = 1e-9
"""Relative error allowed between two ways to compute the same thing: rounding of sums of a million terms."""


def check_field(field: AbstractField, points: ArrayLike) -> None:
    """Assert that a field has the shapes it declares, repeats itself and knows its own derivative.

    The Jacobian is compared with central differences of the values; it may differ by ten times the sum of the
    accuracy that the field states and the error of the differences, which is measured with two step sizes. Points
    where the differences do not converge (kinks) are left out; they must be fewer than half.

    Parameters
    ----------
    field : AbstractField
        What to check.
    points : array (n, d)
        Points inside the domain, away from its edge.

    Raises
    ------
    AssertionError
        With the promise that is broken, and by how much.

    Examples
    --------
    >>> from erlangen.fields import polynomial_field
    >>> check_field(polynomial_field(2, 2, [0, 0, 0, 1, 0, 1]), [[1.0, 2.0], [0.5, -1.0]])
    """
    x = np.asarray(points, dtype=np.float64)
    n, d, c = len(x), field.point_dim, field.value_dim
    _expect(x.shape == (n, d), f"points have shape {x.shape}, the field lives on R^{d}")
    kept = x.copy()
    f, jacobian = np.asarray(field.value(x)), np.asarray(field.jacobian(x))
    _expect(np.array_equal(x, kept), "value or jacobian changed the points it was given")
    _expect(f.shape == (n, c), f"value has shape {f.shape}, declared (n, c) = {(n, c)}")
    _expect(jacobian.shape == (n, c, d), f"jacobian has shape {jacobian.shape}, declared (n, c, d) = {(n, c, d)}")
    _expect(bool(np.isfinite(f).all() and np.isfinite(jacobian).all()), "values or derivatives are not finite")
    _expect(np.array_equal(f, field.value(x)), "value differs between two calls")
    _expect(np.array_equal(jacobian, field.jacobian(x)), "jacobian differs between two calls")
    _expect(_close(field.value(x[:1]), f[:1]), "value at one point depends on the other points")
    _expect(_close(field.jacobian(x[:1]), jacobian[:1]), "jacobian at one point depends on the other points")
    _expect(field.kind in ("invariant", "vector", "map"), f"kind is {field.kind!r}")
    _expect(field.kind == "invariant" or c == d, f"kind {field.kind!r} needs c = d, here c = {c}, d = {d}")
    _expect(0 < field.accuracy <= 1, f"accuracy is {field.accuracy}, a relative error between 0 and 1")
    _check_jacobian(field, x, jacobian)


def check_action(action: AbstractAction, points: ArrayLike, rng: int | np.random.Generator = 0) -> None:
    """Assert that an action has the shapes it declares, is linear where it must be, and flows as a group.

    Parameters
    ----------
    action : AbstractAction
        What to check.
    points : array (n, d)
        Points around which the generators are smooth.
    rng : int or Generator
        For directions and combinations.

    Raises
    ------
    AssertionError
        With the law that is broken, and by how much.

    Examples
    --------
    >>> from erlangen.actions import rotation
    >>> check_action(rotation(3), [[1.0, 2.0, 3.0], [0.5, -1.0, 0.2]])
    """
    rng = np.random.default_rng(rng)
    x = np.asarray(points, dtype=np.float64)
    n, d, p = len(x), action.point_dim, action.n_generators
    c = d if action.value_dim is None else action.value_dim
    _expect(x.shape == (n, d), f"points have shape {x.shape}, the action lives on R^{d}")
    _expect(len(action.names) == p, f"{len(action.names)} names for {p} generators")
    moves = np.asarray(action.on_points(x))
    _expect(moves.shape == (n, p, d), f"on_points has shape {moves.shape}, declared (n, p, d) = {(n, p, d)}")
    v, w = rng.normal(size=(2, n, c))
    carried = np.asarray(action.on_values(x, v))
    _expect(carried.shape == (n, p, c), f"on_values has shape {carried.shape}, declared (n, p, c) = {(n, p, c)}")
    u = rng.normal(size=(n, d))
    _check_derivative(action, x, u)
    if not isinstance(action, IncrementLift):  # xi(x + v) - xi(x) is linear in v for affine generators only
        both = action.on_values(x, 2.0 * v - 3.0 * w)  # the weights do not add up to one: a shift is seen
        _expect(_close(both, 2.0 * carried - 3.0 * action.on_values(x, w)), "on_values is not linear in the values")
    basis = rng.normal(size=(p, min(p, 2)))
    part = action.restrict(basis)
    _expect(part.n_generators == basis.shape[1], "restrict(basis) does not have one generator per column")
    pairs = {
        "on_points": (part.on_points(x), moves),
        "derivative_along": (part.derivative_along(x, u), action.derivative_along(x, u)),
        "on_values": (part.on_values(x, v), carried),
    }
    for name, (found, whole) in pairs.items():
        combined = np.einsum("npa,pr->nra", whole, basis)
        _expect(_close(found, combined), f"{name} of restrict(basis) is not the combination of {name}")
    _check_flow(action, basis[:, 0], x, v)


def _expect(holds: bool, message: str) -> None:
    if not holds:
        raise AssertionError(message)


def _close(a: NDArray, b: NDArray) -> bool:
    return bool(np.abs(a - b).max(initial=0.0) <= ROUNDING * max(np.abs(b).max(initial=0.0), 1e-300))


def _check_jacobian(field: AbstractField, x: NDArray, jacobian: NDArray) -> None:
    fine, coarse = _differences(field, x, 1e-4), _differences(field, x, 2e-4)
    size = float(np.sqrt(np.mean(np.sum(jacobian**2, axis=(1, 2)))))
    unsure = np.sqrt(np.sum((fine - coarse) ** 2, axis=(1, 2)))
    miss = np.sqrt(np.sum((fine - jacobian) ** 2, axis=(1, 2)))
    smooth = unsure <= 1e-2 * size
    _expect(bool(2 * smooth.sum() >= len(x)), "values have no stable difference quotients at half of the points")
    # Values are known to rounding times their size; a difference over a step of 1e-4 magnifies that ten thousand times.
    noise = 1e4 * np.finfo(np.float64).eps * np.abs(field.value(x)).max()
    allowed = 10 * (field.accuracy * size + unsure + noise)
    worst = int(np.argmax(np.where(smooth, miss / np.maximum(allowed, 1e-300), 0.0)))
    _expect(
        not smooth[worst] or bool(miss[worst] <= allowed[worst]),
        f"jacobian differs from difference quotients by {miss[worst]:.2g} at {x[worst].tolist()}, "
        f"where {allowed[worst]:.2g} is allowed (typical size {size:.2g}, stated accuracy {field.accuracy:.0e})",
    )


def _differences(field: AbstractField, x: NDArray, step: float) -> NDArray:
    scale = np.maximum(x.std(axis=0), 1e-3 * np.maximum(np.abs(x).max(axis=0), 1e-300))
    columns = []
    for j in range(x.shape[1]):
        shift = np.zeros(x.shape[1])
        shift[j] = step * scale[j]
        columns.append((field.value(x + shift) - field.value(x - shift)) / (2 * shift[j]))
    return np.stack(columns, axis=2)


def _check_derivative(action: AbstractAction, x: NDArray, u: NDArray) -> None:
    found = np.asarray(action.derivative_along(x, u))
    step = 1e-5 * max(1.0, float(np.abs(x).max()))
    near = (action.on_points(x + step * u) - action.on_points(x - step * u)) / (2 * step)
    far = (action.on_points(x + 2 * step * u) - action.on_points(x - 2 * step * u)) / (4 * step)
    size = max(float(np.abs(near).max(initial=0.0)), float(np.abs(action.on_points(x)).max(initial=0.0)))
    miss = float(np.abs(found - near).max(initial=0.0))
    allowed = 10 * float(np.abs(near - far).max(initial=0.0)) + 1e-8 * size
    _expect(miss <= allowed, f"derivative_along differs from difference quotients of on_points by {miss:.2g}")


def _check_flow(action: AbstractAction, xi: NDArray, x: NDArray, v: NDArray) -> None:
    """Moving for s and then for t is moving for s + t, back again is the start, and the speed is the generator."""
    one = action.restrict(xi[:, None])
    speed = max(float(np.abs(one.on_points(x)).max()), float(np.abs(one.on_values(x, v)).max(initial=0.0)), 1e-300)
    size = max(float(np.abs(x).max()), float(np.abs(v).max()))
    t = 0.1 * size / speed
    y, w = move(action, xi, t, x, v)
    halves = move(action, xi, t / 2, *move(action, xi, t / 2, x, v))
    back = move(action, xi, -t, y, w)
    miss = max(float(np.abs(a - b).max()) for a, b in zip((*halves, *back), (y, w, x, v), strict=True))
    _expect(miss <= 1e-7 * size, f"the flow is no group: halves and whole, or there and back, differ by {miss:.2g}")
    step = 1e-4 * t
    ahead, behind = move(action, xi, step, x, v), move(action, xi, -step, x, v)
    rates = [(a - b) / (2 * step) for a, b in zip(ahead, behind, strict=True)]
    wrong = [
        float(np.abs(r - e[:, 0]).max()) for r, e in zip(rates, (one.on_points(x), one.on_values(x, v)), strict=True)
    ]
    _expect(max(wrong) <= 1e-4 * speed, f"the speed of the flow differs from the generator by {max(wrong):.2g}")
