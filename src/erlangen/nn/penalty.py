"""A differentiable price on broken generators, for any network: singular values of xi -> L_xi f."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.autograd.function import once_differentiable

from erlangen._errors import InputError, UndecidedError, explain, nearest
from erlangen.actions import AbstractAction, linear
from erlangen.derivative import Samples
from erlangen.fields import polynomial_field
from erlangen.nn._penalty_generators import Generators, at_points, orthonormal
from erlangen.nn._penalty_layers import Pair, first_layer, linear_parts, stacked, summed, with_generators
from erlangen.nn._penalty_module import Differentiable, as_points
from erlangen.nn._penalty_spectrum import Rate, length, plain, priced, reweighted, spectral_sum, spectrum
from erlangen.verbs._enforce_request import Element, read

KINDS = ("nuclear", "scale-free", "reweighted", "frobenius")
PLACES = ("ends", "layers", "stacked")
VALUES = ("invariant", "vector")
RELATIVE = ("scale-free", "reweighted")


def symmetry_penalty(
    module: torch.nn.Module,
    action: Any,
    x: torch.Tensor | NDArray,
    *,
    kind: str = "reweighted",
    where: str = "ends",
    values: str = "invariant",
) -> torch.Tensor:
    """Price the generators that a network breaks: a scalar to add to the loss, times a weight.

    At the points ``x`` the Lie derivative is a matrix A, one column for each generator; its rank is the number of
    broken generators, and a function of its singular values stands for the rank. What depends on the points alone
    is computed in every call: in a training loop over the same points, make a `SymmetryPenalty` once.

    Parameters
    ----------
    module : torch.nn.Module
        Maps ``(n, d)`` to ``(n,)`` or ``(n, c)``, each row alone; evaluated without dropout, with running statistics.
    action : AbstractAction, Symmetry, Group or ``rep_in >> rep_out``
        The p generators that may be kept or broken. They move values as the action says, or as ``values`` does.
        Discrete elements of a group add one norm each. For layers: their group.
    x : Tensor or ndarray (n, d)
        Where the function is compared with its transforms. They need no targets: more points than there are data,
        or points drawn from the whole domain, are as good.
    kind : {"reweighted", "scale-free", "nuclear", "frobenius"}
        What is summed over the singular values. ``"nuclear"``: the values themselves, of A in an orthonormal basis
        of generators (mean speed over ``x``). ``"scale-free"``: the values relative to |Df| |xi| and |tau f|, the
        relative defects that `erlangen.discover` reports; a small function does not get away. ``"reweighted"``: a
        concave function of these, 0 at 0 and 1 at 1: broken generators stop being shrunk, kept ones are pressed
        harder. ``"frobenius"``: the norm of A, all generators or none.
    where : {"ends", "layers", "stacked"}
        From input to output, for any network; or linear layers between representations, in closed form (``x`` then
        only says how fast generators are): summed over layers, or stacked into one matrix, where a generator
        costs once however many layers break it.
    values : {"invariant", "vector"}
        How values follow points where the action does not say.

    Returns
    -------
    Tensor ()
        Of the type and on the device of the parameters; not finite where the network is not.

    Raises
    ------
    InputError
        When the pieces do not fit, all generators vanish at the points, or the module mixes rows or ignores them.

    Notes
    -----
    The gradient is finite everywhere. At singular values of zero it is the subgradient of least norm, and repeated
    values make no difference. It cannot be differentiated a second time.

    References
    ----------
    Otto, Zolman, Kutz, Brunton, JMLR 26(248), 2025, section 8. M. Fazel, H. Hindi, S. Boyd, Log-det heuristic for
    matrix rank minimization, ACC 2003, for the reweighted form.

    Examples
    --------
    >>> import erlangen as er
    >>> net = torch.nn.Linear(3, 1)
    >>> net.weight.data = torch.tensor([[1.0, 1.0, 1.0]])
    >>> x = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    >>> price = symmetry_penalty(net, er.actions.translation(3), x, kind="nuclear")
    >>> print(f"{price:.3f}")
    1.732
    """
    return SymmetryPenalty(module, action, x, kind=kind, where=where, values=values)()


@final
class SymmetryPenalty:
    """The penalty of one network at fixed points: see `symmetry_penalty`. Call it in every step.

    Parameters
    ----------
    module, action, x, kind, where, values
        As in `symmetry_penalty`; the module is kept, and follows training.

    Attributes
    ----------
    basis : ndarray (p, r)
        Orthonormal combinations of the generators: the columns of A.
    pairs : callable
        Makes the matrices A, each with the form that it is relative to, or None.

    Examples
    --------
    >>> import erlangen as er
    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    >>> price = SymmetryPenalty(net, er.actions.euclidean(2), torch.randn(64, 2))
    >>> price.basis.shape, price().requires_grad
    ((3, 3), True)
    """

    def __init__(
        self,
        module: torch.nn.Module,
        action: Any,
        x: torch.Tensor | NDArray,
        *,
        kind: str = "reweighted",
        where: str = "ends",
        values: str = "invariant",
    ) -> None:
        self.kind, self.where = one_of("kind", kind, KINDS), one_of("where", where, PLACES)
        one_of("values", values, VALUES)
        relative, points = kind in RELATIVE, as_points(x)
        rate = reweighted if kind == "reweighted" else plain
        self.basis: NDArray
        self.pairs: Callable[[], list[Pair]]
        self._prices: Callable[[], list[torch.Tensor]] | None = None
        if where == "ends":
            ends = Ends.read(module, action, points, values)
            self.basis, self.pairs = ends.basis, partial(ends.pairs, relative)
            if kind != "frobenius" and ends.basis.shape[1]:
                self._prices = partial(ends.prices, rate, relative)
        else:
            found = linear_parts(module)
            rep = first_layer(action, found).rep_in
            _check_dim(points, rep.size)
            images = np.array([image.toarray() for image in rep.lie_images]).reshape(-1, rep.size, rep.size)
            self.basis = orthonormal(linear(images), points, 1) if len(images) else np.zeros((0, 0))
            parts = with_generators(found, self.basis)
            self.pairs = partial(summed if where == "layers" else stacked, parts, relative)

    def __call__(self) -> torch.Tensor:
        """The price, to be differentiated with respect to the parameters."""
        prices = [self._price(*pair) for pair in self.pairs()] if self._prices is None else self._prices()
        return torch.stack(prices).sum()

    def singular_values(self) -> list[NDArray]:
        """Singular values, descending, of each matrix that is summed: one for the ends, one for each layer.

        Raises
        ------
        UndecidedError
            Where the network is not finite.
        """
        with torch.no_grad():
            found = [spectrum(*pair) for pair in self.pairs()]
        if any(one is None for one in found):
            raise UndecidedError("The network is not finite at these points: it has no singular values there.")
        return [one[0].cpu().numpy() for one in found if one is not None]

    def _price(self, rows: torch.Tensor, form: torch.Tensor | None) -> torch.Tensor:
        if self.kind == "frobenius":
            return length(rows)
        return spectral_sum(rows, form, reweighted if self.kind == "reweighted" else plain)


@dataclass(frozen=True, eq=False)
class Ends:
    """A network between its two ends: the matrix of generators and values, from derivatives of the network.

    Attributes
    ----------
    network : Differentiable
        The network at the points.
    action : AbstractAction
        All p generators, on points and values.
    basis : ndarray (p, r)
        Orthonormal combinations of them.
    generators : Generators
        Those, at the points.
    elements : tuple of (Differentiable, Tensor)
        For each discrete element: the network at the moved points, and the matrix on values.
    """

    network: Differentiable
    action: AbstractAction
    basis: NDArray
    generators: Generators
    elements: tuple[tuple[Differentiable, torch.Tensor], ...]

    @classmethod
    def read(cls, module: torch.nn.Module, acting: Any, x: NDArray, values: str) -> Ends:
        """Check what was given and evaluate the generators."""
        _check_dim(x, getattr(acting, "point_dim", x.shape[1]))
        network = Differentiable(module, x)
        request = read(_constant(x, network.channels, values), acting, Samples.from_data(x), None)
        action = request.lie.lifted
        if action.n_generators == 0:
            basis = np.zeros((0, 0))
        else:
            basis = orthonormal(action, x, network.channels)
        generators = at_points(action, basis, x, network.channels, network.like)
        elements = tuple(_moved(module, network, e, x) for e in request.elements)
        return cls(network, action, basis, generators, elements)

    def pairs(self, relative: bool) -> list[Pair]:
        """Rows and form of all generators together, then of each discrete element."""
        f, jacobian, moved = self._derivatives(relative)
        rows = self.generators.rows(f, moved)
        return [self._relative(rows, f, jacobian) if relative else (rows, None), *self._discrete(f, relative)]

    def prices(self, rate: Rate, relative: bool) -> list[torch.Tensor]:
        """What each pair costs; for all generators by one step of differentiation, from derivatives to the price."""
        f, jacobian, moved = self._derivatives(relative)
        if relative:
            price = _RelativePrice.apply(f, jacobian, self, rate)
        else:
            price = spectral_sum(self.generators.rows(f, moved), None, rate)
        return [price, *(spectral_sum(*pair, rate) for pair in self._discrete(f, relative))]  # type: ignore[list-item]

    def _derivatives(self, relative: bool) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Values, Jacobians where they are needed, and derivatives ``(n, c, r)`` along the generators."""
        velocity = self.generators.velocity
        if not relative and velocity.shape[2] < min(self.network.channels, velocity.shape[1]):
            found = self.network.along(velocity)
            if found is not None:
                return found[0], found[1], found[1]
        f, jacobian = self.network.jacobian()
        return f, jacobian, self.generators.along(jacobian)

    def _relative(self, rows: torch.Tensor, f: torch.Tensor, jacobian: torch.Tensor) -> Pair:
        return self.generators.in_units(rows), self.generators.form(f, jacobian)

    def _discrete(self, f: torch.Tensor, relative: bool) -> list[Pair]:
        return [_element_pair(f, there, rho, relative) for there, rho in self.elements]


