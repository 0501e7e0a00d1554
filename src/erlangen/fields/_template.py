"""Template of a kind of field: copy this file, and follow the comments from top to bottom.

The example is a field on a regular grid, read by cubic splines. It is complete, but not registered, because an
array is already taken for a cloud of points. `docs/extending.md` tells the whole story.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import RectBivariateSpline

from erlangen._typing import NDArray
from erlangen.fields._base import AbstractField
from erlangen.fields.as_field import Request, finish, register


# 1. What your users hold in their hands: a type of your own, or one of another library. If it belongs to another
#    library, never import that library from `erlangen.fields`: add one row to `erlangen._lazy.ADAPTERS` (package ->
#    this module), and this file is imported when the first object of that package arrives.
@dataclass(frozen=True, eq=False)
class Grid:
    """Values ``(a, b)`` over the product of two increasing axes."""

    first: NDArray
    second: NDArray
    values: NDArray


# 2. The field. Frozen, and final: it inherits from AbstractField and from nothing else. Every property says what is
#    true of the object; nothing is computed at import.
@dataclass(frozen=True, eq=False)
class GridField(AbstractField):
    """A field on a plane, interpolated by bicubic splines."""

    spline: RectBivariateSpline
    # Honest: the error of the derivative is that of the interpolation, and the library reports no defect below it.
    interpolation_error: float

    @property
    def point_dim(self) -> int:
        """Number d of coordinates."""
        return 2

    @property
    def value_dim(self) -> int:
        """Number c of value channels."""
        return 1

    @property
    def accuracy(self) -> float:
        """Relative error of the derivative."""
        return self.interpolation_error

    @property
    def kind(self) -> str:
        """Plain values; `finish` reads them as a vector field or map where the caller says so."""
        return "invariant"

    def value(self, x: NDArray) -> NDArray:
        """Values ``(n, c)``: always two axes, float64, no state, the same answer every time."""
        return self.spline.ev(x[:, 0], x[:, 1])[:, None]

    def jacobian(self, x: NDArray) -> NDArray:
        """Jacobians ``(n, c, d)`` in the order points, channels, coordinates."""
        slopes = [self.spline.ev(x[:, 0], x[:, 1], dx=1), self.spline.ev(x[:, 0], x[:, 1], dy=1)]
        return np.stack(slopes, axis=1)[:, None, :]


# 3. The converter: check what was given, build the field, and let `finish` try it at a few points (finite? the same
#    each time? not piecewise constant?) and read its values as the kind that the caller named. Bad input is answered by
#    InputError(explain(what, given=..., expected=..., fix=...)).
def grid_field(grid: Grid, request: Request) -> AbstractField:
    """Turn a grid into a field."""
    spline = RectBivariateSpline(grid.first, grid.second, grid.values)
    # The coarser grid's spline against the finer one: what halving the resolution changes.
    coarse = RectBivariateSpline(grid.first[::2], grid.second[::2], grid.values[::2, ::2])
    at = np.meshgrid(grid.first[2:-2], grid.second[2:-2], indexing="ij")
    fine, rough = (GridField(s, 1.0).jacobian(np.c_[at[0].ravel(), at[1].ravel()]) for s in (spline, coarse))
    error = float(np.linalg.norm(fine - rough) / max(np.linalg.norm(fine), np.finfo(float).tiny))
    return finish(GridField(spline, min(1.0, max(error, np.finfo(float).eps))), request)


# 4. Registration is one line (here it stands in a function, so that the template registers nothing):
def _register() -> None:
    register(Grid)(grid_field)


# 5. The test: `erlangen.testing.check_field(as_field(my_object), points)` checks shapes, repeatability and the
#    derivative against differences; add a known answer of your own, such as a field whose symmetry is known.
