"""Read formulas: a tokenizer and a precedence parser over a whitelist, so that text is never evaluated.

Precedence from loose to tight: ``+ -``, ``* /``, ``**`` (to the right). A leading minus negates the whole term, so
``-x**2`` is ``-(x**2)``; behind another operator it takes what that operator takes, so ``2/-x*y`` is ``(2/-x)*y``.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

from erlangen._errors import InputError, explain, nearest
from erlangen._formula_tree import (
    ALIASES,
    CONSTANTS,
    FUNCTIONS,
    OPERATIONS,
    Apply,
    Constant,
    Node,
    Number,
    Variable,
    degree,
    number_of,
)

# Limits that no formula written by a person meets, and that keep hostile ones from exhausting time or the stack.
LONGEST = 10_000  # characters
DEEPEST = 100  # parentheses, operators and calls inside one another
HIGHEST = 1000.0  # exponent, and degree over nested powers

_TOKEN = re.compile(
    r"(?P<space>[ \t\r\n]+)"
    r"|(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[^\W\d]\w*)"
    r"|`(?P<quoted>[^`\r\n]+)`"
    r"|(?P<sign>\*\*|[-+*/(),])"
)
_BINDING = {"+": 10, "-": 10, "*": 20, "/": 20, "**": 40}


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


@dataclass(frozen=True)
class _Built:
    """A tree with its depth, which the parser bounds."""

    node: Node
    depth: int


def parse(text: str, variables: tuple[str, ...] | None) -> Node:
    """Read a formula.

    Parameters
    ----------
    text : str
        The formula.
    variables : tuple of str, optional
        Names of the columns; where None, every name that is not a constant is a variable.

    Returns
    -------
    Node
        The tree.

    Raises
    ------
    InputError
        Where the text is not a formula, names something unknown, or exceeds the limits.
    """
    if isinstance(text, str) and len(text) > LONGEST:
        given, expected = f"{len(text)} characters", f"at most {LONGEST}"
        raise InputError(explain("The formula is too long.", given=given, expected=expected, fix="split it"))
    if not isinstance(text, str) or not text.strip():
        fix = 'write one, like "x**2 + y**2"'
        raise InputError(explain("The formula is empty.", given=repr(text)[:40], expected="a formula", fix=fix))
    return _Parser(text, variables).formula()


class _Parser:
    def __init__(self, text: str, variables: tuple[str, ...] | None) -> None:
        self.text = text
        self.variables = variables
        self.tokens = self._tokenize()
        self.next = 0
        self.open = 0

    def formula(self) -> Node:
        built = self._expression(0)
        token = self._peek()
        if token.kind != "end":
            self._fail(token.at, *self._unexpected(token))
        self._check_value(built.node, 0)
        return built.node

    # --- tokens

    def _tokenize(self) -> list[_Token]:
        tokens, at = [], 0
        while at < len(self.text):
            match = _TOKEN.match(self.text, at)
            if match is None:
                self._fail(at, *_strange(self.text[at:]))
            if match.lastgroup != "space":
                kind = str(match.lastgroup)
                tokens.append(_Token(kind, match[kind], at))
            at = match.end()
        return [*tokens, _Token("end", "", len(self.text))]

    def _peek(self) -> _Token:
        return self.tokens[self.next]

    def _take(self) -> _Token:
        token = self.tokens[self.next]
        self.next += token.kind != "end"
        return token

    # --- grammar

    def _expression(self, binding: int) -> _Built:
        self.open += 1
        if self.open > DEEPEST:
            self._too_deep(self._peek().at)
        left = self._operand(binding)
        while (token := self._peek()).kind == "sign" and _BINDING.get(token.text, 0) > binding:
            self._take()
            # to the right: the exponent of a power takes the powers that follow it
            right = self._expression(_BINDING[token.text] - (token.text == "**"))
            left = self._join(token, left, right)
        self.open -= 1
        return left

    def _operand(self, binding: int) -> _Built:
        token = self._take()
        if token.kind == "number":
            return self._number(token)
        if token.kind in ("name", "quoted"):
            return self._name(token)
        if token.kind == "sign" and token.text in "+-":
            operand = self._expression(max(binding, _BINDING["-"]))
            return operand if token.text == "+" else self._wrap(token, "neg", (operand,))
        if token.text == "(":
            inside = self._expression(0)
            self._expect(")", token)
            return inside
        self._fail(token.at, *self._unexpected(token, operand=True))

    def _number(self, token: _Token) -> _Built:
        value = float(token.text)
        if value == float("inf"):
            self._fail(token.at, "The number is too large.", "at most 1.8e308", "write a smaller number")
        return _Built(Number(value), 1)

    def _name(self, token: _Token) -> _Built:
        plain = token.kind == "name"
        called = plain and self._peek().text == "("
        function = ALIASES.get(token.text, token.text)
        if called and function in FUNCTIONS:
            return self._call(token, function)
        if not called and self.variables is not None and token.text in self.variables:
            return _Built(Variable(token.text), 1)
        if not called and plain and token.text in CONSTANTS:
            return _Built(Constant(token.text), 1)
        if plain and function in FUNCTIONS:
            self._fail(token.at, f"{token.text!r} is a function.", f"{token.text}(...)", f"write {token.text}(x)")
        if not called and self.variables is None:
            return _Built(Variable(token.text), 1)
        self._fail(token.at, *self._unknown(token, called))

    def _call(self, token: _Token, name: str) -> _Built:
        opening = self._take()
        arguments = [self._expression(0)]
        while self._peek().text == ",":
            self._take()
            arguments.append(self._expression(0))
        self._expect(")", opening)
        arity = OPERATIONS[name].arity
        if len(arguments) != arity:
            what = f"{token.text} takes {arity} argument{'s' * (arity > 1)}, not {len(arguments)}."
            example = ", ".join("xy"[:arity])
            self._fail(token.at, what, f"{token.text}({example})", f"write {token.text}({example})")
        return self._wrap(token, name, tuple(arguments))

    def _expect(self, sign: str, opening: _Token) -> None:
        token = self._take()
        if token.kind == "end":
            self._fail(opening.at, "A parenthesis is not closed.", f"a closing {sign!r}", f"add {sign!r}")
        if token.text != sign:
            self._fail(token.at, *self._unexpected(token))

    # --- trees, within the limits

    def _join(self, token: _Token, left: _Built, right: _Built) -> _Built:
        if token.text in "+-":
            if token.text == "-":
                right = self._wrap(token, "neg", (right,))
            # a sum is one node however long, so that a long sum is not a deep tree
            head = left.node.arguments if isinstance(left.node, Apply) and left.node.operation == "+" else (left.node,)
            depth = max(left.depth if len(head) > 1 else left.depth + 1, right.depth + 1)
            return self._bounded(token, Apply("+", (*head, right.node)), depth)
        built = self._wrap(token, token.text, (left, right))
        if token.text == "**":
            self._check_power(token, built.node, right.node)
        return built

    def _wrap(self, token: _Token, operation: str, parts: tuple[_Built, ...]) -> _Built:
        depth = 1 + max(part.depth for part in parts)
        return self._bounded(token, Apply(operation, tuple(part.node for part in parts)), depth)

    def _bounded(self, token: _Token, node: Node, depth: int) -> _Built:
        if depth > DEEPEST:
            self._too_deep(token.at)
        return _Built(node, depth)

    def _check_power(self, token: _Token, node: Node, exponent: Node) -> None:
        value = number_of(exponent)
        if value is not None and not abs(value) <= HIGHEST:
            self._fail(token.at, "The exponent is too large.", f"at most {HIGHEST:g}", "use a smaller exponent")
        self._check_value(node, token.at)
        if degree(node) > HIGHEST:
            self._fail(token.at, "The powers inside one another are too high.", f"degree {HIGHEST:g}", "lower them")

    def _check_value(self, node: Node, at: int) -> None:
        for part in _parts(node):
            value = number_of(part)
            if value is not None and not abs(value) < float("inf"):
                self._fail(at, "A constant in the formula is not a finite number.", "finite", "remove it")

    # --- messages

    def _too_deep(self, at: int) -> NoReturn:
        self._fail(at, "The formula is nested too deeply.", f"at most {DEEPEST} levels", "simplify it")

    def _unexpected(self, token: _Token, operand: bool = False) -> tuple[str, str, str]:
        if token.kind == "end":
            return "The formula ends too early.", "a number, a variable or a function", "complete it"
        if operand:
            return f"Unexpected {token.text!r}.", "a number, a variable or a function", "remove or complete it"
        if token.kind == "sign" and token.text != "(":
            return f"Unexpected {token.text!r}.", "an operator or the end", "check the parentheses"
        return "An operator is missing.", "+ - * / or **", f"write * before {token.text[:20]!r} for a product"

    def _unknown(self, token: _Token, called: bool) -> tuple[str, str, str]:
        kind = "function" if called else "variable"
        known = [*FUNCTIONS, *ALIASES] if called else [*(self.variables or ()), *CONSTANTS]
        name = token.text[:40]
        odd = "".join(f" (it contains {unicodedata.name(c, 'an unnamed character')})" for c in name if ord(c) > 127)
        what = f"Unknown {kind} {name!r}{odd[:120]}."
        if called and self.variables is not None and token.text in self.variables:
            return f"{name!r} is a variable, not a function.", "an operator", f"write {name}*(...) for a product"
        close = nearest(name, known) or next((k for k in known if name in k.split()), None)
        shown = ", ".join(quoted(k) for k in known[:12]) + (" ..." if len(known) > 12 else "")
        if close is not None and quoted(close) != close:
            return what, shown, f"did you mean {quoted(close)}? Odd names stand in backticks"
        odd_one = next((quoted(k) for k in known if quoted(k) != k), None)
        ticks = "" if odd_one is None else f", odd names in backticks: {odd_one}"
        return what, shown, f"did you mean {close!r}?" if close else f"use one of these {kind}s{ticks}"

    def _fail(self, at: int, what: str, expected: str, fix: str) -> NoReturn:
        window = self.text[max(0, at - 30) : at + 30]
        short = window if len(window) == len(self.text) else f"...{window}..."
        given = f"{short!r}, character {at + 1}"
        raise InputError(explain(what, given=given, expected=expected, fix=fix))


def quoted(name: str) -> str:
    """A name as a formula takes it: in backticks where it is no word.

    Examples
    --------
    >>> quoted("x1"), quoted("Position x [m]")
    ('x1', '`Position x [m]`')
    """
    return name if name.isidentifier() and name.isascii() else f"`{name}`"


def _parts(node: Node) -> list[Node]:
    """All the trees in a tree, without recursion."""
    found, todo = [], [node]
    while todo:
        part = todo.pop()
        found.append(part)
        todo.extend(part.arguments if isinstance(part, Apply) else ())
    return found


def _strange(rest: str) -> tuple[str, str, str]:
    """What to say about a character that no token starts with."""
    character = rest[0]
    what = f"Unexpected character {character!r}."
    if ord(character) > 127 or not character.isprintable():
        what = f"Unexpected character U+{ord(character):04X} {unicodedata.name(character, '')}".rstrip() + "."
    fixes = {
        "^": "write powers with **",
        "`": "close the quoted name with `, on the same line",
        "'": "write a column with an odd name in backticks: `v x`",
        '"': "write a column with an odd name in backticks: `v x`",
        "[": "use round parentheses",
        "{": "use round parentheses",
        "=": "write only the right-hand side",
    }
    return what, "numbers, variables, + - * / ** ( ) and functions", fixes.get(character, "remove it")
