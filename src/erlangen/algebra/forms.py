"""Bilinear forms that an action preserves: metrics, symplectic forms, complex structures, compactness.

A form G is preserved by a generator A when A^T G + G A = 0. Forms tell apart actions of one
and the same algebra, and say which real form of a group acts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.optimize

from erlangen import _render
from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.algebra._intertwiners import as_generators, default_tolerance, intertwiners

_AVERAGING_STEPS = 60


@dataclass(frozen=True)
class PreservedForms:
    """The forms G with A^T G + G A = 0 for every generator A.

    Parameters
    ----------
    forms : ndarray (m, k, k)
        A basis: orthonormal where m > 1; a single form is scaled to largest entry 1, with the
        sign that a person would choose (positive definite, or one + sign in a Minkowski metric).
    symmetric : bool
        Whether the forms are symmetric or antisymmetric.
    signature : tuple of int or None
        Numbers of positive and negative eigenvalues, where there is exactly one symmetric form:
        the signature of a random member of a family means nothing.
    tolerance : float
        The residual up to which a form counted as preserved.
    last_kept, first_dropped : float
        Root-mean-square residuals of the worst form kept and the best one dropped.
    """

    forms: NDArray
    symmetric: bool
    signature: tuple[int, int] | None
    tolerance: float
    last_kept: float
    first_dropped: float

    def __len__(self) -> int:
        return len(self.forms)

    @property
    def rank(self) -> int:
        """Rank of a generic member."""
        if not len(self.forms):
            return 0
        generic = np.tensordot(np.random.default_rng(0).standard_normal(len(self.forms)), self.forms, 1)
        s = np.linalg.svd(generic, compute_uv=False)
        return int(np.sum(s > _zero(self.tolerance) * s[0]))

    def describe(self) -> str:
        """Say in words what is preserved, for example ``preserving diag(1,-1,-1,-1) up to scale``."""
        kind = "symmetric" if self.symmetric else "antisymmetric"
        if not len(self.forms):
            return f"preserving no {kind} form"
        if len(self.forms) > 1:
            return f"preserving a {len(self.forms)}-parameter family of {kind} forms"
        if not self.symmetric:
            whole = self.rank == self.forms.shape[1]
            return f"preserving a {'symplectic form' if whole else f'2-form of rank {self.rank}'} up to scale"
        return f"preserving {self._metric_text()} up to scale"

    def _metric_text(self) -> str:
        form, zero = self.forms[0], _zero(self.tolerance)
        diagonal = np.diag(form)
        if np.abs(form - np.diag(diagonal)).max() > zero:
            return f"a form of signature ({self.signature[0]},{self.signature[1]})" if self.signature else "a form"
        smallest = np.abs(diagonal)[np.abs(diagonal) > zero].min(initial=1.0)
        if np.all(np.abs(diagonal / smallest - np.round(diagonal / smallest)) <= zero / smallest):
            diagonal, zero = diagonal / smallest, zero / smallest  # diag(1,4,9) rather than diag(0.111,0.444,1)
        rounded = np.where(np.abs(diagonal - np.round(diagonal)) <= zero, np.round(diagonal), diagonal)
        return "diag(" + ",".join(_render.number(float(e), 3) for e in rounded) + ")"


def preserved_forms(matrices: NDArray, symmetric: bool = True, tol: float | None = None) -> PreservedForms:
    """Find the bilinear forms that all generators preserve.

    Parameters
    ----------
    matrices : ndarray (p, k, k)
        Generators; each is scaled to Frobenius norm 1.
    symmetric : bool
        Look for symmetric forms, else for antisymmetric ones.
    tol : float, optional
        Absolute root-mean-square residual of a form of norm 1 up to which it counts as preserved;
        about three times the noise of a unit generator. By default the square root of rounding.

    Returns
    -------
    PreservedForms
        A basis of the forms, and how well they are preserved.

    Raises
    ------
    InputError
        If the generators are not finite square matrices of one size.

    References
    ----------
    B. C. Hall, Lie Groups, Lie Algebras, and Representations, second edition, 2015, chapter 1 (groups by their forms).

    Examples
    --------
    >>> from erlangen.algebra import catalogue
    >>> preserved_forms(catalogue.so(1, 3).matrices).describe()
    'preserving diag(1,-1,-1,-1) up to scale'
    """
    a = as_generators(matrices)
    tol = default_tolerance(a.shape[1]) if tol is None else float(tol)
    found = intertwiners(a, -a.transpose(0, 2, 1), tol, 1 if symmetric else -1)
    forms, signature = found.basis, None
    if len(forms) == 1:
        forms, signature = _normalise(forms[0], symmetric, tol)
    return PreservedForms(forms, symmetric, signature, tol, found.last_kept, found.first_dropped)


def conformal_forms(matrices: NDArray, symmetric: bool = True, tol: float | None = None) -> PreservedForms:
    """Find the forms preserved up to a factor: those that the derived algebra [g, g] preserves.

    Arguments as for `preserved_forms`. An abelian algebra constrains nothing here. Where one
    form is found, every generator multiplies it by a number: a single line is mapped to itself.

    Parameters
    ----------
    matrices : ndarray (p, k, k)
        Generators.
    symmetric : bool
        Look for symmetric forms, else for antisymmetric ones.
    tol : float, optional
        As for `preserved_forms`.

    Returns
    -------
    PreservedForms
        A basis of the forms, and how well they are preserved.

    Examples
    --------
    >>> from erlangen.algebra import catalogue
    >>> similar = np.concatenate([catalogue.so(3).matrices, np.eye(3)[None]])
    >>> conformal_forms(similar).signature
    (3, 0)
    """
    a = as_generators(matrices)
    tol = default_tolerance(a.shape[1]) if tol is None else float(tol)
    return preserved_forms(derived_matrices(a, tol), symmetric, tol)


def derived_matrices(matrices: NDArray, tol: float | None = None) -> NDArray:
    """Return an orthonormal basis ``(r, k, k)`` of the span of all commutators.

    Commutators of orthonormal generators below `tol` count as zero. The work grows with p^2;
    above a thousand brackets random combinations of them are taken instead of all.
    """
    q, k = _orthonormal(np.asarray(matrices, dtype=np.float64)), np.shape(matrices)[-1]
    tol = default_tolerance(k) if tol is None else tol
    i, j = np.triu_indices(len(q), 1)
    if len(i) > 1000:
        rng, most = np.random.default_rng(0), min(k * k, len(i)) + 10
        x, y = (np.tensordot(rng.standard_normal((most, len(q))), q, 1) for _ in range(2))
        scale = 1.0 / len(q)
    else:
        x, y, scale = q[i], q[j], 1.0
    brackets = scale * (np.matmul(x, y) - np.matmul(y, x)).reshape(-1, k * k)
    # Noise of norm tol in each bracket reaches singular values of about tol sqrt(rows).
    _, s, vt = np.linalg.svd(brackets, full_matrices=False)
    return vt[s > tol * np.sqrt(max(len(brackets), 1))].reshape(-1, k, k)


def canonical_coordinates(form: NDArray) -> NDArray:
    """Return S such that S A S^{-1} preserves diag(+1, -1) whenever A preserves the symmetric form.

    S = sqrt|e| V^T from the eigen-decomposition, its rows matched to the old axes by largest
    entry. A diagonal S means units: G = diag(-c^2, 1, 1, 1) holds the speed of light.

    Parameters
    ----------
    form : ndarray (k, k)
        A symmetric, non-degenerate form.

    Raises
    ------
    InputError
        If the form is degenerate.
    """
    e, v = np.linalg.eigh((form + form.T) / 2)
    if np.abs(e).min() <= len(e) * np.finfo(np.float64).eps * np.abs(e).max():
        raise InputError(
            explain(
                "A degenerate form has no canonical coordinates.",
                given=f"a form with eigenvalues from {np.abs(e).min():.3g} to {np.abs(e).max():.3g} in size",
                expected="a form without null directions",
                fix="restrict the generators to the complement of the form's null space",
            )
        )
    axes, which = scipy.optimize.linear_sum_assignment(-np.abs(v))
    rows = (np.sqrt(np.abs(e)) * v).T[which]
    signs = np.where(rows[axes, axes] < 0, -1.0, 1.0)
    return signs[:, None] * rows


def complex_structure(matrices: NDArray, tol: float | None = None) -> NDArray | None:
    """Return J with J^2 = -1 that commutes with the action, made of two preserved forms.

    A symmetric G and an antisymmetric W that are preserved together give J0 = G^{-1} W, which
    commutes with every generator; where J0^2 has negative eigenvalues only, its phase
    J0 (-J0^2)^{-1/2} is a complex structure. None where there is no such pair.

    Parameters
    ----------
    matrices : ndarray (p, k, k)
        Generators.
    tol : float, optional
        As for `preserved_forms`.

    Returns
    -------
    ndarray (k, k) or None
        J, or None where no such pair of forms is preserved.

    References
    ----------
    A. Cannas da Silva, Lectures on Symplectic Geometry, 2001, chapter 12 (compatible triples).

    Examples
    --------
    >>> from erlangen.algebra import catalogue
    >>> complex_structure(catalogue.u(1).matrices).round(12) + 0.0
    array([[ 0.,  1.],
           [-1.,  0.]])
    """
    symmetric = preserved_forms(matrices, True, tol)
    antisymmetric = preserved_forms(matrices, False, tol)
    k = np.shape(matrices)[-1]
    if not len(symmetric) or not len(antisymmetric) or k % 2:
        return None
    rng = np.random.default_rng(0)
    g = np.tensordot(rng.standard_normal(len(symmetric)), symmetric.forms, 1)
    definite = _definite_member(symmetric, np.asarray(matrices, dtype=np.float64), rng)
    for metric in (definite, g):
        if metric is None or _degenerate(metric, symmetric.tolerance):
            continue
        # A basis member may be degenerate where a generic one is not (a torus), so one is tried last.
        generic = np.tensordot(rng.standard_normal(len(antisymmetric)), antisymmetric.forms, 1)
        for w in (*antisymmetric.forms, generic):
            phase = _phase(np.linalg.solve(metric, w), _zero(antisymmetric.tolerance))
            if phase is not None:
                return phase
    return None


def is_compact(matrices: NDArray, rng: int | np.random.Generator = 0, tol: float | None = None) -> bool:
    """Say whether the group's orbits are bounded (closures of tori included).

    The group is bounded exactly when some G > 0 is preserved. One is built by averaging over
    random group elements and projected on the preserved forms; a definite Killing form is
    neither needed (torus) nor offered by abelian parts.

    Parameters
    ----------
    matrices : ndarray (p, k, k)
        Generators.
    rng : int or numpy Generator
        Source of the random group elements.
    tol : float, optional
        As for `preserved_forms`.

    Returns
    -------
    bool
        Whether a positive definite form is preserved.

    References
    ----------
    B. C. Hall, Lie Groups, Lie Algebras, and Representations, second edition, 2015, chapter 4 (averages of forms).

    Examples
    --------
    >>> from erlangen.algebra import catalogue
    >>> is_compact(catalogue.so(3).matrices), is_compact(catalogue.so(2, 1).matrices)
    (True, False)
    """
    forms = preserved_forms(matrices, True, tol)
    return _definite_member(forms, np.asarray(matrices, dtype=np.float64), np.random.default_rng(rng)) is not None


def _definite_member(forms: PreservedForms, matrices: NDArray, rng: np.random.Generator) -> NDArray | None:
    """A positive definite preserved form, or None where there is none."""
    if not len(forms):
        return None
    if len(forms) == 1:
        average = forms.forms[0]
    else:
        average = np.tensordot(np.tensordot(_average(matrices, rng), forms.forms, ((0, 1), (1, 2))), forms.forms, 1)
    e = np.linalg.eigvalsh(average)
    e = e if e[-1] > -e[0] else -e[::-1]
    return average * np.sign(np.trace(average)) if e[0] > _zero(forms.tolerance) * e[-1] else None


def _average(matrices: NDArray, rng: np.random.Generator) -> NDArray:
    """Average g^T G g over random group elements, from G = 1."""
    a = as_generators(matrices)
    g, k = np.eye(a.shape[1]), a.shape[1]
    for _ in range(_AVERAGING_STEPS):
        # Angles of about one radian for the whole group: sqrt(k) undoes the unit norm.
        x = np.tensordot(rng.standard_normal(len(a)), a, 1) * np.sqrt(k / len(a))
        step = scipy.linalg.expm(x)
        g = (g + step.T @ g @ step) / 2
        g /= np.linalg.norm(g)
    return g


def _orthonormal(matrices: NDArray) -> NDArray:
    flat = matrices.reshape(len(matrices), -1)
    _, s, vt = np.linalg.svd(flat, full_matrices=False)
    return vt[s > s.max(initial=0.0) * np.sqrt(np.finfo(np.float64).eps)].reshape(-1, *matrices.shape[1:])


def _zero(tol: float) -> float:
    """Entries of a form of size 1 below this are zero: the residual over typical gaps of order 1/5."""
    return 5 * tol


def _degenerate(metric: NDArray, tol: float) -> bool:
    s = np.linalg.svd(metric, compute_uv=False)
    return bool(s[-1] <= _zero(tol) * s[0])


def _phase(j: NDArray, zero: float) -> NDArray | None:
    square = np.linalg.eigvals(-j @ j)
    top = np.abs(square).max()
    if (square.real <= zero * top).any() or (np.abs(square.imag) > 10 * zero * top).any():
        return None
    return np.real(j @ np.linalg.inv(np.asarray(scipy.linalg.sqrtm(-j @ j))))


def _normalise(form: NDArray, symmetric: bool, tol: float) -> tuple[NDArray, tuple[int, int] | None]:
    """Scale a single form to largest entry 1 and choose its sign; with its signature if symmetric."""
    form = form / np.abs(form).max()
    if not symmetric:
        first = form[np.abs(form) > 0.5][0]
        return (form * np.sign(first))[None], None
    e = np.linalg.eigvalsh(form)
    zero = _zero(tol) * np.abs(e).max()
    plus, minus = int(np.sum(e > zero)), int(np.sum(e < -zero))
    if _flip(plus, minus, form):
        form, plus, minus = -form, minus, plus
    return form[None], (plus, minus)


def _flip(plus: int, minus: int, form: NDArray) -> bool:
    if plus == minus:
        entries = np.diag(form)
        large = entries[np.abs(entries) > 0.25 * np.abs(entries).max()]
        return bool(len(large)) and bool(large[0] < 0)
    # One direction against several is time against space: time gets the + sign.
    return plus > minus if min(plus, minus) == 1 else plus < minus
