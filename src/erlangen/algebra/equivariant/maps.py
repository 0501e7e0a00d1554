"""Equivariant linear maps between two representations: what the solver returns."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain
from erlangen._render import text_table
from erlangen._typing import NDArray
from erlangen.algebra.equivariant.split import Content, contents
from erlangen.algebra.representation import Representation
from erlangen.linalg.subspace import AbstractSubspace


@dataclass(frozen=True, eq=False)
class EquivariantMaps(AbstractSubspace):
    """All matrices W with ``rho_target(g) W = W rho_source(g)``, flattened row by row.

    Attributes
    ----------
    source, target : Representation
        What the maps act on and what they give; of sizes N and M.
    subspace : AbstractSubspace
        The maps by their structure: isotypic factors, orbits, or a dense basis.
    residual : float
        Largest norm of ``rho W - W rho`` over the generators, relative to the generator, for W of norm 1.
    method : str
        ``"weights"``, ``"isotypic"``, ``"orbits"`` or ``"general"``.

    Examples
    --------
    >>> from erlangen.algebra import rep
    >>> from erlangen.algebra.equivariant import equivariant_maps
    >>> from erlangen.algebra.groups import SO
    >>> cross = equivariant_maps(rep("V*V", SO(3)), rep("V", SO(3)))
    >>> cross.dim, cross.shape
    (1, (3, 9))
    """

    source: Representation
    target: Representation
    subspace: AbstractSubspace
    residual: float
    method: str

    @cached_property
    def contents(self) -> tuple[Content, ...]:
        """The irreducibles on both sides; empty where the group does not act completely reducibly."""
        return contents(self.source, self.target, self.dim)

    @property
    def shape(self) -> tuple[int, int]:
        """Shape (M, N) of a map."""
        return self.target.size, self.source.size

    @property
    def ambient_dim(self) -> int:
        """Number M * N of entries of a matrix."""
        return self.subspace.ambient_dim

    @property
    def dim(self) -> int:
        """Number of independent maps."""
        return self.subspace.dim

    @property
    def reason(self) -> str:
        """Why this dimension."""
        return self.subspace.reason

    @property
    def gap(self) -> float:
        """First value dropped over last value kept; infinite where nothing was thresholded."""
        return getattr(self.subspace, "gap", float("inf"))

    @property
    def singular_values(self) -> NDArray:
        """The spectrum ``(r,)`` that decided the dimension; empty where none was needed."""
        return getattr(self.subspace, "singular_values", np.zeros(0))

    def coordinates(self, vectors: NDArray) -> NDArray:
        """Inner products ``(..., dim)`` of flattened matrices with an orthonormal basis."""
        return self.subspace.coordinates(vectors)

    def combine(self, coordinates: NDArray) -> NDArray:
        """Flattened matrices ``(..., M * N)`` with given coordinates."""
        return self.subspace.combine(coordinates)

    def sparse_basis(self) -> NDArray:
        """Basis as columns ``(M * N, dim)`` with many zeros."""
        return self.subspace.sparse_basis()

    def matrices(self) -> NDArray:
        """Orthonormal basis as matrices ``(dim, M, N)``."""
        return self.combine(np.eye(self.dim)).reshape(self.dim, *self.shape)

    def project(self, vectors: ArrayLike) -> NDArray:
        """Nearest equivariant map to a matrix ``(..., M, N)``, or to one flattened ``(..., M * N)``.

        Raises
        ------
        InputError
            Where the shape fits neither.
        """
        w = np.asarray(vectors)
        if w.shape[-2:] == self.shape:
            flat = w.reshape(*w.shape[:-2], self.ambient_dim)
            return self.combine(self.coordinates(flat)).reshape(w.shape)
        if w.shape[-1:] != (self.ambient_dim,):
            raise InputError(
                explain(
                    f"These matrices do not map {self.source} to {self.target}.",
                    given=f"an array of shape {w.shape}",
                    expected=f"shape (..., {self.shape[0]}, {self.shape[1]}) or (..., {self.ambient_dim})",
                    fix="maps.project(W) with W of shape (target.size, source.size)",
                )
            )
        return self.combine(self.coordinates(w))

    def explain(self) -> str:
        """Say in words which irreducibles stand on each side, and what follows."""
        group = self.source.group.name
        lines = [f"{_count(self.dim)} from {self.source} to {self.target} of {group}: {self.reason}."]
        if self.contents:
            rows = [[c.label, str(c.size), str(c.in_source), str(c.in_target), str(c.maps)] for c in self.contents]
            lines.append(text_table(["irreducible", "size", "in source", "in target", "maps"], rows))
        if not self.dim and self.contents:
            lines.append("No irreducible stands on both sides, and maps between different ones vanish (Schur's lemma).")
        elif not self.dim:
            lines.append("The equations rho W = W rho have no solution but zero.")
        return "\n".join(lines)

    def __str__(self) -> str:
        text = f"{_count(self.dim)} from {self.source} to {self.target} of {self.source.group.name}"
        return f"{text}: {self.reason}; {self.method}, residual {self.residual:.1e}"

    def __repr__(self) -> str:
        return f"<EquivariantMaps {self.source} >> {self.target}: {self.dim}>"


def _count(dim: int) -> str:
    return {0: "No equivariant map", 1: "1 equivariant map"}.get(dim, f"{dim} equivariant maps")
