"""The ideals and numbers that any basis agrees on, from structure constants alone.

Each object is a singular value decomposition with one absolute threshold. Every decision records the last
value kept and the first one dropped; their smallest ratio is the margin of the answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from erlangen._typing import NDArray

RELATIVE_FLOOR = 1e-9  # thresholds never fall below this share of the largest |ad_x|


@dataclass
class Ledger:
    """Decisions taken so far: what, smallest value kept, largest value dropped, threshold."""

    rows: list[tuple[str, float, float, float]] = field(default_factory=list)

    def count(self, what: str, values: NDArray, threshold: float) -> int:
        """Count the values above a threshold and remember how clear the cut was."""
        kept = values[values > threshold]
        dropped = values[values <= threshold]
        low = float(kept.min()) if kept.size else threshold
        high = float(dropped.max()) if dropped.size else threshold
        if kept.size or dropped.size:
            self.rows.append((what, low, high, threshold))
        return int(kept.size)

    def worst(self) -> tuple[float, str]:
        """Margin of the least clear decision, and its name."""
        eps = np.finfo(np.float64).eps  # nothing below rounding is a clearer zero than rounding
        ratios = [(low / max(high, eps * low), what) for what, low, high, _ in self.rows if low > 0]
        return min(ratios, default=(float("inf"), "nothing to decide"))


def change_basis(c: NDArray, t: NDArray) -> NDArray:
    """Structure constants in the basis of the columns of ``t (p, m)``, for orthonormal columns."""
    return np.einsum("ia,jb,ijk,kl->abl", t, t, c, t, optimize=True)


def killing_form(c: NDArray) -> NDArray:
    """Killing form ``K_ij = tr(ad_i ad_j)`` as ``(p, p)``."""
    return np.einsum("ikl,jlk->ij", c, c, optimize=True)


def products(c: NDArray, a: NDArray, b: NDArray) -> NDArray:
    """Rows ``(.., p)`` of all brackets between columns of ``a (p, m)`` and ``b (p, l)``."""
    half = np.tensordot(a.T, c, axes=(1, 0))
    return np.einsum("ajk,jb->abk", half, b, optimize=True).reshape(-1, c.shape[0])


def _range(rows: NDArray, threshold: float, ledger: Ledger, what: str) -> NDArray:
    """Orthonormal columns of the row space above a threshold."""
    if rows.size == 0:
        return np.zeros((rows.shape[1], 0))
    if rows.shape[0] > 4 * rows.shape[1]:
        rows = np.asarray(np.linalg.qr(rows, mode="r"))
    _, s, vt = np.linalg.svd(rows, full_matrices=False)
    return vt[: ledger.count(what, s, threshold)].T


def _null(rows: NDArray, threshold: float, ledger: Ledger, what: str) -> NDArray:
    """Orthonormal columns of the null space below a threshold."""
    p = rows.shape[1]
    if rows.shape[0] == 0 or p == 0:
        return np.eye(p)
    if rows.shape[0] > 4 * p:
        rows = np.asarray(np.linalg.qr(rows, mode="r"))
    _, s, vt = np.linalg.svd(rows, full_matrices=True)
    values = np.concatenate([s, np.zeros(p - s.size)])
    return vt[ledger.count(what, values, threshold) :].T


@dataclass(frozen=True, eq=False)
class Anatomy:
    """Ideals of a Lie algebra as orthonormal columns, and the numbers that follow from them.

    Attributes
    ----------
    constants : ndarray (p, p, p)
        Structure constants in an orthonormal basis.
    threshold : float
        The absolute threshold that every decision is a multiple of.
    derived : tuple of ndarray
        Derived series, the whole algebra first, until the dimension repeats.
    centre, radical, nilradical, image : ndarray (p, .)
        Bases of the centre, the radical R, the nilradical N, and [g, R].
    nil_series : tuple of ndarray
        Lower central series of the nilradical, N first.
    signature : tuple of int
        Numbers of positive and negative directions of the Killing form.
    index : int
        Dimension minus the largest rank of the skew form: number of independent invariants.
    ledger : Ledger
        The decisions behind all of this.
    """

    constants: NDArray
    threshold: float
    derived: tuple[NDArray, ...]
    centre: NDArray
    radical: NDArray
    nilradical: NDArray
    image: NDArray
    nil_series: tuple[NDArray, ...]
    signature: tuple[int, int]
    index: int
    ledger: Ledger

    @property
    def dim(self) -> int:
        """Dimension p."""
        return self.constants.shape[0]

    @property
    def derived_dims(self) -> tuple[int, ...]:
        """Dimensions of the derived series until they repeat."""
        return tuple(dict.fromkeys(basis.shape[1] for basis in self.derived))

    @property
    def unimodular(self) -> bool:
        """Whether every ad_x is traceless."""
        return bool(np.abs(np.einsum("ikk->i", self.constants)).max(initial=0.0) < 2.0 * self.threshold)

    @cached_property
    def levi_constants(self) -> NDArray:
        """Structure constants of g/R, the Levi factor up to isomorphism."""
        return change_basis(self.constants, complement(self.radical))

    def module(self) -> NDArray:
        """Matrices ``(p, m, m)`` of a spanning set of [g, g] acting on N / [N, N].

        N acts as zero there and [g, g] / (N n [g, g]) is the Levi factor, so this is its module without
        choosing a Levi subalgebra.
        """
        inner = self.nil_series[1] if len(self.nil_series) > 1 else np.zeros((self.dim, 0))
        quotient = subtract(self.nilradical, inner)
        acting = self.derived[min(1, len(self.derived) - 1)]
        return np.einsum("ia,jb,ijk,kl->alb", acting, quotient, self.constants, quotient, optimize=True)


def complement(basis: NDArray) -> NDArray:
    """Orthonormal complement of orthonormal columns."""
    p, m = basis.shape
    if m == 0:
        return np.eye(p)
    return np.linalg.svd(basis, full_matrices=True)[0][:, m:]


def subtract(outer: NDArray, inner: NDArray) -> NDArray:
    """Orthonormal columns of the part of outer that is orthogonal to inner, inner being contained in outer."""
    size = outer.shape[1] - inner.shape[1]
    if inner.shape[1] == 0 or size <= 0:
        return outer[:, : max(size, 0)]
    u = np.linalg.svd(outer - inner @ (inner.T @ outer), full_matrices=False)[0]
    return u[:, :size]


def anatomy(c: NDArray, tol: float) -> Anatomy:
    """Find the ideals of a Lie algebra at a stated accuracy of its structure constants.

    Parameters
    ----------
    c : ndarray (p, p, p)
        Structure constants in an orthonormal basis.
    tol : float
        Absolute error of the constants: 1.5 times the noise for raw ones, 1e-8 after closing.

    Returns
    -------
    Anatomy
        Derived series, centre, radical, nilradical and the rest.

    References
    ----------
    W. A. de Graaf, Lie Algebras: Theory and Algorithms (2000), chapters 1 and 2.
    """
    p = c.shape[0]
    ledger = Ledger()
    size = np.sqrt(max(np.linalg.eigvalsh(np.einsum("ijk,ljk->il", c, c, optimize=True)).max(initial=0.0), 0.0))
    thr = max(tol, RELATIVE_FLOOR * size)
    if size <= tol * np.sqrt(max(p, 1)):
        ledger.rows.append(("abelian", tol * np.sqrt(max(p, 1)), size, tol))
        return _abelian(c, thr, ledger)
    derived = _series(c, None, np.sqrt(2.0) * thr, ledger, "derived series")
    centre = _null(c.reshape(p, -1).T, np.sqrt(2.0) * thr, ledger, "centre")
    form, scale = killing_form(c), 2.0 * thr * size / np.sqrt(p)
    eigenvalues = np.linalg.eigvalsh(form)
    ledger.count("Killing signature", np.abs(eigenvalues), scale)
    radical = _null(derived[1].T @ form, scale, ledger, "radical")
    nilradical = _nilradical(c, radical, thr, ledger)
    return Anatomy(
        constants=c,
        threshold=thr,
        derived=derived,
        centre=centre,
        radical=radical,
        nilradical=nilradical,
        image=_range(products(c, np.eye(p), radical), np.sqrt(2.0) * thr, ledger, "[g, radical]"),
        nil_series=_series(c, nilradical, np.sqrt(2.0) * thr, ledger, "nilradical series"),
        signature=(int((eigenvalues > scale).sum()), int((eigenvalues < -scale).sum())),
        index=_index(c, thr, ledger),
        ledger=ledger,
    )


def _abelian(c: NDArray, thr: float, ledger: Ledger) -> Anatomy:
    p = c.shape[0]
    whole, nothing = np.eye(p), np.zeros((p, 0))
    derived = (whole, nothing) if p else (whole,)
    return Anatomy(c, thr, derived, whole, whole, whole, nothing, derived, (0, 0), p, ledger)


def _series(c: NDArray, ideal: NDArray | None, thr: float, ledger: Ledger, what: str) -> tuple[NDArray, ...]:
    """Derived series of g (ideal None) or lower central series of an ideal."""
    series = [np.eye(c.shape[0]) if ideal is None else ideal]
    while series[-1].shape[1]:
        left = series[-1] if ideal is None else ideal
        following = _range(products(c, left, series[-1]), thr, ledger, what)
        repeats = following.shape[1] >= series[-1].shape[1]
        if not repeats or (ideal is None and len(series) == 1):
            series.append(following)
        if repeats:
            break
    return tuple(series)


def _nilradical(c: NDArray, radical: NDArray, thr: float, ledger: Ledger) -> NDArray:
    """Null space of x -> tr(ad_x ad_y^m), m = 0..3, inside the radical: the Killing form alone misses spirals."""
    r = radical.shape[1]
    if r == 0:
        return radical
    inside = np.swapaxes(change_basis(c, radical), 1, 2)
    rng = np.random.default_rng(0)
    rows = []
    for weights in rng.standard_normal((4, r)):
        y = np.tensordot(weights, inside, axes=1)
        y = y / max(np.linalg.norm(y), thr)
        power = np.eye(r)
        for _ in range(4):
            rows.append(np.einsum("aij,ji->a", inside, power))
            power = power @ y
    return radical @ _null(np.array(rows), 6.0 * thr, ledger, "nilradical")


def _index(c: NDArray, thr: float, ledger: Ledger) -> int:
    """Corank of the skew form of a random functional, the smallest of three draws."""
    p = c.shape[0]
    best = None
    for t in np.random.default_rng(1).standard_normal((3, p)):
        values = np.linalg.svd(c @ (t / np.linalg.norm(t)), compute_uv=False)
        rank = int((values > thr).sum())
        if best is None or rank > best[0]:
            best = (rank, values)
    assert best is not None
    ledger.count("index", best[1], thr)
    return p - best[0]


def derivation_dim(c: NDArray, thr: float) -> int:
    """Dimension of the derivation algebra: D[x,y] = [Dx,y] + [x,Dy], p^2 unknowns."""
    p = c.shape[0]
    if p == 0:
        return 0
    i, j = np.triu_indices(p, 1)
    rows = np.zeros((len(i), p, p, p))  # pair, component, D[a, b] with D e_b = sum_a D[a, b] e_a
    pair = np.arange(len(i))
    for k in range(p):
        rows[:, k, k, :] += c[i, j, :]
        rows[pair, k, :, i] -= c[:, j, k].T
        rows[pair, k, :, j] += c[:, i, k].T
    flat = rows.reshape(-1, p * p)
    values = np.linalg.svd(flat if flat.shape[0] < p * p else np.linalg.qr(flat, mode="r"), compute_uv=False)
    return p * p - int((values > 4.0 * thr * np.sqrt(p)).sum())
