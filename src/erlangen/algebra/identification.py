"""What algebra is this? Candidates with distances instead of one hard answer.

Under noise an algebra turns into one that contracts to it, so no single threshold is right. Each chain of
ideals seen at some threshold is imposed exactly, its distance to the data is tested against the noise, and the
most special structure that the data accept gives the name.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import chdtri, fdtri

from erlangen._errors import UndecidedError, explain
from erlangen._typing import NDArray
from erlangen.algebra.ambient import AbstractAmbient, ConstantsAmbient
from erlangen.algebra.answer import Alternative, Structure
from erlangen.algebra.closure import (
    Closed,
    Flag,
    close,
    closing_rank,
    closure_defect,
    codimension,
    constants_in,
    flag_of,
    is_dense,
)
from erlangen.algebra.naming import SPLIT_LIMIT, Verdict, ideals, name_constants
from erlangen.algebra.repair import close_constants, generated, jacobi_defect, largest_closed, orthonormal
from erlangen.algebra.simple_names import UNRESOLVED
from erlangen.algebra.structure import Anatomy, anatomy, change_basis, derivation_dim
from erlangen.algebra.summands import close_sum

EXACT_TOL = 1e-8  # accuracy granted to exact input
REFINED_TOL = 1e-7  # accuracy of constants after refinement: convergence is far below, singular points slower
FACTORS = (4.0, 2.0, 1.0, 0.5, 0.25, 0.1)  # thresholds tried, in units of the noise
LEVEL = 0.999  # probability with which the true name passes the distance test
READABLE = 0.3  # noise per unit generator above which no structure can be read
UNDERSTATED = 3.0  # how much larger than stated the noise may turn out before another cause is looked for
FAR = 10.0  # candidates of equal weights that are more noise units away are not worth a line
FAST_NOISE, FAST_MARGIN = 1e-3, 10.0  # one threshold is enough below this noise and above this margin
NAMED_LIMIT = 170  # generators beyond which p^3 constants and their decompositions are not computed
DERIVATION_LIMIT = 11  # dimension up to which derivations are counted


@dataclass(frozen=True, eq=False)
class _Candidate:
    """A refined subspace with its name, conditions imposed (dof), and those that closing alone imposes (loose)."""

    basis: NDArray
    verdict: Verdict
    parts: Anatomy
    squared: float
    dof: int
    loose: int
    order: int

    def row(self, noise: float, accepted: bool) -> Alternative:
        """Print the comparison."""
        n, p = self.basis.shape[1], len(self.basis)
        chi2 = n * self.squared / noise**2 if noise > 0 else 0.0
        return Alternative(self.verdict.name, float(np.sqrt(self.squared / p)), chi2, self.dof, accepted)

    def rank(self) -> tuple:
        """Most special first: derivations, then unimodular, then the larger threshold."""
        c = self.parts.constants
        special = derivation_dim(c, REFINED_TOL) if len(c) <= DERIVATION_LIMIT else self.parts.radical.shape[1]
        return (-special, not self.parts.unimodular, self.order)


def identify_span(ambient: AbstractAmbient, vectors: NDArray, noise: float | None) -> Structure:
    """Name the Lie algebra spanned by generators.

    Parameters
    ----------
    ambient : AbstractAmbient
        Where they live.
    vectors : ndarray (p, N)
        Their coordinates.
    noise : float, optional
        Norm of the error of each unit generator; None: exact if they close to rounding, else estimated.

    Returns
    -------
    Structure
        The name and what speaks for it.

    Raises
    ------
    UndecidedError
        If no algebra is near.
    """
    if len(vectors) == 0:
        return _structure(ambient, vectors, *name_constants(np.zeros((0, 0, 0)), EXACT_TOL), reason="no generators")
    if isinstance(ambient, ConstantsAmbient):
        return _identify_constants(ambient, vectors, noise)
    if len(vectors) > NAMED_LIMIT:
        return _too_large(ambient, vectors)
    data = orthonormal(vectors)
    if noise is None or noise <= _rounding(vectors):
        exact = _exact(ambient, vectors, data)
        if exact is not None:
            return exact
        noise = None
    if not is_dense(ambient, len(data)):
        return _raw(ambient, data, noise)
    if noise is None:
        return _unknown_noise(ambient, data, _rounding(vectors))
    return _known_noise(ambient, data, noise)


def _too_large(ambient: AbstractAmbient, vectors: NDArray) -> Structure:
    """Count only: constants would need p^3 numbers. Two random elements show the rank and the centre."""
    p = len(vectors)
    q = np.asarray(np.linalg.qr(vectors.T)[0]).T
    x = np.random.default_rng(7).standard_normal((1, p)) @ q / np.sqrt(p)
    brackets = ambient.brackets(x, q)[0]
    inside = brackets[:, : ambient.dim] @ q.T
    outside = np.linalg.norm(brackets[:, : ambient.dim] - inside @ q) + np.linalg.norm(brackets[:, ambient.dim :])
    defect = float(outside / np.sqrt(p))
    values = np.linalg.svd(inside, compute_uv=False)
    commuting = int((values <= max(EXACT_TOL, 3.0 * defect)).sum())
    reason = f"more than {NAMED_LIMIT} generators are counted, not named; brackets of a random element leave the span"
    reason += f" by {defect:.2g} (rms) and {commuting} independent directions commute with it"
    return Structure(
        name=f"dim {p}",
        aliases=(),
        dim=p,
        levi=(),
        radical_dim=-1,
        nilradical_dim=-1,
        centre_dim=-1,
        killing_signature=(-1, -1),
        index=-1,
        derived_series=(p,),
        margin=1.0,
        reason=reason,
        alternatives=(),
        repair=None,
        basis=ambient.elements(q),
        certificate="none: counted, not named",
    )


def _rounding(vectors: NDArray) -> float:
    """Error that rounding alone leaves in brackets of these generators."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    s = np.linalg.svd(unit, compute_uv=False)
    return float(64.0 * np.finfo(np.float64).eps * np.sqrt(vectors.size) * s[0] / s[-1])


