"""Check what type checkers see of erlangen's public names: each has a type, and a user's program gets the right ones.

`pyright --verifytypes` reads the installed package as a user's editor does. Classes that extend scikit-learn's keep
one unknown, their base class, for scikit-learn ships no types: they are named, and nothing else may be left.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

PYRIGHT = [sys.executable, "-m", "pyright"]
USE = Path(__file__).with_name("types_seen_by_users.py")
"""A program as users write it, with the types that they should see."""

BASES = ("Type of base class", "Type of metaclass")
"""How pyright begins what it says of a base class without types."""


def report() -> dict[str, Any]:
    """What pyright says of each public name of the package that this interpreter imports."""
    here = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": here + os.pathsep + os.environ.get("PATH", "")}
    command = [*PYRIGHT, "--verifytypes", "erlangen", "--ignoreexternal", "--outputjson"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    return json.loads(done.stdout)["typeCompleteness"]


def extends_scikit_learn(name: str) -> bool:
    """Whether a class, named with its modules, extends one of scikit-learn's."""
    module, _, last = name.rpartition(".")
    found = getattr(importlib.import_module(module), last, None)
    return isinstance(found, type) and any(base.__module__.startswith("sklearn.") for base in found.__mro__)


def main() -> int:
    found = report()
    errors = [
        (symbol["name"], said["message"].partition("\n")[0])
        for symbol in found["symbols"]
        for said in symbol.get("diagnostics", ())
        if said["severity"] == "error"
    ]
    rest = {name for name, words in errors if words.startswith(BASES) and extends_scikit_learn(name)}
    wrong = [(name, words) for name, words in errors if name not in rest or not words.startswith(BASES)]
    counts = found["exportedSymbolCounts"]
    print(f"{counts['withKnownType']} of {sum(counts.values())} public names have a type that is known.")
    print("Their base class is scikit-learn's, without types: " + ", ".join(sorted(rest)))
    for name, words in wrong:
        print(f"error: {name}: {words}")
    use = subprocess.run([*PYRIGHT, str(USE)], check=False)
    return 1 if wrong or not counts["withKnownType"] or use.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
