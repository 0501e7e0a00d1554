"""Whole systems from expressions for each coordinate: chosen, refitted and ranked together, with their symmetry."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from scipy import linalg
from scipy.optimize import least_squares

from erlangen._progress import keeping, track
from erlangen._typing import NDArray
from erlangen.dynamics import _symbolic_terms as terms
from erlangen.dynamics._symbolic_fit import FLOOR, STEPS, TOLERANCES, Component, Target
from erlangen.dynamics._symbolic_symmetry import Invariance, Jet
from erlangen.dynamics._symbolic_terms import Term

BEAM = 256
"""Systems kept while coordinates are added one by one."""

REFITTED = 8
"""Systems whose constants are refitted with the symmetry."""

ROUNDS = 2
"""Times that the weights of residuals are renewed in such a refit."""


@dataclass(frozen=True, eq=False)
class Whole:
    """A system with what it costs.

    Attributes
    ----------
    parts : tuple of Component
        One for each coordinate.
    defect : float
        Relative squared defect of the symmetry; 0 where none is asked for.
    score : float
        Length of the message that tells the data, with the defect beside the errors.
    tied : int
        Constants that others determine, as the symmetry ties them.
    """

    parts: tuple[Component, ...]
    defect: float
    score: float
    tied: int = 0

    @property
    def error(self) -> float:
        """Mean over coordinates of the relative squared error."""
        return float(np.mean([part.error for part in self.parts]))

    @property
    def size(self) -> int:
        """Number of symbols."""
        return sum(part.size for part in self.parts)

    @property
    def shape(self) -> tuple:
        """What it looks like, without values of constants."""
        return tuple(part.shape for part in self.parts)


@dataclass(frozen=True, eq=False)
class Joint:
    """What systems are compared by.

    Attributes
    ----------
    targets : tuple of Target
        One for each coordinate.
    scales : ndarray (d,)
        By which values of targets were divided.
    invariance : Invariance or None
        The symmetry.
    weight : float
        Of the defect, beside relative squared errors.
    """

    targets: tuple[Target, ...]
    scales: NDArray
    invariance: Invariance | None
    weight: float

    def whole(self, parts: Sequence[Component], jet: Jet | None = None, tied: int = 0) -> Whole:
        """Price a system."""
        defect = 0.0
        if self.invariance is not None:
            defect = self.invariance.defect(self.jet(parts) if jet is None else jet)
        score = sum(
            target.length(part.error + self.weight * defect, part.n_constants, part.size)
            for target, part in zip(self.targets, parts, strict=True)
        )
        return Whole(tuple(parts), defect, float(score - self.saved(parts, tied)), tied)

    def saved(self, parts: Sequence[Component], tied: int) -> float:
        """What need not be told where the symmetry ties constants: these, and their share of the symbols."""
        constants = sum(part.n_constants for part in parts)
        symbols = sum(part.size * np.log(t.symbols) for part, t in zip(parts, self.targets, strict=True))
        each = np.mean([np.log(target.effective) for target in self.targets]) / 2
        return float(tied * (each + symbols / constants)) if constants else 0.0

    def jet(self, parts: Sequence[Component]) -> Jet:
        """Values and derivatives of a system, in its own units."""
        assert self.invariance is not None
        return Jet.joined([self._part_jet(part, s) for part, s in zip(parts, self.scales, strict=True)])

    def _part_jet(self, part: Component, scale: float) -> Jet:
        assert self.invariance is not None
        return self.invariance.jet(part.terms).combined(part.coefficients[:, None] * scale)

    # --- search

    def systems(self, lists: Sequence[Sequence[Component]]) -> list[Whole]:
        """Systems from the expressions of each coordinate, the best first; all that were refitted are among them."""
        found = self.combined(lists)
        if self.invariance is None:
            return found
        rough = found[:REFITTED]
        with keeping("the search for symmetric systems", len(rough)) as kept:
            kept.keep(lambda _: best_of(list(found)), 0)
            for one in track(rough, "symmetric systems"):
                found += self._variants(one)
                kept.done += 1
        return best_of(found)

    def combined(self, lists: Sequence[Sequence[Component]]) -> list[Whole]:
        """Systems from the expressions of each coordinate, the best first, none of them refitted."""
        beam: list[tuple[Component, ...]] = [()]
        for found in lists:
            beam = [(*parts, part) for parts, part in product(beam, found)]
            beam = sorted(beam, key=lambda parts: sum(part.length for part in parts))[:BEAM]
        if self.invariance is None:
            return best_of(self.whole(parts) for parts in beam)
        jets = [
            {id(part): self._part_jet(part, s) for part in found} for found, s in zip(lists, self.scales, strict=True)
        ]
        joined = [Jet.joined([jet[id(part)] for jet, part in zip(jets, parts, strict=True)]) for parts in beam]
        return best_of(self.whole(parts, jet) for parts, jet in zip(beam, joined, strict=True))

    def _variants(self, one: Whole) -> list[Whole]:
        """A system refitted with its symmetry, and the symmetric systems in its terms and their images."""
        out = [fit] if (fit := self.refit(one)) is not None else []
        for start in [one, *out]:
            projected = self.projected(start)
            if projected is not None:
                out.append(projected)
                again = self.refit(projected)
                out += [again] if again is not None else []
        return out

    # --- constants, with the symmetry

    def refit(self, one: Whole) -> Whole | None:
        """All constants of a system fitted to data and symmetry at once; None where that fails."""
        parts = one.parts
        start = np.concatenate([self._packed(part) for part in parts])
        for _ in range(ROUNDS):
            try:
                step = self._step(parts, start)
            except (ValueError, np.linalg.LinAlgError):
                return None
            if step is None:
                return None
            start, parts = step, self._unpacked(parts, step)
        return self.whole(parts, tied=one.tied)

    def _packed(self, part: Component) -> NDArray:
        return np.concatenate([part.coefficients, terms.constants(part.terms)])

    def _unpacked(self, parts: Sequence[Component], values: NDArray) -> tuple[Component, ...]:
        out, at = [], 0
        for part, target in zip(parts, self.targets, strict=True):
            r, k = len(part.terms), part.n_constants
            chosen = terms.with_constants(part.terms, values[at + r : at + k])
            out.append(priced(target, chosen, values[at : at + r]))
            at += k
        return tuple(out)

    def _step(self, parts: tuple[Component, ...], start: NDArray) -> NDArray | None:
        """Least squares, rows weighted as the logarithms in the score weight them at the start."""
        assert self.invariance is not None
        weighted = self._weighted(parts)
        known: dict[bytes, tuple[NDArray, NDArray]] = {}

        def both(values: NDArray) -> tuple[NDArray, NDArray]:
            key = values.tobytes()
            if key not in known:
                known.clear()
                known[key] = weighted.rows_and_slopes(self._unpacked(parts, values))
            return known[key]

        scale = np.maximum(np.abs(start), np.sqrt(FLOOR))
        with np.errstate(all="ignore"):
            found: Any = least_squares(
                lambda v: both(v)[0],
                start,
                lambda v: both(v)[1],
                x_scale=scale,
                max_nfev=STEPS,
                method="trf",
                **TOLERANCES,
            )
        return found.x if np.isfinite(found.x).all() else None

    def _weighted(self, parts: tuple[Component, ...]) -> _Weighted:
        assert self.invariance is not None
        jet = self.jet(parts)
        defect = self.invariance.defect(jet)
        floors = [p.error + self.weight * defect + t.floor for p, t in zip(parts, self.targets, strict=True)]
        roots = [np.sqrt(t.effective / (f * len(t.y))) for t, f in zip(self.targets, floors, strict=True)]
        pull = self.weight * sum(t.effective / f for t, f in zip(self.targets, floors, strict=True))
        sizes = [size for _, size in self.invariance.residuals(jet)]
        n = len(self.invariance.points) * max(len(sizes), 1)
        pulls = [np.sqrt(pull / (n * size)) if size > 0 else 0.0 for size in sizes]
        return _Weighted(self, roots, pulls)

    # --- exactly symmetric systems

    def projected(self, one: Whole) -> Whole | None:
        """The best symmetric system in the terms of a system and their images; None where there is none.

        Terms are left out while that shortens the message; what the symmetry ties together goes together.
        """
        invariance = self.invariance
        assert invariance is not None
        used: dict[tuple, Term] = {}
        try:
            for part in one.parts:
                for term in part.terms:
                    inside = invariance.invariant_insides(term)
                    used.setdefault(terms.shape(inside), inside)
        except (terms.TooLong, OverflowError, ZeroDivisionError):
            return None
        closed = invariance.closed(list(used.values()))
        if closed is None:
            return None
        jet = invariance.jet(closed)
        rows = [target.design(closed) for target in self.targets]
        if not (np.isfinite(jet.values).all() and np.isfinite(jet.gradients).all() and np.isfinite(jet.moved).all()):
            return None
        if not all(np.isfinite(row).all() for row in rows):
            return None
        basis = invariance.symmetric(jet)
        if not basis.shape[1]:
            return None
        return self._eliminated(closed, rows, basis)

    def _eliminated(self, closed: list[Term], rows: list[NDArray], basis: NDArray) -> Whole | None:
        r = len(closed)
        best = self._within(closed, rows, basis, [])
        out: list[int] = []
        while best is not None:
            present = [a * r + closed.index(term) for a, part in enumerate(best.parts) for term in part.terms]
            trials = [(self._within(closed, rows, basis, [*out, k]), k) for k in present]
            fits = [(fit, k) for fit, k in trials if fit is not None]
            shorter, k = min(fits, key=lambda pair: pair[0].score, default=(None, -1))
            if shorter is None or shorter.score >= best.score:
                return best
            best, out = shorter, [*out, k]
        return best

    def _within(self, closed: list[Term], rows: list[NDArray], basis: NDArray, out: list[int]) -> Whole | None:
        """Least squares in the basis, without the entries that are left out."""
        d, r = len(rows), len(closed)
        inner = linalg.null_space(basis[out]) if out else np.eye(basis.shape[1])
        if not inner.shape[1]:
            return None
        q = basis @ inner
        # Coordinates count alike: their errors are taken relative to their values.
        design = [row @ q[a * r : (a + 1) * r] / self.scales[a] for a, row in enumerate(rows)]
        values = np.concatenate([target.y * target.weights for target in self.targets])
        z = np.linalg.lstsq(np.concatenate(design), values, rcond=None)[0]
        table = (q @ z).reshape(d, r)
        sizes = np.sqrt(np.mean(np.stack(rows) ** 2, axis=1))
        share = np.abs(table) * sizes / self.scales[:, None]
        kept = share > np.sqrt(FLOOR)
        if not kept.any(axis=1).all():
            return None
        parts = tuple(
            priced(
                target, tuple(t for t, k in zip(closed, kept[a], strict=True) if k), table[a][kept[a]] / self.scales[a]
            )
            for a, target in enumerate(self.targets)
        )
        free = inner.shape[1] + len(terms.constants([term for part in parts for term in part.terms]))
        return self.whole(parts, tied=sum(part.n_constants for part in parts) - free)


@dataclass(frozen=True, eq=False)
class _Weighted:
    """Residuals of data and symmetry as one vector, with their derivatives by all constants.

    Both are linear in constants in front; by those inside functions one term of one coordinate changes at a time.
    """

    joint: Joint
    roots: list[float]
    pulls: list[float]

    def rows_and_slopes(self, parts: tuple[Component, ...]) -> tuple[NDArray, NDArray]:
        """Rows ``(m,)`` and derivatives ``(m, k)``."""
        joint, slopes = self.joint, []
        data: list[NDArray] = []
        bent: Any = 0.0
        for a, (part, target) in enumerate(zip(parts, joint.targets, strict=True)):
            columns = [(target.design((term,))[:, 0], self._bent(a, term)) for term in part.terms]
            design = np.stack([column for column, _ in columns], axis=1)
            data.append(self.roots[a] * (design @ part.coefficients - target.y * target.weights))
            bent = sum((c * row for c, (_, row) in zip(part.coefficients, columns, strict=True)), bent)
            slopes += [(a, self.roots[a] * column, row) for column, row in columns]
            slopes += [(a, self.roots[a] * u, v) for u, v in self._inside(a, part, columns)]
        counts = np.cumsum([0, *(len(block) for block in data)])
        table = np.zeros((counts[-1] + len(bent), len(slopes)))
        for k, (a, column, row) in enumerate(slopes):
            table[counts[a] : counts[a + 1], k] = column
            table[counts[-1] :, k] = row
        rows = np.concatenate([*data, bent])
        return np.nan_to_num(rows, nan=1e150, posinf=1e150, neginf=-1e150), np.nan_to_num(table, nan=0.0)

    def _inside(self, a: int, part: Component, at: list[tuple[NDArray, NDArray]]) -> list[tuple[NDArray, NDArray]]:
        """Derivatives by each constant inside the functions of a coordinate, by differences."""
        out, inside = [], terms.constants(part.terms)
        for j, c in enumerate(inside):
            step = max(abs(c), 1.0) * np.sqrt(FLOOR)
            moved = terms.with_constants(part.terms, [v + step * (i == j) for i, v in enumerate(inside)])
            changed = [k for k, (new, old) in enumerate(zip(moved, part.terms, strict=True)) if new != old]
            columns = [self.joint.targets[a].design((moved[k],))[:, 0] - at[k][0] for k in changed]
            rows = [self._bent(a, moved[k]) - at[k][1] for k in changed]
            shares = part.coefficients[changed] / step
            out.append((np.tensordot(shares, columns, 1), np.tensordot(shares, rows, 1)))
        return out

    def _bent(self, a: int, term: Term) -> NDArray:
        """Weighted residual of the symmetry for a term in one coordinate, zero in the others."""
        invariance = self.joint.invariance
        assert invariance is not None
        unit = np.zeros((1, len(invariance.names)))
        unit[0, a] = self.joint.scales[a]
        found = invariance.residuals(invariance.jet((term,)).combined(unit))
        return np.concatenate([pull * rows.ravel() for pull, (rows, _) in zip(self.pulls, found, strict=True)])


def priced(target: Target, chosen: tuple[Term, ...], coefficients: NDArray) -> Component:
    """An expression with its error and length."""
    rows = target.design(chosen)
    residual = target.y * target.weights - rows @ coefficients
    error = float(np.mean(residual**2))
    out = Component(chosen, coefficients, error if np.isfinite(error) else np.inf, 0.0)
    return replace(out, length=target.length(out.error, out.n_constants, out.size))


def best_of(found: Iterable[Whole]) -> list[Whole]:
    """The lowest scores first, each shape once."""
    out: dict[tuple, Whole] = {}
    for one in sorted((w for w in found if np.isfinite(w.score)), key=lambda w: w.score):
        out.setdefault(one.shape, one)
    return list(out.values())


def front(found: Sequence[Whole]) -> list[Whole]:
    """Systems that no other beats in size, error and defect; the shortest first."""

    def beaten(one: Whole, other: Whole) -> bool:
        a, b = (other.size, other.error, other.defect), (one.size, one.error, one.defect)
        return all(p <= q for p, q in zip(a, b, strict=True)) and a != b

    kept = [one for one in found if not any(beaten(one, other) for other in found)]
    return sorted(kept, key=lambda one: (one.size, one.error))
