"""The answer to "what algebra is this?" and the comparisons behind it."""

from __future__ import annotations

from dataclasses import dataclass

from erlangen._render import name_latex
from erlangen._shown import AbstractShown, cut
from erlangen._typing import NDArray


@dataclass(frozen=True)
class Alternative(AbstractShown):
    """A structure that the data were compared with.

    Attributes
    ----------
    name : str
        Its canonical name.
    rms : float
        Root mean square distance of the unit generators to it.
    chi2 : float
        Squared distance in units of the noise.
    dof : int
        Number of conditions that the structure imposes.
    accepted : bool
        Whether the distance is within what the noise allows.
    """

    name: str
    rms: float
    chi2: float
    dof: int
    accepted: bool

    def __str__(self) -> str:
        verdict = "accepted" if self.accepted else "rejected"
        return f"{self.name:<12s} rms d {self.rms:.3g}   chi2 {self.chi2:.0f}/{self.dof}  {verdict}"


@dataclass(frozen=True, eq=False)
class Structure(AbstractShown):
    """The answer to: what algebra is this?

    Attributes
    ----------
    name : str
        Canonical name.
    aliases : tuple of str
        Names of isomorphic algebras.
    dim : int
        Dimension p.
    levi : tuple of str
        Names of the simple factors.
    radical_dim, nilradical_dim, centre_dim : int
        Dimensions of the radical, nilradical and centre (-1 where the algebra was too large to look).
    killing_signature : tuple of int
        Positive and negative directions of the Killing form.
    index : int
        Number of independent invariants of the coadjoint action.
    derived_series : tuple of int
        Dimensions of the derived series, the whole algebra first.
    margin : float
        How clear the least clear decision was (kept over dropped value; 1 means undecided).
    reason : str
        Why this name.
    alternatives : tuple of Alternative
        What else was compared, most special accepted first.
    repair : str or None
        What was done to make the generators close.
    basis : ndarray (p, ...)
        Orthonormal generators of the named algebra, in the form in which they were given.
    certificate : str
        The theorem or comparison behind the name.
    noise : float
        Noise per unit generator that was given or estimated; zero for exact input.
    """

    name: str
    aliases: tuple[str, ...]
    dim: int
    levi: tuple[str, ...]
    radical_dim: int
    nilradical_dim: int
    centre_dim: int
    killing_signature: tuple[int, int]
    index: int
    derived_series: tuple[int, ...]
    margin: float
    reason: str
    alternatives: tuple[Alternative, ...]
    repair: str | None
    basis: NDArray
    certificate: str
    noise: float = 0.0

    def display(self, complex_structure: bool) -> str:
        """Return the unitary name where the action preserves a complex structure and there is one.

        Parameters
        ----------
        complex_structure : bool
            Whether the action preserves a complex structure.

        Returns
        -------
        str
            Such as ``u(2)`` for so(3) + R.
        """
        if complex_structure:
            unitary = [name for name in self.aliases if name.startswith("u(") and "+" not in name]
            return unitary[0] if unitary else self.name
        return self.name

    def __repr__(self) -> str:
        return cut(f"<Structure {self.name}: dim {self.dim}, {self.reason}>")

    def _repr_latex_(self) -> str:
        return f"${name_latex(self.name)}$"

    def __str__(self) -> str:
        also = f"  (also {', '.join(self.aliases)})" if self.aliases else ""
        lines = [f"{self.name}{also}", f"  dim {self.dim}, Killing {self.killing_signature}, index {self.index}"]
        lines[1] += f", derived series {', '.join(str(d) for d in self.derived_series)}"
        levi = " + ".join(self.levi) or "none"
        ideals = f"radical {self.radical_dim}, nilradical {self.nilradical_dim}, centre {self.centre_dim}"
        lines += [f"  Levi factor {levi}; {ideals}", f"  because: {self.reason}"]
        lines += [f"  repair: {self.repair}"] if self.repair else []
        return "\n".join(lines + [f"  {row}" for row in self.alternatives])
