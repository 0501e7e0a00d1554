"""What evidence says: gates, bounds of generators, the dimension as a function of delta, certificates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from erlangen._render import html_table, number, text_table
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction

VERDICTS = ("certified", "not refuted", "refuted", "no coverage", "class rejected")
"""What may be said of a generator; only the first is a claim that it is there."""


@dataclass(frozen=True)
class Gate(AbstractShown):
    """One reason to doubt a certificate, and whether it was found.

    Attributes
    ----------
    name : str
        What was looked at, such as ``"lack of fit"``.
    passed : bool
        Whether nothing speaks against the certificate.
    value, limit : float
        The number and what it was compared with; NaN where there is none.
    reason : str
        The same in words, with what to do where it failed.
    binding : bool
        Whether nothing is certified where it failed; else it only leaves the answer undecided.
    """

    name: str
    passed: bool
    value: float
    limit: float
    reason: str
    binding: bool = True

    def __str__(self) -> str:
        return f"{self.name}: {'passed' if self.passed else 'FAILED'}, {self.reason}"


@dataclass(frozen=True, eq=False)
class Bound(AbstractShown):
    """One generator with bounds of its true relative defect.

    Attributes
    ----------
    xi : ndarray (p,)
        Coefficients over the candidates.
    text : str
        The generator as a person writes it.
    defect : float
        Its estimated relative defect; 1 is what an unrelated direction gives.
    low, high : float
        Bounds of the true one, with the confidence of the certificate; infinite where nothing bounds it.
    verdict : str
        One of ``"certified"``, ``"not refuted"``, ``"refuted"``, ``"no coverage"``, ``"class rejected"``.
    reason : str
        The same in words.
    """

    xi: NDArray
    text: str
    defect: float
    low: float
    high: float
    verdict: str
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and strings."""
        return {
            "generator": self.text,
            "coefficients": self.xi.tolist(),
            "defect": _plain(self.defect),
            "low": _plain(self.low),
            "high": _plain(self.high),
            "verdict": self.verdict,
            "reason": self.reason,
        }


@dataclass(frozen=True, eq=False)
class Band(AbstractShown):
    """Dimension as a function of delta, with a confidence band.

    Generators are ordered, V_1 in V_2 in ..., by their estimated defect. For each d the true defects of all of V_d
    are at most ``upper[d - 1]``, and no d-dimensional space of candidates has all of them below ``lower[d - 1]``.

    Attributes
    ----------
    defects, lower, upper : ndarray (r,)
        Estimates and bounds, ascending.
    simultaneous : bool
        Whether the band holds for all delta at once, or each upper bound for itself.
    complete : bool
        Whether all candidates are in it; if not, nothing is said of larger spans.
    """

    defects: NDArray
    lower: NDArray
    upper: NDArray
    simultaneous: bool = True
    complete: bool = True

    def certified(self, delta: float) -> int:
        """Dimension that is certified at this delta: the largest d with U_1, ..., U_d <= delta.

        Parameters
        ----------
        delta : float
            Relative defect.

        Returns
        -------
        int
            The dimension, of which at least so much is true with the stated probability.
        """
        above = np.flatnonzero(self.upper > delta)
        return int(above[0]) if len(above) else len(self.upper)

    def estimated(self, delta: float) -> int:
        """Number of estimated defects up to this delta, without error control.

        Parameters
        ----------
        delta : float
            Relative defect.

        Returns
        -------
        int
            How many.
        """
        return int(np.sum(self.defects <= delta))

    def possible(self, delta: float) -> int:
        """Largest dimension that is not refuted at this delta.

        Parameters
        ----------
        delta : float
            Relative defect.

        Returns
        -------
        int
            The dimension, of which at most so much is true with the stated probability.
        """
        return max(int(np.sum(self.lower <= delta)), self.certified(delta))

    def steps(self) -> list[tuple[float, int, int, int]]:
        """Rows ``(delta, certified, estimated, possible)`` where one of the three steps."""
        at = np.unique(np.concatenate([self.defects, self.lower, self.upper]))
        at = at[np.isfinite(at)]
        return [(float(t), self.certified(t), self.estimated(t), self.possible(t)) for t in at]

    @property
    def plateau(self) -> tuple[int, float, float]:
        """The dimension that is certified over the widest range of delta below 1: ``(dim, from, to)``.

        Width is counted in factors, since nobody knows delta better than to a factor. From U_d on d is certified,
        and up to the next lower bound anything more is refuted: the range in which both hold decides. Where there
        is none, the range from U_d to U_{d+1} counts.
        """
        best, widest = (0, 0.0, float(self.lower[0]) if len(self.lower) else 1.0), -np.inf
        for d in range(len(self.upper) + 1):
            start = float(self.upper[d - 1]) if d else float(np.finfo(np.float64).eps)
            stop = float(self.lower[d]) if d < len(self.lower) else 1.0
            if not np.isfinite(start) or start >= min(stop, 1.0):
                continue
            if np.log(min(stop, 1.0) / start) > widest and (d or stop > 0):
                best, widest = (d, start if d else 0.0, min(stop, 1.0)), np.log(min(stop, 1.0) / start)
        return best


