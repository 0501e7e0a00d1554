"""`import erlangen` is light: what only some users need is loaded when they use it."""

from __future__ import annotations

import subprocess
import sys

HEAVY = (
    "torch",
    "sklearn",
    "pandas",
    "pyarrow",
    "sympy",
    "matplotlib",
    "plotly",
    "h5py",
    "xarray",
    "typer",
    "rich",
    "tqdm",
)


def run(code: str) -> None:
    """Run code in a fresh interpreter that must neither fail nor print."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == done.stderr == ""


REFUSE_HEAVY = f"""
import sys
loaded = [m for m in {HEAVY!r} if m in sys.modules]
assert not loaded, f"loaded: {{loaded}}"
"""


def test_importing_erlangen_is_light():
    run("import erlangen" + REFUSE_HEAVY)


def test_the_public_names_exist_and_are_light_too():
    """Each name can be had; all but the torch adapter load no more than NumPy and SciPy."""
    run("import erlangen\nfor name in set(erlangen.__all__) - {'nn'}: getattr(erlangen, name)" + REFUSE_HEAVY)
    run("import erlangen; erlangen.nn")
