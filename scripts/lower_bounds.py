"""Print constraints-min.txt: the oldest versions that pyproject.toml allows, beside the pins of constraints.txt.

The bounds are those of the library itself and of its extras for users that the test of the oldest versions installs;
nothing is written by hand, so neither list can drift from the other. Without an argument the file is printed; with
`--check`, it is compared with the one that is there.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent
EXTRAS = ("io", "scale", "report")
"""torch is left out: only its newest builds come without gigabytes of drivers."""

HEADER = "# The oldest versions allowed, with the pins of constraints.txt beside them. Written by `make constraints`."


def floors(pyproject: str) -> dict[str, Version]:
    """Map each requirement of the library and its extras to its lower bound; the highest where there are several."""
    project = tomllib.loads(pyproject)["project"]
    lines = [*project["dependencies"], *(line for e in EXTRAS for line in project["optional-dependencies"][e])]
    found: dict[str, Version] = {}
    for requirement in map(Requirement, lines):
        name = canonicalize_name(requirement.name)
        bound = max(Version(s.version) for s in requirement.specifier if s.operator == ">=")
        found[name] = max(bound, found.get(name, bound))
    return found


def constraints(pyproject: str, pins: str) -> str:
    """Return the text of constraints-min.txt."""
    oldest = floors(pyproject)
    rest = [Requirement(line) for line in pins.splitlines() if line and not line.startswith("#")]
    beside = {canonicalize_name(r.name): str(r.specifier) for r in rest if canonicalize_name(r.name) not in oldest}
    lines = [f"{name}=={bound}" for name, bound in sorted(oldest.items())]
    return "\n".join([HEADER, *lines, "", *(f"{name}{pin}" for name, pin in sorted(beside.items()))]) + "\n"


def main() -> int:
    text = constraints((ROOT / "pyproject.toml").read_text(), (ROOT / "constraints.txt").read_text())
    if sys.argv[1:] == ["--check"]:
        return int((ROOT / "constraints-min.txt").read_text() != text)
    print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
