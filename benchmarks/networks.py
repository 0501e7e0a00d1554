"""Trained torch networks under one default rule: radial targets, targets without symmetry, and a dial between them.

Recipe, the same for every network: 3-32-32-1 in float32, 2,000 training points uniform on the cube [-1, 1]^3,
1,000 steps of Adam on batches of 256 (rate 0.01, cosine), then 900 steps of L-BFGS on all points. Ten seeds are
trained side by side as one stack. Each network is asked about twice: alone (what symmetry does the *network*
have?) and with 2,000 held-out points (what symmetry does the *target* have?). Rival: the network alone, read as
if it were the target.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import brentq
from threadpoolctl import threadpool_limits

import erlangen as er
from erlangen.derivative import LieDerivative
from erlangen.fields import calibrate
from erlangen.verbs import coefficients_of

Target = Callable[[torch.Tensor], torch.Tensor]

WIDTH, N_POINTS = 32, 2000
ACTIVATIONS = {"tanh": torch.nn.Tanh, "silu": torch.nn.SiLU}
DELTA = er.Threshold().delta
SEEDS = range(10)
TURN = er.actions.fields([["-y", "x", "0"]], ["x", "y", "z"])
DIAL = (0.0, 0.02, 0.05, 0.1, 0.2)


def square(x: torch.Tensor) -> torch.Tensor:
    """The invariant x^2 + y^2 + z^2."""
    return (x**2).sum(-1)


RADIAL: dict[str, Target] = {
    "exp(-r^2)": lambda x: torch.exp(-square(x)),
    "log(1 + r^2)": lambda x: torch.log1p(square(x)),
    "cos(2 r)": lambda x: torch.cos(2 * torch.sqrt(square(x))),
}
UNSYMMETRIC: dict[str, Target] = {
    "x + 2 y^2 + sin 3z + x y z": lambda x: x[..., 0] + 2 * x[..., 1] ** 2 + torch.sin(3 * x[..., 2]) + x.prod(-1),
    "x y + y z^2 + x^2 / 2 + z": lambda x: (
        x[..., 0] * x[..., 1] + x[..., 1] * x[..., 2] ** 2 + x[..., 0] ** 2 / 2 + x[..., 2]
    ),
    "exp(x) cos(2y) + z^3 + x y z": lambda x: (
        torch.exp(x[..., 0]) * torch.cos(2 * x[..., 1]) + x[..., 2] ** 3 + x.prod(-1)
    ),
}


def dialled(eps: float) -> Target:
    """A radial function plus eps x y, which breaks the rotation about z (and the others)."""
    return lambda x: torch.exp(-square(x)) + eps * x[..., 0] * x[..., 1]


def eps_for(defect: float) -> float:
    """The eps at which the rotation about z has a given defect on the cube, by Gauss-Legendre quadrature."""
    node, weight = np.polynomial.legendre.leggauss(24)
    x, y, z = np.meshgrid(node, node, node, indexing="ij")
    w = np.einsum("i,j,k->ijk", weight, weight, weight) / 8
    bell = -2 * np.exp(-(x**2 + y**2 + z**2))

    def measured(eps: float) -> float:
        slope = (bell * x + eps * y) ** 2 + (bell * y + eps * x) ** 2 + (bell * z) ** 2
        return math.sqrt(np.sum(w * (eps * (x**2 - y**2)) ** 2) / np.sum(w * slope / 3 * (x**2 + y**2)))

    return 0.0 if defect == 0 else float(brentq(lambda eps: measured(eps) - defect, 0.0, 5.0, xtol=1e-14))


def points(seed: int, n: int = N_POINTS) -> torch.Tensor:
    """Uniform points ``(n, 3)`` of the cube."""
    return torch.from_numpy(np.random.default_rng(seed).uniform(-1, 1, size=(n, 3)))


def train(
    target: Target, activation: str, seeds: Sequence[int], *, noise: float = 0.0, steps: int = 1000, polish: int = 900
):
    """Train one network per seed on its own points; all of them advance together as a stack of matrices."""
    x = torch.stack([points(seed) for seed in seeds])
    y = target(x)[..., None]
    y = y + noise * y.std() * torch.stack([_normal(seed, y.shape[1:]) for seed in seeds])
    mean, spread = y.mean(1, keepdim=True), y.std(1, keepdim=True)
    inputs, wanted = x.float(), ((y - mean) / spread).float()
    act = {"tanh": torch.tanh, "silu": torch.nn.functional.silu}[activation]
    weights = [p.requires_grad_() for p in _initial(seeds)]

    def loss(inputs: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        w1, b1, w2, b2, w3, b3 = weights
        hidden = act(torch.baddbmm(b2, act(torch.baddbmm(b1, inputs, w1)), w2))
        return ((torch.baddbmm(b3, hidden, w3) - wanted) ** 2).mean((1, 2)).sum()

    _adam(weights, loss, inputs, wanted, steps)
    _lbfgs(weights, loss, inputs, wanted, polish)
    parts = [w.detach().double() for w in weights]
    return [
        _network([p[i] for p in parts], ACTIVATIONS[activation], mean[i, 0], spread[i, 0]) for i in range(len(seeds))
    ]


def _normal(seed: int, shape: Sequence[int]) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed + 7).standard_normal(tuple(shape)))


def _initial(seeds: Sequence[int]) -> list[torch.Tensor]:
    out: list[torch.Tensor] = []
    for layer, (inputs, outputs) in enumerate(((3, WIDTH), (WIDTH, WIDTH), (WIDTH, 1))):
        draws = [np.random.default_rng([seed, layer]).standard_normal((inputs, outputs)) for seed in seeds]
        out += [torch.from_numpy(np.stack(draws)).float() / math.sqrt(inputs), torch.zeros(len(seeds), 1, outputs)]
    return out


def _adam(weights: list[torch.Tensor], loss: Callable, inputs: torch.Tensor, wanted: torch.Tensor, steps: int) -> None:
    optimiser = torch.optim.Adam(weights, lr=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    batches = torch.from_numpy(np.random.default_rng(0).integers(inputs.shape[1], size=(steps, 256)))
    for batch in batches:
        optimiser.zero_grad()
        loss(inputs[:, batch], wanted[:, batch]).backward()
        optimiser.step()
        schedule.step()


def _lbfgs(weights: list[torch.Tensor], loss: Callable, inputs: torch.Tensor, wanted: torch.Tensor, steps: int) -> None:
    optimiser = torch.optim.LBFGS(
        weights, max_iter=steps, history_size=20, line_search_fn="strong_wolfe", tolerance_grad=0, tolerance_change=0
    )

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        value = loss(inputs, wanted)
        value.backward()
        return value

    optimiser.step(closure)


def _network(parts: list[torch.Tensor], activation: type, mean: torch.Tensor, spread: torch.Tensor) -> torch.nn.Module:
    """An ordinary module; the units of the values go into its last layer."""
    w1, b1, w2, b2, w3, b3 = parts
    layers = [(w1, b1), (w2, b2), (w3 * spread, b3 * spread + mean)]
    out: list[torch.nn.Module] = []
    for w, b in layers:
        linear = torch.nn.Linear(w.shape[0], w.shape[1], dtype=torch.float64)
        with torch.no_grad():
            linear.weight.copy_(w.T)
            linear.bias.copy_(b[0] if b.ndim == 2 else b)
        out += [linear, activation()]
    return torch.nn.Sequential(*out[:-1])


@dataclass(frozen=True, eq=False)
class Asked:
    """One network, asked alone and with data, beside the truth.

    Attributes
    ----------
    r2 : float
        Explained variance on the held-out points.
    alone, informed : Symmetry
        The answers without and with data.
    error, told : float
        Relative error of the derivative of the network: the true one, and what the residuals say.
    turn : float
        True defect of the rotation about z.
    found : ndarray (dim,)
        True defects of the generators of the informed answer.
    """

    r2: float
    alone: er.Symmetry
    informed: er.Symmetry
    error: float
    told: float
    turn: float
    found: NDArray


def ask(network: torch.nn.Module, target: Target, seed: int, noise: float = 0.0, n: int = N_POINTS) -> Asked:
    """Ask about one network with the default rule, affine candidates and n held-out points."""
    x = points(1000 + seed, n)
    y = target(x)
    seen = (y + noise * y.std() * _normal(1000 + seed, y.shape)).numpy()
    at, values, action = x.numpy(), y.numpy(), er.actions.affine(3)
    model = er.as_field(network)
    calibrated = calibrate(model, at, seen)
    alone, informed = er.discover(model, action, at), er.discover(calibrated, action)
    exact = er.as_field(lambda p: target(torch.from_numpy(p)).numpy(), dim=3, jacobian=lambda p: slope(target, p))
    truth = LieDerivative(exact, action, er.Samples.from_data(at))
    r2 = 1 - float(np.var(model.value(at)[:, 0] - values) / np.var(values))
    error = float(np.linalg.norm(model.jacobian(at) - exact.jacobian(at)) / np.linalg.norm(exact.jacobian(at)))
    turn = float(truth.defect(coefficients_of(action, TURN))[0])
    found = truth.defect(informed.generators.T) if informed.dim else np.zeros(0)
    return Asked(r2, alone, informed, error, calibrated.error, turn, found)


def slope(target: Target, x: NDArray) -> NDArray:
    """Exact derivatives ``(n, 1, 3)`` of a target."""
    at = torch.from_numpy(np.ascontiguousarray(x)).requires_grad_()
    (gradient,) = torch.autograd.grad(target(at).sum(), at)
    return gradient.numpy()[:, None, :]


@dataclass(frozen=True)
class Job:
    """Ten networks: the name of a target or the eps of the dial, an activation, and the noise of the values."""

    target: str | float
    activation: str
    noise: float = 0.0

    def run(self) -> list[Asked]:
        """Train one network per seed and ask about each."""
        # One thread each: the matrices of a stack are too small to share.
        torch.set_num_threads(1)
        with threadpool_limits(1):
            named = RADIAL | UNSYMMETRIC
            target = named[self.target] if isinstance(self.target, str) else dialled(self.target)
            networks = train(target, self.activation, SEEDS, noise=self.noise)
            return [ask(net, target, seed, self.noise) for net, seed in zip(networks, SEEDS, strict=True)]


def run_all(jobs: Sequence[Job]) -> dict[Job, list[Asked]]:
    """Run the jobs on two cores."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        return dict(zip(jobs, pool.map(Job.run, jobs), strict=True))


