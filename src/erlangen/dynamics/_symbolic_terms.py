"""Expressions as sums of terms: constants in front, in which a fit is linear, and constants inside functions.

A term is a product of atoms with whole exponents. An atom is a coordinate, or a function of a sum of terms; the
function ``"id"`` is the sum itself, and stands for what a quotient is divided by. Of the coefficients of a sum inside
a function, those of type float are fitted and those of type int are exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from erlangen._formula import Formula
from erlangen._formula_tree import ONE, Node, Number, Variable, call, negative, over, plus, power, times
from erlangen._typing import NDArray

MOST_TERMS = 40
"""Terms of an expanded expression from which on it explains nothing."""


@dataclass(frozen=True)
class Call:
    """A function of a sum."""

    name: str
    inside: Sum


Atom = str | Call
Term = tuple[tuple[Atom, int], ...]
Sum = tuple[tuple[float, Term], ...]
UNIT: Term = ()


class TooLong(Exception):
    """An expanded expression has more terms than anybody would read."""


# --- arithmetic


def _key(term: Term) -> tuple:
    return tuple((_atom_key(atom), exponent) for atom, exponent in term)


def _atom_key(atom: Atom) -> tuple:
    if isinstance(atom, str):
        return (0, atom)
    return (1, atom.name, tuple((_key(term), c) for c, term in atom.inside))


def collect(pieces: Sequence[tuple[float, Term]]) -> Sum:
    """Sum of terms, equal ones added, in a fixed order, without zeros."""
    found: dict[Term, float] = {}
    for c, term in pieces:
        found[term] = found.get(term, 0) + c
    kept = [(c, term) for term, c in found.items() if c != 0]
    if len(kept) > MOST_TERMS or not all(math.isfinite(c) for c, _ in kept):
        raise TooLong
    return tuple(sorted(kept, key=lambda piece: (len(piece[1]), _key(piece[1]))))


def add(a: Sum, b: Sum) -> Sum:
    """Sum of two sums."""
    return collect((*a, *b))


def scale(c: float, a: Sum) -> Sum:
    """A number times a sum."""
    return collect([(c * k, term) for k, term in a])


def multiply(a: Sum, b: Sum) -> Sum:
    """Product of two sums, multiplied out."""
    if len(a) * len(b) > MOST_TERMS**2:
        raise TooLong
    return collect([piece for p, s in a for q, t in b for piece in _product(p * q, s, t)])


def _product(c: float, s: Term, t: Term) -> Sum:
    exponents: dict[Atom, int] = dict(s)
    for atom, exponent in t:
        exponents[atom] = exponents.get(atom, 0) + exponent
    kept = [(atom, exponent) for atom, exponent in exponents.items() if exponent]
    opened = [(atom, e) for atom, e in kept if isinstance(atom, Call) and atom.name == "id" and e > 0]
    kept = _one_exponential([piece for piece in kept if piece not in opened])
    out: Sum = ((c, tuple(sorted(kept, key=lambda piece: _atom_key(piece[0])))),)
    for atom, exponent in opened:
        assert isinstance(atom, Call)
        out = multiply(out, whole_power(atom.inside, exponent))
    return out


def _one_exponential(pieces: list[tuple[Atom, int]]) -> list[tuple[Atom, int]]:
    """Exponentials in a product as one, of the sum of what stands inside."""
    calls = [(atom, e) for atom, e in pieces if isinstance(atom, Call) and atom.name == "exp"]
    if not calls or (len(calls) == 1 and calls[0][1] == 1):
        return pieces
    inside = collect([piece for atom, e in calls for piece in scale(e, atom.inside)])
    rest = [piece for piece in pieces if piece not in calls]
    return [*rest, (Call("exp", inside), 1)] if inside else rest


def whole_power(a: Sum, exponent: int) -> Sum:
    """A sum to a positive whole power."""
    out = a
    for _ in range(exponent - 1):
        out = multiply(out, a)
    return out


def inverse(a: Sum) -> Sum:
    """One over a sum; the coefficient of its first term that is no constant becomes one, in front."""
    if not a:
        raise TooLong
    if len(a) == 1:
        c, term = a[0]
        return ((1 / c, tuple((atom, -exponent) for atom, exponent in term)),)
    first = next(k for k, (_, term) in enumerate(a) if term)
    lead = a[first][0]
    inside = tuple((1 if k == first else _over(c, lead), term) for k, (c, term) in enumerate(a))
    return ((1 / lead, ((Call("id", inside), -1),)),)


def _over(c: float, lead: float) -> float:
    """A quotient that leaves exact numbers exact where nothing is divided."""
    return c if lead == 1 else c / lead


def apply(name: str, a: Sum) -> Sum:
    """A function of a sum, in a form that fits have no redundant constants in."""
    constant = sum(c for c, term in a if not term)
    rest = tuple((c, term) for c, term in a if term)
    if not rest:
        with np.errstate(all="ignore"):
            return collect([(float(VALUES[name](np.float64(constant))), UNIT)])
    if name == "exp":
        front = math.exp(constant) if abs(constant) < 50 else math.inf  # no constant of a system is 10^21
        return collect([(front, ((Call(name, rest), 1),))])
    if name == "log":
        lead = abs(rest[0][0])
        inside = tuple((_over(c, lead), term) for c, term in a)
        return collect([(1, ((Call(name, inside), 1),)), (math.log(lead), UNIT)])
    if name == "sqrt":
        lead = abs(rest[0][0])
        inside = tuple((_over(c, lead), term) for c, term in a)
        return ((math.sqrt(lead), ((Call(name, inside), 1),)),)
    if rest[0][0] < 0:
        return ((1 if name == "cos" else -1, ((Call(name, scale(-1, a)), 1),)),)
    return ((1, ((Call(name, a), 1),)),)


VALUES: dict[str, Callable[[Any], Any]] = {
    "id": lambda u: u,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "tanh": np.tanh,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
}


def _slope(atom: Call) -> Sum:
    """Derivative of a function by what stands inside."""
    itself: Sum = ((1, ((atom, 1),)),)
    if atom.name == "id":
        return ((1, UNIT),)
    if atom.name == "exp":
        return itself
    if atom.name == "sin":
        return ((1, ((Call("cos", atom.inside), 1),)),)
    if atom.name == "cos":
        return ((-1, ((Call("sin", atom.inside), 1),)),)
    if atom.name in ("tan", "tanh"):
        return collect([(1, UNIT), (1 if atom.name == "tan" else -1, ((atom, 2),))])
    if atom.name == "log":
        return inverse(atom.inside)
    return ((0.5, ((atom, -1),)),)  # the square root


def derivative(a: Sum, name: str) -> Sum:
    """Derivative of a sum by a coordinate."""
    out: Sum = ()
    for c, term in a:
        for k, (atom, exponent) in enumerate(term):
            inner: Sum = ((1, UNIT),) if atom == name else ()
            if isinstance(atom, Call):
                inner = derivative(atom.inside, name)
                inner = multiply(_slope(atom), inner) if inner else ()
            lower = (*term[:k], *(((atom, exponent - 1),) if exponent != 1 else ()), *term[k + 1 :])
            out = add(out, multiply(((c * exponent, lower),), inner)) if inner else out
    return out


def substitute(a: Sum, images: Mapping[str, Sum]) -> Sum:
    """A sum with sums in the place of coordinates."""
    out: Sum = ()
    for c, term in a:
        piece: Sum = ((c, UNIT),)
        for atom, exponent in term:
            if isinstance(atom, str):
                base = images[atom]
            else:
                inside = substitute(atom.inside, images)
                base = inside if atom.name == "id" else apply(atom.name, inside)
            factor = whole_power(base, exponent) if exponent > 0 else whole_power(inverse(base), -exponent)
            piece = multiply(piece, factor)
        out = add(out, piece)
    return out


# --- what fits need: constants inside functions, those of a function that occurs twice counted once


def constants(chosen: Sequence[Term]) -> list[float]:
    """The fitted constants inside the functions of terms, in a fixed order."""
    return [c for call_ in _calls(chosen) for c in _inner(call_.inside)]


def _calls(chosen: Sequence[Term]) -> list[Call]:
    return list(dict.fromkeys(atom for term in chosen for atom, _ in term if isinstance(atom, Call)))


def _inner(a: Sum) -> Iterator[float]:
    for c, term in a:
        if isinstance(c, float):
            yield c
        for atom, _ in term:
            if isinstance(atom, Call):
                yield from _inner(atom.inside)


def with_constants(chosen: Sequence[Term], values: Iterable[float]) -> tuple[Term, ...]:
    """The terms with other constants inside."""
    each = iter([float(v) for v in values])
    renewed = {call_: _renewed(call_, each) for call_ in _calls(chosen)}
    return tuple(
        tuple((renewed[atom] if isinstance(atom, Call) else atom, exponent) for atom, exponent in term)
        for term in chosen
    )


def _renewed(at: Call, values: Iterator[float]) -> Call:
    inside = []
    for c, term in at.inside:
        first = next(values) if isinstance(c, float) else c
        inside.append((first, tuple((_renewed(x, values) if isinstance(x, Call) else x, e) for x, e in term)))
    return Call(at.name, tuple(inside))


def exact(chosen: Sequence[Term], at: int, value: int) -> tuple[Term, ...] | None:
    """The terms with one fitted constant inside made exact; a zero leaves its part out. None where nothing remains.

    Factors that then come in front are left out: what stands in front of a term is fitted.
    """
    marked = with_constants(chosen, [math.nan if k == at else c for k, c in enumerate(constants(chosen))])
    try:
        out = [_settled_term(term, value) for term in marked]
    except (TooLong, OverflowError, ZeroDivisionError):
        return None
    kept = tuple(term for term in out if term is not None)
    return kept if len(set(kept)) == len(chosen) else None


def _settled_term(term: Term, value: int) -> Term | None:
    out: Sum = ((1, UNIT),)
    for atom, exponent in term:
        base: Sum = ((1, ((atom, 1),)),)
        if isinstance(atom, Call):
            inside = [(c, _settled_term(inner, value)) for c, inner in _marked_as(atom.inside, value)]
            kept = collect([(c, inner) for c, inner in inside if inner is not None])
            if not any(inner for _, inner in kept) or len(kept) < len(inside):
                return None
            base = kept if atom.name == "id" else apply(atom.name, kept)
        factor = whole_power(base, exponent) if exponent > 0 else whole_power(inverse(base), -exponent)
        out = multiply(out, factor)
    return out[0][1] if len(out) == 1 else None


def _marked_as(a: Sum, value: int) -> list[tuple[float, Term]]:
    """A sum with an exact number in place of a constant that is marked as NaN."""
    pieces = [(value if isinstance(c, float) and math.isnan(c) else c, term) for c, term in a]
    return [piece for piece in pieces if piece[0]]


def shape(term: Term) -> tuple:
    """The term without the values of its fitted constants."""
    return tuple(
        (atom if isinstance(atom, str) else (atom.name, _sum_shape(atom.inside)), exponent) for atom, exponent in term
    )


def _sum_shape(a: Sum) -> tuple:
    return tuple((None if isinstance(c, float) else c, shape(term)) for c, term in a)


def size(term: Term) -> int:
    """Number of symbols in which the term is written."""
    return sum((1 if isinstance(atom, str) else 1 + _sum_size(atom.inside)) + abs(e) - 1 for atom, e in term) or 1


def _sum_size(a: Sum) -> int:
    return sum(size(term) + (c != 1) for c, term in a)


def values(term: Term, columns: Mapping[str, NDArray]) -> Any:
    """Values of a term at columns of coordinates, which may be complex; NaN or inf outside its domain."""
    out: Any = 1.0
    for atom, exponent in term:
        if isinstance(atom, str):
            base = columns[atom]
        else:
            base = VALUES[atom.name](sum(c * values(inner, columns) for c, inner in atom.inside))
        out = out * (base if exponent == 1 else base**exponent)
    return out


def _tree(term: Term) -> Node:
    top, below = ONE, ONE
    for atom, exponent in term:
        if isinstance(atom, str):
            base: Node = Variable(atom)
        else:
            base = _sum_tree(atom.inside) if atom.name == "id" else call(atom.name, _sum_tree(atom.inside))
        factor = power(base, Number(float(abs(exponent))))
        top, below = (times(top, factor), below) if exponent > 0 else (top, times(below, factor))
    return over(top, below)


def _sum_tree(a: Sum) -> Node:
    pieces = [times(Number(abs(float(c))), _tree(term)) for c, term in a]
    return plus(*(negative(piece) if c < 0 else piece for piece, (c, _) in zip(pieces, a, strict=True)))


def text(term: Term, names: tuple[str, ...]) -> str:
    """The term as a formula."""
    return str(Formula("1", names, _tree(term)))
