"""Text, LaTeX and HTML of exact and rounded numbers, polynomials, fields and tables."""

from __future__ import annotations

import math
from fractions import Fraction as Q

import pytest
import sympy

from erlangen import _render
from erlangen._exact import SignedRoot
from erlangen.linalg.polynomials import exponents

LINEAR = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
NAMES = ["x", "y", "z"]


@pytest.mark.parametrize(
    ("square", "text", "latex"),
    [
        (Q(2), "sqrt(2)", r"\sqrt{2}"),
        (Q(-3, 4), "-sqrt(3)/2", r"-\tfrac{\sqrt{3}}{2}"),
        (Q(8), "2*sqrt(2)", r"2\sqrt{2}"),
        (Q(1, 2), "sqrt(2)/2", r"\tfrac{\sqrt{2}}{2}"),
        (Q(9, 4), "3/2", r"\tfrac{3}{2}"),
        (Q(12, 5), "2*sqrt(15)/5", r"\tfrac{2\sqrt{15}}{5}"),
    ],
)
def test_signed_root_prints_its_own_value(square, text, latex):
    root = SignedRoot(square)
    assert _render.number(root) == text
    assert _render.number_latex(root) == latex
    exact = sympy.sign(square) * sympy.sqrt(abs(sympy.Rational(square.numerator, square.denominator)))
    assert sympy.simplify(sympy.sympify(text) - exact) == 0
    assert float(root) == pytest.approx(float(exact))
    assert float(-root) == -float(root)


@pytest.mark.parametrize(
    ("value", "digits", "text", "latex"),
    [
        (1, 4, "1", "1"),
        (Q(-7, 3), 4, "-7/3", r"-\tfrac{7}{3}"),
        (Q(4, 2), 4, "2", "2"),
        (math.pi, 3, "3.14", "3.14"),
        (1.5e-7, 4, "1.5e-07", r"1.5 \times 10^{-7}"),
        (-0.0, 4, "0", "0"),
        (1e20, 4, "1e+20", r"1 \times 10^{20}"),
        (2.0, 4, "2", "2"),
        (float("nan"), 4, "nan", "nan"),
        (float("inf"), 4, "inf", "inf"),
    ],
)
def test_number(value, digits, text, latex):
    assert _render.number(value, digits) == text
    assert _render.number_latex(value, digits) == latex


@pytest.mark.parametrize(
    ("table", "coefficients", "text", "latex"),
    [
        (LINEAR, [[0, -1, 0], [1, 0, 0], [0, 0, 0]], "x d/dy - y d/dx", r"x\,\partial_{y} - y\,\partial_{x}"),
        ([[0, 0, 0]], [[0], [0], [1]], "d/dz", r"\partial_{z}"),
        ([[0, 0, 0]], [[0], [0], [-1]], "-d/dz", r"-\partial_{z}"),
        (
            [[0, 0, 0], *LINEAR],
            [[0, 0, -1, 0], [0, 1, 0, 0], [Q(2, 3), 0, 0, 0]],
            "2/3 d/dz + x d/dy - y d/dx",
            r"\tfrac{2}{3}\,\partial_{z} + x\,\partial_{y} - y\,\partial_{x}",
        ),
        (
            [[0, 2, 0], [2, 0, 0], [1, 1, 0]],
            [[-1, 1, 0], [0, 0, 2], [0, 0, 0]],
            "x^2 d/dx + 2 x y d/dy - y^2 d/dx",
            r"x^{2}\,\partial_{x} + 2\,x\,y\,\partial_{y} - y^{2}\,\partial_{x}",
        ),
        (LINEAR, [[0, 0, 0]] * 3, "0", "0"),
        (LINEAR, [[0.25, 0, 0], [0, SignedRoot(Q(-2)), 0], [0, 0, 0]], "0.25 x d/dx - sqrt(2) y d/dy", None),
    ],
)
def test_fields(table, coefficients, text, latex):
    assert _render.field_text(table, coefficients, NAMES) == text
    if latex is not None:
        assert _render.field_latex(table, coefficients, NAMES) == latex


def test_a_unit_float_after_rounding_is_omitted():
    assert _render.field_text([[1]], [[0.99999999]], ["t"]) == "t d/dt"


def test_terms_follow_the_monomial_order_of_the_library():
    table = exponents(2, 2)
    shuffled = table[[3, 0, 5, 1, 4, 2]]
    assert _render.polynomial_text(shuffled, [1] * 6, ["x", "y"]) == "1 + x + y + x^2 + x y + y^2"


def test_names_are_escaped_in_latex_and_indices_become_indices():
    assert _render.field_latex([[1]], [[1]], ["v_max"]) == r"\mathrm{v\_max}\,\partial_{\mathrm{v\_max}}"
    assert _render.polynomial_latex([[2]], [1], ["x1"]) == "x_{1}^{2}"


def test_a_compound_feature_is_bracketed():
    assert _render.polynomial_text([[1, 1]], [2], ["m", "1/r"]) == "2 m (1/r)"


def test_text_table_is_aligned_and_one_line_a_row():
    table = _render.text_table(["law", "defect"], [["energy\nE", 0.5], ["L", 1e-9]])
    lines = table.split("\n")
    assert len(lines) == 4
    assert lines[2] == "energy E     0.5"
    assert lines[3] == "L          1e-09"
    assert _render.text_table(["a", "b"], []) == "a  b\n-  -"


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", '" onmouseover="x', "a & b", "'"])
def test_html_table_escapes_every_cell_and_header(hostile):
    page = _render.html_table([hostile], [[hostile]])
    assert hostile not in page
    assert page.count("<") == page.count(">") == 14
