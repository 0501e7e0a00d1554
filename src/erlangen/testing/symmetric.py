"""Is it symmetric? Numbers in float64, a tolerance with a reason, and the generator and layer that break."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain
from erlangen._lazy import comes_from
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction
from erlangen.algebra import Group, Representation
from erlangen.fields import EXACT, AbstractField, as_field, carry
from erlangen.testing._evaluate import Evaluated, FieldUnderTest, measure, norms, rms, sizes
from erlangen.testing._moves import Move, action_moves, group_moves, representation
from erlangen.testing._report import SymmetryReport
from erlangen.verbs import Symmetry

POINTS = 64
"""Random points at which a function is tried where none are given."""

SURE = 6.0
"""Standard deviations of accumulated rounding: beyond six, chance has less than one in 10^8."""

DRAWS = 8
"""Times that weights are rounded at random: with twice the largest change, one error in 2^8 would be missed."""

MOST = 0.1
"""Error beyond which nothing counts as symmetric, however coarse the numbers of a module."""

OPERATIONS = 1000
"""Operations allowed for in a function that cannot be looked into."""


def equivariance_error(
    function: Any,
    action: Any,
    x: ArrayLike | None = None,
    *,
    rep_in: Any = None,
    rep_out: Any = None,
    tol: float | None = None,
    rng: int | np.random.Generator = 0,
) -> SymmetryReport:
    """Measure how far a function is from equivariant; arguments as for `assert_symmetric`.

    Every generator is compared infinitesimally (the derivative along it) and for a finite time, every discrete
    element finitely. A torch module is copied, and the copy evaluated in float64 and evaluation mode. An error is
    the largest deviation over the points, relative to the size of the function at that point: its value there and
    its change when the point moves by its own length, or half of the points' size if that is larger.

    Parameters
    ----------
    function : torch.nn.Module, callable, estimator or field
        As for `assert_symmetric`.
    action : AbstractAction, Symmetry, Group, or a pair of representations
        As for `assert_symmetric`.
    x : array (n, ...), optional
        As for `assert_symmetric`.
    rep_in, rep_out : Representation or str, optional
        As for `assert_symmetric`.
    tol : float, optional
        As for `assert_symmetric`.
    rng : int or numpy.random.Generator
        As for `assert_symmetric`.

    Returns
    -------
    SymmetryReport
        Numbers, the tolerance and its reason, and the first layer that breaks.

    Raises
    ------
    InputError
        When function, action and points do not fit together, or nothing moves.

    Examples
    --------
    >>> import erlangen as er
    >>> report = er.testing.equivariance_error(lambda x: (x**2).sum(1), er.groups.O(3))
    >>> report.passed, len(report.rows)
    (True, 7)
    """
    rng = np.random.default_rng(rng)
    action, rep_in, rep_out = _resolved(function, action, rep_in, rep_out)
    points = _points(action, rep_in, x, rng)
    tested, dtype, allowance = _under_test(function, action, points)
    moves = list(_moves(action, rep_in, rep_out, points, rng))
    if not moves:
        raise _nothing_moves(action)
    size = sizes(tested, points, rng)
    rows = tuple(measure(tested, moves, points, rng, size))
    if tol is not None:
        allowance = Allowance(float(tol), "as asked for")
    elif comes_from(function, "torch") and hasattr(function, "named_modules"):
        allowance = _of_module(function, dtype, moves, points, size, rng)
    report = SymmetryReport(rows, allowance.tol, allowance.reason, points, dtype)
    return _looked_into(function, report, moves, rep_in, rng) if comes_from(function, "torch") else report


def assert_symmetric(
    function: Any,
    action: Any,
    x: ArrayLike | None = None,
    tol: float | None = None,
    *,
    rep_in: Any = None,
    rep_out: Any = None,
    rng: int | np.random.Generator = 0,
) -> SymmetryReport:
    """Assert that a function is invariant or equivariant, and say which generator and layer breaks it.

    Parameters
    ----------
    function : torch.nn.Module, callable, estimator or field
        What to test. A module is copied and evaluated in float64, and left as it is.
    action : AbstractAction, Symmetry, Group, or a pair of representations
        With a group, inputs move by ``rep_in`` and outputs by ``rep_out``; ``rep_in >> rep_out`` and
        ``(rep_in, rep_out)`` say all three at once.
    x : array (n, ...), optional
        Points; 64 standard normal ones by default.
    tol : float, optional
        Largest relative error of the float64 copy. By default derived from its depth: each layer that sums w
        numbers adds rounding of ``sqrt(w) eps``, and six standard deviations are allowed (Higham and Mary 2019).
        Where weights have fewer digits, what rounding them may have broken is measured and allowed too: layers
        of `erlangen.nn` stay equivariant, ordinary layers that copy them do not.
    rep_in, rep_out : Representation or str, optional
        By default those that the module names itself (``module.rep_in``); else ``"V"``, and invariant outputs.
    rng : int or Generator
        For points and times.

    Returns
    -------
    SymmetryReport
        The numbers.

    Raises
    ------
    AssertionError
        With the generator, its error, the point and the first layer that breaks.
    InputError
        Where the action does not fit the function.

    References
    ----------
    N. J. Higham and T. Mary, A new approach to probabilistic rounding error analysis, SIAM J. Sci. Comput. 41,
    A2815 (2019).

    Examples
    --------
    >>> import erlangen as er
    >>> report = er.testing.assert_symmetric(lambda x: (x**2).sum(1), er.groups.SO(3))
    >>> er.testing.assert_symmetric(lambda x: x[:, 0], er.groups.SO(2))
    Traceback (most recent call last):
    ...
    AssertionError: not symmetric infinitesimally: generator 1 of SO(2), x d/dy - y d/dx gives a relative error of ...
    """
    report = equivariance_error(function, action, x, rep_in=rep_in, rep_out=rep_out, tol=tol, rng=rng)
    if not report.passed:
        raise AssertionError(report.message())
    return report


@dataclass(frozen=True)
class Allowance:
    """A tolerance and its reason."""

    tol: float
    reason: str


def _resolved(function: Any, action: Any, rep_in: Any, rep_out: Any) -> tuple[Any, Any, Any]:
    """A group with its representations, or an action with none."""
    if isinstance(action, AbstractAction | Symmetry):
        return action, None, None
    if hasattr(action, "source") and hasattr(action, "target"):
        action = (action.source, action.target)
    if isinstance(action, Representation):
        action = (action, None)
    if isinstance(action, Sequence) and len(action) == 2 and isinstance(action[0], Representation):
        rep_in, rep_out = action
        action = rep_in.group
    if not isinstance(action, Group):
        raise InputError(
            explain(
                "This is nothing that acts.",
                given=type(action).__name__,
                expected="an action, a Symmetry, a Group, or a pair of representations",
                fix='assert_symmetric(net, er.groups.SO(3), rep_in="V", rep_out="V")',
            )
        )
    says = [getattr(function, side, None) for side in ("rep_in", "rep_out")]
    if rep_in is None and rep_out is None and (isinstance(says[0], Representation) or hasattr(says[0], "act")):
        return action, says[0], says[1]
    return action, representation("V" if rep_in is None else rep_in, action), representation(rep_out, action)


def _points(action: Any, rep_in: Any, x: ArrayLike | None, rng: np.random.Generator) -> NDArray:
    if x is not None:
        points = np.asarray(x.detach().cpu() if comes_from(x, "torch") else x, dtype=np.float64)  # type: ignore[union-attr]
        if points.ndim < 2 or not len(points) or not np.isfinite(points).all():
            raise InputError(
                explain(
                    "The points cannot be used.",
                    given=f"an array of shape {points.shape}",
                    expected="finite numbers of shape (n, ...), n of at least 1",
                    fix="x=numpy.random.default_rng(0).normal(size=(64, d))",
                )
            )
        return points
    if isinstance(action, Symmetry):
        return np.asarray(action.points[:POINTS], dtype=np.float64)
    d = action.point_dim if isinstance(action, AbstractAction) else getattr(rep_in, "size", None)
    if d is None:
        raise InputError(
            explain(
                "Without points the shape of the input is not known.",
                given=f"rep_in={rep_in!r}",
                expected="x of shape (n, ...)",
                fix="x=images[:16]",
            )
        )
    return rng.normal(size=(POINTS, d))


def _under_test(function: Any, action: Any, x: NDArray) -> tuple[Evaluated, str, Allowance]:
    """The function in float64, the type of its own numbers, and the tolerance that follows."""
    kind = action.kind if isinstance(action, Symmetry) else "invariant"
    if comes_from(function, "torch") and hasattr(function, "named_modules"):
        import torch

        from erlangen.testing import _torch

        own = _torch.own_dtype(function)
        undecided = Allowance(0.0, "")
        if kind == "invariant":
            return _torch.under_test(function, torch.float64), _torch.type_name(own), undecided
        return FieldUnderTest(as_field(function, kind)), _torch.type_name(own), undecided
    field = function if isinstance(function, AbstractField) else as_field(function, kind, dim=x.shape[1])
    # Where the numbers are so large or small that its accuracy could not be measured: what differences reach.
    accuracy = field.accuracy if np.isfinite(field.accuracy) else EXACT**0.8
    tol = SURE * np.sqrt(OPERATIONS) * EXACT + SURE * accuracy
    reason = f"rounding of {OPERATIONS} operations, and a derivative known to {accuracy:.1g}"
    return FieldUnderTest(field), "float64", Allowance(float(tol), reason)


def _of_module(
    module: Any, dtype: str, moves: Iterable[Move], x: NDArray, size: NDArray, rng: np.random.Generator
) -> Allowance:
    """Rounding in float64 as the module carries it on, and what rounding its weights may have broken."""
    from erlangen.testing import _torch

    tested = _torch.under_test(module, _torch.torch.float64)
    widths = _torch.widths(module)
    wide = max(widths, default=1)
    # A sum of w numbers adds sqrt(w) roundings, and later layers carry each on as they do changes of its weights.
    carried = np.sqrt(wide) * _torch.sensitivity(tested, x, size, rng)
    tol = min(SURE * EXACT * max(float(np.sum(np.sqrt(widths))), float(carried)), MOST)
    what = f"{len(widths)} layer{'' if len(widths) == 1 else 's'} of width up to {wide}"
    least = Allowance(tol, f"six times the rounding of {what} in float64")
    return least if dtype == "float64" else _of_weights(tested, _torch.own_dtype(module), least, moves, x, size, rng)


def _of_weights(
    tested: Any,
    own: Any,
    least: Allowance,
    moves: Iterable[Move],
    x: NDArray,
    size: NDArray,
    rng: np.random.Generator,
) -> Allowance:
    """Add what rounding the weights to their type does to the error: nothing, where layers are equivariant."""
    from erlangen.testing import _torch

    finite = [m for m in moves if not m.infinitesimal]
    moved = [m.inputs(x) for m in finite]

    def defects() -> list[NDArray]:
        f = tested.value(x)
        return [tested.value(y) - m.outputs(x, f) for m, y in zip(finite, moved, strict=True)]

    before, effect = defects(), 0.0
    for _ in _torch.rounded(tested, own, rng, DRAWS):
        changes = [
            norms(new - old) / np.where(size > 0, size, np.inf) for new, old in zip(defects(), before, strict=True)
        ]
        effect = max(effect, *(float(change.max()) for change in changes))
    # Where nothing but rounding changed, the weights have no part in it.
    if not 2 * effect > least.tol:
        return least
    tol, most = min(2 * effect + least.tol, MOST), f", and never more than {MOST:g}" if 2 * effect > MOST else ""
    return Allowance(
        tol, f"twice what rounding the weights to {_torch.type_name(own)} changes, as tried {DRAWS} times{most}"
    )


def _moves(action: Any, rep_in: Any, rep_out: Any, x: NDArray, rng: np.random.Generator) -> Iterable[Move]:
    if isinstance(action, Symmetry):
        return action_moves(carry(action.kind, action.action), rng, x)
    return (
        action_moves(action, rng, x)
        if isinstance(action, AbstractAction)
        else group_moves(action, rep_in, rep_out, rng)
    )


def _looked_into(
    module: Any, report: SymmetryReport, moves: list[Move], rep_in: Any, rng: np.random.Generator
) -> SymmetryReport:
    """Add the error in the module's own type, and the first layer that breaks."""
    from erlangen.testing import _torch

    own_error = rounding = None
    x = report.points
    if report.dtype != "float64":
        own, exact = _torch.under_test(module), _torch.under_test(module, _torch.torch.float64)
        f = exact.value(x)
        size = max(rms(norms(f)), np.finfo(float).tiny)
        rounding = float(norms(own.value(x) - f).max() / size)
        finite = [m for m in moves if not m.infinitesimal]
        missed = [norms(own.value(m.inputs(x)) - m.outputs(x, own.value(x))).max() / size for m in finite]
        own_error = float(max(missed, default=0.0))
    layer = "" if report.passed else _first_layer(module, report, rep_in, rng)
    return replace(report, own_error=own_error, rounding=rounding, layer=layer)


def _first_layer(module: Any, report: SymmetryReport, rep_in: Any, rng: np.random.Generator) -> str:
    from erlangen.testing import _torch

    whole = _torch.under_test(module, _torch.torch.float64)
    found = _torch.layers(whole, report.points, rep_in)
    if not found:
        return "not known: no layer says its representations as rep_in and rep_out"
    for layer in found:
        moves = group_moves(layer.rep_in.group, layer.rep_in, layer.rep_out, rng)
        part = _torch.ModuleUnderTest(layer.module, _torch.torch.float64)
        worst = max(measure(part, moves, layer.inputs, rng), key=lambda row: row.error)
        if not worst.error <= report.tol:
            return f"{layer.name} is the first that breaks: error {worst.error:.2g} under {worst.element}"
    return f"none of the {len(found)} layers that say their representations breaks; what joins them does"


def _nothing_moves(action: Any) -> InputError:
    return InputError(
        explain(
            "The action has no generators and no elements.",
            given=repr(action),
            expected="at least one generator or discrete element",
            fix="er.groups.SO(3)",
        )
    )