def _exact(ambient: AbstractAmbient, vectors: NDArray, data: NDArray) -> Structure | None:
    """Name generators that close to rounding, in units in which they are as even as possible."""
    even = ambient.balanced(vectors)
    q = orthonormal(even)
    if closure_defect(ambient, q) > min(_rounding(even), EXACT_TOL):
        return None
    verdict, parts = name_constants(constants_in(ambient, q), EXACT_TOL)
    return _structure(ambient, data, verdict, parts, reason=_clear(parts, "closes to rounding"))


def _clear(parts: Anatomy, what: str) -> str:
    margin, decision = parts.ledger.worst()
    return f"{what}; least clear decision: {decision}, by a factor {margin:.2g}"


def _structure(
    ambient: AbstractAmbient,
    basis: NDArray,
    verdict: Verdict,
    parts: Anatomy,
    *,
    reason: str,
    margin: float | None = None,
    alternatives: tuple[Alternative, ...] = (),
    repair: str | None = None,
    noise: float = 0.0,
) -> Structure:
    return Structure(
        name=verdict.name,
        aliases=verdict.aliases,
        dim=parts.dim,
        levi=verdict.levi,
        radical_dim=parts.radical.shape[1],
        nilradical_dim=parts.nilradical.shape[1],
        centre_dim=parts.centre.shape[1],
        killing_signature=parts.signature,
        index=parts.index,
        derived_series=parts.derived_dims,
        margin=parts.ledger.worst()[0] if margin is None else margin,
        reason=reason,
        alternatives=alternatives,
        repair=repair,
        basis=ambient.elements(basis),
        certificate=verdict.certificate,
        noise=noise,
    )


def _unknown_noise(ambient: AbstractAmbient, data: NDArray, rounding: float) -> Structure:
    """Decide what keeps the generators from closing, exact gaps first: noise would generate everything."""
    try:
        wider, grown = generated(ambient, data, 1e3 * rounding)
    except UndecidedError:
        wider, grown = ambient, data
    if len(data) < len(grown) < wider.dim and closure_defect(wider, grown) < 1e3 * rounding:
        found = _exact(wider, grown, grown)
        if found is not None:
            added = len(grown) - len(data)
            return replace(found, repair=f"generated: {added} generator(s) added to close under brackets")
    closed = close(ambient, data)
    estimate = _estimate(ambient, data, closed)
    if estimate is not None and estimate <= READABLE:
        return _choose(ambient, data, closed, estimate, known=False)
    return _cut_out(ambient, data, 0.0)


def _estimate(ambient: AbstractAmbient, data: NDArray, closed: Closed) -> float | None:
    """Noise per unit generator from the distance that closing took; None where every subspace closes."""
    if not closed.converged:
        return None
    squared = _squared(data, closed.basis)
    dof = codimension(ambient, closed.basis, float(np.sqrt(squared / len(data))))
    return float(np.sqrt(ambient.dim * squared / dof)) if dof > 0 else None


