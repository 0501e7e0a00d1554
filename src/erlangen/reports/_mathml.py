"""Equations of motion and functions in MathML, which browsers draw without a script or a network."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from erlangen._errors import InputError
from erlangen._formula import _ATOM, _POWER, _PRODUCT, _SUM, Formula
from erlangen._formula_tree import Apply, Constant, Node, Number, Variable
from erlangen._render import number
from erlangen.dynamics import Equations, Law
from erlangen.dynamics._equation_terms import formula_text, rounded

_TIMES = "<mo>&#x2062;</mo>"  # a product that is not written


def mathml(equations: Equations, digits: int = 4) -> str:
    """Return the equations as one block of MathML, aligned at the equality signs."""
    formulas = [rounded(Formula(text, equations.variables), digits) for text in equations.terms]
    rows = []
    for name, row in zip(equations.names, equations.coefficients.tolist(), strict=True):
        right = _total([(c, f) for c, f in zip(row, formulas, strict=True) if c], digits)
        rows.append((f"<mover>{_name(name)}<mo>&#x02D9;</mo></mover>", right))
    return _aligned(rows)


def laws_mathml(laws: Sequence[Law], digits: int = 4) -> str:
    """Return functions h1, h2, ... as one block of MathML, aligned at the equality signs."""
    return _aligned([(_name(f"h{i + 1}"), _right(law, digits)) for i, law in enumerate(laws)])


def _right(law: Law, digits: int) -> str:
    names, terms = law.features.names, zip(law.function.tolist(), law.features.texts, strict=True)
    try:
        used = [(c, rounded(Formula(formula_text(text, names), names), digits)) for c, text in terms if c]
    except InputError:  # functions without a formula, such as splines
        return f"<mtext>{html.escape(law.text)}</mtext>"
    return _total(used, digits)


def _aligned(rows: Sequence[tuple[str, str]]) -> str:
    """A block of equations from what stands left and right of the equality signs."""
    lines, sides = [], ("right", "center", "left")
    for left, right in rows:
        cells = zip(sides, (left, "<mo>=</mo>", right), strict=True)
        lines.append("".join(f'<mtd style="text-align:{side}">{cell}</mtd>' for side, cell in cells))
    rows_of = "".join(f"<mtr>{line}</mtr>" for line in lines)
    return f'<math display="block"><mtable displaystyle="true">{rows_of}</mtable></math>'


def _total(terms: list[tuple[float, Formula]], digits: int) -> str:
    if not terms:
        return "<mn>0</mn>"
    out = ""
    for c, formula in terms:
        sign = "<mo>&#x2212;</mo>" if c < 0 else "<mo>+</mo>" if out else ""
        size, tree, alone = _number(abs(c), digits), formula.tree, formula.tree == Number(1.0)
        if isinstance(tree, Apply) and tree.operation == "/" and tree.arguments[0] == Number(1.0):
            size, tree = "<mn>1</mn>", Apply("/", (Number(float(number(abs(c), digits))), tree.arguments[1]))
        body = _held(_node(tree), _SUM + 1)
        out += sign + (size if alone else body if size == "<mn>1</mn>" else size + _TIMES + body)
    return f"<mrow>{out}</mrow>"


def _number(value: float, digits: int) -> str:
    mantissa, _, power = number(value, digits).partition("e")
    if not power:
        return f"<mn>{mantissa}</mn>"
    return f"<mn>{mantissa}</mn><mo>&#xD7;</mo><msup><mn>10</mn><mn>{int(power)}</mn></msup>"


def _name(name: str) -> str:
    """A name of the data; a single letter with an index stays an index."""
    indexed = re.fullmatch(r"([A-Za-z])_?(\d+)", name)
    if indexed:
        return f"<msub><mi>{indexed[1]}</mi><mn>{indexed[2]}</mn></msub>"
    return f"<mi>{html.escape(name)}</mi>"


def _held(piece: tuple[str, int], least: int) -> str:
    text, holds = piece
    return text if holds >= least else _bracketed(text)


def _bracketed(text: str) -> str:
    """Brackets, as tall as a fraction where there is one inside."""
    tall = "" if "<mfrac>" in text else ' stretchy="false"'
    return f"<mrow><mo{tall}>(</mo>{text}<mo{tall}>)</mo></mrow>"


def _node(node: Node) -> tuple[str, int]:
    if isinstance(node, Number):
        text = _number(abs(node.value), 15)  # as many as every decimal survives
        return (text, _ATOM) if node.value >= 0 else (f"<mo>&#x2212;</mo>{text}", _SUM)
    if isinstance(node, Constant):
        return ("<mi>&#x3C0;</mi>" if node.name == "pi" else "<mi>e</mi>"), _ATOM
    if isinstance(node, Variable):
        return _name(node.name), _ATOM
    return _operation(node)


def _operation(node: Apply) -> tuple[str, int]:
    pieces = [_node(argument) for argument in node.arguments]
    if node.operation == "+":
        return _sum(node, pieces), _SUM
    if node.operation == "neg":
        return f"<mo>&#x2212;</mo>{_held(pieces[0], _PRODUCT)}", _SUM
    if node.operation == "*":
        return f"{_held(pieces[0], _PRODUCT)}{_TIMES}{_held(pieces[1], _PRODUCT)}", _PRODUCT
    if node.operation == "/":
        return f"<mfrac><mrow>{pieces[0][0]}</mrow><mrow>{pieces[1][0]}</mrow></mfrac>", _PRODUCT
    if node.operation == "**":
        return f"<msup><mrow>{_held(pieces[0], _POWER + 1)}</mrow><mrow>{pieces[1][0]}</mrow></msup>", _POWER
    if node.operation == "sqrt":
        return f"<msqrt>{pieces[0][0]}</msqrt>", _ATOM
    if node.operation == "abs":
        return f"<mrow><mo>|</mo>{pieces[0][0]}<mo>|</mo></mrow>", _ATOM
    inside = "<mo>,</mo>".join(text for text, _ in pieces)
    return f"<mi>{node.operation}</mi><mo>&#x2061;</mo>{_bracketed(inside)}", _ATOM


def _sum(node: Apply, pieces: list[tuple[str, int]]) -> str:
    out = pieces[0][0]
    for argument, (text, holds) in zip(node.arguments[1:], pieces[1:], strict=True):
        negated = isinstance(argument, Apply) and argument.operation == "neg"
        out += text if negated else f"<mo>+</mo>{_held((text, holds), _SUM + 1)}"
    return out