@dataclass(frozen=True, eq=False)
class Certificate(AbstractShown):
    """What the data say about symmetry, how surely, and why one might doubt it.

    Attributes
    ----------
    dim : int
        Certified dimension at ``delta``: generators whose true relative defect is at most delta, up to a
        probability ``alpha`` that this is wrong. Trivial ones do not count.
    bounds : tuple of Bound
        The generators looked at, the certified ones first.
    band : Band
        Dimension as a function of delta.
    alpha, delta : float
        Error probability and tolerance that were declared.
    mode : str
        How it was certified: ``"simultaneous"``, ``"held-out"``, ``"calibrated"``, ``"class-free"``, ``"model"`` or
        ``"exact"``.
    guarantee : str
        What is claimed, in one sentence.
    assumptions : tuple of str
        What the guarantee rests on, most binding first.
    gates : tuple of Gate
        Checks that were made, passed or not. Where one of them failed nothing is certified.
    trivial : tuple of Bound
        Directions that are symmetries for reasons that say nothing: set apart, never counted.
    region : str
        Where the symmetry is claimed.
    candidates : AbstractAction
        What was on offer.
    coordinates : tuple of str
        Names of the coordinates.
    notes : tuple of str
        Remarks.
    seconds : float
        Time it took; of ``refits`` refits where the mode refits.
    refits : int
        Number of refits or simulations.
    """

    dim: int
    bounds: tuple[Bound, ...]
    band: Band
    alpha: float
    delta: float
    mode: str
    guarantee: str
    assumptions: tuple[str, ...]
    gates: tuple[Gate, ...]
    trivial: tuple[Bound, ...]
    region: str
    candidates: AbstractAction
    coordinates: tuple[str, ...]
    notes: tuple[str, ...] = field(default=())
    seconds: float = float("nan")
    refits: int = 0

    @property
    def generators(self) -> NDArray:
        """Coefficients ``(dim, p)`` of the certified generators over the candidates."""
        rows = [b.xi for b in self.bounds if b.verdict == "certified"]
        return np.array(rows).reshape(len(rows), self.candidates.n_generators)

    @property
    def action(self) -> AbstractAction:
        """The action of the certified generators: the way back into the verbs."""
        return self.candidates.restrict(self.generators.T)

    @property
    def decided(self) -> bool:
        """Whether the answer is the same at both ends of the band at delta, and every gate passed."""
        same = self.band.certified(self.delta) == self.band.possible(self.delta)
        return same and all(gate.passed for gate in self.gates)

    @property
    def trusted(self) -> bool:
        """Whether every binding gate passed."""
        return all(gate.passed for gate in self.gates if gate.binding)

    @property
    def verdict(self) -> str:
        """One sentence: what is certified, what is refuted, or why the data do not decide."""
        sure = f"{100 * (1 - self.alpha):g} %"
        failed = [gate for gate in self.gates if gate.binding and not gate.passed]
        if failed:
            return f"Nothing is certified: {failed[0].name}, {failed[0].reason}."
        least, most = self.band.certified(self.delta), self.band.possible(self.delta)
        if most == 0 and self.band.complete:
            return f"No symmetry up to delta = {self.delta:g} among the candidates, at {sure}: all are refuted."
        worst = max((b.high for b in self.bounds if b.verdict == "certified"), default=0.0)
        whose = _WHOSE.get(self.mode, "true defects")
        set_apart = f", besides {len(self.trivial)} trivial" if self.trivial else ""
        head = (
            f"Certified at {sure}: dimension {self.dim}{set_apart}, {whose} at most {number(worst, 2)}"
            if self.dim
            else f"Nothing{' but the trivial' if self.trivial else ''} is certified up to delta = {self.delta:g}"
        )
        if not self.band.complete:  # generators were named, and nothing is said of others
            return f"{head}."
        if most > least:
            more = f"{most - least} more {'is' if most - least == 1 else 'are'} not refuted"
            return f"{head}; the data do not decide whether there is more: {more}."
        return f"{head}; any larger one is refuted."

    def table(self) -> list[dict[str, Any]]:
        """One row per generator: what it is, its estimated defect, bounds, verdict and reason."""
        trivial = [b.to_dict() | {"verdict": "trivial"} for b in self.trivial]
        return [b.to_dict() for b in self.bounds] + trivial

    def to_dict(self) -> dict[str, Any]:
        """Everything that prints, as plain numbers and strings (JSON)."""
        return {
            "verdict": self.verdict,
            "dim": self.dim,
            "alpha": self.alpha,
            "delta": self.delta,
            "mode": self.mode,
            "guarantee": self.guarantee,
            "assumptions": list(self.assumptions),
            "region": self.region,
            "generators": self.table(),
            "path": [
                dict(zip(("delta", "certified", "estimated", "possible"), row, strict=True))
                for row in self.band.steps()
            ],
            "gates": [
                {"name": g.name, "passed": g.passed, "value": _plain(g.value), "limit": _plain(g.limit)}
                | {"reason": g.reason}
                for g in self.gates
            ],
            "notes": list(self.notes),
        }

    def to_latex(self) -> str:
        """The table of generators as a LaTeX ``tabular``."""
        rows = [
            rf"${_latex(b.text)}$ & {number(b.defect, 2)} & {number(b.low, 2)} & {number(b.high, 2)} & {b.verdict} \\"
            for b in (*self.bounds, *self.trivial)
        ]
        head = r"generator & defect & low & high & verdict \\ \hline"
        return "\n".join([r"\begin{tabular}{lrrrl}", head, *rows, r"\end{tabular}"])

    def __str__(self) -> str:
        parts = [self.verdict, text_table(_PATH, _path_rows(self.band, self.delta))]
        if self.bounds or self.trivial:
            parts.append(text_table(_HEADER, _rows(self)))
        parts += [f"- {self.guarantee} (mode {self.mode}); region: {self.region}"]
        parts += [f"- assumes {line}" for line in self.assumptions]
        parts += [f"- gate {gate}" for gate in self.gates] + [f"- {note}" for note in self.notes]
        return "\n".join(parts)

    def __repr__(self) -> str:
        return f"<Certificate dimension {self.dim} at delta = {self.delta:g}, {self.mode}>"

    def _repr_html_(self) -> str:
        path = html_table(_PATH, _path_rows(self.band, self.delta))
        lines = [f"{self.guarantee} (mode {self.mode}); region: {self.region}"]
        lines += [f"assumes {line}" for line in self.assumptions] + [f"gate {gate}" for gate in self.gates]
        items = "".join(f"<li>{_escape(line)}</li>" for line in (*lines, *self.notes))
        return f"<p><b>{_escape(self.verdict)}</b></p>{path}{html_table(_HEADER, _rows(self))}<ul>{items}</ul>"


