"""What a release has to agree on: one number in four places, and lists that are derived from others."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

import erlangen

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def versions() -> dict[str, str]:
    """The version in each place; of the changelog, its newest heading that has one."""
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    headings = re.findall(r"^## (\d[\w.]*)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    found = {
        "pyproject.toml": PROJECT["version"],
        "erlangen.__version__": erlangen.__version__,
        "CITATION.cff": re.findall(r"^version: (\S+)", citation, re.MULTILINE)[0],
    }
    return found | ({"CHANGELOG.md": headings[0]} if headings else {})


def test_one_version_everywhere():
    assert len(set(versions().values())) == 1, versions()


def test_the_changelog_has_a_place_for_what_comes_next():
    assert "\n## Unreleased\n" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_oldest_versions_are_those_of_the_bounds():
    command = [sys.executable, str(ROOT / "scripts" / "lower_bounds.py"), "--check"]
    assert subprocess.run(command, check=False).returncode == 0, "constraints-min.txt is old: make constraints"


@pytest.mark.parametrize("minor", (11, 12, 13))
def test_the_pythons_that_are_tested_are_declared(minor):
    assert f"Programming Language :: Python :: 3.{minor}" in PROJECT["classifiers"]


def test_all_holds_every_extra_that_needs_no_special_machine():
    (line,) = PROJECT["optional-dependencies"]["all"]
    assert {"torch", "io", "scale", "report"} <= set(re.findall(r"\[(.*)\]", line)[0].split(","))


def test_every_pin_installs_on_the_oldest_python():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line)
    refused = []
    for name, version in pins.items():
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue
        needs = found.metadata.get("Requires-Python") or ""
        if found.version.partition("+")[0] == version and not SpecifierSet(needs).contains("3.11.0"):
            refused.append(f"{name}=={version} needs Python {needs}")
    assert not refused