def _known_noise(ambient: AbstractAmbient, data: NDArray, noise: float) -> Structure:
    closed = close(ambient, data)
    if closed.converged:
        found = _choose(ambient, data, closed, noise, known=True)
        if any(row.accepted for row in found.alternatives):
            return found
        estimate = _estimate(ambient, data, closed)
        if estimate is not None and estimate <= min(UNDERSTATED * noise, READABLE):
            found = _choose(ambient, data, closed, estimate, known=False)
            return replace(found, reason=f"{found.reason}; the stated noise {noise:.2g} is less than the data show")
    try:
        wider, grown = generated(ambient, data, 30.0 * noise)
    except UndecidedError:
        wider, grown = ambient, data
    if len(data) < len(grown) < wider.dim and is_dense(wider, len(grown)):
        again = close(wider, grown)
        if again.converged:
            found = _choose(wider, grown, again, noise, known=True)
            words = f"generated: {len(grown) - len(data)} generator(s) added to close under brackets"
            return replace(found, repair=words)
    return _cut_out(ambient, data, noise)


def _cut_out(ambient: AbstractAmbient, data: NDArray, noise: float) -> Structure:
    """Name the largest closed part: a weaker claim than an algebra that was handed over closed."""
    rows = largest_closed(ambient, data, noise)
    if len(rows) < 2 or len(rows) == len(data):
        raise UndecidedError(
            explain(
                "no Lie algebra is near these generators",
                given=f"{len(data)} generators with closure defect {closure_defect(ambient, data):.2g}",
                expected="generators whose brackets stay in their span up to the noise",
                fix="algebra.identify(noise=...) with the error of a unit generator, or algebra.generated()",
            )
        )
    words = f"cut out: {len(data) - len(rows)} of {len(data)} directions do not belong to a closed span"
    if noise > 0:
        closed = close(ambient, rows)
        return replace(_choose(ambient, rows, closed, noise, known=True), repair=words)
    verdict, parts = name_constants(constants_in(ambient, rows), REFINED_TOL)
    return _structure(ambient, rows, verdict, parts, reason=_clear(parts, "largest closed part"), repair=words)


def _raw(ambient: AbstractAmbient, data: NDArray, noise: float | None) -> Structure:
    """Too many generators to refine: read the constants as they are."""
    # The rms defect of noisy algebras is 0.64 to 0.89 of the noise.
    noise = closure_defect(ambient, data) / 0.75 if noise is None else noise
    verdict, parts = name_constants(constants_in(ambient, data), 1.5 * noise, noise)
    words = _clear(parts, "read from the unrefined brackets, the algebra being too large to refine")
    return _structure(ambient, data, verdict, parts, reason=words, noise=noise)


def _squared(data: NDArray, basis: NDArray) -> float:
    return float(((data - (data @ basis.T) @ basis) ** 2).sum())


def _refine(ambient: AbstractAmbient, data: NDArray, basis: NDArray, order: int, noise: float) -> _Candidate:
    verdict, parts = name_constants(constants_in(ambient, basis), REFINED_TOL, noise)
    dof = codimension(ambient, basis, noise)
    # Near an abelian algebra closing imposes a fraction of the conditions that the algebra meets.
    loose = closing_rank(ambient, basis, noise)
    loose = loose if 2 * loose < dof else dof
    return _Candidate(basis, verdict, parts, _squared(data, basis), dof, loose, order)


def _proposals(ambient: AbstractAmbient, data: NDArray, closed: Closed, noise: float) -> list[_Candidate]:
    """Refined candidates of every distinct chain of ideals, and of closing alone."""
    found, seen = [_refine(ambient, data, closed.basis, len(FACTORS), noise)], set()
    c = constants_in(ambient, closed.basis)
    for order, factor in enumerate(FACTORS):
        chain = flag_of(anatomy(c, factor * noise))
        if chain is None or chain[0] in seen:
            continue
        seen.add(chain[0])
        refined = close(ambient, chain[1].T @ closed.basis, chain[0])
        if refined.converged:
            found.append(_refine(ambient, data, refined.basis, order, noise))
        found += _scalar_proposals(ambient, data, closed.basis, chain, noise)
        found += _sum_proposals(ambient, data, closed.basis, factor * noise, noise)
    return found


