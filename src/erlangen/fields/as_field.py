"""One way in: whatever has values over points becomes a field.

Converters are registered by type (``functools.singledispatch``), so a new kind of field is one file;
see ``_template.py``. Those for SymPy, scikit-learn and PyTorch are imported when their first object
arrives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import singledispatch
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain
from erlangen._lazy import comes_from, load_adapters
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.blocks import in_blocks
from erlangen.fields._base import AbstractField
from erlangen.fields._probes import admit, default_probes, spread_rows
from erlangen.fields.callable import callable_field
from erlangen.fields.trajectories import Trajectories
from erlangen.fields.wrappers import of_kind


@dataclass(frozen=True, eq=False)
class Request(AbstractShown):
    """What the caller of `as_field` said beside the object itself.

    Attributes
    ----------
    kind : str or None
        How values follow points.
    dim : int or None
        Number d of coordinates, where the object does not tell.
    jacobian : callable or None
        Analytic Jacobian.
    accuracy : float or None
        Relative error of the derivative, where the caller knows better.
    points : ndarray (n, d) or None
        Points of the domain at which the object may be tried.
    variables : sequence or None
        Names (or SymPy symbols) of the coordinates, in order.
    device : str or torch.device or None
        Where a torch module is evaluated.
    """

    kind: str | None = None
    dim: int | None = None
    jacobian: Callable[[NDArray], NDArray] | None = None
    accuracy: float | None = None
    points: NDArray | None = None
    variables: Sequence[Any] | None = None
    device: Any = None

    def probes(self, d: int) -> NDArray:
        """Some points ``(m, d)`` at which to try the object: those given, else a fixed cloud around 0 and 1.

        Parameters
        ----------
        d : int
            Number of coordinates.

        Returns
        -------
        ndarray (m, d)
            Points at which the object can be evaluated.
        """
        return default_probes(d) if self.points is None else spread_rows(self.points, d)


def as_field(
    obj: Any,
    kind: str | None = None,
    *,
    dim: int | None = None,
    jacobian: Callable[[NDArray], NDArray] | None = None,
    accuracy: float | None = None,
    points: ArrayLike | None = None,
    variables: Sequence[Any] | None = None,
    data: tuple[ArrayLike, ArrayLike] | None = None,
    device: Any = None,
) -> AbstractField:
    """Turn an object with values over points into a field.

    Parameters
    ----------
    obj : object
        A function of points ``(n, d)`` (or of one point ``(d,)``), SymPy expressions, a `Formula` or lists of
        them, a fitted scikit-learn estimator, a ``torch.nn.Module``, a table ``(X, y)``, an array of points
        ``(n, d)`` (a cloud, whose tangency is asked about), or a field.
    kind : {"invariant", "vector", "map"}, optional
        How values follow points; must be said where there are as many values as coordinates. A ``"map"`` is
        given by its images x', its values are the increments x' - x.
    dim : int, optional
        Number d of coordinates, where the object does not tell.
    jacobian : callable, optional
        Analytic Jacobian of a function: points ``(n, d)`` to ``(n, c, d)``, or ``(n, d)`` where c = 1.
    accuracy : float, optional
        Relative error of the derivative, where it is known better than it can be measured.
    points : array (n, d), optional
        Points of the domain. Some are used to try the object; without them it is tried near 0 and 1.
    variables : sequence of str, optional
        Names of the coordinates of an expression in order; by default its symbols in natural order.
    data : tuple (X, y), optional
        Observations of what a fitted model approximates, best held out from its training. The field is then
        the target, as model and residuals know it (see `calibrate`).
    device : str or torch.device, optional
        Where a torch module is evaluated, ``"cuda"``; by default where it is.

    Returns
    -------
    AbstractField
        The field.

    Raises
    ------
    InputError
        Where the object is piecewise constant, random, not finite or of a wrong shape, where ``c = d`` and no
        kind is given, or where nothing is known about objects of its type.

    Examples
    --------
    >>> f = as_field(lambda x: x[:, 0] ** 2 + x[:, 1] ** 2, dim=2)
    >>> f.jacobian(np.array([[3.0, 4.0]]))
    array([[[6., 8.]]])
    >>> as_field(lambda x: -x, kind="vector", dim=2).kind
    'vector'
    """
    if points is None and data is not None:
        points = data[0]
    given = None if points is None else np.asarray(points, dtype=np.float64)
    if device is not None and not comes_from(obj, "torch"):
        what, fix = "Only torch modules are evaluated on a device.", "leave device= out"
        said = f"device={device!r} for a {type(obj).__name__}"
        raise InputError(explain(what, given=said, expected="a torch.nn.Module", fix=fix))
    request = Request(kind, dim, jacobian, accuracy, given, variables, device)
    load_adapters(type(obj))
    field = _convert(obj, request)
    if dim is not None and field.point_dim != dim:
        raise InputError(
            explain(
                "The field does not live on the space that was named.",
                given=f"{type(obj).__name__} over {field.point_dim} coordinates, dim={dim}",
                expected=f"{dim} coordinates",
                fix=f"er.actions.affine({field.point_dim}) and samples with {field.point_dim} columns",
            )
        )
    if data is None:
        return field
    from erlangen.fields.calibrated import calibrate

    return calibrate(field, *data)


def convert(obj: Any, request: Request) -> AbstractField:
    """Turn an object into a field by the converter of its type; new kinds register here.

    Parameters
    ----------
    obj : object
        What to convert.
    request : Request
        What the caller said beside it.

    Returns
    -------
    AbstractField
        The object as a field.

    Raises
    ------
    InputError
        When there is no converter for its type.
    """
    load_adapters(type(obj))
    return _convert(obj, request)


def finish(field: AbstractField, request: Request) -> AbstractField:
    """Try plain values at some points, and read them as the kind that the caller named."""
    probes = request.probes(field.point_dim)
    return of_kind(admit(field, probes), request.kind, probes)


@singledispatch
def _convert(obj: Any, request: Request) -> AbstractField:
    """A plain function, or an object about which nothing is known."""
    if not callable(obj):
        raise InputError(
            explain(
                "Nothing is known about objects of this type.",
                given=f"{type(obj).__module__}.{type(obj).__name__}",
                expected="a function, SymPy expressions, a fitted estimator, a torch module, a table (X, y) or a field",
                fix="as_field(lambda x: my_model(x), dim=d) with x of shape (n, d)",
            )
        )
    field = callable_field(obj, request.dim, request.jacobian, request.accuracy, request.probes)
    return finish(field, request)


register: Callable[..., Any] = _convert.register
"""Decorator that registers a converter ``(obj, request) -> AbstractField`` for a type."""


@register
def _(obj: AbstractField, request: Request) -> AbstractField:
    if request.kind is None or request.kind == obj.kind:
        return obj
    if obj.kind == "invariant":
        return of_kind(obj, request.kind, request.probes(obj.point_dim))
    raise InputError(
        explain(
            "The field says itself how its values follow points.",
            given=f"a field of kind {obj.kind!r}, kind={request.kind!r}",
            expected="no kind, or the same",
            fix=f"as_field(field, kind={obj.kind!r})",
        )
    )


@register(list)
@register(tuple)
def _(obj: tuple | list, request: Request) -> AbstractField:
    if any(comes_from(part, "sympy") or comes_from(part, "erlangen._formula") for part in obj):
        from erlangen.fields.expressions import expressions_field

        return expressions_field(list(obj), request)
    if isinstance(obj, tuple) and len(obj) == 2 and in_blocks(obj[0]):
        from erlangen.fields.table_blocks import fit_blocks

        return fit_blocks(obj[0], obj[1], kind=request.kind)
    if isinstance(obj, tuple) and len(obj) == 2:
        from erlangen.fields.table import fit_table

        return fit_table(obj[0], obj[1], kind=request.kind)
    raise InputError(
        explain(
            "This is neither a table nor a list of expressions.",
            given=f"a {type(obj).__name__} of {len(obj)} x {type(obj[0]).__name__ if obj else 'nothing'}",
            expected="a pair (X, y) of shapes (n, d) and (n,) or (n, c), or SymPy expressions",
            fix="as_field((X, y)), or er.Formula('x**2 + y**2', ('x', 'y')) for text",
        )
    )


@register
def _(obj: Trajectories, request: Request) -> AbstractField:
    """The vector field behind trajectories: their velocities as a table over their states."""
    from erlangen.fields.table import fit_table

    if request.kind not in (None, "vector"):
        raise InputError(
            explain(
                "Trajectories follow a vector field.",
                given=f"kind={request.kind!r}",
                expected='kind="vector", or none',
                fix='as_field((states, next_states), kind="map") for a map',
            )
        )
    velocities, _ = obj.velocities()
    field = fit_table(obj.points, velocities, kind="vector")
    return replace(field, names=tuple(obj.names))


@register
def _(obj: str, request: Request) -> AbstractField:
    from erlangen._formula import Formula

    if request.variables is None:
        return convert(Formula(obj), request)
    return convert(Formula(obj, tuple(str(v) for v in request.variables)), request)


@register
def _(obj: np.ndarray, request: Request) -> AbstractField:
    from erlangen.fields.cloud import cloud_field

    return convert(cloud_field(obj), replace(request, points=obj))
