"""The planets: their law of motion from bundled ephemerides, and rotations from the law itself."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import least_squares

import erlangen as er
from benchmarks._row import row
from erlangen.data import planets_path
from erlangen.dynamics import SINDy, conserved, symmetries
from erlangen.fields import Expressions, Polynomial
from erlangen.fields.trajectories import Trajectories

STATES = ("x", "y", "z", "vx", "vy", "vz")
INNER = ("mercury", "venus", "earth", "mars")
GIANTS = ("jupiter", "saturn", "uranus", "neptune")
RADIUS = "sqrt(x**2+y**2+z**2)"
POWERS = (1, 2, 3, 4, 5)
MASS = {"jupiter": 1 / 1047.3486, "saturn": 1 / 3497.898, "uranus": 1 / 22902.98, "neptune": 1 / 19412.24}
"""Masses of the giant systems in solar masses (IAU 2009): relative to the Sun they see 1 + m. For the report only."""


def rows(full: bool) -> list[dict[str, Any]]:
    flow = _planets()
    inner = flow.select(INNER)
    out = [_exponent_row(name, flow.select([name]), name in INNER) for name in (*INNER, *GIANTS)]
    out += _joint_rows(flow, inner)
    # Velocities have eleven digits, so that derivatives are known. Solutions, which the default form fits, tell the
    # pulls of other planets from rounding, and have terms for them.
    model, seconds = _law(inner, "strong")
    out += _law_rows("planets: sparse law of derivatives", model, seconds, True)
    if full:
        out += _law_rows("planets: sparse law of solutions", *_law(inner, "auto"), False)
    out += _symmetry_rows(model, flow)
    return out


def _planets() -> Trajectories:
    table = pd.read_csv(planets_path())
    return Trajectories.from_arrays(table[list(STATES)].to_numpy(), table["t"], names=STATES, groups=table["body"])


def power_law(flow: Trajectories) -> tuple[float, float]:
    """Mass parameter and exponent k of ``a = -mu x / r^k``, all accelerations weighing by their relative error.

    Accelerations are derivatives of the bundled velocities, which have eleven digits; both parameters start at 1.
    """
    x, a = flow.points[:, :3], flow.derivative_estimates()[:, 3:]
    r, weight = np.linalg.norm(x, axis=1), 1 / np.linalg.norm(a, axis=1)

    def left(p: NDArray) -> NDArray:
        return ((a + np.exp(p[0]) * x * r[:, None] ** -p[1]) * weight[:, None]).ravel()

    found = least_squares(left, [0.0, 1.0], xtol=1e-14, ftol=1e-14, gtol=1e-14)
    return float(np.exp(found.x[0])), float(found.x[1])


def mass_at_three(flow: Trajectories) -> float:
    """Mass parameter of ``a = -mu x / r^3``."""
    x, a = flow.points[:, :3], flow.derivative_estimates()[:, 3:]
    pull = x / np.linalg.norm(x, axis=1, keepdims=True) ** 3
    weight = 1 / np.sum(a**2, axis=1)
    return float(-(weight @ np.sum(a * pull, axis=1)) / (weight @ np.sum(pull**2, axis=1)))


def _exponent_row(name: str, flow: Trajectories, judged: bool) -> dict[str, Any]:
    _, k = power_law(flow)
    asked = "<= .005" if judged else "reported"
    return row(
        f"planets: {name} alone", f"exponent off 3 ({k:.5f})", abs(k / 3 - 1), None, asked, _met(judged, k, 3, 5e-3)
    )


def _met(judged: bool, value: float, truth: float, within: float) -> bool | None:
    return abs(value / truth - 1) <= within if judged else None


def _joint_rows(flow: Trajectories, inner: Trajectories) -> list[dict[str, Any]]:
    mu, k = power_law(inner)
    joint = "planets: mercury to mars together"
    return [
        row(joint, f"exponent off 3 ({k:.6f})", abs(k / 3 - 1), None, "<= .005", abs(k / 3 - 1) <= 5e-3),
        row(joint, f"mu off 1, exponent free ({mu:.6f})", abs(mu - 1), None, "<= .001", abs(mu - 1) <= 1e-3),
        *(_mass_row(inner, name) for name in INNER),
        *(_mass_row(flow, name) for name in GIANTS),
    ]


def _mass_row(flow: Trajectories, name: str) -> dict[str, Any]:
    mu, truth = mass_at_three(flow.select([name])), 1 + MASS.get(name, 0.0)
    judged = name in INNER
    metric = f"mu off {truth:.6g} at exponent 3 ({mu:.6f})"
    return row(
        f"planets: {name} alone",
        metric,
        abs(mu / truth - 1),
        None,
        "<= .001" if judged else "reported",
        _met(judged, mu, truth, 1e-3),
    )


def _law(inner: Trajectories, form: str) -> tuple[SINDy, float]:
    """Select among powers of the distance, positions and velocities: nothing says that the law is a cube."""
    library = Expressions(*[f"{c}/({RADIUS})**{k}" for k in POWERS for c in "xyz"], *STATES)
    start = time.perf_counter()
    model = SINDy(library, form=form).fit(inner)
    return model, time.perf_counter() - start


def _law_rows(case: str, model: SINDy, seconds: float, judged: bool) -> list[dict[str, Any]]:
    texts = [text.replace("^", "**") for text in model.feature_names_]
    cube = [_place(texts, f"{c}/sqrt(x**2 + y**2 + z**2)**3") for c in "xyz"]
    speed = [_place(texts, v) for v in STATES[3:]]
    expected = np.zeros(model.coefficients_.shape, dtype=bool)
    expected[np.arange(6), speed + cube] = True
    wrong = int(np.sum((model.coefficients_ != 0) != expected))
    worst = float(np.abs(-model.coefficients_[np.arange(3, 6), cube] - 1).max())
    asked = ("0", "<= .001") if judged else ("reported", "reported")
    return [
        row(case, f"terms that are wrong, of {expected.size}", wrong, None, asked[0], wrong == 0 if judged else None),
        row(case, "mu off 1, worst axis", worst, None, asked[1], worst <= 1e-3 if judged else None),
        row(case, "time [s]", seconds, None, None),
    ]


def _place(texts: list[str], wanted: str) -> int:
    return texts.index(wanted)


def _symmetry_rows(model: SINDy, flow: Trajectories) -> list[dict[str, Any]]:
    """Rotations of the fitted equations, against those that conserved angular momenta generate."""
    shell = _shell()
    first = symmetries(model, er.actions.gl(6), shell, names=STATES)
    second = symmetries(model, samples=shell, order=2, names=STATES)
    free = symmetries(model, er.actions.gl(6), shell, rescaling="constant", names=STATES)
    pairs = {"positions": STATES[:3], "momenta": STATES[3:]}
    laws = conserved(flow, Polynomial(degree=2) + Expressions(f"1/{RADIUS}"), **pairs)
    noether = [g for g in laws.generators if g.text != "the flow itself: translation in time"]
    angle = _largest_angle(first.action.on_points(shell), np.stack([g.value(shell) for g in noether], axis=1))
    name = "none" if laws.algebra is None else laws.algebra.name
    points = "planets: from the equations"
    return [
        row(points, f"symmetry of the flow is {first.name}", first.dim, None, "so(3)", first.name == "so(3)"),
        row(
            points,
            f"point symmetries are {second.name}",
            second.dim,
            None,
            "5: so(3), time, Kepler's third law",
            second.dim == 5,
        ),
        row(
            points,
            f"with the clock free: {free.name}; {_scaling(free)}",
            free.dim,
            None,
            "4, [xi, F] = -3 F for 2 x, -v",
            free.dim == 4,
        ),
        row(
            points, f"Poisson algebra of what runs conserve is {name}", laws.n_laws, None, "so(3)+R", name == "so(3)+R"
        ),
        row(points, "largest angle between the two algebras, sine", angle, None, "<= .001", angle <= 1e-3),
    ]


def _scaling(found: er.Symmetry) -> str:
    return next((text.partition(", ")[2] for text in found.texts if "F" in text), "no scaling")


def _shell() -> NDArray:
    """Places in all directions at the distances of the inner planets, with velocities of that size."""
    rng = np.random.default_rng(0)
    direction = rng.normal(size=(2000, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    r = rng.uniform(0.3, 1.7, (2000, 1))
    return np.hstack([direction * r, rng.normal(size=(2000, 3)) / np.sqrt(r)])


def _largest_angle(one: NDArray, other: NDArray) -> float:
    """Sine of the largest angle between the spans of vector fields ``(n, p, d)`` on the same points."""
    a, b = (np.linalg.qr(f.transpose(0, 2, 1).reshape(-1, f.shape[1]))[0] for f in (one, other))
    return float(np.linalg.norm(b - a @ (a.T @ b), 2)) if a.shape[1] == b.shape[1] else 1.0
