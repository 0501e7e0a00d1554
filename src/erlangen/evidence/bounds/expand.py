"""Polynomials multiplied out exactly, so that what cancels is gone before anything is bounded."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.evidence.bounds.graph import Input, Linear, Product, Tape, Unary

Terms = dict[tuple[int, ...], Fraction]

MOST_TERMS = 200
"""A polynomial with more terms than this stays as it was written: bounds of long sums are slower, not tighter."""


def expand(tape: Tape, outputs: Sequence[int]) -> tuple[NDArray, NDArray] | None:
    """Multiply out steps that are polynomials of the input.

    Coefficients are summed as fractions, and rounded once: by half an ulp, of which bounds of a sum charge several.

    Parameters
    ----------
    tape : Tape
        The tape.
    outputs : sequence of int
        Steps.

    Returns
    -------
    tuple (ndarray (r, d), ndarray (m, r)) or None
        Exponents and coefficients of their m entries, without those that vanish; None where a step is no polynomial or
        has too many terms.

    Raises
    ------
    InputError
        Where a coefficient is beyond the largest float64.
    """
    needed = sorted(tape.ancestors(outputs) | {0})
    if any(isinstance(step, Unary) and step.name != "power" for step in (tape.steps[number] for number in needed)):
        return None
    values: dict[int, list[Terms]] = {}
    for number in needed:
        found = _entries(tape, number, values)
        if found is None or sum(len(terms) for terms in found) > MOST_TERMS:
            return None
        values[number] = found
    rows = [terms for output in outputs for terms in values[output] if terms]
    table = sorted({powers for terms in rows for powers in terms})
    coefficients = np.array([[_rounded(terms.get(powers, Fraction(0))) for powers in table] for terms in rows])
    return np.array(table, dtype=np.int64).reshape(-1, tape.dim), coefficients.reshape(len(rows), len(table))


def _rounded(c: Fraction) -> float:
    try:
        return float(c)
    except OverflowError:
        digits = len(str(abs(c.numerator))) - len(str(c.denominator))
        raise InputError(
            explain(
                "A coefficient is too large to be written as a number.",
                given=f"a polynomial with a coefficient of about 1e{digits} once it is multiplied out",
                expected=f"coefficients of at most {np.finfo(np.float64).max:.2g}",
                fix="divide the function by a constant: its relative defect stays the same",
            )
        ) from None


def _entries(tape: Tape, number: int, values: dict[int, list[Terms]]) -> list[Terms] | None:
    step = tape.steps[number]
    if isinstance(step, Input):
        unit = np.eye(tape.dim, dtype=int)
        return [{tuple(row.tolist()): Fraction(1)} for row in unit]
    if isinstance(step, Linear):
        return _combined(tape, step, values)
    if isinstance(step, Product):
        return [_times(a, b) for a, b in zip(values[step.left], values[step.right], strict=True)]
    return _powers(step, values[step.parent])


def _combined(tape: Tape, step: Linear, values: dict[int, list[Terms]]) -> list[Terms] | None:
    weights = [weight for _, weight in step.terms]
    if not all(np.isfinite(numbers).all() for numbers in (step.bias, *weights)):
        return None
    rows: list[Terms] = [{(0,) * tape.dim: Fraction(float(b))} if b else {} for b in step.bias]
    for parent, weight in step.terms:
        for i, row in enumerate(rows):
            line = weight[i] if isinstance(weight, np.ndarray) else {i: weight}
            for j in np.flatnonzero(line).tolist() if isinstance(line, np.ndarray) else line:
                factor = Fraction(float(line[j]))
                for powers, c in values[parent][j].items():
                    row[powers] = row.get(powers, Fraction(0)) + factor * c
    return [{powers: c for powers, c in row.items() if c} for row in rows]


def _times(a: Terms, b: Terms) -> Terms:
    out: Terms = {}
    for p, c in a.items():
        for q, e in b.items():
            powers = tuple(i + j for i, j in zip(p, q, strict=True))
            out[powers] = out.get(powers, Fraction(0)) + c * e
    return {powers: c for powers, c in out.items() if c}


def _powers(step: Unary, parent: list[Terms]) -> list[Terms] | None:
    p = step.power
    if p < 0 or p != int(p) or p > 8:
        return None
    factor = Fraction(1)
    for j in range(step.order):
        factor *= int(p) - j
    out = []
    for base in parent:
        if not factor:
            out.append({})
            continue
        terms: Terms = {(0,) * len(next(iter(base), ())): factor} if base else {}
        for _ in range(int(p) - step.order):
            terms = _times(terms, base)
            if len(terms) > MOST_TERMS:
                return None
        if not base and int(p) == step.order:
            return None  # 0 ** 0: left as it was written
        out.append(terms)
    return out