_WHOSE = {"model": "the model's own defects", "class-free": "the defects that test fields see"}
"""What the bounds are about, where that is not the truth as a whole."""

_HEADER = ("generator", "defect", "low", "high", "verdict")
_PATH = ("delta", "certified", "estimated", "not refuted")


def _rows(certificate: Certificate) -> list[list[str]]:
    listed = [(b, b.verdict) for b in certificate.bounds] + [(b, "trivial") for b in certificate.trivial]
    return [[b.text, number(b.defect, 2), number(b.low, 2), number(b.high, 2), verdict] for b, verdict in listed]


def _path_rows(band: Band, delta: float, most: int = 8) -> list[list[str]]:
    """Rows of the path around the declared delta: the last few steps below it, itself, and the first ones above."""
    steps = band.steps()
    below = [s for s in steps if s[0] < delta][-(most // 2) :]
    above = [s for s in steps if s[0] > delta][: most - 1 - len(below)]
    own = (delta, band.certified(delta), band.estimated(delta), band.possible(delta))
    rows: Sequence[tuple[float, int, int, int]] = [*below, own, *above]
    return [[number(t, 2), str(lo), str(mid), str(hi)] for t, lo, mid, hi in rows]


def _plain(x: float) -> float | None:
    """JSON has neither NaN nor infinity: null stands for them."""
    return float(x) if np.isfinite(x) else None


def _latex(text: str) -> str:
    return text.replace("d/d", r"\partial_").replace("*", " ")


def _escape(text: str) -> str:
    from html import escape

    return escape(text)
