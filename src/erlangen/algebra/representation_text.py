"""Reading a representation as one types it: ``rep("2V + S + V*V.T", group)``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from erlangen._errors import InputError, explain
from erlangen.algebra.atoms import Defining
from erlangen.algebra.finite_atoms import regular
from erlangen.algebra.group import Group, check_group
from erlangen.algebra.powers import alternating_power, symmetric_power
from erlangen.algebra.product_atoms import on_factor
from erlangen.algebra.representation import Representation
from erlangen.algebra.spins import spin

_LONGEST_TEXT = 2_000
_DEEPEST = 100
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_SYMBOL = re.compile(r"spin|regular|Sym|Alt|[VST]", re.ASCII)
_RESERVED = re.compile(r"spin|regular|(Sym|Alt|T|V)\d*|S", re.ASCII)


def rep(text: str, group: Group, *, names: Mapping[str, Representation] | None = None) -> Representation:
    """Read a representation as one types it.

    Parameters
    ----------
    text : str
        ``V`` is the defining representation, ``S`` or ``1`` the trivial one (``3`` is three of
        them), ``V.T`` or ``V*`` the dual; ``+`` sums, ``*`` multiplies, ``2V`` repeats,
        ``V**3`` and ``T3`` are powers. Parentheses group. ``Sym2(V + S)`` and ``Alt2(V)`` are
        symmetric and alternating powers. Groups of rotations have ``spin(2)``, ``spin(1/2)``, and
        ``spin(1)o``, ``spin(1)e`` where they contain the inversion; finite groups ``regular``. In a
        direct product ``V1`` and ``V2`` are the defining representations of the factors, and
        ``spin(2)@2``, ``(V + S)@1`` any other of theirs.
    group : Group
        The group that acts.
    names : mapping of str to Representation, optional
        What other names in the text stand for.

    Returns
    -------
    Representation
        The sum of the words, of size N.

    Raises
    ------
    InputError
        If the text cannot be read; the message points at the character.

    Examples
    --------
    >>> from erlangen.algebra.groups import O, S, SO
    >>> r = rep("2V + S + V*V.T", O(3))
    >>> print(r, r.size)
    2V + S + V*V.T 16
    >>> rep("V1*(V2 + spin(2)@2)", S(5) * SO(3)).size
    40
    """
    check_group(group, "rep")
    if not isinstance(text, str):
        raise InputError(
            explain(
                "rep reads a text and a group.",
                given=f"{type(text).__name__} and {type(group).__name__}",
                expected="a str and a Group",
                fix='rep("2V + S", groups.SO(3))',
            )
        )
    for name in names or {}:
        check_name(name)
    return _Reader(text, group, names or {}).read()


def check_name(name: str) -> None:
    """Refuse a name that `rep` could not read back."""
    if not isinstance(name, str) or not _NAME.fullmatch(name) or _RESERVED.fullmatch(name):
        raise InputError(
            explain(
                "This name cannot stand for a representation.",
                given=repr(name),
                expected="letters, digits and _; not V, S, T2, V1, Sym2, Alt2, spin, regular",
                fix='"W"',
            )
        )


class _Reader:
    """Recursive descent over: sum = product (+ product)*; product = power (* power)*."""

    def __init__(self, text: str, group: Group, names: Mapping[str, Representation]) -> None:
        self.text, self.group, self.names, self.at, self.depth = text, group, names, 0, 0
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
            out = self._within(None, out.__add__, self._product())
        return out

    def _product(self) -> Representation:
        out = self._power()
        while True:
            start = self.at
            if not self._take("*"):
                return out
            out = self._within(start, out.__mul__, self._power())

    def _power(self) -> Representation:
        start = self.at
        if self._peek().isdigit():
            count = self._integer("a count")
            if self._starts_atom():
                return self._within(start, self._power().__rmul__, count)
            out = Representation(self.group, (((), 1),)) * count
        else:
            out = self._atom()
        while True:
            start = self.at
            if self._take("**"):
                out = self._within(start, out.__pow__, self._integer("a power"))
            elif self._take(".T") or self._takes_star_of_dual():
                out = out.dual
            else:
                return out

    def _atom(self) -> Representation:
        self._peek()
        start, at_sign = self.at, self._at_sign()
        if at_sign is None:
            return self._bracket() if self._peek() == "(" else self._symbol()
        product, self.at = self.group, at_sign + 1
        index = self._integer("the number of a factor")
        if not 1 <= index <= len(product.factors):
            raise self._error(f"{product.name} has no factor {index}", at_sign + 1)
        after, self.at, self.group = self.at, start, product.factors[index - 1]
        inner = self._bracket() if self._peek() == "(" else self._symbol()
        if self.at != at_sign:
            raise self._error("@ and the number of a factor are expected here")
        self.at, self.group = after, product
        return on_factor(inner, product, index)

    def _at_sign(self) -> int | None:
        """Where the @ that follows the symbol or bracket here stands."""
        name = _NAME.match(self.text, self.at)
        end = name.end() if name else self.at
        if self.text.startswith("(", end):
            open_brackets = 0
            while end < len(self.text) and (open_brackets or end == self.at or self.text[end] == "("):
                open_brackets += {"(": 1, ")": -1}.get(self.text[end], 0)
                end += 1
                if not open_brackets:
                    break
            end += self.text[end : end + 1] in ("e", "o")
        return end if self.text.startswith("@", end) else None

    def _symbol(self) -> Representation:
        start = self.at
        name = _NAME.match(self.text, start)
        if name and name[0] in self.names:
            self.at, out = name.end(), self.names[name[0]]
            if out.group != self.group:
                raise self._error(f"{name[0]} is a representation of {out.group.name}, not {self.group.name}", start)
            return out
        symbol = _SYMBOL.match(self.text, start)
        if not symbol:
            known = ", ".join(["V, S, T2", *self.names])
            raise self._error(f"{known}, Sym2(V), spin(2), a count or ( is expected here")
        self.at = symbol.end()
        read = {"V": self._defining, "T": self._tensor, "spin": self._spin, "S": lambda _: self._defining_power(0)}
        read |= {"regular": lambda at: self._within(at, regular, self.group)}
        return read.get(symbol[0], lambda at: self._antisymmetric_or_symmetric(symbol[0], at))(start)

    def _defining(self, start: int) -> Representation:
        if not self.text[self.at : self.at + 1].isdigit():
            return self._defining_power(1)
        here = self.at
        index = self._integer("the number of a factor")
        if not 1 <= index <= len(self.group.factors):
            what = "is no direct product" if not self.group.factors else f"has {len(self.group.factors)} factors"
            raise self._error(f"{self.group.name} {what}: there is no V{index}", here)
        factor = self.group.factors[index - 1]
        return on_factor(Representation(factor, (((Defining(factor.size),), 1),)), self.group, index)

    def _tensor(self, start: int) -> Representation:
        order = self._integer("the order of T, as in T2,")
        return self._within(None, self._defining_power, order)

    def _defining_power(self, order: int) -> Representation:
        return Representation(self.group, (((Defining(self.group.size),), 1),)) ** order

    def _antisymmetric_or_symmetric(self, symbol: str, start: int) -> Representation:
        degree = self._integer(f"the degree of {symbol}, as in {symbol}2(V),")
        if self._peek() != "(":
            raise self._error(f"( is expected here, as in {symbol}{degree}(V)")
        power = symmetric_power if symbol == "Sym" else alternating_power
        return self._within(start, power, self._bracket(), degree)

    def _spin(self, start: int) -> Representation:
        if not self._take("("):
            raise self._error("( is expected here, as in spin(2)")
        twice = Fraction(self._integer("a spin"))
        if self._take("/"):
            here = self.at
            denominator = self._integer("the denominator of a spin")
            if denominator != 2:
                raise self._error("a spin is a whole number or a half, as 3/2", here)
            twice /= 2
        if not self._take(")"):
            raise self._error(") is expected here")
        letter = self.text[self.at : self.at + 1]
        parity = {"e": 1, "o": -1}.get(letter, 0)
        self.at += parity != 0
        return self._within(start, spin, self.group, twice, parity)

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

    def _within(self, start: int | None, operation: Callable[..., Representation], *arguments: Any) -> Representation:
        """Carry out an operation; what it refuses is told at its place in the text."""
        try:
            return operation(*arguments)
        except InputError as error:
            what, given, expected = (" ".join(line.split()) for line in str(error).split("\n")[:3])
            what = what[0].lower() + what[1:] if what.split()[0] in ("Multiplied", "A", "The") else what
            raise self._error(f"{what.rstrip('.')} ({given}; {expected})", start) from None

    def _starts_atom(self) -> bool:
        c = self._peek()
        return c == "(" or bool(_NAME.match(c))

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
                expected="sums and products of V, S, T2, V.T, Sym2(V), spin(2), counts and brackets",
                fix='rep("2V + S + V*V.T", group)',
            )
        )