def row(case: str, metric: str, value: Any, asked: Any, met: bool | None, rival: Any = None) -> dict[str, Any]:
    """One row of the table."""
    return {"case": case, "metric": metric, "value": value, "rival": rival, "ratio": None, "asked": asked, "met": met}


def radial_rows(nets: list[Asked]) -> list[dict[str, Any]]:
    """How often so(3) is named, and whether the intervals of its generators cover their true defects."""
    named = sum(a.informed.dim == 3 and a.informed.name == "so(3)" for a in nets)
    alone = sum(a.alone.dim == 3 and a.alone.name == "so(3)" for a in nets)
    inside, widths = [], []
    for a in nets:
        low, high = a.informed.intervals.T
        inside += list((low <= a.found) & (a.found <= high))
        widths += list(high - low)
    n, case = len(nets), "radial targets"
    return [
        row(case, f"so(3) named, of {n}; rival: network alone", named, n, named == n, alone),
        row(case, "smallest R^2", min(a.r2 for a in nets), "> .9995", min(a.r2 for a in nets) > 0.9995),
        row(case, "generators covered, share", float(np.mean(inside)), ">= .95", float(np.mean(inside)) >= 0.95),
        row(case, "mean width of interval", float(np.mean(widths)), None, None),
    ]


def unsymmetric_rows(nets: list[Asked]) -> list[dict[str, Any]]:
    """How often nothing is found, in words."""
    word = "No continuous symmetry"
    none = sum(a.informed.dim == 0 and a.informed.verdict.startswith(word) for a in nets)
    alone = sum(a.alone.dim == 0 and a.alone.verdict.startswith(word) for a in nets)
    least = min(a.informed.spectrum[0] for a in nets)
    return [
        row(
            "unsymmetric targets",
            f"nothing named, of {len(nets)}; rival: alone",
            none,
            len(nets),
            none == len(nets),
            alone,
        ),
        row("unsymmetric targets", "smallest defect", float(least), f"> {DELTA}", least > DELTA),
    ]


