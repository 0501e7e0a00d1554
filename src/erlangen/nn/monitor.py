"""What a network breaks while it is trained: one number for each generator, to be logged."""

from __future__ import annotations

from typing import Any, final

import numpy as np
import torch

from erlangen._errors import InputError, explain
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.linalg.rank import Threshold
from erlangen.nn._penalty_ends import Ends
from erlangen.nn._penalty_generators import Generators, at_points
from erlangen.nn._penalty_module import as_points, fits, one_of
from erlangen.nn._penalty_spectrum import spectrum
from erlangen.nn.penalty import VALUES


@final
class SymmetryMonitor(AbstractShown):
    """Relative defect of each generator of an action, and how many independent ones are broken.

    A call takes one Jacobian and returns plain numbers: hand them to any logger. 0 is kept, and 1 is what an
    unrelated direction gives, as in `erlangen.discover`. The *broken rank* counts all combinations: a rotation
    about a centre that is none of the generators is kept although each single generator may be broken.

    Parameters
    ----------
    module : torch.nn.Module
        As in `symmetry_penalty`; it is kept, and followed in training.
    action : AbstractAction, Symmetry or Group
        As in `symmetry_penalty`.
    x : Tensor or ndarray (n, d)
        As in `symmetry_penalty`.
    values : {"invariant", "vector"}
        As in `symmetry_penalty`.
    names : sequence of str, optional
        Names of the generators; by default as the action writes them.
    delta : float
        Relative defect above which a direction counts as broken, between 0 and 1.

    Attributes
    ----------
    ends : Ends
        The network between its two ends, at the points.

    Raises
    ------
    InputError
        As `symmetry_penalty` does, or where names do not fit the generators.

    References
    ----------
    N. Gruver, M. Finzi, M. Goldblum, A. G. Wilson, The Lie derivative for measuring learned equivariance, ICLR 2023;
    the defect is that of Otto, Zolman, Kutz, Brunton, JMLR 26(248), 2025, section 7.

    Examples
    --------
    >>> import erlangen as er
    >>> net = torch.nn.Linear(2, 1)
    >>> net.weight.data = torch.tensor([[1.0, 0.0]])
    >>> monitor = SymmetryMonitor(net, er.actions.translation(2), torch.eye(2), names=["in x", "in y"])
    >>> {name: round(defect, 2) for name, defect in monitor().items()}
    {'in x': 1.41, 'in y': 0.0, 'broken rank': 1}
    """

    values: str
    delta: float
    module: torch.nn.Module
    names: tuple[str, ...]
    ends: Ends

    def __init__(
        self,
        module: torch.nn.Module,
        action: Any,
        x: torch.Tensor | NDArray,
        *,
        values: str = "invariant",
        names: Any = None,
        delta: float = Threshold().delta,
    ) -> None:
        self.values, self.delta = one_of("values", values, VALUES), Threshold(delta).delta
        self.module, self._action, self._points = module, action, as_points(x)
        self.ends = Ends.read(module, action, self._points, values)
        acts = self.ends.action
        self.names = tuple(str(name) for name in (acts.names if names is None else names))
        if len(set(self.names)) != acts.n_generators:
            raise InputError(
                explain(
                    "Each generator needs a name of its own.",
                    given=f"names={list(self.names)}",
                    expected=f"{acts.n_generators} different names",
                    fix=f"names={[f'generator {k + 1}' for k in range(acts.n_generators)]}",
                )
            )
        self._single = self._read_single()

    def _read_single(self) -> Generators:
        acts, network = self.ends.action, self.ends.network
        return at_points(acts, np.eye(acts.n_generators), self._points, network.channels, network.like)

    def __repr__(self) -> str:
        n, d = self._points.shape
        return (
            f"SymmetryMonitor(delta={self.delta:g}): {type(self.module).__name__}, {len(self.names)} generators, "
            f"{n} points in R^{d}"
        )

    def __call__(self) -> dict[str, float]:
        """Defects by name, those of discrete elements after them, and last the broken rank."""
        if not fits(self.ends.network.like, self.module):
            self.ends = Ends.read(self.module, self._action, self._points, self.values)
            self._single = self._read_single()
        ends, single = self.ends, self._single
        with torch.no_grad():
            f, jacobian = ends.network.jacobian()
            together = ends.relative(ends.generators.rows(f, ends.generators.along(jacobian)), f, jacobian)
            found = [spectrum(*pair) for pair in (together, *ends.discrete(f, relative=True))]
            rows = single.in_units(single.rows(f, single.along(jacobian)))
            sizes = single.form(f, jacobian).diagonal()
        singular = [np.array([np.nan]) if one is None else one[0].cpu().numpy() for one in found]
        squares = rows.square().sum(0)
        defects = torch.where(squares == 0, 0.0, (squares / sizes).sqrt()).tolist()
        out = dict(zip(self.names, defects, strict=True))
        out.update({f"discrete element {k + 1}": float(s[0]) for k, s in enumerate(singular[1:])})
        return {**out, "broken rank": int(np.sum(singular[0] > self.delta))}
