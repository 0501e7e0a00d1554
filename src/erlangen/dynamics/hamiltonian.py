"""The Hamiltonian of a vector field or of trajectories: least squares for ``W F = grad H`` on a library."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, UndecidedError, explain
from erlangen._render import html_table, text_table
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.derivative import Samples
from erlangen.dynamics._energy import EnergyFit, fit_energy, form_of_flow
from erlangen.dynamics._law import Law
from erlangen.dynamics.noether import HamiltonianField, noether
from erlangen.dynamics.poisson import PhaseSpace
from erlangen.dynamics.structure import HALF, FieldStructure, StructureFinding, field_of, names_of, structure
from erlangen.fields.libraries import AbstractLibrary, Features, Polynomial
from erlangen.fields.trajectories import Trajectories
from erlangen.linalg.rank import APART

__all__ = ["HamiltonianFit", "hamiltonian"]

WORSE = 1.05
"""Held-out errors up to this many times those of a field without Hamiltonian speak for the Hamiltonian."""
_HEADERS = ("", "relative error")


@dataclass(frozen=True, eq=False)
class HamiltonianFit(AbstractShown):
    """A Hamiltonian with its evidence, or the evidence that the library has none.

    Attributes
    ----------
    names : tuple of str
        The d coordinates.
    form : ndarray (d, d) or None
        W, antisymmetric, with ``W F = grad H``; None where no form was found.
    law : Law or None
        The function H of the library that fits best, up to a constant.
    residual : float
        What it leaves of the velocities, root mean square and relative to them.
    expected : float
        What the error of the velocities explains.
    held_out, free : float
        Errors on held-out data: of this field, and of one with any coefficients over the derivatives of the library.
    found : bool
        Whether H is the Hamiltonian.
    reason : str
        Why, or why not, in words.
    phase_space : PhaseSpace or None
        Where positions and momenta are declared.
    """

    names: tuple[str, ...]
    form: NDArray | None
    law: Law | None
    residual: float
    expected: float
    held_out: float
    free: float
    found: bool
    reason: str
    phase_space: PhaseSpace | None = None

    @property
    def text(self) -> str:
        """H, with numbers rounded where all of them can be."""
        return "" if self.law is None else self.law.text

    def to_latex(self) -> str:
        """H for LaTeX."""
        return "" if self.law is None else f"H = {self.law.latex}"

    @property
    def poisson(self) -> NDArray:
        """P ``(d, d)`` with ``F = P grad H``, the inverse of the form.

        Raises
        ------
        UndecidedError
            When no Hamiltonian was found.
        """
        return np.linalg.inv(self._known()[0])

    @property
    def symmetry(self) -> HamiltonianField:
        """The flow of H as `noether` writes it, where positions and momenta are declared.

        Raises
        ------
        UndecidedError
            When positions and momenta are not known, or no Hamiltonian was found.
        """
        if self.phase_space is None:
            raise UndecidedError(
                explain(
                    "Positions and momenta are not known.",
                    given="a fit without them",
                    expected="conjugate coordinates",
                    fix='hamiltonian(flow, positions=("x",), momenta=("p",))',
                )
            )
        return noether(self._known()[1], self.phase_space.positions, self.phase_space.momenta)

    def energy(self, x: ArrayLike) -> NDArray:
        """H ``(n,)`` at points ``x (n, d)``.

        Parameters
        ----------
        x : array_like (n, d)
            States.

        Returns
        -------
        ndarray (n,)
            H, up to a constant.

        Raises
        ------
        UndecidedError
            When no Hamiltonian was found.
        """
        return self._known()[1].values(np.asarray(x, dtype=np.float64))

    def value(self, x: ArrayLike) -> NDArray:
        """Velocities ``(n, d)`` of the Hamiltonian field at points ``x (n, d)``.

        Parameters
        ----------
        x : array_like (n, d)
            States.

        Returns
        -------
        ndarray (n, d)
            Time derivatives, in units of the states per unit of time.

        Raises
        ------
        UndecidedError
            When no Hamiltonian was found.
        """
        return self._known()[1].gradient(np.asarray(x, dtype=np.float64)) @ self.poisson.T

    def _known(self) -> tuple[NDArray, Law]:
        if self.form is None or self.law is None:
            raise UndecidedError(
                explain("There is no Hamiltonian.", given=self.reason, expected="a form W", fix="another field")
            )
        return self.form, self.law

    @property
    def verdict(self) -> str:
        """The answer in one line."""
        if self.found:
            return f"H = {self.text}"
        return "The field is not Hamiltonian." if self.law is None else "No Hamiltonian exists in this library."

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and strings for JSON."""
        return {
            "verdict": self.verdict,
            "found": self.found,
            "law": None if self.law is None else self.law.to_dict(),
            "form": None if self.form is None else self.form.tolist(),
            **{name: float(getattr(self, name)) for name in ("residual", "expected", "held_out", "free")},
            "reason": self.reason,
            "names": list(self.names),
        }

    def __str__(self) -> str:
        return "\n".join([self.verdict, text_table(_HEADERS, self._rows()), f"- {self.reason}."])

    def __repr__(self) -> str:
        return f"<HamiltonianFit {self.verdict}>"

    def _repr_latex_(self) -> str | None:
        return None if self.law is None else f"$\\displaystyle {self.to_latex()}$"

    def _repr_html_(self) -> str:
        head, note = html.escape(self.verdict), html.escape(self.reason)
        return f"<p>{head}</p>{html_table(_HEADERS, self._rows())}<p>{note}.</p>"

    def _rows(self) -> list[tuple[str, str]]:
        pairs = (
            ("left by the best H of the library", self.residual),
            ("explained by the error of the velocities", self.expected),
            ("on held-out data", self.held_out),
            ("on held-out data, without a Hamiltonian", self.free),
        )
        return [(words, f"{value:.2g}" if np.isfinite(value) else "-") for words, value in pairs]