class _RelativePrice(torch.autograd.Function):
    """The price of all generators from values and Jacobians, with the gradient worked out in the same pass.

    Left to autograd, a dozen small operations would cost as much as the Jacobian of a small network.
    """

    @staticmethod
    def forward(ctx: Any, f: torch.Tensor, jacobian: torch.Tensor, ends: Ends, rate: Rate) -> torch.Tensor:
        g = ends.generators
        rows, form = ends._relative(g.rows(f, g.along(jacobian)), f, jacobian)
        value, grad_rows, grad_form = priced(rows, form, rate)
        assert grad_form is not None
        moved, from_rows = g.rows_back(g.in_units(grad_rows))
        turned, from_form = g.form_back(f, jacobian, grad_form)
        # None, not zeros, where values stay: zeros would go all the way back through the network.
        values = None if from_rows is None or from_form is None else from_rows + from_form
        ctx.save_for_backward(values, g.along_back(moved) + turned)
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, weight: torch.Tensor) -> tuple[Any, torch.Tensor, None, None]:  # type: ignore[override]
        values, slopes = ctx.saved_tensors
        return None if values is None else weight * values, weight * slopes, None, None


def _moved(module: torch.nn.Module, network: Differentiable, e: Element, x: NDArray) -> tuple[Differentiable, Any]:
    return Differentiable(module, e.move(x)), torch.from_numpy(np.ascontiguousarray(e.rho)).to(network.like)