def dial_rows(nets: list[Asked], case: str) -> list[dict[str, Any]]:
    """Coverage and verdicts for the rotation about z where its true defect is known."""
    tests = [a.informed.test(TURN) for a in nets]
    alone = [a.alone.test(TURN) for a in nets]
    true = [a.turn for a in nets]
    covered = float(np.mean([t.low <= s <= t.high for t, s in zip(tests, true, strict=True)]))
    naive = float(np.mean([t.low <= s <= t.high for t, s in zip(alone, true, strict=True)]))
    right = {"symmetric": lambda s: s <= DELTA, "broken": lambda s: s > DELTA, "undecided": lambda s: True}
    wrong = sum(not right[t.verdict](s) for t, s in zip(tests, true, strict=True))
    naive_wrong = sum(not right[t.verdict](s) for t, s in zip(alone, true, strict=True))
    counts = ", ".join(f"{sum(t.verdict == v for t in tests)} {v}" for v in right)
    width = float(np.mean([t.high - t.low for t in tests]))
    return [
        row(case, f"share covered, of {len(nets)}; rival: alone", covered, ">= .95", covered >= 0.95, naive),
        row(case, "mean width of interval", width, None, None),
        row(case, f"wrong verdicts ({counts})", wrong, 0, wrong == 0, naive_wrong),
    ]


