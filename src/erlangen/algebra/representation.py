"""Representations of a matrix group as values, written as one says them: ``2V + S + V*V.T``.

A representation is a sum of tensor words in the defining representation V and its dual. Products
of sums are multiplied out from left to right, which fixes the order of the basis: the blocks
follow each other as printed, and the last factor of a word varies fastest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from erlangen._errors import InputError, explain
from erlangen.algebra.groups import Group

Word = tuple[bool, ...]
"""Factors of a tensor product: False for V, True for its dual. The empty word is a scalar."""

_MOST_TERMS = 10_000
_LONGEST_TEXT = 2_000
_DEEPEST = 100


@dataclass(frozen=True)
class Representation:
    """A sum of tensor products of the defining representation and its dual.

    Parameters
    ----------
    group : Group
        The group that acts.
    terms : tuple of (word, count)
        Blocks in order; equal neighbours are counted together.

    Examples
    --------
    >>> from erlangen.algebra.groups import SO
    >>> V = rep("V", SO(3))
    >>> print(V * V + 2 * V, (V * V.dual).size)
    V**2 + 2V 9
    """

    group: Group
    terms: tuple[tuple[Word, int], ...]

    @property
    def size(self) -> int:
        """Dimension of the space."""
        return sum(count * self.group.size ** len(word) for word, count in self.terms)

    @property
    def dual(self) -> Representation:
        """The representation on linear functionals, g to the inverse transpose."""
        return _collected(self.group, [(tuple(not f for f in word), count) for word, count in self.terms])

    T = dual

    def matrix(self, a: NDArray) -> NDArray:
        """Matrix ``(size, size)`` of an element ``(k, k)`` of the Lie algebra.

        Leibniz' rule: on a product it is the sum over factors of A (or -A^T on a dual one)
        with the identity on all others.
        """
        a = self._element(a)
        return self._blocks(lambda word: _leibniz([-a.T if dual else a for dual in word]))

    def group_matrix(self, g: NDArray) -> NDArray:
        """Matrix ``(size, size)`` of a group element ``(k, k)``: Kronecker products of g and g^-T."""
        g = self._element(g)
        inverse = np.linalg.inv(g).T if any(True in word for word, _ in self.terms) else g
        return self._blocks(lambda word: _kronecker([inverse if dual else g for dual in word]))

    def _element(self, a: NDArray) -> NDArray:
        a, k = np.asarray(a, dtype=np.float64), self.group.size
        if a.shape != (k, k):
            raise InputError(
                explain(
                    f"A representation of {self.group.name} acts through matrices of size {k}.",
                    given=f"an array of shape {a.shape}",
                    expected=f"shape ({k}, {k})",
                    fix="representation.matrix(group.lie_algebra[0])",
                )
            )
        return a

    def _blocks(self, of_word) -> NDArray:
        blocks = {word: of_word(word) for word, _ in self.terms}
        parts = [blocks[word] for word, count in self.terms for _ in range(count)]
        return scipy.linalg.block_diag(*parts) if parts else np.zeros((0, 0))

    def __add__(self, other: Representation) -> Representation:
        if not isinstance(other, Representation):
            return NotImplemented
        self._same_group(other)
        return _collected(self.group, [*self.terms, *other.terms])

    def __mul__(self, other: Representation | int) -> Representation:
        if isinstance(other, int):
            return self.__rmul__(other)
        if not isinstance(other, Representation):
            return NotImplemented
        self._same_group(other)
        # Blocks stay in the order of the products; equal neighbours can be counted together only
        # where the right side is a single word.
        single = len(other.terms) == 1
        expanded = len(self.terms) if single else sum(n for _, n in self.terms) * len(other.terms)
        if expanded > _MOST_TERMS:
            raise _too_many(expanded)
        pairs = [
            (left + right, n * count if single else count)
            for left, n in self.terms
            for _ in range(1 if single else n)
            for right, count in other.terms
        ]
        return _collected(self.group, pairs)

    def __rmul__(self, count: int) -> Representation:
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            return NotImplemented
        if len(self.terms) == 1:
            return _collected(self.group, [(word, n * count) for word, n in self.terms])
        if len(self.terms) * count > _MOST_TERMS:
            raise _too_many(len(self.terms) * count)
        return _collected(self.group, list(self.terms) * count)

    def __pow__(self, exponent: int) -> Representation:
        if not isinstance(exponent, int) or exponent < 0:
            return NotImplemented
        if exponent * max((len(word) for word, _ in self.terms), default=0) > _MOST_TERMS:
            raise _too_many(exponent)
        if len(self.terms) == 1 and self.terms[0][1] == 1:
            return Representation(self.group, ((self.terms[0][0] * exponent, 1),))
        out = Representation(self.group, (((), 1),))
        for _ in range(exponent):
            out = out * self
        return out

    def _same_group(self, other: Representation) -> None:
        if other.group != self.group:
            raise InputError(
                explain(
                    "Representations of different groups do not combine.",
                    given=f"{self} of {self.group.name} and {other} of {other.group.name}",
                    expected="one group",
                    fix=f'rep("{other}", {self.group.name})',
                )
            )

    def __str__(self) -> str:
        return " + ".join(_term_text(word, count) for word, count in self.terms) or "0"


def rep(text: str, group: Group) -> Representation:
    """Read a representation as one types it.

    Parameters
    ----------
    text : str
        ``V`` is the defining representation, ``S`` or ``1`` the trivial one (``3`` is three of
        them), ``V.T`` or ``V*`` the dual; ``+`` sums, ``*`` multiplies, ``2V`` repeats,
        ``V**3`` and ``T3`` are powers. Parentheses group.
    group : Group
        The group that acts.

    Raises
    ------
    InputError
        If the text cannot be read; the message points at the character.

    Examples
    --------
    >>> from erlangen.algebra.groups import O
    >>> r = rep("2V + S + V*V.T", O(3))
    >>> print(r, r.size)
    2V + S + V*V.T 16
    """
    if not isinstance(text, str) or not isinstance(group, Group):
        raise InputError(
            explain(
                "rep reads a text and a group.",
                given=f"{type(text).__name__} and {type(group).__name__}",
                expected="a str and a Group",
                fix='rep("2V + S", groups.SO(3))',
            )
        )
    return _Reader(text, group).read()


class _Reader:
    """Recursive descent over: sum = product (+ product)*; product = power (* power)*."""

    def __init__(self, text: str, group: Group) -> None:
        self.text, self.group, self.at, self.depth = text, group, 0, 0
        if len(text) > _LONGEST_TEXT:
            raise self._error(f"the text is longer than {_LONGEST_TEXT} characters", _LONGEST_TEXT)

    def read(self) -> Representation:
        out = self._sum()
        if self._peek():
            raise self._error("nothing more is expected here")
        return out

    def _sum(self) -> Representation:
        out = self._product()
        while self._take("+"):
            out = self._within(out.__add__, self._product())
        return out

    def _product(self) -> Representation:
        out = self._power()
        while True:
            start = self.at
            if not self._take("*"):
                return out
            out = self._within(out.__mul__, self._power(), start)

    def _power(self) -> Representation:
        start = self.at
        if self._peek().isdigit():
            count = self._integer("a count")
            if self._starts_atom():
                return self._within(self._power().__rmul__, count, start)
            out = _collected(self.group, [((), count)])
        else:
            out = self._atom()
        while True:
            start = self.at
            if self._take("**"):
                out = self._within(out.__pow__, self._integer("a power"), start)
            elif self._take(".T") or self._takes_star_of_dual():
                out = out.dual
            else:
                return out

    def _atom(self) -> Representation:
        c = self._peek()
        if c == "(":
            return self._bracket()
        if c not in ("V", "S", "T"):
            raise self._error("V, S, T2, a count or ( is expected here")
        self.at += 1
        length = self._integer("the order of T, as in T2,") if c == "T" else int(c == "V")
        return self._within(Representation(self.group, (((False,), 1),)).__pow__, length)

    def _bracket(self) -> Representation:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise self._error(f"brackets are nested deeper than {_DEEPEST}")
        opened = self.at
        self._take("(")
        out = self._sum()
        if not self._take(")"):
            raise self._error("this bracket is never closed", opened)
        self.depth -= 1
        return out

    def _takes_star_of_dual(self) -> bool:
        # V* is the dual where no factor can follow: V*, V* + S, (V*), V* * V.
        if self._peek() != "*":
            return False
        before, self.at = self.at, self.at + 1
        if self._peek() in ("", "+", "*", ")", "."):
            return True
        self.at = before
        return False

    def _integer(self, what: str) -> int:
        self._peek()
        end = self.at
        while end < len(self.text) and self.text[end] in "0123456789":
            end += 1
        if end == self.at:
            raise self._error(f"{what} needs a whole number here")
        if end - self.at > 6:
            raise self._error(f"{what} is too large")
        value, self.at = int(self.text[self.at : end]), end
        return value

    def _within(self, operation, argument, start: int | None = None) -> Representation:
        try:
            return operation(argument)
        except InputError:
            raise self._error(f"multiplied out, this has more than {_MOST_TERMS} terms", start) from None

    def _starts_atom(self) -> bool:
        c = self._peek()
        return c in ("V", "S", "T", "(")

    def _peek(self) -> str:
        while self.at < len(self.text) and self.text[self.at] in " \t\n":
            self.at += 1
        return self.text[self.at] if self.at < len(self.text) else ""

    def _take(self, token: str) -> bool:
        self._peek()
        if self.text.startswith(token, self.at) and (token != "*" or not self.text.startswith("**", self.at)):
            self.at += len(token)
            return True
        return False

    def _error(self, what: str, at: int | None = None) -> InputError:
        at = self.at if at is None else at
        # A window of the text keeps the pointer in view and the message on its lines.
        start = max(0, at - 30)
        window = "".join(c if c.isprintable() else " " for c in self.text[start : at + 30])
        return InputError(
            explain(
                f"This representation cannot be read: {what}.",
                given=f"{window}\n            {' ' * (at - start)}^ character {at + 1}",
                expected="sums and products of V, S, T2, V.T, counts and brackets",
                fix='rep("2V + S + V*V.T", group)',
            )
        )


def _collected(group: Group, terms: list[tuple[Word, int]]) -> Representation:
    """Merge equal neighbours, so that equal representations have equal terms."""
    merged: list[tuple[Word, int]] = []
    for word, count in terms:
        if not count:
            continue
        if merged and merged[-1][0] == word:
            merged[-1] = word, merged[-1][1] + count
        else:
            merged.append((word, count))
    return Representation(group, tuple(merged))


def _term_text(word: Word, count: int) -> str:
    factors = []
    position = 0
    while position < len(word):
        run = 1
        while position + run < len(word) and word[position + run] == word[position]:
            run += 1
        factors.append(("V.T" if word[position] else "V") + (f"**{run}" if run > 1 else ""))
        position += run
    body = "*".join(factors) or "S"
    return body if count == 1 else f"{count}{body}"


def _leibniz(factors: list[NDArray]) -> NDArray:
    out = np.zeros((1, 1))
    for a in factors:
        out = np.kron(out, np.eye(len(a))) + np.kron(np.eye(len(out)), a)
    return out


def _kronecker(factors: list[NDArray]) -> NDArray:
    out = np.ones((1, 1))
    for g in factors:
        out = np.kron(out, g)
    return out


def _too_many(terms: int) -> InputError:
    return InputError(
        explain(
            "Multiplied out, this representation has too many terms.",
            given=f"{terms} terms",
            expected=f"at most {_MOST_TERMS}",
            fix="use lower powers, or work with the factors one by one",
        )
    )
