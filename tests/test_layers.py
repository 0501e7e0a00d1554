"""The order of the folders: each imports only from earlier ones.

A new arrow is a decision: it is made here, and defended in the change that makes it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import erlangen

ROOT = Path(erlangen.__file__).parent

# One rank a line; folders on the same line do not import each other.
ORDER = [
    {"linalg", "data"},
    {"blocks"},
    {"algebra"},
    {"actions"},
    {"fields"},
    {"systems"},
    {"derivative"},
    {"verbs"},
    {"testing"},
    {"evidence"},
    {"dynamics", "estimators", "nn", "parameters", "distributions", "io"},
    {"reports"},
    {"cli"},
]
RANK = {folder: rank for rank, folders in enumerate(ORDER) for folder in folders}
EXTRA_ARROWS = {
    ("estimators", "dynamics"),
    ("verbs", "evidence"),  # on demand only: what discover found prints with its evidence
}


def folder_of(parts: tuple[str, ...]) -> str:
    """Name the folder that a module belongs to; files with a leading underscore are free to all."""
    return "free" if not parts or parts[0].startswith("_") else parts[0]


def imported(tree: ast.AST, package: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield each module of erlangen that a module of `package` imports, at any depth of its code."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            stem = ".".join(("erlangen", *package)[: 2 + len(package) - node.level]) if node.level else ""
            module = ".".join(filter(None, [stem, node.module or ""]))
            names = [f"{module}.{alias.name}" if module == "erlangen" else module for alias in node.names]
        else:
            continue
        yield from (tuple(name.split("."))[1:] for name in names if name.split(".")[0] == "erlangen")


def allowed(here: str, there: str) -> bool:
    if there in ("free", "linalg", here):
        return True
    if here == "free":
        return False
    return RANK[there] < RANK[here] or (here, there) in EXTRA_ARROWS


def forbidden_arrows(root: Path) -> list[str]:
    arrows = []
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if parts in (("__init__",), ("__main__",)):  # the public names and the command: they see everything
            continue
        for target in imported(ast.parse(path.read_text(encoding="utf-8")), parts[:-1]):
            if not allowed(folder_of(parts), folder_of(target)):
                arrows.append(f"{'/'.join(parts)}.py imports erlangen.{'.'.join(target)}")
    return arrows


def test_folders_import_only_from_earlier_ones():
    assert forbidden_arrows(ROOT) == []


def test_every_folder_has_its_place_in_the_order():
    found = {folder_of(path.relative_to(ROOT).with_suffix("").parts) for path in ROOT.rglob("*.py")}
    assert found <= {"free", *RANK}


def test_a_new_arrow_is_seen(tmp_path):
    sources = {
        "algebra/up.py": "def f():\n    from erlangen.verbs import discover\n    return discover\n",
        "dynamics/sideways.py": "from ..io import tables\n",
        "nn/through_the_top.py": "from erlangen import distributions\n",
        "estimators/agreed.py": "from erlangen.dynamics import SINDy\n",
        "verbs/down.py": "import erlangen.linalg.null\nfrom .results import Symmetry\nfrom .._errors import explain\n",
    }
    for name, source in sources.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(source)
    assert forbidden_arrows(tmp_path) == [
        "algebra/up.py imports erlangen.verbs",
        "dynamics/sideways.py imports erlangen.io",
        "nn/through_the_top.py imports erlangen.distributions",
    ]