def hamiltonian(
    source: Any,
    library: AbstractLibrary | None = None,
    *,
    samples: Samples | Trajectories | NDArray | None = None,
    form: FieldStructure | StructureFinding | ArrayLike | None = None,
    positions: Sequence[str] | None = None,
    momenta: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
) -> HamiltonianFit:
    """Find the Hamiltonian H of a vector field or of trajectories: ``W F = grad H`` with W constant.

    W is what positions and momenta say, or as given, or unknown. An unknown W is found from the Jacobians of a field
    (`structure`), and from trajectories together with H: the images ``X F`` of antisymmetric forms X and the gradients
    of the library have a direction in common. Terms of H are dropped that held-out data do not ask for.

    Parameters
    ----------
    source : Trajectories, AbstractField or anything that ``as_field`` accepts
        Trajectories with or without derivatives (they are smoothed without), or a field.
    library : AbstractLibrary, optional
        Functions that H is a combination of; monomials up to degree 4 by default.
    samples : Samples, Trajectories or ndarray (n, d), optional
        Where a field is looked at; needed for fields.
    form : FieldStructure, StructureFinding or array (d, d), optional
        W, or what `structure` found.
    positions, momenta : sequence of str, optional
        Conjugate coordinates, which make W canonical; every coordinate belongs to a pair.
    names : sequence of str, optional
        Names of the coordinates of a field.

    Returns
    -------
    HamiltonianFit
        H with its evidence; ``found`` is False where the library has none.

    Raises
    ------
    InputError
        Where W is singular or of a wrong shape, a field comes without samples, or the library is not finite there.

    References
    ----------
    T. Bertalan, F. Dietrich, I. Mezic, I. G. Kevrekidis, Chaos 29, 121107 (2019), for Hamiltonians as least squares
    solutions of Hamilton's equations.

    Examples
    --------
    >>> import erlangen as er
    >>> pendulum = er.dynamics.Equations.from_text({"q": "p", "p": "-sin(q)"})
    >>> library = er.fields.Polynomial(degree=2) + er.fields.Expressions("cos(q)")
    >>> print(hamiltonian(pendulum, library, samples=er.Samples.box(-2, 2, dim=2, n=100)).text)
    0.5 p^2 - cos(q)
    """
    data = _flow_data(source) if isinstance(source, Trajectories) else _field_data(source, samples, names)
    space = _space(data.names, positions, momenta)
    features = (Polynomial(4) if library is None else library).bind(data.names)
    gradients = features.basis.gradients(data.points)
    if not np.isfinite(gradients).all():
        row, column, _ = np.argwhere(~np.isfinite(gradients))[0]
        raise InputError(
            explain(
                "A function of the library is not finite on the data.",
                given=f"the gradient of {features.texts[column]} at {data.points[row].tolist()}",
                expected="finite values",
                fix="another library, or states inside its domain",
            )
        )
    if not gradients.any():
        raise InputError(
            explain(
                "All functions of the library are constant on the data.",
                given=", ".join(features.texts[:6]),
                expected="functions that vary",
                fix="er.fields.Polynomial(degree=4)",
            )
        )
    w, words = _form(form, space, source, data, gradients, samples)
    if w is None:
        nothing = float("nan")
        return HamiltonianFit(data.names, None, None, nothing, data.error, nothing, nothing, False, words, space)
    fit = fit_energy(np.linalg.inv(w), data.velocities, gradients, data.weights, data.folds, max(data.error, HALF))
    return _judged(fit, w, words, data, features, space)


