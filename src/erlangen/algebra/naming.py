"""From structure constants to one canonical name: split into ideals, name each, put the sum together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import schur

from erlangen._typing import NDArray
from erlangen.algebra.mixed import commutant, describe, match_reference, module_of, name_mixed
from erlangen.algebra.semisimple import simple_factors
from erlangen.algebra.simple_names import UNRESOLVED, Named, name_simple
from erlangen.algebra.solvable import WITHIN, bianchi, name_solvable
from erlangen.algebra.structure import Anatomy, anatomy, change_basis, complement

SPLIT_LIMIT = 24  # dimension up to which the commutant of the adjoint action is computed
CLUSTER = 1e-2  # eigenvalues of a random commutant element: a Jordan block spreads them by a root of rounding


@dataclass(frozen=True)
class Verdict:
    """A name with its aliases, the Levi factors, and the theorem or comparison behind it."""

    name: str
    aliases: tuple[str, ...]
    levi: tuple[str, ...]
    certificate: str
    catalogued: bool


# Sums that have a name of their own: (sorted non-abelian parts, dimension of the abelian part).
_SUMS: dict[tuple[tuple[str, ...], int], tuple[str, tuple[str, ...]]] = {
    (("so(3)", "so(3)"), 0): ("so(4)", ("so(3)+so(3)", "su(2)+su(2)")),
    (("sl(2,R)", "sl(2,R)"), 0): ("so(2,2)", ("sl(2,R)+sl(2,R)",)),
    (("sl(2,R)", "so(3)"), 0): ("so*(4)", ("so(3)+sl(2,R)", "sl(2,R)+so(3)")),
    (("so(3,1)", "so(3,1)"), 0): ("so(4,C)", ("so(3,1)+so(3,1)",)),
    (("so(3)",), 1): ("so(3)+R", ("u(2)", "co(3)", "su(2)+u(1)")),
    (("sl(2,R)",), 1): ("gl(2)", ("sl(2,R)+R", "u(1,1)", "co(2,1)")),
    (("so(3,1)",), 1): ("co(3,1)", ("so(3,1)+R", "sl(2,C)+R")),
    (("aff(1)", "aff(1)"), 0): ("aff(1)+aff(1)", ("weyl(1,1)",)),
}


def name_constants(c: NDArray, tol: float, error: float = 0.0) -> tuple[Verdict, Anatomy]:
    """Name a Lie algebra from structure constants in an orthonormal basis.

    Parameters
    ----------
    c : ndarray (p, p, p)
        Structure constants.
    tol : float
        Their absolute accuracy, which decides what ideals there are.
    error : float
        How far they may be from the truth all the same: constants that were closed are exact to ``tol`` but carry
        the noise. Parameters of families are read at this accuracy.

    Returns
    -------
    verdict : Verdict
        Name, aliases, Levi factors and certificate.
    parts : Anatomy
        The ideals and invariants behind it.
    """
    return _name(c, tol, error, tol)


def _name(c: NDArray, tol: float, error: float, level: float) -> tuple[Verdict, Anatomy]:
    """Name an algebra, or a summand: what noise may have done to a summand is read at ``level``."""
    parts = anatomy(c, tol)
    if parts.dim == 0:
        return Verdict("0", ("trivial",), (), "no generators", True), parts
    factors = simple_factors(parts.levi_constants, parts.threshold) if parts.radical.shape[1] < parts.dim else ()
    simple = [name_simple(f) for f in factors]
    levi = tuple(n.name for n in sorted(simple, key=_place))
    if parts.radical.shape[1] == parts.centre.shape[1]:
        sure = not any(name.startswith(UNRESOLVED) for name in levi)
        verdict = combine(simple, parts.centre.shape[1], levi, _reductive_reason(parts), sure)
        return verdict, parts
    if parts.dim == 3:
        named = bianchi(c, max(parts.threshold, level), error)
        return Verdict(named.name, named.aliases, levi, "classification of dimension three (Bianchi)", True), parts
    named_parts, flat, reasons = [], 0, []
    for ideal in ideals(c, parts):
        inner = change_basis(c, ideal)
        if ideal.shape[1] == parts.dim:
            verdict = _whole(parts, simple, levi, error)
            return verdict, parts
        piece, inner_parts = _name(inner, tol, error, max(tol, WITHIN * error))
        if piece.name == "R" or piece.name.startswith("R^"):
            flat += ideal.shape[1]
        elif piece.name in _EXPAND:
            named_parts += [Named(name, (), _known_place(name)) for name in _EXPAND[piece.name][0]]
            flat += _EXPAND[piece.name][1]
        else:
            named_parts.append(Named(piece.name, piece.aliases, _place_of(piece.name, inner_parts)))
        reasons.append(piece)
    certificate = "direct sum of ideals: " + "; ".join(sorted(f"{r.name}: {r.certificate}" for r in reasons))
    return combine(named_parts, flat, levi, certificate, all(r.catalogued for r in reasons)), parts


_EXPAND = {name: key for key, (name, _) in _SUMS.items()}


def _reductive_reason(parts: Anatomy) -> str:
    if parts.radical.shape[1] == 0:
        return "Cartan's classification: dimension, rank, centroid, roots and Killing signature of each simple ideal"
    if parts.radical.shape[1] == parts.dim:
        return "all brackets vanish"
    return "the radical is the centre, so the algebra is its semisimple part plus the centre"


def _place(named: Named) -> tuple:
    """Order of the summands of a direct sum."""
    return (named.place, named.name)


def _place_of(name: str, parts: Anatomy) -> tuple[int, ...]:
    """Simple ideals first, then large before small; Heisenberg algebras and aff(1) end the list."""
    if parts.radical.shape[1] == 0:
        return (0, -parts.dim, parts.signature[0])
    last = 2 if name.startswith("h(") else 3 if name == "aff(1)" else 1
    return (last, -parts.dim)


def _known_place(name: str) -> tuple[int, ...]:
    """Place of a part of a sum that has a name of its own."""
    return {"so(3)": (0, -3, 0), "sl(2,R)": (0, -3, 2), "so(3,1)": (0, -6, 3)}.get(name, (3, -2))


def _whole(parts: Anatomy, simple: list[Named], levi: tuple[str, ...], error: float) -> Verdict:
    """Name an indecomposable algebra of dimension four or more, or of dimension two."""
    if parts.dim == 2:
        return Verdict("aff(1)", ("affine maps of the line",), levi, "the only non-abelian one", True)
    if not levi:
        named = name_solvable(parts, error)
        if named:
            return Verdict(named.name, named.aliases, levi, "normal form of the action on the nilradical", True)
        named = match_reference(parts, module_of(parts))
        if named:
            reason = "all invariants equal those of the reference matrices, and of no other catalogued algebra"
            return Verdict(named.name, named.aliases, levi, reason, True)
        return Verdict(describe(parts, None, error), (), levi, "not in the catalogue: described, not named", False)
    whole = combine(simple, 0, levi, "")
    found = name_mixed(parts, Named(whole.name, whole.aliases))
    if found:
        return Verdict(found[0].name, found[0].aliases, levi, found[1], True)
    text = describe(parts, Named(whole.name))
    return Verdict(text, (), levi, "not in the catalogue: described, not named", False)


def combine(named: list[Named], flat: int, levi: tuple[str, ...], certificate: str, catalogued: bool = True) -> Verdict:
    """Canonical name of a direct sum of named non-abelian ideals and R^flat."""
    named = sorted(named, key=_place)
    key = (tuple(sorted(n.name for n in named)), flat)
    if key in _SUMS:
        name, aliases = _SUMS[key]
        return Verdict(name, aliases, levi, certificate, catalogued)
    if not named:
        return Verdict(_flat(flat), ("abelian",), levi, certificate, catalogued)
    if len(named) == 1 and flat == 0:
        return Verdict(named[0].name, named[0].aliases, levi, certificate, catalogued)
    if len(named) == 1 and flat in (1, 2):
        special = _with_scale(named[0]) if flat == 1 else _with_complex_scale(named[0])
        if special:
            return Verdict(special[0], special[1:], levi, certificate, catalogued)
    summands = [f"({n.name})" if "," in n.name and " " in n.name else n.name for n in named]
    spelt = "+".join(summands + ([_flat(flat)] if flat else []))
    whole = _SUMS.get((key[0], 0))
    if whole and flat:
        names = (f"{whole[0]}+{_flat(flat)}", spelt)
        # Nobody expects so*(4) inside a larger sum: there it is an alias only.
        names = names[::-1] if "*" in whole[0] else names
        return Verdict(names[0], tuple(n for n in names[1:] if n != names[0]), levi, certificate, catalogued)
    return Verdict(spelt, (), levi, certificate, catalogued)


def _flat(k: int) -> str:
    return "R" if k == 1 else f"R^{k}"


def _with_scale(part: Named) -> tuple[str, ...] | None:
    """Names of a simple algebra plus R: gl(n), u(p,q), co(p,q)."""
    names = (part.name, *part.aliases)
    plain = f"{part.name}+R"
    out = []
    for name in (n for n in names if " " not in n):
        head, _, inner = name.partition("(")
        if head == "sl" and inner.endswith(",R)"):
            out.append(f"gl({inner[:-3]})")
        elif head == "sl" and inner.endswith(",C)"):
            continue
        elif head == "su":
            out.append(f"u({inner}")
        elif head == "so" and not inner.endswith("C)"):
            out.append(f"co({inner}")
    if part.name.startswith("so(") and "," not in part.name:
        return (plain, *out)
    return (*out, plain) if out else None


def _with_complex_scale(part: Named) -> tuple[str, ...] | None:
    """Names of sl(n,C) plus R^2, which is gl(n,C)."""
    linear = [name for name in (part.name, *part.aliases) if name.startswith("sl(") and name.endswith(",C)")]
    return (f"g{linear[0][1:]}", f"{part.name}+R^2") if linear else None


def ideals(c: NDArray, parts: Anatomy) -> list[NDArray]:
    """Split into indecomposable ideals: eigenvalue clusters of a random element commuting with ad(g)."""
    p = parts.dim
    if p > SPLIT_LIMIT:
        return _split_large(c, parts)
    if p == 2:
        return [np.eye(2)]
    ad = np.swapaxes(c, 1, 2)
    basis = commutant(ad, 4.0 * parts.threshold)
    if len(basis) <= 1:
        return [np.eye(p)]
    best = [np.eye(p)]
    for draw in np.random.default_rng(5).standard_normal((3, len(basis))):
        phi = np.tensordot(draw, basis, axes=1)
        found = _clusters(phi - np.trace(phi) / p * np.eye(p))
        if len(found) > len(best) and all(_is_ideal(c, piece, parts.threshold) for piece in found):
            best = found
    return sorted(best, key=lambda piece: -piece.shape[1])


def _is_ideal(c: NDArray, basis: NDArray, thr: float) -> bool:
    moved = np.einsum("ijk,jb->ibk", c, basis)
    outside = moved - (moved @ basis) @ basis.T
    return float(np.linalg.norm(outside)) <= max(1e-5 * float(np.linalg.norm(c)), 4.0 * thr * len(c))


def _clusters(phi: NDArray) -> list[NDArray]:
    """Invariant subspaces of the eigenvalue clusters of a real matrix, conjugate pairs together."""
    values = np.linalg.eigvals(phi)
    scale = max(float(np.abs(values).max()), 1e-300)
    if scale < CLUSTER * float(np.linalg.norm(phi)):
        return [np.eye(len(phi))]
    points = np.column_stack([values.real, np.abs(values.imag)]) / scale
    label = np.arange(len(points))
    for i in range(len(points)):
        near = np.linalg.norm(points - points[i], axis=1) < CLUSTER
        label[np.isin(label, label[near])] = label[i]
    pieces = []
    for mark in dict.fromkeys(label.tolist()):
        own = points[label == mark]

        def inside(re: float, im: float, own: NDArray = own) -> bool:
            return bool((np.hypot(own[:, 0] - re / scale, own[:, 1] - abs(im) / scale) < CLUSTER / 2).any())

        _, z, size = schur(phi, output="real", sort=inside)
        pieces.append(z[:, :size])
    return pieces if sum(piece.shape[1] for piece in pieces) == len(phi) else [np.eye(len(phi))]


def _split_large(c: NDArray, parts: Anatomy) -> list[NDArray]:
    """Split only what needs no commutant: central directions outside [g, g]."""
    derived = parts.derived[1]
    loose = parts.centre - derived @ (derived.T @ parts.centre)
    _, sizes, rotation = np.linalg.svd(loose, full_matrices=False)
    k = int((sizes > np.sqrt(np.finfo(np.float64).eps)).sum())
    if k == 0:
        return [np.eye(parts.dim)]
    flat = parts.centre @ rotation[:k].T
    # Any complement of the flat part that holds [g, g] is an ideal.
    rest = complement(np.linalg.qr(np.hstack([derived, flat]))[0])
    return [np.linalg.qr(np.hstack([derived, rest]))[0], *(flat[:, [i]] for i in range(k))]