def _element_pair(f: torch.Tensor, there: Differentiable, rho: torch.Tensor, relative: bool) -> Pair:
    """The column f o h - rho f, beside the square of its size about the mean (a constant says nothing)."""
    moved, carried = there.value(there.x), f @ rho.T
    column = (moved - carried).reshape(-1, 1) * len(f) ** -0.5
    if not relative:
        return column, None
    invariant = torch.equal(rho, torch.eye(len(rho), dtype=rho.dtype, device=rho.device))
    mean = f.mean(0) if invariant else torch.zeros_like(f[0])
    return column, ((moved - mean).square().sum() + (carried - mean).square().sum()).reshape(1, 1) / len(f)


def _constant(x: NDArray, channels: int, values: str) -> Any:
    """A family with as many channels as the network: it says how values are carried."""
    if values == "vector" and channels != x.shape[1]:
        raise InputError(
            explain(
                "Vectors have as many channels as there are coordinates.",
                given=f"{channels} channels over {x.shape[1]} coordinates",
                expected="c = d",
                fix='values="invariant", or action.with_output(matrices)',
            )
        )
    return polynomial_field(x.shape[1], 0, np.zeros((channels, 1)), values)


def _check_dim(x: NDArray, dim: int) -> None:
    if x.shape[1] != dim:
        raise InputError(
            explain(
                "The points do not fit the action.",
                given=f"points of shape {x.shape}, an action on R^{dim}",
                expected=f"shape (n, {dim})",
                fix=f"points with {dim} coordinates, or an action on R^{x.shape[1]}",
            )
        )


def one_of(what: str, given: Any, known: tuple[str, ...]) -> str:
    """Check a word, and answer a misspelt one with the nearest.

    Raises
    ------
    InputError
        If it is none of those known.
    """
    if isinstance(given, str) and given in known:
        return given
    close = nearest(given, known) if isinstance(given, str) else None
    raise InputError(
        explain(
            f"There is no such {what}.",
            given=f"{what}={given!r}",
            expected=", ".join(known),
            fix=f"{what}={close or known[0]!r}",
        )
    )
