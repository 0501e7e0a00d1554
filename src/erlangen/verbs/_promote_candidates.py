"""What may be kept: numbers of broken generators and sets of discrete elements, and the best field of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy import linalg, sparse

from erlangen._progress import track
from erlangen._typing import NDArray
from erlangen.linalg.qr import rounding
from erlangen.verbs._promote_data import reduced
from erlangen.verbs._promote_refit import RankVariety, refit
from erlangen.verbs._promote_result import Promoted
from erlangen.verbs._promote_terms import Moved

if TYPE_CHECKING:
    from erlangen.verbs._promote_penalty import Penalty

FLOORS = (1e-1, 1e-2, 1e-3)
"""Shares of the largest singular value below which another may count as zero: what is noise is not known beforehand."""

MOST_RANKS = 6
"""Most ranks that are compared, beside that of nothing broken and of everything broken."""


@dataclass(frozen=True, order=True)
class Candidate:
    """A number of broken generators, and the discrete elements that are kept."""

    rank: int
    kept_elements: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Fitted:
    """The best field of a candidate that was found."""

    candidate: Candidate
    theta: NDArray
    loss: float
    exact: bool


class Refitter:
    """Least squares for candidates, in unknowns measured by the size of their functions at points ``x (n, d)``."""

    def __init__(self, penalty: Penalty, x: NDArray, y: NDArray):
        rows, _ = reduced(penalty.field, x, y)
        sizes = np.sqrt(np.mean(rows**2, axis=0))
        self.penalty, self.sizes = penalty, np.where(sizes > 0, sizes, 1.0)
        self._restricted = cache(self._restrict)

    @cached_property
    def _map(self) -> NDArray | sparse.csr_array:
        matrix = self.penalty.map.matrix
        return sparse.csr_array(matrix * (1.0 / self.sizes)) if sparse.issparse(matrix) else matrix / self.sizes

    def _restrict(self, kept_elements: tuple[int, ...]) -> tuple[RankVariety, NDArray | None]:
        """The variety among the unknowns that keep discrete elements, and a basis of those."""
        if not kept_elements:
            return RankVariety(self._map, self.penalty.map.shape), None
        moved = [term.matrix for term in self.penalty.terms if isinstance(term, Moved)]
        rows = [moved[j].toarray() if sparse.issparse(moved[j]) else moved[j] for j in kept_elements]
        stacked = np.vstack(rows) / self.sizes
        basis = linalg.null_space(stacked, rcond=rounding(stacked.shape))
        return RankVariety(np.asarray(self._map @ basis), self.penalty.map.shape), basis

    def __call__(
        self, x: NDArray, y: NDArray, path: Sequence[Promoted], best: int, wanted: Sequence[Candidate]
    ) -> list[Fitted]:
        """The best refit that was found for each candidate, in their order.

        Larger ranks come first. Each starts from the promoted fit of least error, from the one in which its rank
        stands out most, and from the refit of the rank before: a local minimum that misses one of them rarely misses
        all.
        """
        rows, values = reduced(self.penalty.field, x, y)
        found: dict[Candidate, Fitted] = {}
        last: dict[tuple[int, ...], NDArray] = {}
        for one in track(sorted(wanted, reverse=True), "refits"):
            starts = {best, int(np.argmax([_stands_out(fit, one.rank) for fit in path]))}
            thetas = [path[i].theta for i in sorted(starts)]
            more = [last[one.kept_elements]] if one.kept_elements in last else []
            found[one] = self._best(rows / self.sizes, values, [*thetas, *more], one)
            if found[one].exact:
                last[one.kept_elements] = found[one].theta
        return [found[one] for one in wanted]

    def _best(self, design: NDArray, y: NDArray, starts: Sequence[NDArray], wanted: Candidate) -> Fitted:
        variety, basis = self._restricted(wanted.kept_elements)
        design = design if basis is None else design @ basis
        found = []
        for theta in starts:
            start = theta * self.sizes
            found.append(refit(variety, design, y, start if basis is None else basis.T @ start, wanted.rank))
        one = min(found, key=lambda f: (not f.exact, f.loss))
        theta = (one.c if basis is None else basis @ one.c) / self.sizes
        return Fitted(Candidate(one.rank, wanted.kept_elements), theta, one.loss, one.exact)


def candidates(path: Sequence[Promoted], p: int, top: int) -> list[Candidate]:
    """What the fits on a path suggest: sets of discrete elements, and ranks after which singular values drop most.

    There are p generators, and no matrix has a rank above top.
    """
    votes = np.zeros(p + 1, dtype=int)
    for fit in path:
        for floor in FLOORS if fit.singular_values.any() else ():
            votes[int(np.argmax(_drops(fit, floor))) + 1] += 1
    votes[:1] = votes[p:] = 0
    votes[1 : min(p, top + 1)] += 1  # where few stand out, the smallest are looked at beside them
    most = np.argsort(-votes, kind="stable")[:MOST_RANKS]
    ranks = [0, *sorted(int(r) for r in most if votes[r])]
    sets = sorted({fit.kept_elements for fit in path})
    # With everything broken there is nothing to refit: the promoted fit stands for that.
    return [Candidate(r, kept) for kept in sets for r in (*ranks, *([p] if kept and p else []))]


def _drops(fit: Promoted, floor: float) -> NDArray:
    """Logarithm of each singular value over the next, all of them raised to a share of the largest."""
    s = np.append(fit.singular_values, 0.0)
    s = np.maximum(s, max(floor * s[0], np.finfo(np.float64).tiny))
    return np.log(s[:-1] / s[1:])


def _stands_out(fit: Promoted, rank: int) -> float:
    """How far the singular values of a fit fall after this rank; for rank zero, how much it was shrunk."""
    if rank == 0:
        return fit.lam
    drops = _drops(fit, min(FLOORS))
    return float(drops[rank - 1]) if rank <= len(drops) else 0.0
