"""What found equations conserve, or what leaves them alone, named from the equations themselves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import erlangen as er
from benchmarks._truth import Terms
from erlangen.fields import Trajectories
from erlangen.fields.libraries import Expressions, Polynomial

MIDDLE = (0.2, 0.95)
"""Quantiles of each coordinate between which equations are looked at: not where logarithms end."""


def named(found: Sequence[Terms], flow: Trajectories) -> str:
    """A conserved quantity, else a symmetry up to the speed of the clock, else nothing.

    Laws are sought among quadratic functions, logarithms of coordinates that are positive, and sines and cosines of
    the others.
    """
    equations = {
        name: " + ".join(f"{float(value)!r}*{_formula(key)}" for key, value in form.items()) or "0"
        for name, form in zip(flow.names, found, strict=True)
    }
    low, high = np.quantile(flow.points, MIDDLE, axis=0)
    points = np.random.default_rng(0).uniform(low, high, (300, len(low)))
    functions: list[str] = []
    for name, least in zip(flow.names, low, strict=True):
        functions += [f"log({name})"] if least > 0 else [f"cos({name})", f"sin({name})**2"]
    try:
        laws = er.dynamics.conserved(equations, Polynomial(2) + Expressions(*functions), samples=points).laws
        if laws:
            return f"conserved {laws[0].text}"
        return "; ".join(er.dynamics.symmetries(equations, samples=points, rescaling="constant").texts)
    except er.ErlangenError:
        return ""


def _formula(key: str) -> str:
    return key.replace("Abs(", "abs(")
