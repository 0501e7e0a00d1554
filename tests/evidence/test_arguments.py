"""What the public verbs of evidence read, what they refuse, and where they are documented."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import erlangen as er
from erlangen import evidence

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_every_public_name_is_in_the_reference():
    text = (DOCS / "api.md").read_text()
    listed = set()
    for module, members in re.findall(r"automodule:: (erlangen\.evidence\S*)\n   :members:([^\n]*)", text):
        home = import_module(module)
        named = [m.strip() for m in members.split(",") if m.strip()]
        assert all(hasattr(home, name) for name in named), module
        listed |= set(named or vars(home))
    assert set(evidence.__all__) <= listed
    assert "Certified" in listed and er.Certified is evidence.Certified