@dataclass(frozen=True, eq=False)
class _Data:
    """Points with velocities ``(n, d)``, one weight a coordinate, folds, and the relative error of the velocities.

    ``measured`` says that parts of the data err on their own: then what they lose by H can be tested.
    """

    names: tuple[str, ...]
    points: NDArray
    velocities: NDArray
    weights: NDArray
    folds: NDArray
    error: float
    measured: bool = False


FOLDS = 10
"""Parts of the data that take turns to be held out."""


def _flow_data(flow: Trajectories) -> _Data:
    if flow.derivatives is not None:
        points, velocities, errors = flow.points, flow.derivatives, None
    else:
        from erlangen.dynamics.smoothing import smooth

        smoothed = smooth(flow)
        points, velocities, errors = smoothed.flow.points, smoothed.flow.derivatives, 1.0 / smoothed.weights
    assert velocities is not None
    sizes = _sizes(velocities)
    if errors is None:
        return _Data(flow.names, points, velocities, 1.0 / sizes, _parts(len(points)), 0.0)
    typical = np.maximum(np.sqrt(np.mean(errors**2, axis=0)), HALF * sizes)
    relative = float(np.sqrt(np.mean((typical / sizes) ** 2)))
    return _Data(flow.names, points, velocities, 1.0 / typical, _parts(len(points)), relative, measured=True)


def _field_data(source: Any, samples: Any, names: Sequence[str] | None) -> _Data:
    if samples is None:
        raise InputError(
            explain(
                "A field must be looked at somewhere.",
                given="a field without samples",
                expected="samples",
                fix="hamiltonian(field, samples=er.Samples.box(-1, 1, dim=4))",
            )
        )
    known, error, where, columns = field_of(source, samples)
    x = where.points
    velocities = known.value(x)
    listed = tuple(names) if names is not None else columns or names_of(source, x.shape[1])
    # Points of a field are in no order that matters: every tenth is held out.
    return _Data(listed, x, velocities, 1.0 / _sizes(velocities), np.arange(len(x)) % FOLDS, error)


def _parts(n: int) -> NDArray:
    """Folds ``(n,)`` of samples in the order of time: neighbours are held out together."""
    return np.arange(n) * FOLDS // n


