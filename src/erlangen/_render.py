"""Text, LaTeX and HTML of numbers, polynomials, vector fields and tables: strings only.

Terms are printed in graded lexicographic order of their monomials, so a rotation reads
``x d/dy - y d/dx`` and an inversion ``x^2 d/dx + 2 x y d/dy - y^2 d/dx``.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any

from erlangen._exact import ExactNumber, SignedRoot

Number = ExactNumber | float
_DEFAULT_DIGITS = 4
_LATEX_SPECIAL = {"\\": r"\backslash ", "{": r"\{", "}": r"\}", "^": r"\hat{\ }", "~": r"\tilde{\ }"}
_LATEX_SPECIAL |= {c: "\\" + c for c in "_#$%&"}


def number(x: Number, digits: int = _DEFAULT_DIGITS) -> str:
    """Print one number: exactly where it is exact, else to the given significant digits.

    Examples
    --------
    >>> number(Fraction(2, 3)), number(0.333333), number(-0.0), number(SignedRoot(Fraction(2)))
    ('2/3', '0.3333', '0', 'sqrt(2)')
    """
    if isinstance(x, SignedRoot):
        return str(x)
    if _is_whole(x):
        return str(int(x))
    if isinstance(x, Fraction):
        return str(x)
    return f"{float(x):.{digits}g}"


def number_latex(x: Number, digits: int = _DEFAULT_DIGITS) -> str:
    r"""Print one number for LaTeX: fractions as ``\tfrac``, roots as ``\sqrt``, powers of ten written out.

    Examples
    --------
    >>> print(number_latex(Fraction(-1, 2)), number_latex(1.5e-7))
    -\tfrac{1}{2} 1.5 \times 10^{-7}
    """
    if isinstance(x, SignedRoot):
        return _root_latex(x)
    if isinstance(x, Fraction) and x.denominator != 1:
        return ("-" if x < 0 else "") + rf"\tfrac{{{abs(x.numerator)}}}{{{x.denominator}}}"
    text = number(x, digits)
    mantissa, _, power = text.partition("e")
    return rf"{mantissa} \times 10^{{{int(power)}}}" if power else text


def _is_whole(x: Number) -> bool:
    # Large floats are not exact integers to a reader: 1e20 stays in scientific notation.
    return isinstance(x, int) or (not isinstance(x, SignedRoot) and abs(x) < 1e6 and float(x).is_integer())


def _root_latex(x: SignedRoot) -> str:
    sign, outer, radicand, denominator = x.parts()
    root = "" if radicand == 1 else rf"\sqrt{{{radicand}}}"
    head = root if root and outer == 1 else f"{outer}{root}"
    minus = "-" if sign < 0 else ""
    return minus + (head if denominator == 1 else rf"\tfrac{{{head}}}{{{denominator}}}")


def _latex_name(name: str) -> str:
    """Escape a name from the data; a single letter with an index stays an index."""
    indexed = re.fullmatch(r"([A-Za-z])_?(\d+)", name)
    if indexed:
        return f"{indexed[1]}_{{{indexed[2]}}}"
    escaped = "".join(_LATEX_SPECIAL.get(c, c) for c in name)
    return escaped if len(name) == 1 else rf"\mathrm{{{escaped}}}"


def _monomial(exponents: Iterable[int], names: Sequence[str], power: Callable[[str, int], str], join: str) -> str:
    return join.join(power(name, int(e)) for e, name in zip(exponents, names, strict=True) if e)


def _power_text(name: str, e: int) -> str:
    base = name if re.fullmatch(r"\w+", name) else f"({name})"
    return base if e == 1 else f"{base}^{e}"


def _power_latex(name: str, e: int) -> str:
    base = _latex_name(name)
    return base if e == 1 else f"{base}^{{{e}}}"


def _signed_sum(terms: Iterable[tuple[Number, str]], show: Callable[[Number], str], join: str) -> str:
    """Join coefficient and body pairs into one signed sum, omitting units and zeros."""
    out = ""
    for coefficient, body in terms:
        if not float(coefficient):
            continue
        text = show(coefficient)
        negative = text.startswith("-")
        size = text.removeprefix("-")
        piece = body if body and size == "1" else join.join(part for part in (size, body) if part)
        out += (" - " if negative else " + ") + piece if out else ("-" if negative else "") + piece
    return out or "0"


def _term_order(exponents: Sequence[Sequence[int]]) -> list[int]:
    """Indices of monomials in graded lexicographic order (constant, x, y, x^2, x y, ...)."""
    return sorted(range(len(exponents)), key=lambda r: (sum(exponents[r]), [-int(e) for e in exponents[r]]))


_OPERATORS = {"+": r"\oplus", "⋉": r"\ltimes", "⊕": r"\oplus", "×": r"\times", "x": r"\times", "⊗": r"\otimes"}
_FACTOR = re.compile(r"(\d*)([A-Za-z]+)(\*?)(\([^()]*\))?(?:\^(\d+))?")


def name_latex(name: str) -> str:
    r"""Name of an algebra, group or representation for LaTeX; a name in words stays one.

    Examples
    --------
    >>> print(name_latex("so(3) + R^2"), name_latex("SO(3)"), name_latex("Bianchi VII_0"))
    \mathfrak{so}(3) \oplus \mathbb{R}^{2} \mathrm{SO}(3) \text{Bianchi VII_0}
    """
    parts = [_OPERATORS.get(part) or _factor_latex(part) for part in name.split(" ")]
    return " ".join(map(str, parts)) if all(parts) else rf"\text{{{name}}}"


def _factor_latex(part: str) -> str | None:
    """One factor, or None for a word."""
    found = _FACTOR.fullmatch(part)
    if not found or (len(found[2]) > 1 and not found[4]):
        return None
    count, letters, star, arguments, power = found.groups()
    font = "mathbb" if letters in "RCH" and not arguments else "mathfrak" if letters.islower() else "mathrm"
    plain = len(letters) == 1 and not arguments and font != "mathbb"
    out = count + (letters if plain else rf"\{font}{{{letters}}}")
    return out + ("^{*}" if star else "") + (arguments or "") + (f"^{{{power}}}" if power else "")


def polynomial_text(
    exponents: Any, coefficients: Sequence[Number], names: Sequence[str], digits: int = _DEFAULT_DIGITS
) -> str:
    """Print a polynomial, unit coefficients omitted.

    Parameters
    ----------
    exponents : array_like (r, d) of int
        One monomial a row.
    coefficients : sequence of r numbers
        Integers, fractions, signed roots or floats.
    names : sequence of d str
        The coordinates.
    digits : int
        Significant digits of floats.

    Examples
    --------
    >>> polynomial_text([[2, 0], [1, 1], [0, 0]], [1, Fraction(-3, 2), 0.25], ["x", "y"])
    '0.25 + x^2 - 3/2 x y'
    """
    rows = [list(row) for row in exponents]
    terms = [(coefficients[r], _monomial(rows[r], names, _power_text, " ")) for r in _term_order(rows)]
    return _signed_sum(terms, lambda c: number(c, digits), " ")


def polynomial_latex(
    exponents: Any, coefficients: Sequence[Number], names: Sequence[str], digits: int = _DEFAULT_DIGITS
) -> str:
    r"""Print a polynomial for LaTeX; arguments as for `polynomial_text`.

    Examples
    --------
    >>> print(polynomial_latex([[2, 0], [1, 1]], [1, Fraction(-3, 2)], ["x", "y"]))
    x^{2} - \tfrac{3}{2}\,x\,y
    """
    rows = [list(row) for row in exponents]
    terms = [(coefficients[r], _monomial(rows[r], names, _power_latex, r"\,")) for r in _term_order(rows)]
    return _signed_sum(terms, lambda c: number_latex(c, digits), r"\,")


def _field_terms(
    exponents: Any, coefficients: Any, names: Sequence[str], power: Callable[[str, int], str], basis: str, join: str
) -> Iterable[tuple[Number, str]]:
    rows = [list(row) for row in exponents]
    for r in _term_order(rows):
        monomial = _monomial(rows[r], names, power, join)
        for a, name in enumerate(names):
            partial = basis % (_latex_name(name) if power is _power_latex else name)
            yield coefficients[a][r], join.join(part for part in (monomial, partial) if part)


def field_text(exponents: Any, coefficients: Any, names: Sequence[str], digits: int = _DEFAULT_DIGITS) -> str:
    """Print a polynomial vector field.

    Parameters
    ----------
    exponents : array_like (r, d) of int
        One monomial a row.
    coefficients : array_like (d, r)
        Component a of the field is ``sum_r coefficients[a][r] x^exponents[r]``.
    names : sequence of d str
        The coordinates.
    digits : int
        Significant digits of floats.

    Examples
    --------
    >>> field_text([[1, 0], [0, 1]], [[0, -1], [1, 0]], ["x", "y"])
    'x d/dy - y d/dx'
    """
    terms = _field_terms(exponents, coefficients, names, _power_text, "d/d%s", " ")
    return _signed_sum(terms, lambda c: number(c, digits), " ")


def field_latex(exponents: Any, coefficients: Any, names: Sequence[str], digits: int = _DEFAULT_DIGITS) -> str:
    r"""Print a polynomial vector field for LaTeX; arguments as for `field_text`.

    Examples
    --------
    >>> print(field_latex([[1, 0], [0, 1]], [[0, -1], [1, 0]], ["x", "y"]))
    x\,\partial_{y} - y\,\partial_{x}
    """
    terms = _field_terms(exponents, coefficients, names, _power_latex, r"\partial_{%s}", r"\,")
    return _signed_sum(terms, lambda c: number_latex(c, digits), r"\,")


def text_table(headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Print a table in monospace; columns of numbers are set flush right.

    Examples
    --------
    >>> print(text_table(["name", "defect"], [["so(3)", "0.01"], ["e(2)", "0.25"]]))
    name   defect
    -----  ------
    so(3)    0.01
    e(2)     0.25
    """
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max([len(h), *(len(row[j]) for row in cells)]) for j, h in enumerate(headers)]
    right = [bool(cells) and all(_looks_numeric(row[j]) for row in cells) for j in range(len(headers))]

    def line(row: Sequence[str]) -> str:
        padded = [t.rjust(w) if r else t.ljust(w) for t, w, r in zip(row, widths, right, strict=True)]
        return "  ".join(padded).rstrip()

    return "\n".join([line(list(headers)), line(["-" * w for w in widths]), *map(line, cells)])


def html_table(headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Print a table in HTML; every cell is escaped, whatever the data are called.

    Examples
    --------
    >>> html_table(["a"], [["<b>"]])
    '<table><thead><tr><th>a</th></tr></thead><tbody><tr><td>&lt;b&gt;</td></tr></tbody></table>'
    """

    def line(row: Iterable[Any], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(_cell(c))}</{tag}>" for c in row) + "</tr>"

    body = "".join(line(row, "td") for row in rows)
    return f"<table><thead>{line(headers, 'th')}</thead><tbody>{body}</tbody></table>"


def _cell(value: Any) -> str:
    # One cell is one line: a newline in a column name must not break the layout.
    text = number(value) if isinstance(value, (float, Fraction, SignedRoot)) else str(value)
    return " ".join(text.split())


def _looks_numeric(text: str) -> bool:
    return bool(re.fullmatch(r"[-+]?(\d+\.?\d*([eE][-+]?\d+)?|inf|nan|-)?%?", text.strip()))
