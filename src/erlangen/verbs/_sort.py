"""Sort the null directions: findings, and the lists that are set apart with their reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.actions import AbstractLift, Rescaled, TangentLift
from erlangen.derivative import Confirmation, Factors, LieDerivative, confirm
from erlangen.derivative.scales import Scales
from erlangen.linalg.subspace import span
from erlangen.verbs._basis import readable_generators
from erlangen.verbs._coverage import null_split, split_by_coverage


@dataclass(frozen=True, eq=False)
class Generator(AbstractShown):
    """One direction of generator space with its evidence.

    Attributes
    ----------
    xi : ndarray (p,)
        Coefficients over the action's generators.
    defect : float
        Relative defect; 1 is what an unrelated direction gives.
    verdict : str
        ``"symmetry"``, ``"own"``, ``"no coverage"`` or ``"refused"``.
    reason : str
        Why, in words.
    confirmation : Confirmation or None
        What the finite flow showed.
    """

    xi: NDArray
    defect: float
    verdict: str
    reason: str
    confirmation: Confirmation | None = None


@dataclass(frozen=True, eq=False)
class Found(AbstractShown):
    """The null directions, sorted.

    Attributes
    ----------
    generators : tuple of Generator
        The findings.
    own : tuple of Generator
        For vector fields and maps: the field itself, functions of it, powers of a linear one.
    uncovered : tuple of Generator
        Directions that leave the span of the data: nothing is known about them.
    refused : tuple of Generator
        Directions that a finite flow or a single component refutes.
    """

    generators: tuple[Generator, ...]
    own: tuple[Generator, ...]
    uncovered: tuple[Generator, ...]
    refused: tuple[Generator, ...]

    def matrix(self, *lists: str) -> NDArray:
        """Coefficients ``(r, p)`` of the named lists (default: findings and own), in order.

        Parameters
        ----------
        *lists : str
            Names of lists: ``"generators"``, ``"own"``, ``"uncovered"``, ``"refused"``.

        Returns
        -------
        ndarray (r, p)
            One generator a row.
        """
        chosen = [g for name in lists or ("generators", "own") for g in getattr(self, name)]
        return np.array([g.xi for g in chosen])


@dataclass(frozen=True, eq=False)
class Cluster:
    """Null directions whose defects lie together.

    Attributes
    ----------
    basis : ndarray (p, r)
        The directions, as columns.
    noise : float
        Error of a unit generator among them.
    """

    basis: NDArray
    noise: float


def sort_directions(
    lie: LieDerivative, scales: Scales, factors: Factors, clusters: Sequence[Cluster], tolerance: float, floor: float
) -> Found:
    """Sort null directions into findings and the lists set apart.

    Clusters are kept apart, so that an exact symmetry is not mixed with one that is only near;
    ``tolerance`` is the relative defect that a check allows, ``floor`` the error of a defect.
    """
    parts = [_sort(lie, scales, factors, one, tolerance, floor) for one in clusters]
    return Found(
        *(
            tuple(g for part in parts for g in getattr(part, name))
            for name in ("generators", "own", "uncovered", "refused")
        )
    )


def _sort(
    lie: LieDerivative, scales: Scales, factors: Factors, cluster: Cluster, tolerance: float, floor: float
) -> Found:
    covered, uncovered, tilt = split_by_coverage(lie, scales, cluster.basis, tolerance)
    rest, own = _own(lie, scales, covered, tolerance)

    def cost(rounded: NDArray, exact: NDArray) -> tuple[float, float]:
        return _defect(factors, rounded), max(2 * _defect(factors, exact), 4 * floor)

    def readable(basis: NDArray) -> list[NDArray]:
        noise = max(cluster.noise, tilt)
        return readable_generators(lie.action, basis, noise, lie.samples.mean, scales.points, cost)

    generators, refused = [], []
    for xi in readable(rest):
        confirmation = confirm(lie, xi, scales, tolerance)
        verdict, target = ("symmetry", generators) if confirmation.passed else ("refused", refused)
        target.append(Generator(xi, _defect(factors, xi), verdict, confirmation.reason, confirmation))

    def listed(basis: NDArray, verdict: str, reason: str) -> tuple[Generator, ...]:
        return tuple(Generator(xi, _defect(factors, xi), verdict, reason) for xi in readable(basis))

    return Found(
        tuple(generators),
        listed(own, "own", "the field itself, or built from it alone"),
        listed(uncovered, "no coverage", "it leaves the span or the local tangent of the data"),
        tuple(refused),
    )


def _defect(factors: Factors, xi: NDArray) -> float:
    """Relative defect of one generator ``xi (p,)``."""
    size = factors.informs.norms(xi[:, None])[0]
    return float(np.linalg.norm(factors.rows @ xi) / size) if size > 0 else 0.0


def _own(lie: LieDerivative, scales: Scales, basis: NDArray, tolerance: float) -> tuple[NDArray, NDArray]:
    """For vector fields and maps: split off fields parallel to F, and powers of a linear F."""
    rescaled = isinstance(lie.lifted, Rescaled) and lie.field.kind == "vector"
    if not (rescaled or isinstance(lie.lifted, AbstractLift)) or basis.shape[1] == 0:
        return basis, basis[:, :0]
    few = lie.samples.pointwise().subset(2048)
    f = lie.field.value(few.points) / scales.points
    velocity = lie.lifted.restrict(basis).on_points(few.points) / scales.points
    whole = velocity.transpose(0, 2, 1).reshape(-1, basis.shape[1])
    own = _powers(few.points, f * scales.points, velocity * scales.points, basis, tolerance)
    if isinstance(lie.lifted, (TangentLift, Rescaled)):
        own = np.hstack([own, _parallel(f, velocity, whole, basis, tolerance)])
    return _complement(basis, own)


def _parallel(f: NDArray, velocity: NDArray, whole: NDArray, basis: NDArray, tolerance: float) -> NDArray:
    """Members of the basis that are a function times F at every sample."""
    unit = f / np.maximum(np.linalg.norm(f, axis=1, keepdims=True), np.finfo(float).tiny)
    across = velocity - np.einsum("nrd,nd,ne->nre", velocity, unit, unit)
    return null_split(across.transpose(0, 2, 1).reshape(whole.shape), whole, basis, tolerance)[0]


def _powers(x: NDArray, f: NDArray, velocity: NDArray, basis: NDArray, tolerance: float) -> NDArray:
    """Members of the basis that are A (x - x0), A^2 (x - x0), ..., where F is affine; else none."""
    d = x.shape[1]
    design = np.hstack([x, np.ones((len(x), 1))])
    solution, *_ = np.linalg.lstsq(design, f, rcond=None)
    if np.linalg.norm(f - design @ solution) > tolerance * np.linalg.norm(f):
        return basis[:, :0]
    a, power, found = solution[:d].T, f, []
    flat = velocity.transpose(0, 2, 1).reshape(-1, basis.shape[1])
    for _ in range(d):
        c, *_ = np.linalg.lstsq(flat, power.ravel(), rcond=None)
        if np.linalg.norm(flat @ c - power.ravel()) <= tolerance * np.linalg.norm(power):
            found.append(basis @ c)
        power = power @ a.T
    return np.array(found).T if found else basis[:, :0]


def _complement(basis: NDArray, own: NDArray) -> tuple[NDArray, NDArray]:
    """Split the basis into its part orthogonal to ``own`` (as coefficients, which keeps exact ones exact) and own."""
    if own.shape[1] == 0:
        return basis, own
    q, _ = np.linalg.qr(basis)
    inside = span(q.T @ (own / np.linalg.norm(own, axis=0))).basis
    rest = np.linalg.svd(inside, full_matrices=True)[0][:, inside.shape[1] :]
    return q @ rest, q @ inside
