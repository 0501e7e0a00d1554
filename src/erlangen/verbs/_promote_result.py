"""What a promoted fit returns: the field, what it breaks, and how well it is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.fields import AbstractLinearField
from erlangen.linalg.admm import State
from erlangen.linalg.qr import rounding
from erlangen.verbs._promote_solve import Solved
from erlangen.verbs._promote_terms import AbstractTerm, Block, Moved, unturned


@dataclass(frozen=True, eq=False)
class Spectrum:
    """What became of the generators of one block of a penalty.

    Attributes
    ----------
    singular_values : ndarray (min(r, m),)
        Of the matrix of generators and values; zero where a generator is kept.
    broken_rank : int
        How many are not zero.
    kept : ndarray (p, p - broken_rank) or fewer columns
        Combinations of the generators of its action that are not broken, without those that vanish everywhere.
    """

    singular_values: NDArray
    broken_rank: int
    kept: NDArray


@dataclass(frozen=True, eq=False, repr=False)
class Promoted(AbstractShown):
    """A field that fits data and breaks few generators.

    Attributes
    ----------
    field : AbstractLinearField
        The fitted member of the family.
    theta : ndarray (q,)
        Its parameters.
    lam : float
        Weight of the penalty.
    penalty : float
        Value of the penalty at theta, for values as large as those that were fitted.
    singular_values : ndarray (min(r, m),)
        Of the matrix of generators and values, descending; zero where a generator is kept.
    broken_rank : int
        How many are not zero.
    kept : ndarray (p, p - broken_rank) or fewer columns
        Combinations of the generators of the action that are not broken, without those that vanish everywhere. Where a
        penalty has several blocks, of their generators one after another, as in ``er.actions.union``.
    blocks : tuple of Spectrum
        The same for each block.
    kept_elements : tuple of int
        Which discrete elements are not broken.
    objective : float
        What was minimised, at theta.
    gap : float
        The objective is at most this much above its minimum: the duality gap, up to rounding, which is large where
        functions are nearly dependent (monomials far from zero). Where the penalty is not convex, both are those of the
        last convex problem.
    iterations : int
        How many it took.
    objectives : tuple of float
        What was minimised, after each convex problem: one of them where the penalty is convex.
    converged : bool
        Whether residuals and gap are within the tolerance.
    reason : str
        All this in words.
    state : State
        To start a fit nearby from.
    """

    field: AbstractLinearField
    theta: NDArray
    lam: float
    penalty: float
    singular_values: NDArray
    broken_rank: int
    kept: NDArray
    blocks: tuple[Spectrum, ...]
    kept_elements: tuple[int, ...]
    objective: float
    gap: float
    iterations: int
    objectives: tuple[float, ...]
    converged: bool
    reason: str
    state: State

    def __repr__(self) -> str:
        return f"Promoted: {self.reason}"


def assemble(
    field: AbstractLinearField, theta: NDArray, lam: float, penalty: float, terms: Sequence[AbstractTerm], done: Solved
) -> Promoted:
    """Read what is broken from the shrunk copies of the images, whose zeros are exact."""
    solution = done.solution
    parts = zip(terms, done.norms.norms, done.norms.split(solution.image), strict=False)  # l1 may follow
    images = [(term, unturned(norm, image)) for term, norm, image in parts]
    blocks = [(term.block, image) for term, image in images if not isinstance(term, Moved)]  # type: ignore[attr-defined]
    spectra = tuple(_spectrum(block, image) for block, image in blocks)
    moved = [bool(np.any(image)) for term, image in images if isinstance(term, Moved)]
    values = np.sort(np.concatenate([np.zeros(0), *(s.singular_values for s in spectra)]))[::-1]
    return Promoted(
        field=field.with_theta(theta),
        theta=theta,
        lam=lam,
        penalty=penalty,
        singular_values=values,
        broken_rank=sum(s.broken_rank for s in spectra),
        kept=linalg.block_diag(*(s.kept for s in spectra)) if spectra else np.zeros((0, 0)),
        blocks=spectra,
        kept_elements=tuple(j for j, breaks in enumerate(moved) if not breaks),
        objective=solution.objective,
        gap=solution.gap,
        iterations=done.iterations,
        objectives=done.objectives,
        converged=solution.converged and done.settled,
        reason=_words(spectra, [block.map.shape[0] for block, _ in blocks], moved, done),
        state=done.start,
    )


def _spectrum(block: Block, image: NDArray) -> Spectrum:
    r, m = block.map.shape
    left, s, _ = np.linalg.svd(image.reshape(r, m), full_matrices=r > m)
    rank = int(np.sum(s > rounding((r, m)) * float(s.max(initial=0.0))))
    return Spectrum(s, rank, block.generators @ left[:, rank:])


def _words(spectra: Sequence[Spectrum], sizes: Sequence[int], moved: Sequence[bool], done: Solved) -> str:
    solution = done.solution
    broken = ", ".join(f"{s.broken_rank} of {r}" for s, r in zip(spectra, sizes, strict=True))
    said = [f"{broken} generators"] if spectra else []
    said += [f"{sum(moved)} of {len(moved)} discrete elements"] if moved else []
    relative = solution.gap / solution.objective if solution.objective > 0 else 0.0
    many = len(done.objectives)
    what = "the objective is"
    if many > 1:
        what = f"the penalty is not convex: the objective of the last of {many} convex problems is"
    ends = "" if solution.converged and done.settled else ": not converged"
    known = f"{what} within {relative:.1g} of its minimum, after {done.iterations} iterations"
    return f"{' and '.join(said)} are broken; {known}{ends}"
