"""Print constraints.txt: the installed version of everything that erlangen and its extras need.

Only packages reachable from the project's own requirements are listed, so what else happens to
be installed beside them does not matter. Local version labels (torch's ``+cpu``) are dropped:
which build of a version fits is the machine's business.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement

HEADER = "# What the tests were run with. Written by `make constraints`; every `make` target installs with it."


def canonical(name: str) -> str:
    """Return a project's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def required(found: Distribution, extras: Iterable[str]) -> list[Requirement]:
    """List the requirements of a distribution that hold here, with the given extras."""
    wanted = ["", *extras]
    requirements = [Requirement(line) for line in found.requires or []]
    return [r for r in requirements if r.marker is None or any(r.marker.evaluate({"extra": e}) for e in wanted)]


def installed(name: str) -> bool:
    """Whether a package is installed."""
    try:
        return bool(distribution(name))
    except PackageNotFoundError:
        return False


def closure(root: str) -> dict[str, str]:
    """Map every installed package that the root's requirements and extras reach to its version."""
    versions: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(root, extra) for extra in distribution(root).metadata.get_all("Provides-Extra") or []]
    while waiting:
        name, extra = waiting.pop()
        if (canonical(name), extra) in seen:
            continue
        seen.add((canonical(name), extra))
        if not installed(name):
            continue
        found = distribution(name)
        if name != root and not all(installed(r.name) for r in required(found, [])):
            continue  # put there without what it needs: no installation would choose it
        versions[canonical(name)] = found.version.partition("+")[0]
        for requirement in required(found, [extra]):
            waiting += [(requirement.name, e) for e in ["", *requirement.extras]]
    del versions[canonical(root)]
    return versions


if __name__ == "__main__":
    print(HEADER)
    for name, version in sorted(closure("erlangen").items()):
        print(f"{name}=={version}")
