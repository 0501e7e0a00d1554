"""What `structure` answers: five questions about the Jacobians, each with forms, evidence and a verdict."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from erlangen._errors import UndecidedError, explain
from erlangen._render import _latex_name, _signed_sum, html_table, number, number_latex, text_table
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.dynamics._form_choice import darboux

_HEADERS = ("structure", "verdict", "forms", "defect", "form")
_WIDTH = 72
"""A longer form is cut in tables."""
_SAYS = {
    "gradient": "a gradient flow",
    "hamiltonian": "Hamiltonian",
    "conformal": "conformally Hamiltonian",
    "isometry": "an isometry of a metric",
    "volume": "volume-preserving",
}


def _none() -> NDArray:
    return np.zeros(0)


@dataclass(frozen=True, eq=False)
class StructureFinding(AbstractShown):
    """The answer to one question about the Jacobians.

    Attributes
    ----------
    kind : {"gradient", "hamiltonian", "conformal", "isometry", "volume"}
        The question.
    verdict : {"yes", "indefinite", "degenerate", "near", "no", "not decided"}
        ``"yes"``: a nondegenerate form (for gradients a definite one). ``"indefinite"``, ``"degenerate"``: forms exist,
        none of them is. ``"near"``: none, but one misses by little.
    dim : int
        Number of independent forms.
    forms : ndarray (dim, d, d)
        A sparse basis of them.
    matrix : ndarray (d, d) or None
        One of largest rank: definite where there is a definite one. For ``"hamiltonian"`` this is W with W F = grad H;
        its scale is free, and the largest entry is 1 in size.
    rank : int
        Rank of the matrix.
    signature : tuple of (int, int) or None
        Positive and negative eigenvalues of a symmetric matrix.
    rate : float
        c of the conformal equation.
    defect, floor : float
        The smallest relative defect, and what the error of the Jacobians explains.
    spectrum : ndarray (r,)
        All relative defects, ascending.
    reason : str
        Why, in words.
    """

    kind: str
    verdict: str
    dim: int = 0
    forms: NDArray = field(default_factory=_none)
    matrix: NDArray | None = None
    rank: int = 0
    signature: tuple[int, int] | None = None
    rate: float = 0.0
    defect: float = float("nan")
    floor: float = 0.0
    spectrum: NDArray = field(default_factory=_none)
    reason: str = ""

    @property
    def coordinates(self) -> NDArray:
        """T ``(d, d)``: coordinates z with x = T z are positions, then momenta, up to one factor of time.

        Raises
        ------
        UndecidedError
            Where no nondegenerate antisymmetric form was found.
        """
        if self.matrix is None or self.signature is not None or self.rank < len(self.matrix):
            raise UndecidedError(
                explain(
                    "There are no canonical coordinates.",
                    given=f"{self.kind}: {self.verdict}",
                    expected="a nondegenerate antisymmetric form",
                    fix="found.hamiltonian.coordinates where found.hamiltonian.verdict is 'yes'",
                )
            )
        return darboux(self.matrix)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and strings for JSON."""
        return {
            "kind": self.kind,
            "verdict": self.verdict,
            "dim": int(self.dim),
            "matrix": None if self.matrix is None else self.matrix.tolist(),
            "rank": int(self.rank),
            "signature": None if self.signature is None else list(self.signature),
            "rate": float(self.rate),
            "defect": float(self.defect),
            "floor": float(self.floor),
            "spectrum": [float(s) for s in self.spectrum],
            "reason": self.reason,
        }


