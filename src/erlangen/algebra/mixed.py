"""Names of algebras with a Levi factor and a radical that is more than the centre."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from erlangen._typing import NDArray
from erlangen.algebra.known import references
from erlangen.algebra.semisimple import simple_factors
from erlangen.algebra.simple_names import Named, name_simple
from erlangen.algebra.solvable import number, weights
from erlangen.algebra.structure import Anatomy, anatomy, complement

MODULE_LIMIT = 20  # dimension up to which the commutant of a module is computed
REFERENCE_TOL = 1e-8


@dataclass(frozen=True, eq=False)
class Module:
    """The Levi factor's action on N / [N, N].

    Attributes
    ----------
    dim : int
        Dimension m.
    commutant : int
        Dimension of the commuting matrices, -1 where m is too large to compute them.
    fixed : int
        Dimension of the fixed vectors.
    division : str
        R, C or H where the module is irreducible over R, else empty.
    matrices : ndarray (p, m, m)
        The acting matrices.
    """

    dim: int
    commutant: int
    fixed: int
    division: str
    matrices: NDArray

    @property
    def key(self) -> tuple[int, int, int]:
        """Dimension, commutant and fixed vectors."""
        return (self.dim, self.commutant, self.fixed)


def module_of(parts: Anatomy) -> Module:
    """Analyse the module of the Levi factor on N / [N, N]."""
    matrices = parts.module() if parts.radical.shape[1] < parts.dim else np.zeros((0, 0, 0))
    series = [basis.shape[1] for basis in parts.nil_series]
    m = (series[0] - (series[1] if len(series) > 1 else 0)) if series else 0
    if m == 0:
        return Module(0, 0, 0, "", matrices)
    if len(matrices) == 0:
        return Module(m, m * m, m, "", matrices)
    floor = 4.0 * parts.threshold * np.sqrt(parts.dim)
    fixed = m - int((np.linalg.svd(matrices.reshape(-1, m), compute_uv=False) > floor).sum())
    if m > MODULE_LIMIT:
        return Module(m, -1, fixed, "", matrices)
    basis = commutant(matrices, floor)
    form = np.linalg.eigvalsh(np.einsum("aij,bji->ab", basis, basis))
    signs = (int((form > 1e-6).sum()), int((form < -1e-6).sum()))
    division = {(1, 0): "R", (1, 1): "C", (1, 3): "H"}.get(signs, "") if sum(signs) == len(basis) else ""
    return Module(m, len(basis), fixed, division, matrices)


def commutant(matrices: NDArray, floor: float) -> NDArray:
    """Basis ``(l, m, m)`` of the matrices that commute with all given ones.

    The normal equations are summed in closed form, so m^2 unknowns cost m^4 memory whatever their number.
    """
    m = matrices.shape[1]
    one = np.eye(m)
    left = np.einsum("aij,akj->ik", matrices, matrices)
    right = np.einsum("aji,ajk->ik", matrices, matrices)
    cross = np.einsum("aij,akl->ikjl", matrices, matrices, optimize=True).reshape(m * m, m * m)
    normal = np.kron(one, left) + np.kron(right, one) - cross - cross.T
    values, vectors = np.linalg.eigh(normal)
    keep = values <= max(floor * floor, 1e-13 * max(values[-1], 1e-300))
    return vectors[:, keep].T.reshape(-1, m, m)


def name_mixed(parts: Anatomy, levi: Named) -> tuple[Named, str] | None:
    """Name an indecomposable algebra with Levi factor and radical, and say why; None where no rule applies."""
    module = module_of(parts)
    series = tuple(basis.shape[1] for basis in parts.nil_series)
    outer = parts.radical.shape[1] - parts.nilradical.shape[1]
    if len(series) == 2:
        vector = _vector_family(parts, levi, module, outer)
        if vector:
            return vector, "an abelian ideal is determined by the Levi factor and its module"
        if outer == 0:
            return _semidirect(parts, levi, module), "an abelian radical is determined by the Levi factor's module"
    found = match_reference(parts, module)
    if found:
        return found, "all invariants equal those of the reference matrices, and of no other catalogued algebra"
    return None


def _vector_family(parts: Anatomy, levi: Named, module: Module, outer: int) -> Named | None:
    """e(n), iso(p,q), saff(n) and their extensions by a dilation."""
    names, m = (levi.name, *levi.aliases), module.dim
    if outer > 1 or not _real_irreducible(parts, module):
        return None
    if f"sl({m},R)" in names:
        if outer:
            return Named(f"aff({m})", (f"gl({m}) ⋉ R^{m}",))
        return Named(f"saff({m})", (f"sl({m},R) ⋉ R^{m}",))
    if f"so({m})" in names:
        if outer:
            return Named(f"sim({m})", (f"e({m}) with dilation",))
        return Named(f"e({m})", (f"iso({m})", f"se({m})", f"so({m}) ⋉ R^{m}"))
    for q in range(1, m // 2 + 1):
        p = m - q
        if f"so({p},{q})" in names:
            famous = (f"poincare({p},{q})", "poincare")[: 2 if (p, q) == (3, 1) else 1]
            if outer:
                return Named(f"weyl({p},{q})", (f"iso({p},{q}) with dilation",))
            return Named(f"iso({p},{q})", (*famous, f"so({p},{q}) ⋉ R^{m}"))
    return None


def _real_irreducible(parts: Anatomy, module: Module) -> bool:
    """Whether the module is irreducible of real type; for large ones by a vector and its images alone."""
    if module.commutant >= 0:
        return module.division == "R"
    # A faithful so(m) or sl(m) module of dimension m without fixed vectors leaves no room for anything else.
    return module.fixed == 0


def _semidirect(parts: Anatomy, levi: Named, module: Module) -> Named:
    """Levi factor with an abelian radical that is no vector family: print the module."""
    m = module.dim
    if "so(3)" == levi.name:
        blocks = [f"R^{size}" for size in _rotation_blocks(parts, module)]
    elif "sl(2,R)" == levi.name:
        blocks = [f"V_{k}" for k in _weight_strings(parts, module)]
    elif module.division == "C":
        name = "sl(2,C)" if levi.name == "so(3,1)" else levi.name
        return Named(f"{name} ⋉ C^{m // 2}", (f"{levi.name} ⋉ R^{m}",) if name != levi.name else ())
    elif module.division or module.commutant < 0:
        blocks = [f"R^{m}"]
    else:
        blocks = [f"R^{size}" for size in _blocks(module, parts.threshold)]
    inside = blocks[0] if len(blocks) == 1 else f"({' + '.join(blocks)})"
    return Named(f"{levi.name} ⋉ {inside}")


def _spectrum(parts: Anatomy, module: Module, sign: float) -> NDArray:
    """Eigenvalues on the module of an element x of the Levi factor with K(x, x) = sign * scale of a coroot."""
    acting = parts.derived[1]
    levi = complement(parts.radical)
    own = parts.levi_constants
    form = np.einsum("ikl,jlk->ij", own, own)
    rng = np.random.default_rng(3)
    for _ in range(200):
        weights_ = rng.standard_normal(acting.shape[1])
        x = levi.T @ (acting @ weights_)
        k = float(x @ form @ x)
        if k * sign > 0.05 * float(np.linalg.norm(form)) * float(x @ x):
            matrix = np.tensordot(weights_, module.matrices, axes=1)
            return np.linalg.eigvals(matrix) * np.sqrt((8.0 if sign > 0 else 2.0) / abs(k))
    return np.zeros(0)


def _weight_strings(parts: Anatomy, module: Module) -> list[int]:
    """Highest weights k of the irreducible parts V_k of an sl(2,R) module."""
    return _peel(np.round(np.real(_spectrum(parts, module, 1.0))).astype(int), 2)


def _rotation_blocks(parts: Anatomy, module: Module) -> list[int]:
    """Dimensions of the real irreducible parts of an so(3) module (half-integer spins come in fours)."""
    doubled = np.round(2.0 * np.imag(_spectrum(parts, module, -1.0))).astype(int)
    sizes = []
    for k in _peel(doubled, 2):
        if k % 2 == 0:
            sizes.append(k + 1)
    half = [k for k in _peel(doubled, 2) if k % 2 == 1]
    return sorted(sizes + [2 * (k + 1) for k in half[::2]], reverse=True)


def _peel(values: NDArray, gap: int) -> list[int]:
    left, tops = sorted(values.tolist()), []
    while left:
        top = left[-1]
        tops.append(top)
        for weight in range(-top, top + 1, gap):
            if weight in left:
                left.remove(weight)
            elif weight == top:
                left.pop()
    return tops


def _blocks(module: Module, thr: float) -> list[int]:
    """Sizes of irreducible parts from eigenvalue clusters of symmetric-like commutant elements."""
    basis = commutant(module.matrices, 4.0 * thr * np.sqrt(len(module.matrices)))
    best: list[int] = [module.dim]
    for draw in np.random.default_rng(4).standard_normal((6, len(basis))):
        values = np.linalg.eigvals(np.tensordot(draw, basis, axes=1))
        keys = sorted((round(float(v.real), 4), round(abs(float(v.imag)), 4)) for v in values)
        sizes = sorted((keys.count(k) for k in set(keys)), reverse=True)
        best = max(best, sizes, key=len)
    return best


def key_of(parts: Anatomy, module: Module) -> tuple[Any, ...]:
    """Numbers that no change of basis alters, in the order in which they are compared."""
    factors = simple_factors(parts.levi_constants, parts.threshold)
    return (
        parts.dim,
        tuple(sorted(name_simple(f).name for f in factors)),
        parts.radical.shape[1],
        parts.nilradical.shape[1],
        parts.centre.shape[1],
        parts.derived_dims,
        parts.signature,
        parts.index,
        module.key,
        tuple(basis.shape[1] for basis in parts.nil_series),
        parts.image.shape[1],
    )


@lru_cache(maxsize=32)
def _reference_keys(dim: int) -> tuple[tuple[tuple, Named], ...]:
    rows = []
    for name, aliases, size, build in references():
        if size == dim:
            matrices = build()
            q = np.linalg.qr(matrices.reshape(len(matrices), -1).T)[0].T.reshape(matrices.shape)
            brackets = np.einsum("aij,bjk->abik", q, q)
            brackets = brackets - np.swapaxes(brackets, 0, 1)
            parts = anatomy(np.einsum("abij,cij->abc", brackets, q, optimize=True), REFERENCE_TOL)
            rows.append((key_of(parts, module_of(parts)), Named(name, aliases)))
    return tuple(rows)


def match_reference(parts: Anatomy, module: Module) -> Named | None:
    """Find the reference algebra with the same invariants."""
    own = None
    for key, named in _reference_keys(parts.dim):
        own = own or key_of(parts, module)
        if key == own:
            return named
    return None


def describe(parts: Anatomy, levi: Named | None, error: float = 0.0) -> str:
    """Say what is known of an algebra that is in no catalogue."""
    module = module_of(parts)
    derived = ", ".join(str(d) for d in parts.derived_dims)
    series = ", ".join(str(basis.shape[1]) for basis in parts.nil_series)
    words = [f"dim {parts.dim}", f"Levi {levi.name}" if levi else "solvable"]
    words.append(f"derived series {derived}")
    words.append(f"radical {parts.radical.shape[1]}, nilradical {parts.nilradical.shape[1]} (series {series})")
    if levi:
        words.append(f"module dim {module.dim}, commutant {module.commutant}, fixed {module.fixed}")
    if parts.radical.shape[1] - parts.nilradical.shape[1] == 1 and not levi:
        words.append(f"outer weights {_outer_weights(parts, error)}")
    words.append(f"Killing {parts.signature}, centre {parts.centre.shape[1]}, index {parts.index}")
    return "; ".join(words)


def _outer_weights(parts: Anatomy, error: float) -> str:
    outer = complement(parts.nilradical)[:, 0]
    action = np.einsum("i,jb,ijk,kl->lb", outer, parts.nilradical, parts.constants, parts.nilradical, optimize=True)
    return weights(action, error) if np.abs(np.linalg.eigvals(action)).max() > parts.threshold else number(0.0)
