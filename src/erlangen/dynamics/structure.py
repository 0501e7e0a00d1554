"""Which algebra do the Jacobians of a vector field live in: gradient, Hamiltonian, conformal, isometric, tr J = 0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.actions import coordinate_names
from erlangen.derivative import Samples
from erlangen.dynamics._form_choice import choose_conditioned, choose_metric, rank_of, signature_of
from erlangen.dynamics._forms import FormSpectrum, Frame, form_spectrum, readable
from erlangen.dynamics._structure_result import FieldStructure, StructureFinding
from erlangen.dynamics.equations import Equations
from erlangen.fields import AbstractField, as_field
from erlangen.fields.trajectories import Trajectories
from erlangen.linalg.rank import APART, AbstractRankRule, NoiseFloor

__all__ = ["FieldStructure", "StructureFinding", "structure"]

HALF = float(np.sqrt(np.finfo(np.float64).eps))
"""Half of the digits: a smaller defect of a field in exact arithmetic is rounding, whatever its formula cancels."""
EXPLAINED = NoiseFloor()
"""What counts as zero by default: three times what the error of the Jacobians explains."""
NEAR = 0.05
"""Relative defect up to which a structure is called near, and to which a field must be known to decide."""


def structure(
    field: Any,
    samples: Samples | Trajectories | NDArray | None = None,
    *,
    rule: AbstractRankRule = EXPLAINED,
    names: Sequence[str] | None = None,
) -> FieldStructure:
    """Find the constant matrices that all Jacobians J of a vector field respect.

    ==============  ==========================================  =======================================================
    gradient        ``G J`` symmetric, G symmetric              F = G^-1 grad V: a gradient flow where G is definite
    hamiltonian     ``J^T W + W J = 0``, W antisymmetric        W F = grad H: Hamiltonian where W is nondegenerate
    conformal       ``J^T W + W J = c W``, W antisymmetric      Hamiltonian up to a friction that is the same everywhere
    isometry        ``J^T G + G J = 0``, G symmetric            the flow keeps the metric G; then F is affine
    volume          ``tr J = 0``                                the flow keeps volume
    ==============  ==========================================  =======================================================

    Each is a null space over the Jacobians at all points, in coordinates scaled by the spread of the samples. A
    relative defect of 1 is what an unrelated field gives. A form is found where its defect is explained by the error
    of the Jacobians (half the digits of double precision where they are exact), so a defect of 0.03 is reported as
    near and not as found. For nondegenerate W the trace gives ``c = 2 E[tr J] / d``.

    Parameters
    ----------
    field : AbstractField or anything that ``as_field`` accepts
        A function of states ``(n, d)``, `Equations`, a fitted `SINDy`, SymPy expressions, trajectories.
    samples : Samples, Trajectories or ndarray (n, d), optional
        Where the structure is claimed; needed unless the field is trajectories, which bring their own points.
    rule : AbstractRankRule
        Which defects count as zero; ``Threshold(0.05)`` takes what is near for found.
    names : sequence of str, optional
        Names of the coordinates.

    Returns
    -------
    FieldStructure
        The five answers with forms, ranks, signatures and reasons.

    Raises
    ------
    InputError
        Where samples are missing, do not fit the field, are too few, or the field is not finite there.

    References
    ----------
    W J symmetric for constant W is the condition of Helmholtz for Hamiltonian vector fields; see R. M. Santilli,
    "Foundations of Theoretical Mechanics I", 1978, and, for ``= c W``, R. McLachlan and M. Perlmutter, "Conformal
    Hamiltonian systems", J. Geom. Phys. 39 (2001). Antisymmetric G J has constant symmetric parts by polarisation, the
    Killing equation of a flat metric.

    Examples
    --------
    >>> import erlangen as er
    >>> spring = er.dynamics.Equations.from_text({"x": "v", "v": "-x - 0.1*v"})
    >>> found = structure(spring, er.Samples.box(-1, 1, dim=2, n=64))
    >>> found.hamiltonian.verdict, found.conformal.verdict, round(found.conformal.rate, 12)
    ('no', 'yes', -0.1)
    """
    _check_rule(rule)
    if samples is None and isinstance(field, Trajectories):
        samples = field
    if samples is None:
        raise InputError(
            explain(
                "A structure is claimed somewhere: samples are missing.",
                given=f"structure({type(field).__name__}) without samples",
                expected="points at which the Jacobian is looked at, such as the data of a fitted model",
                fix="structure(model, flow), or structure(field, er.Samples.box(-1, 1, dim=2))",
            )
        )
    known, error, samples, columns = field_of(field, samples)
    names = tuple(names) if names is not None else columns or names_of(field, known.point_dim)
    _check_shape(known, samples, names)
    scales = np.where(samples.std > 0, samples.std, 1.0)
    jacobians = _jacobians(known, samples) * scales / scales[:, None]
    size = float(np.sqrt(samples.weights @ np.sum(jacobians**2, axis=(1, 2))))
    if size == 0.0:
        return _motionless(names, len(samples))
    search = _Search(names, scales, rule, error, samples.weights)
    volume = search.volume(jacobians, size)
    frame = Frame.of(jacobians, samples.weights, error)
    return FieldStructure(
        names=names,
        n_points=len(samples),
        accuracy=error,
        gradient=search.metric("gradient", form_spectrum(frame, 1, 1)),
        hamiltonian=(hamiltonian := search.symplectic("hamiltonian", form_spectrum(frame, -1, 1), 0.0)),
        conformal=search.conformal(jacobians, hamiltonian, volume),
        isometry=search.metric("isometry", form_spectrum(frame, 1, -1)),
        volume=volume,
    )


@dataclass(frozen=True, eq=False)
class _Search:
    """What all five questions share."""

    names: tuple[str, ...]
    scales: NDArray
    rule: AbstractRankRule
    error: float
    weights: NDArray

    def metric(self, kind: str, spectrum: FormSpectrum) -> StructureFinding:
        finding, forms, noise = self._decide(kind, spectrum, 1)
        if len(forms) == 0:
            return finding
        whole = np.concatenate([forms, readable(spectrum.inert, 1, noise)])
        scaled = choose_metric(whole, np.diag(self.scales**2), noise)
        plus, minus = signature_of(scaled, noise)
        if minus > plus:
            scaled, (plus, minus) = -scaled, (minus, plus)
        d = len(self.names)
        verdict = "yes" if plus == d else "indefinite" if plus + minus == d else "degenerate"
        if kind == "isometry" and verdict == "indefinite":
            verdict = "yes"
        words = f"signature ({plus}, {minus})" + ("" if plus + minus == d else f", rank {plus + minus} of {d}")
        matrix = self._back(scaled)
        matrix = matrix / np.abs(matrix).max()
        reason = f"{finding.reason}; {words}"
        if kind == "gradient" and verdict == "indefinite":
            reason += ": no definite G is among them, so G F = grad V is no descent"
        return replace(
            finding, verdict=verdict, matrix=matrix, rank=plus + minus, signature=(plus, minus), reason=reason
        )

    def symplectic(self, kind: str, spectrum: FormSpectrum, rate: float) -> StructureFinding:
        finding, forms, noise = self._decide(kind, spectrum, -1)
        finding = replace(finding, rate=rate)
        if len(forms) == 0:
            return finding
        scaled = choose_conditioned(np.concatenate([forms, readable(spectrum.inert, -1, noise)]))
        rank, d = rank_of(scaled, noise), len(self.names)
        matrix = self._back(scaled)
        upper = matrix[np.triu_indices(d, 1)]
        first = upper[np.flatnonzero(np.abs(upper) > 1e-3 * np.abs(upper).max())[0]]
        matrix = matrix / -np.copysign(np.abs(matrix).max(), first)
        verdict, words = "yes", "nondegenerate"
        if rank < d:
            verdict, words = "degenerate", f"rank {rank} of {d}: Hamiltonian in that many directions at most"
        return replace(finding, verdict=verdict, matrix=matrix, rank=rank, reason=f"{finding.reason}; W is {words}")

    def conformal(
        self, jacobians: NDArray, hamiltonian: StructureFinding, volume: StructureFinding
    ) -> StructureFinding:
        if volume.verdict == "yes":
            return replace(hamiltonian, kind="conformal", reason=f"c = 0 as volume is kept: {hamiltonian.reason}")
        d = len(self.names)
        rate = 2 * float(self.weights @ np.trace(jacobians, axis1=1, axis2=2)) / d
        shifted = jacobians - rate / 2 * np.eye(d)
        if not np.any(np.abs(shifted) > HALF * np.abs(jacobians).max()):
            words = "F is x times a constant: every W is conformal"
            return StructureFinding("conformal", "degenerate", reason=words, defect=0.0, floor=HALF, rate=rate)
        sizes = [np.sqrt(self.weights @ np.sum(j**2, axis=(1, 2))) for j in (jacobians, shifted)]
        frame = Frame.of(shifted, self.weights, self.error * float(sizes[0] / sizes[1]))
        return self.symplectic("conformal", form_spectrum(frame, -1, 1), rate)

    def volume(self, jacobians: NDArray, size: float) -> StructureFinding:
        d = len(self.names)
        traces = np.trace(jacobians, axis1=1, axis2=2)
        # Entries of unrelated Jacobians have mean square size^2 / d^2, so their trace has size^2 / d.
        value = float(np.sqrt(d * (self.weights @ traces**2)) / size)
        floor = max(self.error, HALF)
        decision = self.rule.decide(np.array([value]), floor)
        verdict = "yes" if decision.dim else "no"
        reason = f"root mean square of tr J is {value:.2g} of what unrelated Jacobians give"
        if self.error > NEAR:
            verdict, reason = "not decided", _coarse(self.error)
        return StructureFinding(
            "volume", verdict, dim=decision.dim, defect=value, floor=floor, spectrum=np.array([value]), reason=reason
        )

    def _decide(self, kind: str, spectrum: FormSpectrum, parity: int) -> tuple[StructureFinding, NDArray, float]:
        """How many forms there are, a sparse basis of them in scaled coordinates, and its relative error."""
        values, d = spectrum.values, len(self.names)
        blank = StructureFinding(kind, "no", spectrum=values, forms=np.zeros((0, d, d)))
        if len(values) == 0:
            return (
                replace(blank, reason=f"{d} coordinate{'s leave' if d > 1 else ' leaves'} no form to test"),
                blank.forms,
                0.0,
            )
        near = max(1, int(np.sum(values <= NEAR)))
        floor = max(HALF, float(spectrum.floors[:near].max()))
        decision = self.rule.decide(values, floor)
        dim = min(decision.dim, len(spectrum.forms))
        lifted = np.maximum(values, floor)
        apart = lifted[dim] / lifted[dim - 1] if 0 < dim < len(values) else np.inf
        finding = replace(blank, dim=dim, defect=float(values[0]), floor=floor, reason=decision.reason)
        if floor > NEAR or (dim and apart < APART and lifted[dim - 1] > NEAR):
            return replace(finding, verdict="not decided", dim=0, reason=_coarse(floor)), blank.forms, 0.0
        if dim == 0:
            words = f"the smallest defect is {values[0]:.2g}, where the error of the Jacobians explains {floor:.1g}"
            verdict = "near" if values[0] <= NEAR else "no"
            return replace(finding, verdict=verdict, reason=words), blank.forms, 0.0
        # Null vectors are known to the error of the rows over the distance to the next defect.
        noise = min(NEAR, float(lifted[dim - 1] / values[dim])) if dim < len(values) else floor
        forms = readable(spectrum.forms[:dim], parity, noise)
        words = f"{dim} form{'s' if dim > 1 else ''} with defects up to {values[dim - 1]:.1g}"
        if dim < len(values):
            words += f", the next {values[dim]:.2g}"
        return replace(finding, forms=self._back(forms), reason=words), forms, noise

    def _back(self, forms: NDArray) -> NDArray:
        """Forms of scaled coordinates in the coordinates of the field."""
        return forms / self.scales / self.scales[:, None]


def _coarse(error: float) -> str:
    return f"the Jacobians are known to {error:.2g} only, too coarse to tell (at most {NEAR:g} is asked for)"


def _motionless(names: tuple[str, ...], n: int) -> FieldStructure:
    words = "the Jacobian vanishes at all points: a constant field respects every form and says nothing"
    kinds = ("gradient", "hamiltonian", "conformal", "isometry", "volume")
    blank = {kind: StructureFinding(kind, "not decided", reason=words) for kind in kinds}
    return FieldStructure(names=names, n_points=n, accuracy=0.0, **blank)


def _check_rule(rule: Any) -> None:
    if not isinstance(rule, AbstractRankRule):
        raise InputError(
            explain(
                "The rule must say which defects count as zero.",
                given=f"rule of type {type(rule).__name__}",
                expected="a rank rule",
                fix="rule=er.NoiseFloor(), or rule=er.Threshold(0.05)",
            )
        )


def field_of(field: Any, samples: Any) -> tuple[AbstractField, float, Samples, tuple[str, ...] | None]:
    """The vector field, the relative error of its Jacobian, the samples, and the names that they know.

    The error is that of fitted coefficients where they are known.
    """
    columns = samples.names if isinstance(samples, Trajectories) else None
    if not isinstance(samples, Samples):
        samples = Samples.from_data(samples.points if isinstance(samples, Trajectories) else samples)
    equations = field if isinstance(field, Equations) else getattr(field, "equations_", None)
    known = as_field(field, kind="vector", dim=samples.dim, points=samples.points)
    if not isinstance(equations, Equations) or equations.errors is None:
        return known, known.accuracy, samples, columns
    return known, max(known.accuracy, _fitted_error(equations, samples)), samples, columns


def _fitted_error(equations: Equations, samples: Samples) -> float:
    """Root mean square error of the Jacobian over its root mean square, from the errors of the coefficients."""
    few = samples.subset(512)
    scales = np.where(samples.std > 0, samples.std, 1.0)
    errors = np.where(np.isfinite(equations.errors), equations.errors, np.abs(equations.coefficients))  # type: ignore[arg-type]
    total = 0.0
    for r in np.flatnonzero(errors.any(axis=0)):
        one = np.zeros_like(equations.coefficients)
        one[:, r] = errors[:, r]
        moved = replace(equations, coefficients=one, errors=None).jacobian(few.points) * scales / scales[:, None]
        total += float(np.mean(np.sum(moved**2, axis=(1, 2))))
    whole = equations.jacobian(few.points) * scales / scales[:, None]
    size = float(np.mean(np.sum(whole**2, axis=(1, 2))))
    return float(np.sqrt(total / size)) if size > 0 else 0.0


def names_of(field: Any, d: int) -> tuple[str, ...]:
    """Names of the coordinates, where the object has them; x1 .. xd otherwise."""
    for attribute in ("names", "names_", "names_in"):
        names = getattr(field, attribute, None)
        if isinstance(names, (tuple, list)) and len(names) == d:
            return tuple(str(name) for name in names)
    return tuple(coordinate_names(d))


def _check_shape(field: AbstractField, samples: Samples, names: tuple[str, ...]) -> None:
    d = field.point_dim
    if field.value_dim != d or field.kind != "vector" or len(names) != d:
        raise InputError(
            explain(
                "Only the Jacobian of a vector field has a structure.",
                given=f"a field of kind {field.kind!r} from R^{d} to R^{field.value_dim}, {len(names)} names",
                expected="as many velocities as coordinates, and names",
                fix="er.dynamics.structure(lambda x: x @ A.T, samples) with A of shape (d, d)",
            )
        )
    # Twice as many equations as unknowns: with fewer, some form fits by chance.
    enough = 2 + -(-4 // max(d - 1, 1))
    if samples.count_distinct(enough) < enough:
        raise InputError(
            explain(
                "There are too few points: some form fits any few Jacobians.",
                given=f"{samples.count_distinct(enough)} different points in {d} coordinates",
                expected=f"at least {enough}",
                fix="er.Samples.box(low, high), or er.Samples.from_data(states)",
            )
        )


def _jacobians(field: AbstractField, samples: Samples) -> NDArray:
    jacobians = field.jacobian(samples.points)
    finite = np.isfinite(jacobians).all(axis=(1, 2))
    if not finite.all():
        raise InputError(
            explain(
                "The field has no finite derivative at some points.",
                given=f"{int(np.sum(~finite))} of {len(samples)}, the first {samples.points[~finite][0].tolist()}",
                expected="points inside its domain",
                fix="er.Samples.from_data(points) away from singular states",
            )
        )
    return jacobians
