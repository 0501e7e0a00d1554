"""A differentiable price on broken generators, for any network: singular values of xi -> L_xi f."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, final

import numpy as np
import torch

from erlangen._errors import UndecidedError
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.actions import linear
from erlangen.nn._penalty_ends import Ends
from erlangen.nn._penalty_generators import orthonormal
from erlangen.nn._penalty_layers import Pair, first_layer, linear_parts, stacked, summed, with_generators
from erlangen.nn._penalty_module import as_points, check_dim, fits, like_parameters, one_of
from erlangen.nn._penalty_spectrum import length, plain, reweighted, spectral_sum, spectrum

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
    values make no difference. It cannot be differentiated a second time, and says so; only ``"frobenius"`` can.

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
class SymmetryPenalty(AbstractShown):
    """The penalty of one network at fixed points, to be called in every step: see `symmetry_penalty`.

    Parameters
    ----------
    module : torch.nn.Module
        As in `symmetry_penalty`; it is kept, and followed in training, and to another type or device.
    action : AbstractAction, Symmetry, Group or ``rep_in >> rep_out``
        As in `symmetry_penalty`.
    x : Tensor or ndarray (n, d)
        As in `symmetry_penalty`.
    kind : {"reweighted", "scale-free", "nuclear", "frobenius"}
        As in `symmetry_penalty`.
    where : {"ends", "layers", "stacked"}
        As in `symmetry_penalty`.
    values : {"invariant", "vector"}
        As in `symmetry_penalty`.

    Attributes
    ----------
    basis : ndarray (p, r)
        Orthonormal combinations of the generators: the columns of A.
    pairs : callable
        Makes the matrices A, each with the form that it is relative to, or None.

    References
    ----------
    Otto, Zolman, Kutz, Brunton, JMLR 26(248), 2025, section 8; more at `symmetry_penalty`.

    Examples
    --------
    >>> import erlangen as er
    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    >>> price = SymmetryPenalty(net, er.actions.euclidean(2), torch.randn(64, 2))
    >>> price.basis.shape, price().requires_grad
    ((3, 3), True)
    """

    kind: str
    where: str
    values: str
    module: torch.nn.Module
    action: Any

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
        self.values, self.module, self.action = one_of("values", values, VALUES), module, action
        self.basis: NDArray
        self.pairs: Callable[[], list[Pair]]
        self._prices: Callable[[], list[torch.Tensor]] | None = None
        self._points = as_points(x)
        self._read()

    def _read(self) -> None:
        """Evaluate what depends on the points alone, in the type and on the device of the module."""
        module, action, kind, where, values = self.module, self.action, self.kind, self.where, self.values
        relative, points = kind in RELATIVE, self._points
        rate = reweighted if kind == "reweighted" else plain
        if where == "ends":
            ends = Ends.read(module, action, points, values)
            self.basis, self.pairs = ends.basis, partial(ends.pairs, relative)
            if kind != "frobenius" and ends.basis.shape[1]:
                self._prices = partial(ends.prices, rate, relative)
        else:
            found = linear_parts(module)
            rep = first_layer(action, found).rep_in
            check_dim(points, rep.size)
            images = np.array([image.toarray() for image in rep.lie_images]).reshape(-1, rep.size, rep.size)
            self.basis = orthonormal(linear(images), points, 1) if len(images) else np.zeros((0, 0))
            parts = with_generators(found, self.basis)
            self.pairs = partial(summed if where == "layers" else stacked, parts, relative)
        self._like = like_parameters(module).new_zeros(())

    def _follow(self) -> None:
        if not fits(self._like, self.module):
            self._read()

    def __repr__(self) -> str:
        n, d = self._points.shape
        return (
            f"SymmetryPenalty({self.kind}, {self.where}): {type(self.module).__name__}, {self.basis.shape[0]} "
            f"generators, {n} points in R^{d}"
        )

    def __call__(self) -> torch.Tensor:
        """The price, to be differentiated with respect to the parameters."""
        self._follow()
        prices = [self._price(*pair) for pair in self.pairs()] if self._prices is None else self._prices()
        return torch.stack(prices).sum()

    def singular_values(self) -> list[NDArray]:
        """Singular values ``(r,)``, descending, of each matrix that is summed: one for the ends, one for each layer.

        Raises
        ------
        UndecidedError
            Where the network is not finite.
        """
        self._follow()
        with torch.no_grad():
            found = [spectrum(*pair) for pair in self.pairs()]
        if any(one is None for one in found):
            raise UndecidedError("The network is not finite at these points: it has no singular values there.")
        return [one[0].cpu().numpy() for one in found if one is not None]

    def _price(self, rows: torch.Tensor, form: torch.Tensor | None) -> torch.Tensor:
        if self.kind == "frobenius":
            return length(rows)
        return spectral_sum(rows, form, reweighted if self.kind == "reweighted" else plain)
