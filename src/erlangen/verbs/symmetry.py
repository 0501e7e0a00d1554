"""Symmetry: what discover returns, how it prints, and the way back into the verbs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import ErlangenError, UndecidedError, explain
from erlangen._files import as_path
from erlangen._render import html_table, number, text_table
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction, PolynomialAction, behind
from erlangen.derivative import LieDerivative, Scales
from erlangen.linalg.rank import RankDecision
from erlangen.linalg.subspace import DenseSubspace
from erlangen.verbs import _export
from erlangen.verbs._agree import Agreement
from erlangen.verbs._measure import MAX_STORED, Defect, Measurement, coefficients_of, interval
from erlangen.verbs._name import Named
from erlangen.verbs._sort import Found, Generator

if TYPE_CHECKING:
    from erlangen.algebra import Group, LieAlgebra, Representation
    from erlangen.evidence.certificate import Certificate


@dataclass(frozen=True, eq=False)
class Symmetry(AbstractShown):
    """The symmetry of a field, with its evidence.

    Attributes
    ----------
    candidates : AbstractAction
        The generators that were on offer.
    coordinates : tuple of str
        Names of the d coordinates.
    spectrum : ndarray (r,)
        Relative defects of all candidate directions, ascending; 1 is an unrelated direction.
    floor : float
        Defects below this are rounding or the derivative's own error.
    resolution : float
        What is left of that error once its expected size is taken out: smaller defects are not told apart.
    path : tuple of (float, int)
        Dimension as a function of delta: the deltas at which it steps up.
    decision : RankDecision
        How many defects count as zero, and why.
    found : Found
        Findings, and the lists set apart (own, uncovered, refused).
    inert, vacuous : ndarray (p, i), (p, v)
        The i directions that move nothing on the samples; the v that move points where the field says nothing.
    structure : Named or None
        Name of the algebra and what it preserves.
    agreement : Agreement or None
        For tables: whether the second best model shows the same.
    kind : str
        How values follow points: ``"invariant"``, ``"vector"`` or ``"map"``.
    points : ndarray (n, d)
        Some of the samples, for drawing transformations.
    scales : Scales
        The units in which defects were measured.
    noise : float
        Error of a unit generator.
    measurement : Measurement or None
        What :meth:`test` measures generators with.
    lie : LieDerivative or None
        What was looked at: field, candidates and samples; None where the symmetry was read from a file.

    Examples
    --------
    >>> import erlangen as er
    >>> sym = er.discover(lambda x: (x**2).sum(axis=1), samples=er.Samples.box(-1, 1, dim=3))
    >>> sym.name, sym.dim, sym.texts[0]
    ('so(3)', 3, 'x d/dy - y d/dx')
    >>> sym.group
    so(3): 3 generators and 0 discrete elements on R^3
    """

    candidates: AbstractAction
    coordinates: tuple[str, ...]
    spectrum: NDArray
    floor: float
    resolution: float
    path: tuple[tuple[float, int], ...]
    decision: RankDecision
    found: Found
    inert: NDArray
    vacuous: NDArray
    structure: Named | None
    agreement: Agreement | None
    kind: str
    points: NDArray
    scales: Scales
    noise: float
    measurement: Measurement | None = None
    lie: LieDerivative | None = None

    @property
    def dim(self) -> int:
        """Number of independent generators found (those set apart do not count)."""
        return len(self.found.generators)

    @property
    def generators(self) -> NDArray:
        """Coefficients ``(dim, p)`` of the generators over the action's candidates, readable basis."""
        return self._rows(self.found.generators)

    @property
    def defects(self) -> NDArray:
        """Relative defect ``(dim,)`` of each generator."""
        return np.array([g.defect for g in self.found.generators])

    @property
    def intervals(self) -> NDArray:
        """Lower and upper bound ``(dim, 2)`` of each generator's true defect, see :meth:`test`."""
        if self.measurement is None:
            return np.stack(interval(self.defects, self.floor), axis=1)
        bounds = [self.measurement.test(g.xi, None) for g in self.found.generators]
        return np.array([[b.low, b.high] for b in bounds]).reshape(self.dim, 2)

    @property
    def own(self) -> NDArray:
        """Coefficients ``(r, p)`` of the r directions built from the field itself (vector fields and maps)."""
        return self._rows(self.found.own)

    @property
    def uncovered(self) -> NDArray:
        """Coefficients ``(r, p)`` of the r directions that leave the span of the data."""
        return self._rows(self.found.uncovered)

    @property
    def refused(self) -> tuple[Generator, ...]:
        """Directions with a small defect that a finite flow or one component refutes."""
        return self.found.refused

    @property
    def name(self) -> str:
        """Name of the algebra of all symmetries found, its dimension where it is not named.

        Where the data do not decide (:attr:`decided`), this is what they allow.
        """
        if self.structure is not None:
            return self.structure.name
        return f"dimension {len(self.found.generators) + len(self.found.own)}"

    @property
    def preserves(self) -> str:
        """The bilinear form that the action preserves, in words; empty where there is none."""
        return "" if self.structure is None else self.structure.preserves

    @property
    def algebra(self) -> LieAlgebra:
        """The algebra of all symmetries found (own ones included) as vector fields.

        Raises
        ------
        UndecidedError
            When no algebra is built: the candidates are not polynomial fields, or too many were found.
        """
        if self.structure is None:
            raise UndecidedError(f"An algebra of {self.name} of {type(self.candidates).__name__} is not built.")
        return self.structure.algebra

    @property
    def subspace(self) -> DenseSubspace:
        """Span of the generators in the space of candidates, with the spectrum behind it."""
        q = np.linalg.qr(self.generators.T)[0] if self.dim else np.zeros((self.candidates.n_generators, 0))
        return DenseSubspace(q, self.spectrum, self.decision.margin, self.decision.reason)

    @property
    def decided(self) -> bool:
        """Whether the data decide: the models agree, and the derivative is known to the declared delta."""
        agrees = self.agreement is None or self.agreement.agrees
        blind = len(self.spectrum) == 0 or (self.measurement is not None and self.resolution > self.measurement.delta)
        only_uncovered = self.dim == 0 and not self.found.own and bool(self.found.uncovered)
        return agrees and not blind and not only_uncovered and self.decision.decided

    @property
    def verdict(self) -> str:
        """One sentence: what was found, or why nothing was."""
        return _export.verdict(self)

    @property
    def texts(self) -> tuple[str, ...]:
        """The generators as a person writes them."""
        return tuple(self.describe(g.xi) for g in self.found.generators)

    def describe(self, xi: NDArray) -> str:
        """Readable text of the generator with coefficients ``xi (p,)``.

        Parameters
        ----------
        xi : ndarray (p,)
            Coefficients over the candidates.

        Returns
        -------
        str
            Text in the names of the coordinates.
        """
        return self.candidates.describe(xi, self.coordinates)

    def test(self, generator: AbstractAction | ArrayLike, delta: float | None = None) -> Defect:
        """Measure one named generator, found or not: its defect, an interval and a verdict.

        The interval covers the true defect: that of the field itself where its derivative is exact, and that
        of the target where ``discover`` was given the data that a model was fitted to. The verdict is
        ``"symmetric"`` where the whole interval is at most delta, ``"broken"`` where all of it is above,
        and ``"undecided"`` where delta lies inside.

        Parameters
        ----------
        generator : AbstractAction or array (p,)
            An action of one generator, as ``er.actions.fields([["-y", "x"]], ["x", "y"])``, or coefficients
            over the candidates.
        delta : float, optional
            Relative defect up to which a generator counts as a symmetry; by default that of the rule.

        Returns
        -------
        Defect
            Value, interval, verdict and the reason in words.

        Raises
        ------
        InputError
            Where the generator is not one of the candidates or a combination of them.
        UndecidedError
            Where it moves nothing on the samples, or the symmetry was loaded without what it was measured by.

        Examples
        --------
        >>> import erlangen as er
        >>> sym = er.discover(lambda x: x[:, 0] ** 2 + 2 * x[:, 1] ** 2, samples=er.Samples.box(-1, 1, dim=2))
        >>> sym.test(er.actions.rotation(2)).verdict
        'broken'
        """
        if self.measurement is None:
            raise UndecidedError(
                explain(
                    "Nothing is left to measure with.",
                    given=f"a symmetry of {self.candidates.n_generators} candidates read from a file",
                    expected=f"at most {MAX_STORED} candidates, whose factors are stored",
                    fix="call discover again",
                )
            )
        return self.measurement.test(coefficients_of(self.candidates, generator), delta)

    @property
    def certificate(self) -> Certificate | None:
        """Is it real: the evidence that costs no more than the discovery did, see `erlangen.evidence.certify`.

        For a table, bounds from one confidence set of the coefficients; for a model, a claim about the model on
        fresh points. None where there is nothing to look at: read from a file, or too large.
        """
        return self._evidence[0]

    @property
    def no_certificate(self) -> str:
        """Why there is no :attr:`certificate`, in a few words; empty where there is one."""
        return self._evidence[1]

    @cached_property
    def _evidence(self) -> tuple[Certificate | None, str]:
        from erlangen.evidence._symmetries import certificate_or_reason

        return certificate_or_reason(self)

    def table(self) -> list[dict[str, Any]]:
        """One row per direction, findings first: generator, defect, verdict, reason.

        Findings are a ``"symmetry"`` where the data decide, else ``"possible"``.
        """
        found = self.found
        listed = (*found.generators, *found.own, *found.uncovered, *found.refused)
        words = {} if self.decided else {"symmetry": "possible"}
        return [
            {
                "generator": self.describe(g.xi),
                "defect": g.defect,
                "verdict": words.get(g.verdict, g.verdict),
                "reason": g.reason,
            }
            for g in listed
        ]

    def dimension(self, delta: float) -> int:
        """Number of directions with a defect of at most delta, before any is set apart.

        Parameters
        ----------
        delta : float
            Relative defect up to which a direction counts.

        Returns
        -------
        int
            How many directions count.
        """
        return int(np.sum(np.maximum(self.spectrum, self.floor) <= delta))

    @cached_property
    def pairs(self) -> dict[str, int]:
        """For an unknown output action: invariances, output-only pairs and the projection on inputs."""
        return _export.pair_dimensions(self)

    @property
    def action(self) -> AbstractAction:
        """The action of the generators found: the way back into the verbs."""
        return self.candidates.restrict(self.generators.T)

    @property
    def group(self) -> Group:
        """The connected group of a linear symmetry; affine ones as matrices of size d + 1.

        Generators whose brackets leave their span by their error are moved to the nearest algebra: else they
        would generate a far larger group.

        Raises
        ------
        UndecidedError
            Where no algebra is within that error.
        """
        from erlangen.verbs._group import group_of

        return group_of(self)

    @property
    def rep(self) -> Representation:
        """The representation of :attr:`group` on the coordinates."""
        from erlangen.algebra import rep

        return rep("V", self.group)

    def sample(self, n: int, *, extent: float = 1.0, rng: int | np.random.Generator = 0) -> _export.Transformations:
        """Draw n finite transformations, for augmentation.

        Each is the flow of a random generator of root mean square speed ``extent`` in units of the
        spread of the samples.

        Parameters
        ----------
        n : int
            How many to draw.
        extent : float
            Root mean square speed of the random generator, in units of the spread of the samples; it is followed for
            unit time.
        rng : int or numpy.random.Generator
            Draws them.

        Returns
        -------
        Transformations
            Called with an index and points ``(n, d)`` they move the points, and values ``(n, c)`` with them.

        Raises
        ------
        UndecidedError
            When there is no symmetry to draw from.
        """
        return _export.draw(self, n, extent, np.random.default_rng(rng))

    def to_sympy(self) -> list[list[Any]]:
        """The components of each generator as SymPy expressions in the coordinates."""
        return _export.to_sympy(self)

    def to_latex(self) -> str:
        """The generators as a LaTeX ``aligned`` block."""
        return _export.to_latex(self)

    def to_dict(self) -> dict[str, Any]:
        """Everything that prints, as plain numbers and strings (JSON)."""
        return _export.to_dict(self)

    def save(self, path: str | Path, *, force: bool = False) -> None:
        """Write ``path`` (JSON) and, beside it, the arrays (``.npz``, no pickles).

        Parameters
        ----------
        path : str or Path
            Where the JSON is written.
        force : bool
            Whether a file that is there may be replaced.

        Raises
        ------
        InputError
            When a file is there and may not be replaced, the path ends in ``.npz``, or the candidates have no file
            format.
        """
        from erlangen.verbs._store import save

        save(self, as_path(path), force)

    @classmethod
    def load(cls, path: str | Path) -> Symmetry:
        """Read what :meth:`save` wrote: the JSON and the arrays beside it.

        Parameters
        ----------
        path : str or Path
            The JSON.

        Returns
        -------
        Symmetry
            As it was saved, without field and samples: ``lie`` is None.

        Raises
        ------
        InputError
            When a file is missing or is not a symmetry.
        """
        from erlangen.verbs._store import load

        return load(Path(path))

    def __str__(self) -> str:
        rows = [[r["generator"], number(r["defect"], 2), r["verdict"]] for r in self.table()]
        parts = [self.verdict]
        if rows:
            parts.append(text_table(["generator", "defect", "verdict"], rows))
        parts += [f"- {line}" for line in _export.notes(self)]
        return "\n".join(parts)

    def __repr__(self) -> str:
        found = f"{self.name}: {self.dim} generators"
        possible = f"not decided, perhaps {found}" if self.dim else "not decided"
        return f"<Symmetry {found if self.decided else possible}>"

    def _repr_latex_(self) -> str | None:
        try:
            return f"$\\displaystyle {self.to_latex()}$" if self.dim else None
        except ErlangenError:  # generators that have no formula
            return None

    def _repr_html_(self) -> str:
        return _export.to_html(self, html_table)

    def _rows(self, listed: Sequence[Generator]) -> NDArray:
        return np.array([g.xi for g in listed]).reshape(len(listed), self.candidates.n_generators)


def require_polynomial(action: AbstractAction) -> PolynomialAction:
    """Return the polynomial action on points behind a candidate, or explain that there is none."""
    base = behind(action)
    if not isinstance(base, PolynomialAction):
        raise UndecidedError(
            explain(
                "Only polynomial generators have formulas.",
                given=type(action).__name__,
                expected="a polynomial action",
                fix="er.actions.polynomial(d, degree)",
            )
        )
    return base