def _sum_proposals(
    ambient: AbstractAmbient, data: NDArray, basis: NDArray, level: float, noise: float
) -> list[_Candidate]:
    """Candidate that is the direct sum seen at a threshold; none where the split needs no help or there is none."""
    c = constants_in(ambient, basis)
    parts = anatomy(c, level)
    if not 3 <= parts.dim <= SPLIT_LIMIT or parts.radical.shape[1] == parts.centre.shape[1]:
        return []
    rows, flags = [], []
    for ideal in ideals(c, parts):
        chain = flag_of(anatomy(change_basis(c, ideal), level))
        if chain is None or ideal.shape[1] == parts.dim:
            return []
        rows.append(chain[1].T @ ideal.T @ basis)
        flags.append(chain[0])
    refined = close_sum(ambient, rows, flags)
    return [_refine(ambient, data, refined.basis, -1, noise)] if refined.converged else []


def _scalar_proposals(
    ambient: AbstractAmbient, data: NDArray, basis: NDArray, chain: tuple[Flag, NDArray], noise: float
) -> list[_Candidate]:
    """Candidates in which one direction outside an abelian ideal acts as a scalar or as a Jordan block.

    No chain of ideals says that weights are equal, yet noise always splits them: V and IV turn into VI_h and
    VII_h of huge h.
    """
    flag, nested = chain
    m = flag.dim - 1
    if (
        m < 2
        or flag.unimodular
        or (flag.radical, flag.nilradical, flag.image, flag.nil_series)
        != (
            flag.dim,
            m,
            m,
            (m, 0),
        )
    ):
        return []
    c = constants_in(ambient, nested.T @ basis)
    action = c[m, :m, :m].T
    shear = np.linalg.svd(action - np.trace(action) / m * np.eye(m))[0]
    starts = [((m,), np.eye(m)), ((1, 1), shear)] if m == 2 else [((m,), np.eye(m))]
    found = []
    for blocks, turn in starts:
        rows = nested.T @ basis
        rows[:m] = turn.T @ rows[:m]
        refined = close(ambient, rows, replace(flag, blocks=blocks))
        near = _squared(data, refined.basis) <= len(data) * (FAR * noise) ** 2
        if refined.converged and near:
            found.append(_refine(ambient, data, refined.basis, -1, noise))
    return found


def _choose(ambient: AbstractAmbient, data: NDArray, closed: Closed, noise: float, *, known: bool) -> Structure:
    """Most special candidate that the data accept."""
    fast = _fast(ambient, data, closed, noise) if noise <= FAST_NOISE else None
    candidates = fast or _proposals(ambient, data, closed, noise)
    resolved = [c for c in candidates if not any(n.startswith(UNRESOLVED) for n in c.verdict.levi)]
    candidates = resolved or candidates
    base = min(candidates, key=lambda one: one.squared)
    accepted = [c for c in candidates if _accepts(c, base, noise, known)]
    ranked = sorted(accepted, key=_Candidate.rank) or sorted(candidates, key=lambda one: one.squared)
    best = ranked[0]
    rest = [c for c in candidates if all(c is not other for other in accepted)]
    rows = _rows(ranked if accepted else [], rest, noise)
    margin = _noise_margin(best, noise)
    kind = "stated" if known else "estimated"
    verdict = "most special structure within" if accepted else "nearest structure, but it is beyond"
    reason = f"{verdict} the {kind} noise {noise:.2g} per unit generator"
    reason += f"; smallest deciding value is {margin:.2g} thresholds"
    repair = f"closed: generators moved by {np.sqrt(best.squared / len(data)) / noise:.2g} noise units (rms)"
    return _structure(
        ambient,
        best.basis,
        best.verdict,
        best.parts,
        reason=reason,
        margin=margin,
        alternatives=rows,
        repair=repair,
        noise=noise,
    )


def _noise_margin(best: _Candidate, noise: float) -> float:
    """Smallest value that was kept, in units of the threshold that this noise would need."""
    rows = anatomy(best.parts.constants, 1.5 * noise).ledger.rows
    return min((low / thr if low > thr else thr / max(high, 1e-300) for _, low, high, thr in rows), default=np.inf)


def _rows(ranked: list[_Candidate], rest: list[_Candidate], noise: float) -> tuple[Alternative, ...]:
    out: dict[str, Alternative] = {}
    for candidate, accepted in [(c, True) for c in ranked] + [(c, False) for c in rest]:
        row = candidate.row(noise, accepted)
        out.setdefault(row.name, row)
    return tuple(out.values())