def calibration_rows(nets: list[Asked], case: str) -> list[dict[str, Any]]:
    """Estimated over true error of the derivative of the networks, which the residuals alone must tell."""
    ratios = np.array([a.told / a.error for a in nets])
    # What must not happen is that an error is missed; under noise nobody can tell it from above.
    not_missed = float(np.mean(ratios > 2 / 3))
    return [
        row(case, "true error of the derivative, median", float(np.median([a.error for a in nets])), None, None),
        row(case, "estimated over true, median", float(np.median(ratios)), None, None),
        row(case, "share told above 2/3 of the true one", not_missed, ">= .95", not_missed >= 0.95),
        row(case, "largest estimated over true", float(ratios.max()), None, None),
    ]


def run(full: bool) -> list[dict[str, Any]]:
    """Train the networks and ask about each; ``full`` adds networks fitted to and judged by noisy values."""
    radial = [Job(name, activation) for name in RADIAL for activation in ACTIVATIONS]
    plain = [Job(name, activation) for name, activation in zip(UNSYMMETRIC, ("tanh", "silu", "tanh"), strict=True)]
    dial = {s: [Job(eps_for(s), activation) for activation in ACTIVATIONS] for s in DIAL}
    noisy = {s: [Job(job.target, job.activation, 0.05) for job in jobs] for s, jobs in dial.items() if full}
    jobs = [*radial, *plain, *(job for group in (*dial.values(), *noisy.values()) for job in group)]
    asked = run_all(jobs)

    def nets(jobs: Sequence[Job]) -> list[Asked]:
        return [one for job in jobs for one in asked[job]]

    rows = radial_rows(nets(radial)) + unsymmetric_rows(nets(plain))
    for defect, group in dial.items():
        rows += dial_rows(nets(group), f"dial, true defect {defect:g}")
    rows += calibration_rows(nets([*radial, *(job for group in dial.values() for job in group)]), "error told")
    for defect, group in noisy.items():
        rows += dial_rows(nets(group), f"dial with 5 % noise, {defect:g}")
    return rows + (calibration_rows(nets([j for g in noisy.values() for j in g]), "error told, noise") if full else [])
