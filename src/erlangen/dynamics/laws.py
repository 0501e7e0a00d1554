"""What `conserved` answers: laws with their evidence, their algebra and symmetries, and what stays open."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

import numpy as np

from erlangen._render import html_table, text_table
from erlangen._shown import AbstractShown, aligned
from erlangen._typing import NDArray
from erlangen.dynamics._law import Law
from erlangen.dynamics.noether import HamiltonianField
from erlangen.dynamics.poisson import PoissonAlgebra

__all__ = ["ConservedQuantities", "Law"]

_WIDTH = 100
"""A longer formula is cut in tables; `Law.text` has it whole."""
_HEADERS = ("", "constant along runs", "defect", "within/total", "verdict")


@dataclass(frozen=True, eq=False)
class ConservedQuantities(AbstractShown):
    """The conserved quantities of a set of trajectories.

    Attributes
    ----------
    names : tuple of str
        The d coordinates.
    n_runs, n_samples : int
        Number of runs, and of samples in all of them.
    n_laws : int
        Functionally independent laws (the rank of their gradients).
    linear_dim : int
        Linearly independent constants, those set apart included.
    laws : tuple of Law
        A sparse basis of the constants that are not set apart.
    dependent : tuple of Law
        Constants that are polynomials in the laws.
    relations : tuple of Law
        Functions with the same value in every run: relations between the coordinates.
    drifting : tuple of Law
        Functions that change slowly, and still drift over whole runs.
    spectrum : ndarray (r,)
        Relative defects of all functions, ascending; 1 is an unrelated function.
    floor : float
        Defects below this are noise or rounding.
    path : tuple of (float, int)
        Number of constants as a function of delta: the deltas at which it steps up.
    reason : str
        What was measured, and why this many.
    decided : bool
        Whether the data decide which functions are laws.
    undecided : tuple of str
        What the data cannot decide, in words.
    notes : tuple of str
        What the data say nothing about.
    poisson : PoissonAlgebra or None
        Brackets of the laws, where positions and momenta are declared and the data decide.
    generators : tuple of HamiltonianField
        The symmetry that each law generates, where positions and momenta are declared.
    delta : float or None
        Defects up to this count as zero; None where that is not what decided.
    """

    names: tuple[str, ...]
    n_runs: int
    n_samples: int
    n_laws: int
    linear_dim: int
    laws: tuple[Law, ...]
    dependent: tuple[Law, ...]
    relations: tuple[Law, ...]
    drifting: tuple[Law, ...]
    spectrum: NDArray
    floor: float
    path: tuple[tuple[float, int], ...]
    reason: str
    decided: bool
    undecided: tuple[str, ...]
    notes: tuple[str, ...]
    poisson: PoissonAlgebra | None
    generators: tuple[HamiltonianField, ...]
    delta: float | None = None

    @property
    def algebra(self) -> Any:
        """The named Lie algebra of the laws under the Poisson bracket, or None."""
        return None if self.poisson is None else self.poisson.structure

    @property
    def verdict(self) -> str:
        """The answer in one line."""
        if not self.laws and not self.decided:
            return "Whether a function of the library is conserved is not decided."
        if not self.laws:
            return "No function of the library is conserved."
        plural = "ies" if self.n_laws > 1 else "y"
        if not self.decided:
            return f"{self.linear_dim} constants on these data; which of them are laws is not decided."
        out = f"{self.n_laws} conserved quantit{plural}"
        if len(self.laws) > self.n_laws:
            out += f" ({len(self.laws)} linearly independent, with relations between them)"
        if self.algebra is not None:
            out += f"; {'their' if len(self.laws) > 1 else 'its'} Poisson algebra is {self.algebra.name}"
        return out + "."

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and strings for JSON."""
        lists = {"laws": self.laws, "dependent": self.dependent, "relations": self.relations, "drifting": self.drifting}
        return {
            "verdict": self.verdict,
            "decided": self.decided,
            "n_laws": int(self.n_laws),
            "linear_dim": int(self.linear_dim),
            **{name: [law.to_dict() for law in laws] for name, laws in lists.items()},
            "spectrum": [float(s) for s in self.spectrum],
            "floor": float(self.floor),
            "path": [[float(delta), int(count)] for delta, count in self.path],
            "reason": self.reason,
            "undecided": list(self.undecided),
            "notes": list(self.notes),
            "algebra": None if self.algebra is None else self.algebra.name,
            "poisson": None if self.poisson is None else _poisson_dict(self.poisson),
            "generators": [{"law": g.law.text, "text": g.text, "latex": g.latex} for g in self.generators],
            "names": list(self.names),
            "n_runs": int(self.n_runs),
            "n_samples": int(self.n_samples),
        }

    def __str__(self) -> str:
        parts = [self.verdict]
        if rows := self._rows():
            parts.append(text_table(_HEADERS, rows))
        if self.generators and self.decided:
            parts.append(text_table(("", "symmetry that it generates"), self._symmetries()))
        parts += self._lines()
        return "\n".join(parts)

    def __repr__(self) -> str:
        return f"ConservedQuantities({self.verdict})"

    def _repr_latex_(self) -> str | None:
        return aligned("I", (law.latex for law in self.laws))

    def _repr_html_(self) -> str:
        out = f"<p>{html.escape(self.verdict)}</p>"
        if rows := self._rows():
            out += html_table(_HEADERS, rows)
        if self.generators and self.decided:
            out += html_table(("", "symmetry that it generates"), self._symmetries())
        return out + "".join(f"<p>{html.escape(line)}</p>" for line in self._lines())

    def _rows(self) -> list[tuple[str, str, str, str, str]]:
        listed = (*self.laws, *self.dependent, *self.relations, *self.drifting)
        return [
            (
                f"h{i + 1}" if i < len(self.laws) else "-",
                _short(law.text),
                f"{law.defect:.1e}",
                "-" if law.variance_ratio is None else f"{law.variance_ratio:.1e}",
                law.verdict,
            )
            for i, law in enumerate(listed)
        ]

    def _symmetries(self) -> list[tuple[str, str]]:
        return [(f"h{i + 1}", _short(g.text)) for i, g in enumerate(self.generators)]

    def _lines(self) -> list[str]:
        lines = [f"Why {self.linear_dim}: {self.reason}."]
        if self.poisson is not None:
            lines.append(f"Poisson algebra: {self.poisson.reason}.")
        lines += [f"Open: {words}." for words in self.undecided]
        return lines + [f"Note: {words}." for words in self.notes]


def _short(text: str) -> str:
    return text if len(text) <= _WIDTH else text[: _WIDTH - 4].rsplit(" ", 1)[0] + " ..."


def _poisson_dict(poisson: PoissonAlgebra) -> dict[str, Any]:
    return {
        "labels": list(poisson.labels),
        "constants": np.round(poisson.constants, 12).tolist(),
        "defect": float(poisson.defect),
        "reason": poisson.reason,
    }
