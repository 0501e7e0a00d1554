"""`import erlangen` is light: what only some users need is loaded when they use it."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("torch", "sklearn", "pandas", "pyarrow", "sympy", "matplotlib", "plotly", "h5py", "xarray", "typer", "rich")


def test_importing_erlangen_loads_nothing_heavy_and_prints_nothing():
    code = (
        f"import sys; import erlangen; "
        f"loaded = [m for m in {HEAVY!r} if m in sys.modules]; assert not loaded, f'import erlangen loads {{loaded}}'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == done.stderr == ""


def test_the_public_names_exist():
    """Each name in `__all__` can be had, also those that are imported on first use."""
    code = "import erlangen\nfor name in getattr(erlangen, '__all__', ()): getattr(erlangen, name)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
