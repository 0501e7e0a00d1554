"""Reading a representation as one types it: ``rep("2V + S + V*V.T", group)``."""

from __future__ import annotations

from erlangen._errors import InputError, explain
from erlangen.algebra.atoms import Defining
from erlangen.algebra.group import Group
from erlangen.algebra.representation import Representation, collected

_LONGEST_TEXT = 2_000
_DEEPEST = 100


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
            out = collected(self.group, [((), count)])
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
        return self._within(Representation(self.group, (((Defining(self.group.size),), 1),)).__pow__, length)

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
            raise self._error("multiplied out, this has too many terms", start) from None

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
