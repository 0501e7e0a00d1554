"""How far a system of equations is from a symmetry, and which combinations of its terms have it.

For a generator v the residual is the bracket, J_h v - J_v h; for a group element g with matrix R it is
R h(x) - h(g x), with h at the point itself in the first part. With h at the image in both parts, R h(g x) - h(g x),
the residual would only ask for values that R leaves alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg

from erlangen._typing import NDArray
from erlangen.actions import AbstractAction, PolynomialAction
from erlangen.dynamics import _symbolic_terms as terms
from erlangen.dynamics._symbolic_terms import UNIT, Call, Sum, Term, TooLong

STEP = 1e-20
"""Length of the step into the complex plane that carries a derivative: its square is nothing beside one."""

CLOSED = 32
"""Functions in a set closed under a symmetry from which on none is sought."""

SYMMETRIC = float(np.finfo(np.float64).eps) ** 0.5
"""Relative singular value below which combinations of terms are symmetric: half the digits, for terms in which
constants were fitted."""


@dataclass(frozen=True, eq=False)
class Jet:
    """Values and derivatives of functions at the points of a symmetry.

    Attributes
    ----------
    values : ndarray (n, r)
    gradients : ndarray (n, r, d)
        By the coordinates.
    moved : ndarray (e, n, r)
        Values at the images under the e elements.
    """

    values: NDArray
    gradients: NDArray
    moved: NDArray

    def combined(self, coefficients: NDArray) -> Jet:
        """Jet of combinations, from coefficients ``(r, k)``."""
        return Jet(
            self.values @ coefficients,
            np.einsum("nrd,rk->nkd", self.gradients, coefficients),
            self.moved @ coefficients,
        )

    @staticmethod
    def joined(parts: Sequence[Jet]) -> Jet:
        """Functions side by side."""
        return Jet(
            np.concatenate([part.values for part in parts], axis=1),
            np.concatenate([part.gradients for part in parts], axis=1),
            np.concatenate([part.moved for part in parts], axis=2),
        )


@dataclass(frozen=True, eq=False)
class Invariance:
    """Generators and elements that should leave a system alone, at points.

    Attributes
    ----------
    names : tuple of str
        The d coordinates.
    points : ndarray (n, d)
    sizes : ndarray (d,)
        Root mean squares of the coordinates, in which residuals are measured.
    action : AbstractAction
        The p generators, maybe none.
    elements : tuple
        Each with ``matrix (d, d)``, ``shift (d,)`` and ``rho (d, d)``.
    """

    names: tuple[str, ...]
    points: NDArray
    sizes: NDArray
    action: AbstractAction
    elements: tuple[Any, ...]

    def __post_init__(self) -> None:
        velocity = self.action.on_points(self.points)  # (n, p, d)
        unit = np.eye(len(self.names))
        along = [self.action.derivative_along(self.points, np.tile(e, (len(self.points), 1))) for e in unit]
        object.__setattr__(self, "_velocity", velocity)
        object.__setattr__(self, "_slope", np.stack(along, axis=-1))  # (n, p, d, d): D v_k by coordinate

    def jet(self, chosen: Sequence[Term]) -> Jet:
        """Values, derivatives and moved values of terms."""
        x, n, d = self.points, *self.points.shape
        r = len(chosen)
        values, moved = self._at(chosen, x), [self._at(chosen, g.move(x)) for g in self.elements]
        gradients = np.empty((n, r, d))
        for b in range(d):
            step = x.astype(np.complex128)
            step[:, b] += 1j * STEP
            gradients[:, :, b] = np.imag(self._at(chosen, step)) / STEP
        return Jet(values, gradients, np.array(moved).reshape(len(moved), n, r))

    def _at(self, chosen: Sequence[Term], x: NDArray) -> NDArray:
        columns = {name: x[:, a] for a, name in enumerate(self.names)}
        with np.errstate(all="ignore"):
            found = [np.broadcast_to(terms.values(term, columns), (len(x),)) for term in chosen]
        return np.stack(found, axis=1) if found else np.zeros((len(x), 0), x.dtype)

    def residuals(self, h: Jet) -> list[tuple[NDArray, float]]:
        """Residual ``(n, d)`` and size of each generator and element, for the jet of d components.

        The size of a bracket is that of its two parts before anything can cancel in them: |J_h|^2 |v|^2 + |J_v|^2 |h|^2
        in units of the coordinates. Beside |J_h v|^2 + |J_v h|^2, which is zero for what a translation leaves alone,
        the smallest dependence would count as the greatest.
        """
        out = []
        s = self.sizes
        velocity, slope = self._velocity, self._slope  # pyright: ignore[reportAttributeAccessIssue]
        values, gradients = h.values / s, h.gradients * s / s[:, None]
        for k in range(velocity.shape[1]):
            v, jacobian = velocity[:, k] / s, slope[:, k] * s / s[:, None]
            rows = np.einsum("nab,nb->na", gradients, v) - np.einsum("nab,nb->na", jacobian, values)
            first = np.sum(gradients**2, axis=(1, 2)) * np.sum(v**2, axis=1)
            second = np.sum(jacobian**2, axis=(1, 2)) * np.sum(values**2, axis=1)
            out.append((rows, float(np.mean(first + second))))
        for k, g in enumerate(self.elements):
            first, second = values @ (g.rho * s / s[:, None]).T, h.moved[k] / s
            out.append((first - second, float(np.mean(np.sum(first**2 + second**2, axis=1)))))
        return out

    def defect(self, h: Jet) -> float:
        """Mean over generators and elements of squared residual over squared size: 0 for a symmetric system."""
        shares = []
        for rows, size in self.residuals(h):
            square = float(np.mean(np.sum(rows**2, axis=1)))
            shares.append(square / size if size > 0 else 0.0)
        found = float(np.mean(shares)) if shares else 0.0
        return found if np.isfinite(found) else np.inf

    # --- symmetric combinations of terms

    def closed(self, chosen: Sequence[Term]) -> list[Term] | None:
        """Terms and all those of their images; None where they do not end, or the symmetry is no affine map."""
        out, at = list(dict.fromkeys(chosen)), 0
        try:
            while at < len(out):
                for image in self._images(((1, out[at]),)):
                    out += [term for c, term in image if term not in out and abs(c) > SYMMETRIC]
                if len(out) > CLOSED:
                    return None
                at += 1
        except (TooLong, OverflowError, ZeroDivisionError):
            return None
        return out

    def _images(self, a: Sum) -> list[Sum]:
        """The derivative of a sum along each generator, and the sum at the image under each element."""
        out = []
        for velocity in self._velocities():
            image: Sum = ()
            for name, v in velocity.items():
                slope = terms.derivative(a, name)
                image = terms.add(image, terms.multiply(slope, v)) if slope and v else image
            out.append(image)
        for g in self.elements:
            rows = zip(g.matrix, g.shift, strict=True)
            images = {name: self._affine(row, c) for name, (row, c) in zip(self.names, rows, strict=True)}
            out.append(terms.substitute(a, images))
        return out

    def _velocities(self) -> list[dict[str, Sum]]:
        if not isinstance(self.action, PolynomialAction):
            raise TooLong
        out = []
        table = self.action.exponents
        for block in self.action.coefficients:
            found: dict[str, Sum] = {}
            for name, row in zip(self.names, block, strict=True):
                used = np.flatnonzero(row)
                found[name] = terms.collect([(_plain(row[j]), self._monomial(table[j])) for j in used])
            out.append(found)
        return out

    def _monomial(self, exponents: NDArray) -> Term:
        return tuple(sorted((name, int(e)) for name, e in zip(self.names, exponents, strict=True) if e))

    def _affine(self, row: NDArray, constant: float) -> Sum:
        pieces: list[tuple[float, Term]] = [
            (_plain(c), ((name, 1),)) for c, name in zip(row, self.names, strict=True) if c
        ]
        return terms.collect([*pieces, (_plain(constant), UNIT)])

    def symmetric(self, h: Jet) -> NDArray:
        """Orthonormal basis ``(d r, k)`` of the symmetric systems in r functions, coordinate by coordinate.

        Coefficients are of functions of root mean square one.
        """
        d, r = len(self.names), h.values.shape[1]
        sizes = np.sqrt(np.mean(h.values**2, axis=0))
        unit = h.combined(np.diag(1 / np.where(sizes > 0, sizes, 1.0)))
        rows: list[NDArray] = []
        systems = [(a, k) for a in range(d) for k in range(r)]
        columns = []
        for a, k in systems:
            e = np.zeros((r, d))
            e[k, a] = self.sizes[a]
            columns.append(self.residuals(unit.combined(e)))
        for which in range(len(columns[0])):
            scale = np.sqrt(max(column[which][1] for column in columns)) or 1.0
            rows.append(np.stack([column[which][0].ravel() for column in columns], axis=1) / scale)
        stacked = np.concatenate(rows) / np.sqrt(len(self.points))
        stacked = linalg.qr(stacked, mode="r")[0][: d * r] if len(stacked) > d * r else stacked
        s, vt = linalg.svd(stacked, full_matrices=True)[1:]
        rank = int(np.sum(s > SYMMETRIC * max(float(s.max(initial=0.0)), np.finfo(np.float64).tiny)))
        basis = vt[rank:].T
        weights = np.concatenate([self.sizes[a] / np.where(sizes > 0, sizes, 1.0) for a in range(d)])
        return linalg.orth(basis * weights[:, None]) if basis.shape[1] else basis

    def invariant_insides(self, term: Term) -> Term:
        """The term with each sum inside a function projected onto sums that the symmetry leaves alone."""
        out = []
        for atom, exponent in term:
            if isinstance(atom, Call):
                atom = Call(atom.name, self._projected(atom.inside))
            out.append((atom, exponent))
        return tuple(out)

    def _projected(self, a: Sum) -> Sum:
        """The nearest invariant sum of the same terms, if any is; else the sum itself."""
        chosen = [term for _, term in a]
        images: list[list[Sum]] = [self._images(((1, term),)) for term in chosen]
        fixed = len(self._velocities())
        rows = []
        for which in range(len(images[0]) if images else 0):
            reached = list(dict.fromkeys([*chosen, *(t for image in images for _, t in image[which])]))
            m = np.zeros((len(reached), len(chosen)))
            for k, image in enumerate(images):
                for c, t in image[which]:
                    m[reached.index(t), k] += c
                m[reached.index(chosen[k]), k] -= 1.0 if which >= fixed else 0.0
            rows.append(m)
        kept = linalg.null_space(np.concatenate(rows)) if rows else np.eye(len(chosen))
        c = np.array([float(c) for c, _ in a])
        near = kept @ (kept.T @ c)
        if not any(term and abs(v) > SYMMETRIC for v, term in zip(near, chosen, strict=True)):
            return a
        lead = next(v for v, term in zip(near, chosen, strict=True) if term and abs(v) > SYMMETRIC)
        exact_lead = any(isinstance(v, int) for v, _ in a)
        near = near / lead if exact_lead else near
        return terms.collect(
            [
                (_plain(v) if exact_lead else float(v), t)
                for v, t in zip(near, chosen, strict=True)
                if abs(v) > SYMMETRIC
            ]
        )


def _plain(c: float) -> float:
    """A number as it is written exactly, where it is whole but for rounding."""
    near = round(float(c))
    return near if abs(float(c) - near) <= SYMMETRIC * abs(near) and near else float(c)


def jets_of(invariance: Invariance, components: Mapping[int, Any]) -> dict[int, Jet]:
    """Jets of expressions with their coefficients, by the same keys."""
    return {
        key: invariance.jet(component.terms).combined(component.coefficients[:, None])
        for key, component in components.items()
    }