def _accepts(candidate: _Candidate, base: _Candidate, noise: float, known: bool) -> bool:
    """Distance test, whole and extra: chi-square where the noise is known, F where it is not.

    The extra distance over the least constrained candidate is the sharper test of the two: it asks whether the
    step to the more special structure is explained by the noise in the conditions that this step adds.
    """
    n = candidate.basis.shape[1]
    if known and candidate.dof == 0:
        return candidate.squared <= np.finfo(np.float64).eps
    extra = max(candidate.dof - base.loose, 1)
    step = candidate.squared - base.squared
    if known:
        unit = noise**2 / n
        # What the least constrained candidate passes is not held against the others once more.
        whole = any(one.squared <= unit * chdtri(one.dof, 1.0 - LEVEL) for one in (candidate, base))
        return bool(whole and step <= unit * chdtri(extra, 1.0 - LEVEL))
    rest = max(base.loose, 1)
    return bool(step / extra * rest <= base.squared * fdtri(extra, rest, LEVEL))


def _fast(ambient: AbstractAmbient, data: NDArray, closed: Closed, noise: float) -> list[_Candidate] | None:
    """Candidates of one threshold, where the noise is small and every decision is clear."""
    parts = anatomy(constants_in(ambient, closed.basis), 1.5 * noise)
    chain = flag_of(parts)
    if chain is None or parts.ledger.worst()[0] <= FAST_MARGIN:
        return None
    refined = close(ambient, chain[1].T @ closed.basis, chain[0])
    if not refined.converged:
        return None
    candidate = _refine(ambient, data, refined.basis, 0, noise)
    if not _accepts(candidate, candidate, noise, True):
        return None
    scalar = _scalar_proposals(ambient, data, closed.basis, chain, noise)
    return [candidate, *scalar, *_sum_proposals(ambient, data, closed.basis, 1.5 * noise, noise)]


def _identify_constants(ambient: ConstantsAmbient, vectors: NDArray, noise: float | None) -> Structure:
    """Name abstract constants: the Jacobi identity is all there is to close with."""
    c = constants_in(ambient, orthonormal(vectors))
    scale = float(np.abs(c).max(initial=0.0)) or 1.0
    even = _even(c / scale)
    exact = jacobi_defect(even) <= 1e3 * np.finfo(np.float64).eps * len(c) * max(1.0, float(np.abs(even).max()) ** 2)
    if exact and noise is None:
        verdict, parts = name_constants(even, EXACT_TOL)
        return _structure(ambient, vectors, verdict, parts, reason=_clear(parts, "the Jacobi identity holds"))
    if len(c) > 16:  # p^2 (p-1) / 2 unknowns: read the constants as they are
        closed = c
    else:
        closed = close_constants(c)
    moved = float(np.sqrt(((closed - c) ** 2).mean()))
    level = 1.5 * (noise if noise is not None else max(3.0 * moved, EXACT_TOL) * np.sqrt(len(c)))
    trials = [name_constants(closed, level * factor, level / 1.5) for factor in (1.0, 0.5, 2.0, 0.25, 4.0, 0.1)]
    verdict, parts = next((trial for trial in trials if trial[0].catalogued), trials[0])
    repair = None if exact else f"closed: constants moved by {moved:.2g} (rms) until the Jacobi identity held"
    reason = _clear(parts, f"constants read at accuracy {level:.2g}")
    return _structure(ambient, vectors, verdict, parts, reason=reason, repair=repair, noise=level / 1.5)


def _even(c: NDArray) -> NDArray:
    """Rescale generators so that the constants are of one size: log-linear least squares."""
    i, j, k = np.nonzero(np.abs(c) > 1e-12 * np.abs(c).max(initial=1.0))
    if i.size == 0:
        return c
    rows = np.zeros((i.size, len(c)))
    at = np.arange(i.size)
    np.add.at(rows, (at, i), 1.0)
    np.add.at(rows, (at, j), 1.0)
    np.add.at(rows, (at, k), -1.0)
    logs = np.linalg.lstsq(rows, -np.log(np.abs(c[i, j, k])), rcond=1e-10)[0]
    t = np.exp(np.clip(logs, -30.0, 30.0))
    return c * t[:, None, None] * t[None, :, None] / t[None, None, :]