@dataclass(frozen=True, eq=False)
class FieldStructure(AbstractShown):
    """The structure of the Jacobians of a vector field.

    Attributes
    ----------
    names : tuple of str
        The d coordinates.
    n_points : int
        At how many points the Jacobians were looked at.
    accuracy : float
        Their relative error.
    gradient, hamiltonian, conformal, isometry, volume : StructureFinding
        The five answers.
    """

    names: tuple[str, ...]
    n_points: int
    accuracy: float
    gradient: StructureFinding
    hamiltonian: StructureFinding
    conformal: StructureFinding
    isometry: StructureFinding
    volume: StructureFinding

    @property
    def findings(self) -> tuple[StructureFinding, ...]:
        """The five answers in order."""
        return (self.gradient, self.hamiltonian, self.conformal, self.isometry, self.volume)

    @property
    def verdict(self) -> str:
        """The answer in one line."""
        listed = [f for f in self.findings if f.verdict == "yes"]
        if self.hamiltonian.verdict == "yes":  # the other two follow from it
            listed = [f for f in listed if f.kind not in ("conformal", "volume")]
        near = [f for f in self.findings if f.verdict == "near"]
        nearly = f"nearly {_joined([_SAYS[f.kind] for f in near])}" if near else ""
        if listed:
            found = f"The field is {_joined([_SAYS[f.kind] for f in listed])}"
            return f"{found}, and {nearly}." if nearly else f"{found}."
        open_ones = [f for f in self.findings if f.verdict == "not decided"]
        if open_ones:
            return f"Not decided: whether the field is {_joined([_SAYS[f.kind] for f in open_ones], 'or')}."
        return f"No structure found; the field is {nearly}." if nearly else "No structure found."

    def text_of(self, kind: str) -> str:
        """The form of one finding as text: ``dx^2 + dy^2``, or ``dp ^ dq`` for antisymmetric ones.

        Parameters
        ----------
        kind : {"gradient", "hamiltonian", "conformal", "isometry", "volume"}
            Which finding.

        Returns
        -------
        str
            A formula in the names of the coordinates; empty where nothing was found.
        """
        found = getattr(self, kind)
        return "" if found.matrix is None else _form(found, self.names, number, "d{}", " ^ ", "^2", " ")

    def to_latex(self) -> str:
        """The forms that were found, as a LaTeX ``aligned`` block."""
        lines = [
            rf"\text{{{f.kind}}}: \quad & "
            + _form(
                f, [_latex_name(n) for n in self.names], number_latex, r"\mathrm{{d}}{}", r" \wedge ", "^{2}", r"\,"
            )
            for f in self.findings
            if f.matrix is not None
        ]
        return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and strings for JSON."""
        return {
            "verdict": self.verdict,
            "names": list(self.names),
            "n_points": int(self.n_points),
            "accuracy": float(self.accuracy),
            **{f.kind: f.to_dict() for f in self.findings},
        }

    def __str__(self) -> str:
        return "\n".join([self.verdict, text_table(_HEADERS, self._rows()), *(f"- {line}" for line in self._reasons())])

    def __repr__(self) -> str:
        return f"<FieldStructure {', '.join(f'{f.kind}: {f.verdict}' for f in self.findings)}>"

    def _repr_latex_(self) -> str | None:
        return f"$\\displaystyle {self.to_latex()}$" if any(f.matrix is not None for f in self.findings) else None

    def _repr_html_(self) -> str:
        notes = "".join(f"<p>{html.escape(line)}</p>" for line in self._reasons())
        return f"<p>{html.escape(self.verdict)}</p>" + html_table(_HEADERS, self._rows()) + notes

    def _rows(self) -> list[tuple[str, str, str, str, str]]:
        return [
            (
                f.kind + (f", c = {number(f.rate)}" if f.kind == "conformal" and f.verdict == "yes" else ""),
                f.verdict,
                str(f.dim) if f.kind != "volume" else "-",
                f"{f.defect:.1e}" if np.isfinite(f.defect) else "-",
                _cut(self.text_of(f.kind)),
            )
            for f in self.findings
        ]

    def _reasons(self) -> list[str]:
        return [f"{f.kind}: {f.reason}." for f in self.findings if f.reason]


def _form(found: StructureFinding, names: Any, show: Any, d: str, wedge: str, square: str, join: str) -> str:
    """A form as a sum over pairs of coordinates."""
    m, terms = found.matrix, []
    assert m is not None
    for i in range(len(m)):
        for j in range(i, len(m)):
            first, second = d.format(names[i]), d.format(names[j])
            if i == j:
                terms.append((float(m[i, i]), f"{first}{square}"))
            elif found.signature is None:  # W F = grad H makes the canonical W dp ^ dq
                terms.append((-float(m[i, j]), f"{second}{wedge}{first}"))
            else:
                terms.append((2 * float(m[i, j]), f"{first}{join}{second}"))
    return _signed_sum(terms, show, join)


def _cut(text: str) -> str:
    return text if len(text) <= _WIDTH else text[: _WIDTH - 4].rsplit(" ", 1)[0] + " ..."


def _joined(words: list[str], last: str = "and") -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"