def _sizes(velocities: NDArray) -> NDArray:
    sizes = np.sqrt(np.mean(velocities**2, axis=0))
    if not sizes.any():
        raise InputError(explain("Nothing moves.", given="velocities 0", expected="motion", fix="other samples"))
    return np.where(sizes > 0, sizes, sizes.max())


def _space(names: tuple[str, ...], positions: Any, momenta: Any) -> PhaseSpace | None:
    if positions is None and momenta is None:
        return None
    space = PhaseSpace(names, tuple(positions or ()), tuple(momenta or ()))
    if 2 * len(space.positions) != len(names):
        raise InputError(
            explain(
                "Some coordinates are in no pair.",
                given=f"{len(space.positions)} pairs of {len(names)} coordinates",
                expected="every coordinate in a pair",
                fix="drop the other columns, or declare them",
            )
        )
    return space


def _form(
    form: Any, space: PhaseSpace | None, source: Any, data: _Data, gradients: NDArray, samples: Any
) -> tuple[NDArray | None, str]:
    """W and where it is from; None with the reason where there is none."""
    if form is None and space is not None:
        return -space.matrix, "W as positions and momenta say"
    if form is None and isinstance(source, Trajectories):
        return form_of_flow(data.points, data.velocities, gradients, data.error)
    if form is None:
        form = structure(source, samples, names=data.names)
    if isinstance(form, FieldStructure):
        form = form.hamiltonian
    if isinstance(form, StructureFinding):
        if form.verdict != "yes" or form.matrix is None:
            return None, f"no constant nondegenerate W, so no library can have a Hamiltonian: {form.reason}"
        return form.matrix, f"W from the Jacobians: {form.reason}"
    return _checked(form, data.points.shape[1]), "W as given"


def _checked(form: Any, d: int) -> NDArray:
    w = np.asarray(form, dtype=np.float64)
    good = w.shape == (d, d) and np.isfinite(w).all()
    if not good or np.abs(w + w.T).max() > HALF * np.abs(w).max() or np.linalg.cond(w) > 1 / HALF:
        raise InputError(
            explain(
                "This is no form W.",
                given=f"an array of shape {w.shape}",
                expected=f"an invertible antisymmetric matrix ({d}, {d})",
                fix="form=er.dynamics.structure(field, samples)",
            )
        )
    return w


def _judged(
    fit: EnergyFit, w: NDArray, words: str, data: _Data, features: Features, space: PhaseSpace | None
) -> HamiltonianFit:
    limit = max(HALF, APART * data.error)
    law = Law(features, fit.formulation, fit.residual, None, "")
    out = HamiltonianFit(data.names, w, law, fit.residual, data.error, fit.held_out, fit.free, False, words, space)
    # Errors of velocities are stated with room: what a field without H does better, part by part, is no error.
    allowed = fit.excess <= APART if data.measured else fit.held_out <= limit
    as_good = fit.held_out <= WORSE * fit.free or allowed
    if fit.residual <= limit and as_good:
        reason = f"{words}; what H leaves of the velocities is explained by their error"
        verdict = "the Hamiltonian of the field"
        return replace(out, found=True, reason=reason, law=replace(law, verdict=verdict))
    reason = f"{words}; the best H of {len(features.texts)} functions leaves {fit.residual:.2g} of the velocities, "
    reason += f"where their error explains {data.error if fit.residual <= limit else limit:.2g}"
    if fit.free > limit:
        reason += (
            f"; no field over the derivatives of these functions fits either ({fit.free:.2g}): try a larger library"
        )
    elif not as_good:
        reason += f"; a field without a Hamiltonian fits ({fit.free:.2g}): the field is not Hamiltonian for this W"
        if data.measured:
            reason += f" (on held-out parts H does worse by {fit.excess:.2g} standard errors)"
    return replace(out, reason=reason, law=replace(law, verdict="not the Hamiltonian"))
