"""Texts of representations: read, printed, or refused at the character."""

from __future__ import annotations

import re

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlangen._errors import InputError
from erlangen.algebra import groups, rep

PARTICLES = groups.S(5) * groups.SO(3)


@pytest.mark.parametrize(
    ("text", "group", "character", "says"),
    [
        ("spin(1)", groups.O(3), 1, r"spin\(1\)e or spin\(1\)o"),
        ("V + spin(1)o", groups.SO(3), 5, "no inversion"),
        ("spin(1/2)", groups.SO(3), 1, "a full turn is the identity"),
        ("spin(1/3)", groups.SU(2), 8, "a half"),
        ("spin 1", groups.SO(3), 6, "as in spin"),
        ("spin(1", groups.SO(3), 7, "expected here"),
        ("spin(2)", groups.SO(4), 1, "dimension 6"),
        ("spin(2)", groups.SL(2), 1, "not compact"),
        ("V*spin(201)", groups.SO(3), 3, "from 0 to 200"),
        ("regular", groups.SO(3), 1, "infinite"),
        ("V*regular", groups.RubiksCube(), 3, "more than 2000 elements"),
        ("V1", groups.SO(3), 2, "no direct product"),
        ("V1*V3", PARTICLES, 5, "has 2 factors"),
        ("V0", PARTICLES, 2, "no V0"),
        ("V@3", PARTICLES, 3, "has no factor 3"),
        ("V@", PARTICLES, 3, "whole number"),
        ("V@1", groups.SO(3), 3, "has no factor 1"),
        ("spin(2)@1", PARTICLES, 1, "dimension 0"),
        ("(V + W)@2", PARTICLES, 6, "expected here"),
        ("Sym(V)", groups.SO(3), 4, "degree"),
        ("Alt2V", groups.SO(3), 5, r"as in Alt2\(V\)"),
        ("Sym2(V", groups.SO(3), 5, "never closed"),
        ("2W", groups.SO(3), 2, "V, S, T2"),
        ("V + 999*999*999", groups.SO(3), 12, "at most 999999 copies"),
        ("2**9999", groups.SO(3), 2, "1048576 terms"),
        ("999999V + V", groups.SO(3), 12, "at most 999999 copies"),
    ],
)
def test_errors_point_at_the_character(text, group, character, says):
    with pytest.raises(InputError, match=rf"character {character}\b") as error:
        rep(text, group)
    message = str(error.value)
    assert re.search(says, message)
    given, pointer = message.split("\n")[1:3]
    assert given.ljust(200)[pointer.index("^")] == (text + " ")[character - 1]


TOKENS = ["V", "V1", "V2", "S", "T2", "Sym2(", "Alt2(", "Alt3(", "spin(", "spin(1)", "spin(1)o", "spin(1/2)", "regular"]
TOKENS += ["(", ")", ")", "@1", "@2", "@", "+", "*", "**2", ".T", "2", "3", "0", " ", "e", "/", "W", "\u00b2"]


@hypothesis.settings(max_examples=300)
@given(
    st.lists(st.sampled_from(TOKENS), max_size=8).map("".join),
    st.sampled_from([groups.SO(3), groups.O(3), groups.SU(2), groups.C(3), groups.S(2) * groups.C(3) * groups.O(3)]),
)
def test_any_text_is_read_and_printed_or_refused_with_a_pointer(text, group):
    try:
        r = rep(text, group)
    except InputError as error:
        assert "character" in str(error)
    else:
        assert rep(str(r), group) == r
        assert rep(str(r.dual), group) == r.dual
