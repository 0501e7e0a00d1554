"""Equivariant bases against emlp on its own 42 test groups, and sizes that it cannot reach.

Both sides are timed from the built group to the basis. *Cold* is the first call: for erlangen in a forked process,
imports done; for emlp with every compiled function thrown away (``--full``: in a process of its own, imports done).
*Warm* is the median of later calls with the stored solutions of emlp thrown away; erlangen stores none. emlp is
stopped after 60 s and counted as 60; where it answers NaN, its time counts, its answer does not. It works in float32,
so that its bases agree to about 1e-5. Ratios are erlangen / emlp.

The short form leaves out the nine cases of T2 and mixed words above 2,500 unknowns, where emlp takes minutes.

Rows ``cold`` hold where rank and span agree and erlangen's own residual is below 1e-10. For unitary groups emlp is
asked about V + V*, the same space over C (equal dimensions); that of complex linear maps of V alone stands beside it.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from benchmarks._emlp_groups import PAIRS, Case, Pair, cases
from benchmarks._rival import CUT_OFF, Answer, Rival
from benchmarks._solves import Problem, Solved, solve
from erlangen.algebra import groups

ANGLE, RESIDUAL = 1e-4, 1e-10
TURNS = Pair("SO(3)", lambda: groups.SO(3), ("SO", 3))
SIZES = (5, 6, 7)
MOST_UNKNOWNS = 2_500  # of all cases but V >> V, unless in full: emlp takes minutes for the nine that are larger


def row(case: str, metric: str, value: Any, asked: str, met: bool, rival: Any = None) -> dict[str, Any]:
    """One row, its ratio where both sides are numbers of seconds."""
    ratio = value / rival if isinstance(value, float) and isinstance(rival, float) and rival else None
    columns = {"case": case, "metric": metric, "value": value, "rival": rival, "ratio": ratio}
    return {**columns, "asked": asked, "met": bool(met)}


def compared(full: bool) -> list[dict[str, Any]]:
    """Every test group of emlp, and tensors of SO(3) up to 6,561 unknowns."""
    asked = [c for pair in PAIRS for c in cases(pair) if full or c.source == "V" or c.unknowns <= MOST_UNKNOWNS]
    large = [Case(TURNS, "T3", "T3"), Case(TURNS, "T4", "T4")]
    done: list[tuple[Case, Answer, Solved]] = []
    with Rival(fresh=full) as rival:
        for case in [*asked, *large]:
            answer = rival.solve(case)
            ours = solve(Problem(case.pair.ours, case.source, case.target), rival=answer.basis)
            done.append((case, answer, ours))
            print(_line(*done[-1]), file=sys.stderr, flush=True)
    rows = [r for one in done for r in _case_rows(*one)]
    return rows + _summary(done[: len(asked)], "42 groups") + _large_rows(done[len(asked) :])


def _line(case: Case, answer: Answer, ours: Solved) -> str:
    """Tell where a long run is."""
    times = f"cold {ours.cold:.2g} s, emlp {answer.cold:.2g}; warm {ours.warm:.2g}, {answer.warm:.2g}"
    return f"{case}: {times}; dimension {ours.dim} ({answer})"


def _agrees(answer: Answer, ours: Solved) -> bool:
    same = not answer.error and answer.dim == ours.dim and ours.angle is not None and ours.angle <= ANGLE
    return (same or bool(answer.error)) and ours.residual <= RESIDUAL


def _case_rows(case: Case, answer: Answer, ours: Solved) -> list[dict[str, Any]]:
    name = f"{case}, dimension {ours.dim} ({answer})"
    return [
        row(name, "cold [s]", ours.cold, "same span, residual <= 1e-10", _agrees(answer, ours), answer.cold),
        row(name, "warm [s]", ours.warm, "<= emlp", ours.warm <= answer.warm, answer.warm),
    ]


def _summary(done: list[tuple[Case, Answer, Solved]], what: str) -> list[dict[str, Any]]:
    answered = [(c, a, s) for c, a, s in done if not a.error]
    cold = float(np.median([s.cold / a.cold for _, a, s in done]))
    slowest = max(done, key=lambda one: one[2].warm / one[1].warm)
    ranks = sum(a.dim == s.dim for _, a, s in answered)
    widest = max(answered, key=lambda one: -1.0 if one[2].angle is None else one[2].angle)
    worst = max(done, key=lambda one: one[2].residual)
    ratio = slowest[2].warm / slowest[1].warm
    return [
        row(f"{what}, {len(done)} cases", "cold / emlp's, median", cold, "<= 0.01", cold <= 0.01),
        row(f"{what}: {slowest[0]}", "warm / emlp's, largest", ratio, "<= 1", ratio <= 1),
        row(
            f"{what}, {len(answered)} answered by emlp", "same rank", ranks, f"{len(answered)}", ranks == len(answered)
        ),
        row(f"{what}: {widest[0]}", "largest principal angle", widest[2].angle, "<= 1e-4", widest[2].angle <= ANGLE),
        row(f"{what}: {worst[0]}", "largest residual", worst[2].residual, "<= 1e-10", worst[2].residual <= RESIDUAL),
    ]


def _large_rows(done: list[tuple[Case, Answer, Solved]]) -> list[dict[str, Any]]:
    rows = []
    for (case, answer, ours), known, bound in zip(done, (15, 91), (0.05, 0.01)):
        against = f"emlp stopped at {CUT_OFF:g} s" if answer.error else "emlp"
        ratio = ours.warm / answer.warm
        rows.append(row(str(case), "dimension", ours.dim, str(known), ours.dim == known))
        rows.append(row(f"{case}; {against}", "warm / emlp's", ratio, f"<= {bound:g}", ratio <= bound))
    return rows


def beyond() -> list[dict[str, Any]]:
    """Sizes that emlp cannot reach: seconds, megabytes and the known dimensions."""
    rows = []
    for name, problem, known, seconds, megabytes in (
        ("SO(3): T5 >> T5, 59,049 unknowns", Problem(lambda: groups.SO(3), "T5", "T5"), 603, 10.0, 1000.0),
        ("SO(1,3): T4 >> T4, 65,536 unknowns", Problem(lambda: groups.SO(1, 3), "T4", "T4"), 196, 10.0, None),
        ("S(50): V*V >> V*V, 6,250,000 unknowns", Problem(lambda: groups.S(50), "T2", "T2"), 15, 3.0, None),
        (
            "S(5) wr S(10): V*V >> V*V, 6,250,000 unknowns",
            Problem(lambda: groups.wreath(groups.S(5), groups.S(10)), "T2", "T2"),
            60,
            3.0,
            None,
        ),
    ):
        ours = solve(problem, warm=False)
        rows.append(row(name, "dimension", ours.dim, str(known), ours.dim == known))
        rows.append(row(name, "cold [s]", ours.cold, f"<= {seconds:g}", ours.cold <= seconds))
        rows.append(row(name, "residual", ours.residual, "<= 1e-10", ours.residual <= RESIDUAL))
        if megabytes:
            rows.append(row(name, "peak memory [MB]", ours.megabytes, f"<= {megabytes:g}", ours.megabytes <= megabytes))
    return rows


def exponent() -> list[dict[str, Any]]:
    """Seconds against the size N = 3^r of each side, SO(3) T_r >> T_r, as a power of N."""
    sizes, times, rows = [], [], []
    for r in SIZES:
        runs = [solve(Problem(lambda: groups.SO(3), f"T{r}", f"T{r}"), warm=False) for _ in range(3 if r < 7 else 1)]
        sizes.append(3.0**r)
        times.append(float(np.median([s.cold for s in runs])))
        name = f"SO(3): T{r} >> T{r}, N = {3**r}, dimension {runs[0].dim}"
        rows.append(row(name, "cold [s]", times[-1], "residual <= 1e-10", runs[0].residual <= RESIDUAL))
    power = float(np.polyfit(np.log(sizes), np.log(times), 1)[0])
    return [*rows, row("SO(3): T5, T6, T7", "exponent of N", power, "<= 3.2", power <= 3.2)]


def clebsch_gordan(most: int = 4) -> list[dict[str, Any]]:
    """Maps from spin l1 times spin l2 to spin l3: as many as e3nn's 3j symbols that do not vanish."""
    from e3nn import o3

    right, worst = 0, 0.0
    for l1, l2, l3 in np.ndindex(most + 1, most + 1, most + 1):
        ours = solve(Problem(lambda: groups.SO(3), f"spin({l1})*spin({l2})", f"spin({l3})"), warm=False)
        theirs = sum(int(o3.wigner_3j(l1, l2, ir.l).any()) for ir in o3.Irrep(l1, 1) * o3.Irrep(l2, 1) if ir.l == l3)
        right += ours.dim == theirs
        worst = max(worst, ours.residual)
    n = (most + 1) ** 3
    name = f"SO(3): spin(l1)*spin(l2) >> spin(l3), l <= {most}, against e3nn"
    return [row(name, "same rank", right, str(n), right == n), row(name, "residual", worst, "<= 1e-10", worst <= 1e-10)]


def run(full: bool) -> list[dict[str, Any]]:
    return compared(full) + beyond() + exponent() + clebsch_gordan()
