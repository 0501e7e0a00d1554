"""What projecting a network onto equivariant layers changed, and how it reads."""

from __future__ import annotations

import html
from dataclasses import dataclass

from erlangen._render import html_table, text_table

HEADERS = ("layer", "from", "to", "kept", "of", "removed")


@dataclass(frozen=True)
class LayerChange:
    """One linear layer before and after.

    Attributes
    ----------
    name : str
        Its name in the network.
    source, target : str
        Representations of its inputs and outputs.
    kept, total : int
        Dimension of the equivariant weights and biases, and of all of them.
    removed : float
        Norm of the part of weight and bias that was not equivariant, over the norm of both.
    """

    name: str
    source: str
    target: str
    kept: int
    total: int
    removed: float


@dataclass(frozen=True)
class Conversion:
    """What projecting a network onto equivariant layers changed.

    Attributes
    ----------
    layers : tuple of LayerChange
        One per linear layer, in order.
    group : str
        Name of the group.
    change : float
        Root mean square change of the outputs, over their root mean square before.
    data : str
        On which inputs it was measured.
    error_before, error : float
        Relative equivariance error of the network before and after, in float64.
    """

    layers: tuple[LayerChange, ...]
    group: str
    change: float
    data: str
    error_before: float
    error: float

    @property
    def removed(self) -> float:
        """The largest part removed from a layer."""
        return max((layer.removed for layer in self.layers), default=0.0)

    @property
    def verdict(self) -> str:
        """One sentence."""
        kept, total = sum(x.kept for x in self.layers), sum(x.total for x in self.layers)
        return (
            f"{kept} of {total} dimensions of weights and biases commute with {self.group}; "
            f"outputs change by {self.change:.2g} on {self.data}"
        )

    def _rows(self) -> list[list[str]]:
        return [[x.name, x.source, x.target, str(x.kept), str(x.total), f"{x.removed:.2g}"] for x in self.layers]

    def _note(self) -> str:
        return f"equivariance error in float64: {self.error_before:.2g} before, {self.error:.1e} after"

    def __str__(self) -> str:
        return "\n".join([f"{self.verdict}.", text_table(HEADERS, self._rows()), self._note()])

    def _repr_html_(self) -> str:
        head = f"<p><b>{html.escape(self.verdict)}</b></p>"
        return f"<div>{head}{html_table(HEADERS, self._rows())}<p>{html.escape(self._note())}</p></div>"
