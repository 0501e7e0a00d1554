"""Answers of all commands in one form: words, JSON, HTML, arrays, and what a report is written of."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from erlangen._errors import UndecidedError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from erlangen.algebra import LieAlgebra, Structure
    from erlangen.dynamics import ConservedQuantities
    from erlangen.fields.trajectories import Trajectories
    from erlangen.verbs import Symmetry

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:2em auto;max-width:70em;padding:0 1em}"
    "table{border-collapse:collapse;margin:1em 0}td,th{border-bottom:1px solid #ccc;padding:.3em .8em;text-align:left}"
)


@dataclass(frozen=True)
class Answer:
    """What a command has to say.

    Attributes
    ----------
    verdict : str
        The answer in one line.
    text : str
        The answer with its evidence, verdict first; empty where there is none.
    data : mapping
        The same for JSON.
    html : str
        The same for a page, every name escaped.
    why_not : str
        Why the data do not decide (exit code 1); empty where the question is answered (0).
    arrays : mapping of str to array
        What an NPZ file holds; empty where there is nothing of the kind.
    subject : object, optional
        What `erlangen.report` writes a page of; where there is nothing of the kind, the page holds `html`.
    source : object, optional
        What it was found from, where the page shows it.
    heading : str
        What kind of page that is.
    """

    verdict: str
    text: str
    data: Mapping[str, Any]
    html: str
    why_not: str
    arrays: Mapping[str, ArrayLike]
    subject: Any = None
    source: Any = None
    heading: str = "Report"

    @property
    def decided(self) -> bool:
        """Whether the question is answered."""
        return not self.why_not


def page(title: str, preamble: str, answer: Answer) -> str:
    """Return an HTML page without figures, for where nothing can draw them."""
    head = f"<meta charset='utf-8'><title>{html.escape(title)}</title><style>{_STYLE}</style>"
    above = f"<p>{html.escape(preamble)}</p>" if preamble else ""
    return f"<!doctype html><html lang='en'><head>{head}</head><body>{above}{answer.html}</body></html>\n"


def undecided(error: UndecidedError) -> Answer:
    """State that no answer follows from the data, and why."""
    text = str(error)
    data = {"kind": "undecided", "verdict": text.partition("\n")[0], "reason": text}
    return Answer(
        text.partition("\n")[0], "", data, f"<pre>{html.escape(text)}</pre>", text, {}, error, None, "Undecided"
    )


def of_symmetry(sym: Symmetry, source: Any = None) -> Answer:
    """State a symmetry; the data do not decide where models disagree or the derivative is too uncertain."""
    why_not = "" if sym.decided else sym.verdict
    data, page = sym.to_dict(), sym._repr_html_()
    return Answer(sym.verdict, str(sym), data, page, why_not, _fields(sym), sym, source, "Symmetry")


def _fields(sym: Symmetry) -> dict[str, ArrayLike]:
    """Arrays that `erlangen identify` reads."""
    import numpy as np

    from erlangen.actions import PolynomialAction

    if not isinstance(sym.candidates, PolynomialAction):
        return {}
    action = sym.candidates
    coefficients = np.tensordot(sym.generators, action.coefficients, axes=1)
    return {
        "exponents": action.exponents,
        "coefficients": coefficients,
        "names": np.array(sym.texts, dtype=str),
        "defects": sym.defects,
        "coordinates": np.array(sym.coordinates, dtype=str),
    }


def of_laws(laws: ConservedQuantities, flow: Trajectories) -> Answer:
    """State conserved quantities."""
    import numpy as np

    features = laws.laws[0].features.texts if laws.laws else ()
    arrays = {
        "functions": np.array(features, dtype=str),
        "coefficients": np.array([law.coefficients for law in laws.laws]).reshape(len(laws.laws), len(features)),
        "defects": np.array([law.defect for law in laws.laws], dtype=np.float64),
        "laws": np.array([law.text for law in laws.laws], dtype=str),
    }
    data = {"kind": "conserved", **laws.to_dict()}
    why_not = "" if laws.decided else " ".join([laws.verdict, *(f"{words}." for words in laws.undecided[:1])])
    page, heading = laws._repr_html_(), "What is conserved"
    return Answer(laws.verdict, str(laws), data, page, why_not, arrays, laws, flow, heading)


def of_structure(structure: Structure, algebra: LieAlgebra) -> Answer:
    """State the name of a Lie algebra."""
    data = {
        "kind": "algebra",
        "verdict": structure.name,
        "name": structure.name,
        "aliases": structure.aliases,
        "dim": structure.dim,
        "levi": structure.levi,
        "radical_dim": structure.radical_dim,
        "nilradical_dim": structure.nilradical_dim,
        "centre_dim": structure.centre_dim,
        "killing_signature": structure.killing_signature,
        "index": structure.index,
        "derived_series": structure.derived_series,
        "margin": structure.margin,
        "reason": structure.reason,
        "certificate": structure.certificate,
        "repair": structure.repair,
        "noise": structure.noise,
        "closure_defect": algebra.closure_defect,
        "alternatives": [
            {"name": a.name, "rms": a.rms, "chi2": a.chi2, "dof": a.dof, "accepted": a.accepted}
            for a in structure.alternatives
        ],
    }
    text = str(structure)
    arrays = {"basis": structure.basis, "structure_constants": algebra.structure_constants}
    page = f"<pre>{html.escape(text)}</pre>"
    return Answer(structure.name, text, data, page, "", arrays, structure, algebra, "Lie algebra")
